//! Times of the week at which something holds: `time_intervals` of rules.yaml, by the wall clock of a zone. Pure.
//!
//! An interval is judged by what a clock on the wall in its zone shows at each moment. Where clocks are put forward,
//! times that no clock shows are nobody's: `02:00-03:00` does not happen on that day, and `02:30-04:00` begins when the
//! clock jumps to 03:00. Where clocks are put back, `02:00-03:00` happens twice.
//!
//! A range of times over midnight belongs to the day on which it begins: with `weekdays: [fri]`, `22:00-07:00` is
//! Friday's night and ends on Saturday morning. The same goes for days of the month, months and years.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::model::Timestamp;

mod parts;
pub use parts::{
    DayRange, Months, PartError, TimeRange, Weekdays, YearRange, parse_days_of_month, parse_months, parse_times,
    parse_weekdays, parse_years,
};

/// How far ahead a change is looked for, in days: over any two 29ths of February, eight years apart at most.
const HORIZON: i64 = 10 * 366;

const MINUTE: i64 = 60 * 1000;
const DAY: i64 = 24 * 60 * MINUTE;

/// What an interval asks for. Each part that is empty asks for nothing; all that are there must hold.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Stretches of the day, one of which must hold.
    pub times: Vec<TimeRange>,
    /// Days of the week.
    pub weekdays: Weekdays,
    /// Days of the month, one of which must hold.
    pub days_of_month: Vec<DayRange>,
    /// Months.
    pub months: Months,
    /// Years, one of which must hold.
    pub years: Vec<YearRange>,
}

/// One named interval, compiled.
#[derive(Clone, Debug)]
pub struct TimeInterval {
    /// Its name in `time_intervals`.
    pub name: Box<str>,
    parts: Parts,
    zone: TimeZone,
    /// When it holds on a day, by whether the interval is of that day (1) and of the day before it (2).
    days: [Vec<Stretch>; 4],
}

/// Milliseconds since midnight, the end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    from: i64,
    to: i64,
}

impl TimeInterval {
    /// Puts an interval together.
    #[must_use]
    pub fn new(name: &str, parts: Parts, zone: TimeZone) -> TimeInterval {
        let days = [(false, false), (true, false), (false, true), (true, true)].map(|(own, before)| {
            let mut minutes: Vec<(u16, u16)> = Vec::new();
            if parts.times.is_empty() {
                minutes.extend(own.then_some((0, parts::DAY)));
            }
            for range in &parts.times {
                minutes.extend(own.then(|| range.first_day()));
                minutes.extend(range.next_day().filter(|_| before));
            }
            merge(minutes)
        });
        TimeInterval { name: name.into(), parts, zone, days }
    }

    /// Whether it holds at a moment of the wall clock.
    #[must_use]
    pub fn holds(&self, wall: Timestamp) -> bool {
        let Ok(instant) = jiff::Timestamp::from_millisecond(wall.0) else { return false };
        let offset = i64::from(self.zone.to_offset(instant).seconds()) * 1000;
        self.holds_locally(wall.0.saturating_add(offset))
    }

    /// The next moment after `wall` at which [`TimeInterval::holds`] changes; [`Timestamp::MAX`] if it does not within
    /// ten years.
    #[must_use]
    pub fn next_change(&self, wall: Timestamp) -> Timestamp {
        let Ok(instant) = jiff::Timestamp::from_millisecond(wall.0) else { return Timestamp::MAX };
        let before = self.holds(wall);
        let horizon = wall.0.saturating_add(HORIZON * DAY);
        let last_year = self.parts.years.iter().map(|range| range.last()).max();
        let mut offset = self.zone.to_offset(instant);
        let mut transitions = self.zone.following(instant);
        let mut at = wall.0;
        // Each turn is a stretch of time in which the zone's offset from UTC is the same.
        while at < horizon {
            let transition = transitions.next();
            let end = transition.as_ref().map_or(i64::MAX, |next| next.timestamp().as_millisecond());
            let shift = i64::from(offset.seconds()) * 1000;
            let mut local = at + shift;
            let until = end.min(horizon).saturating_add(shift);
            while local < until {
                if self.holds_locally(local) != before {
                    return Timestamp(local - shift);
                }
                // After the last year nothing begins any more.
                if !before && last_year.is_some_and(|last| date(local - DAY).is_none_or(|date| date.year() > last)) {
                    return Timestamp::MAX;
                }
                local = self.next_edge(local);
            }
            let Some(next) = transition else { break };
            (at, offset) = (end, next.offset());
        }
        Timestamp::MAX
    }

    /// By the milliseconds of a local clock that counts on through all days alike.
    fn holds_locally(&self, local: i64) -> bool {
        let time = local.rem_euclid(DAY);
        self.day(local).iter().any(|stretch| (stretch.from..stretch.to).contains(&time))
    }

    /// The next local moment at which it may change: an edge of the day's stretches, or midnight.
    fn next_edge(&self, local: i64) -> i64 {
        let (midnight, time) = (local - local.rem_euclid(DAY), local.rem_euclid(DAY));
        let edges = self.day(local).iter().flat_map(|stretch| [stretch.from, stretch.to]);
        midnight + edges.filter(|edge| *edge > time).min().unwrap_or(DAY)
    }

    /// When it holds on the day of a local moment.
    fn day(&self, local: i64) -> &[Stretch] {
        let (own, before) = (self.is_of(local), self.is_of(local - DAY));
        &self.days[usize::from(own) + 2 * usize::from(before)]
    }

    /// Whether the day of a local moment is one of the interval's.
    fn is_of(&self, local: i64) -> bool {
        let Parts { weekdays, days_of_month, months, years, .. } = &self.parts;
        // The epoch was a Thursday.
        let weekday = (local.div_euclid(DAY) + 3).rem_euclid(7) as u8;
        if !weekdays.is_empty() && !weekdays.contains(weekday) {
            return false;
        }
        if days_of_month.is_empty() && months.is_empty() && years.is_empty() {
            return true;
        }
        let Some(date) = date(local) else { return false };
        let is_day = |range: &DayRange| range.contains(date.day(), date.days_in_month());
        (days_of_month.is_empty() || days_of_month.iter().any(is_day))
            && (months.is_empty() || months.contains(date.month() as u8))
            && (years.is_empty() || years.iter().any(|range| range.contains(date.year())))
    }
}

/// The date of a local moment.
fn date(local: i64) -> Option<Date> {
    let instant = jiff::Timestamp::from_millisecond(local).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(instant).date())
}

/// Ranges of minutes as stretches in order that neither touch nor overlap.
fn merge(mut minutes: Vec<(u16, u16)>) -> Vec<Stretch> {
    minutes.sort_unstable();
    let mut merged: Vec<Stretch> = Vec::new();
    for (from, to) in minutes {
        let (from, to) = (i64::from(from) * MINUTE, i64::from(to) * MINUTE);
        match merged.last_mut() {
            Some(last) if from <= last.to => last.to = last.to.max(to),
            _ => merged.push(Stretch { from, to }),
        }
    }
    merged
}

#[cfg(test)]
mod tests;
