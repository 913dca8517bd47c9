//! Mutes, inhibition and acknowledgements: what people do not hear, and what they hear afterwards.

use super::*;
use crate::model::{Holder, Mute, MuteId, Noun};

pub(super) fn mute(id: u64, matchers: &str, until: f64) -> Input {
    Input::Muted(Box::new(Mute {
        id: MuteId(id),
        matchers: matchers.into(),
        within: None,
        set_at: at(0.0),
        until: at(until),
        author: "U1".into(),
        reason: "works".into(),
    }))
}

pub(super) fn gop(time: f64) -> Event {
    error("s", time, &[(16, 1)])
}

/// Reports every 5 s from one second to another.
pub(super) fn sick(bench: &mut Bench, from: u32, to: u32) {
    for n in (from..=to).step_by(5) {
        bench.get(f64::from(n), gop(f64::from(n)));
    }
}

pub(super) const STREAM: &str = "stream=\"cam1\"";

#[test]
fn what_opens_under_a_mute_is_told_when_the_mute_ends_if_it_still_fires() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    bench.put(0.0, mute(1, STREAM, 600.0));
    sick(&mut bench, 10, 700);
    assert_eq!(bench.said(), said(&[(10.0, Opened, "gop"), (10.0, Suppressed, "gop"), (600.0, Released, "gop")]));
    assert_eq!(bench.told("robot"), [(600.0, Reason::Post)]);
    assert_eq!(bench.told("chat")[0], (600.0, Reason::Post));
}

#[test]
fn what_came_and_went_under_a_mute_has_no_message_of_its_own() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    bench.put(0.0, mute(1, STREAM, 6000.0));
    sick(&mut bench, 10, 60);
    bench.until(7000.0);
    assert_eq!((bench.told("robot"), bench.told("chat")), (vec![], vec![]));
    assert_eq!(bench.engine.incidents.len(), 0, "lived on and was forgotten");
}

#[test]
fn a_resolved_message_is_never_swallowed_by_a_mute_that_began_after_the_incident_was_told() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    sick(&mut bench, 0, 20);
    bench.put(21.0, mute(1, STREAM, 6000.0)).until(300.0);
    assert_eq!(bench.told("robot"), [(0.0, Reason::Post), (110.0, Reason::Post)]);
    let edits = [(0.0, Reason::Post), (15.0, Reason::Edit), (21.0, Reason::Edit), (110.0, Reason::Edit)];
    assert_eq!(bench.told("chat"), edits, "posts stop, edits go on");
}

#[test]
fn lifting_a_mute_tells_at_once_what_still_fires() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    bench.put(0.0, mute(1, STREAM, 6000.0));
    sick(&mut bench, 10, 100);
    bench.put(102.0, Input::Unmuted { id: MuteId(1) }).until(103.0);
    assert_eq!(bench.told("robot"), [(102.0, Reason::Post)]);
}

#[test]
fn a_mute_covers_by_the_incidents_own_labels() {
    let wide = Rule { per: Scope::Domain, ..rule("site", &[16]) };
    let mut bench = Bench::rules(vec![wide]);
    bench.put(0.0, mute(1, STREAM, 6000.0)).get(10.0, gop(10.0));
    assert_eq!(bench.told("robot"), [(10.0, Reason::Post)], "a plain stream target does not cover a domain's incident");
}

#[test]
fn mutes_end_by_the_wall_clock_across_its_steps() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    bench.put(0.0, mute(1, STREAM, 600.0)).get(10.0, gop(10.0));
    bench.put(11.0, Input::ClockSet { ahead: 300_000 });
    sick(&mut bench, 15, 400);
    assert_eq!(bench.told("robot"), [(300.0, Reason::Post)], "the clock was set 5 minutes forward");
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    bench.put(0.0, mute(1, STREAM, 600.0)).get(10.0, gop(10.0));
    bench.put(11.0, Input::ClockSet { ahead: -300_000 });
    sick(&mut bench, 15, 1000);
    assert_eq!(bench.told("robot"), [(900.0, Reason::Post)], "and here 5 minutes back");
}

#[test]
fn an_acknowledgement_stops_repeats_until_it_grows_worse() {
    let mut bench = Bench::rules(vec![Rule { repeat_interval: secs(100), ..late_frames() }]);
    let late = |time: f64, count| error("s", time, &[(6, count)]);
    for n in 0..80u32 {
        bench.get(f64::from(n) * 5.0, late(f64::from(n) * 5.0, 1));
        if n == 10 {
            let incident = bench.engine.incidents.values().next().unwrap().id;
            bench.put(51.0, Input::Acknowledged { incident, by: "U1".into() });
        }
    }
    // 13 a minute is above the critical level: told at 10 s (warning) and when it grew worse.
    let told = bench.told("robot");
    assert_eq!(told.first(), Some(&(10.0, Reason::Post)));
    assert_eq!(told.len(), 2, "{told:?}");
    let ack = bench.engine.incidents.values().next().unwrap().ack.clone();
    assert!(ack.is_some(), "it was taken in hand after the rise");
    let mut bench = Bench::rules(vec![late_frames()]);
    bench.get(0.0, late(0.0, 3));
    let incident = bench.engine.incidents.values().next().unwrap().id;
    bench.put(1.0, Input::Acknowledged { incident, by: "U1".into() }).get(5.0, late(5.0, 9));
    assert_eq!(bench.engine.incidents.get(&incident).unwrap().ack, None, "rising clears it");
}

#[test]
fn what_the_rate_limit_held_back_until_it_was_over_is_told_although_another_trouble_of_its_message_is_muted() {
    let limit = RateLimit { burst: NonZeroU32::new(1).unwrap(), every: secs(240) };
    let rules = rule_set(vec![rule("gop", &[16]), rule("fps", &[15])]);
    let mut bench = Bench::new(RuleSet { rate_limit: Some(limit), ..rules });
    bench.get(0.0, gop(0.0)).get(100.0, error("s", 100.0, &[(15, 1)]));
    bench.put(110.0, mute(1, "rule=\"gop\"", 1000.0));
    assert_eq!(bench.told("robot"), [(0.0, Reason::Post), (90.0, Reason::Post)], "no token for the second");
    sick(&mut bench, 120, 600);
    assert_eq!(bench.told("robot"), [(240.0, Reason::Post)], "it was over at 190 s");
    bench.until(2000.0);
    assert_eq!(bench.told("robot"), [], "and the other's end is told with the mute's");
    let over = |told: &(f64, String, Notice)| matches!(&told.2, Notice::MuteOver(missed) if missed.over == 1);
    assert!(bench.notices().iter().all(over));
}

fn site() -> Rule {
    Rule {
        per: Scope::Domain,
        measure: Measure::Distinct(Noun::Stream),
        within: Some(secs(60)),
        plan: Plan::Levels(vec![(3, Severity::Critical)]),
        inhibits: vec!["gop".into()],
        ..rule("site", &[])
    }
}

pub(super) fn of(stream: &str, time: f64) -> Event {
    Event { stream: StreamName::new("push.example.com", "live", stream), ..error(stream, time, &[(16, 1)]) }
}

fn site_bench() -> Bench {
    let mut bench = Bench::rules(vec![rule("gop", &[16]), site()]);
    for (n, stream) in ["a", "b", "c"].into_iter().enumerate() {
        bench.get(n as f64, of(stream, n as f64));
    }
    bench
}

#[test]
fn a_domains_incident_inhibits_the_streams_of_that_domain() {
    let mut bench = site_bench();
    assert_eq!(
        bench.said(),
        said(&[(0.0, Opened, "gop"), (1.0, Opened, "gop"), (2.0, Opened, "gop"), (2.0, Opened, "site")])
    );
    let robot = [(0.0, Reason::Post), (1.0, Reason::Post), (2.0, Reason::Post), (2.0, Reason::Post)];
    assert_eq!(bench.told("robot"), robot);
    let edits = bench.told("chat").iter().filter(|(_, reason)| *reason == Reason::Edit).count();
    assert_eq!(edits, 3, "inhibited after being told: one edit, part of the site's");
    bench.get(3.0, of("d", 3.0));
    assert_eq!(bench.said(), said(&[(3.0, Opened, "gop"), (3.0, Suppressed, "gop")]));
    assert_eq!((bench.told("robot"), bench.told("chat")), (vec![], vec![]), "part of it from the start");
    let elsewhere = Event { stream: StreamName::new("other.example.com", "live", "x"), ..of("x", 4.0) };
    bench.get(4.0, elsewhere);
    assert_eq!(bench.told("robot"), [(4.0, Reason::Post)], "another domain's stream is not part of it");
}

#[test]
fn what_was_inhibited_after_being_told_is_closed_with_its_source() {
    let mut bench = site_bench();
    bench.said();
    bench.told("robot");
    bench.until(91.0);
    assert_eq!(bench.told("robot"), [], "a and b are over; the site is not");
    bench.until(300.0);
    let told = bench.told("robot");
    assert_eq!(told[0], (92.0, Reason::Post), "the site's own end");
    assert_eq!(told[1..], [(122.0, Reason::Post); 3], "and 30 s later what was part of it");
    assert!(bench.engine.groups.values().all(|m| m.group.closed_at.is_some()));
}

#[test]
fn thirty_seconds_after_the_source_ends_survivors_are_told() {
    let mut bench = site_bench();
    bench.get(3.0, of("d", 3.0)).told("robot");
    for n in 1..40 {
        let time = 3.0 + f64::from(n) * 5.0;
        bench.get(time, of("d", time));
    }
    let told = bench.told("robot");
    // The site lives on as long as any stream of it reports: here until there are fewer than three.
    let end = told.iter().find(|(_, reason)| *reason == Reason::Post).unwrap().0;
    assert!(told.contains(&(end + 30.0, Reason::Post)), "{told:?}");
    let d = bench.engine.incidents.values().find(|i| i.key.to_string().ends_with("/d")).unwrap();
    assert!(d.is_firing() && d.inhibited_by.is_none());
}

#[test]
fn what_was_never_told_and_is_over_before_its_source_needs_no_word() {
    let mut bench = site_bench();
    bench.get(3.0, of("d", 3.0)).told("robot");
    bench.until(1000.0);
    let rows = bench.told("robot").len();
    assert_eq!(rows, 4, "the site and the three that were told");
}

#[test]
fn a_held_back_group_says_what_holds_it() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    bench.put(0.0, mute(1, STREAM, 600.0)).get(10.0, gop(10.0));
    let group = &bench.engine.groups.values().next().unwrap().group;
    assert_eq!((group.held_by, group.held_until), (Some(Holder::Mute), Some(at(600.0))));
}
