//! Tells JSON that every reader takes from JSON that is right by the letter and still breaks readers: nesting without
//! end, numbers beyond all range, halves of characters. Pure.

/// Nesting that serde_json, and most others, follow.
const MAX_BRACKETS: usize = 120;
/// Digits below which a number without an exponent can't leave the range of a double.
const MAX_DIGITS: usize = 300;

/// Whether a value as written can be read by anyone. It must be JSON by the letter.
///
/// Nearly all values are seen to be sound at a glance; only a suspicious one is read in full.
pub(super) fn is_sound(raw: &str) -> bool {
    !suspicious(raw) || serde_json::from_str::<serde_json::Value>(raw).is_ok()
}

fn suspicious(raw: &str) -> bool {
    let bytes = raw.as_bytes();
    // Escapes are the only way to write half a character.
    if raw.contains("\\u") {
        return true;
    }
    match bytes.first() {
        Some(b'"' | b't' | b'f' | b'n') | None => false,
        Some(_) => brackets(bytes) > MAX_BRACKETS || digits(bytes) > MAX_DIGITS || has_exponent(bytes),
    }
}

// Counting without leaving early lets the compiler look at many bytes at once.

fn brackets(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| matches!(b, b'[' | b'{')).count()
}

fn digits(bytes: &[u8]) -> usize {
    if bytes.len() <= MAX_DIGITS || bytes.iter().filter(|b| b.is_ascii_digit()).count() <= MAX_DIGITS {
        return 0;
    }
    bytes.split(|b| !b.is_ascii_digit()).map(<[u8]>::len).max().unwrap_or(0)
}

/// `5e3` or the like, be it in a number or in a text.
fn has_exponent(bytes: &[u8]) -> bool {
    let after = bytes.get(1..).unwrap_or_default();
    bytes.iter().zip(after).fold(false, |found, (a, b)| found | (a.is_ascii_digit() & (b | 0x20 == b'e')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_breaks_readers_is_found_and_what_looks_like_it_is_not() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let wide = format!("[{}]", vec!["{}"; 500].join(","));
        for (raw, expected) in [
            ("1e400".to_owned(), false),
            ("-1E+400".to_owned(), false),
            ("[1,{\"a\":16705880E70569}]".to_owned(), false),
            ("9".repeat(400), false),
            (nested(200), false),
            (nested(100_000), false),
            (r#""\ud800""#.to_owned(), false),
            (r#"{"a":"\udc00x"}"#.to_owned(), false),
            ("1e30".to_owned(), true),
            ("9".repeat(200), true),
            (nested(100), true),
            (wide, true),
            (r#""1e400""#.to_owned(), true),
            (r#"{"a":"1e400"}"#.to_owned(), true),
            (r#""\ud83d\ude00""#.to_owned(), true),
            ("null".to_owned(), true),
        ] {
            let shown = &raw[..raw.len().min(40)];
            assert_eq!(is_sound(&raw), expected, "{shown}");
        }
    }

    proptest! {
        #[test]
        fn what_is_called_sound_can_be_read(exponent in 0u32..1000, digits in 1usize..600, depth in 0usize..200) {
            for number in [format!("1e{exponent}"), "7".repeat(digits), format!("0.{}", "7".repeat(digits))] {
                let raw = format!("{}{number}{}", "[".repeat(depth), "]".repeat(depth));
                prop_assert_eq!(is_sound(&raw), serde_json::from_str::<serde_json::Value>(&raw).is_ok());
            }
        }
    }
}
