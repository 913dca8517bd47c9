//! Whether an event is one that a rule listens to, and for how much it counts. Pure; allocates nothing.

use super::{Condition, Rule};
use crate::model::{Abnormal, Event, EventKind, Timestamp};

/// Whether an event is one that a rule listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// It is.
    Yes,
    /// A condition does not hold.
    No,
    /// A condition asks for something that the callback does not carry.
    Missing,
}

impl Rule {
    /// Whether the event satisfies the rule's `on`, `types` and `where`.
    ///
    /// `wall` is what the wall clock shows: for conditions on the time of day.
    ///
    /// Of a push error, `matched` then holds the index of each entry of `event.abnormal` that counts, in order, and
    /// its amount (at least 1); of other kinds it is empty and the amount is 1. Whatever was in it is removed.
    ///
    /// An entry's amount is its `count`. With a condition on `value` only the listed details that satisfy it count:
    /// `count` if all do, else as many as do, though never more than `count`.
    #[must_use]
    pub fn matches(&self, event: &Event, _wall: Timestamp, matched: &mut Vec<(usize, u64)>) -> Matching {
        matched.clear();
        if event.kind != self.on || !self.conditions.iter().all(|condition| condition.holds(event)) {
            return Matching::No;
        }
        if self.on != EventKind::PushError {
            return Matching::Yes;
        }
        let amounts = event.abnormal.iter().enumerate().map(|(index, entry)| (index, self.amount(entry)));
        matched.extend(amounts.filter(|(_, amount)| *amount > 0));
        if matched.is_empty() { Matching::No } else { Matching::Yes }
    }

    fn amount(&self, entry: &Abnormal) -> u64 {
        let listed = self.types.is_empty() || self.types.binary_search(&entry.kind).is_ok();
        if !listed || !self.conditions.iter().all(|condition| condition.holds_of_entry(entry)) {
            return 0;
        }
        let count = u64::from(entry.count.max(1));
        if !self.conditions.iter().any(Condition::is_on_value) {
            return count;
        }
        let satisfies = |value| self.conditions.iter().all(|condition| condition.holds_of_value(entry, value));
        let satisfied = entry.details.iter().filter(|detail| satisfies(detail.value)).count();
        match satisfied {
            all if all == entry.details.len() && all > 0 => count,
            some => count.min(some as u64),
        }
    }
}

impl Rule {
    /// In one sentence, why the rule does not match the event; `None` if it does.
    #[must_use]
    pub fn refusal(&self, event: &Event, wall: Timestamp) -> Option<String> {
        let mut matched = Vec::new();
        (self.matches(event, wall, &mut matched) != Matching::Yes).then(|| "it does not match".to_owned())
    }
}
