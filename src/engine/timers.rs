//! What falls due when, in one fixed order: by due time, then rule, then key. Pure.

use std::collections::BTreeSet;
use std::iter;

use crate::model::{GroupId, IncidentId, Key, MuteId, TallyId, Timestamp};

/// What falls due. Compared after due time, rule and stream, so that equal moments have an order too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// An incident's deadline: quiet long enough, grace over, or no word for too long.
    Deadline(IncidentId),
    /// A group held back may have its token.
    Held(GroupId),
    /// Channels of a group may want to be reminded.
    Repeat(GroupId),
    /// A closed group is forgotten.
    Forget(GroupId),
    /// A rule on silence has heard nothing of a key for long enough.
    Silence,
    /// A person's mute may be near its end.
    MuteEndsSoon(MuteId),
    /// A person's mute may be over.
    MuteEnds(MuteId),
    /// A standing mute that kept something from people may be over.
    StandingMuteEnds(TallyId),
}

/// One timer. The field order is the order in which timers fire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer {
    /// When.
    pub(super) at: Timestamp,
    /// Place of the rule in the file; mutes come after all rules, and groups after these.
    pub(super) rule: u32,
    /// The key.
    pub(super) key: Key,
    /// What.
    pub(super) due: Due,
}

/// Place of timers that belong to no rule.
pub(super) const NO_RULE: u32 = u32::MAX;

/// Place of the timers of mutes: what is over when a mute ends is known by then, and what it held is not told yet.
pub(super) const MUTES: u32 = NO_RULE - 1;

/// All timers. A timer is never moved: when it fires, its owner looks whether the time has come and sets it again
/// for later if not. So a report that only prolongs an incident touches no timer.
///
/// There are two for each incident, and keys are large: what has a number is kept without its key, which its owner
/// knows, and those two kinds by nothing but their numbers. Only of those that fire at one time for one rule do the keys
/// say who is first.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    deadlines: Set<IncidentId>,
    repeats: Set<GroupId>,
    silences: Set<Key>,
    others: Set<Due>,
    /// Those of one time and rule that are firing, the first last.
    firing: Vec<Timer>,
}

/// By time and rule.
type Set<T> = BTreeSet<(Timestamp, u32, T)>;

impl Timers {
    /// Sets a timer.
    pub(super) fn set(&mut self, timer: Timer) {
        let place = (timer.at, timer.rule);
        match self.firing.first().map(|firing| (firing.at, firing.rule)) {
            Some(firing) if place == firing => {
                if let Err(at) = self.firing.binary_search_by(|known| timer.cmp(known)) {
                    self.firing.insert(at, timer);
                }
                return;
            }
            // It comes first: the others wait until it has fired.
            Some(firing) if place < firing => std::mem::take(&mut self.firing).into_iter().for_each(|t| self.put(t)),
            Some(_) | None => {}
        }
        self.put(timer);
    }

    fn put(&mut self, timer: Timer) {
        let Timer { at, rule, key, due } = timer;
        match due {
            Due::Deadline(id) => _ = self.deadlines.insert((at, rule, id)),
            Due::Repeat(id) => _ = self.repeats.insert((at, rule, id)),
            Due::Silence => _ = self.silences.insert((at, rule, key)),
            due => _ = self.others.insert((at, rule, due)),
        }
    }

    /// Takes the first timer that is due. `key` knows the keys of all but silences; where it knows none, there is nothing
    /// left to fall due.
    pub(super) fn pop(&mut self, now: Timestamp, key: impl Fn(Due) -> Option<Key>) -> Option<Timer> {
        while self.firing.is_empty() {
            let (at, rule) = self.first().filter(|(at, _)| *at <= now)?;
            let timer = |due| key(due).map(|key| Timer { at, rule, key, due });
            self.firing.extend(take(&mut self.deadlines, (at, rule)).map(Due::Deadline).filter_map(timer));
            self.firing.extend(take(&mut self.repeats, (at, rule)).map(Due::Repeat).filter_map(timer));
            self.firing.extend(take(&mut self.others, (at, rule)).filter_map(timer));
            let silence = |key| Timer { at, rule, key, due: Due::Silence };
            self.firing.extend(take(&mut self.silences, (at, rule)).map(silence));
            self.firing.sort_unstable_by(|one, other| other.cmp(one));
        }
        let timer = self.firing.pop();
        if self.firing.is_empty() {
            // As many as there are may have been set for one moment.
            self.firing = Vec::new();
        }
        timer
    }

    /// Packs them: a tree that was filled in order is half empty.
    pub(super) fn pack(&mut self) {
        self.deadlines = std::mem::take(&mut self.deadlines).into_iter().collect();
        self.repeats = std::mem::take(&mut self.repeats).into_iter().collect();
    }

    /// When the next one falls due.
    #[must_use]
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.firing.last().map(|timer| timer.at).or_else(|| self.first().map(|(at, _)| at))
    }

    /// Time and rule of the first that does not fire yet.
    fn first(&self) -> Option<(Timestamp, u32)> {
        let deadline = self.deadlines.first().map(|first| (first.0, first.1));
        let repeat = self.repeats.first().map(|first| (first.0, first.1));
        let silence = self.silences.first().map(|first| (first.0, first.1));
        let other = self.others.first().map(|first| (first.0, first.1));
        [deadline, repeat, silence, other].into_iter().flatten().min()
    }
}

/// Takes out those of this time and rule, in order.
fn take<T: Ord>(set: &mut Set<T>, place: (Timestamp, u32)) -> impl Iterator<Item = T> {
    iter::from_fn(move || {
        let is_there = set.first().is_some_and(|first| (first.0, first.1) == place);
        is_there.then(|| set.pop_first()).flatten().map(|(_, _, what)| what)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::StreamName;

    /// Numbers bear no relation to names.
    fn key(id: u64) -> Key {
        Key::Stream(StreamName::new("d", "p", &(id * 7 % 5).to_string()))
    }

    fn timer(at: i64, rule: u32, kind: u8, id: u64) -> Timer {
        let due = match kind {
            0 => Due::Deadline(IncidentId(id)),
            1 => Due::Held(GroupId(id)),
            2 => Due::Repeat(GroupId(id)),
            3 => Due::Forget(GroupId(id)),
            _ => Due::Silence,
        };
        Timer { at: Timestamp(at), rule, key: key(id), due }
    }

    fn owner(due: Due) -> Option<Key> {
        match due {
            Due::Deadline(id) => Some(key(id.0)),
            Due::Held(id) | Due::Repeat(id) | Due::Forget(id) => Some(key(id.0)),
            _ => None,
        }
    }

    proptest! {
        /// Against a plain set of whole timers.
        #[test]
        fn they_fire_by_time_rule_and_key_also_those_set_while_others_fire(
            steps in prop::collection::vec((0i64..6, 0u32..3, 0u8..5, 0u64..9, 0usize..4), 1..80),
        ) {
            let (mut timers, mut plain, mut now) = (Timers::default(), BTreeSet::new(), 0);
            for (ahead, rule, kind, id, pops) in steps {
                let timer = timer(now + ahead, rule, kind, id);
                timers.set(timer.clone());
                plain.insert(timer);
                now += ahead % 2;
                for _ in 0..pops {
                    let first = plain.first().filter(|first| first.at <= Timestamp(now)).cloned();
                    first.iter().for_each(|first| _ = plain.remove(first));
                    prop_assert_eq!(timers.pop(Timestamp(now), owner), first);
                }
                prop_assert_eq!(timers.next(), plain.first().map(|first| first.at));
            }
        }
    }

    #[test]
    fn what_is_gone_falls_due_no_more() {
        let mut timers = Timers::default();
        timers.set(timer(1, 0, 0, 1));
        timers.set(timer(2, 0, 1, 2));
        let left = |due| owner(due).filter(|_| due != Due::Deadline(IncidentId(1)));
        assert_eq!(timers.pop(Timestamp(5), left), Some(timer(2, 0, 1, 2)));
        assert_eq!((timers.pop(Timestamp(5), left), timers.next()), (None, None));
    }
}
