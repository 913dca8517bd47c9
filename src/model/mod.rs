//! The nouns: events, incidents, groups, notifications, channels. Plain data; no I/O, no clock, no policy.

mod time;
pub use time::Timestamp;

mod stream;
pub use stream::StreamName;

mod severity;
pub use severity::Severity;

pub mod event;
pub use event::{Abnormal, AbnormalType, Detail, Event, EventId, EventKind};

pub mod journal;
pub use journal::{Cursor, Entry, Input, NewEntry, Seq};

pub mod incident;
pub use incident::{Cause, Group, GroupId, Incident, IncidentId, State, Told, Trouble};

pub mod notification;
pub use notification::{Attempt, Delivery, DeliveryId, DeliveryState, Message, Notification, Reason};

pub mod channel;
pub use channel::{Channel, ChannelKind, ChannelName, Language, SlackDoor, Target};

pub mod door;
pub use door::Door;

pub mod state;
pub use state::{EngineChanges, EngineState, Keyed};

pub mod catalogue;
pub use catalogue::Catalogue;

pub mod outcome;
pub use outcome::{CallbackOutcome, DeliveryOutcome, RuleOutcome};
