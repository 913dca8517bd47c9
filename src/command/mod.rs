//! What operators type in a chat or a terminal: the commands, what they mean, and what is answered.
//!
//! A line goes three steps: [`parse`] makes a [`Command`] of it (pure), an executor does what it says, and the answer
//! is put into words in the caller's language. The executor is the same for all chats, the terminal and the API.

mod verb;
pub use verb::Verb;

pub mod help;

mod parse;
pub use parse::{length, parse, reason, target};

mod word;

mod target;
pub use self::target::Target;

mod length;
pub use self::length::LengthMistake;

mod mistake;
pub use mistake::{Mistake, Part};

mod caller;
pub use caller::{Caller, Care, Place};

mod reply;
pub use reply::{Covers, News, Refusal, Reply, Standing, Status};

mod words;
pub use words::text;

mod asked;

mod book;

mod find;

mod desk;
pub use desk::Desk;

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::model::{IncidentId, Language, MuteId};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Keep still about something for a while.
    Mute {
        /// About what.
        target: Target,
        /// For how long, up to [`LONGEST_MUTE`].
        length: Duration,
        /// Why: one clean line of at most [`MAX_REASON`] characters, perhaps empty.
        reason: String,
    },
    /// Speak again.
    Unmute(Lift),
    /// What is muted.
    Mutes,
    /// What is open, all of it or of this.
    Incidents(Option<Target>),
    /// How a stream does, by its id or full name.
    Status(Box<str>),
    /// "I have it."
    Ack(IncidentId),
    /// What is watched for.
    Rules,
    /// How to write one command, or which there are.
    Help(Option<Verb>),
    /// Go on with what was asked back.
    Confirm(u64),
}

/// Which mute is lifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lift {
    /// The one of this number.
    Id(MuteId),
    /// Those that were set for just this.
    Target(Target),
}

/// The longest mute: one that nobody remembers would never be lifted.
pub const LONGEST_MUTE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Longest line that is read, in bytes: matchers may have 4 KiB.
pub const MAX_LINE: usize = 5 * 1024;

/// Longest reason kept, in characters.
pub const MAX_REASON: usize = 200;

/// How to speak to whoever typed: in which language, in whose time, and what stands before a command there.
#[derive(Clone, Debug)]
pub struct Voice {
    /// Language of the answer.
    pub language: Language,
    /// Times are told in this zone.
    pub zone: TimeZone,
    /// What is typed before a command: `/pushwatch `, `/`, or nothing.
    pub prefix: &'static str,
}

impl Voice {
    /// English, in UTC, with nothing before a command: for the record and the API.
    #[must_use]
    pub fn plain() -> Voice {
        Voice { language: Language::En, zone: TimeZone::UTC, prefix: "" }
    }

    /// English or Chinese, as it is wanted.
    fn pick<'t>(&self, en: &'t str, zh: &'t str) -> &'t str {
        match self.language {
            Language::En => en,
            Language::Zh => zh,
        }
    }
}

impl Command {
    /// The word that it begins with.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self {
            Command::Mute { .. } => Verb::Mute,
            Command::Unmute(_) => Verb::Unmute,
            Command::Mutes => Verb::Mutes,
            Command::Incidents(_) => Verb::Incidents,
            Command::Status(_) => Verb::Status,
            Command::Ack(_) => Verb::Ack,
            Command::Rules => Verb::Rules,
            Command::Help(_) => Verb::Help,
            Command::Confirm(_) => Verb::Confirm,
        }
    }
}
