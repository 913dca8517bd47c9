//! What holds news back: the rate limit, a mute, an incident of which this one is part; and when it is let go. Pure.

use crate::model::{ChannelName, GroupId, Holder, Incident, IncidentId, Key, News, State, Timestamp};

use super::effect::Transition;
use super::limit::Buckets;
use super::timers::Due;
use super::{Engine, NO_RULE};

/// Whether people hear nothing of it, although it fires.
pub(super) fn is_silent(incident: &Incident) -> bool {
    incident.muted_until.is_some() || incident.inhibited_by.is_some()
}

impl Engine {
    /// The token of the stream (or of whatever it is about), and the rule's own if it has a bucket.
    pub(super) fn take_token(&mut self, id: IncidentId) -> Result<(), Timestamp> {
        let Some(incident) = self.incidents.get(&id) else { return Ok(()) };
        let own = self.places.get(&incident.rule).copied();
        let key = incident.key.clone();
        let shared = key.stream().map_or_else(|| key.clone(), |stream| Key::Stream(stream.clone()));
        let buckets = own.map(|place| (place, key)).into_iter().chain([(NO_RULE, shared)]);
        for (place, key) in buckets {
            let Some(buckets) = self.buckets(place) else { continue };
            buckets.take(&key, self.now)?;
            let known = self.cells.get(&key).and_then(|cell| cell.full_at.iter().find(|(p, _)| *p == place));
            let full_at = buckets.full_again(known.map_or(Timestamp(0), |(_, at)| *at), self.now);
            let cell = self.cell(&key);
            match cell.full_at.iter_mut().find(|(p, _)| *p == place) {
                Some((_, at)) => *at = full_at,
                None => cell.full_at.push((place, full_at)),
            }
            self.dirty_cells.insert(key);
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

    /// Until when, and by what, people are kept from hearing of a firing incident.
    pub(super) fn silence_of(&self, id: IncidentId) -> Option<(Timestamp, Holder)> {
        let incident = self.incidents.get(&id)?;
        match (incident.muted_until, incident.inhibited_by) {
            (Some(until), _) => Some((self.wall.journal_time(until), Holder::Mute)),
            (None, Some(source)) => Some((self.freed_at(source), Holder::Inhibition)),
            (None, None) => None,
        }
    }

    /// Holds the news of a group back until then, or until what held it already lets go, if that is earlier.
    pub(super) fn hold(&mut self, id: GroupId, at: Timestamp, holder: Holder) {
        let Some(members) = self.groups.get_mut(&id) else { return };
        let group = &mut members.group;
        if group.held_until.is_none_or(|held| held > at) || group.held_until.is_some_and(|held| held <= self.now) {
            group.held_until = Some(at);
            group.held_by = Some(holder);
        }
        let key = group.key.clone();
        self.dirty_groups.insert(id);
        if at < Timestamp::MAX {
            self.set_group_timer(at, Due::Held(id), &key);
        }
    }

    /// What held a group back may be over.
    pub(super) fn release(&mut self, id: GroupId) {
        let Some(members) = self.groups.get(&id) else { return };
        let key = members.group.key.clone();
        match members.group.held_until {
            Some(at) if at > self.now => {
                if at < Timestamp::MAX {
                    self.set_group_timer(at, Due::Held(id), &key);
                }
                return;
            }
            Some(_) => {}
            None => return,
        }
        self.judge_silence_of(id, News::Changed);
        let loud = self.members(id).find(|i| i.is_firing() && !is_silent(i)).map(|i| i.id);
        let silent = self.members(id).any(|i| i.is_firing() && is_silent(i));
        match (loud, silent) {
            (Some(first), _) => self.let_go(id, first),
            (None, true) => self.hold_on(id),
            (None, false) => self.tell_what_was(id, &key),
        }
    }

    /// Something fires that people may hear of now.
    fn let_go(&mut self, id: GroupId, first: IncidentId) {
        let owed = self.owed(id);
        if !owed.is_empty()
            && let Err(at) = self.take_token(first)
        {
            return self.hold(id, at, Holder::RateLimit);
        }
        self.free(id);
        if !owed.is_empty() {
            self.effect(Transition::Released, first, owed.clone());
        }
        self.notify(id, &owed, News::Released);
        self.hold_silent(id);
    }

    /// What fires and is kept from people is looked at again when the first of it is not.
    pub(super) fn hold_silent(&mut self, id: GroupId) {
        let silent = self.members(id).filter(|i| i.is_firing() && is_silent(i));
        let silent: Vec<IncidentId> = silent.map(|i| i.id).collect();
        for incident in silent {
            if let Some((at, holder)) = self.silence_of(incident) {
                self.hold(id, at, holder);
            }
        }
    }

    /// Over before it could be told: after a rate limit one line says what was; what was part of another needs none,
    /// what was muted is told with the mute's end, and what was told is closed.
    fn tell_what_was(&mut self, id: GroupId, key: &Key) {
        let unaware = self.unaware(id);
        if let Err(at) = self.tell_over(id, &unaware) {
            return self.hold(id, at, Holder::RateLimit);
        }
        self.free(id);
        self.settle(key, None);
    }

    /// All that still fires is kept from people. What was over before the rate limit let it be told is told even so.
    fn hold_on(&mut self, id: GroupId) {
        let news = |channel: &ChannelName| match self.told(id, channel) {
            None => true,
            Some(told) => {
                let since = |i: &Incident| !is_silent(i) && i.notify.contains(channel) && i.opened_at > told.at;
                told.over && self.members(id).any(|incident| !incident.is_firing() && since(incident))
            }
        };
        let unaware: Vec<ChannelName> = self.unaware(id).into_iter().filter(|channel| news(channel)).collect();
        if let Err(at) = self.tell_over(id, &unaware) {
            return self.hold(id, at, Holder::RateLimit);
        }
        self.free(id);
        self.hold_silent(id);
    }

    /// Says in one line what was, where people are unaware of it because of the rate limit; or when there is a token.
    fn tell_over(&mut self, id: GroupId, unaware: &[ChannelName]) -> Result<(), Timestamp> {
        let limited = self.groups.get(&id).is_some_and(|members| members.group.held_by == Some(Holder::RateLimit));
        let over = || self.members(id).filter(|incident| !incident.is_firing() && !is_silent(incident));
        let (last, severity) = (over().last().map(|incident| incident.id), over().map(|i| i.severity).max());
        let (true, false, Some(last), Some(severity)) = (limited, unaware.is_empty(), last, severity) else {
            return Ok(());
        };
        self.take_token(last)?;
        self.effect(Transition::Released, last, unaware.to_vec());
        for channel in unaware {
            self.post(id, channel, severity, News::Released);
        }
        if let Some(members) = self.groups.get_mut(&id) {
            for told in &mut members.group.told {
                // The post has said it; closing must not say it again.
                told.over = told.over || unaware.contains(&told.channel);
            }
        }
        Ok(())
    }

    /// Nothing holds a group any more.
    fn free(&mut self, id: GroupId) {
        if let Some(members) = self.groups.get_mut(&id) {
            members.group.held_until = None;
            members.group.held_by = None;
        }
        self.dirty_groups.insert(id);
    }

    /// Channels that should have heard of what is over of a group by now and can't be told by an edit.
    fn unaware(&self, id: GroupId) -> Vec<ChannelName> {
        let mut channels: Vec<ChannelName> = self
            .members(id)
            .filter(|incident| !incident.is_firing() && !is_silent(incident))
            .flat_map(|incident| incident.notify.iter().cloned())
            .filter(|channel| self.told(id, channel).is_none() || !self.can_edit(channel))
            .collect();
        channels.sort();
        channels.dedup();
        channels
    }

    /// Looks anew at what keeps people from hearing of the firing members of a group; the message shows a change.
    pub(super) fn judge_silence_of(&mut self, id: GroupId, news: News) {
        let firing: Vec<IncidentId> = self.members(id).filter(|i| i.state == State::Firing).map(|i| i.id).collect();
        let mut changed = false;
        for incident in firing {
            changed |= self.judge_silence(incident);
        }
        if changed {
            self.revise(id);
            self.show(id, &[], news);
        }
    }

    /// Looks anew at what keeps people from hearing of an incident. Returns whether that changed.
    pub(super) fn judge_silence(&mut self, id: IncidentId) -> bool {
        let Some(incident) = self.incidents.get(&id) else { return false };
        let (muted_until, inhibited_by) = (self.muted_until(incident), self.inhibitor(incident));
        let changed = incident.muted_until != muted_until || incident.inhibited_by != inhibited_by;
        if let Some(incident) = self.incidents.get_mut(&id).filter(|_| changed) {
            incident.muted_until = muted_until;
            incident.inhibited_by = inhibited_by;
            self.dirty_incidents.insert(id);
        }
        changed
    }
}
