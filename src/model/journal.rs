//! What the journal holds: everything that changes the engine, in one numbered sequence.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Event, EventId, IncidentId, Mute, MuteId, Notice, Timestamp};

/// Place in the journal, counted from 1; never reused, not even after pruning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

/// How far a shard has come: the last entry taken in, and the time up to which its timers have fired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Last entry whose effects are committed; 0 before the first.
    pub seq: Seq,
    /// The engine's time at that commit.
    pub at: Timestamp,
}

/// One thing that changes the engine. Stored: append variants only, never reorder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// A verified callback.
    Callback(Box<Event>),
    /// We could not listen from `from` to `to` (not running, or answering 503): deadlines move by the gap.
    Resumed {
        /// Last moment we are known to have listened.
        from: Timestamp,
        /// When we listened again.
        to: Timestamp,
    },
    /// Another set of rules is in force from here on.
    RulesLoaded {
        /// Hash of the rules' text, hex.
        hash: Box<str>,
    },
    /// The wall clock was set: from here on it reads this much more than the stamps of the journal, ms.
    ClockSet {
        /// Wall clock minus the journal's time.
        ahead: i64,
    },
    /// A person set a mute.
    Muted(Box<Mute>),
    /// A mute was lifted before its end.
    Unmuted {
        /// Which.
        id: MuteId,
    },
    /// A person has an incident in hand.
    Acknowledged {
        /// Which.
        incident: IncidentId,
        /// Who, as the platform names them: hostile text.
        by: Box<str>,
    },
    /// pushwatch has something to say about itself to the channels of `defaults.notify`.
    Noticed(Box<Notice>),
}

impl Input {
    /// The identity by which a repeat is known; only callbacks have one.
    #[must_use]
    pub fn id(&self) -> Option<EventId> {
        match self {
            Input::Callback(event) => Some(event.id),
            Input::Resumed { .. }
            | Input::RulesLoaded { .. }
            | Input::ClockSet { .. }
            | Input::Muted(_)
            | Input::Unmuted { .. }
            | Input::Acknowledged { .. }
            | Input::Noticed(_) => None,
        }
    }
}

/// An entry on its way into the journal.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// What to keep, decoded.
    pub input: Input,
    /// The callback's body as JSON without `t`, `sign` and secrets; empty for other inputs.
    pub body: Bytes,
}

/// An entry of the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its place.
    pub seq: Seq,
    /// When it was kept; never goes back from one entry to the next.
    pub received_at: Timestamp,
    /// What it says.
    pub input: Input,
}
