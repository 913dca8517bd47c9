//! The conditions of `where`, typed: what is compared with what, and what holds of a missing value. Pure.

use globset::GlobMatcher;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::Pattern;
use super::interval::Weekdays;
use crate::model::catalogue::Unit;
use crate::model::{Abnormal, Catalogue, Event, Timestamp};

mod number;
pub use number::{Comparison, Dimension, NumberTest, Quantity};

/// A condition of `where`. All of a rule's conditions must hold. Equal to another by its field and its source text.
///
/// What a callback does not carry satisfies no condition, a negated one neither: nothing is known of it.
#[derive(Clone, Debug)]
pub struct Condition {
    field: &'static str,
    written: Box<str>,
    test: Test,
    reach: Reach,
}

/// What a condition asks.
#[derive(Clone, Debug)]
pub enum Test {
    /// A name or an address.
    Text {
        /// Of what.
        field: TextField,
        /// What must hold.
        test: TextTest,
    },
    /// A number of the whole event.
    Number {
        /// Of what.
        field: NumberField,
        /// What must hold.
        test: NumberTest,
    },
    /// The hour on the wall clock of a zone.
    Hour {
        /// Which hours.
        hours: Hours,
        /// Where the clock hangs.
        zone: TimeZone,
    },
    /// The day of the week on the wall clock of a zone.
    Weekday {
        /// Which days.
        days: Weekdays,
        /// Where the clock hangs.
        zone: TimeZone,
    },
    /// Each abnormal entry of a push error apart: only entries that satisfy it count.
    Entry {
        /// Of what.
        field: EntryField,
        /// What must hold.
        test: NumberTest,
    },
    /// `any`: alternatives, one of which must hold with all its conditions. Those about entries hold of one entry and
    /// one listed detail of it, never half of one and half of another.
    Any(Vec<Vec<Condition>>),
}

/// What must be looked at to judge a condition. The later ones need more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// The event as a whole.
    Event,
    /// Each abnormal entry.
    Entry,
    /// Each listed detail of each entry.
    Detail,
}

/// What a condition says of what it looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// Yes.
    Holds,
    /// No.
    Fails,
    /// No, because what it asks for is not there.
    Missing,
}

/// What conditions are judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight<'e> {
    /// The callback.
    pub(super) event: &'e Event,
    /// What the wall clock shows.
    pub(super) wall: Timestamp,
    /// One of its entries.
    pub(super) entry: Option<&'e Abnormal>,
    /// The value of one of its details, if it was measured.
    pub(super) value: Option<f64>,
}

/// Some hours of the day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hours(u32);

/// What a text condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextField {
    /// The stream id.
    Stream,
    /// The push domain.
    Domain,
    /// The push path (AppName).
    Path,
    /// The push's `sequence`.
    Session,
    /// The account.
    Appid,
    /// The pusher's address.
    UserIp,
    /// The cloud's ingest node.
    Node,
}

/// What a number condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberField {
    /// Why a push ended.
    Errcode,
    /// How long it lasted.
    PushDuration,
}

/// What a condition on an abnormal entry looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryField {
    /// The measured number; judged for each listed detail.
    Value,
    /// The entry's count.
    Count,
    /// The number of its type.
    Type,
}

/// A test of a text.
#[derive(Clone, Debug)]
pub enum TextTest {
    /// The very text.
    Is(Box<str>),
    /// `live_*`: a glob that needs no matcher.
    Prefix(Box<str>),
    /// `*.example.com`: likewise.
    Suffix(Box<str>),
    /// Any other glob. `*` also crosses `/`.
    Glob(Box<GlobMatcher>),
    /// A regular expression that the whole text must match.
    Like(Pattern),
    /// One of these.
    Any(Vec<TextTest>),
    /// Not this.
    Not(Box<TextTest>),
}

impl TextTest {
    /// Whether the text passes.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        match self {
            TextTest::Is(wanted) => text == &**wanted,
            TextTest::Prefix(prefix) => text.starts_with(&**prefix),
            TextTest::Suffix(suffix) => text.ends_with(&**suffix),
            TextTest::Glob(glob) => glob.is_match(text),
            TextTest::Like(pattern) => pattern.holds(text),
            TextTest::Any(tests) => tests.iter().any(|test| test.holds(text)),
            TextTest::Not(test) => !test.holds(text),
        }
    }
}

impl Hours {
    /// The hours of the day, 0 to 23, for which `holds` says so.
    #[must_use]
    pub fn those(holds: impl Fn(u8) -> bool) -> Hours {
        Hours((0..24).filter(|hour| holds(*hour)).fold(0, |bits, hour| bits | 1 << hour))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether an hour is one of them.
    #[must_use]
    pub fn contains(self, hour: u8) -> bool {
        self.0.checked_shr(hour.into()).is_some_and(|bits| bits & 1 == 1)
    }
}

impl Condition {
    /// A condition on a field, as it was written.
    pub(super) fn new(field: &'static str, written: String, test: Test) -> Condition {
        let reach = test.reach();
        Condition { field, written: written.into(), test, reach }
    }

    /// The key in `where`.
    #[must_use]
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// What was written behind it: `>= 3000`, `[a, b]`, `{ not: 2 }`. As long as it was written.
    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }

    /// What it asks.
    #[must_use]
    pub fn test(&self) -> &Test {
        &self.test
    }

    /// What must be looked at to judge it.
    pub(super) fn reach(&self) -> Reach {
        self.reach
    }

    /// What it says of this.
    pub(super) fn judge(&self, sight: &Sight<'_>) -> Judged {
        let Sight { event, wall, entry, value } = *sight;
        match &self.test {
            Test::Text { field, test } => Judged::of(field.of(event).map(|text| test.holds(text))),
            Test::Number { field: NumberField::Errcode, test } => {
                Judged::of(event.errcode.map(|code| test.holds(code as f64, None)))
            }
            Test::Number { field: NumberField::PushDuration, test } => {
                Judged::of(event.push_duration.map(|ms| test.holds(ms as f64, Some(Unit::Milliseconds))))
            }
            Test::Hour { hours, zone } => {
                let holds = local(wall, zone).is_some_and(|local| hours.contains(local.hour().unsigned_abs()));
                Judged::of(Some(holds))
            }
            Test::Weekday { days, zone } => {
                let day = local(wall, zone).map(|local| local.weekday().to_monday_zero_offset().unsigned_abs());
                Judged::of(Some(day.is_some_and(|day| days.contains(day))))
            }
            Test::Entry { field, test } => match (entry, field) {
                (None, _) => Judged::Fails,
                (Some(entry), EntryField::Count) => Judged::of(Some(test.holds(f64::from(entry.count), None))),
                (Some(entry), EntryField::Type) => Judged::of(Some(test.holds(f64::from(entry.kind.0), None))),
                (Some(entry), EntryField::Value) => {
                    Judged::of(value.map(|value| test.holds(value, Catalogue::unit(entry.kind))))
                }
            },
            Test::Any(alternatives) => {
                let mut judged = Judged::Fails;
                for alternative in alternatives {
                    match judge_all(alternative, sight) {
                        Judged::Holds => return Judged::Holds,
                        Judged::Missing => judged = Judged::Missing,
                        Judged::Fails => {}
                    }
                }
                judged
            }
        }
    }

    /// Whether it fails because what it asks for is not there; cheaper than to judge it.
    pub(super) fn misses(&self, sight: &Sight<'_>) -> bool {
        match &self.test {
            Test::Text { field, .. } => field.of(sight.event).is_none(),
            Test::Number { field: NumberField::Errcode, .. } => sight.event.errcode.is_none(),
            Test::Number { field: NumberField::PushDuration, .. } => sight.event.push_duration.is_none(),
            Test::Entry { field: EntryField::Value, .. } => sight.entry.is_some() && sight.value.is_none(),
            Test::Hour { .. } | Test::Weekday { .. } | Test::Entry { .. } => false,
            Test::Any(_) => self.judge(sight) == Judged::Missing,
        }
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Condition) -> bool {
        (self.field, &self.written) == (other.field, &other.written)
    }
}

impl Eq for Condition {}

impl Test {
    fn reach(&self) -> Reach {
        match self {
            Test::Text { .. } | Test::Number { .. } | Test::Hour { .. } | Test::Weekday { .. } => Reach::Event,
            Test::Entry { field: EntryField::Value, .. } => Reach::Detail,
            Test::Entry { field: EntryField::Count | EntryField::Type, .. } => Reach::Entry,
            Test::Any(alternatives) => {
                alternatives.iter().flatten().map(Condition::reach).max().unwrap_or(Reach::Event)
            }
        }
    }
}

impl Judged {
    /// The result of a test, or that there was nothing to be tested.
    fn of(holds: Option<bool>) -> Judged {
        match holds {
            Some(true) => Judged::Holds,
            Some(false) => Judged::Fails,
            None => Judged::Missing,
        }
    }
}

/// Whether all hold. If not, whether one of them fails because something is missing.
pub(super) fn judge_all<'c>(conditions: impl IntoIterator<Item = &'c Condition>, sight: &Sight<'_>) -> Judged {
    let mut all = Judged::Holds;
    for condition in conditions {
        let judged = match all {
            Judged::Fails if condition.misses(sight) => Judged::Missing,
            Judged::Fails => Judged::Fails,
            _ => condition.judge(sight),
        };
        match judged {
            Judged::Missing => return Judged::Missing,
            Judged::Fails => all = Judged::Fails,
            Judged::Holds => {}
        }
    }
    all
}

/// What the clock on the wall shows in a zone; `None` for times outside of any calendar.
pub(super) fn local(wall: Timestamp, zone: &TimeZone) -> Option<DateTime> {
    Some(zone.to_datetime(jiff::Timestamp::from_millisecond(wall.0).ok()?))
}

impl TextField {
    /// The event's text; `None` where the callback carries none.
    #[must_use]
    pub fn of(self, event: &Event) -> Option<&str> {
        let text = match self {
            TextField::Stream => Some(event.stream.stream()),
            TextField::Domain => Some(event.stream.domain()),
            TextField::Path => Some(event.stream.path()),
            TextField::Session => event.session.as_deref(),
            TextField::Appid => event.appid.as_deref(),
            TextField::UserIp => event.user_ip.as_deref(),
            TextField::Node => event.node.as_deref(),
        };
        text.filter(|text| !text.is_empty())
    }
}
