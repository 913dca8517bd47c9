//! Incidents of one group share a message: which group, when it is open, when it is closed and forgotten. Pure.

use std::time::Duration;

use thin_vec::ThinVec;

use crate::model::{
    ChannelName, Group, GroupId, Holder, Incident, IncidentId, Key, News, Notification, Reason, Severity, State,
    Timestamp,
};

use super::timers::Due;
use super::{Engine, MEMORY, Members};

/// A trouble longer than this gets a short "well again" besides the edit.
const LONG: Duration = Duration::from_secs(5 * 60);

/// A group with more members than this gives back those that are long over while it goes on.
const MANY: usize = 64;

impl Engine {
    /// Puts an incident into the open group of its group key, its own old one, or a new one.
    pub(super) fn join(&mut self, id: IncidentId, key: &Key) -> GroupId {
        let own = self.incidents.get(&id).and_then(|i| i.group).filter(|group| self.groups.contains_key(group));
        let open = self.cells.get(key).and_then(|cell| cell.group);
        let group = match (open, own) {
            (Some(open), _) => open,
            (None, Some(own)) => own,
            (None, None) => self.create_group(key),
        };
        if let Some(members) = self.groups.get_mut(&group) {
            members.group.closed_at = None;
            if let Err(place) = members.incidents.binary_search(&id) {
                members.incidents.insert(place, id);
            }
        }
        self.cell(key).group = Some(group);
        group
    }

    fn create_group(&mut self, key: &Key) -> GroupId {
        let id = self.next_group;
        self.next_group = GroupId(id.0 + 1);
        self.dirty_counters = true;
        let group = Group {
            id,
            key: key.clone(),
            opened_at: self.now,
            closed_at: None,
            held_until: None,
            held_by: None,
            revision: 0,
            told: Vec::new(),
            shown: None,
        };
        self.groups.insert(id, Members { group, incidents: ThinVec::with_capacity(1) });
        id
    }

    /// The members of a group, by number ascending.
    pub(super) fn members(&self, id: GroupId) -> impl Iterator<Item = &Incident> {
        let ids = self.groups.get(&id).map(|members| members.incidents.as_slice()).unwrap_or_default();
        ids.iter().filter_map(|id| self.incidents.get(id))
    }

    /// Something of a group is over: shows it, and closes the group if that was the last. Returns the channels in
    /// which people are notified of it.
    pub(super) fn settle(&mut self, key: &Key, resolved: Option<IncidentId>) -> Vec<ChannelName> {
        let Some(cell) = self.cells.get(key) else { return Vec::new() };
        let (Some(id), waiting) = (cell.group, cell.waiting > 0) else { return Vec::new() };
        if resolved.is_some() {
            self.revise(id);
        }
        let fires = self.members(id).any(Incident::is_firing);
        match (fires || waiting || self.is_held_open(id), resolved) {
            (true, Some(_)) => {
                self.refresh(id, &[]);
                self.shed(id);
                Vec::new()
            }
            (true, None) => Vec::new(),
            (false, _) => self.close(id),
        }
    }

    /// Whether a group stays open although nothing of it fires: something of it is still to be told.
    fn is_held_open(&self, id: GroupId) -> bool {
        let Some(members) = self.groups.get(&id) else { return false };
        match members.group.held_by {
            // One line will say what was.
            Some(Holder::RateLimit) => true,
            // What was told is closed with its source; what was not is part of it and needs no word.
            Some(Holder::Inhibition) => members.group.told.iter().any(|told| !told.over),
            Some(Holder::Mute) | None => false,
        }
    }

    /// All of it is over: says so wherever it was told, and lets the group go. Returns the channels in which people
    /// are notified.
    pub(super) fn close(&mut self, id: GroupId) -> Vec<ChannelName> {
        let severity = self.worst(id);
        let now = self.now;
        let acknowledged = self.members(id).any(|incident| incident.ack.is_some());
        let Some(members) = self.groups.get_mut(&id) else { return Vec::new() };
        let group = &mut members.group;
        let loud = severity == Severity::Critical || acknowledged || now.since(group.opened_at) > LONG;
        let open: Vec<ChannelName> = group.told.iter().filter(|told| !told.over).map(|t| t.channel.clone()).collect();
        let known: Vec<ChannelName> = group.told.iter().map(|told| told.channel.clone()).collect();
        for told in &mut group.told {
            told.over = true;
        }
        group.closed_at = Some(now);
        group.held_until = None;
        group.held_by = None;
        let key = group.key.clone();
        let mut notified = Vec::new();
        for channel in known {
            let reason = match (self.can_edit(&channel), open.contains(&channel)) {
                (true, true) if loud => Reason::Reply,
                (true, _) => Reason::Edit,
                (false, true) => Reason::Post,
                // It was told that it is over, and nothing since.
                (false, false) => continue,
            };
            if reason != Reason::Edit {
                notified.push(channel.clone());
            }
            self.outbox.push(Notification::of_group(channel, id, (reason, News::Resolved), severity, now));
        }
        self.dirty_groups.insert(id);
        self.cell(&key).group = None;
        self.set_group_timer(now + self.memory(), Due::Forget(id), &key);
        notified
    }

    /// A closed group has been remembered long enough.
    pub(super) fn forget(&mut self, id: GroupId) {
        let Some(members) = self.groups.get(&id) else { return };
        let key = members.group.key.clone();
        let Some(closed_at) = members.group.closed_at else { return };
        let at = closed_at + self.memory();
        if at > self.now {
            return self.set_group_timer(at, Due::Forget(id), &key);
        }
        let Some(members) = self.groups.remove(&id) else { return };
        let incidents: Vec<Incident> = members.incidents.iter().filter_map(|id| self.take(*id)).collect();
        if let Some(buckets) = self.buckets.as_ref().filter(|_| self.groups.len().is_multiple_of(1024)) {
            buckets.shrink(self.now);
        }
        self.forgotten.push(id);
        let unwritten = incidents.iter().any(|incident| self.dirty_incidents.contains(&incident.id));
        if unwritten || self.dirty_groups.contains(&id) {
            self.parting.push((Some(members.group), incidents));
        }
    }

    /// A group of many that goes on for long gives back the members that are long over.
    fn shed(&mut self, id: GroupId) {
        let horizon = self.now - self.memory();
        let Some(members) = self.groups.get(&id).filter(|members| members.incidents.len() > MANY) else { return };
        let is_old = |incident: &&Incident| {
            incident.state == State::Resolved && incident.resolved_at.is_some_and(|at: Timestamp| at <= horizon)
        };
        let old: Vec<IncidentId> =
            members.incidents.iter().filter_map(|id| self.incidents.get(id)).filter(is_old).map(|i| i.id).collect();
        if let Some(members) = self.groups.get_mut(&id) {
            members.incidents.retain(|id| old.binary_search(id).is_err());
        }
        for id in old {
            let Some(incident) = self.take(id) else { continue };
            if self.dirty_incidents.contains(&id) {
                self.parting.push((None, vec![incident]));
            }
        }
    }

    /// How long a closed group is remembered: it may come back, and late reports must be known as late.
    pub(super) fn memory(&self) -> Duration {
        self.rules.rules.iter().map(|rule| rule.reopen_within).max().unwrap_or_default().max(MEMORY)
    }

    /// The message of a group has something new to show.
    pub(super) fn revise(&mut self, id: GroupId) {
        if let Some(members) = self.groups.get_mut(&id) {
            members.group.revision += 1;
            self.dirty_groups.insert(id);
        }
    }

    pub(super) fn worst(&self, id: GroupId) -> Severity {
        self.members(id).map(|incident| incident.severity).max().unwrap_or(Severity::Info)
    }
}
