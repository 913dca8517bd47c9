//! What the engine keeps of one key: a stream's sessions, windows, and which incidents and group are its own. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thin_vec::ThinVec;

use crate::model::{GroupId, IncidentId, Timestamp};
use crate::rules::{Measure, Rule};

use super::distinct::Distinct;
use super::sessions::Sessions;
use super::slots::{SLOTS, Slots};
use super::window::{Reading, Width, Window};

/// One key. Small, as there may be a million: everything that most streams don't need is empty, and a pointer wide.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    pub(super) sessions: Sessions,
    /// Windows by place of the rule.
    windows: Vec<(u32, Counter)>,
    /// Incidents by place of the rule, oldest first: open ones, and resolved ones that are still remembered.
    pub(super) incidents: Vec<(u32, IncidentId)>,
    /// The open group of this key.
    pub(super) group: Option<GroupId>,
    /// Incidents of this group key that wait for their grace to pass.
    pub(super) waiting: u32,
    /// When rate limit buckets that were used are full again, by place of the rule whose bucket it is
    /// ([`NO_RULE`](super::timers::NO_RULE) for the one over all rules).
    pub(super) full_at: ThinVec<(u32, Timestamp)>,
    /// What rules on silence have heard, by place of the rule.
    pub(super) watches: ThinVec<(u32, Watch)>,
    /// Rules that count ends of pushes of many streams, by place, and the time of the end by which each of them counts
    /// this stream as down.
    pub(super) downs: ThinVec<(u32, Timestamp)>,
}

/// Nobody asks for an end older than this: no window is wider than three days, and no incident of ends lasts longer than
/// one.
const DOWN_MEMORY: Duration = Duration::from_secs(5 * 24 * 3600);

/// A rule's window, by what it measures.
#[derive(Clone, Debug)]
enum Counter {
    Sum(Window),
    /// A sum so high that reports can't be kept one by one.
    High(Slots),
    Distinct(Distinct),
}

/// What a rule on silence has heard of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watch {
    /// When it last heard (our time), moved by the times in which nobody listened.
    pub(super) last: Timestamp,
    /// How often in a row without a gap, up to what counts as steady.
    pub(super) heard: u32,
    /// `last` as it was written.
    #[serde(skip)]
    pub(super) written: Timestamp,
}

/// What a report adds to a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    pub(super) time: Timestamp,
    pub(super) received: Timestamp,
    /// The sum to add, or the hash of the value seen.
    pub(super) of: u64,
}

impl Cell {
    /// Adds to the window of a rule, made if need be, and reads it.
    pub(super) fn observe(&mut self, place: u32, measure: Measure, amount: Amount, width: Width) -> Reading {
        let at = match self.windows.iter().position(|(p, _)| *p == place) {
            Some(at) => at,
            None => {
                let counter = match measure {
                    Measure::Count | Measure::Reports if width.cap > SLOTS => Counter::High(Slots::default()),
                    Measure::Count | Measure::Reports => Counter::Sum(Window::default()),
                    Measure::Distinct(_) => Counter::Distinct(Distinct::default()),
                };
                self.windows.reserve_exact(1);
                self.windows.push((place, counter));
                self.windows.len() - 1
            }
        };
        let Amount { time, received, of } = amount;
        match &mut self.windows[at].1 {
            Counter::Sum(window) => window.observe(time, received, of, width),
            Counter::High(slots) => slots.observe(time, received, of, width),
            Counter::Distinct(window) => window.observe(time, received, of, width),
        }
    }

    /// Notes an incident of a rule, in the order of the numbers.
    pub(super) fn add(&mut self, place: u32, id: IncidentId) {
        let at = self.incidents.partition_point(|(_, other)| *other < id);
        self.incidents.reserve_exact(1);
        self.incidents.insert(at, (place, id));
    }

    /// Forgets an incident.
    pub(super) fn remove(&mut self, id: IncidentId) {
        self.incidents.retain(|(_, other)| *other != id);
        self.incidents.shrink_to_fit();
    }

    /// The newest incident of a rule.
    pub(super) fn incident(&self, place: u32) -> Option<IncidentId> {
        self.incidents.iter().rev().find(|(p, _)| *p == place).map(|(_, id)| *id)
    }

    /// Forgets what has no bearing any more, pushes that ended after this long; returns whether the durable part changed.
    pub(super) fn prune(&mut self, now: Timestamp, rules: &[Rule], pushes: Duration) -> bool {
        self.windows.retain(|(place, counter)| match (rules.get(*place as usize), counter) {
            (Some(rule), Counter::Sum(window)) => !window.is_idle(now, rule.within.unwrap_or_default()),
            (Some(rule), Counter::High(slots)) => !slots.is_idle(now, rule.within.unwrap_or_default()),
            (Some(rule), Counter::Distinct(window)) => !window.is_idle(now, rule.within.unwrap_or_default()),
            (None, _) => false,
        });
        self.windows.shrink_to_fit();
        let buckets = self.full_at.len();
        self.full_at.retain(|(_, at)| *at > now);
        let refilled = self.full_at.len() != buckets;
        let downs = self.downs.len();
        self.downs.retain(|(_, at)| *at + DOWN_MEMORY > now);
        let forgotten = self.downs.len() != downs;
        self.sessions.prune(now, pushes) || refilled || forgotten
    }

    /// Whether nothing is left to keep.
    pub(super) fn is_idle(&self) -> bool {
        self.sessions.is_empty()
            && self.windows.is_empty()
            && self.incidents.is_empty()
            && self.group.is_none()
            && self.waiting == 0
            && self.full_at.is_empty()
            && self.watches.is_empty()
            && self.downs.is_empty()
    }
}
