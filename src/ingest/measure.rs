//! The number measured, read out of the cloud's free text: `…, interval=3046(msec)`. Pure.

use crate::model::catalogue::Unit;

/// A number found in a description, with the unit that stood behind it, if any.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measure {
    number: f64,
    word: Option<Word>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Microseconds,
    Milliseconds,
    Seconds,
    Fps,
    Bytes,
}

impl Measure {
    /// The number in a type's unit. A number without a unit is taken to be in it already; one of another dimension
    /// (bytes where time is measured) is no value.
    pub(super) fn in_unit(self, unit: Unit) -> Option<f64> {
        let number = self.number;
        // Dividing by a power of ten is exact where multiplying by its inverse is not.
        match (self.word, unit) {
            (None, _)
            | (Some(Word::Milliseconds), Unit::Milliseconds)
            | (Some(Word::Seconds), Unit::Seconds)
            | (Some(Word::Fps), Unit::Fps)
            | (Some(Word::Bytes), Unit::Bytes) => Some(number),
            (Some(Word::Microseconds), Unit::Milliseconds) | (Some(Word::Milliseconds), Unit::Seconds) => {
                Some(number / 1e3)
            }
            (Some(Word::Microseconds), Unit::Seconds) => Some(number / 1e6),
            (Some(Word::Seconds), Unit::Milliseconds) => Some(number * 1e3).filter(|n| n.is_finite()),
            (Some(Word::Fps | Word::Bytes), _) | (Some(_), Unit::Fps | Unit::Bytes) => None,
        }
    }
}

/// The last `name=NUMBER` or `name: NUMBER` of a description, with a unit as in `3046(msec)`, `3.5 s` or `8fps`.
///
/// A number with a unit we don't know is passed over; a word at a distance (`12 too long`) is no unit.
pub(super) fn find(description: &str) -> Option<Measure> {
    let bytes = description.as_bytes();
    let mut found = None;
    for at in 1..bytes.len() {
        if matches!(bytes[at], b'=' | b':') && matches!(bytes[at - 1], b'a'..=b'z' | b'A'..=b'Z' | b'_' | b' ') {
            found = measure(&bytes[at + 1..]).or(found);
        }
    }
    found
}

fn measure(bytes: &[u8]) -> Option<Measure> {
    let bytes = bytes.trim_ascii_start();
    let mut end = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(&bytes[end..]);
    if whole == 0 {
        return None;
    }
    end += whole;
    if bytes.get(end) == Some(&b'.') {
        match digits(&bytes[end + 1..]) {
            0 => {}
            fraction => end += 1 + fraction,
        }
    }
    let number: f64 = std::str::from_utf8(&bytes[..end]).ok()?.parse().ok()?;
    let word = unit(&bytes[end..])?;
    number.is_finite().then_some(Measure { number, word })
}

fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_digit()).count()
}

/// `Some(None)` where there is no unit, `None` where there is one that we don't know.
fn unit(after: &[u8]) -> Option<Option<Word>> {
    let distant = after.first() == Some(&b' ');
    let rest = after.trim_ascii_start();
    let (bracketed, rest) = match rest.strip_prefix(b"(") {
        Some(inner) => (true, inner.trim_ascii_start()),
        None => (false, rest),
    };
    let letters = rest.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    match (word(&rest[..letters]), letters) {
        (Some(word), _) => Some(Some(word)),
        (None, 0) => Some(None),
        (None, _) if distant && !bracketed => Some(None),
        (None, _) => None,
    }
}

fn word(letters: &[u8]) -> Option<Word> {
    const WORDS: [(&[&str], Word); 5] = [
        (&["ms", "msec", "msecs", "millisecond", "milliseconds"], Word::Milliseconds),
        (&["s", "sec", "secs", "second", "seconds"], Word::Seconds),
        (&["fps"], Word::Fps),
        (&["b", "byte", "bytes"], Word::Bytes),
        (&["us", "usec", "usecs", "microsecond", "microseconds"], Word::Microseconds),
    ];
    WORDS.iter().find(|(names, _)| names.iter().any(|n| n.as_bytes().eq_ignore_ascii_case(letters))).map(|(_, w)| *w)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(description: &str, unit: Unit) -> Option<f64> {
        find(description).and_then(|measure| measure.in_unit(unit))
    }

    #[test]
    fn the_documented_descriptions() {
        let desc = "video frame arrive interval too long, interval=3046(msec)";
        assert_eq!(value(desc, Unit::Milliseconds), Some(3046.0));
        assert_eq!(value(desc, Unit::Seconds), Some(3.046));
        assert_eq!(
            value("audio frame arrive interval too long, interval=2917(msec)", Unit::Milliseconds),
            Some(2917.0)
        );
        // Of a recording exception, whose numbers have no unit.
        assert_eq!(value("video ts deviation: 100.000000", Unit::Milliseconds), Some(100.0));
    }

    #[test]
    fn units_are_converted_and_another_dimension_is_no_value() {
        for (desc, unit, expected) in [
            ("gop=12.5s", Unit::Seconds, Some(12.5)),
            ("gop = 12500 ( ms )", Unit::Seconds, Some(12.5)),
            ("gap: 3 sec", Unit::Milliseconds, Some(3000.0)),
            ("gap=2500us", Unit::Milliseconds, Some(2.5)),
            ("gap=2500000 usec", Unit::Seconds, Some(2.5)),
            ("fps=8", Unit::Fps, Some(8.0)),
            ("frame rate:7.5FPS", Unit::Fps, Some(7.5)),
            ("chunk_size=60000 bytes", Unit::Bytes, Some(60000.0)),
            ("diff=-120(ms)", Unit::Milliseconds, Some(-120.0)),
            ("chunk_size=60000(bytes)", Unit::Milliseconds, None),
            ("interval=3046(msec)", Unit::Fps, None),
            ("interval=3046(msec)", Unit::Bytes, None),
            ("rate=8fps", Unit::Seconds, None),
        ] {
            assert_eq!(value(desc, unit), expected, "{desc}");
        }
    }

    #[test]
    fn the_last_match_wins_and_what_is_no_match_is_passed_over() {
        for (desc, expected) in [
            ("last=10(ms), interval=20(ms)", Some(20.0)),
            ("interval=20(ms), rate=300kbps", Some(20.0)),
            ("interval=20(ms), rate=300(kbps)", Some(20.0)),
            ("interval=20 too long", Some(20.0)),
            ("interval=20. Long", Some(20.0)),
            ("at 12:30:45", None),
            ("interval=", None),
            ("interval=-", None),
            ("=5", None),
            ("3000 ms", None),
            ("", None),
        ] {
            assert_eq!(value(desc, Unit::Milliseconds), expected, "{desc}");
        }
        let endless = format!("interval={}", "9".repeat(400));
        assert_eq!(value(&endless, Unit::Milliseconds), None, "infinity is no measured value");
    }

    proptest! {
        #[test]
        fn any_text_is_survived_and_values_are_finite(text in ".{0,200}") {
            for unit in [Unit::Milliseconds, Unit::Seconds, Unit::Fps, Unit::Bytes] {
                prop_assert!(value(&text, unit).is_none_or(f64::is_finite));
            }
        }

        #[test]
        fn a_number_written_is_the_number_read(n in 0u32..=10_000_000, pre in "[a-z ,]{0,20}") {
            prop_assert_eq!(value(&format!("{pre}x={n}(msec)"), Unit::Milliseconds), Some(f64::from(n)));
        }
    }
}
