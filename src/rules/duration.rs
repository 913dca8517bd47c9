//! Durations as operators write them: `90s`, `10m`, `1h`, `1d12h`. Pure.

use std::fmt;
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// How long a duration may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    low: Duration,
    high: Duration,
    /// Why there is a most.
    why: Option<&'static str>,
}

impl Bounds {
    /// From a second to a day: the waits of rules.
    pub(super) const WAIT: Bounds = Bounds::secs(1, DAY);
    /// Zero is "not at all".
    pub(super) const PAUSE: Bounds = Bounds::secs(0, 7 * DAY);
    /// How often something comes back.
    pub(super) const INTERVAL: Bounds = Bounds::secs(1, 30 * DAY);

    /// A sliding window or what needs one: it is rebuilt from the journal, which keeps 72 hours by default.
    pub(super) const WINDOW: Bounds = Bounds::secs(1, 3 * DAY).because(RETENTION);
    /// The same, with zero for "not at all".
    pub(super) const LASTING: Bounds = Bounds::secs(0, 3 * DAY).because(RETENTION);
    /// A wait, with zero for "not at all".
    pub(super) const GRACE: Bounds = Bounds::secs(0, DAY);

    /// From these seconds to those, both included.
    pub(super) const fn secs(low: u64, high: u64) -> Bounds {
        Bounds { low: Duration::from_secs(low), high: Duration::from_secs(high), why: None }
    }

    const fn because(self, why: &'static str) -> Bounds {
        Bounds { why: Some(why), ..self }
    }

    /// What to write in place of a duration that [`Bounds::check`] or [`parse`] refused.
    pub(super) fn hint(self, error: &DurationError, written: &str) -> String {
        match (error, self.why) {
            (DurationError::TooLong(_), Some(why)) => why.to_owned(),
            (DurationError::NoUnit, _) => {
                let number = written.trim();
                format!("write `{number}s` for seconds, `{number}m` for minutes")
            }
            _ => "durations look like 90s, 10m, 1h or 1d12h".to_owned(),
        }
    }

    /// The duration again, if it is within.
    pub(super) fn check(self, duration: Duration) -> Result<Duration, DurationError> {
        match duration {
            d if d < self.low => Err(DurationError::TooShort(self.low)),
            d if d > self.high => Err(DurationError::TooLong(self.high)),
            d => Ok(d),
        }
    }
}

const RETENTION: &str = "callbacks older than three days are not kept, so it could never fire";

/// Seconds of a day.
pub(super) const DAY: u64 = 24 * 60 * 60;

/// Why a text is no usable duration.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DurationError {
    /// A bare number.
    NoUnit,
    /// Below zero.
    Negative,
    /// Not understood.
    Unreadable,
    /// Below the least.
    TooShort(Duration),
    /// Above the most.
    TooLong(Duration),
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DurationError::NoUnit => f.write_str("has no unit"),
            DurationError::Negative => f.write_str("is below zero"),
            DurationError::Unreadable => f.write_str("is no duration"),
            DurationError::TooShort(least) => write!(f, "is too short: the least is {}", show(*least)),
            DurationError::TooLong(most) => write!(f, "is too long: the most is {}", show(*most)),
        }
    }
}

/// Reads a duration. Days are 24 hours; years and months are refused, since they are of no fixed length.
pub(super) fn parse(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    // Longer ones are no durations; a bound before any parsing.
    if text.is_empty() || text.len() > 64 {
        return Err(DurationError::Unreadable);
    }
    if let Ok(number) = text.parse::<f64>() {
        return Err(if number < 0.0 { DurationError::Negative } else { DurationError::NoUnit });
    }
    // ISO 8601 (`PT90S`) is understood by the library, but not one of the forms people are told.
    if text.starts_with(['P', 'p', '+']) {
        return Err(DurationError::Unreadable);
    }
    let span: Span = text.parse().map_err(|_| DurationError::Unreadable)?;
    if span.is_negative() {
        return Err(DurationError::Negative);
    }
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err(DurationError::Unreadable);
    }
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| DurationError::Unreadable)?;
    Duration::try_from(length).map_err(|_| DurationError::Unreadable)
}

/// The shortest form that [`parse`] reads back: `1d12h`, `90s`.
pub(super) fn show(duration: Duration) -> String {
    let (secs, millis) = (duration.as_secs(), duration.subsec_millis());
    let parts = [(secs / DAY, "d"), (secs / 3600 % 24, "h"), (secs / 60 % 60, "m"), (secs % 60, "s")];
    let mut text = String::new();
    for (count, unit) in parts.into_iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!("{count}{unit}"));
    }
    if millis > 0 || text.is_empty() {
        text.push_str(&format!("{millis}ms"));
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_people_write() {
        for (text, secs) in
            [("90s", 90), ("10m", 600), ("1h", 3600), ("1d12h", 129_600), ("1w", 7 * DAY), (" 5m ", 300)]
        {
            assert_eq!(parse(text), Ok(Duration::from_secs(secs)), "{text}");
        }
        assert_eq!(parse("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn what_is_refused_and_why() {
        for text in ["90", "0", "1.5"] {
            assert_eq!(parse(text), Err(DurationError::NoUnit), "{text}");
        }
        for text in ["-5s", "5s ago", "-1"] {
            assert_eq!(parse(text), Err(DurationError::Negative), "{text}");
        }
        for text in ["", "soon", "1y", "2mo", "PT5S", "10 m x", "5s5s", "99999999999999999999h", "inf s"] {
            assert_eq!(parse(text), Err(DurationError::Unreadable), "{text}");
        }
    }

    #[test]
    fn bounds_name_the_limit() {
        let long = Bounds::WAIT.check(Duration::from_secs(2 * DAY)).unwrap_err();
        assert_eq!(long.to_string(), "is too long: the most is 1d");
        let short = Bounds::WAIT.check(Duration::ZERO).unwrap_err();
        assert_eq!(short.to_string(), "is too short: the least is 1s");
        assert_eq!(Bounds::PAUSE.check(Duration::ZERO), Ok(Duration::ZERO));
    }

    proptest! {
        #[test]
        fn shown_durations_are_read_back(millis in 0u64..10_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&show(duration)), Ok(duration));
        }

        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,80}|[-+0-9.a-z ]{0,20}") {
            let _ = parse(&text);
        }
    }
}
