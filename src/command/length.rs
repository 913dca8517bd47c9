//! How long a mute lasts, as people write it: `30m`, `2h`, `1d12h`, `2小时`, `1天12小时`. Pure.

use std::time::Duration;

use super::LONGEST_MUTE;

/// Why a text is no length of a mute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthMistake {
    /// It is none at all.
    Unreadable,
    /// A bare number.
    NoUnit,
    /// Nothing, or less than a minute.
    TooShort,
    /// More than thirty days.
    TooLong,
    /// "For ever", in some words.
    NoEnd,
}

/// Shortest mute.
const SHORTEST: Duration = Duration::from_secs(60);

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Units by the words for them, longer words before those that they begin with.
const UNITS: [(&str, u64); 29] = [
    ("weeks", 7 * DAY),
    ("week", 7 * DAY),
    ("days", DAY),
    ("day", DAY),
    ("hours", HOUR),
    ("hour", HOUR),
    ("hrs", HOUR),
    ("hr", HOUR),
    ("minutes", MINUTE),
    ("minute", MINUTE),
    ("mins", MINUTE),
    ("min", MINUTE),
    ("secs", 1),
    ("sec", 1),
    ("w", 7 * DAY),
    ("d", DAY),
    ("h", HOUR),
    ("m", MINUTE),
    ("s", 1),
    ("个星期", 7 * DAY),
    ("周", 7 * DAY),
    ("天", DAY),
    ("日", DAY),
    ("个小时", HOUR),
    ("小时", HOUR),
    ("时", HOUR),
    ("分钟", MINUTE),
    ("分", MINUTE),
    ("秒", 1),
];

/// Words for what no mute is.
const ENDLESS: [&str; 9] = ["forever", "always", "permanent", "permanently", "inf", "∞", "永久", "永远", "一直"];

/// Reads a length; signs are plain ones already.
pub(super) fn parse(text: &str) -> Result<Duration, LengthMistake> {
    if ENDLESS.iter().any(|word| word.eq_ignore_ascii_case(text)) {
        return Err(LengthMistake::NoEnd);
    }
    let secs = seconds(text)?;
    match Duration::from_secs(secs) {
        length if length < SHORTEST => Err(LengthMistake::TooShort),
        length if length > LONGEST_MUTE => Err(LengthMistake::TooLong),
        length => Ok(length),
    }
}

/// Whether it is meant as a length, right or wrong.
pub(super) fn is_meant(text: &str) -> bool {
    !matches!(parse(text), Err(LengthMistake::Unreadable | LengthMistake::NoUnit))
}

/// Numbers with their units, largest first. Saturates.
fn seconds(text: &str) -> Result<u64, LengthMistake> {
    let mut rest = text;
    let (mut sum, mut last) = (0u64, u64::MAX);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, behind) = rest.split_at(end);
        if digits.is_empty() {
            return Err(LengthMistake::Unreadable);
        }
        if behind.is_empty() && last == u64::MAX {
            return Err(LengthMistake::NoUnit);
        }
        // Only its length makes it unreadable: it is too long for any use.
        let number: u64 = digits.parse().unwrap_or(u64::MAX);
        let unit = UNITS.iter().find(|(word, _)| starts_with(behind, word));
        let Some((word, size)) = unit.filter(|(_, size)| *size < last) else { return Err(LengthMistake::Unreadable) };
        sum = sum.saturating_add(number.saturating_mul(*size));
        last = *size;
        rest = &behind[word.len()..];
    }
    if text.is_empty() { Err(LengthMistake::Unreadable) } else { Ok(sum) }
}

fn starts_with(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_as_people_write_them() {
        for (text, secs) in [
            ("30m", 1800),
            ("2h", 7200),
            ("1d12h", 129_600),
            ("1H30Min", 5400),
            ("90s", 90),
            ("30d", 30 * DAY),
            ("4w2d", 30 * DAY),
            ("2hours", 7200),
            ("2小时", 7200),
            ("2个小时30分钟", 9000),
            ("1天12小时", 129_600),
            ("1周", 7 * DAY),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(secs)), "{text}");
        }
    }

    #[test]
    fn what_is_no_length_of_a_mute_and_why() {
        for (text, why) in [
            ("", LengthMistake::Unreadable),
            ("soon", LengthMistake::Unreadable),
            ("h", LengthMistake::Unreadable),
            ("-2h", LengthMistake::Unreadable),
            ("1.5h", LengthMistake::Unreadable),
            ("2h1d", LengthMistake::Unreadable),
            ("2h2h", LengthMistake::Unreadable),
            ("2h30", LengthMistake::Unreadable),
            ("1y", LengthMistake::Unreadable),
            ("30", LengthMistake::NoUnit),
            ("0h", LengthMistake::TooShort),
            ("59s", LengthMistake::TooShort),
            ("31d", LengthMistake::TooLong),
            ("30d1m", LengthMistake::TooLong),
            ("99999999999999999999999999d", LengthMistake::TooLong),
            ("Forever", LengthMistake::NoEnd),
            ("永久", LengthMistake::NoEnd),
        ] {
            assert_eq!(parse(text), Err(why), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_length_is_out_of_bounds(text in "[0-9dhmsw天小时分钟 .-]{0,12}|\\PC{0,12}") {
            if let Ok(length) = parse(&text) {
                prop_assert!((SHORTEST..=LONGEST_MUTE).contains(&length));
            }
        }
    }
}
