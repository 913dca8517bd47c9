//! What a backtest says is what the engine would have said live, from the journal as from an export of it.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use clap::Parser;
use futures_util::future::join_all;
use serde_json::json;

use super::side::{Counts, Tally};
use super::*;
use crate::engine::Transition;
use crate::ingest;
use crate::metrics::Metrics;
use crate::model::{Door, EngineChanges, Incident, IncidentId, Key, Mute, MuteId, NewEntry, Reason, StreamName};
use crate::rules::{self, RuleSet};
use crate::store::{Archive, Begin, Changes, Commit, Settings, Shard, Sqlite, Store, samples};

const RULES: &str = r#"
version: 1
tencent: { keys: ["${CALLBACK_KEY_NOBODY_SETS}"] }
channels:
  screen: { type: console }
  chat: { type: telegram, token: "${TOKEN_NOBODY_SETS}", chat_id: "${CHAT_NOBODY_SETS}" }
defaults: { notify: [screen, chat], resolve_after: 90s, reopen_within: 5m, repeat_interval: 1h, rate_limit: none }
rules:
  - { name: gop, on: push_error, types: [16], severity: warning }
  - { name: stall, on: push_error, types: [6], threshold: { within: 1m }, severity: { warning: 3, critical: 10 } }
  - { name: down, on: push_end, grace: 60s, severity: critical }
"#;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: BacktestArgs,
}

fn args(line: &[&str]) -> BacktestArgs {
    Line::parse_from([&["backtest"], line].concat()).args
}

/// A data folder with its server's store running, whose time goes as it is told to.
struct Server {
    dir: tempfile::TempDir,
    store: Arc<Sqlite>,
    clock: Arc<Clock>,
}

impl Server {
    async fn start() -> Server {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Clock::start());
        let settings = Settings::for_testing(dir.path().join("data"));
        let store = Sqlite::open(settings, Arc::clone(&clock), Arc::new(Metrics::new())).unwrap();
        store.table("rules").put("last_good", RULES).await.unwrap();
        Server { dir, store, clock }
    }

    fn data(&self) -> String {
        self.dir.path().join("data").display().to_string()
    }

    fn file(&self, name: &str, text: &str) -> String {
        let file = self.dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    }

    fn pass(&self, time: Duration) {
        self.clock.not_before(self.clock.steady() + time);
    }

    async fn append(&self, input: Input) {
        self.store.append(&Shard::Engine, NewEntry { input, body: Bytes::new() }).await.unwrap();
    }

    /// Takes these bodies in as the door would, at once.
    async fn post(&self, bodies: Vec<serde_json::Value>) {
        let open = Door { allow_unsigned: true, ..Door::default() };
        let entries = bodies.into_iter().map(|mut body| {
            body["data_time"] = json!(self.clock.steady().0);
            let (event, body) = ingest::admit(&open, body.to_string().as_bytes(), Timestamp(0)).unwrap();
            NewEntry { input: Input::Callback(Box::new(event)), body }
        });
        for appended in join_all(entries.map(|entry| self.store.append(&Shard::Engine, entry))).await {
            appended.unwrap();
        }
    }

    /// Twenty minutes of a show: a steady trouble, one that comes and goes and grows, streams that stop.
    async fn play(&self) {
        for tick in 0..240u64 {
            self.pass(5 * SECOND);
            let mut bodies = Vec::new();
            if tick < 100 {
                bodies.push(push_error("steady", 16, 1));
            }
            if tick % 60 < 12 {
                bodies.push(push_error("bursts", 6, 1 + tick % 3));
            }
            if tick % 80 == 40 {
                bodies.push(json!({"event_type": 0, "app": "push.example.com", "appname": "live", "errcode": 3,
                    "stream_id": format!("gone{tick}"), "sequence": "1"}));
            }
            bodies.push(push_error(&format!("cam{}", tick % 7), 13, 1));
            self.post(bodies).await;
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let archive = Archive::open(Path::new(&self.data())).unwrap();
        archive.entries(Begin::Start, |_, _| None).unwrap().map(Result::unwrap).collect()
    }

    /// What `export` prints.
    fn export(&self) -> String {
        let lines = crate::store::Scan::open(Path::new(&self.data()), None).unwrap().map(|recorded| {
            let recorded = recorded.unwrap();
            let body = std::str::from_utf8(&recorded.body).unwrap();
            format!("{{\"received_at\":{},\"body\":{body}}}\n", recorded.received_at.0)
        });
        self.file("export.jsonl", &lines.collect::<String>())
    }

    fn report(&self, line: &[&str]) -> Report {
        let (report, exit) = report(&args(line), self.clock.steady()).unwrap();
        assert_eq!(exit, Exit::Fine, "{:?}", report.notes);
        report
    }
}

fn push_error(stream: &str, kind: u32, count: u64) -> serde_json::Value {
    json!({"event_type": 321, "domain": "push.example.com", "path": "live", "stream_id": stream, "sequence": "1",
        "abnormal_event": [{"type": kind, "count": count}]})
}

fn key(stream: &str) -> Key {
    Key::Stream(StreamName::new("push.example.com", "live", stream))
}

fn load(text: &str) -> Arc<RuleSet> {
    let set = rules::load(text, "rules.yaml", &|name| Some(if name.contains("CHAT") { "7" } else { "x" }.to_owned()));
    Arc::new(set.unwrap_or_else(|mistakes| panic!("{mistakes:?}")))
}

/// What the engine says live: entry by entry, each with its changes taken out.
fn live(rules: &str, entries: &[Entry]) -> Tally {
    let mut engine = Engine::new(load(rules));
    let mut tally = Tally::default();
    for entry in entries.iter().filter(|entry| !matches!(entry.input, Input::RulesLoaded { .. })) {
        engine.step(entry);
        for effect in engine.take_effects() {
            let (rule, key) = (effect.rule, effect.key);
            for counts in [&mut tally.total, tally.rules.entry(rule).or_default(), tally.keys.entry(key).or_default()] {
                match effect.is {
                    Transition::Opened => counts.incidents += 1,
                    Transition::Reopened => counts.reopened += 1,
                    _ => {}
                }
            }
        }
        for row in engine.take_changes().outbox {
            match row.reason {
                Reason::Edit => tally.edits += 1,
                Reason::Post | Reason::Reply => tally.total.messages += 1,
                Reason::Notice => {}
            }
        }
    }
    tally.firing = engine.counts().1 as u64;
    tally
}

fn without_messages(mut tally: Tally) -> Tally {
    tally.rules.values_mut().chain(tally.keys.values_mut()).for_each(|counts| counts.messages = 0);
    tally.rules.retain(|_, counts| !counts.is_nothing());
    tally.keys.retain(|_, counts| !counts.is_nothing());
    tally
}

#[tokio::test]
async fn the_same_events_give_the_same_incidents_as_live_beside_a_running_server() {
    let server = Server::start().await;
    server.play().await;
    let report = server.report(&["--data-dir", &server.data()]);
    let [side] = report.sides.as_slice() else { panic!("{report:?}") };
    assert_eq!(side.name, "in force");
    let live = live(RULES, &server.entries());
    assert!(live.total.incidents >= 5 && live.total.reopened > 0 && live.total.messages > 20, "{live:?}");
    assert_eq!(without_messages(side.tally.clone()), without_messages(live));
    // Every message is on the account of a rule, and of a stream.
    let sum = |counts: &mut dyn Iterator<Item = &Counts>| counts.map(|counts| counts.messages).sum::<u64>();
    assert_eq!(sum(&mut side.tally.rules.values()), side.tally.total.messages);
    assert_eq!(sum(&mut side.tally.keys.values()), side.tally.total.messages);
    assert_eq!(report.callbacks, server.entries().len() as u64);
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    server.store.close().await;
}

#[tokio::test]
async fn an_export_gives_the_same_as_the_journal() {
    let server = Server::start().await;
    server.play().await;
    let (new, config) = (server.file("new.yaml", &RULES.replace("warning: 3", "warning: 5")), server.file("c", RULES));
    let journal = server.report(&["--data-dir", &server.data(), "--rules", &new]);
    let export = server.export();
    let lines = server.report(&["--input", &export, "--rules", &new, "--config", &config]);
    assert_eq!((journal.callbacks, journal.between), (lines.callbacks, lines.between));
    for (one, other) in journal.sides.iter().zip(&lines.sides) {
        assert_eq!((one.name, &one.tally), (other.name, &other.tally));
    }
    server.store.close().await;
}

#[tokio::test]
async fn a_changed_rule_stands_first_and_the_same_ones_behind() {
    let server = Server::start().await;
    server.play().await;
    let text = RULES.replace("name: gop", "name: gop_size").replace("warning: 3", "warning: 1000");
    let new = server.file("new.yaml", &text.replace("critical: 10", "critical: 2000"));
    let report = server.report(&["--data-dir", &server.data(), "--rules", &new]);
    let rows = report.rules();
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!((names[0], names[3]), ("stall", "down"), "{rows:?}");
    let row = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    assert_eq!(row("stall").sides[1], Some(Counts::default()));
    assert_eq!((row("gop").sides[1], row("gop_size").sides[0]), (None, None));
    assert_eq!(row("gop").sides[0], row("gop_size").sides[1]);
    assert!(row("down").is_same());
    assert_eq!(report.keys()[0].name, "push.example.com/live/bursts");
    let text = text::text(&report, 1);
    assert!(text.contains("Streams (1 of 1 that differ)"), "{text}");
    server.store.close().await;
}

#[tokio::test]
async fn a_backtest_warms_up_one_longest_window_before_since() {
    let server = Server::start().await;
    server.pass(600 * SECOND);
    for count in [2, 1] {
        server.post(vec![push_error("cam", 6, count)]).await;
        server.pass(20 * SECOND);
    }
    // The second one alone would be below the threshold of 3.
    let report = server.report(&["--data-dir", &server.data(), "--since", "30s"]);
    assert_eq!((report.callbacks, report.warm_up), (1, 1));
    assert_eq!(report.sides[0].tally.total.incidents, 1);
    // What opened before does not count.
    let report = server.report(&["--data-dir", &server.data(), "--since", "10s"]);
    assert_eq!((report.callbacks, report.warm_up, report.sides[0].tally.total.incidents), (0, 2, 0));
    assert!(report.notes[0].contains("No callback in the journal") && report.notes[0].contains("--since"));
    server.store.close().await;
}

#[tokio::test]
async fn nothing_goes_on_beyond_the_last_entry() {
    let server = Server::start().await;
    server.post(vec![push_error("cam", 16, 1)]).await;
    server.pass(3600 * SECOND);
    let report = server.report(&["--data-dir", &server.data()]);
    let tally = &report.sides[0].tally;
    assert_eq!((tally.total.incidents, tally.total.messages, tally.firing), (1, 2, 1));
    server.store.close().await;
}

#[tokio::test]
async fn an_empty_journal_says_what_to_do() {
    let server = Server::start().await;
    let report = server.report(&["--data-dir", &server.data()]);
    assert_eq!(report.callbacks, 0);
    assert!(report.notes[0].contains("Try --since 72h") && report.notes[0].contains("pushwatch_callbacks_total"));
    let empty = server.file("empty.jsonl", "");
    let config = server.file("rules.yaml", RULES);
    let report = server.report(&["--input", &empty, "--config", &config, "--since", "1h"]);
    assert!(report.notes[0].contains("pushwatch export"), "{:?}", report.notes);
    server.store.close().await;
}

#[tokio::test]
async fn acknowledgements_find_their_incident_by_rule_and_stream() {
    let server = Server::start().await;
    let live = Incident { id: IncidentId(70), rule: "gop".into(), key: key("cam"), ..samples::incident(70) };
    let opened = server.store.open(Shard::Engine, Duration::ZERO).await.unwrap();
    let changes = EngineChanges { incidents: vec![live], ..EngineChanges::default() };
    let commit = Commit { cursor: opened.cursor, changes: Changes::Engine(changes) };
    server.store.commit(&opened.lease, commit).await.unwrap();
    server.post(vec![push_error("cam", 16, 1)]).await;
    server.append(Input::Acknowledged { incident: IncidentId(70), by: "ann".into() }).await;
    server.append(Input::Acknowledged { incident: IncidentId(71), by: "ann".into() }).await;
    let mute = Mute {
        id: MuteId(1),
        matchers: "stream=\"cam\"".into(),
        within: None,
        set_at: Timestamp(0),
        until: Timestamp::MAX,
        author: "ann".into(),
        reason: "".into(),
    };
    server.append(Input::Muted(Box::new(mute))).await;
    server.append(Input::RulesLoaded { hash: "x".into() }).await;

    let recording = Recording::Folder(server.data().into());
    let source = recording.open(None).unwrap();
    assert_eq!(source.incident(IncidentId(70)), Some(("gop".into(), key("cam"))));
    assert_eq!(source.incident(IncidentId(71)), None);
    let report = server.report(&["--data-dir", &server.data()]);
    assert_eq!((report.callbacks, report.sides[0].tally.total.incidents), (1, 1));
    server.store.close().await;
}

#[tokio::test]
async fn without_rules_in_force_the_new_ones_stand_alone_and_wrong_ones_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name).display().to_string()
    };
    let body = json!({"received_at": 1_000_000, "body": push_error("cam", 16, 1)});
    let (input, new) = (file("in.jsonl", &format!("{body}\nnonsense\n")), file("new.yaml", RULES));
    let none = dir.path().join("none").display().to_string();
    let now = Timestamp(0);
    let (alone, exit) = report(&args(&["--input", &input, "--rules", &new, "--config", &none]), now).unwrap();
    assert_eq!((alone.sides.len(), alone.sides[0].name, exit), (1, "new", Exit::Fine));
    assert!(alone.notes.iter().any(|note| note.contains("line 2 was passed over")), "{:?}", alone.notes);
    assert!(alone.notes.iter().any(|note| note.contains("stand alone")), "{:?}", alone.notes);

    let refused = report(&args(&["--input", &input, "--config", &none]), now).unwrap_err();
    assert!(refused.contains("does not exist"), "{refused}");
    let wrong = file("wrong.yaml", &RULES.replace("types: [16]", "types: [99999999999]"));
    let refused = report(&args(&["--input", &input, "--rules", &wrong, "--config", &none]), now).unwrap_err();
    assert!(refused.contains("wrong.yaml") && refused.contains("types"), "{refused}");
    let refused = report(&args(&["--data-dir", &none, "--rules", &new]), now).unwrap_err();
    assert!(refused.contains("no pushwatch has run"), "{refused}");
    let bad = file("bad.jsonl", "nonsense\n");
    let (said, exit) = report(&args(&["--input", &bad, "--config", &new]), now).unwrap();
    assert_eq!((said.callbacks, exit), (0, Exit::Wrong));
    assert!(said.notes[0].contains("line 1 was passed over"), "{:?}", said.notes);
}

fn said(incidents: u64, reopened: u64, messages: u64) -> Counts {
    Counts { incidents, reopened, messages }
}

fn judged(name: &'static str, total: Counts, rules: &[(&str, Counts)], keys: &[(&str, Counts)]) -> Judged {
    let rules = rules.iter().map(|(rule, counts)| (Arc::from(*rule), *counts)).collect();
    let keys = keys.iter().map(|(stream, counts)| (key(stream), *counts)).collect();
    let tally = Tally { total, edits: 12_000, firing: 2, rules, keys };
    Judged { name, source: format!("{}.yaml", &name[..2]), hash: "0123456789abcdef".to_owned(), tally }
}

/// A comparison in which every kind of line comes up.
fn compared() -> Report {
    let in_force = judged(
        "in force",
        said(1300, 4, 2710),
        &[
            ("video_stall", said(1204, 4, 2410)),
            ("gop_too_large", said(96, 0, 300)),
            ("codec_uncommon", said(0, 0, 0)),
            ("old_rule", said(0, 0, 0)),
        ],
        &[("cam1", said(1200, 4, 2400)), ("cam\u{202e}2", said(4, 0, 10)), ("cam3", said(96, 0, 300))],
    );
    let new = judged(
        "new",
        said(1100, 0, 2275),
        &[
            ("video_stall", said(980, 0, 1951)),
            ("gop_too_large", said(96, 0, 300)),
            ("codec_uncommon", said(0, 0, 0)),
            ("new_rule", said(24, 0, 24)),
        ],
        &[("cam1", said(980, 0, 1951)), ("cam3", said(96, 0, 300)), ("cam4", said(24, 0, 24))],
    );
    Report {
        callbacks: 1_234_567,
        warm_up: 10_233,
        since: Some(Timestamp(1_700_000_000_000)),
        between: Some((Timestamp(1_700_000_000_123), Timestamp(1_700_086_400_000))),
        sides: vec![in_force, new],
        notes: vec!["line 7 was passed over: no line of an export".to_owned()],
    }
}

#[test]
fn a_comparison_reads_well() {
    insta::assert_snapshot!(text::text(&compared(), 2));
}

#[test]
fn one_side_alone_reads_well() {
    let mut report = compared();
    report.sides.pop();
    insta::assert_snapshot!(text::text(&report, 2));
}

#[test]
fn machines_get_everything() {
    insta::assert_json_snapshot!(text::json(&compared()));
}
