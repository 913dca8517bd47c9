//! What is owed to channels, what became of it, and the messages that live in the chats.

use serde::{Deserialize, Serialize};

use super::{ChannelName, DeliveryOutcome, GroupId, Notice, Severity, Timestamp};

/// Number of an outbox row, counted from 1 per data folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub u64);

/// Number of a digest: that of the first row that was folded into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DigestId(pub u64);

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

/// Why a channel is owed a notification, as far as the engine told. What is said follows from the incidents; this
/// steers what is told together with others and what can wait. The store keeps the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum News {
    /// The channel hears of a trouble that it did not know.
    Opened,
    /// What it was told is over is back.
    Reopened,
    /// It is worse than the channel was told.
    Escalated,
    /// It goes on, and people are reminded.
    Repeated,
    /// All of the group is over.
    Resolved,
    /// What held the news back let it go: a rate limit, a mute, a wider incident.
    Released,
    /// The message falls behind the group, which goes on: more of it, part of it over.
    Changed,
    /// Somebody took it in hand, muted it or lifted a mute, and looks whether that was heard.
    Answered,
    /// About pushwatch itself.
    Notice,
}

impl News {
    /// All of them.
    pub const ALL: [News; 9] = [
        News::Opened,
        News::Reopened,
        News::Escalated,
        News::Repeated,
        News::Resolved,
        News::Released,
        News::Changed,
        News::Answered,
        News::Notice,
    ];

    /// The word for the store and the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            News::Opened => "opened",
            News::Reopened => "reopened",
            News::Escalated => "escalated",
            News::Repeated => "repeated",
            News::Resolved => "resolved",
            News::Released => "released",
            News::Changed => "changed",
            News::Answered => "answered",
            News::Notice => "notice",
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
    /// Many groups at once: the members of a digest.
    Digest(DigestId),
}

/// Something a channel is owed, as the engine decides it, or as another channel's delivery passes it on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Who hears it.
    pub channel: ChannelName,
    /// What about.
    pub about: About,
    /// How.
    pub reason: Reason,
    /// Why.
    pub news: News,
    /// The worst severity of the group then, or how bad the notice is; urgent ones go first.
    pub severity: Severity,
    /// When it fell due (the engine's time).
    pub at: Timestamp,
    /// It is owed to this other channel, which can't be told in time: the incidents that concern that one are told.
    pub stands_in: Option<ChannelName>,
}

impl Notification {
    /// About a group.
    #[must_use]
    pub fn of_group(
        channel: ChannelName,
        group: GroupId,
        (reason, news): (Reason, News),
        severity: Severity,
        at: Timestamp,
    ) -> Notification {
        Notification { channel, about: About::Group(group), reason, news, severity, at, stands_in: None }
    }

    /// About pushwatch itself. A notice of any length is cut to what rows may hold ([`Notice::bounded`]).
    #[must_use]
    pub fn of_notice(channel: ChannelName, notice: Notice, severity: Severity, at: Timestamp) -> Notification {
        let about = About::Notice(Box::new(notice.bounded()));
        Notification { channel, about, reason: Reason::Notice, news: News::Notice, severity, at, stands_in: None }
    }

    /// About the members of a digest.
    #[must_use]
    pub fn of_digest(
        channel: ChannelName,
        digest: DigestId,
        (reason, news): (Reason, News),
        severity: Severity,
        at: Timestamp,
    ) -> Notification {
        Notification { channel, about: About::Digest(digest), reason, news, severity, at, stands_in: None }
    }

    /// The group, where it is about one.
    #[must_use]
    pub fn group(&self) -> Option<GroupId> {
        match &self.about {
            About::Group(group) => Some(*group),
            About::Notice(_) | About::Digest(_) => None,
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

/// A group's place in a digest of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folded {
    /// Which digest.
    pub digest: DigestId,
    /// The worst that people were told of the group there.
    pub severity: Severity,
}

/// What tells a group in a channel: a message of its own, a digest, or both. Written by delivery alone.
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
    /// When people last heard by it: it was posted, or answered by a note.
    pub posted_at: Timestamp,
    /// The channels whose incidents it tells besides those of its own: it stands in for them.
    pub stands_in: Vec<ChannelName>,
    /// The digest that tells of it.
    pub folded: Option<Folded>,
}

/// One call made against a budget, kept so that pacing survives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Name of the budget: a hash of credential and target, never the secret itself.
    pub budget: String,
    /// When the call was begun.
    pub at: Timestamp,
}
