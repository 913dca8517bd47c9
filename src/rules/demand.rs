//! What an event must have for a rule to match at all, so that rules can be indexed by it. Pure.

use super::Rule;
use super::condition::{Comparison, NumberField, NumberTest, Quantity, Test, TextField, TextTest};

/// Up to here every whole number has a float of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Something without which a rule does not match, whatever else the event has. A condition may stand behind it that
/// asks for no more, and then it is the whole condition.
///
/// An event that does not carry the text or the number at all does not meet the demand; the rule then says
/// [`super::Matching::Missing`] of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// The field is one of these texts.
    Text {
        /// Which field; [`TextField::of`] has it of an event.
        field: TextField,
        /// The legal texts, at least one.
        any_of: Vec<Box<str>>,
    },
    /// The field matches this glob, in which `*` crosses `/` and a backslash escapes: globset's own way, with
    /// `backslash_escape(true)`.
    Glob {
        /// Which field.
        field: TextField,
        /// The glob.
        pattern: Box<str>,
    },
    /// The push ended with one of these codes.
    Errcode(Vec<i64>),
}

impl Rule {
    /// What the rule demands, by the conditions that must hold of the whole event: those inside `any` and `not` are
    /// left out, and so are comparisons and regular expressions.
    #[must_use]
    pub fn demands(&self) -> Vec<Demand> {
        let demands = self.conditions.iter().filter_map(|condition| match condition.test() {
            Test::Text { field, test } => of_text(*field, test),
            Test::Number { field: NumberField::Errcode, test } => Some(Demand::Errcode(codes(test)?)),
            _ => None,
        });
        demands.collect()
    }
}

fn of_text(field: TextField, test: &TextTest) -> Option<Demand> {
    let glob = |pattern: String| Some(Demand::Glob { field, pattern: pattern.into() });
    match test {
        TextTest::Prefix(prefix) => glob(format!("{prefix}*")),
        TextTest::Suffix(suffix) => glob(format!("*{suffix}")),
        TextTest::Glob(matcher) => glob(matcher.glob().glob().to_owned()),
        test => Some(Demand::Text { field, any_of: texts(test)? }),
    }
}

/// The texts of a test that is a list of texts and nothing else.
fn texts(test: &TextTest) -> Option<Vec<Box<str>>> {
    match test {
        TextTest::Is(text) => Some(vec![text.clone()]),
        TextTest::Any(tests) if !tests.is_empty() => {
            let texts: Option<Vec<_>> = tests.iter().map(texts).collect();
            Some(texts?.concat())
        }
        _ => None,
    }
}

/// The numbers of a test that is a list of whole numbers and nothing else.
fn codes(test: &NumberTest) -> Option<Vec<i64>> {
    match test {
        NumberTest::Compare(Comparison::Equal, Quantity { number, .. }) => {
            (number.fract() == 0.0 && number.abs() < EXACT).then_some(vec![*number as i64])
        }
        NumberTest::Any(tests) if !tests.is_empty() => {
            let codes: Option<Vec<_>> = tests.iter().map(codes).collect();
            Some(codes?.concat())
        }
        _ => None,
    }
}
