//! The nouns: events, incidents, groups, notifications, channels. Plain data; no I/O, no clock, no policy.

mod time;
pub use time::Timestamp;

mod stream;
pub use stream::StreamName;

pub mod key;
pub use key::{App, Key, Push, Scope};

mod severity;
pub use severity::Severity;

pub mod event;
pub use event::{Abnormal, AbnormalType, Detail, Event, EventId, EventKind};

pub mod journal;
pub use journal::{Cursor, Entry, Input, NewEntry, Seq};

pub mod incident;
pub use incident::{
    Cause, Distinct, Group, GroupId, Holder, Incident, IncidentId, Labels, Noun, PushEnd, Shown, State, Told, Trouble,
};

pub mod mute;
pub use mute::{Ack, Missed, Mute, MuteId, TallyId};

mod press;
pub use press::{Button, MAX_PRESS, Press};

pub mod audit;
pub use audit::{AuditRecord, Verdict};

pub mod notice;
pub use notice::Notice;

pub mod notification;
pub use notification::{
    About, Attempt, Delivery, DeliveryId, DeliveryState, DigestId, Folded, Message, News, Notification, Reason,
};

mod body;
pub use body::{BadBody, BodyTemplate};

pub mod channel;
pub use channel::{
    Allow, Channel, ChannelKind, ChannelName, Language, Receivers, SlackDoor, SlackInbound, Target, TelegramWebhook,
    WecomApp, WecomCallback, WecomDoor,
};

pub mod door;
pub use door::Door;

pub mod state;
pub use state::{EngineChanges, EngineState, Keyed};

pub mod catalogue;
pub use catalogue::Catalogue;

pub mod outcome;
pub use outcome::{CallbackOutcome, ChatOutcome, DeliveryOutcome, RuleOutcome};
