//! What is answered, as plain data: the chats put it into words, the API into JSON.

use std::time::Duration;

use super::{Mistake, Verb};
use crate::model::{Incident, IncidentId, Mute, MuteId, Timestamp, Verdict};

/// What a target covers now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covers {
    /// Streams that were heard of within a day.
    pub streams: usize,
    /// Streams, and whatever else incidents are about, of which something fires.
    pub firing: usize,
    /// The full names of some of the streams: hostile text.
    pub some: Vec<String>,
}

/// What is new about a mute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It was set.
    Set,
    /// It was there and ends later now.
    Longer,
    /// It was there and goes on at least as long as was asked for.
    Nothing,
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Something is muted.
    Muted {
        /// The mute as it is now.
        mute: Mute,
        /// What of it is new.
        news: News,
        /// What it covers now.
        covers: Covers,
        /// A stream's id of which nothing was heard, and some that read like it.
        unheard: Option<Vec<String>>,
    },
    /// A wide mute waits for a word.
    Asked {
        /// To be confirmed by this number.
        id: u64,
        /// What it would cover now.
        covers: Covers,
        /// For how long.
        length: Duration,
    },
    /// These mutes were lifted.
    Unmuted(Vec<Mute>),
    /// What is muted.
    Mutes {
        /// Set by people, the one that ends first first.
        mutes: Vec<Mute>,
        /// Those in the rules.
        standing: Vec<Standing>,
        /// So many more.
        more: usize,
    },
    /// What fires.
    Incidents {
        /// The worst first.
        items: Vec<Incident>,
        /// So many more.
        more: usize,
    },
    /// How a stream does.
    Status(Box<Status>),
    /// Somebody has an incident in hand.
    Acknowledged {
        /// Which.
        incident: Box<Incident>,
        /// Who, if it was somebody before.
        before: Option<Box<str>>,
        /// So many more of the same message, now in hand too.
        others: usize,
    },
    /// What is watched for: names of rules.
    Rules(Vec<String>),
    /// How commands are written.
    Help(Option<Verb>),
    /// It makes no sense, or may not be.
    Refused(Refusal),
    /// It is kept and will come into force; there is too much to do to see that now.
    Late,
    /// It could not be done.
    Failed(String),
}

/// A mute that stands in the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it covers.
    pub matchers: String,
    /// Why.
    pub reason: String,
    /// Whether it does so only at times.
    pub at_times: bool,
}

/// How a stream does.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Its full name: hostile text.
    pub stream: String,
    /// When it was last heard of, by the journal's time; `None` if not within a day.
    pub heard: Option<Timestamp>,
    /// Reports of trouble in the last hour by five minutes, the newest last.
    pub hour: [u16; 12],
    /// What fires.
    pub firing: Vec<Incident>,
    /// What was over last.
    pub last: Option<Incident>,
    /// The mutes that may cover it.
    pub mutes: Vec<Mute>,
    /// Standing mutes that may cover it.
    pub standing: Vec<Standing>,
}

/// Why a command is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It can't be read.
    Mistake(Mistake),
    /// Several streams have that id: these, perhaps among others.
    Ambiguous(Vec<String>),
    /// Nothing was heard of such a stream; these read like it.
    NoStream(Vec<String>),
    /// There is no such mute here.
    NoMute(Option<MuteId>),
    /// It stands in the rules, or was set where more is seen.
    NotFromHere(MuteId),
    /// There is no such incident here.
    NoIncident(IncidentId),
    /// It is over.
    Over(IncidentId),
    /// It is not told yet.
    NotYet(IncidentId),
    /// Nothing was asked under this number, or too long ago.
    NothingAsked(u64),
    /// There are too many mutes.
    TooMany,
    /// The name is too long to be muted.
    TooLong,
    /// The author of this id may not command here.
    NotAllowed(Box<str>),
    /// The author gives too many commands at once.
    TooFast,
    /// It was said so long ago, and has come only now.
    Stale(Duration),
    /// The button belongs to a message that is no longer known here.
    OldButton,
}

impl Reply {
    /// For the record of commands.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Reply::Asked { .. } => Verdict::Asked,
            Reply::Refused(_) => Verdict::Refused,
            Reply::Failed(_) => Verdict::Failed,
            Reply::Muted { .. }
            | Reply::Unmuted(_)
            | Reply::Mutes { .. }
            | Reply::Incidents { .. }
            | Reply::Status(_)
            | Reply::Acknowledged { .. }
            | Reply::Rules(_)
            | Reply::Help(_)
            | Reply::Late => Verdict::Done,
        }
    }
}
