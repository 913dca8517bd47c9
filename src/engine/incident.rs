//! An incident's life: begun, firing, worse, over. Pure.

use std::sync::Arc;
use std::time::Duration;

use crate::model::catalogue::Unit;
use crate::model::{
    Catalogue, Cause, Distinct, Event, EventKind, Incident, IncidentId, Key, RuleOutcome, Severity, State, TallyId,
    Timestamp, Trouble,
};
use crate::rules::{Measure, Rule};

use super::audience::group_key;
use super::effect::Transition;
use super::report::{Finding, Report};
use super::timers::{Due, Timer};
use super::{Engine, NO_RULE};

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
        match (rule.lasting, rule.grace) {
            (Some(_), _) => self.wait(finding.place, super::pending::lasting(incident, report)),
            (None, Some(grace)) => {
                self.wait(finding.place, Incident { deadline: Some(report.received + grace), ..incident })
            }
            (None, None) => self.fire(finding.place, incident),
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
        let rules = Arc::clone(&self.rules);
        let rule = &rules.rules[finding.place as usize];
        let mut incident = self.blank(rule, finding.key.clone(), severity);
        incident.since = finding.reading.since.min(report.time);
        absorb(&mut incident, report.event, finding.amount, matched);
        renew(&mut incident, report);
        // What the window held before this report belongs to it too.
        incident.reports = incident.reports.max(finding.reading.reports);
        match rule.measure {
            Measure::Count | Measure::Reports => incident.count = incident.count.max(finding.reading.sum),
            Measure::Distinct(_) => measure(&mut incident, rule, finding),
        }
        let group = group_key(rule, &incident);
        incident.group_key = Some(group).filter(|group| *group != incident.key).map(Box::new);
        incident
    }

    /// An incident of a rule that nothing is known of yet.
    pub(super) fn blank(&self, rule: &Rule, key: Key, severity: Severity) -> Incident {
        Incident {
            id: self.next_incident,
            rule: Arc::clone(&rule.name),
            on: rule.on,
            silence: None,
            distinct: None,
            key,
            group_key: None,
            labels: Arc::clone(&rule.labels),
            annotations: Arc::clone(&rule.annotations),
            group: None,
            state: State::Firing,
            cause: None,
            severity,
            since: self.now,
            opened_at: self.now,
            resolved_at: None,
            last_at: self.now,
            last_received: self.now,
            deadline: None,
            reports: 0,
            count: 0,
            troubles: Vec::new(),
            end: None,
            session: None,
            user_ip: None,
            appid: None,
            flaps: 0,
            back: 0,
            notify: Arc::default(),
            ack: None,
            muted_until: None,
            inhibited_by: None,
            missed_in: TallyId::default(),
            seq: self.seq,
        }
    }

    /// Makes an incident fire: the remembered one of the same key if it is young enough, else a new one.
    pub(super) fn fire(&mut self, place: u32, found: Incident) -> RuleOutcome {
        let rules = Arc::clone(&self.rules);
        let rule = &rules.rules[place as usize];
        let deadline = match waits_for_word(&found) {
            true => self.now + NO_WORD,
            false => found.last_received.max(self.now) + rule.resolve_after,
        };
        let open = self.cells.get(found.group_key()).and_then(|cell| cell.group);
        let known = self.cells.get(&found.key).and_then(|cell| cell.incident(place));
        let earlier = known.and_then(|id| self.incidents.get(&id)).filter(|i| {
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
                self.inhibit_targets(id, place);
                RuleOutcome::Reopened
            }
            None => {
                let id = found.id;
                let incident =
                    Incident { state: State::Firing, opened_at: self.now, deadline: Some(deadline), ..found };
                self.firing += 1;
                self.add(place, incident);
                self.announce(id, Transition::Opened);
                self.inhibit_targets(id, place);
                RuleOutcome::Opened
            }
        }
    }

    /// Puts a new incident where it belongs and uses up its number.
    pub(super) fn add(&mut self, place: u32, incident: Incident) {
        let id = incident.id;
        self.next_incident = IncidentId(self.next_incident.0.max(id.0 + 1));
        self.dirty_counters = true;
        self.dirty_incidents.insert(id);
        if let Some(deadline) = incident.deadline {
            let key = incident.key.clone();
            self.timers.set(Timer { at: deadline, rule: place, key, due: Due::Deadline(id) });
        }
        self.cell(&incident.key.clone()).add(place, id);
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
            incident.ack = None;
        }
        self.announce(id, Transition::Escalated);
    }

    /// An incident's deadline timer fired; the deadline itself may have moved on since.
    pub(super) fn deadline(&mut self, id: IncidentId, timer: Timer) {
        let Some(incident) = self.incidents.get(&id) else { return };
        match (incident.state, incident.deadline) {
            (State::Pending | State::Firing, Some(at)) if at > timer.at => self.timers.set(Timer { at, ..timer }),
            (State::Pending, Some(_)) if timer.rule == NO_RULE => self.resolve(id, Cause::RuleRemoved),
            (State::Pending, Some(_)) => self.pending_due(id, timer.rule),
            (State::Firing, Some(_)) if waits_for_word(incident) => self.resolve(id, Cause::NoWord),
            (State::Firing, Some(_)) => self.resolve(id, Cause::Quiet),
            _ => {}
        }
    }

    /// Takes an incident out of memory and of its cell.
    pub(super) fn take(&mut self, id: IncidentId) -> Option<Incident> {
        let incident = self.incidents.remove(&id)?;
        if let Some(cell) = self.cells.get_mut(&incident.key) {
            cell.remove(id);
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
        let (key, group) = (incident.key.clone(), incident.group_key().clone());
        let given_up = incident.silence.is_some() && cause != Cause::Heard;
        let place = self.places.get(&incident.rule).copied();
        self.dirty_incidents.insert(id);
        if let (true, Some(place)) = (given_up, place) {
            self.drop_watch(place, &key);
        }
        match before {
            State::Firing => {
                self.firing -= 1;
                self.miss(id);
                let told = self.settle(&group, Some(id));
                self.effect(Transition::Resolved(cause), id, told);
                if let Some(place) = place {
                    self.free_targets(id, place);
                }
            }
            State::Pending => {
                self.pending -= 1;
                self.unwait(id);
                if let Some(cell) = self.cells.get_mut(&key) {
                    cell.remove(id);
                }
                self.settle(&group, None);
            }
            State::Resolved => {}
        }
    }

    /// Rules were changed: whatever was found by one that is gone, or that judges something else now, is over.
    pub(super) fn resolve_orphans(&mut self) {
        let rules = Arc::clone(&self.rules);
        let at_home = |incident: &Incident| {
            let rule = self.places.get(&incident.rule).map(|place| &rules.rules[*place as usize]);
            rule.is_some_and(|rule| {
                let silent = rule.silence.is_some() == incident.silence.is_some();
                rule.on == incident.on && Some(rule.per) == incident.key.scope() && silent
            })
        };
        let open = self.incidents.values().filter(|incident| incident.state != State::Resolved);
        let mut orphans: Vec<IncidentId> = open.filter(|incident| !at_home(incident)).map(|i| i.id).collect();
        orphans.sort_unstable();
        for id in orphans {
            self.resolve(id, Cause::RuleRemoved);
        }
    }

    /// Says what was decided; `notify` are the channels in which people are notified.
    pub(super) fn effect(&mut self, is: Transition, id: IncidentId, notify: Vec<crate::model::ChannelName>) {
        let Some(incident) = self.incidents.get(&id) else { return };
        self.effects.push(super::Effect {
            at: self.now,
            is,
            incident: id,
            group: incident.group.unwrap_or_default(),
            rule: Arc::clone(&incident.rule),
            key: incident.key.clone(),
            severity: incident.severity,
            notify,
        });
    }
}

/// Whether silence says nothing about it: it is over only when something is heard.
pub(super) fn waits_for_word(incident: &Incident) -> bool {
    let of_a_push = matches!(incident.key, Key::Stream(_) | Key::Session(_));
    incident.silence.is_some() || incident.on == EventKind::PushEnd || (incident.on.is_state() && of_a_push)
}

/// Takes over what the window measures besides counts.
pub(super) fn measure(incident: &mut Incident, rule: &Rule, finding: &Finding) {
    if let Measure::Distinct(of) = rule.measure {
        let before = incident.distinct.as_ref().map_or(0, |distinct| distinct.number);
        incident.distinct = Some(Box::new(Distinct { of, number: before.max(finding.reading.sum) }));
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
                incident.troubles.reserve_exact(1);
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
    if event.errcode.is_some() || event.errmsg.is_some() || event.push_duration.is_some() {
        let end = incident.end.get_or_insert_default();
        newer(&mut end.errmsg, &event.errmsg);
        end.errcode = event.errcode.or(end.errcode);
        end.push_duration = event.push_duration.or(end.push_duration);
    }
}

/// The same trouble again: the old incident goes on with the new report's facts, and counts a flap.
fn reopen(incident: &mut Incident, found: Incident, deadline: Timestamp) {
    incident.state = State::Firing;
    incident.cause = None;
    incident.resolved_at = None;
    incident.deadline = Some(deadline);
    incident.flaps = incident.flaps.saturating_add(1);
    incident.severity = found.severity;
    incident.ack = None;
    incident.back = 0;
    incident.distinct = found.distinct.or(incident.distinct.take());
    incident.last_at = found.last_at;
    incident.last_received = found.last_received;
    incident.reports = incident.reports.saturating_add(found.reports);
    incident.count = incident.count.saturating_add(found.count);
    incident.session = found.session.or(incident.session.take());
    incident.user_ip = found.user_ip.or(incident.user_ip.take());
    if let Some(found) = found.end {
        let end = incident.end.get_or_insert_default();
        end.errcode = found.errcode.or(end.errcode);
        end.errmsg = found.errmsg.or(end.errmsg.take());
        end.push_duration = found.push_duration.or(end.push_duration);
    }
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
