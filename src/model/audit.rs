//! The record of commands: who asked for what, where, and what came of it.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It was done, or answered.
    Done,
    /// It was asked back first.
    Asked,
    /// It makes no sense, or may not be.
    Refused,
    /// It should have been done and could not.
    Failed,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Verdict; 4] = [Verdict::Done, Verdict::Asked, Verdict::Refused, Verdict::Failed];

    /// The word for the store and the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Done => "done",
            Verdict::Asked => "asked",
            Verdict::Refused => "refused",
            Verdict::Failed => "failed",
        }
    }
}

/// A command and what came of it. All texts are hostile, clean and short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// When, by the wall clock.
    pub at: Timestamp,
    /// Who, as the platform names them.
    pub who: Box<str>,
    /// From where: the channel's name, or `api`.
    pub place: Box<str>,
    /// What was asked for, as it was typed.
    pub what: Box<str>,
    /// What became of it.
    pub verdict: Verdict,
    /// What was answered, in a line.
    pub answer: Box<str>,
}
