//! What mutes keep from people, as far as it is over before them: counted, and told at their end. Pure.
//!
//! A trouble that still fires at the end of a mute is told by its own message; of one that began and ended unheard
//! nobody would ever hear. Of those there are numbers and the worst few by channel, however many they are.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{
    ChannelName, Incident, IncidentId, Missed, MuteId, Notice, Notification, Severity, TallyId, Timestamp,
};
use crate::rules::StandingMute;

use super::Engine;
use super::effect::{Effect, Transition};
use super::mute::{Source, covers, standing_until};
use super::timers::Due;

/// Troubles that are named of those that a mute kept from a channel.
const NAMED: usize = 5;

/// What one mute has kept from people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) id: TallyId,
    channels: BTreeMap<ChannelName, Kept>,
}

/// What was kept from one channel and is over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Kept {
    /// How many incidents.
    over: u64,
    /// The worst of them first.
    worst: Vec<Incident>,
}

/// What a standing mute has kept from people since its time began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct StandingTally {
    matchers: Box<str>,
    /// The names of its intervals.
    active: Vec<Box<str>>,
    reason: Box<str>,
    /// When its time is up, by the wall clock.
    pub(super) until: Timestamp,
    pub(super) tally: Tally,
}

/// How a mute is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Its time was up.
    Ended,
    /// Somebody lifted it.
    Lifted,
}

impl Kept {
    /// Takes in how an incident ended, which is counted already or not.
    fn add(&mut self, incident: &Incident, is_counted: bool) {
        self.over = self.over.saturating_add(u64::from(!is_counted));
        self.worst.retain(|known| known.id != incident.id);
        let rank = |one: &Incident| (Reverse(one.severity), Reverse(lasted(one)), one.id);
        let at = self.worst.partition_point(|known| rank(known) < rank(incident));
        if at < NAMED {
            self.worst.truncate(NAMED - 1);
            self.worst.insert(at, incident.clone());
        }
        self.over = self.over.max(self.worst.len() as u64);
    }

    /// An incident fires again: it is told with the others that do.
    fn take(&mut self, id: IncidentId) {
        self.over = self.over.saturating_sub(1);
        self.worst.retain(|known| known.id != id);
    }
}

fn lasted(incident: &Incident) -> std::time::Duration {
    incident.resolved_at.unwrap_or(incident.last_at).since(incident.since)
}

impl StandingTally {
    fn is_of(&self, mute: &StandingMute) -> bool {
        let names = mute.active.iter().map(|interval| &*interval.name);
        names.eq(self.active.iter().map(|name| &**name)) && mute.matchers.to_string() == *self.matchers
    }
}

impl Engine {
    /// A trouble is over that people did not hear of because of a mute: the end of the mute will say so.
    pub(super) fn miss(&mut self, id: IncidentId) {
        let Some(incident) = self.incidents.get(&id) else { return };
        // What is part of another is told by that one.
        let (Some(until), None) = (incident.muted_until, incident.inhibited_by) else { return };
        let unaware = self.unaware_of(incident);
        // By the clock at the last moment of the mute at the latest: both may end at once.
        let wall = self.wall_now().min(Timestamp(until.0.saturating_sub(1)));
        let source = self.mutes_of(incident, wall).max().filter(|(until, _)| *until < Timestamp::MAX);
        let (false, Some((until, source))) = (unaware.is_empty(), source) else { return };
        let (outline, counted_in) = (incident.outline(), incident.missed_in);
        let fresh = TallyId(self.last_tally.0.saturating_add(1));
        let Some(tally) = self.tally_of(source, until, fresh) else { return };
        for channel in unaware {
            tally.channels.entry(channel).or_default().add(&outline, counted_in == tally.id);
        }
        let tally = tally.id;
        if tally == fresh {
            self.last_tally = fresh;
            self.dirty_counters = true;
        }
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.missed_in = tally;
            self.dirty_incidents.insert(id);
        }
    }

    /// The channels of an incident in which people do not know that anything of its group fires.
    fn unaware_of(&self, incident: &Incident) -> Vec<ChannelName> {
        let told = |channel: &ChannelName| incident.group.and_then(|group| self.told(group, channel));
        let unaware = incident.notify.iter().filter(|channel| told(channel).is_none_or(|told| told.over));
        unaware.cloned().collect()
    }

    /// The account of a mute that ends then; a new one if it has none yet.
    fn tally_of(&mut self, source: Source, until: Timestamp, fresh: TallyId) -> Option<&mut Tally> {
        let new = || Tally { id: fresh, channels: BTreeMap::new() };
        let place = match source {
            Source::Set(id) => {
                self.dirty_mutes.insert(id);
                return self.mutes.get_mut(id).map(|muted| muted.tally.get_or_insert_with(new));
            }
            Source::Standing(place) => place,
        };
        let mute = self.rules.mutes.get(place)?;
        let known = self.standing.iter().find(|(_, held)| held.is_of(mute)).map(|(id, _)| *id);
        let id = known.unwrap_or(fresh);
        self.dirty_standing.insert(id);
        if known.is_none() {
            let held = StandingTally {
                matchers: mute.matchers.to_string().into(),
                active: mute.active.iter().map(|interval| interval.name.clone()).collect(),
                reason: mute.reason.as_str().into(),
                until,
                tally: new(),
            };
            self.standing.insert(id, held);
            self.set_mute_timer(until, Due::StandingMuteEnds(id));
        }
        self.standing.get_mut(&id).map(|held| &mut held.tally)
    }

    /// A person's mute is over: what it kept from people is told.
    pub(super) fn end(&mut self, id: MuteId, how: How) {
        let Some(muted) = self.mutes.remove(id) else { return };
        self.dirty_mutes.insert(id);
        let (Some(tally), cover) = (muted.tally, muted.cover) else { return };
        let mute = &cover.mute;
        let missed = Missed {
            mute: Some(id),
            matchers: mute.matchers.clone(),
            author: mute.author.clone(),
            reason: mute.reason.clone(),
            lifted: how == How::Lifted,
            over: 0,
            firing: 0,
            worst: Vec::new(),
        };
        self.tell_missed(&missed, tally, |incident| cover.covers(incident));
    }

    /// A standing mute's time may be up.
    pub(super) fn standing_mute_ends(&mut self, id: TallyId) {
        let wall = self.wall_now();
        let Some(held) = self.standing.get_mut(&id) else { return };
        let mute = self.rules.mutes.iter().find(|mute| held.is_of(mute));
        let until = mute.and_then(|mute| standing_until(mute, wall)).filter(|until| *until < Timestamp::MAX);
        match until {
            // One interval follows another, or the clock was set back.
            Some(until) => {
                held.until = until;
                self.dirty_standing.insert(id);
                self.set_mute_timer(until, Due::StandingMuteEnds(id));
            }
            None => self.end_standing(id),
        }
    }

    /// Rules were changed: standing mutes that are gone are over.
    pub(super) fn end_orphans(&mut self) {
        let gone = |held: &StandingTally| !self.rules.mutes.iter().any(|mute| held.is_of(mute));
        let gone: Vec<TallyId> = self.standing.iter().filter(|(_, held)| gone(held)).map(|(id, _)| *id).collect();
        gone.into_iter().for_each(|id| self.end_standing(id));
    }

    fn end_standing(&mut self, id: TallyId) {
        let Some(held) = self.standing.remove(&id) else { return };
        self.dirty_standing.insert(id);
        let rules = std::sync::Arc::clone(&self.rules);
        let mute = rules.mutes.iter().find(|mute| held.is_of(mute));
        let missed = Missed {
            mute: None,
            matchers: held.matchers,
            author: "".into(),
            reason: held.reason,
            lifted: false,
            over: 0,
            firing: 0,
            worst: Vec::new(),
        };
        self.tell_missed(&missed, held.tally, |incident| mute.is_some_and(|mute| covers(&mute.matchers, incident)));
    }

    /// Tells each channel once what a mute kept from it, if that is anything of which it would not hear else.
    fn tell_missed(&mut self, mute: &Missed, mut tally: Tally, covers: impl Fn(&Incident) -> bool) {
        let mut firing: BTreeMap<ChannelName, u64> = BTreeMap::new();
        for incident in self.incidents.values().filter(|incident| incident.is_firing()) {
            if incident.missed_in == tally.id {
                let channels = tally.channels.iter_mut().filter(|(channel, _)| incident.notify.contains(channel));
                channels.for_each(|(_, kept)| kept.take(incident.id));
            }
            let was_held = incident.muted_until.is_some() && incident.inhibited_by.is_none() && covers(incident);
            if was_held && self.muted_until(incident).is_none() {
                self.unaware_of(incident).into_iter().for_each(|channel| *firing.entry(channel).or_default() += 1);
            }
        }
        tally.channels.retain(|channel, kept| kept.over > 0 && self.rules.channels.contains_key(channel));
        let mut by_worst: BTreeMap<IncidentId, (Incident, Vec<ChannelName>)> = BTreeMap::new();
        for (channel, Kept { over, worst }) in tally.channels {
            if let Some(first) = worst.first() {
                by_worst.entry(first.id).or_insert_with(|| (first.clone(), Vec::new())).1.push(channel.clone());
            }
            let firing = firing.get(&channel).copied().unwrap_or_default();
            self.say(channel, Notice::MuteOver(Box::new(Missed { over, firing, worst, ..mute.clone() })));
        }
        for (worst, channels) in by_worst.into_values() {
            self.effects.push(Effect {
                at: self.now,
                is: Transition::Released,
                incident: worst.id,
                group: worst.group.unwrap_or_default(),
                rule: worst.rule,
                key: worst.key,
                severity: worst.severity,
                notify: channels,
            });
        }
    }

    /// A notice to one channel that is no alarm.
    pub(super) fn say(&mut self, channel: ChannelName, notice: Notice) {
        self.outbox.push(Notification::of_notice(channel, notice, Severity::Info, self.now));
    }
}
