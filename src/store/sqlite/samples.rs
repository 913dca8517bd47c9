//! Lifelike entries for tests and benches of the store.

use bytes::Bytes;

use crate::model::{Abnormal, AbnormalType, Detail, Event, EventId, EventKind, Input, NewEntry, StreamName, Timestamp};

/// A push error of about 950 bytes, of one of 10,000 streams; equal numbers are duplicates of each other.
pub(super) fn callback(number: u64) -> NewEntry {
    let mixed = (u128::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let stream = format!("cam{}", number % 10_000);
    let at = 1_700_000_000_000 + number as i64;
    let details = |desc: &str| {
        (0..3)
            .map(|i| format!(r#"{{"occur_time":{},"desc":"{desc} {} ms"}}"#, at - 900 * i, 3000 + (number + 7) % 997))
            .collect::<Vec<_>>()
            .join(",")
    };
    let body = format!(
        r#"{{"event_type":321,"appid":1250000000,"app":"push.example.com","appname":"live","stream_id":"{stream}","stream_param":"***","sequence":"{:020}","data_time":{at},"report_interval":5000,"user_ip":"203.0.113.{}","idc_id":"ingest-{:04}","abnormal_event":[{{"type":6,"type_desc_en":"video frame arrived late","type_desc_cn":"视频帧到达延迟","count":3,"detail":[{}]}},{{"type":7,"type_desc_en":"audio frame arrived late","type_desc_cn":"音频帧到达延迟","count":3,"detail":[{}]}}],"customer_visible":1,"nonce":"{:032x}"}}"#,
        mixed as u64,
        number % 250,
        number % 40,
        details("video DTS lags"),
        details("audio DTS lags"),
        mixed,
    );
    let abnormal = |kind| Abnormal {
        kind: AbnormalType(kind),
        count: 3,
        details: (0..3).map(|i| Detail { at: Some(Timestamp(at - 900 * i)), value: Some(3120.0) }).collect(),
        text: None,
    };
    let event = Event {
        id: EventId(mixed.to_le_bytes()),
        kind: EventKind::PushError,
        stream: StreamName::new("push.example.com", "live", &stream),
        session: Some(format!("{:020}", mixed as u64).into()),
        appid: Some("1250000000".into()),
        user_ip: Some(format!("203.0.113.{}", number % 250).into()),
        node: Some(format!("ingest-{:04}", number % 40).into()),
        happened_at: Some(Timestamp(at)),
        report_interval: Some(5000),
        errcode: None,
        errmsg: None,
        push_duration: None,
        abnormal: vec![abnormal(6), abnormal(7)],
        unreadable: None,
    };
    NewEntry { input: Input::Callback(Box::new(event)), body: Bytes::from(body) }
}
