//! Mutes, people's and standing ones, and acknowledgements: they still the posts, never the engine. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    Ack, ChannelName, GroupId, Holder, Incident, IncidentId, Key, Mute, MuteId, News, Notice, Timestamp,
};
use crate::rules::{Matchers, Rule, StandingMute};

use super::missed::{How, Tally};
use super::timers::{Due, MUTES, Timer};
use super::{Engine, Members};

/// The end of a mute that was set for longer than this is announced.
const LONG: Duration = Duration::from_secs(2 * 3600);

/// So long before.
const AHEAD: Duration = Duration::from_secs(10 * 60);

/// A person's mute, ready to be asked.
#[derive(Clone, Debug)]
pub(super) struct Muted {
    pub(super) cover: Arc<Cover>,
    /// When it was first set, by the wall clock: one that is made longer is as long as both together.
    pub(super) since: Timestamp,
    /// People were told that it ends soon, or there is no need to.
    pub(super) is_announced: bool,
    /// What it has kept from people.
    pub(super) tally: Option<Tally>,
}

/// What a person's mute covers.
#[derive(Clone, Debug)]
pub(super) struct Cover {
    pub(super) mute: Mute,
    pub(super) matchers: Matchers,
}

/// A mute by where it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The place of one that stands in the rules.
    Standing(usize),
    /// One that a person set.
    Set(MuteId),
}

impl Cover {
    pub(super) fn covers(&self, incident: &Incident) -> bool {
        self.mute.reaches(incident) && covers(&self.matchers, incident)
    }
}

impl Muted {
    /// When its end is to be announced, by the wall clock; `None` if it is not.
    fn announced_at(&self) -> Option<Timestamp> {
        let mute = &self.cover.mute;
        let at = mute.until - AHEAD;
        let is_long = mute.until.since(self.since) > LONG;
        // Whoever has just said so needs no telling.
        (is_long && !self.is_announced && at > mute.set_at).then_some(at)
    }
}

pub(super) fn covers(matchers: &Matchers, incident: &Incident) -> bool {
    matchers.hold(|name| incident.label(name))
}

/// Until when a standing mute holds, by the wall clock; `None` if it does not.
pub(super) fn standing_until(mute: &StandingMute, wall: Timestamp) -> Option<Timestamp> {
    let active = mute.active.iter().filter(|interval| interval.holds(wall));
    match mute.active.as_slice() {
        [] => Some(Timestamp::MAX),
        _ => active.map(|interval| interval.next_change(wall)).max(),
    }
}

impl Engine {
    /// What the wall clock shows now.
    pub(super) fn wall_now(&self) -> Timestamp {
        self.wall.read(self.seq, self.now)
    }

    /// Until when posts about an incident are muted, by the wall clock; `None` if they are not.
    pub(super) fn muted_until(&self, incident: &Incident) -> Option<Timestamp> {
        self.mutes_of(incident, self.wall_now()).map(|(until, _)| until).max()
    }

    /// The mutes that cover an incident at a moment of the wall clock, and when each ends.
    pub(super) fn mutes_of(&self, incident: &Incident, wall: Timestamp) -> impl Iterator<Item = (Timestamp, Source)> {
        let standing = self.rules.mutes.iter().enumerate().filter_map(move |(place, mute)| {
            let until = standing_until(mute, wall).filter(|_| covers(&mute.matchers, incident))?;
            Some((until, Source::Standing(place)))
        });
        let set = self.mutes.covering(incident).filter(move |cover| cover.mute.until > wall);
        standing.chain(set.map(|cover| (cover.mute.until, Source::Set(cover.mute.id))))
    }

    /// A person set a mute.
    pub(super) fn mute(&mut self, mute: &Mute) {
        // Whoever journaled it has read it; what can't be read covers nothing.
        let Ok(matchers) = Matchers::parse(&mute.matchers) else { return };
        self.end_mutes();
        let (id, cover) = (mute.id, Arc::new(Cover { mute: mute.clone(), matchers }));
        // One of the same number is replaced: it was made longer, for example.
        let before = self.mutes.remove(id);
        let (since, tally) = match &before {
            Some(before) => (before.since, before.tally.clone()),
            None => (mute.set_at, None),
        };
        self.mutes.insert(Muted { cover: Arc::clone(&cover), since, is_announced: false, tally });
        self.dirty_mutes.insert(id);
        self.arm_mute(id);
        self.look_anew(News::Answered, |incident| {
            cover.covers(incident) || before.as_ref().is_some_and(|before| before.cover.covers(incident))
        });
    }

    /// A mute was lifted: what it kept back is told now.
    pub(super) fn unmute(&mut self, id: MuteId) {
        self.end_mutes();
        let Some(cover) = self.mutes.get(id).map(|muted| Arc::clone(&muted.cover)) else { return };
        self.end(&[id], &[], How::Lifted);
        self.look_anew(News::Answered, |incident| cover.covers(incident));
    }

    /// A person has an incident in hand.
    pub(super) fn acknowledge(&mut self, id: IncidentId, by: &str) {
        let ack = Ack { by: by.into(), at: self.now };
        let Some(incident) = self.incidents.get_mut(&id).filter(|i| i.is_firing()) else { return };
        incident.ack = Some(Box::new(ack));
        self.dirty_incidents.insert(id);
        if let Some(group) = incident.group {
            self.revise(group);
            self.show(group, &[], News::Answered);
        }
    }

    /// The wall clock was set, or the rules were changed: looks anew at all that fires and all that a mute holds.
    pub(super) fn judge_all(&mut self) {
        self.end_mutes();
        self.arm_mutes();
        self.look_anew(News::Changed, |_| true);
    }

    /// Looks anew at the groups in which any of these fires: only their mutes may have changed. `news` says whether that
    /// is a person's answer, who looks whether it was heard.
    fn look_anew(&mut self, news: News, concerns: impl Fn(&Incident) -> bool) {
        let concerned = |members: &&Members| {
            let mut incidents = members.incidents.iter().filter_map(|id| self.incidents.get(id));
            members.group.closed_at.is_none() && incidents.any(|incident| incident.is_firing() && concerns(incident))
        };
        let mut open: Vec<GroupId> = self.groups.values().filter(concerned).map(|members| members.group.id).collect();
        open.sort_unstable();
        for id in open {
            self.judge_silence_of(id, news);
            let silent = self.members(id).any(|incident| incident.is_firing() && super::hold::is_silent(incident));
            let Some(members) = self.groups.get_mut(&id) else { continue };
            let group = &mut members.group;
            if silent || group.held_by == Some(Holder::Mute) {
                group.held_by = group.held_by.or(Some(Holder::Mute));
                group.held_until = Some(self.now);
                let key = group.key.clone();
                self.dirty_groups.insert(id);
                self.set_group_timer(self.now, Due::Held(id), &key);
            }
        }
    }

    /// Sets the timers of all mutes, by the wall clock as it is now.
    pub(super) fn arm_mutes(&mut self) {
        let ids: Vec<MuteId> = self.mutes.values().map(|muted| muted.cover.mute.id).collect();
        ids.into_iter().for_each(|id| self.arm_mute(id));
        let tallies: Vec<_> = self.standing.iter().map(|(id, held)| (held.until, Due::StandingMuteEnds(*id))).collect();
        tallies.into_iter().for_each(|(until, due)| self.set_mute_timer(until, due));
    }

    fn arm_mute(&mut self, id: MuteId) {
        let Some(muted) = self.mutes.get(id) else { return };
        let (until, announced_at) = (muted.cover.mute.until, muted.announced_at());
        self.set_mute_timer(until, Due::MuteEnds(id));
        if let Some(at) = announced_at {
            self.set_mute_timer(at, Due::MuteEndsSoon(id));
        }
    }

    /// `at` is by the wall clock.
    pub(super) fn set_mute_timer(&mut self, at: Timestamp, due: Due) {
        self.set_timer(self.wall.journal_time(at), due);
    }

    fn set_timer(&mut self, at: Timestamp, due: Due) {
        if at < Timestamp::MAX {
            self.timers.set(Timer { at, rule: MUTES, key: Key::All {}, due });
        }
    }

    /// A mute's time may be up.
    pub(super) fn mute_ends(&mut self, id: MuteId) {
        let Some(until) = self.mutes.get(id).map(|muted| muted.cover.mute.until) else { return };
        match until <= self.wall_now() {
            true => self.end_mutes(),
            false => self.set_mute_timer(until, Due::MuteEnds(id)),
        }
    }

    /// A mute may be near its end: says so where it was set, or where it is felt.
    pub(super) fn mute_ends_soon(&mut self, id: MuteId) {
        let Some(muted) = self.mutes.get(id) else { return };
        let (Some(at), cover) = (muted.announced_at(), Arc::clone(&muted.cover)) else { return };
        let wall = self.wall_now();
        if at > wall {
            return self.set_mute_timer(at, Due::MuteEndsSoon(id));
        }
        if self.now < self.heard_since {
            // Nobody was there to say it. It is told late, if the mute still lasts by then.
            return self.set_timer(self.heard_since, Due::MuteEndsSoon(id));
        }
        if let Some(muted) = self.mutes.get_mut(id) {
            muted.is_announced = true;
            self.dirty_mutes.insert(id);
        }
        if cover.mute.until <= wall {
            return;
        }
        let held =
            |incident: &&Incident| incident.is_firing() && incident.muted_until.is_some() && cover.covers(incident);
        let mut firing: BTreeMap<ChannelName, u64> = BTreeMap::new();
        for channel in self.incidents.values().filter(held).flat_map(|incident| &*incident.notify) {
            *firing.entry(channel.clone()).or_default() += 1;
        }
        let known = |channel: &&ChannelName| self.rules.channels.contains_key(*channel);
        let told: Vec<ChannelName> = match cover.mute.within.as_ref().filter(known) {
            Some(within) => vec![within.clone()],
            None if firing.is_empty() => self.rules.notify.iter().filter(known).cloned().collect(),
            None => firing.keys().cloned().collect(),
        };
        for channel in told {
            let firing = firing.get(&channel).copied().unwrap_or_default();
            self.say(channel, Notice::MuteEnds { mute: Box::new(cover.mute.clone()), firing });
        }
    }

    /// Puts a mute back after a restart.
    pub(super) fn load_mute(
        &mut self,
        mute: Mute,
        (since, is_announced): (Option<Timestamp>, bool),
        tally: Option<Tally>,
    ) {
        if let Ok(matchers) = Matchers::parse(&mute.matchers) {
            let since = since.unwrap_or(mute.set_at);
            let cover = Arc::new(Cover { mute, matchers });
            self.mutes.insert(Muted { cover, since, is_announced, tally });
        }
    }
}

/// Whether a rule may open something at this moment of the wall clock.
pub(super) fn is_active(rule: &Rule, wall: Timestamp) -> bool {
    rule.active.is_empty() || rule.active.iter().any(|interval| interval.holds(wall))
}

/// The next moment at which a rule that may not now may; `None` if it never will.
pub(super) fn next_active(rule: &Rule, wall: Timestamp) -> Option<Timestamp> {
    let next = rule.active.iter().map(|interval| interval.next_change(wall)).min();
    next.filter(|at| *at < Timestamp::MAX)
}
