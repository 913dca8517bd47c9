//! What mutes keep from people, as far as it is over before them: counted, and told at their end. Pure.
//!
//! A trouble that still fires at the end of a mute is told by its own message; of one that began and ended unheard
//! nobody would ever hear. Of those there are numbers and the worst few by channel, however many they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{
    ChannelName, Incident, IncidentId, Missed, MuteId, Notice, Notification, Severity, TallyId, Timestamp,
};
use crate::rules::{Matchers, StandingMute};

use super::Engine;
use super::effect::{Effect, Transition};
use super::mute::{Source, covers, standing_until};
use super::mutes::Mutes;
use super::timers::Due;

/// What one mute has kept from people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) id: TallyId,
    channels: BTreeMap<ChannelName, Kept>,
    /// The channels in which the incidents of a number are counted: few sets, however many incidents.
    #[serde(default)]
    counted: BTreeMap<TallyId, Vec<ChannelName>>,
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

/// A mute that is over, and what it kept from people.
struct Over {
    /// What is said of the mute itself.
    missed: Missed,
    tally: Tally,
    /// Troubles that still fire and were held by this mute to its end, by channel.
    firing: BTreeMap<ChannelName, u64>,
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
        let at = self.worst.partition_point(|known| Missed::rank(known) < Missed::rank(incident));
        if at < Missed::NAMED {
            self.worst.truncate(Missed::NAMED - 1);
            self.worst.insert(at, incident.clone());
        }
        self.over = self.over.max(self.worst.len() as u64);
    }

    fn take(&mut self, id: IncidentId) {
        self.over = self.over.saturating_sub(1);
        self.worst.retain(|known| known.id != id);
    }
}

impl Tally {
    fn new(id: TallyId) -> Tally {
        Tally { id, channels: BTreeMap::new(), counted: BTreeMap::new() }
    }

    /// Takes in how an incident ended of which these channels did not hear. Gives the number that it is to carry from
    /// now on: `fresh`, if none is known for the channels in which it counts.
    fn add(&mut self, incident: &Incident, unaware: Vec<ChannelName>, fresh: TallyId) -> TallyId {
        let mut counts_in = self.counted.get(&incident.missed_in).cloned().unwrap_or_default();
        for channel in unaware {
            let place = counts_in.binary_search(&channel);
            self.channels.entry(channel.clone()).or_default().add(incident, place.is_ok());
            if let Err(place) = place {
                counts_in.insert(place, channel);
            }
        }
        let known = self.counted.iter().find(|(_, channels)| **channels == counts_in).map(|(number, _)| *number);
        known.unwrap_or_else(|| {
            self.counted.insert(fresh, counts_in);
            fresh
        })
    }

    /// An incident fires again: it is told with the others that do.
    fn take(&mut self, incident: &Incident) {
        for channel in self.counted.get(&incident.missed_in).into_iter().flatten() {
            if let Some(kept) = self.channels.get_mut(channel) {
                kept.take(incident.id);
            }
        }
    }
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
        let source = self.mutes_of(incident, wall).max();
        if unaware.is_empty() {
            return;
        }
        let (outline, fresh) = (incident.outline(), TallyId(self.last_tally.0.saturating_add(1)));
        let tally = match source {
            // What is muted for ever is nobody's news.
            Some((Timestamp::MAX, _)) => return,
            Some((until, source)) => self.tally_of(source, until, fresh),
            // The rules were changed.
            None => self.tally_of_gone(&outline, fresh),
        };
        let Some(tally) = tally else { return };
        let missed_in = tally.add(&outline, unaware, fresh);
        if missed_in == fresh {
            self.last_tally = fresh;
            self.dirty_counters = true;
        }
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.missed_in = missed_in;
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
        let new = || Tally::new(fresh);
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

    /// The account of a standing mute that is gone from the rules, as is the rule of what it held; it ends at once.
    fn tally_of_gone(&mut self, incident: &Incident, fresh: TallyId) -> Option<&mut Tally> {
        let is_gone = |held: &StandingTally| !self.rules.mutes.iter().any(|mute| held.is_of(mute));
        let held_it = |held: &StandingTally| Matchers::parse(&held.matchers).is_ok_and(|list| covers(&list, incident));
        // One that has kept nothing so far left nothing behind by which to name it.
        let is_it = |held: &StandingTally| is_gone(held) && (held.matchers.is_empty() || held_it(held));
        let known = self.standing.iter().find(|(_, held)| is_it(held)).map(|(id, _)| *id);
        let (id, until) = (known.unwrap_or(fresh), self.wall_now());
        let new = || StandingTally {
            matchers: "".into(),
            active: Vec::new(),
            reason: "".into(),
            until,
            tally: Tally::new(fresh),
        };
        self.dirty_standing.insert(id);
        self.set_mute_timer(until, Due::StandingMuteEnds(id));
        Some(&mut self.standing.entry(id).or_insert_with(new).tally)
    }

    /// Ends the mutes whose time is up, people's and standing ones: what they kept from people is told.
    pub(super) fn end_mutes(&mut self) {
        let wall = self.wall_now();
        let set = self.mutes.values().map(|muted| &muted.cover.mute).filter(|mute| mute.until <= wall);
        let set: Vec<MuteId> = set.map(|mute| mute.id).collect();
        let standing = self.standing.iter().filter(|(_, held)| held.until <= wall).map(|(id, _)| *id);
        let mut standing: Vec<TallyId> = standing.collect();
        standing.retain(|id| !self.goes_on(*id, wall));
        self.end(&set, &standing, How::Ended);
    }

    /// A standing mute's time may be up.
    pub(super) fn standing_mute_ends(&mut self, id: TallyId) {
        let Some(until) = self.standing.get(&id).map(|held| held.until) else { return };
        match until <= self.wall_now() {
            true => self.end_mutes(),
            false => self.set_mute_timer(until, Due::StandingMuteEnds(id)),
        }
    }

    /// Whether a standing mute whose time is up holds on: one interval follows another, or the clock was set back.
    fn goes_on(&mut self, id: TallyId, wall: Timestamp) -> bool {
        let Some(held) = self.standing.get_mut(&id) else { return false };
        let mute = self.rules.mutes.iter().find(|mute| held.is_of(mute));
        let until = mute.and_then(|mute| standing_until(mute, wall)).filter(|until| *until < Timestamp::MAX);
        let Some(until) = until else { return false };
        held.until = until;
        self.dirty_standing.insert(id);
        self.set_mute_timer(until, Due::StandingMuteEnds(id));
        true
    }

    /// Rules were changed: standing mutes that are gone are over.
    pub(super) fn end_orphans(&mut self) {
        let gone = |held: &StandingTally| !self.rules.mutes.iter().any(|mute| held.is_of(mute));
        let gone: Vec<TallyId> = self.standing.iter().filter(|(_, held)| gone(held)).map(|(id, _)| *id).collect();
        self.end(&[], &gone, How::Ended);
    }

    /// These mutes are over at this moment: what they kept from people is told.
    pub(super) fn end(&mut self, set: &[MuteId], standing: &[TallyId], how: How) {
        let (mut over, mut places, mut covered) = (Vec::new(), BTreeMap::new(), Mutes::default());
        for id in set {
            let Some(mut muted) = self.mutes.remove(*id) else { continue };
            self.dirty_mutes.insert(*id);
            let Some(tally) = muted.tally.take() else { continue };
            let mute = &muted.cover.mute;
            let missed = Missed {
                mute: Some(*id),
                matchers: mute.matchers.clone(),
                author: mute.author.clone(),
                reason: mute.reason.clone(),
                lifted: how == How::Lifted,
                ..Missed::default()
            };
            places.insert(Source::Set(*id), over.len());
            over.push(Over { missed, tally, firing: BTreeMap::new() });
            covered.insert(muted);
        }
        let rules = Arc::clone(&self.rules);
        for id in standing {
            let Some(held) = self.standing.remove(id) else { continue };
            self.dirty_standing.insert(*id);
            if let Some(place) = rules.mutes.iter().position(|mute| held.is_of(mute)) {
                places.insert(Source::Standing(place), over.len());
            }
            let missed = Missed { matchers: held.matchers, reason: held.reason, ..Missed::default() };
            over.push(Over { missed, tally: held.tally, firing: BTreeMap::new() });
        }
        if over.is_empty() {
            return;
        }
        // The last of those that held it, as of those that are over before anybody hears of them.
        let holder = |incident: &Incident| {
            let set = covered.covering(incident).map(|cover| Source::Set(cover.mute.id));
            let standing = places.range(..=Source::Standing(usize::MAX)).map(|(source, _)| source);
            let standing = standing.filter(|source| match source {
                Source::Standing(place) => rules.mutes.get(*place).is_some_and(|mute| covers(&mute.matchers, incident)),
                Source::Set(_) => false,
            });
            set.chain(standing.copied()).max().and_then(|source| places.get(&source).copied())
        };
        self.look_through(&mut over, holder);
        over.into_iter().for_each(|one| self.tell_missed(one));
    }

    /// Finds out what of it still fires, or does again. `holder` says which of these mutes held an incident to the end.
    fn look_through(&self, over: &mut [Over], holder: impl Fn(&Incident) -> Option<usize>) {
        let numbers =
            |(place, one): (usize, &Over)| one.tally.counted.keys().map(move |number| (*number, place)).collect();
        let places: BTreeMap<TallyId, usize> = over.iter().enumerate().flat_map::<Vec<_>, _>(numbers).collect();
        for incident in self.incidents.values().filter(|incident| incident.is_firing()) {
            if let Some(one) = places.get(&incident.missed_in).and_then(|place| over.get_mut(*place)) {
                one.tally.take(incident);
            }
            let was_held = incident.muted_until.is_some() && incident.inhibited_by.is_none();
            let holder = if was_held { holder(incident) } else { None };
            let Some(one) = holder.and_then(|place| over.get_mut(place)) else { continue };
            if self.muted_until(incident).is_none() {
                self.unaware_of(incident).into_iter().for_each(|channel| *one.firing.entry(channel).or_default() += 1);
            }
        }
    }

    /// Tells each channel once what a mute kept from it, if that is anything of which it would not hear else.
    fn tell_missed(&mut self, Over { missed: mute, mut tally, firing }: Over) {
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
