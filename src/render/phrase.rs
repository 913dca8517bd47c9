//! One incident in words: what it is, how bad, how often, since when, how it ended.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::words;
use crate::model::catalogue::{Text, Unit};
use crate::model::{
    AbnormalType, Catalogue, Cause, EventKind, Incident, Language, Severity, State, Timestamp, Trouble,
};

/// What all phrases of a message share.
#[derive(Clone, Copy)]
pub(super) struct Phrases<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) language: Language,
    pub(super) zone: &'a TimeZone,
    pub(super) now: Timestamp,
}

impl Phrases<'_> {
    /// One of two texts.
    pub(super) fn pick<'t>(&self, en: &'t str, zh: &'t str) -> &'t str {
        match self.language {
            Language::En => en,
            Language::Zh => zh,
        }
    }

    /// Names joined: at most two, then how many more.
    pub(super) fn join(&self, names: &[String]) -> String {
        let (shown, more) = names.split_at(names.len().min(2));
        let mut out = shown.join(self.pick(" and ", "、"));
        if !more.is_empty() {
            match self.language {
                Language::En => out = format!("{}, {} more", shown.join(", "), words::number(more.len() as u64)),
                Language::Zh => out.push_str(&format!("等 {} 项", words::number(names.len() as u64))),
            }
        }
        out
    }

    /// The troubles of an incident, what matters most first.
    pub(super) fn ranked<'i>(&self, incident: &'i Incident) -> Vec<&'i Trouble> {
        let mut troubles: Vec<&Trouble> = incident.troubles.iter().collect();
        troubles.sort_by_key(|trouble| (std::cmp::Reverse(self.catalogue.severity(trouble.kind)), trouble.kind));
        troubles
    }

    /// What it is called: `video late and audio late`.
    pub(super) fn name(&self, incident: &Incident) -> String {
        self.join(&self.names(incident))
    }

    /// The names of all that is wrong, what matters most first.
    pub(super) fn names(&self, incident: &Incident) -> Vec<String> {
        let one = match incident.on {
            EventKind::PushError if !incident.troubles.is_empty() => {
                return self.ranked(incident).iter().map(|trouble| self.text(trouble.kind).name).collect();
            }
            EventKind::PushError => self.pick("push errors", "推流异常").to_owned(),
            EventKind::PushEnd => self.catalogue.stop(incident.errcode, self.language).name,
            EventKind::PushBegin => self.pick("push started", "推流开始").to_owned(),
            EventKind::Unknown(code) => format!("{} {code}", self.pick("event type", "事件类型")),
            kind => kind.name().replace('_', " "),
        };
        vec![one]
    }

    /// The catalogue's words for a type.
    pub(super) fn text(&self, kind: AbnormalType) -> Text {
        self.catalogue.trouble(kind, self.language)
    }

    /// How bad: `worst gap 3.0 s`. Of several types measured alike, the worst.
    pub(super) fn worst(&self, incident: &Incident) -> Option<String> {
        let measured = |trouble: &&Trouble| trouble.worst.is_some_and(f64::is_finite);
        let lead = self.ranked(incident).into_iter().find(measured)?.kind;
        let (unit, measure) = (Catalogue::unit(lead), Catalogue::measure(lead, self.language));
        let alike = incident.troubles.iter().filter(|trouble| {
            Catalogue::unit(trouble.kind) == unit && Catalogue::measure(trouble.kind, self.language) == measure
        });
        let values = alike.filter_map(|trouble| trouble.worst).filter(|value| value.is_finite());
        let worst = if unit == Some(Unit::Fps) { values.reduce(f64::min) } else { values.reduce(f64::max) }?;
        let shown = words::value(worst, unit, self.language)?;
        Some(format!("{} {shown}", measure.unwrap_or(self.pick("worst", "最差"))))
    }

    /// What it is and how bad: `video late, worst gap 3.0 s`.
    pub(super) fn what(&self, incident: &Incident) -> String {
        match self.worst(incident) {
            Some(worst) => format!("{}{}{worst}", self.name(incident), self.pick(", ", "，")),
            None => self.name(incident),
        }
    }

    /// How often and since when; for what is over, how long it lasted.
    pub(super) fn often(&self, incident: &Incident) -> String {
        let mut out = match (incident.state, incident.on) {
            (State::Resolved, _) => self.lasted(incident),
            (_, EventKind::PushError) => self.counted(incident),
            (_, _) => self.since(incident.since),
        };
        if let Some(pushed) = incident.push_duration.filter(|_| incident.on == EventKind::PushEnd) {
            let length = words::duration(Duration::from_millis(pushed), self.language);
            out.push_str(&match self.language {
                Language::En => format!(", after {length} of pushing"),
                Language::Zh => format!("，此前已推流 {length}"),
            });
        }
        if incident.flaps > 0 {
            let flaps = words::times(u64::from(incident.flaps), self.language);
            out.push_str(&match self.language {
                Language::En => format!(", came back {flaps}"),
                Language::Zh => format!("，反复 {flaps}"),
            });
        }
        out
    }

    /// `since 12:03:10 (UTC+8)`.
    pub(super) fn since(&self, at: Timestamp) -> String {
        let (clock, offset) = (words::clock(at, self.now, self.zone), words::offset(at, self.zone));
        match self.language {
            Language::En => format!("since {clock} ({offset})"),
            Language::Zh => format!("自 {clock} ({offset}) 起"),
        }
    }

    /// `14 times in 2 min, since 12:03:10 (UTC+8)`.
    fn counted(&self, incident: &Incident) -> String {
        let times = words::times(incident.count.max(1), self.language);
        let length = incident.last_at.since(incident.since);
        if length < Duration::from_secs(1) {
            let clock = words::clock(incident.since, self.now, self.zone);
            let offset = words::offset(incident.since, self.zone);
            return match self.language {
                Language::En => format!("{times}, at {clock} ({offset})"),
                Language::Zh => format!("{clock} ({offset}) 出现 {times}"),
            };
        }
        let (length, since) = (words::duration(length, self.language), self.since(incident.since));
        match self.language {
            Language::En => format!("{times} in {length}, {since}"),
            Language::Zh => format!("{length}内 {times}，{since}"),
        }
    }

    /// `lasted 2 min, 12:03–12:05 (UTC+8), 14 times`.
    fn lasted(&self, incident: &Incident) -> String {
        let comma = self.pick(", ", "，");
        let (from, to) = (incident.since, end(incident));
        let mut parts = Vec::new();
        if to.since(from) >= Duration::from_secs(1) {
            let length = words::duration(to.since(from), self.language);
            parts.push(format!("{} {length}", self.pick("lasted", "持续")));
        }
        parts.push(format!("{} ({})", self.span(from, to), words::offset(from, self.zone)));
        if incident.on == EventKind::PushError {
            parts.push(words::times(incident.count.max(1), self.language));
        }
        parts.join(comma)
    }

    /// `12:03–12:05`.
    pub(super) fn span(&self, from: Timestamp, to: Timestamp) -> String {
        words::span(from, to, self.now, self.zone)
    }

    /// For how long nothing had been heard when it was declared over; only where silence was the reason.
    pub(super) fn quiet(&self, incident: &Incident) -> Option<String> {
        let over = incident.resolved_at.filter(|_| incident.cause == Some(Cause::Quiet))?;
        let length = words::duration(over.since(incident.last_received), self.language);
        Some(match self.language {
            Language::En => format!("quiet for {length}"),
            Language::Zh => format!("已 {length}没有新的异常上报"),
        })
    }

    /// What is said of the end, before the span: `well again, was broken`.
    pub(super) fn ending(&self, incident: &Incident) -> &'static str {
        let down = incident.on == EventKind::PushEnd;
        match (self.language, incident.cause) {
            (Language::En, Some(Cause::Reconnected)) if down => "live again, was down",
            (Language::Zh, Some(Cause::Reconnected)) if down => "已重新推流，断流时段",
            (Language::En, Some(Cause::NoWord)) if down => "no word for a day, closed, was down",
            (Language::Zh, Some(Cause::NoWord)) if down => "一天没有消息，已关闭，断流时段",
            (Language::En, Some(Cause::RuleRemoved)) if down => "no longer watched (rule removed), was down",
            (Language::Zh, Some(Cause::RuleRemoved)) if down => "规则已删除，不再监控，断流时段",
            (Language::En, Some(Cause::Reconnected)) => "well again after a reconnect, was broken",
            (Language::Zh, Some(Cause::Reconnected)) => "重连后恢复，异常时段",
            (Language::En, Some(Cause::Quiet)) => "well again, was broken",
            (Language::Zh, Some(Cause::Quiet)) => "已恢复，异常时段",
            (Language::En, Some(Cause::Ended)) => "stream ended, was broken",
            (Language::Zh, Some(Cause::Ended)) => "推流已停止，异常时段",
            (Language::En, Some(Cause::RuleRemoved)) => "no longer watched (rule removed), was broken",
            (Language::Zh, Some(Cause::RuleRemoved)) => "规则已删除，不再监控，异常时段",
            (Language::En, Some(Cause::Heard)) => "heard again, was silent",
            (Language::Zh, Some(Cause::Heard)) => "已恢复回调，静默时段",
            (Language::En, Some(Cause::NoWord)) => "no word for a day, closed, was broken",
            (Language::Zh, Some(Cause::NoWord)) => "一天没有消息，已关闭，异常时段",
            (Language::En, None) => "over, was broken",
            (Language::Zh, None) => "已结束，异常时段",
        }
    }

    /// The cloud's numbers, for those who search: `type 6 video_frames_late`, `errcode 13`.
    pub(super) fn codes(&self, incident: &Incident) -> Vec<String> {
        match incident.on {
            EventKind::PushError => incident
                .troubles
                .iter()
                .map(|trouble| match trouble.kind.name() {
                    Some(name) => format!("{} {} {name}", self.pick("type", "类型"), trouble.kind.0),
                    None => format!("{} {}", self.pick("type", "类型"), trouble.kind.0),
                })
                .collect(),
            EventKind::PushEnd => incident.errcode.map(|code| format!("errcode {code}")).into_iter().collect(),
            kind => vec![format!("event_type {}", kind.code())],
        }
    }

    /// The cloud's own words, where there are any: hostile text.
    pub(super) fn said<'i>(&self, incident: &'i Incident) -> Option<&'i str> {
        let own = || incident.troubles.iter().find_map(|trouble| trouble.text.as_deref());
        incident.errmsg.as_deref().or_else(own).filter(|said| !said.trim().is_empty())
    }
}

/// When the trouble itself was over: with silence, at the last report; else when it was declared over.
pub(super) fn end(incident: &Incident) -> Timestamp {
    match incident.cause {
        Some(Cause::Quiet) => incident.last_at,
        _ => incident.resolved_at.unwrap_or(incident.last_at),
    }
    .max(incident.since)
}

/// The sign of a state.
pub(super) fn sign(incident: &Incident) -> super::Sign {
    match (incident.state, incident.cause) {
        (State::Resolved, Some(Cause::Quiet | Cause::Reconnected)) => super::Sign::Well,
        (State::Resolved, _) => super::Sign::Ended,
        (State::Pending | State::Firing, _) => match incident.severity {
            Severity::Critical => super::Sign::Critical,
            Severity::Warning => super::Sign::Warning,
            Severity::Info => super::Sign::Info,
        },
    }
}
