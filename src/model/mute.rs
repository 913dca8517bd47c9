//! What people ask of pushwatch in chats: keep still about something for a while, and "I have it".

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::{ChannelName, Incident, Timestamp};

/// Number of a mute, counted from 1 per data folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MuteId(pub u64);

/// Number of the account of what one mute keeps from people, counted from 1 per data folder; 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TallyId(pub u32);

impl TallyId {
    /// Whether it is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0 == 0
    }
}

/// A mute that a person set; it always ends. Standing ones are the rules' business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mute {
    /// Its number.
    pub id: MuteId,
    /// What it covers, in Alertmanager's syntax: `stream=~"live_.*", severity="warning"`.
    pub matchers: Box<str>,
    /// Of these, only what this channel hears of: whoever sees little can still little. `None` for all of them.
    #[serde(default)]
    pub within: Option<ChannelName>,
    /// When it was set, or changed last, by the wall clock.
    #[serde(default)]
    pub set_at: Timestamp,
    /// When it ends, by the wall clock.
    pub until: Timestamp,
    /// Who set it, as the platform names them: hostile text.
    pub author: Box<str>,
    /// Why: hostile text.
    pub reason: Box<str>,
}

impl Mute {
    /// Whether an incident lies within what it may cover; its matchers are another question.
    #[must_use]
    pub fn reaches(&self, incident: &Incident) -> bool {
        self.within.as_ref().is_none_or(|channel| incident.notify.contains(channel))
    }
}

/// What a mute kept from a channel, told when it is over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Missed {
    /// Its number; `None` for one that stands in the rules.
    pub mute: Option<MuteId>,
    /// So many more mutes are over; of them all it is told together what they kept, and nothing of each.
    #[serde(default)]
    pub others: u64,
    /// What it covered.
    pub matchers: Box<str>,
    /// Who set it: hostile text. Empty for one that stands in the rules.
    pub author: Box<str>,
    /// Why: hostile text.
    pub reason: Box<str>,
    /// Somebody lifted it before its end.
    pub lifted: bool,
    /// Troubles that began and ended unheard.
    pub over: u64,
    /// Troubles that still fire: each is told by itself.
    pub firing: u64,
    /// Of those that are over the worst few, the worst first, without what no list shows.
    pub worst: Vec<Incident>,
}

impl Missed {
    /// Incidents that are named.
    pub const NAMED: usize = 5;

    /// The place of an incident among those that are named: the worst, then the longest, come first.
    #[must_use]
    pub fn rank(incident: &Incident) -> impl Ord + use<> {
        let lasted = incident.resolved_at.unwrap_or(incident.last_at).since(incident.since);
        (Reverse(incident.severity), Reverse(lasted), incident.id)
    }

    /// What several mutes kept from a channel, as one; `None` of none.
    #[must_use]
    pub fn together(missed: impl IntoIterator<Item = Missed>) -> Option<Missed> {
        missed.into_iter().reduce(|mut all, one| {
            all.worst.extend(one.worst);
            all.worst.sort_by_key(Missed::rank);
            all.worst.truncate(Missed::NAMED);
            Missed {
                mute: all.mute,
                others: all.others.saturating_add(1).saturating_add(one.others),
                lifted: all.lifted && one.lifted,
                over: all.over.saturating_add(one.over),
                firing: all.firing.saturating_add(one.firing),
                worst: all.worst,
                ..Missed::default()
            }
        })
    }
}

/// Somebody said "I have it".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Who, as the platform names them: hostile text.
    pub by: Box<str>,
    /// When (the engine's time).
    pub at: Timestamp,
}
