//! Inhibition: what is part of a wider incident is told by that one alone. Pure.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{GroupId, Holder, Incident, IncidentId, Key, Timestamp};
use crate::rules::Rule;

use super::Engine;
use super::audience::containing;
use super::timers::Due;

/// After its source ended, what was part of it is told this much later if it still fires.
const SURVIVED: Duration = Duration::from_secs(30);

/// Which rules' incidents are part of which others', by place.
#[derive(Clone, Debug, Default)]
pub(super) struct Inhibitions {
    sources: Vec<Vec<u32>>,
    targets: Vec<Vec<u32>>,
}

impl Inhibitions {
    #[must_use]
    pub(super) fn new(rules: &[Rule], places: &HashMap<Arc<str>, u32>) -> Inhibitions {
        let mut inhibitions =
            Inhibitions { sources: vec![Vec::new(); rules.len()], targets: vec![Vec::new(); rules.len()] };
        for (source, rule) in (0u32..).zip(rules) {
            for target in rule.inhibits.iter().filter_map(|name| places.get(name)) {
                inhibitions.sources[*target as usize].push(source);
                inhibitions.targets[source as usize].push(*target);
            }
        }
        inhibitions
    }
}

impl Engine {
    /// The incident of which this one is part, if any: the oldest that fires, or ended less than a moment ago.
    pub(super) fn inhibitor(&self, incident: &Incident) -> Option<IncidentId> {
        let place = *self.places.get(&incident.rule)?;
        let sources = self.inhibitions.sources.get(place as usize)?;
        let of_rule = |source: &u32| {
            let key = containing(incident, self.rules.rules.get(*source as usize)?.per)?;
            let id = self.cells.get(&key)?.incident(*source).filter(|id| *id != incident.id)?;
            let source = self.incidents.get(&id)?;
            let lingers = source.resolved_at.is_some_and(|at| self.now < at + SURVIVED);
            let holds = source.is_firing() || (lingers && incident.inhibited_by == Some(id));
            holds.then_some(id)
        };
        sources.iter().filter_map(of_rule).min()
    }

    /// When what is part of an incident is looked at again.
    pub(super) fn freed_at(&self, source: IncidentId) -> Timestamp {
        match self.incidents.get(&source) {
            Some(incident) => incident.resolved_at.map_or(Timestamp::MAX, |at| at + SURVIVED),
            // Long over and forgotten.
            None => self.now,
        }
    }

    /// A source fires: what was told of its parts is edited once, then silent; nothing of them is posted.
    pub(super) fn inhibit_targets(&mut self, source: IncidentId, place: u32) {
        for id in self.parts_of(source, place) {
            if !self.incidents.get(&id).is_some_and(Incident::is_firing) || !self.judge_silence(id) {
                continue;
            }
            let Some(group) = self.incidents.get(&id).and_then(|incident| incident.group) else { continue };
            self.revise(group);
            self.refresh(group, &[]);
            if let Some((at, holder)) = self.silence_of(id) {
                self.hold(group, at, holder);
            }
        }
    }

    /// A source is over: its parts are looked at a moment later.
    pub(super) fn free_targets(&mut self, source: IncidentId, place: u32) {
        let at = self.freed_at(source);
        let parts = self.parts_of(source, place).into_iter().filter_map(|id| self.incidents.get(&id));
        let held = parts.filter(|incident| incident.inhibited_by == Some(source));
        let mut groups: Vec<GroupId> = held.filter_map(|incident| incident.group).collect();
        groups.sort_unstable();
        groups.dedup();
        for id in groups {
            let Some(members) = self.groups.get_mut(&id) else { continue };
            let group = &mut members.group;
            if group.held_by == Some(Holder::Inhibition) {
                group.held_until = Some(at);
                self.dirty_groups.insert(id);
                let key = group.key.clone();
                self.set_group_timer(at, Due::Held(id), &key);
            }
        }
    }

    /// Incidents of the rules that a source's rule inhibits, those inside its key among them; by number ascending.
    fn parts_of(&self, source: IncidentId, place: u32) -> Vec<IncidentId> {
        let Some(targets) = self.inhibitions.targets.get(place as usize).filter(|targets| !targets.is_empty()) else {
            return Vec::new();
        };
        let names: Vec<&str> = targets.iter().map(|at| &*self.rules.rules[*at as usize].name).collect();
        let is_part = |incident: &&Incident| incident.id != source && names.contains(&&*incident.rule);
        let mut parts: Vec<IncidentId> = match self.incidents.get(&source).map(|incident| &incident.key) {
            // What is part of a stream's incident is found with the stream.
            Some(key @ (Key::Stream(_) | Key::Session(_))) => {
                let ids = self.cells.get(key).map(|cell| cell.incidents.as_slice()).unwrap_or_default();
                ids.iter().filter_map(|(_, id)| self.incidents.get(id)).filter(is_part).map(|i| i.id).collect()
            }
            _ => self.incidents.values().filter(is_part).map(|incident| incident.id).collect(),
        };
        parts.sort_unstable();
        parts
    }
}
