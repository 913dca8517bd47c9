//! What people ask of pushwatch in chats: keep still about something for a while, and "I have it".

use serde::{Deserialize, Serialize};

use super::{ChannelName, Incident, Timestamp};

/// Number of a mute, counted from 1 per data folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MuteId(pub u64);

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

/// Somebody said "I have it".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Who, as the platform names them: hostile text.
    pub by: Box<str>,
    /// When (the engine's time).
    pub at: Timestamp,
}
