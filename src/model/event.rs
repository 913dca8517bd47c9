//! What happened to a stream, freed of the wire's spelling: one shape for every callback type.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{StreamName, Timestamp};

/// Identity of an event: a hash of the callback's content without `t` and `sign`, which retries re-stamp.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventId(pub [u8; 16]);

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// The cloud's `event_type`, by name. Variants are stored in the journal: append only, never reorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventKind {
    /// 0: the push was interrupted or stopped.
    PushEnd,
    /// 1: a push started.
    PushBegin,
    /// 100: a recording file is ready.
    Record,
    /// 200: a screenshot is ready.
    Screenshot,
    /// 314: a relay (pull-push) task changed state.
    Relay,
    /// 315: audio audit.
    AudioAudit,
    /// 317: image audit.
    ImageAudit,
    /// 321: push errors, what pushwatch is about.
    PushError,
    /// 328: stream monitoring.
    Monitor,
    /// 332: recording state.
    RecordStatus,
    /// 338: live subtitles.
    Subtitle,
    /// 341: recording exception.
    RecordError,
    /// 343: quality control.
    Quality,
    /// 348: live summary.
    Summary,
    /// 349: smart highlight.
    Highlight,
    /// Any other number.
    Unknown(i64),
}

impl EventKind {
    const NAMED: [(i64, EventKind, &'static str); 15] = [
        (0, EventKind::PushEnd, "push_end"),
        (1, EventKind::PushBegin, "push_begin"),
        (100, EventKind::Record, "record"),
        (200, EventKind::Screenshot, "screenshot"),
        (314, EventKind::Relay, "relay"),
        (315, EventKind::AudioAudit, "audio_audit"),
        (317, EventKind::ImageAudit, "image_audit"),
        (321, EventKind::PushError, "push_error"),
        (328, EventKind::Monitor, "monitor"),
        (332, EventKind::RecordStatus, "record_status"),
        (338, EventKind::Subtitle, "subtitle"),
        (341, EventKind::RecordError, "record_error"),
        (343, EventKind::Quality, "quality"),
        (348, EventKind::Summary, "summary"),
        (349, EventKind::Highlight, "highlight"),
    ];

    /// The kind of an `event_type` number; every number has one.
    #[must_use]
    pub fn from_code(code: i64) -> EventKind {
        EventKind::NAMED.iter().find(|(n, ..)| *n == code).map_or(EventKind::Unknown(code), |(_, kind, _)| *kind)
    }

    /// The kind of a name used in `on:`, or `None`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<EventKind> {
        EventKind::NAMED.iter().find(|(.., n)| *n == name).map(|(_, kind, _)| *kind)
    }

    /// The cloud's `event_type` number.
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            EventKind::Unknown(code) => code,
            kind => EventKind::NAMED.iter().find(|(_, k, _)| *k == kind).map_or(-1, |(n, ..)| *n),
        }
    }

    /// The word for rules and metrics; all unknown types share `unknown`.
    #[must_use]
    pub fn name(self) -> &'static str {
        EventKind::NAMED.iter().find(|(_, k, _)| *k == self).map_or("unknown", |(.., name)| name)
    }

    /// Whether such a callback tells that a state changed, and none follows while it lasts: silence after it is no
    /// sign of health.
    #[must_use]
    pub fn is_state(self) -> bool {
        matches!(self, EventKind::PushEnd | EventKind::Relay | EventKind::RecordStatus | EventKind::RecordError)
    }

    /// Every name, in the order of the numbers.
    pub fn names() -> impl Iterator<Item = &'static str> {
        EventKind::NAMED.iter().map(|(.., name)| *name)
    }
}

/// The number of an abnormal event inside a push error: 1 to 16 are documented, others are kept as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AbnormalType(pub u32);

impl AbnormalType {
    /// Names of types 1 to 16, in order.
    pub const NAMES: [&'static str; 16] = [
        "video_timestamp_backwards",
        "audio_timestamp_backwards",
        "video_timestamp_jump",
        "audio_timestamp_jump",
        "chunk_too_big",
        "video_frames_late",
        "audio_frames_late",
        "video_codec_changed",
        "audio_codec_changed",
        "video_header_missing",
        "audio_header_missing",
        "audio_timestamp_gap",
        "codec_uncommon",
        "video_header_invalid",
        "video_fps_low",
        "gop_too_large",
    ];

    /// The type of a documented name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<AbnormalType> {
        AbnormalType::NAMES.iter().position(|n| *n == name).map(|i| AbnormalType(i as u32 + 1))
    }

    /// The documented name, or `None` above 16 and for 0.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        AbnormalType::NAMES.get((self.0 as usize).wrapping_sub(1)).copied()
    }
}

impl fmt::Display for AbnormalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "type_{}", self.0),
        }
    }
}

/// One occurrence listed under an abnormal event.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// The cloud's time of it.
    pub at: Option<Timestamp>,
    /// The number measured, in the catalogue's unit for the type; missing is normal.
    pub value: Option<f64>,
}

/// One kind of trouble inside a push error report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Abnormal {
    /// Which trouble.
    pub kind: AbnormalType,
    /// Occurrences since the report before; at least 1. Need not equal the number of details.
    pub count: u32,
    /// The occurrences that were listed.
    pub details: Vec<Detail>,
    /// The cloud's own words, kept only for a type that has no catalogue entry.
    pub text: Option<Box<str>>,
}

/// A verified callback, normalised. Times are the cloud's; when we took it is the journal entry's business.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Identity for de-duplication.
    pub id: EventId,
    /// What kind of callback.
    pub kind: EventKind,
    /// Whose. Empty parts where the callback names none.
    pub stream: StreamName,
    /// The cloud's `sequence` of the push, if given.
    pub session: Option<Box<str>>,
    /// The account.
    pub appid: Option<Box<str>>,
    /// The pusher's address as the cloud saw it.
    pub user_ip: Option<Box<str>>,
    /// The cloud's ingest node.
    pub node: Option<Box<str>>,
    /// The cloud's time of the event; whole seconds count as their last millisecond (`…999`).
    pub happened_at: Option<Timestamp>,
    /// How often push errors are reported, in ms.
    pub report_interval: Option<u32>,
    /// Why a push ended (`errcode` of event 0).
    pub errcode: Option<i64>,
    /// The cloud's words for it; not stable, for display only.
    pub errmsg: Option<Box<str>>,
    /// How long the push lasted, ms.
    pub push_duration: Option<u64>,
    /// The troubles of a push error; empty for other kinds.
    pub abnormal: Vec<Abnormal>,
    /// Set where a field could not be read: which and why. The rest of the event still counts.
    pub unreadable: Option<Box<str>>,
}

impl Event {
    /// The event's time `e`: the earlier of the cloud's time and ours.
    #[must_use]
    pub fn time(&self, received_at: Timestamp) -> Timestamp {
        self.happened_at.map_or(received_at, |happened| happened.min(received_at))
    }
}
