//! What rules judge as one, and what they count.

use super::*;
use crate::model::{Distinct, Noun};
use crate::rules::Matchers;

fn of(stream: &str, event: Event) -> Event {
    Event { stream: StreamName::new("push.example.com", "live", stream), ..event }
}

fn sick(stream: &str, time: f64) -> Event {
    of(stream, error(stream, time, &[(16, 1)]))
}

fn site() -> Rule {
    Rule {
        per: Scope::Domain,
        measure: Measure::Distinct(Noun::Stream),
        within: Some(secs(60)),
        plan: Plan::Levels(vec![(3, Severity::Critical)]),
        ..rule("site", &[])
    }
}

#[test]
fn per_domain_distinct_stream_counts_different_streams_of_one_domain() {
    let mut bench = Bench::rules(vec![site()]);
    bench.get(0.0, sick("a", 0.0)).get(5.0, sick("a", 5.0)).get(6.0, sick("b", 6.0));
    let elsewhere = Event { stream: StreamName::new("other.example.com", "live", "x"), ..sick("x", 7.0) };
    bench.get(7.0, elsewhere);
    assert_eq!(bench.said(), said(&[]), "two streams of this domain, one of another");
    bench.get(8.0, sick("c", 8.0)).until(200.0);
    assert_eq!(bench.said(), said(&[(8.0, Opened, "site"), (98.0, Resolved(Cause::Quiet), "site")]));
    let incident = bench.engine.incidents.values().next().unwrap();
    assert_eq!(incident.key.to_string(), "push.example.com");
    assert_eq!(incident.distinct, Some(Box::new(Distinct { of: Noun::Stream, number: 3 })));
}

#[test]
fn reports_counts_callbacks_that_match_not_their_counts() {
    let reports = Rule {
        measure: Measure::Reports,
        within: Some(secs(60)),
        plan: Plan::Levels(vec![(3, Severity::Warning)]),
        ..rule("r", &[16])
    };
    let mut bench = Bench::rules(vec![reports]);
    bench.get(0.0, error("s", 0.0, &[(16, 50)])).get(5.0, error("s", 5.0, &[(16, 50)]));
    assert_eq!(bench.said(), said(&[]));
    bench.get(10.0, error("s", 10.0, &[(16, 1)]));
    assert_eq!(bench.said(), said(&[(10.0, Opened, "r")]));
}

#[test]
fn thresholds_of_any_height_are_reached() {
    let high = Rule {
        per: Scope::All,
        measure: Measure::Reports,
        within: Some(secs(6 * 3600)),
        plan: Plan::Levels(vec![(12_000, Severity::Warning)]),
        ..rule("high", &[16])
    };
    let one = Rule { plan: Plan::Levels(vec![(20_000, Severity::Warning)]), ..rule("one", &[15]) };
    let mut bench = Bench::rules(vec![high, one]);
    for n in 1..=12_000u32 {
        bench.get(f64::from(n), error("1", f64::from(n), &[(16, 1)]));
    }
    bench.get(12_001.0, error("1", 12_001.0, &[(15, 20_000)]));
    assert_eq!(bench.said(), said(&[(12_000.0, Opened, "high"), (12_001.0, Opened, "one")]));
}

#[test]
fn distinct_user_ip_per_stream_counts_addresses() {
    let hijack = Rule {
        measure: Measure::Distinct(Noun::UserIp),
        within: Some(secs(60)),
        plan: Plan::Levels(vec![(2, Severity::Warning)]),
        ..rule("two_places", &[])
    };
    let mut bench = Bench::rules(vec![hijack]);
    let from = |ip: &str, time: f64| Event { user_ip: Some(ip.into()), ..error("s", time, &[(6, 1)]) };
    bench.get(0.0, from("203.0.113.7", 0.0)).get(5.0, from("203.0.113.7", 5.0)).get(6.0, error("s", 6.0, &[(6, 1)]));
    assert_eq!(bench.said(), said(&[]), "a callback without an address counts for none");
    bench.get(10.0, from("203.0.113.8", 10.0));
    assert_eq!(bench.said(), said(&[(10.0, Opened, "two_places")]));
}

#[test]
fn per_app_per_address_and_over_all_have_windows_of_their_own() {
    for (scope, key) in
        [(Scope::App, "push.example.com/live"), (Scope::UserIp, "203.0.113.7"), (Scope::All, "*"), (Scope::Session, "")]
    {
        let counts = Rule {
            per: scope,
            within: Some(secs(60)),
            plan: Plan::Levels(vec![(2, Severity::Warning)]),
            ..rule("r", &[])
        };
        let mut bench = Bench::rules(vec![counts]);
        let from = |stream: &str, time| Event { user_ip: Some("203.0.113.7".into()), ..sick(stream, time) };
        bench.get(0.0, from("a", 0.0)).get(1.0, from("b", 1.0));
        match scope {
            Scope::Session => assert_eq!(bench.said(), said(&[]), "two pushes, one report each"),
            _ => {
                assert_eq!(bench.said(), said(&[(1.0, Opened, "r")]));
                assert_eq!(bench.engine.incidents.values().next().unwrap().key.to_string(), key);
            }
        }
    }
}

#[test]
fn per_session_ends_with_its_own_push_whatever_the_backup_does() {
    let mut bench = Bench::rules(vec![Rule { per: Scope::Session, ..rule("gop", &[16]) }]);
    bench.get(0.0, begin("main", 0.0)).get(0.5, begin("backup", 0.5));
    bench.get(1.0, error("main", 1.0, &[(16, 1)])).get(2.0, error("backup", 2.0, &[(16, 1)]));
    bench.get(3.0, end("main", 3.0));
    assert_eq!(bench.said(), said(&[(1.0, Opened, "gop"), (2.0, Opened, "gop"), (3.0, Resolved(Cause::Ended), "gop")]));
}

#[test]
fn a_push_end_per_session_is_over_with_a_newer_push() {
    let mut bench = Bench::rules(vec![Rule { per: Scope::Session, grace: None, ..stream_down() }]);
    bench.get(0.0, begin("one", 0.0)).get(10.0, end("one", 10.0)).until(500.0);
    assert_eq!(bench.said(), said(&[(10.0, Opened, "down")]));
    bench.get(600.0, begin("two", 600.0));
    assert_eq!(bench.said(), said(&[(600.0, Resolved(Cause::Reconnected), "down")]));
}

#[test]
fn a_push_end_per_session_is_over_with_a_newer_push_however_late_it_comes() {
    let ends =
        Rule { on: EventKind::PushEnd, per: Scope::Session, repeat_interval: secs(1_000_000), ..rule("ends", &[]) };
    let mut bench = Bench::rules(vec![ends]);
    bench.get(0.0, end("1", 0.0));
    // Long enough for cells to be looked at and sessions to be forgotten.
    for n in 1..60 {
        let time = f64::from(n) * 600.0;
        bench.get(time, of("other", error("x", time, &[(16, 1)])));
    }
    assert_eq!(bench.said(), said(&[(0.0, Opened, "ends")]));
    bench.get(40_000.0, begin("2", 40_000.0));
    assert_eq!(bench.said(), said(&[(40_000.0, Resolved(Cause::Reconnected), "ends")]));
}

#[test]
fn a_state_of_a_stream_never_resolves_by_silence_but_many_of_a_domain_do() {
    let relay = Rule { on: EventKind::Relay, ..rule("relay", &[]) };
    let many = Rule { per: Scope::Domain, name: "many".into(), ..relay.clone() };
    let mut bench = Bench::rules(vec![relay, many]);
    bench.get(0.0, event(EventKind::Relay, "s", 0.0)).until(3000.0);
    assert_eq!(
        bench.said(),
        said(&[(0.0, Opened, "relay"), (0.0, Opened, "many"), (90.0, Resolved(Cause::Quiet), "many")])
    );
    bench.get(3100.0, begin("t", 3100.0));
    assert_eq!(bench.said(), said(&[(3100.0, Resolved(Cause::Reconnected), "relay")]));
}

#[test]
fn a_condition_on_what_the_callback_does_not_carry_is_counted_as_missing() {
    let mut bench = Bench::rules(vec![Rule { per: Scope::UserIp, ..rule("by_address", &[16]) }]);
    bench.get(0.0, error("s", 0.0, &[(16, 1)]));
    let mut counted = Vec::new();
    bench.engine.take_tally(|rule, outcome, count| counted.push((rule.to_owned(), outcome, count)));
    assert_eq!(counted, [("by_address".to_owned(), crate::model::RuleOutcome::Missing, 1)]);
}

#[test]
fn a_reconnect_within_the_grace_is_counted() {
    let mut bench = Bench::rules(vec![stream_down()]);
    bench.get(0.0, begin("s", 0.0)).get(10.0, end("s", 10.0)).get(50.0, begin("t", 50.0));
    let mut counted = Vec::new();
    bench.engine.take_tally(|_, outcome, count| counted.push((outcome, count)));
    assert!(counted.contains(&(crate::model::RuleOutcome::Reconnected, 1)), "{counted:?}");
}

#[test]
fn group_by_decides_which_incidents_share_a_message() {
    let by = |labels: &[&str]| GroupBy::Labels(labels.iter().map(|l| Box::from(*l)).collect());
    let messages = |group_by: GroupBy| {
        let mut bench = Bench::rules(vec![Rule { group_by, ..rule("gop", &[16]) }]);
        bench.get(0.0, sick("a", 0.0)).get(1.0, sick("b", 1.0)).until(300.0);
        assert!(bench.engine.groups.values().all(|m| m.group.closed_at.is_some()), "closed when the last is over");
        bench.told("robot").iter().filter(|(at, _)| *at < 50.0).count()
    };
    assert_eq!(messages(GroupBy::Stream), 2);
    assert_eq!(messages(by(&["domain"])), 1);
    assert_eq!(messages(by(&["domain", "path"])), 1);
    assert_eq!(messages(by(&["rule"])), 1);
    assert_eq!(messages(by(&["stream", "rule"])), 2);
    assert_eq!(messages(by(&[])), 1);
}

#[test]
fn a_domains_own_incident_joins_those_grouped_by_their_domain() {
    let by_domain = GroupBy::Labels(vec!["domain".into()]);
    let mut bench = Bench::rules(vec![Rule { group_by: by_domain, ..rule("gop", &[16]) }, site()]);
    bench.get(0.0, sick("a", 0.0)).get(1.0, sick("b", 1.0)).get(2.0, sick("c", 2.0));
    assert_eq!(bench.engine.groups.len(), 1);
}

#[test]
fn a_group_that_never_closes_gives_back_what_is_long_over() {
    let mut bench = Bench::rules(vec![Rule { group_by: GroupBy::Labels(Vec::new()), ..rule("gop", &[16]) }]);
    for n in 0..2000 {
        let time = f64::from(n) * 60.0;
        bench.get(time, sick(&n.to_string(), time));
    }
    assert_eq!(bench.engine.groups.len(), 1);
    assert!(bench.engine.incidents.len() < 200, "{}", bench.engine.incidents.len());
    assert!(bench.engine.keys() < 2000, "{}", bench.engine.keys());
}

#[test]
fn notified_are_the_rules_notify_else_the_first_route_that_matches_else_the_defaults() {
    let chat = || vec![ChannelName::new("chat")];
    let robot = || vec![ChannelName::new("robot")];
    let route =
        |text: &str, notify, goes_on| crate::rules::Route { matchers: Matchers::parse(text).unwrap(), notify, goes_on };
    let told = |rule: Rule, routes: Vec<crate::rules::Route>| {
        let mut bench = Bench::new(RuleSet { routes, ..rule_set(vec![rule]) });
        bench.get(0.0, error("s", 0.0, &[(16, 1)]));
        (bench.told("chat").len(), bench.told("robot").len())
    };
    let open = || Rule { notify: None, ..rule("gop", &[16]) };
    assert_eq!(told(open(), Vec::new()), (1, 0), "the defaults");
    assert_eq!(told(open(), vec![route("stream=\"cam1\"", robot(), false)]), (0, 1));
    assert_eq!(told(open(), vec![route("stream=\"cam2\"", robot(), false)]), (1, 0), "no route matches");
    let both = || vec![route("severity=\"warning\"", robot(), true), route("rule=\"gop\"", chat(), false)];
    assert_eq!(told(open(), both()), (1, 1), "continue goes on");
    assert_eq!(told(Rule { notify: Some(chat()), ..open() }, both()), (1, 0), "the rule's own goes first");
    let labels: Labels = Arc::new([("team".into(), "a".into())].into());
    assert_eq!(told(Rule { labels, ..open() }, vec![route("team=\"a\"", robot(), false)]), (0, 1), "own labels too");
}

/// Rules by what they demand must give the same verdicts as all of them asked one by one.
#[test]
fn the_index_leaves_no_rule_out_that_matches() {
    let mut text = "version: 1\nchannels: { c: { type: console } }\ndefaults: { notify: [c] }\nrules:\n".to_owned();
    let conditions = [
        "stream: cam1",
        "stream: [cam1, cam2]",
        "domain: push.example.com, stream: \"cam*\"",
        "domain: \"*.example.com\"",
        "stream: \"c?m[12]\"",
        "user_ip: 203.0.113.7",
        "session: { not: s }",
        "any: [ { stream: cam1 }, { domain: other.example.com } ]",
    ];
    for n in 0..120 {
        let on = ["push_error, types: [gop_too_large]", "push_error", "push_end", "relay"][n % 4];
        let glob = format!("stream: \"cam{}*\"", n % 30);
        let condition = conditions.get(n % 13).copied().unwrap_or(&glob);
        // Rules that are the same but for their names are refused.
        text.push_str(&format!(
            "  - {{ name: r{n}, on: {on}, where: {{ {condition} }}, severity: warning, labels: {{ n: \"{n}\" }} }}
"
        ));
    }
    text.push_str("  - { name: code, on: push_end, where: { errcode: [3, 5] }, severity: warning }\n");
    let set = crate::rules::load(&text, "rules.yaml", &|_| None).unwrap_or_else(|m| panic!("{}", m[0]));
    let index = super::super::index::Index::new(&set.rules);
    let (mut places, mut matched) = (Vec::new(), Vec::new());
    let mut hits = 0;
    for stream in ["cam1", "cam2", "cam29", "x"] {
        for domain in ["push.example.com", "other.example.com", ""] {
            let addressed = |event: Event| Event { user_ip: Some("203.0.113.7".into()), ..event };
            let events = [
                error("s", 0.0, &[(16, 1)]),
                addressed(error("t", 0.0, &[(6, 1)])),
                end("s", 0.0),
                event(EventKind::Relay, "t", 0.0),
            ];
            for event in events {
                let event = Event { stream: StreamName::new(domain, "live", stream), ..event };
                index.candidates(&event, &mut places);
                assert!(places.is_sorted() && places.windows(2).all(|pair| pair[0] != pair[1]));
                for (place, rule) in (0u32..).zip(&set.rules) {
                    if rule.matches(&event, at(0.0), &mut matched) != crate::rules::Matching::No {
                        hits += 1;
                        assert!(places.contains(&place), "{} {:?}", rule.name, event.stream);
                    }
                }
            }
        }
    }
    assert!(hits > 100, "{hits}");
}

#[test]
fn many_ends_of_a_domain_are_over_when_enough_streams_are_back_never_by_silence() {
    let down = Rule {
        on: EventKind::PushEnd,
        per: Scope::Domain,
        measure: Measure::Distinct(Noun::Stream),
        within: Some(secs(60)),
        plan: Plan::Levels(vec![(3, Severity::Critical)]),
        inhibits: vec!["down".into()],
        repeat_interval: secs(1_000_000),
        ..rule("site_down", &[])
    };
    let mut bench = Bench::rules(vec![down, stream_down()]);
    for stream in ["a", "b", "c", "d"] {
        bench.get(0.0, of(stream, begin("1", 0.0)));
    }
    for (n, stream) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let time = 10.0 + n as f64;
        bench.get(time, of(stream, end("1", time)));
    }
    bench.until(3000.0);
    let down = |at: f64| [(at, Opened, "down"), (at, Suppressed, "down")];
    let all: Vec<_> = [100.0, 101.0, 102.0, 103.0].into_iter().flat_map(down).collect();
    assert_eq!(bench.said(), said(&[&[(12.0, Opened, "site_down")], all.as_slice()].concat()));
    bench.get(3000.0, of("a", begin("2", 3000.0))).get(3001.0, of("a", error("2", 3001.0, &[(6, 1)])));
    assert_eq!(bench.said(), said(&[(3000.0, Resolved(Cause::Reconnected), "down")]), "three are down");
    bench.get(3002.0, of("b", begin("2", 3002.0)));
    let back =
        said(&[(3002.0, Resolved(Cause::Reconnected), "down"), (3002.0, Resolved(Cause::Reconnected), "site_down")]);
    assert_eq!(bench.said(), back, "two are down: below the threshold");
    bench.told("robot");
    bench.until(3040.0);
    assert_eq!(bench.told("robot"), [(3032.0, Reason::Post); 2], "the two that are still down are told");
}

#[test]
fn a_stream_that_comes_and_goes_is_back_once_and_one_that_was_not_missed_is_not_back() {
    let down = Rule {
        on: EventKind::PushEnd,
        per: Scope::Domain,
        measure: Measure::Distinct(Noun::Stream),
        within: Some(secs(60)),
        plan: Plan::Levels(vec![(3, Severity::Critical)]),
        repeat_interval: secs(1_000_000),
        ..rule("site_down", &[])
    };
    let mut bench = Bench::rules(vec![down]);
    for (n, stream) in ["a", "b", "c", "d"].into_iter().enumerate() {
        bench.get(n as f64, of(stream, end("1", n as f64)));
    }
    assert_eq!(bench.said(), said(&[(2.0, Opened, "site_down")]));
    // Four are down. One flaps, another only begins: three are down all the while.
    for n in 0..5 {
        let (time, session) = (100.0 + f64::from(n) * 100.0, format!("{}", n + 2));
        bench.get(time, of("a", begin(&session, time))).get(time + 50.0, of("a", end(&session, time + 50.0)));
        bench.get(time + 60.0, of("x", begin(&session, time + 60.0)));
    }
    bench.get(900.0, of("e", end("1", 900.0)));
    assert_eq!(bench.said(), []);
    // Five are down: two of them back are not enough, also long after their ends.
    bench.get(9000.0, of("a", begin("9", 9000.0))).get(9001.0, of("b", begin("9", 9001.0)));
    assert_eq!(bench.said(), []);
    bench.get(9002.0, of("e", begin("9", 9002.0)));
    assert_eq!(bench.said(), said(&[(9002.0, Resolved(Cause::Reconnected), "site_down")]));
}
