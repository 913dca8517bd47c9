//! A call under way, and what its end can mean: the words between the worker, which makes it, and the desk.

use super::call::Act;
use super::queue::Row;
use super::topic::Topic;
use crate::model::{DeliveryId, DeliveryOutcome, Key, Reason, Timestamp};

/// A call that was begun.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    /// About what.
    pub(crate) topic: Topic,
    /// Of which stream or other key, for the log; none for a notice.
    pub(crate) key: Option<Key>,
    /// The row that carries it.
    pub(crate) carrier: DeliveryId,
    /// How many of the topic's rows, from the oldest, it tells.
    pub(crate) covered: usize,
    /// The strongest of these.
    pub(crate) reason: Reason,
    /// What it does.
    pub(crate) act: Act,
    /// The revision of the group that it shows.
    pub(crate) revision: u64,
    /// Whether the group is over.
    pub(crate) closed: bool,
    /// In plain text, the markup having been refused.
    pub(crate) plain: bool,
    /// Why the text is not as the operator's template has it.
    pub(crate) template_error: Option<String>,
}

impl Flight {
    /// Whether people are to notice it.
    pub(crate) fn is_noticed(&self) -> bool {
        self.reason != Reason::Edit && !matches!(self.act, Act::Edit(_))
    }
}

/// A row that got its outcome.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// The row.
    pub(crate) row: Row,
    /// What it was about.
    pub(crate) topic: Topic,
    /// Its stream or other key, if it was read.
    pub(crate) key: Option<Key>,
    /// How it ended.
    pub(crate) outcome: DeliveryOutcome,
    /// What was said about it last.
    pub(crate) error: Option<String>,
}

/// What a verdict means for the rest of the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Aftermath {
    /// The chat took it.
    Well,
    /// The chat answered; this message is another matter.
    Answered,
    /// It came to nothing, as it may for any other message.
    Failed,
    /// No calls on this budget before then.
    Held(Timestamp),
    /// The target takes nothing; probe it then.
    Refused(Timestamp),
    /// The chat has a new id.
    Moved(i64),
}
