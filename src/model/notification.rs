//! What is owed to channels, what became of it, and the messages that live in the chats.

use serde::{Deserialize, Serialize};

use super::{ChannelName, DeliveryOutcome, GroupId, Notice, Severity, Timestamp};

/// Number of an outbox row, counted from 1 per data folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub u64);

/// How a channel is to be told. What is said follows from the incidents as they are when it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Bring the living message up to date; notifies nobody. Void where nothing was told or the chat can't edit.
    Edit,
    /// Bring it up to date and answer it with a short note, so that people notice.
    Reply,
    /// A message of its own.
    Post,
    /// A message of its own about pushwatch itself; never edited, never joined with another.
    Notice,
}

impl Reason {
    /// The word for metrics and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Edit => "edit",
            Reason::Reply => "reply",
            Reason::Post => "post",
            Reason::Notice => "notice",
        }
    }
}

/// What a notification is about. Stored: append variants only, never reorder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum About {
    /// A group's incidents, as they are when it is sent.
    Group(GroupId),
    /// pushwatch itself.
    Notice(Box<Notice>),
}

/// Something a channel is owed, as the engine decides it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Who hears it.
    pub channel: ChannelName,
    /// What about.
    pub about: About,
    /// How.
    pub reason: Reason,
    /// The worst severity of the group then, or how bad the notice is; urgent ones go first.
    pub severity: Severity,
    /// When it fell due (the engine's time).
    pub at: Timestamp,
}

impl Notification {
    /// About a group.
    #[must_use]
    pub fn of_group(
        channel: ChannelName,
        group: GroupId,
        reason: Reason,
        severity: Severity,
        at: Timestamp,
    ) -> Notification {
        Notification { channel, about: About::Group(group), reason, severity, at }
    }

    /// About pushwatch itself. A notice of any length is cut to what rows may hold ([`Notice::bounded`]).
    #[must_use]
    pub fn of_notice(channel: ChannelName, notice: Notice, severity: Severity, at: Timestamp) -> Notification {
        let about = About::Notice(Box::new(notice.bounded()));
        Notification { channel, about, reason: Reason::Notice, severity, at }
    }

    /// The group, where it is about one.
    #[must_use]
    pub fn group(&self) -> Option<GroupId> {
        match &self.about {
            About::Group(group) => Some(*group),
            About::Notice(_) => None,
        }
    }
}

/// Where an outbox row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Waits to be sent.
    Pending,
    /// A call was begun and its end is not on record: after a crash its fate is unknown.
    Sending,
    /// Has its outcome.
    Done,
    /// Given up; visible and re-drivable.
    Dead,
}

impl DeliveryState {
    /// The word for metrics and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Pending => "pending",
            DeliveryState::Sending => "sending",
            DeliveryState::Done => "done",
            DeliveryState::Dead => "dead",
        }
    }
}

/// An outbox row: a notification and what has become of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Its number.
    pub id: DeliveryId,
    /// What is owed.
    pub notification: Notification,
    /// Where it stands.
    pub state: DeliveryState,
    /// Calls begun so far.
    pub attempts: u32,
    /// Not to be tried earlier than this.
    pub not_before: Timestamp,
    /// How it ended, once it has.
    pub outcome: Option<DeliveryOutcome>,
    /// What the chat said last, for people; never holds a secret.
    pub error: Option<String>,
    /// A post was repeated although an earlier call may have got through.
    pub possible_duplicate: bool,
    /// When the row got its outcome.
    pub done_at: Option<Timestamp>,
}

/// The message that tells a group in a channel. Written by delivery alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Which channel.
    pub channel: ChannelName,
    /// Which group.
    pub group: GroupId,
    /// The chat's own id of it (`ts` of Slack, `message_id` of Telegram); `None` where the chat gives none.
    pub platform_id: Option<String>,
    /// Where the chat says it stands, if other than the channel's target (Slack's channel id).
    pub place: Option<String>,
    /// The group's revision that it shows.
    pub revision: u64,
    /// When it was first posted.
    pub posted_at: Timestamp,
}

/// One call made against a budget, kept so that pacing survives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Name of the budget: a hash of credential and target, never the secret itself.
    pub budget: String,
    /// When the call was begun.
    pub at: Timestamp,
}
