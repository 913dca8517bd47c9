//! Conditions against a naive evaluator over what was written: it builds every entry and detail in turn and asks each
//! condition of it in plain words.

use proptest::prelude::*;

use super::matching::{entry, event};
use super::{HEAD, fine};
use crate::model::{Abnormal, AbnormalType, Catalogue, Event, EventKind, StreamName, Timestamp};
use crate::rules::Matching;

/// A condition as it is written, and a test of it in plain words.
#[derive(Clone, Debug)]
enum Written {
    /// Field, what is written, and what it means.
    Text(&'static str, &'static str, fn(&str) -> bool),
    Errcode(&'static str, fn(i64) -> bool),
    Duration(&'static str, fn(u64) -> bool),
    Hour(&'static str, fn(i64) -> bool),
    Weekday(&'static str, fn(i64) -> bool),
    Count(&'static str, fn(u32) -> bool),
    Type(&'static str, fn(u32) -> bool),
    /// The value comes in ms; `None` where the type is measured in something else.
    Value(&'static str, fn(Option<f64>) -> bool),
    Any(Vec<Vec<Written>>),
}

/// What a condition says: `Some` is known, `None` can't be known.
type Known = Option<bool>;

const TEXTS: [Written; 9] = [
    Written::Text("stream", "cam1", |text| text == "cam1"),
    Written::Text("stream", "\"cam*\"", |text| text.starts_with("cam")),
    Written::Text("stream", "\"=~ cam[0-9]\"", |text| text == "cam1" || text == "cam2"),
    Written::Text("stream", "{ not: [cam1, \"*x\"] }", |text| text != "cam1" && !text.ends_with('x')),
    Written::Text("node", "\"*\"", |_| true),
    Written::Text("node", "\"!~ n[1-3]\"", |text| text != "n1"),
    Written::Text("node", "\"!= n1\"", |text| text != "n1"),
    Written::Text("user_ip", "\"203.0.{112,113}.?\"", |text| text == "203.0.113.7"),
    Written::Text("user_ip", "[\"=~ 10[.].*\", 203.0.113.7]", |text| text == "203.0.113.7" || text.starts_with("10.")),
];

const CLOCK: [Written; 5] = [
    Written::Hour("[0, 23]", |hour| hour == 0 || hour == 23),
    Written::Hour("{ not: \">= 12\" }", |hour| hour < 12),
    Written::Weekday("mon-fri", |day| day < 5),
    Written::Weekday("[sun, tue]", |day| day == 6 || day == 1),
    Written::Weekday("\"!= sat-mon\"", |day| (1..5).contains(&day)),
];

const ENDS: [Written; 5] = [
    Written::Errcode("2", |code| code == 2),
    Written::Errcode("{ not: [1, 2] }", |code| code != 1 && code != 2),
    Written::Errcode("[-1, \">= 3\"]", |code| code == -1 || code >= 3),
    Written::Duration("\"> 1s\"", |ms| ms > 1000),
    Written::Duration("{ not: 1000 }", |ms| ms != 1000),
];

const ENTRIES: [Written; 8] = [
    Written::Count("\">= 3\"", |count| count >= 3),
    Written::Count("{ not: 1 }", |count| count != 1),
    Written::Type("6", |kind| kind == 6),
    Written::Type("\"video_*\"", |kind| [6, 8, 15].contains(&kind)),
    Written::Type("\"!~ .*_late\"", |kind| kind != 6 && kind != 7),
    Written::Value("\">= 3s\"", |ms| ms.is_some_and(|ms| ms >= 3000.0)),
    Written::Value("{ not: \"< 2s\" }", |ms| ms.is_some_and(|ms| ms >= 2000.0)),
    Written::Value("\"< 5s\"", |ms| ms.is_some_and(|ms| ms < 5000.0)),
];

impl Written {
    fn field(&self) -> &'static str {
        match self {
            Written::Text(field, ..) => field,
            Written::Errcode(..) => "errcode",
            Written::Duration(..) => "push_duration",
            Written::Hour(..) => "hour",
            Written::Weekday(..) => "weekday",
            Written::Count(..) => "count",
            Written::Type(..) => "type",
            Written::Value(..) => "value",
            Written::Any(..) => "any",
        }
    }

    fn yaml(&self) -> String {
        match self {
            Written::Text(_, text, _) => (*text).to_owned(),
            Written::Errcode(text, _) => (*text).to_owned(),
            Written::Duration(text, _) => (*text).to_owned(),
            Written::Hour(text, _) | Written::Weekday(text, _) => (*text).to_owned(),
            Written::Count(text, _) | Written::Type(text, _) => (*text).to_owned(),
            Written::Value(text, _) => (*text).to_owned(),
            Written::Any(alternatives) => {
                let maps: Vec<String> = alternatives.iter().map(|all| mapping(all)).collect();
                format!("[{}]", maps.join(", "))
            }
        }
    }

    /// Of one entry and one value of it, which may not have been measured.
    fn says(&self, event: &Event, wall: i64, entry: Option<&Abnormal>, value: Option<f64>) -> Known {
        match self {
            Written::Text(field, _, test) => {
                let text = match *field {
                    "stream" => Some(event.stream.stream()).filter(|text| !text.is_empty()),
                    "node" => event.node.as_deref(),
                    _ => event.user_ip.as_deref(),
                };
                text.map(test)
            }
            Written::Errcode(_, test) => event.errcode.map(test),
            Written::Duration(_, test) => event.push_duration.map(test),
            Written::Hour(_, test) => Some(test(wall.div_euclid(3_600_000).rem_euclid(24))),
            Written::Weekday(_, test) => Some(test((wall.div_euclid(86_400_000) + 3).rem_euclid(7))),
            Written::Count(_, test) => entry.map(|entry| test(entry.count)),
            Written::Type(_, test) => entry.map(|entry| test(entry.kind.0)),
            Written::Value(_, test) => {
                use crate::model::catalogue::Unit;
                let kind = entry?.kind;
                value.map(|value| match Catalogue::unit(kind) {
                    Some(Unit::Milliseconds) => test(Some(value)),
                    Some(Unit::Seconds) => test(Some(value * 1000.0)),
                    _ => test(None),
                })
            }
            Written::Any(alternatives) => {
                let said: Vec<Known> =
                    alternatives.iter().map(|all| together(all, event, wall, entry, value)).collect();
                match said.contains(&Some(true)) {
                    true => Some(true),
                    false => (!said.contains(&None)).then_some(false),
                }
            }
        }
    }

    fn is_on_value(&self) -> bool {
        match self {
            Written::Value(..) => true,
            Written::Any(alternatives) => alternatives.iter().flatten().any(Written::is_on_value),
            _ => false,
        }
    }
}

fn mapping(all: &[Written]) -> String {
    let pairs: Vec<String> = all.iter().map(|one| format!("{}: {}", one.field(), one.yaml())).collect();
    format!("{{ {} }}", pairs.join(", "))
}

fn together(all: &[Written], event: &Event, wall: i64, entry: Option<&Abnormal>, value: Option<f64>) -> Known {
    let said: Vec<Known> = all.iter().map(|one| one.says(event, wall, entry, value)).collect();
    if said.contains(&None) { None } else { Some(!said.contains(&Some(false))) }
}

/// The answer as the pages have it: which entries count for how much.
fn naive(all: &[Written], types: &[u32], event: &Event, wall: i64) -> (Matching, Vec<(usize, u64)>) {
    let (mut counted, mut unknown) = (Vec::new(), false);
    if event.kind != EventKind::PushError {
        return match together(all, event, wall, None, None) {
            Some(true) => (Matching::Yes, counted),
            Some(false) => (Matching::No, counted),
            None => (Matching::Missing, counted),
        };
    }
    for (index, entry) in event.abnormal.iter().enumerate() {
        if !types.is_empty() && !types.contains(&entry.kind.0) {
            continue;
        }
        let mut values: Vec<Option<f64>> = entry.details.iter().map(|detail| detail.value).collect();
        if values.is_empty() || !all.iter().any(Written::is_on_value) {
            values = vec![None];
        }
        let said: Vec<Known> = values.iter().map(|value| together(all, event, wall, Some(entry), *value)).collect();
        let satisfied = said.iter().filter(|known| **known == Some(true)).count() as u64;
        unknown |= said.contains(&None);
        let count = u64::from(entry.count.max(1));
        let amount = if satisfied == said.len() as u64 { count } else { satisfied.min(count) };
        counted.extend((amount > 0).then_some((index, amount)));
    }
    match (counted.is_empty(), unknown) {
        (false, _) => (Matching::Yes, counted),
        (true, true) => (Matching::Missing, counted),
        (true, false) => (Matching::No, counted),
    }
}

/// Conditions with different keys, as one mapping can have them.
fn conditions(of_errors: bool) -> impl Strategy<Value = Vec<Written>> {
    let known = if of_errors { ENTRIES.to_vec() } else { ENDS.to_vec() };
    let plain = [known.clone(), known, TEXTS.to_vec(), CLOCK.to_vec()].concat();
    let some = prop::collection::vec(prop::sample::select(plain), 1..4).prop_map(distinct);
    let any = prop::collection::vec(some.clone(), 1..4).prop_map(Written::Any);
    (some, prop::option::of(any)).prop_map(|(some, any)| some.into_iter().chain(any).collect())
}

fn distinct(mut all: Vec<Written>) -> Vec<Written> {
    let mut seen = Vec::new();
    all.retain(|one| {
        !seen.contains(&one.field()) && {
            seen.push(one.field());
            true
        }
    });
    all
}

fn events() -> impl Strategy<Value = Event> {
    let value = prop::option::of(prop::sample::select(vec![0.0, 1.0, 4.0, 2000.0, 3000.0, 6000.0]));
    let one = (prop::sample::select(vec![6u32, 7, 8, 15, 16, 17]), 0u32..5, prop::collection::vec(value, 0..4));
    let entries = prop::collection::vec(one.prop_map(|(kind, count, values)| entry(kind, count, &values)), 0..4);
    let text = |texts: &'static [&'static str]| prop::option::of(prop::sample::select(texts));
    let names =
        (prop::sample::select(vec!["cam1", "cam2", "x", ""]), text(&["n1", "n7"]), text(&["203.0.113.7", "10.0.0.1"]));
    let numbers = (prop::option::of(-1i64..5), prop::option::of(prop::sample::select(vec![0u64, 1000, 1001])));
    (entries, names, numbers).prop_map(|(abnormal, (stream, node, user_ip), (errcode, push_duration))| Event {
        stream: StreamName::new("push.example.com", "live", stream),
        node: node.map(Into::into),
        user_ip: user_ip.map(Into::into),
        errcode,
        push_duration,
        abnormal,
        ..event(EventKind::PushError)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 768, ..ProptestConfig::default() })]

    #[test]
    fn rules_match_as_a_naive_reading_of_the_file_does(
        (is_report, written) in any::<bool>().prop_flat_map(|report| (Just(report), conditions(report))),
        types in prop::sample::select(vec![vec![], vec![6u32], vec![6, 7, 16]]),
        events in prop::collection::vec((events(), -200_000_000i64..2_000_000_000_000), 1..12),
    ) {
        let types = if is_report { types } else { Vec::new() };
        let listed = if types.is_empty() { String::new() } else { format!("types: {types:?}, ") };
        let on = if is_report { "push_error" } else { "push_end" };
        let text = format!("{HEAD}rules: [ {{ name: a, on: {on}, {listed}where: {} }} ]\n", mapping(&written));
        if let Err(mistakes) = super::read(&text) {
            // What is refused as never holding never does.
            let refused = mistakes.iter().all(|mistake| mistake.message().contains("it can never hold"));
            prop_assert!(refused, "{}", super::show(&mistakes));
            for (event, wall) in events {
                prop_assert!(naive(&written, &types, &event, wall).0 != Matching::Yes, "{}\n{:?}", text, event);
            }
            return Ok(());
        }
        let rule = fine(&text).rules.remove(0);
        prop_assert_eq!(rule.types.clone(), types.iter().copied().map(AbnormalType).collect::<Vec<_>>());
        for (mut event, wall) in events {
            if !is_report {
                event.kind = EventKind::PushEnd;
                event.abnormal.clear();
            }
            let mut matched = Vec::new();
            let matching = rule.matches(&event, Timestamp(wall), &mut matched);
            prop_assert_eq!((matching, matched), naive(&written, &types, &event, wall), "{}\n{:?}", text, event);
            prop_assert_eq!(rule.refusal(&event, Timestamp(wall)).is_none(), matching == Matching::Yes);
        }
    }
}
