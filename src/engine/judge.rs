//! One callback against the rules that listen to it: sessions, windows, then each rule's verdict. Pure.

use std::sync::Arc;

use crate::model::{Entry, Event, EventKind, IncidentId, Input, Key, RuleOutcome, Scope, Severity, State, Timestamp};
use crate::rules::{Matching, Measure, Plan, RuleSet};

use super::Engine;
use super::audience::fingerprint;
use super::cell::{Amount, Cell};
use super::distinct::SHOWN;
use super::report::{Finding, Report};
use super::sessions::Standing;
use super::window::{Reading, Width};

/// Working space of one step, kept to spare allocations.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    places: Vec<u32>,
    one: Vec<(usize, u64)>,
    matched: Vec<(usize, u64)>,
    findings: Vec<Finding>,
}

impl Engine {
    /// Rebuilds windows from an entry before the cursor, and adds to incidents what was not written yet. Nothing
    /// is decided anew.
    pub fn warm(&mut self, entry: &Entry) {
        self.add_gaps(entry.seq);
        let Input::Callback(event) = &entry.input else { return };
        let cursor = std::mem::replace(&mut self.seq, entry.seq);
        let received = entry.received_at;
        let stream = Key::Stream(event.stream.clone());
        let standing = match self.cells.get(&stream) {
            Some(cell) => cell.sessions.standing(event.session.as_deref(), received),
            None => Standing::Open,
        };
        let (time, wall) = (event.time(received), self.wall.read(entry.seq, received));
        let report = Report { event, stream, time, received, wall, standing, other_live: false };
        let mut scratch = std::mem::take(&mut self.scratch);
        self.find(&report, &mut scratch, |_, _| {});
        for finding in &scratch.findings {
            self.add_unwritten(&report, finding, &scratch.matched[finding.matched.clone()]);
        }
        self.scratch = scratch;
        self.seq = cursor;
    }

    /// What a report before the cursor changed of a rule's state and was not written yet.
    fn add_unwritten(&mut self, report: &Report<'_>, finding: &Finding, matched: &[(usize, u64)]) {
        if self.rules.rules[finding.place as usize].silence.is_some() {
            return self.warm_watch(report, finding);
        }
        let Some(id) = self.cells.get(&finding.key).and_then(|cell| cell.incident(finding.place)) else { return };
        let Some(incident) = self.incidents.get(&id).filter(|incident| incident.seq < self.seq) else { return };
        match incident.state {
            State::Firing => self.prolong(id, report, finding, matched),
            State::Pending => _ = self.endure(id, report, finding, matched),
            State::Resolved => {}
        }
    }

    /// Takes a callback in.
    pub(super) fn take_in(&mut self, event: &Event, received: Timestamp) {
        let stream = Key::Stream(event.stream.clone());
        let (standing, other_live) = self.track_session(&stream, event, received);
        let (time, wall) = (event.time(received), self.wall.read(self.seq, received));
        let report = Report { event, stream, time, received, wall, standing, other_live };
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut missed = std::mem::take(&mut self.tally);
        let mut trace = self.trace.take();
        self.find(&report, &mut scratch, |place, outcome| {
            count(&mut missed, place, outcome);
            if let Some(trace) = &mut trace {
                trace.miss(place, outcome);
            }
        });
        self.tally = missed;
        for finding in &scratch.findings {
            let before = self.ended(finding);
            let outcome = self.judge(&report, finding, &scratch.matched[finding.matched.clone()]);
            self.note_down(&report, finding, before);
            count(&mut self.tally, finding.place, outcome);
            if let Some(trace) = &mut trace {
                trace.found(finding, outcome);
            }
        }
        self.trace = trace;
        // After the verdicts: what this event opens or makes wait goes on in the same message.
        self.close_by_session(&report);
        self.scratch = scratch;
    }

    /// Notes what the event says about sessions: (standing before, another session is live).
    fn track_session(&mut self, stream: &Key, event: &Event, received: Timestamp) -> (Standing, bool) {
        let session = event.session.as_deref();
        match event.kind {
            EventKind::PushBegin | EventKind::PushError => {
                let (standing, changed) = self.cell(stream).sessions.heard(session, received);
                if changed {
                    self.dirty_cells.insert(stream.clone());
                }
                (standing, false)
            }
            EventKind::PushEnd => {
                let cell = self.cell(stream);
                let standing = cell.sessions.ended(session, received);
                let other_live = cell.sessions.any_live(received);
                self.dirty_cells.insert(stream.clone());
                self.write_touched(event);
                (standing, other_live)
            }
            _ => (Standing::Open, false),
        }
    }

    /// A replay must not take reports from before an end for late ones: what they changed is written with it.
    fn write_touched(&mut self, event: &Event) {
        for key in Scope::ALL.into_iter().filter_map(|scope| Key::of(event, scope)) {
            let Some(cell) = self.cells.get(&key) else { continue };
            let touched = cell.incidents.iter().map(|(_, id)| *id).filter(|id| self.touched_at.contains_key(id));
            self.dirty_incidents.extend(touched);
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
        for place in &scratch.places {
            let rule = &rules.rules[*place as usize];
            match rule.matches(report.event, report.wall, &mut scratch.one) {
                Matching::Yes => {}
                Matching::No => {
                    missed(*place, RuleOutcome::NoMatch);
                    continue;
                }
                Matching::Missing => {
                    missed(*place, RuleOutcome::Missing);
                    continue;
                }
            }
            let amount = match report.event.kind {
                EventKind::PushError => scratch.one.iter().fold(0u64, |sum, (_, n)| sum.saturating_add(*n)),
                _ => 1,
            };
            // Where callbacks are counted, the incident counts them too.
            let amount = if rule.measure == Measure::Reports { 1 } else { amount };
            let of = match rule.measure {
                Measure::Count | Measure::Reports => Some(amount),
                Measure::Distinct(noun) => fingerprint(report.event, noun),
            };
            let (Some(of), Some(key)) = (of, report.key(rule.per)) else {
                missed(*place, RuleOutcome::Missing);
                continue;
            };
            let from = scratch.matched.len();
            scratch.matched.extend_from_slice(&scratch.one);
            let matched = from..scratch.matched.len();
            let reading = Reading { sum: 0, reports: 1, since: report.time, newest: true };
            scratch.findings.push(Finding { place: *place, key, of, reading, amount, matched });
        }
        self.read_windows(report, &mut scratch.findings);
    }

    /// Adds what was found to the rules' windows and reads them. Rules on silence have none.
    fn read_windows(&mut self, report: &Report<'_>, findings: &mut [Finding]) {
        let rules = Arc::clone(&self.rules);
        let read = |cell: &mut Cell, finding: &mut Finding| {
            let rule = &rules.rules[finding.place as usize];
            let width = Width { within: rule.within.unwrap_or_default(), cap: cap(&rule.plan, rule.measure) };
            let amount = Amount { time: report.time, received: report.received, of: finding.of };
            finding.reading = cell.observe(finding.place, rule.measure, amount, width);
        };
        let windowed = |finding: &&mut Finding| rules.rules[finding.place as usize].silence.is_none();
        let of_stream = |finding: &&mut Finding| rules.rules[finding.place as usize].per == Scope::Stream;
        // Most rules are about the stream: its cell is looked up once.
        let mut of_streams = findings.iter_mut().filter(windowed).filter(of_stream).peekable();
        if of_streams.peek().is_some() {
            let cell = self.cell(&report.stream);
            of_streams.for_each(|finding| read(cell, finding));
        }
        for finding in findings.iter_mut().filter(windowed).filter(|finding| !of_stream(finding)) {
            let key = finding.key.clone();
            read(self.cell(&key), finding);
        }
    }

    /// One rule's verdict.
    fn judge(&mut self, report: &Report<'_>, finding: &Finding, matched: &[(usize, u64)]) -> RuleOutcome {
        let rules = Arc::clone(&self.rules);
        let rule = &rules.rules[finding.place as usize];
        if rule.silence.is_some() {
            return self.hear(report, finding);
        }
        let known = self.cells.get(&finding.key).and_then(|cell| cell.incident(finding.place));
        let incident = known.and_then(|id| self.incidents.get(&id));
        let late = !finding.reading.newest || incident.is_some_and(|i| report.time < i.last_at);
        let standing = match report.standing {
            Standing::Ended => Some(RuleOutcome::EndedSession),
            // One push by itself is over, whatever the others do.
            Standing::Open if report.other_live && rule.per != Scope::Session => Some(RuleOutcome::OtherSessionLive),
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
                    (None, _) => {
                        self.keep_up(id);
                        RuleOutcome::Prolonged
                    }
                }
            }
            (_, Some(outcome)) => outcome,
            (Some((id, State::Pending, _)), None) => match self.endure(id, report, finding, matched) {
                true => self.wait_over(id, finding.place),
                false => RuleOutcome::Pending,
            },
            (Some((_, State::Resolved, _)) | None, None) => {
                let Some(severity) = level(&rules, report.event, finding, matched) else { return RuleOutcome::Counted };
                match super::mute::is_active(rule, report.wall) {
                    true => self.begin(report, finding, matched, severity),
                    false => RuleOutcome::Inactive,
                }
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
        super::incident::measure(incident, rule, finding);
        incident.seq = seq;
        let newest = finding.reading.newest && report.time >= incident.last_at;
        let other_live = report.other_live && rule.per != Scope::Session;
        if report.standing == Standing::Open && !other_live && newest {
            super::incident::renew(incident, report);
            if meets && !super::incident::waits_for_word(incident) {
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
    pub(super) fn touch(&mut self, id: IncidentId, now: Timestamp) {
        if let std::collections::hash_map::Entry::Vacant(vacant) = self.touched_at.entry(id) {
            vacant.insert(now);
            self.touched.push_back((now, id));
        }
    }
}

/// The sum up to which a window is exact: where the plan's highest level is reached, and further where the number
/// itself is told.
fn cap(plan: &Plan, measure: Measure) -> u64 {
    let highest = match plan {
        Plan::Catalogue { count } => *count,
        Plan::Levels(levels) => levels.last().map_or(1, |(count, _)| *count),
    };
    match measure {
        Measure::Count | Measure::Reports => highest,
        Measure::Distinct(_) => highest.max(SHOWN),
    }
}

/// How bad it is by the window's sum; `None` below the firing threshold.
pub(super) fn level(rules: &RuleSet, event: &Event, finding: &Finding, matched: &[(usize, u64)]) -> Option<Severity> {
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

pub(super) fn count(tally: &mut [[u64; RuleOutcome::ALL.len()]], place: u32, outcome: RuleOutcome) {
    if let Some(counts) = tally.get_mut(place as usize) {
        counts[outcome as usize] += 1;
    }
}
