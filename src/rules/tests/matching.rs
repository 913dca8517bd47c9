//! What conditions hold of which events, and for how much an event counts.

use super::{HEAD, fine};
use crate::model::{Abnormal, AbnormalType, Detail, Event, EventId, EventKind, StreamName, Timestamp};
use crate::rules::{Matching, Rule};

pub(super) fn rule(on: &str, body: &str) -> Rule {
    let text = format!("{HEAD}rules:\n  - {{ name: a, on: {on}, {body} }}\n");
    fine(&text).rules.remove(0)
}

pub(super) fn event(kind: EventKind) -> Event {
    Event {
        id: EventId([0; 16]),
        kind,
        stream: StreamName::new("push.example.com", "live", "cam1"),
        session: Some("0123".into()),
        appid: Some("1250000000".into()),
        user_ip: Some("203.0.113.7".into()),
        node: None,
        happened_at: None,
        report_interval: None,
        errcode: None,
        errmsg: None,
        push_duration: None,
        abnormal: Vec::new(),
        unreadable: None,
    }
}

pub(super) fn entry(kind: u32, count: u32, values: &[Option<f64>]) -> Abnormal {
    let details = values.iter().map(|value| Detail { at: None, value: *value }).collect();
    Abnormal { kind: AbnormalType(kind), count, details, text: None }
}

pub(super) fn errors(abnormal: Vec<Abnormal>) -> Event {
    Event { abnormal, ..event(EventKind::PushError) }
}

pub(super) fn amounts(rule: &Rule, event: &Event) -> Option<Vec<(usize, u64)>> {
    let mut matched = vec![(9, 9)];
    (rule.matches(event, Timestamp(0), &mut matched) == Matching::Yes).then_some(matched)
}

/// Whether a rule on push_end with this `where` matches.
fn ends(conditions: &str, event: &Event) -> bool {
    amounts(&rule("push_end", &format!("where: {{ {conditions} }}")), event).is_some()
}

#[test]
fn only_its_own_kind_and_types() {
    let by_type = rule("push_error", "types: [6, 16]");
    let event = errors(vec![entry(7, 1, &[]), entry(16, 3, &[]), entry(6, 0, &[]), entry(6, u32::MAX, &[])]);
    assert_eq!(amounts(&by_type, &event), Some(vec![(1, 3), (2, 1), (3, u64::from(u32::MAX))]));
    assert_eq!(amounts(&by_type, &errors(vec![entry(7, 1, &[])])), None);
    assert_eq!(amounts(&by_type, &errors(Vec::new())), None);
    assert_eq!(amounts(&by_type, &super::matching::event(EventKind::PushEnd)), None);
    assert_eq!(amounts(&rule("push_error", "types: [99]"), &errors(vec![entry(99, 2, &[])])), Some(vec![(0, 2)]));
}

#[test]
fn other_kinds_match_with_nothing_listed() {
    assert_eq!(amounts(&rule("push_end", "severity: info"), &event(EventKind::PushEnd)), Some(Vec::new()));
    assert_eq!(amounts(&rule("4711", "severity: info"), &event(EventKind::Unknown(4711))), Some(Vec::new()));
    assert_eq!(amounts(&rule("4711", "severity: info"), &event(EventKind::Unknown(4712))), None);
}

#[test]
fn values_count_by_detail() {
    let slow = rule("push_error", "types: [6], where: { value: \">= 3s\" }");
    let amount = |count, values: &[Option<f64>]| {
        amounts(&slow, &errors(vec![entry(6, count, values)])).map(|matched| matched[0].1)
    };
    assert_eq!(amount(9, &[Some(3000.0), Some(4000.0)]), Some(9), "all listed details satisfy it: all of count");
    assert_eq!(amount(9, &[Some(3000.0), Some(2999.0)]), Some(1), "only the details that satisfy it");
    assert_eq!(amount(9, &[Some(3000.0), None]), Some(1), "what is not measured satisfies nothing");
    assert_eq!(amount(9, &[None]), None);
    assert_eq!(amount(9, &[]), None, "a report without a value satisfies no condition on value");
    assert_eq!(amount(1, &[Some(9e9), Some(9e9), Some(0.0)]), Some(1), "never more than count");
}

#[test]
fn values_are_compared_in_the_unit_of_their_type() {
    let value = |types: &str, condition: &str, kind, value| {
        let rule = rule("push_error", &format!("{types} where: {{ value: {condition} }}"));
        amounts(&rule, &errors(vec![entry(kind, 1, &[Some(value)])])).is_some()
    };
    // Type 16 is measured in seconds, type 6 in milliseconds.
    assert!(value("", "\">= 10s\"", 16, 12.0) && !value("", "\">= 10s\"", 16, 9.0));
    assert!(value("", "\">= 10s\"", 6, 12_000.0) && !value("", "\">= 10s\"", 6, 12.0));
    assert!(value("", "\"< 15 fps\"", 15, 9.0) && !value("", "\"< 15 fps\"", 16, 9.0));
    assert!(value("types: [5],", "\"> 16KiB\"", 5, 60_000.0));
    assert!(value("types: [6],", "\">= 3000\"", 6, 3000.0), "a bare number is in the type's unit");
    assert!(value("types: [6],", "\"> 1e3\"", 6, 1001.0));
    // Neither a comparison of what can't be compared nor its negation holds.
    assert!(!value("", "{ not: \"< 15 fps\" }", 6, 3000.0) && !value("", "{ not: 3s }", 8, 1.0));
    assert!(value("", "[\"< 15 fps\", \"> 3s\"]", 6, 3001.0) && !value("", "[\"< 15 fps\", \"> 3s\"]", 6, 10.0));
}

#[test]
fn entries_are_chosen_by_count_and_type() {
    let event = errors(vec![entry(1, 1, &[]), entry(2, 5, &[]), entry(6, 7, &[]), entry(17, 9, &[])]);
    let places = |conditions: &str| -> Vec<usize> {
        let rule = rule("push_error", &format!("where: {{ {conditions} }}"));
        amounts(&rule, &event).unwrap_or_default().into_iter().map(|(at, _)| at).collect()
    };
    assert_eq!(places("count: \">= 5\""), [1, 2, 3]);
    assert_eq!(places("type: [audio_timestamp_backwards, 6]"), [1, 2]);
    assert_eq!(places("type: { not: video_frames_late }"), [0, 1, 3]);
    assert_eq!(places("type: \"*_timestamp_*\""), [0, 1]);
    assert_eq!(places("type: \"!= video_*\""), [1, 3]);
    assert_eq!(places("type: \"> 16\""), [3]);
    assert_eq!(places("count: 5, type: 2"), [1]);
    assert!(places("count: 5, type: 1").is_empty());
    assert!(places("count: 5, domain: other.example.com").is_empty());
}

#[test]
fn texts_by_value_glob_list_and_negation() {
    let event = event(EventKind::PushEnd);
    for holds in [
        "stream: cam1",
        "stream: \"cam*\"",
        "stream: \"*1\"",
        "stream: \"*\"",
        "stream: \"c?m[0-9]\"",
        "stream: \"{cam,mic}1\"",
        "stream: \"= cam1\"",
        "stream: \"!= cam2\"",
        "domain: \"push.*\"",
        "domain: [cdn.example.com, \"*.example.com\"]",
        "path: { not: [test, \"dev*\"] }",
        "session: 0123",
        "appid: 1250000000",
        "user_ip: \"203.0.113.*\"",
        "stream: cam1, domain: push.example.com, path: live",
    ] {
        assert!(ends(holds, &event), "{holds}");
    }
    for fails in
        ["stream: cam", "stream: \"CAM*\"", "session: 123", "stream: { not: \"cam*\" }", "stream: cam1, path: x"]
    {
        assert!(!ends(fails, &event), "{fails}");
    }
}

#[test]
fn what_is_missing_satisfies_no_condition_and_no_negation() {
    let event = Event { stream: StreamName::new("", "", ""), ..event(EventKind::PushEnd) };
    for field in ["node", "stream", "domain", "path"] {
        assert!(!ends(&format!("{field}: \"*\""), &event), "{field}");
        assert!(!ends(&format!("{field}: {{ not: x }}"), &event), "{field}");
    }
    assert!(!ends("errcode: 1", &event) && !ends("errcode: { not: 1 }", &event));
    assert!(!ends("push_duration: { not: 1s }", &event));
}

#[test]
fn stop_reasons_and_durations() {
    let stop = |code| Event { errcode: Some(code), push_duration: Some(90_000), ..event(EventKind::PushEnd) };
    assert!(!ends("errcode: { not: [1, 2] }", &stop(2)));
    assert!(ends("errcode: { not: [1, 2] }", &stop(8)));
    assert!(ends("errcode: [18, \">= 30\"]", &stop(33)) && !ends("errcode: [18, \">= 30\"]", &stop(19)));
    assert!(ends("errcode: -1", &stop(-1)));
    assert!(ends("push_duration: \">= 1m30s\"", &stop(1)) && !ends("push_duration: \"> 90000\"", &stop(1)));
    assert!(ends("push_duration: \"< 2m\", errcode: 8", &stop(8)));
}
