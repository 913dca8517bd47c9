//! Whether an event is one that a rule listens to, and for how much it counts. Pure; allocates nothing.

use super::Rule;
use super::condition::{Condition, Judged, Reach, Sight, judge_all};
use crate::model::{Abnormal, Event, EventKind, Timestamp};

/// Whether an event is one that a rule listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// It is.
    Yes,
    /// A condition does not hold, or the rule does not listen to such events.
    No,
    /// A condition asks for something that the callback does not carry. Others may fail too.
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
    pub fn matches(&self, event: &Event, wall: Timestamp, matched: &mut Vec<(usize, u64)>) -> Matching {
        matched.clear();
        if event.kind != self.on {
            return Matching::No;
        }
        let sight = Sight { event, wall, entry: None, value: None };
        if self.on != EventKind::PushError {
            return match judge_all(&self.conditions, &sight) {
                Judged::Holds => Matching::Yes,
                Judged::Fails => Matching::No,
                Judged::Missing => Matching::Missing,
            };
        }
        let mut listed = event.abnormal.iter().enumerate().filter(|(_, entry)| self.lists(entry)).peekable();
        if listed.peek().is_none() {
            return Matching::No;
        }
        let of_event = self.conditions.iter().filter(|condition| condition.reach() == Reach::Event);
        let narrower = self.conditions.iter().filter(|condition| condition.reach() > Reach::Event);
        let reach = self.conditions.iter().map(Condition::reach).max().unwrap_or(Reach::Event);
        let whole = judge_all(of_event, &sight);
        let mut missing = whole == Judged::Missing;
        match (whole, reach) {
            (Judged::Missing, _) => return Matching::Missing,
            (Judged::Fails, Reach::Event) => return Matching::No,
            _ => {}
        }
        for (index, entry) in listed {
            let (mut seen, mut held) = (0, 0);
            for sight in sights(&sight, entry, reach) {
                seen += 1;
                match whole {
                    Judged::Holds => match judge_all(narrower.clone(), &sight) {
                        Judged::Holds => held += 1,
                        Judged::Missing => missing = true,
                        Judged::Fails => {}
                    },
                    // It does not match any more; still to be said is whether anything is missing.
                    _ => missing = missing || narrower.clone().any(|condition| condition.misses(&sight)),
                }
            }
            let count = u64::from(entry.count.max(1));
            match held {
                0 => {}
                all if all == seen => matched.push((index, count)),
                some => matched.push((index, count.min(some))),
            }
        }
        match (matched.is_empty(), missing) {
            (false, _) => Matching::Yes,
            (true, true) => Matching::Missing,
            (true, false) => Matching::No,
        }
    }

    /// Whether an entry's type is one that the rule counts.
    pub(super) fn lists(&self, entry: &Abnormal) -> bool {
        self.types.is_empty() || self.types.binary_search(&entry.kind).is_ok()
    }
}

/// What conditions of this reach look at in an entry: each listed detail, or the entry where none is listed or asked
/// for.
pub(super) fn sights<'e>(whole: &Sight<'e>, entry: &'e Abnormal, reach: Reach) -> impl Iterator<Item = Sight<'e>> {
    let whole = Sight { entry: Some(entry), ..*whole };
    let details = if reach == Reach::Detail { entry.details.as_slice() } else { &[] };
    let alone = details.is_empty().then_some(whole);
    details.iter().map(move |detail| Sight { value: detail.value, ..whole }).chain(alone)
}
