//! Mistakes in the words of the rule language, and rules that can never do what they say, as they are drawn.

use insta::assert_snapshot;

use super::{HEAD, fine, mistakes, read};

/// All mistakes of a file with this top matter and these rules, drawn.
fn of(top: &str, rules: &[&str]) -> String {
    let rules: String = rules.iter().map(|rule| format!("  - {{ {rule} }}\n")).collect();
    mistakes(&format!("{HEAD}{top}rules:\n{rules}"))
}

/// The messages alone.
fn messages(rule: &str) -> Vec<String> {
    let text = format!("{HEAD}rules: [ {{ name: a, {rule} }} ]\n");
    read(&text).err().unwrap_or_default().iter().map(|mistake| mistake.message().to_owned()).collect()
}

#[test]
fn in_thresholds() {
    assert_snapshot!(of(
        "",
        &[
            "name: a, on: push_error, threshold: { count: 3, reports: 3, within: 1m }",
            "name: b, on: push_error, per: domain, threshold: { distinct: stream, reports: 3, within: 1m }",
            "name: c, on: push_error, per: domain, threshold: { distinct: stream, within: 1m }",
            "name: d, on: push_error, per: domain, threshold: { distinct: stream, count: 3 }",
            "name: e, on: push_error, per: stream, threshold: { distinct: stream, count: 3, within: 1m }",
            "name: f, on: push_error, per: session, threshold: { distinct: user_ip, count: 3, within: 1m }",
            "name: g, on: push_error, per: all, threshold: { distinct: streams, count: 3, within: 1m }",
            "name: h, on: push_error, threshold: { reports: 3, within: 1m }, severity: { warning: 3 }",
            "name: i, on: push_error, threshold: { reports: 3, within: 80h }, for: 4d",
        ],
    ));
}

#[test]
fn thresholds_that_can_never_be_reached() {
    assert_snapshot!(of(
        "",
        &[
            "name: a, on: push_error, threshold: { reports: 100, within: 1m }",
            "name: b, on: push_error, threshold: { reports: 2 }",
            "name: c, on: push_end, threshold: { count: 2 }",
            "name: d, on: push_begin, per: session, threshold: { count: 100, within: 10s }",
            "name: e, on: push_error, threshold: { distinct: session, count: 62, within: 1m }",
            "name: f, on: push_error, threshold: { distinct: user_ip, within: 1m }, severity: { info: 2, critical: 900 }",
            "name: g, on: push_error, per: domain, threshold: { distinct: stream, count: 10001, within: 1h }",
        ],
    ));
    for fits in [
        "on: push_error, threshold: { reports: 61, within: 1m }",
        "on: push_error, per: domain, threshold: { reports: 100000, within: 1m }",
        "on: push_error, threshold: { count: 1000000, within: 1s }",
        "on: push_error, threshold: { count: 1000000 }",
        "on: 4711, threshold: { count: 1000, within: 10s }",
        "on: push_error, threshold: { reports: 1 }",
        "on: push_error, per: domain, threshold: { distinct: stream, count: 10000, within: 1h }",
    ] {
        assert_eq!(messages(fits), [""; 0], "{fits}");
    }
}

#[test]
fn a_rule_whose_types_and_conditions_exclude_each_other() {
    let never = "it can never hold: none of the rule's `types` is like that";
    for (rule, is_wrong) in [
        ("types: [gop_too_large], where: { type: video_fps_low }", true),
        ("types: [16], where: { type: { not: 16 } }", true),
        ("types: [16], where: { type: \"> 16\" }", true),
        ("types: [1, 2], where: { any: [ { type: 3 }, { stream: a } ] }", false),
        ("types: [1, 16], where: { type: \"gop*\" }", false),
        ("types: [17], where: { type: \"> 16\" }", false),
        ("where: { type: 3 }", false),
    ] {
        let messages = messages(&format!("on: push_error, {rule}"));
        assert_eq!(messages.iter().any(|message| message.ends_with(never)), is_wrong, "{rule}: {messages:?}");
    }
}

#[test]
fn on_silence() {
    assert_snapshot!(of(
        "",
        &[
            "name: a, on: silence",
            "name: b, on: silence, of: push_error, within: 1m",
            "name: c, on: silence, of: relays, within: 4d",
            "name: d, on: silence, of: relay, within: 10, types: [1], threshold: { count: 3 }, for: 1m, grace: 1m, resolve_after: 1m",
            "name: e, on: silence, of: relay, within: 10m, severity: { warning: 3 }",
            "name: f, on: push_error, of: relay, within: 10m",
        ],
    ));
}

#[test]
fn waits_that_have_no_meaning() {
    assert_snapshot!(of(
        "",
        &[
            "name: a, on: push_end, for: 1m",
            "name: b, on: push_begin, for: 1m, grace: 1m",
            "name: c, on: push_end, per: domain, grace: 1m, resolve_after: 2m",
            "name: d, on: relay, for: 1m, keep_firing_for: 2m",
            "name: e, on: record, grace: 1m",
        ],
    ));
}

#[test]
fn in_labels() {
    assert_snapshot!(of(
        "",
        &[
            "name: a, on: push_error, labels: { 1st: x, stream: y, a-b: z, team: [x], tier: }",
            "name: b, on: push_error, labels: team, annotations: { runbook: \"two\\nlines\", 'a b': c }",
            "name: c, on: push_error, group_by: [teem, domian, team, team, something_else]",
        ],
    ));
    let many: String = (0..17).map(|i| format!("l{i}: x, ")).collect();
    assert_eq!(
        messages(&format!("on: push_error, labels: {{ {many} }}")),
        ["rule `a`: `labels`: there may be 16 at most, with those of `defaults`"]
    );
    let long = "x".repeat(129);
    assert_eq!(
        messages(&format!("on: push_error, labels: {{ a: {long} }}, annotations: {{ a: {long} }}")),
        ["rule `a`: `a` is longer than 128 characters"]
    );
}

#[test]
fn in_inhibits() {
    assert_snapshot!(of(
        "",
        &[
            "name: site, on: push_error, per: domain, inhibits: [stal, site, stall, stall]",
            "name: stall, on: push_error, inhibits: [site, begin]",
            "name: begin, on: push_begin, inhibits: [end, nothing_like_it]",
            "name: end, on: push_end, inhibits: [late]",
            "name: late, on: push_error, types: [6], inhibits: [begin]",
            "name: one_ip, on: push_error, per: user_ip, inhibits: [stall, site]",
        ],
    ));
}

#[test]
fn a_long_chain_of_inhibitions_is_fine_and_a_long_circle_is_cut_short() {
    let chain = |last: &str| {
        let rules: String = (0..1500)
            .map(|i| {
                let next = if i < 1499 { format!("r{}", i + 1) } else { last.to_owned() };
                format!("  - {{ name: r{i}, on: push_error, where: {{ stream: s{i} }}, inhibits: [{next}] }}\n")
            })
            .collect();
        format!("{HEAD}rules:\n{rules}  - {{ name: end, on: push_error }}\n")
    };
    assert_eq!(fine(&chain("end")).rules.len(), 1501);
    let mistakes = read(&chain("r0")).unwrap_err();
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].message().ends_with("r18 → r19 → … → r0"), "{}", mistakes[0].message());
}

#[test]
fn in_time_intervals() {
    assert_snapshot!(of(
        "time_intervals:
  night: { times: [\"22:00-7\", 22:00-22:00], weekdays: [mon-fry] }
  empty: {}
  none: { times: [], timezone: Shanghai }
  zone: { timezone: UTC }
  'no name': { weekdays: [sat], day: 3 }
  never: { days_of_month: [\"31\"], months: [feb, apr] }
  leap: { days_of_month: [29], months: [2], years: [\"2025:2027\", 2029] }
  flat: sat
",
        &["name: a, on: push_error, active: [nite, night, night, weekend, night_shift_at_home]"],
    ));
    let leap = "time_intervals: { leap: { days_of_month: 29, months: 2, years: \"2025:2028\" } }\n";
    assert_eq!(fine(&format!("{HEAD}{leap}rules: []\n")).rules.len(), 0);
    assert_snapshot!("no_intervals", of("", &["name: a, on: push_error, active: [night]"]));
    let many: String = (0..101).map(|i| format!("  t{i}: {{ weekdays: [sat] }}\n")).collect();
    let mistakes = read(&format!("{HEAD}rules: []\ntime_intervals:\n{many}")).unwrap_err();
    assert_eq!(mistakes[0].message(), "there may be 100 time intervals at most");
}

#[test]
fn in_routes_and_mutes() {
    assert_snapshot!(of(
        "routes:
  - { match: 'stream=~\"live_(\"', notify: ops }
  - { match: strem=\"x\", notify: ops }
  - { match: 'severity=\"critical\"', notify: [] }
  - { match: 'severity=\"critical\"', notify: [opps] }
  - { match: \"\", notify: ops }
  - { notify: ops, continue: maybe }
  - { match: 'rule=\"a\"', notify: ops, contineu: true }
  - { match: 'stream=\"live_*\"' }
  - ops
mutes:
  - { reason: because }
  - { match: 'stream=\"a\"', active: [nigt] }
  - { active: [always], reason: \"two\\nlines\" }
  - { active: [], match: 'path=\"x' }
time_intervals: { night: { times: '22:00-07:00' }, always: { weekdays: [mon-sun] } }
",
        &["name: a, on: push_error"],
    ));
    assert_snapshot!("not_lists", of("routes: { match: x }\nmutes: all\n", &["name: a, on: push_error"]));
}

#[test]
fn rules_that_say_everything_twice() {
    assert_snapshot!(of(
        "",
        &[
            "name: a, on: push_error, types: [6, video_timestamp_backwards], where: { stream: x, path: [a, b] }",
            "name: b, on: 321, types: [1, video_frames_late], where: { path: [a, b], stream: x }, annotations: { x: y }",
            "name: c, on: push_end, enabled: false",
            "name: d, on: push_end",
        ],
    ));
}

#[test]
fn defaults_that_nobody_hears_of() {
    let text =
        HEAD.replace("notify: ops", "notify: [], for: 4d, grace: 2d, active: [x], group_by: [x], labels: { rule: y }");
    assert_snapshot!(mistakes(&format!("{text}rules: []\n")));
}
