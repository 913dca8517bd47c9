//! A masked callback → one [`Event`], whatever its type and spelling. Pure; never fails: what can't be read is named.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::mask::Masked;
use super::wire::abnormal;
use super::wire::loose::{self, cut, moment};
use crate::model::{Event, EventId, EventKind, StreamName, Timestamp};

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

/// Makes the event of a callback that comes in.
pub(super) fn read(masked: &Masked<'_>) -> Event {
    read_fields(masked.id(), masked.kind(), masked.fields())
}

/// Makes the event of a callback's `event_type` and fields, name and value as written.
pub(super) fn read_fields<'a>(id: EventId, kind: i64, fields: impl Iterator<Item = (&'a str, &'a str)>) -> Event {
    let slots = Slots::sort(fields);
    let kind = EventKind::from_code(kind);
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
        id,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::admit;
    use crate::model::Door;

    fn event(body: &str) -> Event {
        let open = Door { allow_unsigned: true, ..Door::default() };
        admit(&open, body.as_bytes(), Timestamp(0)).unwrap().0
    }

    #[test]
    fn the_documented_begin_and_end_of_a_push() {
        let begin = event(include_str!("../../tests/fixtures/push_begin.json"));
        let end = event(include_str!("../../tests/fixtures/push_end.json"));
        assert_eq!((begin.kind, end.kind), (EventKind::PushBegin, EventKind::PushEnd));
        for event in [&begin, &end] {
            assert_eq!(event.stream.full(), "test.domain.com/live/test_stream");
            assert_eq!(event.session.as_deref(), Some("2210464508206756938"));
            assert_eq!(event.node.as_deref(), Some("42.81.194.37"));
            assert_eq!((event.unreadable.as_deref(), event.report_interval), (None, None));
        }
        assert_eq!((begin.errcode, begin.push_duration), (Some(0), None));
        assert_eq!((end.errcode, end.push_duration), (Some(1), Some(128_581)));
        assert_eq!(end.errmsg.as_deref(), Some("The push client actively stopped the push"));
        // Whole seconds count as their last millisecond.
        assert_eq!(begin.happened_at, Some(Timestamp(1_703_731_478_999)));
    }

    #[test]
    fn every_envelope_of_the_cloud_names_the_stream() {
        for (body, expected) in [
            (r#"{"event_type":0,"app":"d","appname":"p","stream_id":"s","channel_id":"other"}"#, "d/p/s"),
            (r#"{"event_type":341,"domain":"d","path":"p","stream_id":"s","session_id":"x"}"#, "d/p/s"),
            (r#"{"event_type":332,"domain":"d","appname":"p","stream_id":"s"}"#, "d/p/s"),
            (r#"{"event_type":317,"app":"d","appname":"p","streamId":"s","channelId":"s"}"#, "d/p/s"),
            (r#"{"event_type":1,"domain":"d","app":"p","stream_id":"s"}"#, "d/p/s"),
            (
                r#"{"event_type":1,"domain":"d","path":"p","app":"a","appname":"n","stream_id":"s","streamId":"t"}"#,
                "d/p/s",
            ),
            (r#"{"event_type":314,"appid":4,"stream_id":"s","msg":"{\"code\":-22}","source_urls":"[]\n"}"#, "//s"),
            (r#"{"event_type":328,"stream_id":12}"#, "//12"),
            (r#"{"event_type":1}"#, "//"),
        ] {
            let event = event(body);
            assert_eq!((event.stream.full(), event.unreadable.as_deref()), (expected, None), "{body}");
        }
    }

    #[test]
    fn seq_is_sequence_and_either_may_be_a_number() {
        for body in [
            r#"{"event_type":332,"seq":"77"}"#,
            r#"{"event_type":332,"seq":77}"#,
            r#"{"event_type":332,"sequence":"77","seq":"1"}"#,
            r#"{"event_type":332,"seq":"1","sequence":77}"#,
        ] {
            assert_eq!(event(body).session.as_deref(), Some("77"), "{body}");
        }
        assert_eq!(event(r#"{"event_type":1,"sequence":""}"#).session, None);
        let long = event(r#"{"event_type":1,"sequence":22104645082067569380000}"#);
        assert_eq!(long.session.as_deref(), Some("22104645082067569380000"));
    }

    #[test]
    fn each_kind_has_its_time_in_seconds_or_milliseconds() {
        for (body, expected) in [
            (r#"{"event_type":321,"data_time":"1670588074971"}"#, Some(1_670_588_074_971)),
            (r#"{"event_type":321,"data_time":1670588074}"#, Some(1_670_588_074_999)),
            (r#"{"event_type":0,"event_time":"1703731606"}"#, Some(1_703_731_606_999)),
            (r#"{"event_type":328,"event_time":1703731606123}"#, Some(1_703_731_606_123)),
            (r#"{"event_type":341,"timestamp":1739934527}"#, Some(1_739_934_527_999)),
            (r#"{"event_type":100,"start_time":1700000000,"end_time":1700000060}"#, Some(1_700_000_060_999)),
            (r#"{"event_type":200,"create_time":1622599925}"#, Some(1_622_599_925_999)),
            (r#"{"event_type":317,"screenshotTime":1622599925}"#, Some(1_622_599_925_999)),
            (r#"{"event_type":321,"timestamp":5,"event_time":6,"data_time":1670588074971}"#, Some(1_670_588_074_971)),
            (r#"{"event_type":0,"event_time":0}"#, None),
            (r#"{"event_type":0,"event_time":null}"#, None),
            (r#"{"event_type":0}"#, None),
        ] {
            let event = event(body);
            assert_eq!((event.happened_at.map(|at| at.0), event.unreadable), (expected, None), "{body}");
        }
    }

    #[test]
    fn numbers_may_be_strings_and_strings_numbers() {
        let event = event(
            r#"{"event_type":"0","appid":"12","errcode":"3","push_duration":113224,"stream_id":7,"report_interval":"5000"}"#,
        );
        assert_eq!((event.kind, event.appid.as_deref()), (EventKind::PushEnd, Some("12")));
        assert_eq!((event.errcode, event.push_duration, event.stream.stream()), (Some(3), Some(113_224), "7"));
        assert_eq!((event.report_interval, event.unreadable), (Some(5000), None));
    }

    #[test]
    fn absurd_numbers_are_left_out() {
        let event = event(r#"{"event_type":0,"push_duration":-1,"report_interval":99999999999,"event_time":-5}"#);
        assert_eq!((event.push_duration, event.report_interval, event.happened_at), (None, None, None));
    }

    #[test]
    fn every_field_that_cannot_be_read_is_named_and_the_rest_counts() {
        let event = event(
            r#"{"event_type":0,"app":[],"appname":"live","stream_id":{},"sequence":[],"appid":{},"user_ip":[1],"node":{},
            "event_time":"noon","errcode":"x","errmsg":{},"push_duration":[],"report_interval":true}"#,
        );
        let expected = "domain: not text; stream_id: not text; sequence: not text; appid: not text; user_ip: not text; \
            node: not text; event_time: not a number; errcode: not a number; errmsg: not text; \
            push_duration: not a number; report_interval: not a number";
        assert_eq!(event.unreadable.as_deref(), Some(expected));
        assert_eq!((event.stream.full(), event.errcode), ("/live/", None));
    }

    #[test]
    fn the_reason_of_an_end_belongs_to_pushes_alone() {
        let event = event(r#"{"event_type":332,"errcode":"E17","errmsg":"m","push_duration":"x","abnormal_event":5}"#);
        assert_eq!((event.errcode, event.errmsg, event.push_duration, event.unreadable), (None, None, None, None));
    }

    #[test]
    fn kept_text_is_bounded() {
        let long = "流".repeat(5000);
        let body = serde_json::json!({
            "event_type": 0, "stream_id": long, "errmsg": long, "sequence": long, "user_ip": long, "node": long, "appid": long,
        });
        let event = event(&body.to_string());
        assert!(event.stream.stream().len() <= StreamName::MAX_PART);
        assert!(event.errmsg.is_some_and(|text| text.len() <= MAX_WORDS && text.len() > MAX_WORDS - 3));
        for text in [event.session, event.user_ip, event.node, event.appid] {
            assert!(text.is_some_and(|text| text.len() <= MAX_NAME && text.len() > MAX_NAME - 3));
        }
    }
}
