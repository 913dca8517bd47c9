//! Rules on silence: something that came steadily comes no more. Pure.

use std::sync::Arc;

use crate::model::{Cause, IncidentId, Key, RuleOutcome, Severity, State};
use crate::rules::{Plan, Rule};

use super::Engine;
use super::audience::group_key;
use super::cell::Watch;
use super::report::{Finding, Report};
use super::timers::{Due, Timer};

/// Callbacks without a gap of the rule's `within` after which they count as steady: one that comes once is no promise.
const STEADY: u32 = 3;

impl Engine {
    /// What a rule on silence waits for was heard.
    pub(super) fn hear(&mut self, report: &Report<'_>, finding: &Finding) -> RuleOutcome {
        let rules = Arc::clone(&self.rules);
        let Some(within) = rules.rules[finding.place as usize].silence else { return RuleOutcome::NoMatch };
        let (place, key, now) = (finding.place, &finding.key, report.received);
        let known =
            self.cells.get(key).and_then(|cell| cell.watches.iter().find(|(p, _)| *p == place)).map(|(_, w)| *w);
        let watch = match known {
            Some(watch) => Watch { last: now, heard: (watch.heard + 1).min(STEADY), written: watch.written },
            None => Watch { last: now, heard: 1, written: now },
        };
        let steadier = known.is_none_or(|known| known.heard != watch.heard);
        let stale = now >= watch.written + super::FLUSH;
        let watch = if steadier || stale { Watch { written: now, ..watch } } else { watch };
        if steadier || stale {
            self.dirty_cells.insert(key.clone());
        }
        self.put_watch(place, key, watch);
        if known.is_none() {
            self.watching += 1;
            self.timers.set(Timer { at: now + within, rule: place, key: key.clone(), due: Due::Silence });
        }
        if let Some(id) = self.silent_incident(place, key) {
            // The timer of this watch ended with the silence: it begins anew.
            self.timers.set(Timer { at: now + within, rule: place, key: key.clone(), due: Due::Silence });
            self.resolve(id, Cause::Heard);
        }
        RuleOutcome::Heard
    }

    /// The same for a replay: the watch as it was written has not heard what came after.
    pub(super) fn warm_watch(&mut self, report: &Report<'_>, finding: &Finding) {
        let (place, key) = (finding.place, &finding.key);
        let Some(cell) = self.cells.get_mut(key) else { return };
        let Some((_, watch)) = cell.watches.iter_mut().find(|(p, _)| *p == place) else { return };
        if report.received > watch.last {
            watch.last = report.received;
        }
    }

    /// A watch's time may be up.
    pub(super) fn silence_due(&mut self, timer: Timer) {
        let (rules, place) = (Arc::clone(&self.rules), timer.rule);
        let Some(rule) = rules.rules.get(place as usize) else { return };
        let Some(within) = rule.silence else { return };
        let watch = self.cells.get(&timer.key).and_then(|cell| cell.watches.iter().find(|(p, _)| *p == place));
        let Some((_, watch)) = watch.copied() else { return };
        if self.silent_incident(place, &timer.key).is_some() {
            return; // It is told already.
        }
        let at = watch.last + within;
        if at > timer.at {
            return self.timers.set(Timer { at, ..timer });
        }
        if watch.heard < STEADY {
            return self.drop_watch(place, &timer.key);
        }
        let wall = self.wall.read(self.seq, self.now);
        if !super::mute::is_active(rule, wall) {
            let at = super::mute::next_active(rule, wall).map(|wall| self.wall.journal_time(wall));
            return match at.filter(|at| *at > self.now) {
                Some(at) => self.timers.set(Timer { at, ..timer }),
                None => self.drop_watch(place, &timer.key),
            };
        }
        self.fall_silent(place, rule, &timer.key, watch);
    }

    fn fall_silent(&mut self, place: u32, rule: &Rule, key: &Key, watch: Watch) {
        let severity = match &rule.plan {
            Plan::Levels(levels) => levels.first().map_or(Severity::Warning, |(_, severity)| *severity),
            Plan::Catalogue { .. } => Severity::Warning,
        };
        let mut incident = self.blank(rule, key.clone(), severity);
        let within = rule.silence.unwrap_or_default();
        incident.silence = Some(u64::try_from(within.as_millis()).unwrap_or(u64::MAX));
        incident.since = watch.last;
        incident.last_at = watch.last;
        incident.last_received = watch.last;
        let group = group_key(rule, &incident);
        incident.group_key = Some(group).filter(|group| *group != incident.key).map(Box::new);
        self.fire(place, incident);
    }

    /// The incident of this rule that fires because nothing is heard of this key.
    fn silent_incident(&self, place: u32, key: &Key) -> Option<IncidentId> {
        let id = self.cells.get(key)?.incident(place)?;
        let incident = self.incidents.get(&id)?;
        (incident.silence.is_some() && incident.state == State::Firing).then_some(id)
    }

    fn put_watch(&mut self, place: u32, key: &Key, watch: Watch) {
        let watches = &mut self.cell(key).watches;
        match watches.iter_mut().find(|(p, _)| *p == place) {
            Some((_, old)) => *old = watch,
            None => watches.push((place, watch)),
        }
    }

    /// Nothing is expected of this key any more.
    pub(super) fn drop_watch(&mut self, place: u32, key: &Key) {
        let Some(cell) = self.cells.get_mut(key) else { return };
        let before = cell.watches.len();
        cell.watches.retain(|(p, _)| *p != place);
        if cell.watches.len() < before {
            self.watching -= 1;
            self.dirty_cells.insert(key.clone());
        }
    }
}
