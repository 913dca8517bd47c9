//! The conditions of `where`, typed: what is compared with what, and what holds of a missing value. Pure.

use globset::GlobMatcher;

use crate::model::catalogue::Unit;
use crate::model::{Abnormal, Catalogue, Event};

/// A condition of `where`. All of a rule's conditions must hold.
///
/// What a callback does not carry satisfies no condition, a negated one neither: nothing is known of it.
#[derive(Clone, Debug)]
pub enum Condition {
    /// On a name or an address.
    Text {
        /// Of what.
        field: TextField,
        /// What must hold.
        test: TextTest,
    },
    /// On a number of the whole event.
    Number {
        /// Of what.
        field: NumberField,
        /// What must hold.
        test: NumberTest,
    },
    /// On each abnormal entry of a push error apart: only entries that satisfy it count.
    Entry {
        /// Of what.
        field: EntryField,
        /// What must hold.
        test: NumberTest,
    },
}

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
    /// One of these.
    Any(Vec<TextTest>),
    /// Not this.
    Not(Box<TextTest>),
}

/// A test of a number.
#[derive(Clone, Debug, PartialEq)]
pub enum NumberTest {
    /// A comparison with a quantity.
    Compare(Comparison, Quantity),
    /// One of these.
    Any(Vec<NumberTest>),
    /// Not this.
    Not(Box<NumberTest>),
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same; what a plain value means.
    Equal,
    /// Another.
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// What a number is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Milliseconds.
    Time,
    /// Frames per second.
    Rate,
    /// Bytes.
    Size,
}

/// A number with its dimension; without one it is in whatever unit the other side has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// The number; milliseconds, frames per second or bytes where there is a dimension.
    pub number: f64,
    /// Of what.
    pub dimension: Option<Dimension>,
}

impl Dimension {
    /// The dimension of a unit, and how many of its base units one of the unit is.
    #[must_use]
    pub fn of(unit: Unit) -> (Dimension, f64) {
        match unit {
            Unit::Milliseconds => (Dimension::Time, 1.0),
            Unit::Seconds => (Dimension::Time, 1000.0),
            Unit::Fps => (Dimension::Rate, 1.0),
            Unit::Bytes => (Dimension::Size, 1.0),
        }
    }
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
            TextTest::Any(tests) => tests.iter().any(|test| test.holds(text)),
            TextTest::Not(test) => !test.holds(text),
        }
    }
}

impl NumberTest {
    /// Whether a number in this unit passes. Numbers of different dimensions can't be compared: neither the
    /// comparison nor its negation holds then.
    #[must_use]
    pub fn holds(&self, number: f64, unit: Option<Unit>) -> bool {
        self.judge(number, unit) == Some(true)
    }

    fn judge(&self, number: f64, unit: Option<Unit>) -> Option<bool> {
        match self {
            NumberTest::Compare(comparison, quantity) => {
                let number = match (quantity.dimension, unit.map(Dimension::of)) {
                    (None, _) => number,
                    (Some(wanted), Some((dimension, factor))) if wanted == dimension => number * factor,
                    (Some(_), _) => return None,
                };
                Some(comparison.holds(number, quantity.number))
            }
            NumberTest::Any(tests) => {
                let mut comparable = tests.iter().filter_map(|test| test.judge(number, unit)).peekable();
                comparable.peek()?;
                Some(comparable.any(|holds| holds))
            }
            NumberTest::Not(test) => test.judge(number, unit).map(|holds| !holds),
        }
    }
}

impl Comparison {
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Comparison::Equal => number == bound,
            Comparison::Unequal => number != bound,
            Comparison::Less => number < bound,
            Comparison::AtMost => number <= bound,
            Comparison::More => number > bound,
            Comparison::AtLeast => number >= bound,
        }
    }
}

impl Condition {
    /// Whether it holds of the whole event; conditions on entries are not judged here and pass.
    #[must_use]
    pub fn holds(&self, event: &Event) -> bool {
        match self {
            Condition::Text { field, test } => field.of(event).is_some_and(|text| test.holds(text)),
            Condition::Number { field: NumberField::Errcode, test } => {
                event.errcode.is_some_and(|code| test.holds(code as f64, None))
            }
            Condition::Number { field: NumberField::PushDuration, test } => {
                event.push_duration.is_some_and(|ms| test.holds(ms as f64, Some(Unit::Milliseconds)))
            }
            Condition::Entry { .. } => true,
        }
    }

    /// Whether an entry's own numbers pass; values are judged by [`Condition::holds_of_value`].
    #[must_use]
    pub fn holds_of_entry(&self, entry: &Abnormal) -> bool {
        match self {
            Condition::Entry { field: EntryField::Count, test } => test.holds(f64::from(entry.count), None),
            Condition::Entry { field: EntryField::Type, test } => test.holds(f64::from(entry.kind.0), None),
            Condition::Entry { field: EntryField::Value, .. } | Condition::Text { .. } | Condition::Number { .. } => {
                true
            }
        }
    }

    /// Whether a measured value of an entry passes; `None` is a value that was not measured.
    #[must_use]
    pub fn holds_of_value(&self, entry: &Abnormal, value: Option<f64>) -> bool {
        match self {
            Condition::Entry { field: EntryField::Value, test } => {
                value.is_some_and(|value| test.holds(value, Catalogue::unit(entry.kind)))
            }
            _ => true,
        }
    }

    /// Whether it is about measured values.
    #[must_use]
    pub fn is_on_value(&self) -> bool {
        matches!(self, Condition::Entry { field: EntryField::Value, .. })
    }
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
