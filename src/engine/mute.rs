//! Mutes, people's and standing ones, and acknowledgements: they still the posts, never the engine. Pure.

use crate::model::{Ack, GroupId, Holder, Incident, IncidentId, Mute, MuteId, Timestamp};
use crate::rules::{Matchers, Rule};

use super::timers::Due;
use super::{Engine, Members};

/// A person's mute, ready to be asked.
#[derive(Clone, Debug)]
pub(super) struct Muted {
    pub(super) mute: Mute,
    pub(super) matchers: Matchers,
}

impl Muted {
    fn covers(&self, incident: &Incident) -> bool {
        self.mute.reaches(incident) && self.matchers.hold(|name| incident.label(name))
    }
}

impl Engine {
    /// Until when posts about an incident are muted, by the wall clock; `None` if they are not.
    pub(super) fn muted_until(&self, incident: &Incident) -> Option<Timestamp> {
        let wall = self.wall.read(self.seq, self.now);
        let covers = |matchers: &Matchers| matchers.hold(|name| incident.label(name));
        let standing = self.rules.mutes.iter().filter_map(|mute| {
            let until = match mute.active.as_slice() {
                [] => Some(Timestamp::MAX),
                intervals => {
                    let active = intervals.iter().filter(|interval| interval.holds(wall));
                    active.map(|interval| interval.next_change(wall)).max()
                }
            };
            until.filter(|_| covers(&mute.matchers))
        });
        let set = self.mutes.values().filter(|muted| muted.mute.until > wall && muted.covers(incident));
        standing.chain(set.map(|muted| muted.mute.until)).max()
    }

    /// A person set a mute.
    pub(super) fn mute(&mut self, mute: &Mute) {
        // Whoever journaled it has read it; what can't be read covers nothing.
        let Ok(matchers) = Matchers::parse(&mute.matchers) else { return };
        let muted = Muted { mute: mute.clone(), matchers };
        // One of the same number is replaced: it was made longer, for example.
        let before = self.mutes.insert(mute.id, muted.clone());
        self.dirty_mutes.insert(mute.id);
        self.look_anew(|incident| {
            muted.covers(incident) || before.as_ref().is_some_and(|before| before.covers(incident))
        });
    }

    /// A mute was lifted: what it kept back is told now, if it still fires.
    pub(super) fn unmute(&mut self, id: MuteId) {
        if let Some(muted) = self.mutes.remove(&id) {
            self.dirty_mutes.insert(id);
            self.look_anew(|incident| muted.covers(incident));
        }
    }

    /// A person has an incident in hand.
    pub(super) fn acknowledge(&mut self, id: IncidentId, by: &str) {
        let ack = Ack { by: by.into(), at: self.now };
        let Some(incident) = self.incidents.get_mut(&id).filter(|i| i.is_firing()) else { return };
        incident.ack = Some(ack);
        self.dirty_incidents.insert(id);
        if let Some(group) = incident.group {
            self.revise(group);
            self.refresh(group, &[]);
        }
    }

    /// The wall clock was set: looks anew at all that fires and all that a mute holds.
    pub(super) fn judge_all(&mut self) {
        self.look_anew(|_| true);
    }

    /// Looks anew at the groups in which any of these fires: only their mutes may have changed.
    fn look_anew(&mut self, concerns: impl Fn(&Incident) -> bool) {
        self.forget_mutes();
        let concerned = |members: &&Members| {
            let mut incidents = members.incidents.iter().filter_map(|id| self.incidents.get(id));
            members.group.closed_at.is_none() && incidents.any(|incident| incident.is_firing() && concerns(incident))
        };
        let mut open: Vec<GroupId> = self.groups.values().filter(concerned).map(|members| members.group.id).collect();
        open.sort_unstable();
        for id in open {
            self.judge_silence_of(id);
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

    /// Forgets the mutes that are over.
    fn forget_mutes(&mut self) {
        let wall = self.wall.read(self.seq, self.now);
        let over: Vec<MuteId> =
            self.mutes.values().filter(|muted| muted.mute.until <= wall).map(|muted| muted.mute.id).collect();
        for id in over {
            self.mutes.remove(&id);
            self.dirty_mutes.insert(id);
        }
    }

    /// Puts a mute back after a restart.
    pub(super) fn load_mute(&mut self, mute: Mute) {
        if let Ok(matchers) = Matchers::parse(&mute.matchers) {
            self.mutes.insert(mute.id, Muted { mute, matchers });
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
