//! A masked callback → one [`Event`], whatever its type and spelling. Pure; never fails: what can't be read is named.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::mask::Masked;
use super::wire::abnormal;
use super::wire::loose::{self, cut, moment};
use crate::model::{Event, EventKind, StreamName, Timestamp};

/// Bytes kept of short names: session, account, addresses.
const MAX_NAME: usize = 256;
/// Bytes kept of the cloud's words.
const MAX_WORDS: usize = 512;

/// Values as written, by what they mean; the cloud has several names for most of them.
#[derive(Default)]
struct Slots<'a> {
    domain: Option<&'a str>,
    path: Option<&'a str>,
    app: Option<&'a str>,
    stream: Option<&'a str>,
    session: Option<&'a str>,
    appid: Option<&'a str>,
    user_ip: Option<&'a str>,
    node: Option<&'a str>,
    /// With how well it tells when the event happened; lower is better.
    time: Option<(u8, &'static str, &'a str)>,
    report_interval: Option<&'a str>,
    errcode: Option<&'a str>,
    errmsg: Option<&'a str>,
    push_duration: Option<&'a str>,
    abnormal: Option<&'a str>,
}

impl<'a> Slots<'a> {
    fn sort(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Slots<'a> {
        let mut slots = Slots::default();
        for (key, raw) in fields {
            match key {
                "domain" => slots.domain = Some(raw),
                "app" => slots.app = Some(raw),
                "appname" | "appName" => slots.path = slots.path.or(Some(raw)),
                "path" => slots.path = Some(raw),
                "stream_id" => slots.stream = Some(raw),
                "streamId" => slots.stream = slots.stream.or(Some(raw)),
                "sequence" => slots.session = Some(raw),
                "seq" => slots.session = slots.session.or(Some(raw)),
                "appid" | "appId" => slots.appid = Some(raw),
                "user_ip" | "userIp" => slots.user_ip = Some(raw),
                "node" => slots.node = Some(raw),
                "report_interval" | "reportInterval" => slots.report_interval = Some(raw),
                "errcode" => slots.errcode = Some(raw),
                "errmsg" => slots.errmsg = Some(raw),
                "push_duration" | "pushDuration" => slots.push_duration = Some(raw),
                "abnormal_event" | "abnormalEvent" => slots.abnormal = Some(raw),
                _ => slots.time(key, raw),
            }
        }
        slots
    }

    /// The moment it happened rather than when it was reported, the end of a stretch rather than its beginning.
    fn time(&mut self, key: &str, raw: &'a str) {
        let (rank, name) = match key {
            "data_time" | "dataTime" => (0, "data_time"),
            "event_time" | "eventTime" => (1, "event_time"),
            "timestamp" => (2, "timestamp"),
            "end_time" | "endTime" => (3, "end_time"),
            "create_time" | "createTime" => (4, "create_time"),
            "screenshot_time" | "screenshotTime" => (5, "screenshot_time"),
            _ => return,
        };
        if self.time.is_none_or(|(best, ..)| rank < best) {
            self.time = Some((rank, name, raw));
        }
    }
}

/// What could not be read, in the callback's own names.
#[derive(Default)]
struct Notes(String);

impl Notes {
    fn add(&mut self, note: std::fmt::Arguments<'_>) {
        let separator = if self.0.is_empty() { "" } else { "; " };
        // Writing to a String can't fail.
        let _ = write!(self.0, "{separator}{note}");
    }

    fn read<T>(&mut self, name: &str, result: Result<Option<T>, &'static str>) -> Option<T> {
        result.unwrap_or_else(|why| {
            self.add(format_args!("{name}: {why}"));
            None
        })
    }

    fn text<'a>(&mut self, name: &str, raw: Option<&'a str>) -> Option<Cow<'a, str>> {
        let text = self.read(name, raw.map_or(Ok(None), loose::text));
        text.filter(|text| !text.is_empty())
    }

    fn kept(&mut self, name: &str, raw: Option<&str>, max: usize) -> Option<Box<str>> {
        self.text(name, raw).map(|text| cut(&text, max).into())
    }

    fn int(&mut self, name: &str, raw: Option<&str>) -> Option<i64> {
        self.read(name, raw.map_or(Ok(None), loose::int))
    }

    fn time(&mut self, name: &str, raw: Option<&str>) -> Option<Timestamp> {
        self.int(name, raw).and_then(moment)
    }
}

/// Makes the event of a callback.
pub(super) fn read(masked: &Masked<'_>) -> Event {
    let slots = Slots::sort(masked.fields());
    let kind = EventKind::from_code(masked.kind());
    let mut notes = Notes::default();
    let stream = stream(&slots, &mut notes);
    let session = notes.kept("sequence", slots.session, MAX_NAME);
    let appid = notes.kept("appid", slots.appid, MAX_NAME);
    let user_ip = notes.kept("user_ip", slots.user_ip, MAX_NAME);
    let node = notes.kept("node", slots.node, MAX_NAME);
    let happened_at = slots.time.and_then(|(_, name, raw)| notes.time(name, Some(raw)));
    let of_push = match kind {
        EventKind::PushEnd | EventKind::PushBegin => (slots.errcode, slots.errmsg, slots.push_duration),
        _ => (None, None, None),
    };
    let errcode = notes.int("errcode", of_push.0);
    let errmsg = notes.kept("errmsg", of_push.1, MAX_WORDS);
    let push_duration = notes.int("push_duration", of_push.2);
    let report_interval = notes.int("report_interval", slots.report_interval);
    let abnormal = match (kind, slots.abnormal) {
        (EventKind::PushError, Some(raw)) => {
            let report = abnormal::read(raw);
            if let Some(problem) = report.problem {
                notes.add(format_args!("{problem}"));
            }
            report.entries
        }
        _ => Vec::new(),
    };
    Event {
        id: masked.id(),
        kind,
        stream,
        session,
        appid,
        user_ip,
        node,
        happened_at,
        report_interval: report_interval.and_then(|ms| u32::try_from(ms).ok()).filter(|ms| *ms > 0),
        errcode,
        errmsg,
        push_duration: push_duration.and_then(|ms| u64::try_from(ms).ok()),
        abnormal,
        unreadable: (!notes.0.is_empty()).then(|| cut(&notes.0, MAX_WORDS).into()),
    }
}

/// `domain/path`, `app/appname` or `domain/appname`; where there is a domain and no other path, `app` is the path.
fn stream(slots: &Slots<'_>, notes: &mut Notes) -> StreamName {
    let (domain, path) = match (slots.domain, slots.path) {
        (Some(domain), Some(path)) => (Some(domain), Some(path)),
        (Some(domain), None) => (Some(domain), slots.app),
        (None, path) => (slots.app, path),
    };
    let domain = notes.text("domain", domain).unwrap_or_default();
    let path = notes.text("path", path).unwrap_or_default();
    let stream = notes.text("stream_id", slots.stream).unwrap_or_default();
    StreamName::new(&domain, &path, &stream)
}
