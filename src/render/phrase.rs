//! One incident in words: what it is, how bad, how often, since when, how it ended.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::fault::Fault;
use super::words;
use crate::model::catalogue::{Text, Unit};
use crate::model::{
    AbnormalType, Catalogue, Cause, Distinct, EventKind, Incident, Language, Noun, State, Timestamp, Trouble,
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
        let mut faults: Vec<Fault> = Fault::of(incident).collect();
        faults.sort_by_key(|fault| (std::cmp::Reverse(fault.severity(self)), *fault));
        faults.into_iter().map(|fault| fault.name(self)).collect()
    }

    /// `23 streams`.
    pub(super) fn distinct(&self, distinct: Distinct) -> String {
        let number = words::number(distinct.number);
        let many = distinct.number != 1;
        match (self.language, distinct.of) {
            (Language::En, Noun::Stream) => format!("{number} stream{}", if many { "s" } else { "" }),
            (Language::En, Noun::Session) => format!("{number} push{}", if many { "es" } else { "" }),
            (Language::En, Noun::UserIp) => format!("{number} address{}", if many { "es" } else { "" }),
            (Language::Zh, Noun::Stream) => format!("{number} 路流"),
            (Language::Zh, Noun::Session) => format!("{number} 次推流"),
            (Language::Zh, Noun::UserIp) => format!("{number} 个推流 IP"),
        }
    }

    /// `23 streams in trouble: ` before what they have, or `, from 2 addresses` after it. Nothing is wrong with streams
    /// that were recorded or began.
    pub(super) fn together(&self, on: EventKind, distinct: Distinct, what: &str) -> String {
        let sick = matches!(on, EventKind::PushError | EventKind::PushEnd | EventKind::RecordError);
        let many = self.distinct(distinct);
        match (self.language, distinct.of) {
            (Language::En, Noun::Stream) if sick => format!("{many} in trouble: {what}"),
            (Language::En, Noun::Stream) => format!("{many}: {what}"),
            (Language::En, Noun::Session) => format!("{what}, in {many}"),
            (Language::En, Noun::UserIp) => format!("{what}, from {many}"),
            (Language::Zh, Noun::Stream) if sick => format!("{many}异常：{what}"),
            (Language::Zh, Noun::Stream) => format!("{many}：{what}"),
            (Language::Zh, Noun::Session) => format!("{what}，涉及 {many}"),
            (Language::Zh, Noun::UserIp) => format!("{what}，来自 {many}"),
        }
    }

    /// ` (23 streams)`.
    pub(super) fn aside(&self, text: &str) -> String {
        match self.language {
            Language::En => format!(" ({text})"),
            Language::Zh => format!("（{text}）"),
        }
    }

    /// `muted until 14:30`, or `muted` where it has no end.
    pub(super) fn muted(&self, until: Option<&str>) -> String {
        match (self.language, until) {
            (Language::En, Some(until)) => format!("muted until {until}"),
            (Language::En, None) => "muted".to_owned(),
            (Language::Zh, Some(until)) => format!("已静音至 {until}"),
            (Language::Zh, None) => "已静音".to_owned(),
        }
    }

    /// `part of #12`.
    pub(super) fn part_of(&self, sources: &str) -> String {
        match self.language {
            Language::En => format!("part of {sources}"),
            Language::Zh => format!("属于 {sources}"),
        }
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

    /// What it is and how bad: `video late, worst gap 3.0 s`; where they are counted, first how many have it.
    pub(super) fn what(&self, incident: &Incident) -> String {
        let what = match self.worst(incident) {
            Some(worst) => format!("{}{}{worst}", self.name(incident), self.pick(", ", "，")),
            None => self.name(incident),
        };
        match incident.distinct.as_deref().copied() {
            Some(distinct) => self.together(incident.on, distinct, &what),
            None => what,
        }
    }

    /// How often and since when; for what is over, how long it lasted.
    pub(super) fn often(&self, incident: &Incident) -> String {
        match incident.state {
            State::Resolved => self.with_past(incident, self.lasted(incident)),
            State::Pending | State::Firing => self.course(incident),
        }
    }

    /// The same below a first line that says how long it lasted: for what is over, when and how often.
    pub(super) fn course(&self, incident: &Incident) -> String {
        let course = match (incident.state, incident.on) {
            (State::Resolved, _) => self.when(incident),
            // What is counted there are streams, pushes or addresses: the headline has them.
            (_, EventKind::PushError) if incident.distinct.is_none() => self.counted(incident),
            (_, _) => self.since(incident.since),
        };
        self.with_past(incident, course)
    }

    /// With what was before, and how often it came back.
    fn with_past(&self, incident: &Incident, mut out: String) -> String {
        if let Some(pushed) = incident.end().push_duration.filter(|_| incident.on == EventKind::PushEnd) {
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
        let length = end(incident).since(incident.since);
        let when = self.when(incident);
        if length < Duration::from_secs(1) {
            return when;
        }
        let (lasted, comma) = (self.pick("lasted", "持续"), self.pick(", ", "，"));
        format!("{lasted} {}{comma}{when}", words::duration(length, self.language))
    }

    /// `12:03–12:05 (UTC+8), 14 times`.
    fn when(&self, incident: &Incident) -> String {
        let (from, to) = (incident.since, end(incident));
        let mut when = format!("{} ({})", self.span(from, to), words::offset(from, self.zone));
        if incident.on == EventKind::PushError && incident.distinct.is_none() {
            when.push_str(self.pick(", ", "，"));
            when.push_str(&words::times(incident.count.max(1), self.language));
        }
        when
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

    /// How it ended, and after how long: `well again after 2 min`.
    pub(super) fn ending(&self, incident: &Incident, lasted: Duration) -> String {
        let down = incident.on == EventKind::PushEnd && incident.silence.is_none();
        let (how, length) = match (self.language, incident.cause) {
            (Language::En, Some(Cause::Reconnected)) if down => ("live again", " after "),
            (Language::Zh, Some(Cause::Reconnected)) if down => ("已重新推流", "，断流 "),
            (Language::En, Some(Cause::Reconnected)) => ("reconnected and well again", " after "),
            (Language::Zh, Some(Cause::Reconnected)) => ("重连后恢复", "，持续 "),
            (Language::En, Some(Cause::Quiet)) => ("well again", " after "),
            (Language::Zh, Some(Cause::Quiet)) => ("已恢复", "，持续 "),
            (Language::En, Some(Cause::Heard)) => ("heard again", " after "),
            (Language::Zh, Some(Cause::Heard)) => ("回调已恢复", "，中断 "),
            (Language::En, Some(Cause::Ended)) => ("stream ended", ", in trouble for "),
            (Language::Zh, Some(Cause::Ended)) => ("推流已停止", "，此前异常 "),
            (Language::En, Some(Cause::RuleRemoved)) => ("no longer watched (rule removed)", ", lasted "),
            (Language::Zh, Some(Cause::RuleRemoved)) => ("规则已删除，不再监控", "，持续 "),
            (Language::En, Some(Cause::NoWord)) => ("no word for a day, closed", ", lasted "),
            (Language::Zh, Some(Cause::NoWord)) => ("一天没有消息，已关闭", "，持续 "),
            (Language::En, None) => ("over", " after "),
            (Language::Zh, None) => ("已结束", "，持续 "),
        };
        match lasted < Duration::from_secs(1) {
            true => how.to_owned(),
            false => format!("{how}{length}{}", words::duration(lasted, self.language)),
        }
    }

    /// The cloud's numbers, for those who search: `type 6 video_frames_late`, `errcode 13`.
    pub(super) fn codes(&self, incident: &Incident) -> Vec<String> {
        Fault::of(incident).filter_map(|fault| fault.code(self)).collect()
    }

    /// The cloud's own words, where there are any: hostile text.
    pub(super) fn said<'i>(&self, incident: &'i Incident) -> Option<&'i str> {
        let own = || incident.troubles.iter().find_map(|trouble| trouble.text.as_deref());
        incident.end().errmsg.as_deref().or_else(own).filter(|said| !said.trim().is_empty())
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
        (State::Resolved, Some(Cause::Quiet | Cause::Reconnected | Cause::Heard)) => super::Sign::Well,
        (State::Resolved, _) => super::Sign::Ended,
        (State::Pending | State::Firing, _) => super::Sign::of(incident.severity),
    }
}
