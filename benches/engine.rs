//! What a decision costs: one step of the engine against the number of rules, and of streams.

use std::hint::black_box;
use std::sync::Arc;

use divan::Bencher;
use pushwatch::engine::Engine;
use pushwatch::model::{
    Abnormal, AbnormalType, Detail, Entry, Event, EventId, EventKind, Input, Mute, MuteId, Seq, StreamName, Timestamp,
};
use pushwatch::rules::{self, RuleSet};

const T0: i64 = 1_700_000_000_000;

/// Reports made up front and played round and round.
const EVENTS: usize = 10_000;

fn main() {
    divan::main();
}

/// The documented report (types 6 and 7) over 10,000 streams; of the rules, at most five can match, the others listen
/// to other types.
#[divan::bench(args = [1, 5, 10, 100, 1_000])]
fn step_by_rules(bencher: Bencher<'_, '_>, count: usize) {
    steps(bencher, rule_set(count, |n| format!("types: [{}]", 8 + n % 9)), 10_000);
}

/// The same where the others listen to the same type of other domains, by their names.
#[divan::bench(args = [5, 100, 1_000])]
fn step_by_rules_of_other_domains(bencher: Bencher<'_, '_>, count: usize) {
    steps(bencher, rule_set(count, |n| format!("types: [6], where: {{ domain: push{n}.example.com }}")), 10_000);
}

/// The same by globs of stream names.
#[divan::bench(args = [5, 100, 1_000])]
fn step_by_rules_of_other_globs(bencher: Bencher<'_, '_>, count: usize) {
    steps(bencher, rule_set(count, |n| format!("types: [6], where: {{ stream: \"studio{n}_*\" }}")), 10_000);
}

/// One rule of each sort of threshold and scope beside the stream's own.
#[divan::bench(args = ["per: stream", "per: session", "per: app", "per: domain", "per: user_ip", "per: all"])]
fn step_by_scope(bencher: Bencher<'_, '_>, per: &str) {
    let rule = format!(
        "  - {{ name: one, on: push_error, types: [6], {per}, threshold: {{ count: 1000, within: 1m }}, severity: warning }}\n"
    );
    steps(bencher, load(&format!("{HEAD}{rule}")), 10_000);
}

/// A site-wide rule that counts 10,000 different streams.
#[divan::bench]
fn step_of_distinct_streams(bencher: Bencher<'_, '_>) {
    let rule = "  - { name: site, on: push_error, per: domain, threshold: { distinct: stream, count: 20, within: 1m }, severity: critical }\n";
    steps(bencher, load(&format!("{HEAD}{rule}")), 10_000);
}

/// The same with the shipped rules, over more and more streams.
#[divan::bench(args = [1, 1_000, 100_000, 1_000_000])]
fn step_by_streams(bencher: Bencher<'_, '_>, streams: usize) {
    let shipped = include_str!("../rules.yaml");
    let set = rules::load(shipped, "rules.yaml", &|_| None).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    steps(bencher, set, streams);
}

/// What judging one due notification costs beside this many mutes in force, a tenth of them patterns: a trouble opens
/// that no mute covers. Each is another stream's, so that the numbers of rows and timers stay as they are.
#[divan::bench(args = [0, 100, 1_000, 10_000])]
fn due_notification_by_mutes(bencher: Bencher<'_, '_>, mutes: usize) {
    let rule = "  - { name: one, on: push_error, types: [6], severity: warning, resolve_after: 1h }\n";
    let mut engine = muted(load(&format!("{HEAD}{rule}")), mutes);
    let mut seq = 100_000;
    let next = move || {
        seq += 1;
        let at = Timestamp(T0 + seq as i64);
        let event = Event { happened_at: Some(at), ..report(seq as usize) };
        Entry { seq: Seq(seq), received_at: at, input: Input::Callback(Box::new(event)) }
    };
    bencher.with_inputs(next).bench_local_refs(|entry| {
        engine.step(black_box(entry));
        engine.take_effects();
        engine.take_changes()
    });
}

/// What a callback costs that makes no notification due, beside as many: the rule fires on the streams already.
#[divan::bench(args = [0, 100, 1_000, 10_000])]
fn callback_by_mutes(bencher: Bencher<'_, '_>, mutes: usize) {
    let rule = "  - { name: one, on: push_error, types: [6], severity: warning, resolve_after: 1h }\n";
    steps_of(bencher, muted(load(&format!("{HEAD}{rule}")), mutes), 1_000);
}

/// An engine beside mutes of streams and of patterns, none of which covers what is reported.
fn muted(set: RuleSet, mutes: usize) -> Engine {
    let mut engine = Engine::new(Arc::new(set));
    for n in 0..mutes {
        let matchers = match n % 10 {
            0 => format!("stream=~\"(studio|stage){n}_.*[a-z]\""),
            _ => format!("stream=\"other{n}\", domain=\"push.example.com\", path=\"live\""),
        };
        let mute = Mute {
            id: MuteId(n as u64 + 1),
            matchers: matchers.into(),
            within: None,
            set_at: Timestamp(T0),
            until: Timestamp(T0 + 30 * 24 * 3_600_000),
            author: "ann".into(),
            reason: "works".into(),
        };
        let input = Input::Muted(Box::new(mute));
        engine.step(&Entry { seq: Seq(n as u64 + 1), received_at: Timestamp(T0), input });
        engine.take_changes();
    }
    engine
}

fn steps(bencher: Bencher<'_, '_>, set: RuleSet, streams: usize) {
    steps_of(bencher, Engine::new(Arc::new(set)), streams);
}

fn steps_of(bencher: Bencher<'_, '_>, mut engine: Engine, streams: usize) {
    let mut seq = 100_000u64;
    let mut events: Vec<Event> = (0..EVENTS.max(streams)).map(|n| report(n % streams)).collect();
    let total = events.len() as u64;
    let mut next = move || {
        seq += 1;
        let event = &mut events[(seq % total) as usize];
        let at = Timestamp(T0 + seq as i64);
        event.happened_at = Some(at);
        Entry { seq: Seq(seq), received_at: at, input: Input::Callback(Box::new(event.clone())) }
    };
    // Every stream is known before the measuring begins.
    for _ in 0..total {
        engine.step(&next());
        engine.take_effects();
        engine.take_changes();
    }
    bencher.with_inputs(next).bench_local_refs(|entry| {
        engine.step(black_box(entry));
        engine.take_effects();
        engine.take_changes()
    });
}

const HEAD: &str = "version: 1\nchannels: { c: { type: console } }\ndefaults: { notify: [c] }\nrules:\n";

/// This many rules, of which the first five hear the report and the others hear what `others` says.
fn rule_set(count: usize, others: impl Fn(usize) -> String) -> RuleSet {
    let mut text = HEAD.to_owned();
    for n in 0..count {
        let what = if n < 5 { "types: [6]".to_owned() } else { others(n) };
        text.push_str(&format!(
            "  - {{ name: rule_{n}, on: push_error, {what}, threshold: {{ count: {}, within: 1m }}, severity: warning }}\n",
            // Rules that are the same but for their names are refused.
            1000 + n
        ));
    }
    load(&text)
}

fn load(text: &str) -> RuleSet {
    rules::load(text, "bench.yaml", &|_| None).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

fn report(stream: usize) -> Event {
    let abnormal = |kind, values: [f64; 2]| Abnormal {
        kind: AbnormalType(kind),
        count: 2,
        details: values.map(|value| Detail { at: None, value: Some(value) }).to_vec(),
        text: None,
    };
    Event {
        id: EventId([0; 16]),
        kind: EventKind::PushError,
        stream: StreamName::new("push.example.com", "live", &format!("cam{stream}")),
        session: Some("2210464508206756938".into()),
        appid: Some("12345678".into()),
        user_ip: Some("203.0.113.7".into()),
        node: None,
        happened_at: None,
        report_interval: Some(5000),
        errcode: None,
        errmsg: None,
        push_duration: None,
        abnormal: vec![abnormal(6, [3046.0, 2953.0]), abnormal(7, [3009.0, 2917.0])],
        unreadable: None,
    }
}
