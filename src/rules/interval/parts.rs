//! The parts of a time interval as they are written: times, weekdays, days of the month, months, years. Pure.

use std::ops::RangeInclusive;

use crate::rules::diagnostic::{nearest, quote};

/// Minutes of a day.
pub(super) const DAY: u16 = 24 * 60;

/// Longest part, in bytes; the longest legal one is `september-december`.
const MAX_PART: usize = 64;

/// Years that a rule can mean: wider than any file's life.
const YEARS: RangeInclusive<i16> = 1970..=2999;

/// Weekdays and months as they may be written: in full or by three letters, in lower case.
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Why a text is no part of a time interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PartError {
    /// What is wrong, in words for operators.
    pub message: String,
    /// What to write instead, if that can be told.
    pub hint: Option<String>,
}

/// A stretch of the day in minutes since midnight, its end excluded. One that ends at or before its beginning goes on
/// into the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    from: u16,
    to: u16,
}

impl TimeRange {
    /// The minutes of it that fall on the day on which it begins.
    pub(super) fn first_day(self) -> (u16, u16) {
        (self.from, if self.wraps() { DAY } else { self.to })
    }

    /// The minutes of it that fall on the day after.
    pub(super) fn next_day(self) -> Option<(u16, u16)> {
        self.wraps().then_some((0, self.to))
    }

    fn wraps(self) -> bool {
        self.to <= self.from
    }
}

/// Some days of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weekdays(u8);

impl Weekdays {
    /// Every day.
    pub const ALL: Weekdays = Weekdays(0x7f);

    /// Whether there is no day in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The days of either.
    #[must_use]
    pub fn and(self, other: Weekdays) -> Weekdays {
        Weekdays(self.0 | other.0)
    }

    /// The days that are not in it.
    #[must_use]
    pub fn others(self) -> Weekdays {
        Weekdays(!self.0 & Weekdays::ALL.0)
    }

    /// Whether a day is in it; 0 is Monday.
    #[must_use]
    pub fn contains(self, day: u8) -> bool {
        self.0 >> day & 1 == 1
    }
}

/// Some months of the year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Months(u16);

impl Months {
    /// Whether there is no month in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The months of either.
    #[must_use]
    pub fn and(self, other: Months) -> Months {
        Months(self.0 | other.0)
    }

    /// Whether a month is in it; 1 is January.
    #[must_use]
    pub fn contains(self, month: u8) -> bool {
        self.0 >> month & 1 == 1
    }
}

/// Days of a month, both ends included; below zero they are counted from its end, -1 being the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayRange {
    from: i8,
    to: i8,
}

impl DayRange {
    /// Whether a day of a month of that many days is in it.
    #[must_use]
    pub fn contains(self, day: i8, days: i8) -> bool {
        let at = |written: i8| if written < 0 { days + 1 + written } else { written };
        (at(self.from)..=at(self.to)).contains(&day)
    }
}

/// Years, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YearRange {
    from: i16,
    to: i16,
}

impl YearRange {
    /// Whether a year is in it.
    #[must_use]
    pub fn contains(self, year: i16) -> bool {
        (self.from..=self.to).contains(&year)
    }

    /// The last year of it.
    pub(super) fn last(self) -> i16 {
        self.to
    }
}

/// Reads one of `times`: `09:00-18:00`, `22:00-07:00` over midnight, `18:00-24:00`. The end is not part of it.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse_times(text: &str) -> Result<TimeRange, PartError> {
    let text = part(text)?;
    let Some((from, to)) = text.split_once('-') else {
        let hint = format!("times are ranges, such as {}", quote("22:00-07:00"));
        return Err(wrong(format!("{} is no range of times", quote(text)), hint));
    };
    let (from, to) = (minute(from)?, minute(to)?);
    if from == DAY {
        return Err(wrong(format!("{} begins at the end of the day", quote(text)), "a day begins at `00:00`"));
    }
    // An end at 00:00 is the midnight that comes, not the one that was.
    let to = if to == 0 { DAY } else { to };
    if from == to {
        return Err(wrong(format!("{} begins where it ends", quote(text)), "the whole day is `00:00-24:00`"));
    }
    Ok(TimeRange { from, to })
}

/// Reads one of `weekdays`: `sat`, `mon-fri`, `fri-mon`, `monday:friday`.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse_weekdays(text: &str) -> Result<Weekdays, PartError> {
    let bits = names(text, &WEEKDAYS, "weekday", "mon, tue, wed, thu, fri, sat, sun, or a range such as mon-fri")?;
    Ok(Weekdays(bits as u8))
}

/// Reads one of `months`: `5`, `jan`, `nov-feb`, `6:8`.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse_months(text: &str) -> Result<Months, PartError> {
    let bits = names(text, &MONTHS, "month", "jan to dec or 1 to 12, or a range such as nov-feb")?;
    Ok(Months(bits << 1))
}

/// Reads one of `days_of_month`: `15`, `1:5`, `-1` for the last day, `-3:-1` for the last three, `20:-1`.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse_days_of_month(text: &str) -> Result<DayRange, PartError> {
    const HINT: &str = "days go from 1 to 31, or from -31 to -1 counted from the month's end; a range is `1:5`";
    let text = part(text)?;
    let no_day = |written: &str| wrong(format!("{} is no day of a month", quote(written)), HINT);
    let day = |written: &str| match written.trim().parse::<i8>() {
        Ok(day @ (-31..=-1 | 1..=31)) => Ok(day),
        _ => Err(no_day(written.trim())),
    };
    let (from, to) = match text.split_once(':') {
        Some((from, to)) => (day(from)?, day(to)?),
        None => match text.split_once('-').filter(|(from, _)| !from.is_empty()) {
            // A minus is a sign before the first day, and a range behind it.
            Some((from, to)) => (day(from)?, day(to)?),
            None => (day(text)?, day(text)?),
        },
    };
    if from < 0 && to > 0 {
        let hint = "a range from the month's end stays there: `-3:-1`";
        return Err(wrong(format!("{} would begin at a month's end and end at its beginning", quote(text)), hint));
    }
    if from.signum() == to.signum() && from > to {
        return Err(wrong(format!("{} ends before it begins", quote(text)), "write it as two: `[25:-1, 1:5]`"));
    }
    Ok(DayRange { from, to })
}

/// Reads one of `years`: `2027`, `2027:2029`.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse_years(text: &str) -> Result<YearRange, PartError> {
    let text = part(text)?;
    let year = |written: &str| match written.trim().parse::<i16>() {
        Ok(year) if YEARS.contains(&year) => Ok(year),
        _ => {
            let hint = format!("years go from {} to {}; a range is `2027:2029`", YEARS.start(), YEARS.end());
            Err(wrong(format!("{} is no year", quote(written.trim())), hint))
        }
    };
    let (from, to) = text.split_once([':', '-']).unwrap_or((text, text));
    let (from, to) = (year(from)?, year(to)?);
    if from > to {
        return Err(wrong(format!("{} ends before it begins", quote(text)), format!("write `{to}:{from}`")));
    }
    Ok(YearRange { from, to })
}

fn wrong(message: impl Into<String>, hint: impl Into<String>) -> PartError {
    PartError { message: message.into(), hint: Some(hint.into()) }
}

/// The text without spaces around it, if it is short enough to be looked at.
fn part(text: &str) -> Result<&str, PartError> {
    let text = text.trim();
    match text.len() {
        0 => Err(PartError { message: "it is empty".to_owned(), hint: None }),
        1..=MAX_PART => Ok(text),
        _ => Err(PartError { message: format!("{} is too long", quote(text)), hint: None }),
    }
}

/// `HH:MM` in minutes, `24:00` included.
fn minute(text: &str) -> Result<u16, PartError> {
    let text = text.trim();
    let no_time = || {
        let hint = "times are hours and minutes, from `00:00` to `24:00`";
        wrong(format!("{} is no time of day", quote(text)), hint)
    };
    let (hour, minute) = text.split_once(':').ok_or_else(no_time)?;
    let number = |digits: &str, lengths: RangeInclusive<usize>| {
        let is_number = lengths.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| digits.parse::<u16>().ok()).flatten().ok_or_else(no_time)
    };
    match (number(hour, 1..=2)?, number(minute, 2..=2)?) {
        (hour @ 0..=23, minute @ 0..=59) => Ok(hour * 60 + minute),
        (24, 0) => Ok(DAY),
        _ => Err(no_time()),
    }
}

/// A name or a range of names as bits by their place; a range may go over the end of the list.
fn names(text: &str, known: &[&str], what: &str, hint: &str) -> Result<u16, PartError> {
    let text = part(text)?;
    let place = |written: &str| {
        let written = written.trim();
        let by_name = known.iter().position(|name| *name == written || name[..3] == *written);
        // Months have numbers; weekdays don't: people disagree on which day is the first.
        let by_number = written.parse::<usize>().ok().filter(|n| known.len() == 12 && (1..=12).contains(n));
        by_name.or(by_number.map(|n| n - 1)).ok_or_else(|| {
            let short = known.iter().map(|name| &name[..3]);
            let hint = match nearest(written, short.chain(known.iter().copied())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => hint.to_owned(),
            };
            wrong(format!("{} is no {what}", quote(written)), hint)
        })
    };
    let (from, to) = text.split_once(['-', ':']).unwrap_or((text, text));
    let (from, to) = (place(from)?, place(to)?);
    let steps = (to + known.len() - from) % known.len();
    Ok((0..=steps).fold(0, |bits, step| bits | 1 << ((from + step) % known.len())))
}
