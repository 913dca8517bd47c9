//! One callback against the rules that listen to it: sessions, windows, then each rule's verdict. Pure.

use std::sync::Arc;

use crate::model::{Cause, Entry, Event, EventKind, IncidentId, Input, Key, RuleOutcome, Severity, State, Timestamp};
use crate::rules::{Matching, Plan, RuleSet};

use super::Engine;
use super::cell::Cell;
use super::effect::Transition;
use super::report::{Finding, Report};
use super::sessions::Standing;
use super::window::Width;

/// Working space of one step, kept to spare allocations.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    places: Vec<u32>,
    one: Vec<(usize, u64)>,
    matched: Vec<(usize, u64)>,
    findings: Vec<Finding>,
}

/// The sum at which a plan's highest level is reached: windows need be exact no further.
fn cap(plan: &Plan) -> u64 {
    match plan {
        Plan::Catalogue { count } => *count,
        Plan::Levels(levels) => levels.last().map_or(1, |(count, _)| *count),
    }
}

impl Engine {
    /// Rebuilds windows from an entry before the cursor, and adds to incidents what was not written yet. Nothing
    /// is decided anew.
    pub fn warm(&mut self, entry: &Entry) {
        let Input::Callback(event) = &entry.input else { return };
        let cursor = std::mem::replace(&mut self.seq, entry.seq);
        let key = Key::Stream(event.stream.clone());
        let standing = match self.cells.get(&key) {
            Some(cell) => cell.sessions.standing(event.session.as_deref(), entry.received_at),
            None => Standing::Open,
        };
        let received = entry.received_at;
        let report = Report { event, key, time: event.time(received), received, standing, other_live: false };
        let mut scratch = std::mem::take(&mut self.scratch);
        self.find(&report, &mut scratch, |_, _| {});
        for finding in &scratch.findings {
            let Some(id) = self.cells.get(&report.key).and_then(|cell| cell.incident(finding.place)) else {
                continue;
            };
            let unwritten = self.incidents.get(&id).is_some_and(|i| i.state == State::Firing && i.seq < entry.seq);
            if unwritten {
                self.prolong(id, &report, finding, &scratch.matched[finding.matched.clone()]);
            }
        }
        self.scratch = scratch;
        self.seq = cursor;
    }

    /// Takes a callback in.
    pub(super) fn take_in(&mut self, event: &Event, received: Timestamp) {
        let key = Key::Stream(event.stream.clone());
        let (standing, other_live) = self.track_session(&key, event, received);
        let report = Report { event, key, time: event.time(received), received, standing, other_live };
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut missed = std::mem::take(&mut self.tally);
        self.find(&report, &mut scratch, |place, outcome| count(&mut missed, place, outcome));
        self.tally = missed;
        for finding in &scratch.findings {
            let outcome = self.judge(&report, finding, &scratch.matched[finding.matched.clone()]);
            count(&mut self.tally, finding.place, outcome);
        }
        // After the verdicts: what this event opens or makes wait goes on in the same message.
        self.close_by_session(&report);
        self.scratch = scratch;
    }

    /// Notes what the event says about sessions: (standing before, another session is live).
    fn track_session(&mut self, key: &Key, event: &Event, received: Timestamp) -> (Standing, bool) {
        let session = event.session.as_deref();
        match event.kind {
            EventKind::PushBegin | EventKind::PushError => {
                let (standing, changed) = self.cell(key).sessions.heard(session, received);
                if changed {
                    self.dirty_cells.insert(key.clone());
                }
                (standing, false)
            }
            EventKind::PushEnd => {
                let cell = self.cell(key);
                let standing = cell.sessions.ended(session, received);
                let other_live = cell.sessions.any_live(received);
                // A replay must not take reports from before this end for late ones: write what they changed.
                let open: Vec<IncidentId> = cell.incidents.iter().map(|(_, id)| *id).collect();
                self.dirty_cells.insert(key.clone());
                self.dirty_incidents.extend(open.into_iter().filter(|id| self.touched_at.contains_key(id)));
                (standing, other_live)
            }
            _ => (Standing::Open, false),
        }
    }

    /// Runs conditions and windows of all rules that may match.
    fn find(&mut self, report: &Report<'_>, scratch: &mut Scratch, mut missed: impl FnMut(u32, RuleOutcome)) {
        scratch.findings.clear();
        scratch.matched.clear();
        self.index.candidates(report.event, &mut scratch.places);
        if scratch.places.is_empty() {
            return;
        }
        let rules = Arc::clone(&self.rules);
        let mut cell: Option<&mut Cell> = None;
        for place in &scratch.places {
            let rule = &rules.rules[*place as usize];
            scratch.one.clear();
            if rule.matches(report.event, report.received, &mut scratch.one) != Matching::Yes {
                missed(*place, RuleOutcome::NoMatch);
                continue;
            }
            let amount = match report.event.kind {
                EventKind::PushError => scratch.one.iter().fold(0u64, |sum, (_, n)| sum.saturating_add(*n)),
                _ => 1,
            };
            let from = scratch.matched.len();
            scratch.matched.extend_from_slice(&scratch.one);
            let width = Width { within: rule.within.unwrap_or_default(), cap: cap(&rule.plan) };
            if cell.is_none() {
                cell = Some(self.cell(&report.key));
            }
            let Some(cell) = cell.as_mut() else { continue };
            let reading = cell.window(*place).observe(report.time, report.received, amount, width);
            scratch.findings.push(Finding { place: *place, reading, amount, matched: from..scratch.matched.len() });
        }
    }

    /// What a begin, an end or a newer session's report says about incidents that are open, whatever the rules.
    fn close_by_session(&mut self, report: &Report<'_>) {
        if report.standing == Standing::Ended || report.other_live {
            return;
        }
        let over = match report.event.kind {
            EventKind::PushBegin | EventKind::PushError => EventKind::PushEnd,
            EventKind::PushEnd => EventKind::PushError,
            _ => return,
        };
        let Some(cell) = self.cells.get(&report.key) else { return };
        let mut ids: Vec<IncidentId> = cell.incidents.iter().map(|(_, id)| *id).collect();
        ids.retain(|id| match self.incidents.get(id) {
            // A report that names no session can't be told from a late one but by its time.
            Some(i) if report.event.session.is_none() && report.time <= i.last_at => false,
            Some(i) => i.on == over && i.state != State::Resolved,
            None => false,
        });
        let cause = match over {
            EventKind::PushEnd => Cause::Reconnected,
            _ => Cause::Ended,
        };
        for id in ids {
            self.resolve(id, cause);
        }
    }

    /// One rule's verdict.
    fn judge(&mut self, report: &Report<'_>, finding: &Finding, matched: &[(usize, u64)]) -> RuleOutcome {
        let rules = Arc::clone(&self.rules);
        let known = self.cells.get(&report.key).and_then(|cell| cell.incident(finding.place));
        let incident = known.and_then(|id| self.incidents.get(&id));
        let late = !finding.reading.newest || incident.is_some_and(|i| report.time < i.last_at);
        let standing = match report.standing {
            Standing::Ended => Some(RuleOutcome::EndedSession),
            Standing::Open if report.other_live => Some(RuleOutcome::OtherSessionLive),
            Standing::Open if late => Some(RuleOutcome::Late),
            Standing::Open => None,
        };
        match (incident.map(|i| (i.id, i.state, i.severity)), standing) {
            (Some((id, State::Firing, severity)), standing) => {
                self.prolong(id, report, finding, matched);
                match (standing, level(&rules, report.event, finding, matched)) {
                    (Some(outcome), _) => outcome,
                    (None, Some(now)) if now > severity => {
                        self.escalate(id, now);
                        RuleOutcome::Escalated
                    }
                    (None, _) => RuleOutcome::Prolonged,
                }
            }
            (_, Some(outcome)) => outcome,
            (Some((_, State::Pending, _)), None) => RuleOutcome::Pending,
            (Some((_, State::Resolved, _)) | None, None) => {
                let Some(severity) = level(&rules, report.event, finding, matched) else { return RuleOutcome::Counted };
                self.begin(report, finding, matched, severity)
            }
        }
    }

    /// Adds a report to a firing incident. A late one, or one of a session that has ended, only adds to the sums.
    fn prolong(&mut self, id: IncidentId, report: &Report<'_>, finding: &Finding, matched: &[(usize, u64)]) {
        let rules = Arc::clone(&self.rules);
        let rule = &rules.rules[finding.place as usize];
        let meets = level(&rules, report.event, finding, matched).is_some();
        let (seq, now) = (self.seq, self.now);
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        super::incident::absorb(incident, report.event, finding.amount, matched);
        incident.seq = seq;
        let newest = finding.reading.newest && report.time >= incident.last_at;
        let timely = report.standing == Standing::Open && !report.other_live && newest;
        if timely {
            super::incident::renew(incident, report);
            if meets && incident.on != EventKind::PushEnd {
                incident.deadline = Some(report.received + rule.resolve_after);
            }
        }
        match report.event.kind {
            // The sessions know of this end already when a replay sees it: it must be written with them.
            EventKind::PushEnd => _ = self.dirty_incidents.insert(id),
            _ => self.touch(id, now),
        }
    }

    /// Notes that an incident differs from what is written.
    fn touch(&mut self, id: IncidentId, now: Timestamp) {
        if let std::collections::hash_map::Entry::Vacant(vacant) = self.touched_at.entry(id) {
            vacant.insert(now);
            self.touched.push_back((now, id));
        }
    }

    /// Rules were changed: whatever was found by one that is gone is over.
    pub(super) fn resolve_orphans(&mut self) {
        let rules = Arc::clone(&self.rules);
        let mut orphans: Vec<IncidentId> = self
            .incidents
            .values()
            .filter(|i| i.state != State::Resolved && !rules.rules.iter().any(|rule| rule.name == i.rule))
            .map(|i| i.id)
            .collect();
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

/// How bad it is by the window's sum; `None` below the firing threshold.
fn level(rules: &RuleSet, event: &Event, finding: &Finding, matched: &[(usize, u64)]) -> Option<Severity> {
    let sum = finding.reading.sum;
    match &rules.rules[finding.place as usize].plan {
        Plan::Levels(levels) => levels.iter().rev().find(|(count, _)| sum >= *count).map(|(_, severity)| *severity),
        Plan::Catalogue { count } if sum >= *count => matched
            .iter()
            .filter_map(|(at, _)| event.abnormal.get(*at))
            .map(|abnormal| rules.catalogue.severity(abnormal.kind))
            .max()
            .or(Some(Severity::Warning)),
        Plan::Catalogue { .. } => None,
    }
}

fn count(tally: &mut [[u64; RuleOutcome::ALL.len()]], place: u32, outcome: RuleOutcome) {
    if let Some(counts) = tally.get_mut(place as usize) {
        counts[outcome as usize] += 1;
    }
}
