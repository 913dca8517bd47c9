//! What several commands read from their command line: durations, sizes, the form of the output.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// How a command prints what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// For machines
    Json,
}

/// Who gives an order.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Author {
    /// Who you are, for the record; without it the name of the system's user
    #[arg(long, env = "PUSHWATCH_AUTHOR", value_name = "NAME")]
    author: Option<String>,
}

impl Author {
    /// The name, if there is any.
    pub(super) fn name(&self) -> Option<String> {
        self.author.clone().or_else(|| crate::config::variable("USER"))
    }
}

/// Reads `90s`, `1h30m`, `3d`; a day is 24 hours.
///
/// # Errors
/// Says what a duration looks like.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a duration is a number with its unit, like 90s, 10m, 72h or 1d12h".to_owned();
    let span: Span = text.parse().map_err(|_| wrong())?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| "a duration can't be negative".to_owned())
}

/// Reads `512MiB`, `2GiB`, `100MB` or a number of bytes.
///
/// # Errors
/// Says what a size looks like.
pub fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
    ];
    let text = text.trim();
    let (number, unit) = UNITS
        .iter()
        .find_map(|(name, unit)| text.strip_suffix(name).map(|number| (number, *unit)))
        .unwrap_or((text.strip_suffix('B').unwrap_or(text), 1));
    let bytes = number.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.ok_or_else(|| "a size is a whole number with its unit, like 512MiB or 2GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_nonsense_is_not() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("72h"), Ok(Duration::from_secs(72 * 3600)));
        assert_eq!(duration("1d12h"), Ok(Duration::from_secs(36 * 3600)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for wrong in ["", "90", "-5s", "1 month", "soon", "10000000000000000000h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_read_and_nonsense_is_not() {
        assert_eq!(size("2GiB"), Ok(2 << 30));
        assert_eq!(size("512 MiB"), Ok(512 << 20));
        assert_eq!(size("100MB"), Ok(100_000_000));
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("4096B"), Ok(4096));
        for wrong in ["", "GiB", "-1GiB", "1.5GiB", "99999999TiB", "2 gigs"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
