//! Callbacks as the cloud would post them: who is in the cast, what happened to whom, and the JSON of it.
//!
//! The shapes are the documented ones. Of the descriptions only those of types 6 and 7 are published; the others are
//! modelled on them. Every text here is our own, so nothing needs escaping.

use std::io::Write as _;

use crate::model::{AbnormalType, StreamName, Timestamp};

/// How often the cloud reports push errors, ms.
pub(crate) const REPORT_INTERVAL: u64 = 5000;

/// The documented sample with the comma it lacks, without its stale `sign` and `t`.
const SAMPLE: &str = r#"{"abnormal_event":[{"count":2,"detail":[{"desc":"video frame arrive interval too long, interval=3046(msec)","occur_time":1670588070569},{"desc":"video frame arrive interval too long, interval=2953(msec)","occur_time":1670588073522}],"event_key":"","type":6,"type_desc_cn":" ","type_desc_en":"video frame arrive interval bigger than 1000(ms)"},{"count":2,"customer_visible":"true","detail":[{"desc":"audio frame arrive interval too long, interval=3009(msec)","occur_time":1670588070532},{"desc":"audio frame arrive interval too long, interval=2917(msec)","occur_time":1670588073486}],"event_key":"","type":7,"type_desc_cn":" ","type_desc_en":"audio frame arrive interval bigger than 1000(ms)"}],"appid":12345678,"user_ip":"1.1.1.1","data_time":1670588074971,"domain":"example.push.com","event_type":321,"interface":"general_callback","path":"live","report_interval":5000,"sequence":"000000000000000000","stream_id":"teststream","stream_param":"stream_param=test","timeout":5000"#;

/// The sample's own time.
const SAMPLE_AT: Timestamp = Timestamp(1_670_588_074_971);

/// What the cloud says of types 1 to 16: the detail's words, the unit of the number behind them ("" for none), and
/// `type_desc_en`.
const WORDS: [(&str, &str, &str); 16] = [
    ("video timestamp moved backwards, deviation=", "(msec)", "video timestamp moved backwards"),
    ("audio timestamp moved backwards, deviation=", "(msec)", "audio timestamp moved backwards"),
    ("video timestamp increased too much, deviation=", "(msec)", "video timestamp increased by more than 1000(ms)"),
    ("audio timestamp increased too much, deviation=", "(msec)", "audio timestamp increased by more than 1000(ms)"),
    ("chunk size too big, size=", "(bytes)", "chunk size bigger than 8192"),
    ("video frame arrive interval too long, interval=", "(msec)", "video frame arrive interval bigger than 1000(ms)"),
    ("audio frame arrive interval too long, interval=", "(msec)", "audio frame arrive interval bigger than 1000(ms)"),
    ("video codec changed", "", "video codec changed"),
    ("audio codec changed", "", "audio codec changed"),
    ("no codec header before the video frame", "", "no codec header before a video frame"),
    ("no codec header before the audio frame", "", "no codec header before an audio frame"),
    ("audio timestamp interval too long, interval=", "(msec)", "interval between audio timestamps too long"),
    ("codec format is uncommon", "", "audio or video codec format is uncommon"),
    ("video header cannot be parsed", "", "video header cannot be parsed"),
    ("video frame rate too low, fps=", "(fps)", "video frame rate too low"),
    ("gop too large, gop=", "(s)", "gop bigger than 10(s)"),
];

/// One kind of trouble in a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Which, 1 to 16.
    pub(crate) kind: AbnormalType,
    /// Occurrences.
    pub(crate) count: u32,
    /// The numbers measured, one a detail; may be fewer than `count`.
    pub(crate) values: Vec<u32>,
}

/// What the callback tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A push started (1).
    Begin,
    /// A push ended (0).
    End {
        /// Why.
        errcode: u8,
        /// For how long it had been pushed, ms.
        lasted: u64,
    },
    /// Push errors (321).
    Errors(Vec<Trouble>),
    /// The documented 321, to the letter.
    Sample,
}

/// The cloud's time of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    /// The moment of sending.
    WhenSent,
    /// Milliseconds after the plan's start.
    At(u64),
}

/// One callback of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Callback {
    /// Number of the stream within the cast.
    pub(crate) stream: u32,
    /// Number of the push; rises with every reconnect.
    pub(crate) session: u32,
    /// When it happened.
    pub(crate) happened: Happened,
    /// The trouble it belongs to, numbered per stream; `None` for a begin.
    pub(crate) episode: Option<u32>,
    /// Sent before, and now once more with a fresh signature.
    pub(crate) repeat: bool,
    /// What it tells.
    pub(crate) what: What,
}

impl Callback {
    /// Its time on the wall, for a plan whose start stands for `base` and a sending at `now`.
    pub(crate) fn time(&self, base: Timestamp, now: Timestamp) -> Timestamp {
        match (&self.what, self.happened) {
            (What::Sample, _) => SAMPLE_AT,
            (_, Happened::WhenSent) => now,
            (_, Happened::At(offset)) => Timestamp(base.0.saturating_add(i64::try_from(offset).unwrap_or(i64::MAX))),
        }
    }
}

/// Whether `stream_param` shows the secrets it would carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// As the cloud sends it.
    Shown,
    /// As the journal keeps it.
    Masked,
}

/// The streams of a plan.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    /// First part of their ids: `gop` gives `gop-1`.
    pub(crate) prefix: &'static str,
    /// The push domain of all of them.
    pub(crate) domain: &'static str,
    /// One address for all of them, or one for each.
    pub(crate) one_address: bool,
}

impl Cast {
    /// Full name of the stream that a callback is about.
    pub(crate) fn name(&self, callback: &Callback) -> StreamName {
        match callback.what {
            What::Sample => StreamName::new("example.push.com", "live", "teststream"),
            _ => StreamName::new(self.domain, "live", &format!("{}-{}", self.prefix, callback.stream + 1)),
        }
    }

    /// Writes the callback's JSON up to, not including, its last brace, so that a signature can be put behind it.
    /// `at` is the cloud's time of it.
    pub(crate) fn write_open(&self, body: &mut Vec<u8>, callback: &Callback, at: Timestamp, secrets: Secrets) {
        // Writing to a Vec can't fail.
        let _ = match &callback.what {
            What::Sample if secrets == Secrets::Masked => body.write_all(SAMPLE.replace("=test", "=***").as_bytes()),
            What::Sample => body.write_all(SAMPLE.as_bytes()),
            What::Errors(troubles) => self.write_errors(body, callback, troubles, at, secrets),
            What::Begin => self.write_push(body, callback, (1, 0, "ok"), at, secrets),
            What::End { errcode, lasted } => self
                .write_push(body, callback, (0, *errcode, errmsg(*errcode)), at, secrets)
                .and_then(|()| write!(body, ",\"push_duration\":\"{lasted}\"")),
        };
    }

    fn write_errors(
        &self,
        body: &mut Vec<u8>,
        callback: &Callback,
        troubles: &[Trouble],
        at: Timestamp,
        secrets: Secrets,
    ) -> std::io::Result<()> {
        body.extend_from_slice(b"{\"abnormal_event\":[");
        for (index, trouble) in troubles.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            write_trouble(body, index, trouble, at)?;
        }
        body.extend_from_slice(b"],\"appid\":12345678,\"user_ip\":\"");
        self.write_address(body, callback)?;
        write!(
            body,
            "\",\"data_time\":{},\"domain\":\"{}\",\"event_type\":321,\"interface\":\"general_callback\",\
             \"path\":\"live\",\"report_interval\":{REPORT_INTERVAL},\"sequence\":\"",
            at.0, self.domain
        )?;
        write_sequence(body, callback)?;
        write!(body, "\",\"stream_id\":\"{}-{}\",\"stream_param\":\"", self.prefix, callback.stream + 1)?;
        write_param(body, callback, secrets)?;
        body.extend_from_slice(b"\",\"timeout\":5000");
        Ok(())
    }

    /// `told` is event type, errcode and errmsg.
    fn write_push(
        &self,
        body: &mut Vec<u8>,
        callback: &Callback,
        told: (u8, u8, &str),
        at: Timestamp,
        secrets: Secrets,
    ) -> std::io::Result<()> {
        let (event_type, errcode, errmsg) = told;
        let number = callback.stream + 1;
        write!(
            body,
            "{{\"app\":\"{}\",\"appid\":12345678,\"appname\":\"live\",\"channel_id\":\"{prefix}-{number}\",\
             \"errcode\":{errcode},\"errmsg\":\"{errmsg}\",\"event_time\":{},\"event_type\":{event_type},\
             \"height\":0,\"idc_id\":34,\"node\":\"198.51.100.{}\",\"sequence\":\"",
            self.domain,
            at.secs(),
            callback.stream % 250 + 1,
            prefix = self.prefix,
        )?;
        write_sequence(body, callback)?;
        write!(body, "\",\"set_id\":2,\"stream_id\":\"{}-{number}\",\"stream_param\":\"", self.prefix)?;
        write_param(body, callback, secrets)?;
        body.extend_from_slice(b"\",\"user_ip\":\"");
        self.write_address(body, callback)?;
        body.extend_from_slice(b"\",\"width\":0");
        Ok(())
    }

    /// Addresses kept free for documentation.
    fn write_address(&self, body: &mut Vec<u8>, callback: &Callback) -> std::io::Result<()> {
        match self.one_address {
            true => write!(body, "203.0.113.7"),
            false => write!(body, "192.0.2.{}", callback.stream % 254 + 1),
        }
    }
}

fn write_trouble(body: &mut Vec<u8>, index: usize, trouble: &Trouble, at: Timestamp) -> std::io::Result<()> {
    let (words, unit, description) = WORDS.get((trouble.kind.0 as usize).wrapping_sub(1)).copied().unwrap_or((
        "unknown trouble",
        "",
        "unknown trouble",
    ));
    write!(body, "{{\"count\":{},", trouble.count)?;
    // The documented sample's first entry lacks it.
    if index > 0 {
        body.extend_from_slice(b"\"customer_visible\":\"true\",");
    }
    body.extend_from_slice(b"\"detail\":[");
    let listed = i64::try_from(trouble.values.len()).unwrap_or(1).max(1);
    for (nth, value) in (0_i64..).zip(&trouble.values) {
        if nth > 0 {
            body.push(b',');
        }
        // Spread over the reporting interval before `at`, the last one a little before its end.
        let occurred = at.0 - 1449 - (listed - 1 - nth) * (3500 / listed);
        match unit {
            "" => write!(body, "{{\"desc\":\"{words}\",\"occur_time\":{occurred}}}")?,
            _ => write!(body, "{{\"desc\":\"{words}{value}{unit}\",\"occur_time\":{occurred}}}")?,
        }
    }
    write!(
        body,
        "],\"event_key\":\"\",\"type\":{},\"type_desc_cn\":\" \",\"type_desc_en\":\"{description}\"}}",
        trouble.kind.0
    )
}

/// 18 digits that rise with every push of the stream.
fn write_sequence(body: &mut Vec<u8>, callback: &Callback) -> std::io::Result<()> {
    write!(body, "221046{:06}{:06}", callback.stream, callback.session)
}

/// What the push address carries: the secrets look real, and open nothing.
fn write_param(body: &mut Vec<u8>, callback: &Callback, secrets: Secrets) -> std::io::Result<()> {
    match secrets {
        Secrets::Shown => write!(body, "txSecret={:032x}&txTime=7fffffff", u64::from(callback.stream) * 0x9e37_79b9),
        Secrets::Masked => write!(body, "txSecret=***&txTime=***"),
    }
}

fn errmsg(errcode: u8) -> &'static str {
    match errcode {
        1 => "The push client actively stopped the push",
        2 => "recv rtmp closeStream",
        3 => "recv() return 0",
        12 => "network error",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const CAST: Cast = Cast { prefix: "cam", domain: "push.example.com", one_address: false };

    fn callback(what: What) -> Callback {
        Callback { stream: 6, session: 2, happened: Happened::At(9000), episode: None, repeat: false, what }
    }

    fn body(callback: &Callback, secrets: Secrets) -> Value {
        let mut body = Vec::new();
        CAST.write_open(&mut body, callback, callback.time(Timestamp(1_000_000), Timestamp(0)), secrets);
        body.push(b'}');
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn every_type_is_valid_json_with_a_number_where_there_is_a_unit() {
        for number in 1..=16 {
            let what = What::Errors(vec![Trouble { kind: AbnormalType(number), count: 3, values: vec![4242, 7] }]);
            let body = body(&callback(what), Secrets::Shown);
            let entry = &body["abnormal_event"][0];
            assert_eq!((&entry["type"], &entry["count"]), (&number.into(), &3.into()));
            let desc = entry["detail"][0]["desc"].as_str().unwrap();
            assert_eq!(desc.contains("=4242("), !WORDS[number as usize - 1].1.is_empty(), "{desc}");
        }
    }

    #[test]
    fn a_report_is_shaped_like_the_documented_one() {
        let trouble = |kind, value| Trouble { kind: AbnormalType(kind), count: 2, values: vec![value, value + 1] };
        let errors = body(&callback(What::Errors(vec![trouble(6, 3046), trouble(7, 3009)])), Secrets::Shown);
        let sample = body(&callback(What::Sample), Secrets::Shown);
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&errors), keys(&sample));
        for entry in [0, 1] {
            assert_eq!(keys(&errors["abnormal_event"][entry]), keys(&sample["abnormal_event"][entry]));
        }
        assert_eq!(errors["data_time"], 1_009_000);
        assert_eq!(errors["sequence"].as_str().unwrap().len(), 18);
        let occurred = errors["abnormal_event"][0]["detail"][0]["occur_time"].as_i64().unwrap();
        assert!((1_004_000..1_009_000).contains(&occurred), "{occurred} is outside the reporting interval");
        let size = |value: &Value| value.to_string().len();
        assert!(size(&errors).abs_diff(size(&sample)) < 100, "{} against {}", size(&errors), size(&sample));
    }

    #[test]
    fn a_push_begins_and_ends_with_the_same_sequence_and_only_the_end_says_how_long() {
        let begin = body(&callback(What::Begin), Secrets::Shown);
        let end = body(&callback(What::End { errcode: 12, lasted: 8000 }), Secrets::Shown);
        assert_eq!(begin["sequence"], end["sequence"]);
        assert_eq!((&begin["event_type"], &begin["errcode"]), (&1.into(), &0.into()));
        assert_eq!((&end["event_type"], &end["errcode"]), (&0.into(), &12.into()));
        assert_eq!((&begin["push_duration"], &end["push_duration"]), (&Value::Null, &"8000".into()));
        assert_eq!(end["event_time"], 1009);
    }

    #[test]
    fn masked_bodies_hold_no_secret_and_differ_in_nothing_else() {
        let callback = callback(What::End { errcode: 1, lasted: 8000 });
        let (mut shown, mut masked) = (body(&callback, Secrets::Shown), body(&callback, Secrets::Masked));
        assert!(shown["stream_param"].as_str().unwrap().contains("txSecret=0000"));
        assert_eq!(masked["stream_param"], "txSecret=***&txTime=***");
        let sample = body(&Callback { what: What::Sample, ..callback }, Secrets::Masked);
        assert_eq!(sample["stream_param"], "stream_param=***");
        shown["stream_param"] = Value::Null;
        masked["stream_param"] = Value::Null;
        assert_eq!(shown, masked);
    }
}
