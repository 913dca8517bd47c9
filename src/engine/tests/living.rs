//! Living messages follow what goes on, at growing intervals.

use proptest::prelude::*;

use super::*;

fn going_on(bench: &mut Bench, from: u64, to: u64) {
    (from..=to).step_by(5).for_each(|n| _ = bench.get(n as f64, error("1", n as f64, &[(16, 1)])));
}

#[test]
fn a_message_is_brought_up_to_date_each_time_the_age_of_its_trouble_has_doubled() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    going_on(&mut bench, 0, 600);
    bench.until(1000.0);
    let edits = [15.0, 30.0, 60.0, 120.0, 240.0, 480.0, 690.0].map(|at| (at, Reason::Edit));
    let (mut told, reply) = (vec![(0.0, Reason::Post)], Reason::Reply);
    told.extend(edits);
    // Long troubles end with a reply.
    told.last_mut().unwrap().1 = reply;
    assert_eq!(bench.told("chat"), told);
    assert_eq!(bench.told("robot"), [(0.0, Reason::Post), (690.0, Reason::Post)]);
    // It says nothing new: rule tests see no effect of it.
    assert_eq!(bench.said(), said(&[(0.0, Opened, "gop"), (690.0, Resolved(Cause::Quiet), "gop")]));
}

#[test]
fn what_changed_otherwise_brings_it_up_to_date_too_and_what_comes_back_begins_anew() {
    let mut bench = Bench::rules(vec![rule("gop", &[16]), rule("fps", &[15])]);
    going_on(&mut bench, 0, 10);
    bench.get(12.0, error("1", 12.0, &[(15, 1)]));
    going_on(&mut bench, 15, 30);
    assert_eq!(bench.told("chat"), [(0.0, Reason::Post), (12.0, Reason::Edit), (30.0, Reason::Edit)]);
    bench.until(200.0);
    bench.told("chat");
    going_on(&mut bench, 300, 345);
    assert_eq!(bench.told("chat"), [(300.0, Reason::Reply), (315.0, Reason::Edit), (330.0, Reason::Edit)]);
}

#[test]
fn edits_go_on_under_a_mute_and_stop_for_what_is_part_of_a_wider_incident() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    going_on(&mut bench, 0, 5);
    let until = at(500.0);
    let (author, reason, matchers) = ("U1".into(), "".into(), "rule=\"gop\"".into());
    bench.put(
        6.0,
        Input::Muted(Box::new(crate::model::Mute {
            id: MuteId(1),
            matchers,
            within: None,
            set_at: at(6.0),
            until,
            author,
            reason,
        })),
    );
    going_on(&mut bench, 10, 60);
    let edits = [6.0, 25.0, 50.0].map(|at| (at, Reason::Edit));
    assert_eq!(bench.told("chat"), [&[(0.0, Reason::Post)][..], &edits].concat());

    let site = Rule { per: Scope::Domain, inhibits: vec!["gop".into()], ..rule("site", &[9]) };
    let mut bench = Bench::rules(vec![rule("gop", &[16]), site]);
    going_on(&mut bench, 0, 5);
    bench.get(6.0, error("1", 6.0, &[(9, 1)]));
    assert_eq!(bench.told("chat"), [(0.0, Reason::Post), (6.0, Reason::Post), (6.0, Reason::Edit)]);
    for n in (10..80).step_by(5) {
        bench.get(f64::from(n), error("1", f64::from(n), &[(16, 1)]));
    }
    assert_eq!(bench.told("chat"), []);
}

#[test]
fn the_figures_that_an_edit_will_show_are_written_with_it() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    going_on(&mut bench, 0, 10);
    bench.seq += 1;
    let input = Input::Callback(Box::new(error("1", 15.0, &[(16, 7)])));
    bench.engine.step(&Entry { seq: Seq(bench.seq), received_at: at(15.0), input });
    let changes = bench.engine.take_changes();
    assert_eq!(changes.outbox.len(), 1);
    assert_eq!(changes.groups[0].revision, 2);
    assert_eq!((changes.incidents[0].reports, changes.incidents[0].count), (4, 10));
}

#[test]
fn streams_that_are_back_are_shown_while_others_are_not() {
    let ends = Rule {
        on: EventKind::PushEnd,
        per: Scope::Domain,
        measure: Measure::Distinct(crate::model::Noun::Stream),
        within: Some(secs(60)),
        plan: Plan::Levels(vec![(2, Severity::Critical)]),
        ..rule("ends", &[])
    };
    let mut bench = Bench::rules(vec![ends]);
    let of = |name: &str, event: Event| Event { stream: StreamName::new("push.example.com", "live", name), ..event };
    for (n, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        bench.get(n as f64, of(name, end("1", n as f64)));
    }
    bench.told("chat");
    bench.get(30.0, of("a", begin("2", 30.0)));
    assert_eq!(bench.told("chat"), [(30.0, Reason::Edit)]);
}

proptest! {
    /// What a message shows is never older than half the trouble's age, as far as reports tell, and a long trouble
    /// costs few edits.
    #[test]
    fn a_message_is_never_far_behind_and_seldom_edited(gaps in prop::collection::vec(1u64..60, 1..400)) {
        let mut bench = Bench::rules(vec![Rule { repeat_interval: secs(1_000_000), ..rule("gop", &[16]) }]);
        let (mut now, mut told) = (0u64, Vec::new());
        for gap in gaps {
            bench.get(now as f64, error("1", now as f64, &[(16, 1)]));
            told.extend(bench.told("chat"));
            let shown = told.last().map_or(0.0, |(at, _)| *at);
            prop_assert!(now as f64 - shown < f64::max(15.0, now as f64 / 2.0 + 0.001), "{} {}", now, shown);
            now += gap;
        }
        let most = (now as f64 / 15.0).log2().max(0.0) + 3.0;
        prop_assert!((told.len() as f64) < most, "{} {:?}", now, told);
    }
}
