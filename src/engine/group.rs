//! Incidents of one key share a message: who is notified when, who is not, and when the message is closed. Pure.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    ChannelName, Group, GroupId, Incident, IncidentId, Key, Notification, Reason, Severity, State, Timestamp, Told,
};
use crate::rules::RuleSet;

use super::effect::Transition;
use super::limit::Buckets;
use super::timers::{Due, NO_RULE};
use super::{Engine, MEMORY, Members};

/// A trouble longer than this gets a short "well again" besides the edit.
const LONG: Duration = Duration::from_secs(5 * 60);

impl Engine {
    /// News of a firing incident: it opened, came back, or grew worse.
    pub(super) fn announce(&mut self, id: IncidentId, how: Transition) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let (key, severity, rule) = (incident.key.clone(), incident.severity, Arc::clone(&incident.rule));
        let notify = channels(&self.rules, &rule, severity);
        let group = self.join(id, &key);
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.notify = notify;
            incident.group = Some(group);
        }
        self.dirty_incidents.insert(id);
        self.revise(group);
        let owed = self.owed(group);
        // Growing worse is always told at once; so is a second trouble that is worse than what people know.
        let worse = how == Transition::Escalated || self.only_worse(group, &owed);
        let told = match owed.is_empty() {
            true => Vec::new(),
            false if worse => owed,
            false => match self.take_token(&key, &rule) {
                Ok(()) => owed,
                Err(at) => {
                    self.hold(group, at, &key);
                    self.effect(how, id, Vec::new());
                    self.effect(Transition::Suppressed, id, Vec::new());
                    self.refresh(group, &[]);
                    self.arm_repeat(group);
                    return;
                }
            },
        };
        self.effect(how, id, told.clone());
        self.notify(group, &told);
        self.refresh(group, &told);
    }

    /// Puts an incident into its stream's open group, its own old one, or a new one.
    fn join(&mut self, id: IncidentId, key: &Key) -> GroupId {
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
        };
        self.groups.insert(id, Members { group, incidents: Vec::with_capacity(1) });
        id
    }

    /// The channels in which people are owed a notification now, by name.
    fn owed(&self, id: GroupId) -> Vec<ChannelName> {
        let mut owed = Vec::new();
        for (channel, severity, interval) in self.firing_by_channel(id) {
            let due = match self.told(id, &channel) {
                None => true,
                Some(told) => told.over || told.severity < severity || self.now >= told.at + interval,
            };
            if due {
                owed.push(channel);
            }
        }
        owed
    }

    /// Whether all these channels know of the trouble, but not how bad it is.
    fn only_worse(&self, id: GroupId, owed: &[ChannelName]) -> bool {
        owed.iter().all(|channel| self.told(id, channel).is_some_and(|told| !told.over))
    }

    fn told(&self, id: GroupId, channel: &ChannelName) -> Option<&Told> {
        self.groups.get(&id)?.group.told.iter().find(|told| told.channel == *channel)
    }

    /// Channels of the firing members, by name: (channel, worst severity, shortest `repeat_interval`).
    fn firing_by_channel(&self, id: GroupId) -> Vec<(ChannelName, Severity, Duration)> {
        let mut by_channel: Vec<(ChannelName, Severity, Duration)> = Vec::new();
        let Some(members) = self.groups.get(&id) else { return by_channel };
        for incident in members.incidents.iter().filter_map(|id| self.incidents.get(id)).filter(|i| i.is_firing()) {
            let rule = self.rules.rules.iter().find(|rule| rule.name == incident.rule);
            let interval = rule.map_or(Duration::MAX, |rule| rule.repeat_interval);
            for channel in &incident.notify {
                match by_channel.iter_mut().find(|(known, ..)| known == channel) {
                    Some((_, severity, shortest)) => {
                        *severity = incident.severity.max(*severity);
                        *shortest = interval.min(*shortest);
                    }
                    None => by_channel.push((channel.clone(), incident.severity, interval)),
                }
            }
        }
        by_channel.sort();
        by_channel
    }

    /// The stream's token, and the rule's own if it has a bucket.
    fn take_token(&mut self, key: &Key, rule: &str) -> Result<(), Timestamp> {
        let own = (0u32..).zip(&self.rules.rules).find(|(_, r)| *r.name == *rule).map(|(place, _)| place);
        for place in own.into_iter().chain([NO_RULE]) {
            let Some(buckets) = self.buckets(place) else { continue };
            buckets.take(key, self.now)?;
            let known = self.cells.get(key).and_then(|cell| cell.full_at.iter().find(|(p, _)| *p == place));
            let full_at = buckets.full_again(known.map_or(Timestamp(0), |(_, at)| *at), self.now);
            let cell = self.cell(key);
            match cell.full_at.iter_mut().find(|(p, _)| *p == place) {
                Some((_, at)) => *at = full_at,
                None => cell.full_at.push((place, full_at)),
            }
            self.dirty_cells.insert(key.clone());
        }
        Ok(())
    }

    /// The buckets of the rule at this place, or those over all rules.
    pub(super) fn buckets(&self, place: u32) -> Option<&Buckets> {
        match place {
            NO_RULE => self.buckets.as_ref(),
            place => self.rule_buckets.get(place as usize)?.as_ref(),
        }
    }

    /// The rate limit holds the news back until then.
    fn hold(&mut self, id: GroupId, at: Timestamp, key: &Key) {
        if let Some(members) = self.groups.get_mut(&id) {
            members.group.held_until = Some(at);
        }
        self.dirty_groups.insert(id);
        self.set_group_timer(at, Due::Held(id), key);
    }

    /// Notifies people in these channels.
    fn notify(&mut self, id: GroupId, channels: &[ChannelName]) {
        let by_channel = self.firing_by_channel(id);
        for channel in channels {
            let severity = by_channel.iter().find(|(known, ..)| known == channel).map(|(_, severity, _)| *severity);
            self.post(id, channel, severity.unwrap_or(Severity::Info));
        }
        let owed = self.owed(id);
        if let Some(members) = self.groups.get_mut(&id).filter(|_| owed.is_empty()) {
            members.group.held_until = None;
        }
        self.dirty_groups.insert(id);
        self.arm_repeat(id);
    }

    /// Sets the timer of the next reminder; a new member may bring it forward.
    fn arm_repeat(&mut self, id: GroupId) {
        let next = self.next_repeat(id, &self.firing_by_channel(id));
        let Some(members) = self.groups.get(&id) else { return };
        let key = members.group.key.clone();
        if let Some(at) = next {
            self.set_group_timer(at, Due::Repeat(id), &key);
        }
    }

    /// When the first channel is to be reminded, if it goes on until then.
    fn next_repeat(&self, id: GroupId, by_channel: &[(ChannelName, Severity, Duration)]) -> Option<Timestamp> {
        let at = |(channel, _, interval): &(ChannelName, Severity, Duration)| {
            self.told(id, channel).filter(|told| !told.over).map(|told| told.at + *interval)
        };
        by_channel.iter().filter_map(at).min()
    }

    /// One notification that reaches people: a reply under the living message, or a post.
    fn post(&mut self, id: GroupId, channel: &ChannelName, severity: Severity) {
        let (now, editable) = (self.now, self.can_edit(channel));
        let Some(members) = self.groups.get_mut(&id) else { return };
        let reason = match members.group.told.iter_mut().find(|told| told.channel == *channel) {
            Some(told) => {
                told.severity = told.severity.max(severity);
                told.at = now;
                told.over = false;
                if editable { Reason::Reply } else { Reason::Post }
            }
            None => {
                let told = Told { channel: channel.clone(), severity, at: now, over: false };
                members.group.told.push(told);
                Reason::Post
            }
        };
        self.outbox.push(Notification::of_group(channel.clone(), id, reason, severity, now));
    }

    /// Brings living messages up to date where people were told and are not being told just now.
    fn refresh(&mut self, id: GroupId, except: &[ChannelName]) {
        let Some(members) = self.groups.get(&id) else { return };
        let (now, severity) = (self.now, self.worst(id));
        let stale: Vec<ChannelName> = members
            .group
            .told
            .iter()
            .map(|told| &told.channel)
            .filter(|channel| !except.contains(channel) && self.can_edit(channel))
            .cloned()
            .collect();
        for channel in stale {
            self.outbox.push(Notification::of_group(channel, id, Reason::Edit, severity, now));
        }
    }

    fn can_edit(&self, channel: &ChannelName) -> bool {
        self.rules.channels.get(channel).is_some_and(|channel| channel.can_edit())
    }

    fn worst(&self, id: GroupId) -> Severity {
        let members = self.groups.get(&id).map(|members| members.incidents.as_slice()).unwrap_or_default();
        members.iter().filter_map(|id| self.incidents.get(id)).map(|i| i.severity).max().unwrap_or(Severity::Info)
    }

    /// Something of a key is over: shows it, and closes the group if that was the last.
    pub(super) fn settle(&mut self, key: &Key, resolved: Option<IncidentId>) {
        let Some(id) = self.cells.get(key).and_then(|cell| cell.group) else { return };
        if resolved.is_some() {
            self.revise(id);
        }
        let Some(members) = self.groups.get(&id) else { return };
        let fires = members.incidents.iter().any(|id| self.incidents.get(id).is_some_and(|i| i.is_firing()));
        let held = members.group.held_until.is_some();
        match (fires || self.is_pending(key) || held, resolved) {
            (true, Some(_)) => self.refresh(id, &[]),
            (true, None) => {}
            (false, _) => self.close(id),
        }
    }

    fn is_pending(&self, key: &Key) -> bool {
        let Some(cell) = self.cells.get(key) else { return false };
        cell.incidents.iter().any(|(_, id)| self.incidents.get(id).is_some_and(|i| i.state == State::Pending))
    }

    /// All of it is over: says so wherever it was told, and lets the group go.
    fn close(&mut self, id: GroupId) {
        let severity = self.worst(id);
        let now = self.now;
        let Some(members) = self.groups.get_mut(&id) else { return };
        let group = &mut members.group;
        let loud = severity == Severity::Critical || now.since(group.opened_at) > LONG;
        let open: Vec<ChannelName> = group.told.iter().filter(|told| !told.over).map(|t| t.channel.clone()).collect();
        let known: Vec<ChannelName> = group.told.iter().map(|told| told.channel.clone()).collect();
        for told in &mut group.told {
            told.over = true;
        }
        group.closed_at = Some(now);
        group.held_until = None;
        let key = group.key.clone();
        for channel in known {
            let reason = match (self.can_edit(&channel), open.contains(&channel)) {
                (true, true) if loud => Reason::Reply,
                (true, _) => Reason::Edit,
                (false, true) => Reason::Post,
                // It was told that it is over, and nothing since.
                (false, false) => continue,
            };
            self.outbox.push(Notification::of_group(channel, id, reason, severity, now));
        }
        self.dirty_groups.insert(id);
        self.cell(&key).group = None;
        self.set_group_timer(now + self.memory(), Due::Forget(id), &key);
    }

    /// A held group's token may be there.
    pub(super) fn release(&mut self, id: GroupId) {
        let Some(members) = self.groups.get(&id) else { return };
        let key = members.group.key.clone();
        match members.group.held_until {
            Some(at) if at > self.now => return self.set_group_timer(at, Due::Held(id), &key),
            Some(_) => {}
            None => return,
        }
        let Some(first) =
            members.incidents.iter().filter_map(|id| self.incidents.get(id)).max_by_key(|i| i.is_firing())
        else {
            return;
        };
        let (first, rule, fires) = (first.id, Arc::clone(&first.rule), first.is_firing());
        let channels = if fires { self.owed(id) } else { self.unaware(id) };
        if !channels.is_empty()
            && let Err(at) = self.take_token(&key, &rule)
        {
            return self.hold(id, at, &key);
        }
        if let Some(members) = self.groups.get_mut(&id) {
            members.group.held_until = None;
        }
        self.dirty_groups.insert(id);
        self.effect(Transition::Released, first, channels.clone());
        if fires {
            return self.notify(id, &channels);
        }
        // Over before it could be told: one line says what was.
        let severity = self.worst(id);
        for channel in &channels {
            self.post(id, channel, severity);
        }
        if let Some(members) = self.groups.get_mut(&id) {
            for told in &mut members.group.told {
                // The post has said it; closing must not say it again.
                told.over = told.over || channels.contains(&told.channel);
            }
        }
        self.settle(&key, None);
    }

    /// Channels that should have heard of a group that is over by now and can't be told by an edit.
    fn unaware(&self, id: GroupId) -> Vec<ChannelName> {
        let Some(members) = self.groups.get(&id) else { return Vec::new() };
        let mut channels: Vec<ChannelName> = members
            .incidents
            .iter()
            .filter_map(|id| self.incidents.get(id))
            .flat_map(|incident| incident.notify.iter().cloned())
            .filter(|channel| self.told(id, channel).is_none() || !self.can_edit(channel))
            .collect();
        channels.sort();
        channels.dedup();
        channels
    }

    /// People may want to be reminded of a group that still fires.
    pub(super) fn repeat(&mut self, id: GroupId) {
        let by_channel = self.firing_by_channel(id);
        let Some(at) = self.next_repeat(id, &by_channel) else { return };
        let Some(members) = self.groups.get(&id) else { return };
        let key = members.group.key.clone();
        if at > self.now {
            return self.set_group_timer(at, Due::Repeat(id), &key);
        }
        if members.group.held_until.is_some() {
            return; // Told when the token frees, with the rest.
        }
        let Some(first) = members.incidents.iter().filter_map(|id| self.incidents.get(id)).find(|i| i.is_firing())
        else {
            return;
        };
        let (first, rule) = (first.id, Arc::clone(&first.rule));
        match self.take_token(&key, &rule) {
            Ok(()) => {
                let owed = self.owed(id);
                self.effect(Transition::Repeated, first, owed.clone());
                self.revise(id);
                self.notify(id, &owed);
            }
            Err(at) => {
                self.effect(Transition::Suppressed, first, Vec::new());
                self.hold(id, at, &key);
            }
        }
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
        let incidents: Vec<Incident> = members.incidents.iter().filter_map(|id| self.incidents.remove(id)).collect();
        if let Some(cell) = self.cells.get_mut(&key) {
            cell.incidents.retain(|(_, incident)| !members.incidents.contains(incident));
            cell.incidents.shrink_to_fit();
        }
        if let Some(buckets) = self.buckets.as_ref().filter(|_| self.groups.len().is_multiple_of(1024)) {
            buckets.shrink(self.now);
        }
        self.forgotten.push(id);
        let unwritten = incidents.iter().any(|incident| self.dirty_incidents.contains(&incident.id));
        if unwritten || self.dirty_groups.contains(&id) {
            self.parting.push((members.group, incidents));
        }
    }

    /// How long a closed group is remembered: it may come back, and late reports must be known as late.
    pub(super) fn memory(&self) -> Duration {
        self.rules.rules.iter().map(|rule| rule.reopen_within).max().unwrap_or_default().max(MEMORY)
    }

    fn revise(&mut self, id: GroupId) {
        if let Some(members) = self.groups.get_mut(&id) {
            members.group.revision += 1;
            self.dirty_groups.insert(id);
        }
    }
}

/// Where a rule's incident of this severity is told, by name.
fn channels(rules: &RuleSet, rule: &str, severity: Severity) -> Vec<ChannelName> {
    let Some(rule) = rules.rules.iter().find(|r| *r.name == *rule) else { return Vec::new() };
    let heard = |name: &&ChannelName| rules.channels.get(*name).is_some_and(|c| c.min_severity <= severity);
    rule.notify.as_ref().unwrap_or(&rules.notify).iter().filter(heard).cloned().collect()
}
