//! Who is notified of a group's news, when they are reminded, and which messages are brought up to date. Pure.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    ChannelName, GroupId, Holder, IncidentId, News, Notification, Reason, Severity, Shown, Timestamp, Told,
};

use super::Engine;
use super::audience;
use super::effect::Transition;
use super::timers::Due;

/// A channel as the firing members of a group concern it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Concern {
    channel: ChannelName,
    /// The worst of them.
    severity: Severity,
    /// The shortest `repeat_interval` of those that nobody has acknowledged.
    interval: Duration,
}

impl Engine {
    /// News of a firing incident: it opened, came back, or grew worse.
    pub(super) fn announce(&mut self, id: IncidentId, how: Transition) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let rules = Arc::clone(&self.rules);
        let Some(rule) = self.places.get(&incident.rule).map(|place| &rules.rules[*place as usize]) else { return };
        let (notify, key) = (audience::channels(&rules, rule, incident), incident.group_key().clone());
        let group = self.join(id, &key);
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.notify = self.audiences.share(&notify);
            incident.group = Some(group);
        }
        self.dirty_incidents.insert(id);
        self.revise(group);
        self.judge_silence(id);
        if let Some((at, holder)) = self.silence_of(id) {
            self.hold(group, at, holder);
            self.effect(how, id, Vec::new());
            self.effect(Transition::Suppressed, id, Vec::new());
            self.refresh(group, &[]);
            return;
        }
        let mut owed = self.owed(group);
        let wide = self.incidents.get(&id).filter(|i| i.key.stream().is_none() && how != Transition::Escalated);
        for channel in wide.map(|incident| &*incident.notify).unwrap_or_default() {
            // What is wider than a stream stands for many: no other trouble of its domain tells it in passing.
            if !owed.contains(channel) {
                owed.push(channel.clone());
            }
        }
        owed.sort_unstable();
        let wide_is_none = self.incidents.get(&id).is_some_and(|incident| incident.key.stream().is_some());
        // Growing worse is always told at once; so is a second trouble that is worse than what people know.
        let worse = how == Transition::Escalated || (wide_is_none && self.only_worse(group, &owed));
        let told = match owed.is_empty() {
            true => Vec::new(),
            false if worse => owed,
            false => match self.take_token(id) {
                Ok(()) => owed,
                Err(at) => {
                    self.hold(group, at, Holder::RateLimit);
                    self.effect(how, id, Vec::new());
                    self.effect(Transition::Suppressed, id, Vec::new());
                    self.refresh(group, &[]);
                    self.arm_repeat(group);
                    return;
                }
            },
        };
        self.effect(how, id, told.clone());
        self.notify(group, &told, how.news());
        self.refresh(group, &told);
    }

    /// The channels in which people are owed a notification now, by name.
    pub(super) fn owed(&self, id: GroupId) -> Vec<ChannelName> {
        let mut owed = Vec::new();
        for Concern { channel, severity, interval } in self.concerns(id) {
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

    pub(super) fn told(&self, id: GroupId, channel: &ChannelName) -> Option<&Told> {
        self.groups.get(&id)?.group.told.iter().find(|told| told.channel == *channel)
    }

    /// Channels of the firing members that are neither muted nor part of another incident, by name.
    fn concerns(&self, id: GroupId) -> Vec<Concern> {
        let mut concerns: Vec<Concern> = Vec::new();
        for incident in self.members(id).filter(|i| i.is_firing() && !super::hold::is_silent(i)) {
            let rule = self.places.get(&incident.rule).map(|place| &self.rules.rules[*place as usize]);
            let interval = match (&incident.ack, rule) {
                (None, Some(rule)) => rule.repeat_interval,
                (Some(_), _) | (None, None) => Duration::MAX,
            };
            for channel in &*incident.notify {
                match concerns.iter_mut().find(|known| known.channel == *channel) {
                    Some(known) => {
                        known.severity = incident.severity.max(known.severity);
                        known.interval = interval.min(known.interval);
                    }
                    None => {
                        concerns.push(Concern { channel: channel.clone(), severity: incident.severity, interval });
                    }
                }
            }
        }
        concerns.sort();
        concerns
    }

    /// Notifies people in these channels of such news.
    pub(super) fn notify(&mut self, id: GroupId, channels: &[ChannelName], news: News) {
        let concerns = self.concerns(id);
        for channel in channels {
            let severity = concerns.iter().find(|known| known.channel == *channel).map(|known| known.severity);
            self.post(id, channel, severity.unwrap_or(Severity::Info), news);
        }
        let owed = self.owed(id);
        if let Some(members) = self.groups.get_mut(&id).filter(|_| owed.is_empty()) {
            let group = &mut members.group;
            // What is muted or part of another still waits for that to end.
            if group.held_by == Some(Holder::RateLimit) {
                group.held_until = None;
                group.held_by = None;
            }
        }
        self.dirty_groups.insert(id);
        self.arm_repeat(id);
    }

    /// Sets the timer of the next reminder; a new member may bring it forward.
    pub(super) fn arm_repeat(&mut self, id: GroupId) {
        let Some(at) = self.next_repeat(id) else { return };
        let Some(members) = self.groups.get(&id) else { return };
        let key = members.group.key.clone();
        self.set_group_timer(at.max(self.now), Due::Repeat(id), &key);
    }

    /// When the first channel is to be reminded, if it goes on until then.
    fn next_repeat(&self, id: GroupId) -> Option<Timestamp> {
        let at = |concern: &Concern| {
            let told = self.told(id, &concern.channel).filter(|told| !told.over)?;
            (concern.interval < Duration::MAX).then(|| told.at + concern.interval)
        };
        self.concerns(id).iter().filter_map(at).min()
    }

    /// One notification that reaches people: a reply under the living message, or a post.
    pub(super) fn post(&mut self, id: GroupId, channel: &ChannelName, severity: Severity, news: News) {
        let (now, editable) = (self.now, self.can_edit(channel));
        let news = self.news_to(id, channel, severity, news);
        let Some(members) = self.groups.get_mut(&id) else { return };
        let reason = match members.group.told.iter_mut().find(|told| told.channel == *channel) {
            Some(told) => {
                told.severity = told.severity.max(severity);
                told.at = now;
                if editable && std::mem::take(&mut told.over) {
                    members.group.shown = Some(Shown { since: now, at: now });
                }
                told.over = false;
                if editable { Reason::Reply } else { Reason::Post }
            }
            None => {
                let told = Told { channel: channel.clone(), severity, at: now, over: false };
                members.group.told.reserve_exact(1);
                members.group.told.push(told);
                if editable {
                    members.group.shown.get_or_insert(Shown { since: now, at: now });
                }
                Reason::Post
            }
        };
        if editable {
            self.catch_up(id);
        }
        self.outbox.push(Notification::of_group(channel.clone(), id, (reason, news), severity, now));
    }

    /// What news of an incident are to a channel, by what it was told of the group so far.
    fn news_to(&self, id: GroupId, channel: &ChannelName, severity: Severity, news: News) -> News {
        match (self.told(id, channel), news) {
            (Some(told), _) if !told.over && told.severity < severity => News::Escalated,
            (_, News::Released) => News::Released,
            (Some(told), _) if told.over => News::Reopened,
            (Some(_), news) => news,
            (None, _) => News::Opened,
        }
    }

    /// Brings living messages up to date where people were told and are not being told just now.
    pub(super) fn refresh(&mut self, id: GroupId, except: &[ChannelName]) {
        self.show(id, except, News::Changed);
    }

    /// The same, with a reason of its own.
    pub(super) fn show(&mut self, id: GroupId, except: &[ChannelName], news: News) {
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
        if !stale.is_empty() {
            self.catch_up(id);
        }
        for channel in stale {
            self.outbox.push(Notification::of_group(channel, id, (Reason::Edit, news), severity, now));
        }
    }

    pub(super) fn can_edit(&self, channel: &ChannelName) -> bool {
        self.rules.channels.get(channel).is_some_and(|channel| channel.can_edit())
    }

    /// People may want to be reminded of a group that still fires.
    pub(super) fn repeat(&mut self, id: GroupId) {
        let Some(at) = self.next_repeat(id) else { return };
        let Some(members) = self.groups.get(&id) else { return };
        let (key, held) = (members.group.key.clone(), members.group.held_by);
        if at > self.now {
            return self.set_group_timer(at, Due::Repeat(id), &key);
        }
        if held == Some(Holder::RateLimit) {
            return; // Told when the token frees, with the rest.
        }
        // A standing mute's time may have begun since: it is held until that is over.
        self.judge_silence_of(id, News::Changed);
        self.hold_silent(id);
        match self.next_repeat(id) {
            Some(at) if at <= self.now => {}
            Some(at) => return self.set_group_timer(at, Due::Repeat(id), &key),
            None => return,
        }
        let first = self.members(id).find(|incident| incident.is_firing() && !super::hold::is_silent(incident));
        let Some(first) = first.map(|incident| incident.id) else { return };
        match self.take_token(first) {
            Ok(()) => {
                let owed = self.owed(id);
                self.effect(Transition::Repeated, first, owed.clone());
                self.revise(id);
                self.notify(id, &owed, News::Repeated);
            }
            Err(at) => {
                self.effect(Transition::Suppressed, first, Vec::new());
                self.hold(id, at, Holder::RateLimit);
            }
        }
    }

    /// Notices about pushwatch itself go to the channels of `defaults.notify`.
    pub(super) fn give_notice(&mut self, notice: &crate::model::Notice) {
        let rules = Arc::clone(&self.rules);
        for channel in rules.notify.iter().filter(|name| rules.channels.contains_key(*name)) {
            let row = Notification::of_notice(channel.clone(), notice.clone(), Severity::Warning, self.now);
            self.outbox.push(row);
        }
    }
}
