//! What waits before it fires: a push's end for a reconnect (`grace`), a trouble for its persistence (`for`). Pure.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Cause, Incident, IncidentId, RuleOutcome, State};

use super::Engine;
use super::judge::level;
use super::report::{Finding, Report};
use super::sessions::Standing;

/// Gaps of this many report intervals end a pending `for`.
const GAP: u32 = 3;

/// How often push errors are reported where the callback does not say: the documented sample's 5 s.
const INTERVAL: Duration = Duration::from_secs(5);

/// Longest interval believed: a hostile callback must not keep something pending for ever.
const LONGEST_INTERVAL: Duration = Duration::from_secs(300);

/// A trouble that has to last: from its first report on, it lapses after a gap.
pub(super) fn lasting(incident: Incident, report: &Report<'_>) -> Incident {
    Incident { since: report.time, deadline: Some(report.received + gap(report)), ..incident }
}

fn gap(report: &Report<'_>) -> Duration {
    let interval = report.event.report_interval.map(|ms| Duration::from_millis(ms.into()));
    let interval = interval.filter(|interval| !interval.is_zero()).unwrap_or(INTERVAL);
    interval.min(LONGEST_INTERVAL) * GAP
}

impl Engine {
    /// Makes an incident wait until its deadline.
    pub(super) fn wait(&mut self, place: u32, incident: Incident) -> RuleOutcome {
        let pending = Incident { state: State::Pending, ..incident };
        let group = pending.group_key().clone();
        let graceful = self.rules.rules[place as usize].lasting.is_none();
        self.add(place, pending);
        self.pending += 1;
        if graceful {
            // What waits for a reconnect keeps the message of its group open: no all-clear before the alarm.
            self.cell(&group).waiting += 1;
        }
        RuleOutcome::Pending
    }

    /// An incident waits no more.
    pub(super) fn unwait(&mut self, id: IncidentId) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let rule = self.places.get(&incident.rule).map(|place| &self.rules.rules[*place as usize]);
        // Of a rule that is gone the wait was not counted either: see `load`.
        if rule.is_some_and(|rule| rule.lasting.is_none())
            && let Some(cell) = self.cells.get_mut(&incident.group_key().clone())
        {
            cell.waiting = cell.waiting.saturating_sub(1);
        }
    }

    /// Adds a report to what has to last. Returns whether it has lasted long enough.
    pub(super) fn endure(
        &mut self,
        id: IncidentId,
        report: &Report<'_>,
        finding: &Finding,
        matched: &[(usize, u64)],
    ) -> bool {
        let rules = Arc::clone(&self.rules);
        let rule = &rules.rules[finding.place as usize];
        let (seq, now) = (self.seq, self.now);
        let (Some(lasting), Some(severity)) = (rule.lasting, level(&rules, report.event, finding, matched)) else {
            return false;
        };
        let Some(incident) = self.incidents.get_mut(&id) else { return false };
        let late = !finding.reading.newest || report.time < incident.last_at;
        if report.standing == Standing::Ended || late {
            return false;
        }
        super::incident::absorb(incident, report.event, finding.amount, matched);
        super::incident::measure(incident, rule, finding);
        super::incident::renew(incident, report);
        incident.severity = incident.severity.max(severity);
        incident.deadline = Some(report.received + gap(report));
        incident.seq = seq;
        let enough = report.time >= incident.since + lasting;
        self.touch(id, now);
        enough
    }

    /// A pending incident's time is up: without a reconnect it fires, without reports it lapses.
    pub(super) fn pending_due(&mut self, id: IncidentId, place: u32) {
        match self.rules.rules.get(place as usize).map(|rule| rule.lasting) {
            Some(None) => _ = self.wait_over(id, place),
            Some(Some(_)) | None => self.resolve(id, Cause::Quiet),
        }
    }

    /// What waited fires.
    pub(super) fn wait_over(&mut self, id: IncidentId, place: u32) -> RuleOutcome {
        self.pending -= 1;
        self.unwait(id);
        let Some(mut found) = self.take(id) else { return RuleOutcome::Pending };
        found.state = State::Firing;
        // Reports that came while it waited were looked at, and added or not: a replay must not add them again.
        found.seq = self.seq;
        let outcome = self.fire(place, found.clone());
        if outcome == RuleOutcome::Reopened {
            // The old incident took it over; what waited is closed under its own number.
            let closed = Incident {
                state: State::Resolved,
                cause: Some(Cause::Reconnected),
                resolved_at: Some(self.now),
                deadline: None,
                ..found
            };
            self.incidents.insert(id, closed);
            self.dirty_incidents.insert(id);
        }
        outcome
    }
}
