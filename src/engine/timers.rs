//! What falls due when, in one fixed order: by due time, then rule, then key. Pure.

use std::collections::BTreeSet;

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
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    set: BTreeSet<Timer>,
}

impl Timers {
    /// Sets a timer.
    pub(super) fn set(&mut self, timer: Timer) {
        self.set.insert(timer);
    }

    /// Takes the first timer that is due.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<Timer> {
        match self.set.first() {
            Some(first) if first.at <= now => self.set.pop_first(),
            Some(_) | None => None,
        }
    }

    /// When the next one falls due.
    #[must_use]
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.set.first().map(|timer| timer.at)
    }
}
