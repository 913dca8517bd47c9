//! Which streams are down together: rules that count ends of pushes of many streams are over when enough are back. Pure.

use std::sync::Arc;

use crate::model::{EventKind, Incident, IncidentId, Key, Scope, Timestamp};
use crate::rules::{Measure, Rule};

use super::Engine;
use super::report::{Finding, Report};
use super::sessions::Standing;

/// Whether a rule counts the ends of pushes of many streams together.
pub(super) fn counts_ends(rule: &Rule) -> bool {
    let is_wide = !matches!(rule.per, Scope::Stream | Scope::Session);
    rule.on == EventKind::PushEnd && rule.silence.is_none() && is_wide
}

/// How many ends it stands for.
fn ends(incident: &Incident) -> u64 {
    incident.distinct.as_ref().map_or(incident.count, |distinct| distinct.number)
}

impl Engine {
    /// How many ends the firing incident of such a rule stands for before it judges another.
    pub(super) fn ended(&self, finding: &Finding) -> Option<u64> {
        counts_ends(self.rules.rules.get(finding.place as usize)?).then_some(())?;
        self.incident_of(finding.place, &finding.key).map(ends)
    }

    /// An end was judged: the rule counts this stream as down until it is back.
    pub(super) fn note_down(&mut self, report: &Report<'_>, finding: &Finding, before: Option<u64>) {
        let rules = Arc::clone(&self.rules);
        let Some(rule) = rules.rules.get(finding.place as usize).filter(|rule| counts_ends(rule)) else { return };
        let since = self.incident_of(finding.place, &finding.key).map(|incident| incident.since);
        let mut is_new = report.standing == Standing::Open && !report.other_live;
        if is_new {
            let cell = self.cell(&report.stream);
            match cell.downs.iter_mut().find(|(place, _)| *place == finding.place) {
                Some((_, at)) => {
                    is_new = since.is_some_and(|since| *at < since);
                    *at = report.time.max(*at);
                }
                None => cell.downs.push((finding.place, report.time)),
            }
            self.dirty_cells.insert(report.stream.clone());
        }
        // What opened by this end counts it in its window.
        let (Some(before), Some(incident)) = (before, self.incident_of_mut(finding)) else { return };
        match (is_new, &mut incident.distinct, rule.measure) {
            // Another stream, or one that was back: its window may have slid on since the others.
            (true, Some(distinct), Measure::Distinct(_)) if distinct.number == before => match incident.back {
                0 => distinct.number += 1,
                _ => incident.back -= 1,
            },
            // The end of what was down already was counted like any other.
            (false, None, Measure::Count | Measure::Reports) => incident.back = incident.back.saturating_add(1),
            _ => return,
        }
        let id = incident.id;
        self.dirty_incidents.insert(id);
    }

    /// A stream is back: of the wide incidents that count its end, those are over in which so many are back that what is
    /// left is below the lowest level.
    pub(super) fn count_back(&mut self, report: &Report<'_>, over: &mut Vec<IncidentId>) {
        let Some(cell) = self.cells.get_mut(&report.stream).filter(|cell| !cell.downs.is_empty()) else { return };
        // What names no push can't be told from a late report but by its time.
        let is_word = |at: &Timestamp| report.event.session.is_some() || report.time > *at;
        let mut downs: Vec<(u32, Timestamp)> = cell.downs.extract_if(.., |(_, at)| is_word(at)).collect();
        downs.sort_unstable();
        self.dirty_cells.insert(report.stream.clone());
        for (place, at) in downs {
            let Some(rule) = self.rules.rules.get(place as usize) else { continue };
            let (lowest, Some(key)) = (rule.plan.lowest(), report.key(rule.per)) else { continue };
            let known = self.incident_of(place, &key).filter(|incident| incident.since <= at).map(|i| i.id);
            let Some(incident) = known.and_then(|id| self.incidents.get_mut(&id)) else { continue };
            incident.back = incident.back.saturating_add(1);
            let (id, left) = (incident.id, ends(incident).saturating_sub(incident.back));
            self.dirty_incidents.insert(id);
            match left < lowest {
                true => over.push(id),
                false => self.keep_up(id),
            }
        }
    }

    fn incident_of(&self, place: u32, key: &Key) -> Option<&Incident> {
        let id = self.cells.get(key)?.incident(place)?;
        self.incidents.get(&id).filter(|incident| incident.is_firing())
    }

    fn incident_of_mut(&mut self, finding: &Finding) -> Option<&mut Incident> {
        let id = self.cells.get(&finding.key)?.incident(finding.place)?;
        self.incidents.get_mut(&id).filter(|incident| incident.is_firing())
    }
}
