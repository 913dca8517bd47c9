//! The conditions of `where`, sentence by sentence: patterns, alternatives, the wall clock, what is missing, demands.

use super::matching::{amounts, entry, errors, event, rule};
use super::{HEAD, fine};
use crate::model::{Event, EventKind, StreamName, Timestamp};
use crate::rules::condition::TextField;
use crate::rules::{Demand, Matching, Rule};

fn judge(rule: &Rule, event: &Event) -> Matching {
    rule.matches(event, Timestamp(0), &mut Vec::new())
}

/// What a rule with this `where` says of the end of a push.
fn ends(conditions: &str, event: &Event) -> Matching {
    judge(&rule("push_end", &format!("where: {{ {conditions} }}")), event)
}

fn places(conditions: &str, event: &Event) -> Vec<(usize, u64)> {
    amounts(&rule("push_error", &format!("where: {{ {conditions} }}")), event).unwrap_or_default()
}

#[test]
fn regular_expressions_match_the_whole_text() {
    let event = event(EventKind::PushEnd);
    for holds in [
        "stream: \"=~ cam[0-9]+\"",
        "stream: \"=~cam.|mic.\"",
        "domain: \"=~ push\\\\..*\"",
        "domain: \"!~ cdn.*\"",
        "stream: [a, \"=~ c.*\"]",
        "stream: { not: \"=~ mic.*\" }",
        "stream: \"=~ ^cam1$\"",
        "session: \"=~ [0-9]{4}\"",
    ] {
        assert_eq!(ends(holds, &event), Matching::Yes, "{holds}");
    }
    for fails in ["stream: \"=~ [0-9]\"", "stream: \"=~ cam.?.?x\"", "domain: \"!~ push.*\"", "domain: \"=~ push.\""] {
        assert_eq!(ends(fails, &event), Matching::No, "{fails}");
    }
}

#[test]
fn types_by_a_regular_expression_over_their_names() {
    let event = errors(vec![entry(1, 1, &[]), entry(2, 1, &[]), entry(6, 1, &[]), entry(17, 1, &[])]);
    let at = |conditions: &str| places(conditions, &event).into_iter().map(|(at, _)| at).collect::<Vec<_>>();
    assert_eq!(at("type: \"=~ (video|audio)_timestamp_.*\""), [0, 1]);
    assert_eq!(at("type: \"!~ video_.*\""), [1, 3]);
}

#[test]
fn one_alternative_with_all_its_conditions_is_enough() {
    let stop = |code| Event { errcode: Some(code), ..event(EventKind::PushEnd) };
    let any = "any: [ { stream: mic1 }, { stream: \"cam*\", errcode: [2, 3] } ]";
    assert_eq!(ends(any, &stop(2)), Matching::Yes);
    assert_eq!(ends(any, &stop(8)), Matching::No);
    assert_eq!(ends(&format!("{any}, path: live"), &stop(2)), Matching::Yes);
    assert_eq!(ends(&format!("{any}, path: test"), &stop(2)), Matching::No);
    let nested = "any: [ { path: live, any: [ { errcode: 1 }, { errcode: 2 } ] }, { path: x } ]";
    assert_eq!((ends(nested, &stop(2)), ends(nested, &stop(3))), (Matching::Yes, Matching::No));
}

#[test]
fn an_alternative_holds_of_one_detail_and_not_of_halves_of_two() {
    let any = "any: [ { type: 6, value: \">= 3s\" }, { type: 16, value: \">= 10s\" } ]";
    // 16 has the 3 s, 6 is there, but no entry has both.
    assert_eq!(places(any, &errors(vec![entry(6, 1, &[Some(10.0)]), entry(16, 1, &[Some(4.0)])])), []);
    assert_eq!(places(any, &errors(vec![entry(6, 5, &[Some(3000.0)]), entry(16, 1, &[Some(4.0)])])), [(0, 5)]);
    assert_eq!(places(any, &errors(vec![entry(6, 9, &[Some(1.0), Some(3000.0)])])), [(0, 1)]);
    // Two conditions on values in two `any` hold of one detail, too.
    let both = "any: [ { value: \">= 3s\" } ], value: \"< 4s\"";
    assert_eq!(places(both, &errors(vec![entry(6, 9, &[Some(3500.0), Some(5000.0), Some(100.0)])])), [(0, 1)]);
    assert_eq!(places(both, &errors(vec![entry(6, 9, &[Some(5000.0), Some(100.0)])])), []);
}

#[test]
fn where_an_alternative_asks_for_no_value_unmeasured_entries_count() {
    let any = "any: [ { count: \">= 5\" }, { value: \">= 3s\" } ]";
    assert_eq!(places(any, &errors(vec![entry(6, 5, &[])])), [(0, 5)]);
    assert_eq!(places(any, &errors(vec![entry(6, 5, &[None, Some(1.0)])])), [(0, 5)]);
    assert_eq!(places(any, &errors(vec![entry(6, 4, &[None, Some(3000.0)])])), [(0, 1)]);
    assert_eq!(places(any, &errors(vec![entry(6, 4, &[None])])), []);
}

#[test]
fn an_alternative_on_the_whole_event_takes_all_entries() {
    let any = "any: [ { stream: cam1 }, { count: \">= 5\" } ]";
    let event = errors(vec![entry(6, 1, &[]), entry(7, 9, &[])]);
    assert_eq!(places(any, &event), [(0, 1), (1, 9)]);
    let other = Event { stream: StreamName::new("d", "p", "other"), ..event };
    assert_eq!(places(any, &other), [(1, 9)]);
}

#[test]
fn hours_and_weekdays_are_those_of_the_files_timezone() {
    let at = |zone: &str, conditions: &str, instant: &str| {
        let text =
            format!("{HEAD}timezone: {zone}\nrules: [ {{ name: a, on: push_end, where: {{ {conditions} }} }} ]\n");
        let wall = Timestamp(instant.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        fine(&text).rules[0].matches(&event(EventKind::PushEnd), wall, &mut Vec::new()) == Matching::Yes
    };
    // A Sunday, 18:30 in London and 02:30 of Monday in Shanghai.
    let sunday = "2026-11-22T18:30:00Z";
    assert!(at("UTC", "hour: 18", sunday) && !at("UTC", "hour: 2", sunday));
    assert!(at("Asia/Shanghai", "hour: 2, weekday: mon", sunday) && !at("Asia/Shanghai", "weekday: sun", sunday));
    assert!(at("UTC", "weekday: [sat, sun]", sunday) && !at("UTC", "weekday: mon-fri", sunday));
    assert!(at("UTC", "weekday: fri-mon", sunday) && at("UTC", "weekday: \"!= mon-fri\"", sunday));
    assert!(at("UTC", "weekday: { not: [monday, tue-fri] }", sunday));
    assert!(at("UTC", "hour: \">= 18\"", sunday) && !at("UTC", "hour: \"> 18\"", sunday));
    assert!(at("UTC", "hour: [0, 18]", sunday) && at("UTC", "hour: { not: [9, 10] }", sunday));
    // Summer time in Berlin is two hours ahead, and one again after the last Sunday of October.
    assert!(
        at("Europe/Berlin", "hour: 2", "2026-10-25T00:59:59Z")
            && at("Europe/Berlin", "hour: 2", "2026-10-25T01:00:00Z")
    );
    assert!(at("Europe/Berlin", "hour: 3", "2026-10-25T02:00:00Z"));
    assert!(at("UTC", "any: [ { hour: 3 }, { weekday: sun } ]", sunday));
}

#[test]
fn absurd_times_are_no_hour_of_the_day() {
    let rule = rule("push_end", "where: { hour: \">= 0\" }");
    for wall in [Timestamp(i64::MIN), Timestamp::MAX] {
        assert_eq!(rule.matches(&event(EventKind::PushEnd), wall, &mut Vec::new()), Matching::No);
    }
}

#[test]
fn a_condition_on_a_value_that_the_callback_does_not_carry_is_false_and_counted_as_such() {
    let none = event(EventKind::PushEnd);
    for missing in [
        "node: x",
        "node: { not: x }",
        "node: \"!~ x.*\"",
        "errcode: 1",
        "errcode: { not: 1 }",
        "push_duration: \"< 1h\"",
    ] {
        assert_eq!(ends(missing, &none), Matching::Missing, "{missing}");
        assert_eq!(ends(&format!("stream: other, {missing}"), &none), Matching::Missing, "another fails as well");
        assert_eq!(ends(&format!("{missing}, stream: other"), &none), Matching::Missing, "in either order");
        let beside = format!("any: [ {{ {missing} }}, {{ stream: cam1 }} ]");
        assert_eq!(ends(&beside, &none), Matching::Yes, "another alternative holds");
        assert_eq!(ends(&format!("{beside}, path: x"), &none), Matching::No, "what failed is there");
        assert_eq!(ends(&beside.replace("cam1", "x"), &none), Matching::Missing, "an alternative failed for it");
    }
    assert_eq!(ends("stream: other", &none), Matching::No);
    let end = rule("push_end", "where: { node: x }");
    assert_eq!(judge(&end, &event(EventKind::PushBegin)), Matching::No, "the rule does not listen to it");
}

#[test]
fn a_report_without_a_value_satisfies_no_condition_on_value() {
    let slow = rule("push_error", "types: [6], where: { value: \">= 3s\" }");
    assert_eq!(judge(&slow, &errors(vec![entry(6, 1, &[])])), Matching::Missing);
    assert_eq!(judge(&slow, &errors(vec![entry(6, 1, &[None, Some(1.0)])])), Matching::Missing);
    assert_eq!(judge(&slow, &errors(vec![entry(6, 1, &[None, Some(3000.0)])])), Matching::Yes);
    assert_eq!(judge(&slow, &errors(vec![entry(6, 1, &[Some(1.0)])])), Matching::No);
    assert_eq!(judge(&slow, &errors(vec![entry(7, 1, &[])])), Matching::No, "not a type of the rule");
    assert_eq!(judge(&slow, &errors(Vec::new())), Matching::No);
    let local = rule("push_error", "types: [6], where: { value: \">= 3s\", stream: other }");
    assert_eq!(judge(&local, &errors(vec![entry(6, 1, &[])])), Matching::Missing);
    assert_eq!(judge(&local, &errors(vec![entry(6, 1, &[Some(3000.0)])])), Matching::No);
    // There is a value, but it can't be compared: it is not missing.
    let mixed = rule("push_error", "where: { value: \">= 3s\" }");
    assert_eq!(judge(&mixed, &errors(vec![entry(15, 1, &[Some(9.0)])])), Matching::No);
}

#[test]
fn rules_say_what_they_demand_of_the_whole_event() {
    let demands = |conditions: &str| rule("push_end", &format!("where: {{ {conditions} }}")).demands();
    let text =
        |field, any_of: &[&str]| Demand::Text { field, any_of: any_of.iter().map(|text| (*text).into()).collect() };
    let glob = |field, pattern: &str| Demand::Glob { field, pattern: pattern.into() };
    assert_eq!(demands("stream: cam1"), [text(TextField::Stream, &["cam1"])]);
    assert_eq!(demands("domain: [a, [b, c]]"), [text(TextField::Domain, &["a", "b", "c"])]);
    assert_eq!(
        demands("stream: \"cam*\", domain: \"*.com\", path: \"{a,b}?\""),
        [glob(TextField::Stream, "cam*"), glob(TextField::Domain, "*.com"), glob(TextField::Path, "{a,b}?")]
    );
    assert_eq!(
        demands("errcode: [2, 8], user_ip: 203.0.113.7"),
        [Demand::Errcode(vec![2, 8]), text(TextField::UserIp, &["203.0.113.7"])]
    );
    for none in [
        "stream: { not: a }",
        "stream: \"!= a\"",
        "stream: \"=~ a.*\"",
        "stream: [a, \"b*\"]",
        "errcode: \"> 2\"",
        "errcode: [1, \"> 2\"]",
        "errcode: 9007199254740993",
        "errcode: 1.5",
        "push_duration: 1s",
        "any: [ { stream: a }, { stream: b } ]",
        "hour: 3",
    ] {
        assert_eq!(demands(none), [], "{none}");
    }
}
