//! How long the store takes for one batch of callbacks and for one commit of the engine, disk sync included.

#![expect(clippy::expect_used, reason = "a measurement that can not go on shall fail")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use divan::Bencher;
use futures_util::future::join_all;
use pushwatch::clock::Clock;
use pushwatch::metrics::Metrics;
use pushwatch::model::{
    Abnormal, AbnormalType, ChannelName, Cursor, Detail, EngineChanges, Event, EventId, EventKind, Group, GroupId,
    Input, Key, Keyed, NewEntry, News, Notification, Reason, Seq, Severity, StreamName, Timestamp,
};
use pushwatch::store::{Changes, Commit, Settings, Shard, Sqlite, Store};
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

/// Callbacks that arrive together and share a transaction, if they get there before the writer takes the first.
#[divan::bench(args = [1, 32, 256], max_time = 5)]
fn append(bencher: Bencher<'_, '_>, batch: u64) {
    let (_dir, runtime, store) = open();
    let mut next = 0;
    bencher
        .with_inputs(|| {
            next += batch;
            (next - batch..next).map(callback).collect::<Vec<_>>()
        })
        .input_counter(|entries| divan::counter::ItemsCount::new(entries.len()))
        .bench_local_values(|entries| {
            let appends = entries.into_iter().map(|entry| store.append(&Shard::Engine, entry));
            black_box(runtime.block_on(join_all(appends)))
        });
}

/// An incident opens: group, keyed state, one row for each of two channels, cursor.
#[divan::bench(max_time = 5)]
fn commit(bencher: Bencher<'_, '_>) {
    let (_dir, runtime, store) = open();
    let opened = runtime.block_on(store.open(Shard::Engine, Duration::ZERO)).expect("opens");
    let mut next = 0;
    bencher
        .with_inputs(|| {
            next += 1;
            let cursor = Cursor { seq: Seq(next), at: Timestamp(next as i64) };
            Commit { cursor, changes: Changes::Engine(changes(next)) }
        })
        .bench_local_values(|commit| runtime.block_on(store.commit(&opened.lease, commit)).expect("is kept"));
}

fn open() -> (tempfile::TempDir, Runtime, Arc<Sqlite>) {
    let dir = tempfile::tempdir_in(".").expect("a folder on a real disk");
    let store = Sqlite::open(Settings::new(dir.path()), Arc::new(Clock::start()), Arc::new(Metrics::new()));
    (dir, Runtime::new().expect("a runtime"), store.expect("opens"))
}

fn changes(number: u64) -> EngineChanges {
    let stream = StreamName::new("push.example.com", "live", &format!("cam{number}"));
    let (group, at) = (GroupId(number), Timestamp(number as i64));
    let why = (Reason::Post, News::Opened);
    let owed = |channel| Notification::of_group(ChannelName::new(channel), group, why, Severity::Warning, at);
    EngineChanges {
        groups: vec![Group {
            id: group,
            key: Key::Stream(stream.clone()),
            opened_at: at,
            closed_at: None,
            held_until: None,
            held_by: None,
            revision: 1,
            told: Vec::new(),
            shown: None,
        }],
        keyed: vec![Keyed { kind: "stream", key: stream.full().to_owned(), value: Some(r#"{"live":["1"]}"#.into()) }],
        outbox: vec![owed("ops"), owed("oncall")],
        ..EngineChanges::default()
    }
}

/// A push error with a body of about 950 bytes, of one of 10,000 streams, each with an identity of its own.
fn callback(number: u64) -> NewEntry {
    let mixed = (u128::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let stream = format!("cam{}", number % 10_000);
    let at = 1_700_000_000_000 + number as i64;
    let details = |what: &str| {
        let one = |i: i64| {
            let late = 3000 + (number + 7 * i as u64) % 997;
            format!(r#"{{"occur_time":{},"desc":"{what} frame DTS lags {late} ms"}}"#, at - 900 * i)
        };
        (0..3).map(one).collect::<Vec<_>>().join(",")
    };
    let kinds = [(6, "video", "视频帧到达延迟"), (7, "audio", "音频帧到达延迟")].map(|(kind, what, chinese)| {
        format!(
            r#"{{"type":{kind},"type_desc_en":"{what} frame arrived late","type_desc_cn":"{chinese}","count":3,"detail":[{}]}}"#,
            details(what)
        )
    });
    let body = format!(
        r#"{{"event_type":321,"appid":1250000000,"app":"push.example.com","appname":"live","stream_id":"{stream}","stream_param":"txTime={:x}&txSecret=***","sequence":"{:020}","data_time":{at},"report_interval":5000,"user_ip":"203.0.113.{}","idc_id":"ingest-{:04}","abnormal_event":[{}],"customer_visible":1,"trace":"{mixed:032x}"}}"#,
        at / 1000,
        mixed as u64,
        number % 250,
        number % 40,
        kinds.join(","),
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
