//! How fast recorded callbacks are judged again: the real `backtest` over a day of them, from the journal and from
//! JSON lines, with one and with two rule sets of 20 rules.
//!
//! ```text
//! cargo bench --bench backtest -- [CALLBACKS]
//! ```

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a measurement, with a clock of its own")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use pushwatch::clock::Clock;
use pushwatch::ingest;
use pushwatch::metrics::Metrics;
use pushwatch::model::{Door, Input, NewEntry, Timestamp};
use pushwatch::store::{Settings, Shard, Sqlite, Store as _};

/// Streams in all, and those that are sick at any time.
const STREAMS: u64 = 10_000;
const SICK: u64 = 64;

/// Callbacks of one bout of trouble: a begin, reports some five seconds apart, an end.
const BOUT: u64 = 60;

/// Appends that wait for the disk together: what a busy server's batches look like.
const AT_ONCE: u64 = 2 * SICK;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let callbacks = words.first().and_then(|word| word.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let rules = rules();
    fs::write(folder.path().join("rules.yaml"), &rules).unwrap();
    fs::write(folder.path().join("new.yaml"), rules.replace("count: 5", "count: 6")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let started = Instant::now();
    runtime.block_on(record(folder.path(), callbacks));
    let size = fs::metadata(folder.path().join("out.jsonl")).unwrap().len() >> 20;
    println!("{callbacks} callbacks of a day recorded in {:.1?}, {size} MiB as JSON lines", started.elapsed());
    let (journal, lines) = (["--data-dir", "data", "--since", "72h"], ["--input", "out.jsonl"]);
    for round in 1..=3 {
        measure(folder.path(), callbacks, &format!("round {round}: journal, one rule set "), &journal, &[]);
        measure(
            folder.path(),
            callbacks,
            &format!("round {round}: journal, two rule sets"),
            &journal,
            &["--rules", "new.yaml"],
        );
        measure(folder.path(), callbacks, &format!("round {round}: lines, one rule set   "), &lines, &[]);
        measure(
            folder.path(),
            callbacks,
            &format!("round {round}: lines, two rule sets  "),
            &lines,
            &["--rules", "new.yaml"],
        );
    }
}

/// The shipped rules and three more.
fn rules() -> String {
    let more = "
  - { name: many_gops, on: push_error, types: [16], threshold: { count: 5, within: 5m }, severity: warning }
  - { name: long_gap, on: push_error, types: [6, 7], where: { value: \">= 4s\" }, severity: warning }
  - { name: reconnecting, on: push_begin, threshold: { count: 5, within: 10m }, severity: warning }
";
    format!("{}{more}", include_str!("../rules.yaml"))
}

/// Writes callbacks spread over a day into a journal and a file.
async fn record(folder: &Path, callbacks: u64) {
    let clock = Arc::new(Clock::start());
    let settings = Settings { max_bytes: 64 << 30, ..Settings::new(folder.join("data")) };
    let store = Sqlite::open(settings, Arc::clone(&clock), Arc::new(Metrics::new())).unwrap();
    let mut lines = std::io::BufWriter::new(fs::File::create(folder.join("out.jsonl")).unwrap());
    let open = Door { allow_unsigned: true, ..Door::default() };
    let step = DAY / u32::try_from(callbacks.div_ceil(AT_ONCE)).unwrap();
    for first in (0..callbacks).step_by(AT_ONCE as usize) {
        clock.not_before(clock.steady() + step);
        let at = clock.steady();
        let entries = (first..(first + AT_ONCE).min(callbacks)).map(|number| {
            let (event, body) = ingest::admit(&open, body(number, at).as_bytes(), at).unwrap();
            write!(lines, "{{\"received_at\":{},\"body\":", at.0).unwrap();
            lines.write_all(&body).unwrap();
            lines.write_all(b"}\n").unwrap();
            NewEntry { input: Input::Callback(Box::new(event)), body }
        });
        let entries: Vec<NewEntry> = entries.collect();
        for appended in join_all(entries.into_iter().map(|entry| store.append(&Shard::Engine, entry))).await {
            appended.unwrap();
        }
    }
    lines.flush().unwrap();
    store.close().await;
}

/// Of the sick streams in turn: the begin of a push, reports like the documented one (about 900 bytes), the end.
fn body(number: u64, at: Timestamp) -> String {
    let (turn, place) = (number / SICK, number % SICK);
    let (bout, step) = (turn / BOUT, turn % BOUT);
    let stream = (bout * SICK + place) * 7919 % STREAMS;
    // The second half of a batch is the next round of reports.
    let at = at.0 - 5000 + (number % AT_ONCE / SICK * 5000 + place) as i64;
    let push = |kind: u64, errcode: u64| {
        format!(
            "{{\"app\":\"push.example.com\",\"appid\":1250000000,\"appname\":\"live\",\"errcode\":{errcode},\"event_time\":{},\
             \"event_type\":{kind},\"sequence\":\"{bout}\",\"stream_id\":\"cam{stream}\",\"user_ip\":\"203.0.113.7\"}}",
            at / 1000
        )
    };
    let detail = |what: &str| {
        let occurred = |back: i64| {
            let late = 3000 + (number as i64 + back) % 1500;
            format!("{{\"desc\":\"{what} frame arrived late, gap {late} ms\",\"occur_time\":{}}}", at - back * 900)
        };
        (0..2).map(occurred).collect::<Vec<_>>().join(",")
    };
    let errors = match (step, place % 8) {
        (0, _) => return push(1, 0),
        (last, _) if last + 1 == BOUT => return push(0, 1 + place % 3),
        (_, 0) => "{\"count\":1,\"detail\":[{\"desc\":\"gop 12 s\",\"occur_time\":1}],\"type\":16}".to_owned(),
        _ => format!(
            "{{\"count\":2,\"detail\":[{}],\"type\":6,\"type_desc_cn\":\"视频帧到达延迟\",\"type_desc_en\":\"video frame \
             arrived late\"}},{{\"count\":2,\"detail\":[{}],\"type\":7,\"type_desc_cn\":\"音频帧到达延迟\",\
             \"type_desc_en\":\"audio frame arrived late\"}}",
            detail("video"),
            detail("audio")
        ),
    };
    format!(
        "{{\"abnormal_event\":[{errors}],\"appid\":1250000000,\"channel_id\":\"cam{stream}\",\"data_time\":{at},\
         \"domain\":\"push.example.com\",\"event_type\":321,\"path\":\"live\",\"report_interval\":5000,\
         \"sequence\":\"{bout}\",\"stream_id\":\"cam{stream}\",\"stream_param\":\"txSecret=***&txTime=***\",\
         \"timeout\":5000,\"user_ip\":\"203.0.113.{}\"}}",
        stream % 250
    )
}

fn measure(folder: &Path, callbacks: u64, what: &str, from: &[&str], rules: &[&str]) {
    let (cpu, started) = (children_cpu(), Instant::now());
    let output = Command::new(env!("CARGO_BIN_EXE_pushwatch"))
        .args(["backtest", "--output", "json"])
        .args(from)
        .args(rules)
        .current_dir(folder)
        .output()
        .unwrap();
    let (wall, cpu) = (started.elapsed().as_secs_f64(), children_cpu() - cpu);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let judged = report["callbacks"].as_u64().unwrap() + report["warm_up"].as_u64().unwrap();
    assert_eq!(judged, callbacks);
    let incidents: Vec<u64> =
        report["sides"].as_array().unwrap().iter().filter_map(|side| side["incidents"].as_u64()).collect();
    println!(
        "{what}: {:.0} callbacks/s, {wall:.2} s, {cpu:.2} CPU s ({:.0} callbacks per CPU s), incidents {incidents:?}",
        judged as f64 / wall,
        judged as f64 / cpu
    );
}

/// CPU seconds of all processes that were started and have ended.
fn children_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks = |place: usize| after[place].parse::<f64>().unwrap();
    (ticks(13) + ticks(14)) / 100.0
}
