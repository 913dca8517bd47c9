//! Why a rule does not match, in words.

use std::fmt::Write as _;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::matching::{entry, errors, event, rule};
use crate::model::{Event, EventKind, StreamName, Timestamp};
use crate::rules::Matching;

/// A Thursday at midnight, UTC.
const WALL: Timestamp = Timestamp(0);

#[test]
fn each_reason_has_its_sentence() {
    let end = || Event { errcode: Some(2), push_duration: Some(1200), ..event(EventKind::PushEnd) };
    let bare = || Event { stream: StreamName::new("", "", ""), session: None, ..event(EventKind::PushEnd) };
    let late = |values: &[Option<f64>]| errors(vec![entry(6, 2, values), entry(16, 1, &[Some(12.0)])]);
    let cases = [
        ("push_begin", "severity: info", end()),
        ("4711", "severity: info", end()),
        ("push_end", "where: { domain: \"cdn.*\" }", end()),
        ("push_end", "where: { domain: [a, \"b*\"] }", end()),
        ("push_end", "where: { domain: { not: \"push.*\" } }", end()),
        ("push_end", "where: { stream: \"=~ mic[0-9]+\" }", end()),
        ("push_end", "where: { stream: \"!~ cam\\\\d\" }", end()),
        ("push_end", "where: { node: x, stream: y }", end()),
        ("push_end", "where: { stream: { not: y } }", bare()),
        ("push_end", "where: { errcode: { not: [1, 2] } }", end()),
        ("push_end", "where: { errcode: 1 }", bare()),
        ("push_end", "where: { push_duration: \">= 3s\" }", end()),
        ("push_end", "where: { hour: [22, 23] }", end()),
        ("push_end", "where: { weekday: sat }", end()),
        ("push_end", "where: { any: [ { stream: mic1 }, { path: live, errcode: 3 }, { node: x } ] }", end()),
        (
            "push_end",
            "where: { any: [ { stream: a }, { stream: b }, { stream: c }, { stream: d }, { stream: e } ] }",
            end(),
        ),
        ("push_error", "types: [7]", late(&[])),
        ("push_error", "types: [1, 2, 3]", late(&[])),
        ("push_error", "types: [7]", errors(Vec::new())),
        ("push_error", "types: [6], where: { value: \">= 3000\" }", late(&[Some(1200.0), Some(800.5), None])),
        ("push_error", "types: [6], where: { value: \">= 3000\" }", late(&[None])),
        ("push_error", "where: { value: \">= 13s\" }", late(&[Some(1e300)]).also(17)),
        ("push_error", "where: { value: \"< 15 fps\" }", late(&[Some(1200.0)])),
        ("push_error", "where: { count: \">= 3\" }", late(&[])),
        ("push_error", "where: { type: \"audio_*\" }", late(&[])),
        ("push_error", "where: { type: 16, value: \">= 1m\", count: 2 }", late(&[Some(60_000.0)])),
        ("push_error", "where: { type: 16, count: 2 }", late(&[Some(60_000.0)])),
        (
            "push_error",
            "where: { any: [ { type: 6, value: \">= 3s\" }, { type: 16, value: \"> 20s\" } ] }",
            late(&[Some(1.0)]),
        ),
    ];
    let mut shown = String::new();
    for (on, body, event) in cases {
        let refusal = rule(on, body).refusal(&event, WALL).unwrap_or_else(|| panic!("{body} matches"));
        writeln!(shown, "{on}, {body}\n  {refusal}").unwrap();
    }
    assert_snapshot!(shown);
}

impl Event {
    /// With an entry of another type, which is not measured.
    fn also(mut self, kind: u32) -> Event {
        self.abnormal.push(entry(kind, 1, &[]));
        self.abnormal[0].details.clear();
        self
    }
}

#[test]
fn a_rule_that_matches_has_nothing_to_say() {
    let rule = rule("push_end", "where: { stream: \"cam*\" }");
    assert_eq!(rule.refusal(&event(EventKind::PushEnd), WALL), None);
}

#[test]
fn hostile_values_are_quoted_and_cut() {
    let rule = rule("push_end", "where: { stream: a, any: [ { stream: b }, { domain: c } ] }");
    let stream = StreamName::new("x\u{202e}\n", "p", &"\u{1b}[31m".repeat(200));
    let refusal = rule.refusal(&Event { stream, ..event(EventKind::PushEnd) }, WALL).unwrap();
    assert!(refusal.chars().count() <= 501 && !refusal.contains(['\u{1b}', '\n', '\u{202e}']), "{refusal}");
}

proptest! {
    #[test]
    fn there_is_a_sentence_exactly_if_it_does_not_match(
        stream in "\\PC{0,9}|cam1",
        errcode in prop::option::of(any::<i64>()),
        duration in prop::option::of(any::<u64>()),
        wall in any::<i64>(),
        values in prop::collection::vec(prop::option::of(any::<f64>()), 0..3),
        kind in 1u32..18,
    ) {
        let end = rule("push_end", "where: { any: [ { stream: cam1, push_duration: \"> 1s\" }, { errcode: \"> 0\" }, { hour: 3 } ] }");
        let error = rule("push_error", "where: { value: \"> 1s\", any: [ { stream: cam1, type: 6 }, { value: \"< 5s\" } ] }");
        let stream = StreamName::new("d", "p", &stream);
        let whole = Event { stream, errcode, push_duration: duration, ..event(EventKind::PushEnd) };
        let report = Event { kind: EventKind::PushError, abnormal: vec![entry(kind, 1, &values)], ..whole.clone() };
        for (rule, event) in [(&end, &whole), (&error, &report), (&end, &report)] {
            let matches = rule.matches(event, Timestamp(wall), &mut Vec::new()) == Matching::Yes;
            let refusal = rule.refusal(event, Timestamp(wall));
            prop_assert_eq!(refusal.is_none(), matches);
            prop_assert!(refusal.is_none_or(|text| !text.is_empty() && text.chars().count() <= 501));
        }
    }
}
