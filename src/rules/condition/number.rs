//! Tests of numbers: comparisons with quantities, each in its own dimension. Pure.

use crate::model::catalogue::Unit;

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
