//! Tests of the command: who is matched with whom, what is played, and how a difference reads.

use std::collections::HashSet;
use std::fs;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::matching::{Matching, differences, match_up};
use super::play::Happened;
use super::*;
use crate::model::{Cause, ChannelName, IncidentId, Key, Severity, StreamName};
use crate::rules::trial::{About, Expected, Offset, Turn};

const RULES: &str = "version: 1
channels: { ops: { type: slack, token: '${SLACK_BOT_TOKEN}', channel: C1 }, wecom: { type: wecom, key: { file: k } } }
defaults: { notify: [ops, wecom], rate_limit: { burst: 1, every: 10m } }
rules:
  - { name: gop_too_large, on: push_error, types: [gop_too_large], severity: warning }
  - name: video_stall
    on: push_error
    types: [video_frames_late]
    threshold: { within: 1m }
    severity: { warning: 3, critical: 10 }
  - { name: stream_down, on: push_end, where: { errcode: { not: [1, 2] } }, grace: 90s, severity: critical }
";

fn run_on(tests: &str) -> FileReport {
    run_with(RULES, tests)
}

fn run_with(rules: &str, tests: &str) -> FileReport {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yaml"), rules).unwrap();
    let file = folder.path().join("test.yaml");
    fs::write(&file, format!("rules: rules.yaml\ntests:\n{tests}")).unwrap();
    let mut report = test_file(&file, &|_| None);
    report.file = "test.yaml".to_owned();
    report
}

fn text(report: &FileReport) -> String {
    let mut sums = Sums::default();
    sums.add(report);
    let style = Style { colours: false, verbose: false };
    report::file_text(report, style) + &report::summary(sums, style)
}

fn passes(tests: &str) {
    let report = run_on(tests);
    assert!(!report.tests.is_empty() && report.tests.iter().all(TestReport::passed), "{}", text(&report));
}

fn fails(tests: &str) {
    let report = run_on(tests);
    assert!(!report.tests.is_empty() && !report.tests.iter().any(TestReport::passed), "{}", text(&report));
}

const GOP: &str = "- { name: a, given: [ { at: 0s, stream: d/p/s, push_error: [16] } ], ";

#[test]
fn every_effect_until_the_end_must_be_matched_exactly_once() {
    let told = "{ at: 0s, rule: gop_too_large, is: firing }";
    let over = "{ at: 90s, rule: gop_too_large, is: resolved }";
    passes(&format!("{GOP} expect: [ {told}, {over} ], until: 1h }}\n"));
    passes(&format!("{GOP} expect: [ {over}, {told} ] }}\n"));
    fails(&format!("{GOP} expect: [ {told} ], until: 1h }}\n"));
    fails(&format!("{GOP} expect: [ {told}, {told}, {over} ], until: 1h }}\n"));
    fails(&format!("{GOP} expect: [ {told}, {over}, {{ at: 5m, rule: gop_too_large, is: firing }} ], until: 1h }}\n"));
}

#[test]
fn what_is_decided_after_the_end_does_not_exist_and_at_the_end_it_does() {
    let told = "{ at: 0s, is: firing }";
    passes(&format!("{GOP} expect: [ {told} ], until: 89s999ms }}\n"));
    fails(&format!("{GOP} expect: [ {told} ], until: 90s }}\n"));
    passes(&format!("{GOP} expect: [ {told}, {{ at: 90s }} ], until: 90s }}\n"));
}

#[test]
fn what_a_line_leaves_out_is_not_compared_and_nobody_is_an_empty_list() {
    for line in ["at: 0s", "rule: gop_too_large", "is: firing", "severity: warning", "stream: d/p/s", "key: d/p/s"] {
        passes(&format!("{GOP} expect: [ {{ {line} }} ], until: 1s }}\n"));
    }
    for line in ["at: 1ms", "rule: video_stall", "is: resolved", "severity: info", "stream: d/p/t", "key: d"] {
        fails(&format!("{GOP} expect: [ {{ {line} }} ], until: 1s }}\n"));
    }
    passes(&format!("{GOP} expect: [ {{ notify: [wecom, ops] }} ], until: 1s }}\n"));
    fails(&format!("{GOP} expect: [ {{ notify: [ops] }} ], until: 1s }}\n"));
    fails(&format!("{GOP} expect: [ {{ notify: [] }} ], until: 1s }}\n"));
    passes(&format!("{GOP} expect: [ {{ at: 0s }}, {{ cause: quiet, is: resolved }} ], until: 2m }}\n"));
    fails(&format!("{GOP} expect: [ {{ at: 0s }}, {{ cause: ended, is: resolved }} ], until: 2m }}\n"));
}

#[test]
fn news_that_is_held_back_is_told_by_either_line_or_by_both() {
    let twice = "- name: a
  given:
    - { at: 0s, stream: d/p/s, push_error: [16] }
    - { at: 3m, stream: d/p/s, push_error: [16] }
  expect:
    - { at: 0s, is: firing }
    - { at: 90s, is: resolved }
";
    let (firing, suppressed) = ("    - { at: 3m, is: firing }\n", "    - { at: 3m, is: suppressed }\n");
    let until = "  until: 4m\n";
    passes(&format!("{twice}{firing}{until}"));
    passes(&format!("{twice}{suppressed}{until}"));
    passes(&format!("{twice}{firing}{suppressed}{until}"));
    passes(&format!("{twice}    - {{ at: 3m, rule: gop_too_large }}\n{until}"));
    fails(&format!("{twice}{until}"));
    fails(&format!("{twice}{suppressed}{suppressed}{until}"));
    fails(&format!("{twice}{firing}{firing}{suppressed}{until}"));
}

#[test]
fn what_the_rate_limit_lets_go_is_repeated() {
    passes(
        "- name: a
  given:
    - { at: 0s, stream: d/p/s, push_error: [16] }
    - { at: 3m, every: 5s, times: 90, stream: d/p/s, push_error: [16] }
  expect:
    - { at: 0s, is: firing, notify: [ops, wecom] }
    - { at: 90s, is: resolved }
    - { at: 3m, is: suppressed, notify: [] }
    - { at: 10m, is: repeated, notify: [ops, wecom] }
  until: 11m
",
    );
}

#[test]
fn an_acknowledgement_is_of_what_fires_then() {
    let down = "- name: a
  given:
    - { at: 0s, stream: d/p/s, push_end: { errcode: 5 } }
    - { at: ACK, ack: { rule: stream_down, stream: d/p/s, by: ann } }
    - { at: 5m, stream: d/p/s, push_begin: }
  expect: [ { at: 90s, is: firing }, { at: 5m, is: resolved, cause: reconnected } ]
  until: 10m
";
    passes(&down.replace("ACK", "90s"));
    passes(&down.replace("ACK", "4m59s"));
    for nothing_fires in ["89s999ms", "6m"] {
        let report = run_on(&down.replace("ACK", nothing_fires));
        let stuck = &report.tests[0].play.stuck;
        assert_eq!((stuck.len(), stuck[0].0), (1, 6), "{stuck:?}");
        assert!(!report.tests[0].passed() && report.tests[0].matching == Matching::default());
    }
}

#[test]
fn a_test_that_never_stops_talking_is_stopped() {
    let rules = RULES
        .replace("severity: warning }", "severity: warning, repeat_interval: 1s }")
        .replace("{ burst: 1, every: 10m }", "none");
    let tests = "- name: a
  given: [ { at: 0s, every: 1m, times: 300, stream: d/p/s, push_error: [16] } ]
  expect: [ { at: 0s } ]
";
    let report = run_with(&rules, tests);
    assert!(report.tests[0].play.flooded && !report.tests[0].passed());
    assert!(text(&report).contains("and 9"), "{}", text(&report));
    assert!(text(&report).contains("more than 10000 things happened"));
}

#[test]
fn what_is_received_after_the_end_is_not_played() {
    let given = "given: [ { at: 0s, received: 1h, stream: d/p/s, push_error: [16] } ]";
    let report = run_on(&format!("- {{ name: a, {given}, expect: [], until: 59m }}\n"));
    assert!(matches!(&report.mistakes[..], [Fault::Mistake(mistake)] if mistake.message().contains("ends before")));
}

const WRONG: &str = "- name: passes
  given: [ { at: 0s, stream: d/p/s, push_begin: } ]
  expect: []
  until: 1h
- name: differs in everything
  given:
    - { at: 0s, every: 5s, times: 4, stream: push.example.com/live/cam1, push_error: [ { type: video_frames_late, count: 3 } ] }
    - { at: 1m, stream: \"d/p/流 1\", push_end: { errcode: 5 } }
    - { at: 1m, ack: { rule: stream_down, stream: \"d/p/流 1\" } }
  expect:
    - { at: 5s, rule: video_stall, is: firing, severity: critical, notify: [ops] }
    - { at: 15s, rule: video_stall, is: escalated, severity: critical }
    - { at: 1m45s, rule: video_stall, is: resolved, cause: ended }
    - { at: 2m30s, rule: gop_too_large, is: firing, stream: d/p/other }
  until: 10m
";

#[test]
fn a_difference_reads_well() {
    assert_snapshot!(text(&run_on(WRONG)));
}

#[test]
fn a_long_list_of_differences_is_cut() {
    let report = run_on("- { name: a, given: [], expect: [ { stream: 'd/p/s{1..50}', at: 0s } ] }\n");
    let text = text(&report);
    assert!(text.contains("and 30 more lines that did not come true") && !text.contains("d/p/s21"), "{text}");
}

#[test]
fn everything_that_happened_is_shown_as_lines_to_copy() {
    let shown = run_on(WRONG);
    let text = report::file_text(&shown, Style { colours: false, verbose: true });
    let happened = text.split("what happened until 10m:\n").nth(1).unwrap();
    let lines: String = happened.lines().filter(|line| !line.is_empty()).map(|l| format!("{}\n", &l[2..])).collect();
    assert!(lines.lines().count() == 4, "{text}");
    let given = WRONG.split("- name: differs").nth(1).unwrap().split("  expect:\n").next().unwrap();
    let given: String = given.lines().filter(|line| !line.contains("ack:")).map(|line| format!("{line}\n")).collect();
    passes(&format!("- name: differs{given}  expect:\n{lines}  until: 10m\n"));
}

#[test]
fn colours_are_for_terminals() {
    let report = run_on(WRONG);
    assert!(!text(&report).contains('\x1b'));
    let painted = report::file_text(&report, Style { colours: true, verbose: false });
    assert!(painted.contains("\x1b[32mok\x1b[0m") && painted.contains("\x1b[1;31mFAILED\x1b[0m"));
}

#[test]
fn a_hostile_name_stays_on_its_line_and_out_of_the_terminal() {
    let report = run_on(
        "- { name: \"a\\e[31m\\nb\", given: [ { at: 0s, stream: \"d/p/\\e[2J\", push_error: [16] } ], expect: [], until: 1s }\n",
    );
    let text = text(&report);
    assert!(!text.contains('\x1b') && text.contains("a\\u{1b}[31m\\nb"), "{text}");
}

#[test]
fn machines_get_the_same() {
    let report = run_on(WRONG);
    let mut sums = Sums::default();
    sums.add(&report);
    let json = format!("{:#}", report::json(&[report], sums));
    assert_snapshot!(json);
}

#[test]
fn mistakes_of_the_tests_and_of_their_rules_are_shown_together() {
    let rules = RULES.replace("grace: 90s", "grace: 90");
    let report = run_with(&rules, "- { name: a, given: [], expcet: [], until: 1h }\n");
    let told = |fault: &Fault| match fault {
        Fault::Mistake(mistake) => mistake.message().to_owned(),
        Fault::Told(why) => why.clone(),
    };
    let told: Vec<String> = report.mistakes.iter().map(told).collect();
    assert!(told.iter().any(|m| m.contains("`expcet`")) && told.iter().any(|m| m.contains("`grace`")), "{told:?}");
    assert!(text(&report).ends_with("0 tests in 1 file: 0 passed; 1 file with mistakes\n"), "{}", text(&report));
    let report = run_with(&rules, "- { name: a, given: [], expect: [], until: 1h }\n");
    assert_eq!(report.mistakes.len(), 1);
}

#[test]
fn a_file_that_is_not_there_is_told_of() {
    let report = test_file(Path::new("/nowhere/test.yaml"), &|_| None);
    assert!(matches!(&report.mistakes[..], [Fault::Told(why)] if why.starts_with("/nowhere/test.yaml can't be read")));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.yaml");
    fs::write(&file, "rules: other.yaml\ntests: [ { name: a, given: [], expect: [], until: 1h } ]\n").unwrap();
    let report = test_file(&file, &|_| None);
    assert!(
        matches!(&report.mistakes[..], [Fault::Mistake(mistake)] if mistake.message().contains("`other.yaml` can't be read"))
    );
}

// Matching, against every way there is.

/// Decisions at a few moments, some of them with a twin after them.
fn decisions() -> impl Strategy<Value = Vec<Happened>> {
    let one = (0u64..3, 0u64..2, any::<bool>(), any::<bool>());
    proptest::collection::vec(one, 0..5).prop_map(|all| {
        let mut happened: Vec<Happened> = Vec::new();
        for (at, rule, resolved, held) in all {
            let place = happened.len();
            let one = Happened {
                at: Offset(std::time::Duration::from_secs(at)),
                rule: ["a", "b"][rule as usize].into(),
                is: if resolved { Turn::Resolved } else { Turn::Firing },
                cause: resolved.then_some(Cause::Quiet),
                severity: Severity::Info,
                key: Key::Stream(StreamName::new("d", "p", "s")),
                notify: vec![ChannelName::new("ops")],
                incident: IncidentId(place as u64),
                twin: None,
            };
            match held && !resolved {
                true => {
                    let word = Happened { is: Turn::Suppressed, twin: Some(place), ..one.clone() };
                    happened.extend([Happened { twin: Some(place + 1), ..one }, word]);
                }
                false => happened.push(one),
            }
        }
        happened
    })
}

fn lines() -> impl Strategy<Value = Vec<Expected>> {
    let turn = prop_oneof![Just(Turn::Firing), Just(Turn::Resolved), Just(Turn::Suppressed)];
    let one = (proptest::option::of(0u64..3), proptest::option::of(0usize..2), proptest::option::of(turn));
    proptest::collection::vec(one, 0..6).prop_map(|all| {
        let line = |(at, rule, is): (Option<u64>, Option<usize>, Option<Turn>)| Expected {
            at: at.map(|at| Offset(std::time::Duration::from_secs(at))),
            rule: rule.map(|rule| ["a", "b"][rule].to_owned()),
            is,
            ..Expected::default()
        };
        all.into_iter().map(line).collect()
    })
}

/// How many decisions are among these places; twins are one.
fn homes(happened: &[Happened], places: impl Iterator<Item = usize>) -> usize {
    let homes: HashSet<usize> = places.map(|at| happened[at].twin.map_or(at, |twin| twin.min(at))).collect();
    homes.len()
}

/// The most lines that can have a decision, and the most decisions that can have a line: by trying all.
fn best(lines: &[Expected], happened: &[Happened], taken: &mut Vec<usize>) -> (usize, usize) {
    let Some((line, rest)) = lines.split_first() else {
        return (taken.len(), homes(happened, taken.iter().copied()));
    };
    let mut most = best(rest, happened, taken);
    for at in 0..happened.len() {
        if !taken.contains(&at) && differences(line, &happened[at]).is_empty() {
            taken.push(at);
            let found = best(rest, happened, taken);
            most = (most.0.max(found.0), most.1.max(found.1));
            taken.pop();
        }
    }
    most
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn matching_is_as_good_as_the_best_of_all_ways(lines in lines(), happened in decisions()) {
        let (matched, told) = best(&lines, &happened, &mut Vec::new());
        let found = match_up(&lines, &happened);
        let near = found.missing.iter().filter_map(|(_, near)| *near);
        let left = homes(&happened, found.unexpected.iter().copied().chain(near));
        prop_assert_eq!(lines.len() - found.missing.len(), matched);
        prop_assert_eq!(homes(&happened, 0..happened.len()) - left, told);
    }

    #[test]
    fn near_misses_are_shown_once(lines in lines(), happened in decisions()) {
        let found = match_up(&lines, &happened);
        let mut shown: Vec<usize> = found.missing.iter().filter_map(|(_, near)| *near).chain(found.unexpected.clone()).collect();
        let all = shown.len();
        shown.sort_unstable();
        shown.dedup();
        prop_assert_eq!(shown.len(), all);
        for (line, near) in found.missing {
            if let Some(near) = near {
                prop_assert!(lines[line].rule.is_some() && !differences(&lines[line], &happened[near]).is_empty());
            }
        }
    }
}

#[test]
fn a_loose_line_does_not_steal_what_a_stricter_one_needs() {
    let firing = |at| Happened {
        at: Offset(std::time::Duration::from_secs(at)),
        rule: "a".into(),
        is: Turn::Firing,
        cause: None,
        severity: Severity::Info,
        key: Key::All {},
        notify: Vec::new(),
        incident: IncidentId(at),
        twin: None,
    };
    let happened = [firing(1), firing(2), firing(3)];
    let at = |secs| Some(Offset(std::time::Duration::from_secs(secs)));
    let loose = Expected { rule: Some("a".to_owned()), ..Expected::default() };
    let lines = [
        loose.clone(),
        Expected { at: at(2), ..loose.clone() },
        Expected { at: at(1), about: Some(About::Key("*".to_owned())), ..loose },
    ];
    assert_eq!(match_up(&lines, &happened), Matching::default());
}
