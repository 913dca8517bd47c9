//! Two tallies beside each other, differences first. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::side::{Counts, Tally};
use crate::model::{Key, Timestamp};

/// What a backtest found out.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    /// Callbacks that counted.
    pub(super) callbacks: u64,
    /// Callbacks before them, to fill the windows.
    pub(super) warm_up: u64,
    /// What counts begins here.
    pub(super) since: Option<Timestamp>,
    /// Times of the first and the last callback that counted.
    pub(super) between: Option<(Timestamp, Timestamp)>,
    /// The rules in force first, then those that were tried; at least one.
    pub(super) sides: Vec<Judged>,
    /// What readers should know, a sentence each.
    pub(super) notes: Vec<String>,
}

/// A rule set and what it said.
#[derive(Clone, Debug, Default)]
pub(super) struct Judged {
    /// `in force` or `new`.
    pub(super) name: &'static str,
    /// Where the rules are from.
    pub(super) source: String,
    /// Hash of their text, hex.
    pub(super) hash: String,
    /// What they said.
    pub(super) tally: Tally,
}

/// One line of a comparison: what each side said of it, `None` where it does not know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The rule, or what it is about.
    pub(super) name: String,
    /// By side.
    pub(super) sides: Vec<Option<Counts>>,
}

impl Row {
    fn counts(&self, side: usize) -> Counts {
        self.sides.get(side).copied().flatten().unwrap_or_default()
    }

    /// How far the sides are apart.
    pub(super) fn difference(&self) -> u64 {
        let (one, other) = (self.counts(0), self.counts(1));
        match self.sides.len() {
            0 | 1 => 0,
            _ => {
                one.incidents.abs_diff(other.incidents)
                    + one.reopened.abs_diff(other.reopened)
                    + one.messages.abs_diff(other.messages)
            }
        }
    }

    /// Whether the sides say the same and know it both.
    pub(super) fn is_same(&self) -> bool {
        self.difference() == 0 && self.sides.iter().all(Option::is_some)
    }

    /// Whether no side said anything.
    pub(super) fn is_nothing(&self) -> bool {
        (0..self.sides.len()).all(|side| self.counts(side).is_nothing())
    }

    /// All that was said, by all sides.
    fn weight(&self) -> u64 {
        let said = |counts: Counts| counts.incidents + counts.reopened + counts.messages;
        (0..self.sides.len()).map(|side| said(self.counts(side))).sum()
    }
}

impl Report {
    /// A line for each rule of any side.
    pub(super) fn rules(&self) -> Vec<Row> {
        let names: BTreeSet<&Arc<str>> = self.sides.iter().flat_map(|side| side.tally.rules.keys()).collect();
        let row = |name: &Arc<str>| Row {
            name: name.to_string(),
            sides: self.sides.iter().map(|side| side.tally.rules.get(name).copied()).collect(),
        };
        sorted(names.into_iter().map(row).collect())
    }

    /// A line for each stream, or what else a rule is `per`, of which any side said something.
    pub(super) fn keys(&self) -> Vec<Row> {
        let keys: HashSet<&Key> = self.sides.iter().flat_map(|side| side.tally.keys.keys()).collect();
        let row = |key: &Key| Row {
            name: key.to_string(),
            sides: self.sides.iter().map(|s| Some(s.tally.keys.get(key).copied().unwrap_or_default())).collect(),
        };
        sorted(keys.into_iter().map(row).collect())
    }
}

/// The largest difference first, then those of whom most was said, then by name.
fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_cached_key(|row| (Reverse(row.difference()), row.is_same(), Reverse(row.weight()), row.name.clone()));
    rows
}
