//! The words of the rule language and what they compile to.

use std::sync::Arc;
use std::time::Duration;

use super::{HEAD, fine, read};
use crate::model::{ChannelName, EventKind, Scope, Severity, Timestamp};
use crate::rules::{GroupBy, Measure, Noun, Plan, Rule, RuleSet};

/// A file with this top matter and these rules.
fn set(top: &str, rules: &[&str]) -> RuleSet {
    let rules: String = rules.iter().map(|rule| format!("  - {{ {rule} }}\n")).collect();
    fine(&format!("{HEAD}{top}rules:\n{rules}"))
}

/// A rule on push errors.
fn rule(body: &str) -> Rule {
    set("", &[&format!("name: a, on: push_error, {body}")]).rules.remove(0)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn texts(labels: &crate::model::Labels) -> Vec<(&str, &str)> {
    labels.iter().map(|(name, value)| (&**name, &**value)).collect()
}

const NIGHT: &str = "time_intervals: { night: { times: [\"22:00-07:00\"] }, weekend: { weekdays: [sat, sun] } }\n";

#[test]
fn per_takes_all_six_scopes() {
    for scope in Scope::ALL {
        assert_eq!(rule(&format!("per: {}", scope.as_str())).per, scope);
    }
    assert_eq!(rule("severity: info").per, Scope::Stream);
}

#[test]
fn reports_counts_callbacks_that_match() {
    let rule = rule("threshold: { reports: 3, within: 1m }");
    assert_eq!(
        (rule.measure, rule.within, rule.plan),
        (Measure::Reports, Some(secs(60)), Plan::Catalogue { count: 3 })
    );
}

#[test]
fn distinct_counts_the_different_values_with_a_match_in_the_window() {
    for (noun, word, per) in [
        (Noun::Stream, "stream", "domain"),
        (Noun::Stream, "stream", "user_ip"),
        (Noun::Session, "session", "stream"),
        (Noun::UserIp, "user_ip", "stream"),
    ] {
        let rule = rule(&format!("per: {per}, threshold: {{ distinct: {word}, count: 20, within: 1m }}"));
        assert_eq!((rule.measure, rule.plan), (Measure::Distinct(noun), Plan::Catalogue { count: 20 }));
    }
}

#[test]
fn the_levels_of_a_severity_map_are_numbers_of_different_values_with_distinct() {
    let rule = rule("per: app, threshold: { distinct: stream, within: 1m }, severity: { warning: 5, critical: 50 }");
    assert_eq!(rule.measure, Measure::Distinct(Noun::Stream));
    assert_eq!(rule.plan, Plan::Levels(vec![(5, Severity::Warning), (50, Severity::Critical)]));
}

#[test]
fn for_and_grace_of_zero_are_none() {
    assert_eq!(rule("for: 2m").lasting, Some(secs(120)));
    assert_eq!(rule("for: 0s").lasting, None);
    let end = |body: &str| set("", &[&format!("name: a, on: push_end, {body}")]).rules.remove(0).grace;
    assert_eq!((end("grace: 90s"), end("grace: 0s")), (Some(secs(90)), None));
}

#[test]
fn what_defaults_say_holds_where_a_rule_says_nothing() {
    let top = HEAD.replace(
        "notify: ops",
        "notify: ops, for: 30s, grace: 90s, active: night, severity: info, group_by: [team], \
         labels: { team: a, tier: gold }, annotations: { runbook: r1 }",
    );
    let rules = fine(&format!(
        "{top}{NIGHT}rules:
  - {{ name: plain, on: push_error }}
  - {{ name: own, on: push_error, for: 0s, active: [], severity: critical, group_by: [stream], labels: {{ team: b, tier: '' }}, annotations: {{ runbook: r2, more: m }} }}
  - {{ name: end, on: push_end }}
  - {{ name: own_end, on: push_end, grace: 0s }}
  - {{ name: wide_end, on: push_end, per: domain }}
  - {{ name: begin, on: push_begin }}
  - {{ name: quiet, on: silence, of: relay, within: 5m }}
"
    ))
    .rules;
    let [plain, own, end, own_end, wide_end, begin, quiet] = rules.as_slice() else { panic!() };
    assert_eq!((plain.lasting, plain.grace), (Some(secs(30)), None));
    assert_eq!(plain.active.iter().map(|interval| &*interval.name).collect::<Vec<_>>(), ["night"]);
    assert_eq!(plain.group_by, GroupBy::Labels(vec!["team".into()]));
    assert_eq!(texts(&plain.labels), [("team", "a"), ("tier", "gold")]);
    assert_eq!(plain.plan, Plan::Levels(vec![(1, Severity::Info)]));
    assert_eq!((own.lasting, own.active.len(), &own.group_by), (None, 0, &GroupBy::Stream));
    assert_eq!(texts(&own.labels), [("team", "b")], "the rule's own win, an empty one takes one away");
    assert_eq!(texts(&own.annotations), [("more", "m"), ("runbook", "r2")]);
    assert_eq!((end.lasting, end.grace), (None, Some(secs(90))), "`for` is of what repeats");
    assert_eq!((own_end.grace, wide_end.grace), (None, None), "what reconnects is a stream");
    assert_eq!((begin.lasting, begin.grace, quiet.lasting, quiet.grace), (None, None, None, None));
}

#[test]
fn group_by_takes_built_in_and_own_labels() {
    assert_eq!(rule("group_by: [stream]").group_by, GroupBy::Stream);
    assert_eq!(rule("group_by: stream").group_by, GroupBy::Stream);
    assert_eq!(rule("group_by: []").group_by, GroupBy::Labels(Vec::new()), "all in one");
    assert_eq!(rule("group_by: [domain, rule]").group_by, GroupBy::Labels(vec!["domain".into(), "rule".into()]));
    let rules = set("", &["name: a, on: push_error, labels: { team: x }", "name: b, on: push_end, group_by: [team]"]);
    assert_eq!(rules.rules[1].group_by, GroupBy::Labels(vec!["team".into()]), "a label of any rule");
}

#[test]
fn a_rule_inhibits_rules_within_its_scope() {
    let rules = set(
        "",
        &[
            "name: site, on: push_error, per: domain, inhibits: [stall, push, gone]",
            "name: stall, on: push_error, inhibits: push",
            "name: push, on: push_error, per: session",
            "name: gone, on: push_error, enabled: false",
        ],
    )
    .rules;
    assert_eq!(rules[0].inhibits, [Arc::from("stall"), Arc::from("push")], "what is disabled has no incidents");
    assert_eq!(rules[1].inhibits, [Arc::from("push")]);
}

#[test]
fn silence_misses_a_callback_of_every_scope() {
    for scope in Scope::ALL {
        let body =
            format!("name: a, on: silence, of: relay, within: 10m, per: {}, where: {{ domain: d }}", scope.as_str());
        let rule = set("", &[&body]).rules.remove(0);
        assert_eq!((rule.on, rule.silence, rule.per), (EventKind::Relay, Some(secs(600)), scope));
        assert_eq!((rule.within, rule.conditions.len()), (None, 1));
        assert_eq!(rule.plan, Plan::Levels(vec![(1, Severity::Warning)]));
    }
    let rule = set("", &["name: a, on: silence, of: 314, within: 10m, severity: critical"]).rules.remove(0);
    assert_eq!((rule.on, rule.plan), (EventKind::Relay, Plan::Levels(vec![(1, Severity::Critical)])));
}

#[test]
fn time_intervals_hold_by_the_clock_of_their_zone() {
    let text = format!(
        "{HEAD}timezone: Asia/Shanghai
time_intervals:
  night: {{ times: [\"22:00-07:00\"] }}
  here: {{ times: '22:00-07:00', weekdays: [mon-fri, sun], timezone: UTC }}
  rare: {{ days_of_month: [\"-1\"], months: feb, years: 2028 }}
rules: [ {{ name: a, on: push_error, active: [night, here, rare] }} ]
"
    );
    let active = &fine(&text).rules[0].active;
    // Thursday, 1970-01-01, 23:00 in UTC, 07:00 in Shanghai.
    let wall = Timestamp(23 * 3_600_000);
    assert_eq!(active.iter().map(|interval| interval.holds(wall)).collect::<Vec<_>>(), [false, true, false]);
    let wall = Timestamp(15 * 3_600_000);
    assert_eq!(active.iter().map(|interval| interval.holds(wall)).collect::<Vec<_>>(), [true, false, false]);
    let day = Timestamp("2028-02-29T12:00:00+08:00".parse::<jiff::Timestamp>().unwrap().as_millisecond());
    assert!(active[2].holds(day));
}

#[test]
fn routes_are_asked_in_order() {
    let set = set(
        "routes:
  - { match: 'severity=\"critical\", team=\"av\"', notify: ops, continue: true }
  - notify: [ops]
",
        &["name: a, on: push_error, labels: { team: av }"],
    );
    let [first, rest] = set.routes.as_slice() else { panic!() };
    assert_eq!((first.goes_on, rest.goes_on), (true, false));
    assert_eq!(first.notify, [ChannelName::new("ops")]);
    let label = |severity: &'static str| move |name: &str| if name == "severity" { Some(severity) } else { Some("av") };
    assert!(first.matchers.hold(label("critical")) && !first.matchers.hold(label("info")));
    assert!(rest.matchers.hold(|_| None), "without `match` it takes everything");
}

#[test]
fn with_routes_nobody_else_has_to_be_named() {
    let head = HEAD.replace("defaults: { notify: ops }\n", "");
    let rules = "rules: [ { name: a, on: push_error } ]\n";
    assert_eq!(fine(&format!("{head}routes: [ {{ notify: ops }} ]\n{rules}")).rules[0].notify, None);
    let mistakes = read(&format!("{head}{rules}")).unwrap_err();
    assert!(mistakes[0].message().contains("nobody would hear of it"), "{mistakes:?}");
}

#[test]
fn standing_mutes() {
    let set = set(
        &format!(
            "{NIGHT}mutes:
  - {{ match: 'stream=~\"test_.*\"', reason: tests are no trouble }}
  - {{ active: [night, weekend] }}
"
        ),
        &["name: a, on: push_error"],
    );
    let [tests, nights] = set.mutes.as_slice() else { panic!() };
    assert_eq!((tests.reason.as_str(), tests.active.len()), ("tests are no trouble", 0));
    assert!(tests.matchers.hold(|_| Some("test_1")) && !tests.matchers.hold(|_| Some("live_1")));
    assert!(nights.matchers.hold(|_| None));
    assert_eq!(nights.active.len(), 2);
}

#[test]
fn the_longest_window_is_the_longest_look_back() {
    let longest = |rules: &[&str]| set("", rules).longest_window();
    assert_eq!(longest(&["name: a, on: push_error"]), Duration::ZERO);
    assert_eq!(longest(&["name: a, on: push_error, threshold: { within: 5m }", "name: b, on: push_end"]), secs(300));
    assert_eq!(longest(&["name: a, on: push_error, threshold: { within: 5m }, for: 10m"]), secs(600));
    assert_eq!(longest(&["name: a, on: silence, of: relay, within: 1h"]), secs(3600));
}

#[test]
fn rules_that_differ_in_what_fires_or_who_hears_are_different() {
    let same = "on: push_error, types: [1], where: { stream: a, path: b }";
    for other in [
        "on: push_error, types: [1], where: { stream: a, path: c }",
        "on: push_error, types: [1, 2], where: { stream: a, path: b }",
        "on: push_error, types: [1], where: { stream: a, path: b }, per: app",
        "on: push_error, types: [1], where: { stream: a, path: b }, severity: info",
        "on: push_error, types: [1], where: { stream: a, path: b }, notify: ops",
        "on: push_error, types: [1], where: { stream: a, path: b }, labels: { team: x }",
        "on: push_error, types: [1], where: { stream: a, path: b }, enabled: false",
    ] {
        set("", &[&format!("name: a, {same}"), &format!("name: b, {other}")]);
    }
}
