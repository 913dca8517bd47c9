//! The lifecycle state out to the store and back. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thin_vec::{ThinVec, thin_vec};

use crate::model::{
    Cursor, EngineChanges, EngineState, Group, GroupId, Incident, IncidentId, Key, Keyed, Mute, Notification, State,
    TallyId, Timestamp,
};

use super::cell::{Cell, Watch};
use super::gaps::{Gap, Gaps};
use super::missed::{StandingTally, Tally};
use super::mute::Muted;
use super::sessions::Sessions;
use super::timers::{Due, NO_RULE, Timer};
use super::wall::Wall;
use super::{Engine, Members};

/// Kind of the records kept per key.
const CELL: &str = "stream";

/// Kind of the records of people's mutes.
const MUTE: &str = "mute";

/// Kind of the records of what standing mutes keep from people.
const STANDING: &str = "standing_mute";

/// Kind and key of the record of counters.
const COUNTERS: (&str, &str) = ("engine", "counters");

/// What is kept of a key besides its incidents.
#[derive(Debug, Default, Serialize, Deserialize)]
struct CellRecord {
    #[serde(default, skip_serializing_if = "Sessions::is_empty")]
    sessions: Sessions,
    /// When its rate limit bucket is full again.
    #[serde(default)]
    full_at: Timestamp,
    /// The same for the buckets of single rules, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    rules_full_at: BTreeMap<String, Timestamp>,
    /// What rules on silence have heard, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    watches: BTreeMap<String, Watch>,
    /// By which end each rule counts the stream as down, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    downs: BTreeMap<String, Timestamp>,
}

/// A person's mute, and what has come of it.
#[derive(Debug, Serialize, Deserialize)]
struct MuteRecord {
    #[serde(flatten)]
    mute: Mute,
    /// When it was first set; without a word, when it was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_announced: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tally: Option<Tally>,
}

impl MuteRecord {
    fn of(muted: &Muted) -> MuteRecord {
        let (mute, tally) = (muted.cover.mute.clone(), muted.tally.clone());
        MuteRecord { since: Some(muted.since), is_announced: muted.is_announced, mute, tally }
    }
}

/// The next numbers.
#[derive(Debug, Serialize, Deserialize)]
struct Counters {
    incident: IncidentId,
    group: GroupId,
    /// The last one.
    #[serde(default)]
    tally: TallyId,
    /// Hash of the rules in force.
    #[serde(default)]
    rules: String,
    #[serde(default)]
    wall: Wall,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<Gap>,
}

/// A stored record that can't be read: the data folder is damaged or of another version.
#[derive(Debug, thiserror::Error)]
#[error("stored {kind} record {key:?} can't be read: {source}")]
pub struct LoadError {
    kind: String,
    key: String,
    source: serde_json::Error,
}

/// Hash of the rules under which a state was committed, which stands in its first part; `None` in a new folder.
#[must_use]
pub fn rules_in_force(state: &EngineState) -> Option<String> {
    let (kind, key) = COUNTERS;
    let (.., value) = state.keyed.iter().find(|(k, name, _)| k == kind && name == key)?;
    let counters: Counters = serde_json::from_str(value).ok()?;
    Some(counters.rules).filter(|hash| !hash.is_empty())
}

impl Engine {
    /// Takes back the state that was committed with `cursor`, or a part of it: first what is keyed, then groups, then
    /// incidents, and then [`Engine::loaded`]. The rules may be others than then.
    ///
    /// # Errors
    /// [`LoadError`] if a record can't be read; nothing should be decided on half a memory.
    pub fn load(&mut self, state: EngineState, cursor: Cursor) -> Result<(), LoadError> {
        self.now = cursor.at;
        self.seq = cursor.seq;
        let has_mutes = state.keyed.iter().any(|(kind, ..)| [MUTE, STANDING].contains(&kind.as_str()));
        for (kind, key, value) in state.keyed {
            let broken = |source| LoadError { kind: kind.clone(), key: key.clone(), source };
            match (kind.as_str(), key.as_str()) {
                (CELL, key) => {
                    let key: Key = serde_json::from_str(key).map_err(broken)?;
                    let record: CellRecord = serde_json::from_str(&value).map_err(broken)?;
                    self.load_cell(&key, record);
                }
                (MUTE, _) => {
                    let record: MuteRecord = serde_json::from_str(&value).map_err(broken)?;
                    self.load_mute(record.mute, (record.since, record.is_announced), record.tally);
                }
                (STANDING, _) => {
                    let held: StandingTally = serde_json::from_str(&value).map_err(broken)?;
                    self.standing.insert(held.tally.id, held);
                }
                COUNTERS => {
                    let counters: Counters = serde_json::from_str(&value).map_err(broken)?;
                    self.next_incident = counters.incident;
                    self.next_group = counters.group;
                    self.last_tally = counters.tally;
                    self.wall = counters.wall;
                    self.gaps = Gaps::load(counters.gaps);
                }
                _ => {}
            }
        }
        // Their records come after the clock's, and not in every part.
        if has_mutes {
            self.arm_mutes();
        }
        for mut group in state.groups {
            // Nobody is behind a channel that was taken out of the rules.
            group.told.retain(|told| self.rules.channels.contains_key(&told.channel));
            self.share_group(&mut group);
            let (id, key) = (group.id, group.key.clone());
            match (group.closed_at, group.held_until) {
                (Some(closed_at), _) => self.set_group_timer(closed_at + self.memory(), Due::Forget(id), &key),
                (None, held) => {
                    self.cell(&key).group = Some(id);
                    if let Some(at) = held {
                        self.set_group_timer(at, Due::Held(id), &key);
                    }
                }
            }
            self.groups.insert(id, Members { group, incidents: ThinVec::with_capacity(1) });
        }
        for incident in state.incidents {
            self.load_incident(incident);
        }
        Ok(())
    }

    /// All parts are loaded: what depends on all members of a group is made of them.
    pub fn loaded(&mut self) {
        let open = self.groups.values().map(|members| &members.group).filter(|group| group.closed_at.is_none());
        let open: Vec<GroupId> = open.map(|group| group.id).collect();
        open.into_iter().for_each(|id| self.arm_repeat(id));
        self.timers.pack();
    }

    fn load_cell(&mut self, key: &Key, record: CellRecord) {
        let place = |name: &str| self.places.get(name).copied();
        let mut full_at = thin_vec![(NO_RULE, record.full_at)];
        full_at.extend(record.rules_full_at.iter().filter_map(|(name, at)| Some((place(name)?, *at))));
        full_at.retain(|(_, at)| *at > self.now);
        full_at.shrink_to_fit();
        let silence = |place: u32| self.rules.rules.get(place as usize).and_then(|rule| rule.silence);
        let watches: ThinVec<(u32, Watch)> = record
            .watches
            .iter()
            .filter_map(|(name, watch)| Some((place(name)?, Watch { written: watch.last, ..*watch })))
            .filter(|(place, _)| silence(*place).is_some())
            .collect();
        for (place, at) in &full_at {
            if let Some(buckets) = self.buckets(*place) {
                buckets.refill(key, *at, self.now);
            }
        }
        for (place, watch) in &watches {
            let at = watch.last + silence(*place).unwrap_or_default();
            self.timers.set(Timer { at, rule: *place, key: key.clone(), due: Due::Silence });
        }
        let mut downs: ThinVec<(u32, Timestamp)> =
            record.downs.iter().filter_map(|(name, at)| Some((place(name)?, *at))).collect();
        downs.retain(|(place, _)| self.rules.rules.get(*place as usize).is_some_and(super::down::counts_ends));
        self.watching += watches.len();
        let cell = self.cell(key);
        cell.sessions = record.sessions;
        cell.sessions.shrink();
        cell.full_at = full_at;
        cell.watches = watches;
        cell.downs = downs;
    }

    fn load_incident(&mut self, mut incident: Incident) {
        let id = incident.id;
        let place = self.places.get(&incident.rule).copied().unwrap_or(NO_RULE);
        self.share_incident(&mut incident, place);
        match incident.state {
            State::Pending => {
                self.pending += 1;
                if self.rules.rules.get(place as usize).is_some_and(|rule| rule.lasting.is_none()) {
                    self.cell(&incident.group_key().clone()).waiting += 1;
                }
            }
            State::Firing => self.firing += 1,
            State::Resolved => {}
        }
        if let (State::Pending | State::Firing, Some(at)) = (incident.state, incident.deadline) {
            self.timers.set(Timer { at, rule: place, key: incident.key.clone(), due: Due::Deadline(id) });
        }
        if let Some(members) = incident.group.and_then(|group| self.groups.get_mut(&group)) {
            let place = members.incidents.partition_point(|other| *other < id);
            members.incidents.insert(place, id);
        }
        self.cell(&incident.key).add(place, id);
        self.incidents.insert(id, incident);
    }

    /// What is kept of a key, or `None` if there is nothing.
    fn record(&self, cell: &Cell) -> Option<CellRecord> {
        let mut record = CellRecord { sessions: cell.sessions.clone(), ..CellRecord::default() };
        for (place, at) in &cell.full_at {
            match self.rules.rules.get(*place as usize) {
                Some(rule) => _ = record.rules_full_at.insert(rule.name.to_string(), *at),
                None => record.full_at = *at,
            }
        }
        for (place, watch) in &cell.watches {
            if let Some(rule) = self.rules.rules.get(*place as usize) {
                record.watches.insert(rule.name.to_string(), *watch);
            }
        }
        for (place, at) in &cell.downs {
            if let Some(rule) = self.rules.rules.get(*place as usize) {
                record.downs.insert(rule.name.to_string(), *at);
            }
        }
        let is_empty = record.downs.is_empty()
            && record.sessions.is_empty()
            && cell.full_at.is_empty()
            && record.watches.is_empty();
        (!is_empty).then_some(record)
    }

    /// [`Engine::take_changes`] for whoever keeps nothing, such as a backtest: only what is owed to channels, and the
    /// groups that are forgotten. The rest is let go of, which spares making records of it.
    pub fn take_owed(&mut self) -> (Vec<Notification>, Vec<GroupId>) {
        self.dirty_counters = false;
        self.dirty_mutes.clear();
        self.dirty_standing.clear();
        self.dirty_cells.clear();
        self.dirty_groups.clear();
        self.touched.clear();
        self.touched_at.clear();
        self.parting.clear();
        for id in std::mem::take(&mut self.dirty_incidents) {
            // As when it is written: nobody asks for it any more.
            if self.incidents.get(&id).is_some_and(|i| i.state == State::Resolved && i.group.is_none()) {
                self.incidents.remove(&id);
            }
        }
        (std::mem::take(&mut self.outbox), std::mem::take(&mut self.forgotten))
    }

    /// What has to be written, taken out of the lists of what is dirty.
    pub(super) fn changes(&mut self) -> EngineChanges {
        self.write_what_is_told();
        let mut keyed: Vec<Keyed> = Vec::new();
        if std::mem::take(&mut self.dirty_counters) {
            let rules = self.rules.hash.clone();
            let wall = self.wall.clone();
            let (incident, group, tally) = (self.next_incident, self.next_group, self.last_tally);
            let gaps = self.gaps.list().to_vec();
            let counters = Counters { incident, group, tally, rules, wall, gaps };
            let (kind, key) = COUNTERS;
            keyed.push(Keyed { kind, key: key.to_owned(), value: to_json(&counters) });
        }
        for id in std::mem::take(&mut self.dirty_mutes) {
            let value = self.mutes.get(id).and_then(|muted| to_json(&MuteRecord::of(muted)));
            keyed.push(Keyed { kind: MUTE, key: id.0.to_string(), value });
        }
        for id in std::mem::take(&mut self.dirty_standing) {
            let value = self.standing.get(&id).and_then(to_json);
            keyed.push(Keyed { kind: STANDING, key: id.0.to_string(), value });
        }
        for cell in std::mem::take(&mut self.dirty_cells) {
            let Some(key) = to_json(&cell) else { continue };
            let value = self.cells.get(&cell).and_then(|cell| self.record(cell)).and_then(|r| to_json(&r));
            keyed.push(Keyed { kind: CELL, key, value });
        }
        let dirty = std::mem::take(&mut self.dirty_incidents);
        for id in &dirty {
            self.touched_at.remove(id);
        }
        let mut groups: Vec<Group> = std::mem::take(&mut self.dirty_groups)
            .iter()
            .filter_map(|id| self.groups.get(id))
            .map(|members| members.group.clone())
            .collect();
        let mut incidents: Vec<Incident> = dirty.iter().filter_map(|id| self.incidents.get(id)).cloned().collect();
        for (group, members) in self.parting.drain(..) {
            groups.extend(group);
            incidents.extend(members);
        }
        for closed in incidents.iter().filter(|i| i.state == State::Resolved && i.group.is_none()) {
            // It only waited and was never told: once written, nobody asks for it.
            self.incidents.remove(&closed.id);
        }
        EngineChanges {
            incidents,
            groups,
            forgotten: std::mem::take(&mut self.forgotten),
            keyed,
            outbox: std::mem::take(&mut self.outbox),
        }
    }
}

/// Our own records always have a JSON form.
fn to_json<T: Serialize>(value: &T) -> Option<String> {
    serde_json::to_string(value).ok()
}
