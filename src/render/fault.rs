//! One thing that is wrong, without its figures: what names, counts and codes of many incidents go by.

use std::time::Duration;

use super::phrase::Phrases;
use super::words;
use crate::model::{AbnormalType, EventKind, Incident, Language, Severity, State};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// The cloud measured a trouble.
    Trouble(AbnormalType),
    /// The push ended, with this errcode.
    Stop(Option<i64>),
    /// Callbacks of a kind have not come for so many ms.
    Silence(EventKind, u64),
    /// Callbacks of a kind had not come; that is over.
    Silenced(EventKind),
    /// Callbacks of a kind came.
    Kind(EventKind),
}

impl Fault {
    /// All that is wrong with an incident.
    pub(super) fn of(incident: &Incident) -> impl Iterator<Item = Fault> {
        let one = match (incident.silence, incident.on) {
            (Some(_), on) if incident.state == State::Resolved => Some(Fault::Silenced(on)),
            (Some(silence), on) => Some(Fault::Silence(on, silence)),
            (None, EventKind::PushError) if !incident.troubles.is_empty() => None,
            (None, EventKind::PushEnd) => Some(Fault::Stop(incident.end().errcode)),
            (None, on) => Some(Fault::Kind(on)),
        };
        let troubles = if one.is_none() { incident.troubles.as_slice() } else { &[] };
        one.into_iter().chain(troubles.iter().map(|trouble| Fault::Trouble(trouble.kind)))
    }

    /// What it is called.
    pub(super) fn name(self, phrases: &Phrases<'_>) -> String {
        match self {
            Fault::Trouble(kind) => phrases.text(kind).name,
            Fault::Stop(errcode) => phrases.catalogue.stop(errcode, phrases.language).name,
            Fault::Silence(on, silence) => {
                let (kind, length) = (kind(phrases, on), Duration::from_millis(silence));
                let length = words::duration(length, phrases.language);
                match phrases.language {
                    Language::En => format!("no {kind} callbacks for {length}"),
                    Language::Zh => format!("已 {length}没有{kind}回调"),
                }
            }
            Fault::Silenced(on) => format!("{}{}", kind(phrases, on), phrases.pick(" callbacks", "回调")),
            Fault::Kind(EventKind::PushError) => phrases.pick("push errors", "推流异常").to_owned(),
            Fault::Kind(EventKind::PushBegin) => phrases.pick("push started", "推流开始").to_owned(),
            Fault::Kind(on) => kind(phrases, on),
        }
    }

    /// How bad it is by itself, where the catalogue knows.
    pub(super) fn severity(self, phrases: &Phrases<'_>) -> Option<Severity> {
        match self {
            Fault::Trouble(kind) => Some(phrases.catalogue.severity(kind)),
            Fault::Stop(errcode) => Some(phrases.catalogue.stop_severity(errcode)),
            Fault::Silence(..) | Fault::Silenced(_) | Fault::Kind(_) => None,
        }
    }

    /// The cloud's number of it, for those who search: `type 6 video_frames_late`, `errcode 13`.
    pub(super) fn code(self, phrases: &Phrases<'_>) -> Option<String> {
        Some(match self {
            Fault::Trouble(kind) => match kind.name() {
                Some(name) => format!("{} {} {name}", phrases.pick("type", "类型"), kind.0),
                None => format!("{} {}", phrases.pick("type", "类型"), kind.0),
            },
            Fault::Stop(errcode) => format!("errcode {}", errcode?),
            Fault::Kind(EventKind::PushError) => return None,
            Fault::Silence(on, _) | Fault::Silenced(on) | Fault::Kind(on) => format!("event_type {}", on.code()),
        })
    }
}

/// What a kind of callback is called.
fn kind(phrases: &Phrases<'_>, kind: EventKind) -> String {
    if let EventKind::Unknown(code) = kind {
        return format!("{} {code}", phrases.pick("event type", "事件类型"));
    }
    match phrases.language {
        Language::En => kind.name().replace('_', " "),
        Language::Zh => chinese(kind).to_owned(),
    }
}

/// What operators of the cloud call a kind of callback; the word of the rules where there is no other.
fn chinese(kind: EventKind) -> &'static str {
    match kind {
        EventKind::PushEnd => "断流",
        EventKind::PushBegin => "推流",
        EventKind::Record => "录制",
        EventKind::Screenshot => "截图",
        EventKind::Relay => "拉流转推",
        EventKind::AudioAudit => "音频审核",
        EventKind::ImageAudit => "图片审核",
        EventKind::PushError => "推流异常",
        EventKind::Monitor => "监播",
        EventKind::RecordStatus => "录制状态",
        EventKind::Subtitle => "直播字幕",
        EventKind::RecordError => "录制异常",
        EventKind::Quality => "质量检测",
        EventKind::Summary => "直播摘要",
        EventKind::Highlight => "智能高光",
        EventKind::Unknown(_) => kind.name(),
    }
}
