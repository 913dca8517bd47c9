//! An incident's life: begun, perhaps waiting, firing, worse, over. Pure.

use std::sync::Arc;
use std::time::Duration;

use crate::model::catalogue::Unit;
use crate::model::{
    Catalogue, Cause, Event, EventKind, Incident, IncidentId, RuleOutcome, Severity, State, Timestamp, Trouble,
};

use super::Engine;
use super::effect::Transition;
use super::report::{Finding, Report};
use super::timers::{Due, NO_RULE, Timer};

/// A state of which nothing was heard for this long is closed as "no word since".
const NO_WORD: Duration = Duration::from_secs(24 * 3600);

/// Abnormal types kept per incident; more are only summed up.
const MAX_TROUBLES: usize = 32;

impl Engine {
    /// A rule's threshold is met and nothing is open: a new incident, or the old one again.
    pub(super) fn begin(
        &mut self,
        report: &Report<'_>,
        finding: &Finding,
        matched: &[(usize, u64)],
        severity: Severity,
    ) -> RuleOutcome {
        let rules = Arc::clone(&self.rules);
        let rule = &rules.rules[finding.place as usize];
        let incident = self.first(report, finding, matched, severity);
        match rule.grace {
            Some(grace) => {
                let pending = Incident { state: State::Pending, deadline: Some(report.received + grace), ..incident };
                self.add(finding.place, pending);
                self.pending += 1;
                RuleOutcome::Pending
            }
            None => self.fire(finding.place, incident),
        }
    }

    /// The incident as its first report makes it.
    fn first(
        &mut self,
        report: &Report<'_>,
        finding: &Finding,
        matched: &[(usize, u64)],
        severity: Severity,
    ) -> Incident {
        let event = report.event;
        let mut incident = Incident {
            id: self.next_incident,
            rule: Arc::clone(&self.rules.rules[finding.place as usize].name),
            on: event.kind,
            silence: None,
            key: report.key.clone(),
            group_key: None,
            labels: Default::default(),
            annotations: Default::default(),
            group: None,
            state: State::Firing,
            cause: None,
            severity,
            since: finding.reading.since.min(report.time),
            opened_at: self.now,
            resolved_at: None,
            last_at: report.time,
            last_received: report.received,
            deadline: None,
            reports: 0,
            count: 0,
            troubles: Vec::new(),
            errcode: None,
            errmsg: None,
            push_duration: None,
            session: None,
            user_ip: None,
            appid: None,
            flaps: 0,
            notify: Vec::new(),
            ack: None,
            muted_until: None,
            inhibited_by: None,
            distinct: None,
            seq: self.seq,
        };
        absorb(&mut incident, event, finding.amount, matched);
        renew(&mut incident, report);
        // What the window held before this report belongs to it too.
        incident.count = incident.count.max(finding.reading.sum);
        incident.reports = incident.reports.max(finding.reading.reports);
        incident
    }

    /// Makes an incident fire: the remembered one of the same key if it is young enough, else a new one.
    fn fire(&mut self, place: u32, found: Incident) -> RuleOutcome {
        let rules = Arc::clone(&self.rules);
        let rule = &rules.rules[place as usize];
        let deadline = match found.on {
            EventKind::PushEnd => self.now + NO_WORD,
            _ => found.last_received.max(self.now) + rule.resolve_after,
        };
        let cell = self.cells.get(&found.key);
        let open = cell.and_then(|cell| cell.group);
        let earlier = cell.and_then(|cell| cell.incident(place)).and_then(|id| self.incidents.get(&id)).filter(|i| {
            let young = i.resolved_at.is_some_and(|over| self.now < over + rule.reopen_within);
            // Its own message may still have to say that it was over: it can't be taken out of that into another.
            let at_home = i.group.is_some() && (open.is_none() || open == i.group);
            i.state == State::Resolved && i.cause != Some(Cause::RuleRemoved) && young && at_home
        });
        match earlier.map(|i| i.id) {
            Some(id) => {
                self.firing += 1;
                if let Some(incident) = self.incidents.get_mut(&id) {
                    reopen(incident, found, deadline);
                }
                self.set_deadline(id, place, deadline);
                self.announce(id, Transition::Reopened);
                RuleOutcome::Reopened
            }
            None => {
                let id = found.id;
                let incident =
                    Incident { state: State::Firing, opened_at: self.now, deadline: Some(deadline), ..found };
                self.firing += 1;
                self.add(place, incident);
                self.announce(id, Transition::Opened);
                RuleOutcome::Opened
            }
        }
    }

    /// Puts a new incident where it belongs and uses up its number.
    fn add(&mut self, place: u32, incident: Incident) {
        let id = incident.id;
        self.next_incident = IncidentId(self.next_incident.0.max(id.0 + 1));
        self.dirty_counters = true;
        self.dirty_incidents.insert(id);
        if let Some(deadline) = incident.deadline {
            self.timers.set(Timer { at: deadline, rule: place, key: incident.key.clone(), due: Due::Deadline(id) });
        }
        self.cell(&incident.key).add(place, id);
        self.incidents.insert(id, incident);
    }

    fn set_deadline(&mut self, id: IncidentId, place: u32, at: Timestamp) {
        if let Some(incident) = self.incidents.get(&id) {
            self.timers.set(Timer { at, rule: place, key: incident.key.clone(), due: Due::Deadline(id) });
        }
    }

    /// An incident grew worse.
    pub(super) fn escalate(&mut self, id: IncidentId, severity: Severity) {
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.severity = severity;
        }
        self.announce(id, Transition::Escalated);
    }

    /// An incident's deadline timer fired; the deadline itself may have moved on since.
    pub(super) fn deadline(&mut self, id: IncidentId, timer: Timer) {
        let Some(incident) = self.incidents.get(&id) else { return };
        match (incident.state, incident.deadline) {
            (State::Pending | State::Firing, Some(at)) if at > timer.at => self.timers.set(Timer { at, ..timer }),
            (State::Pending, Some(_)) if timer.rule == NO_RULE => self.resolve(id, Cause::RuleRemoved),
            (State::Pending, Some(_)) => self.grace_over(id, timer.rule),
            (State::Firing, Some(_)) if incident.on == EventKind::PushEnd => self.resolve(id, Cause::NoWord),
            (State::Firing, Some(_)) => self.resolve(id, Cause::Quiet),
            _ => {}
        }
    }

    /// Nobody came back within the grace: what waited fires.
    fn grace_over(&mut self, id: IncidentId, place: u32) {
        self.pending -= 1;
        let Some(mut found) = self.take(id) else { return };
        found.state = State::Firing;
        // Reports that came while it waited were looked at and not added: a replay must not add them either.
        found.seq = self.seq;
        if self.fire(place, found.clone()) == RuleOutcome::Reopened {
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
    }

    /// Takes an incident out of memory and of its stream.
    fn take(&mut self, id: IncidentId) -> Option<Incident> {
        let incident = self.incidents.remove(&id)?;
        if let Some(cell) = self.cells.get_mut(&incident.key) {
            cell.incidents.retain(|(_, other)| *other != id);
        }
        Some(incident)
    }

    /// An incident is over. One that was only waiting is closed without a word.
    pub(super) fn resolve(&mut self, id: IncidentId, cause: Cause) {
        let (now, seq) = (self.now, self.seq);
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let before = incident.state;
        incident.state = State::Resolved;
        incident.cause = Some(cause);
        incident.resolved_at = Some(now);
        incident.deadline = None;
        incident.seq = seq;
        let key = incident.key.clone();
        self.dirty_incidents.insert(id);
        match before {
            State::Firing => {
                self.firing -= 1;
                self.effect(Transition::Resolved(cause), id, Vec::new());
                self.settle(&key, Some(id));
            }
            State::Pending => {
                self.pending -= 1;
                if let Some(cell) = self.cells.get_mut(&key) {
                    cell.incidents.retain(|(_, other)| *other != id);
                }
                self.settle(&key, None);
            }
            State::Resolved => {}
        }
    }
}

/// Adds a report's occurrences to an incident's sums.
pub(super) fn absorb(incident: &mut Incident, event: &Event, amount: u64, matched: &[(usize, u64)]) {
    incident.reports = incident.reports.saturating_add(1);
    incident.count = incident.count.saturating_add(amount);
    for (at, amount) in matched {
        let Some(abnormal) = event.abnormal.get(*at) else { continue };
        let place = match incident.troubles.binary_search_by_key(&abnormal.kind, |t| t.kind) {
            Ok(place) => place,
            Err(_) if incident.troubles.len() >= MAX_TROUBLES => continue,
            Err(place) => {
                let fresh = Trouble { kind: abnormal.kind, count: 0, last: None, worst: None, text: None };
                incident.troubles.insert(place, fresh);
                place
            }
        };
        let trouble = &mut incident.troubles[place];
        trouble.count = trouble.count.saturating_add(*amount);
        if trouble.text.is_none() {
            trouble.text.clone_from(&abnormal.text);
        }
        for value in abnormal.details.iter().filter_map(|detail| detail.value) {
            trouble.last = Some(value);
            trouble.worst = Some(match (trouble.worst, Catalogue::unit(abnormal.kind)) {
                (None, _) => value,
                (Some(worst), Some(Unit::Fps)) => worst.min(value),
                (Some(worst), _) => worst.max(value),
            });
        }
    }
}

/// Takes over what the newest report says of the push.
pub(super) fn renew(incident: &mut Incident, report: &Report<'_>) {
    let event = report.event;
    incident.last_at = report.time;
    incident.last_received = report.received;
    let newer = |field: &mut Option<Box<str>>, value: &Option<Box<str>>| {
        if value.is_some() && field != value {
            field.clone_from(value);
        }
    };
    newer(&mut incident.session, &event.session);
    newer(&mut incident.user_ip, &event.user_ip);
    newer(&mut incident.appid, &event.appid);
    newer(&mut incident.errmsg, &event.errmsg);
    incident.errcode = event.errcode.or(incident.errcode);
    incident.push_duration = event.push_duration.or(incident.push_duration);
}

/// The same trouble again: the old incident goes on with the new report's facts, and counts a flap.
fn reopen(incident: &mut Incident, found: Incident, deadline: Timestamp) {
    incident.state = State::Firing;
    incident.cause = None;
    incident.resolved_at = None;
    incident.deadline = Some(deadline);
    incident.flaps = incident.flaps.saturating_add(1);
    incident.severity = found.severity;
    incident.last_at = found.last_at;
    incident.last_received = found.last_received;
    incident.reports = incident.reports.saturating_add(found.reports);
    incident.count = incident.count.saturating_add(found.count);
    incident.session = found.session.or(incident.session.take());
    incident.user_ip = found.user_ip.or(incident.user_ip.take());
    incident.errcode = found.errcode.or(incident.errcode);
    incident.errmsg = found.errmsg.or(incident.errmsg.take());
    incident.push_duration = found.push_duration.or(incident.push_duration);
    incident.seq = found.seq;
    for trouble in found.troubles {
        match incident.troubles.binary_search_by_key(&trouble.kind, |t| t.kind) {
            Ok(place) => {
                let old = &mut incident.troubles[place];
                old.count = old.count.saturating_add(trouble.count);
                old.last = trouble.last.or(old.last);
                old.worst = match (old.worst, trouble.worst, Catalogue::unit(trouble.kind)) {
                    (Some(a), Some(b), Some(Unit::Fps)) => Some(a.min(b)),
                    (Some(a), Some(b), _) => Some(a.max(b)),
                    (a, b, _) => a.or(b),
                };
            }
            Err(place) => incident.troubles.insert(place, trouble),
        }
    }
}
