//! What the engine keeps of one stream: its sessions, windows, and which incidents and group are its own. Pure.

use crate::model::{GroupId, IncidentId, Timestamp};
use crate::rules::Rule;

use super::sessions::Sessions;
use super::window::Window;

/// One stream. Small, as there may be a million: everything that most streams don't need is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    pub(super) sessions: Sessions,
    /// Windows by place of the rule.
    windows: Vec<(u32, Window)>,
    /// Incidents by place of the rule, oldest first: open ones, and resolved ones that are still remembered.
    pub(super) incidents: Vec<(u32, IncidentId)>,
    /// The open group.
    pub(super) group: Option<GroupId>,
    /// When rate limit buckets that were used are full again, by place of the rule whose bucket it is
    /// ([`NO_RULE`](super::timers::NO_RULE) for the stream's own).
    pub(super) full_at: Vec<(u32, Timestamp)>,
}

impl Cell {
    /// The window of a rule, made if need be.
    pub(super) fn window(&mut self, place: u32) -> &mut Window {
        let at = match self.windows.iter().position(|(p, _)| *p == place) {
            Some(at) => at,
            None => {
                self.windows.reserve_exact(1);
                self.windows.push((place, Window::default()));
                self.windows.len() - 1
            }
        };
        &mut self.windows[at].1
    }

    /// Notes an incident of a rule, in the order of the numbers.
    pub(super) fn add(&mut self, place: u32, id: IncidentId) {
        let at = self.incidents.partition_point(|(_, other)| *other < id);
        self.incidents.insert(at, (place, id));
    }

    /// The newest incident of a rule.
    pub(super) fn incident(&self, place: u32) -> Option<IncidentId> {
        self.incidents.iter().rev().find(|(p, _)| *p == place).map(|(_, id)| *id)
    }

    /// Forgets what has no bearing any more; returns whether the durable part changed.
    pub(super) fn prune(&mut self, now: Timestamp, rules: &[Rule]) -> bool {
        self.windows.retain(|(place, window)| match rules.get(*place as usize) {
            Some(rule) => !window.is_idle(now, rule.within.unwrap_or_default()),
            None => false,
        });
        self.windows.shrink_to_fit();
        let buckets = self.full_at.len();
        self.full_at.retain(|(_, at)| *at > now);
        let refilled = self.full_at.len() != buckets;
        self.sessions.prune(now) || refilled
    }

    /// Whether nothing is left to keep.
    pub(super) fn is_idle(&self) -> bool {
        self.sessions.is_empty()
            && self.windows.is_empty()
            && self.incidents.is_empty()
            && self.group.is_none()
            && self.full_at.is_empty()
    }
}
