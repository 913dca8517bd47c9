//! Why a channel is owed a row, as the row says it.

use super::*;
use crate::model::{Mute, MuteId};

fn gop(time: f64) -> Event {
    error("s", time, &[(16, 1)])
}

fn mute(until: f64) -> Input {
    let (matchers, author, reason) = ("stream=\"cam1\"".into(), "U1".into(), "works".into());
    let (within, set_at, until) = (None, at(0.0), at(until));
    Input::Muted(Box::new(Mute { id: MuteId(1), matchers, within, set_at, until, author, reason }))
}

#[test]
fn a_trouble_opens_grows_worse_changes_and_resolves_and_comes_back() {
    let mut bench = Bench::rules(vec![late_frames(), rule("gop", &[16])]);
    bench.get(0.0, error("s", 0.0, &[(6, 3)])).get(5.0, gop(5.0)).get(10.0, error("s", 10.0, &[(6, 7)]));
    bench.until(300.0);
    let (changed, resolved) = (News::Changed, News::Resolved);
    assert_eq!(bench.news("chat"), [News::Opened, changed, News::Escalated, changed, resolved]);
    assert_eq!(bench.news("robot"), [News::Opened, News::Escalated, resolved]);
    bench.get(310.0, error("s", 310.0, &[(6, 3)]));
    assert_eq!(bench.news("chat"), [News::Reopened]);
    assert_eq!(bench.news("robot"), [News::Reopened]);
}

#[test]
fn a_second_trouble_that_is_worse_than_what_people_know_is_an_escalation() {
    let worse = Rule { plan: Plan::Levels(vec![(1, Severity::Critical)]), ..rule("bad", &[1]) };
    let mut bench = Bench::rules(vec![rule("gop", &[16]), worse]);
    bench.get(0.0, gop(0.0)).get(1.0, error("s", 1.0, &[(1, 1)]));
    assert_eq!(bench.news("robot"), [News::Opened, News::Escalated]);
}

#[test]
fn a_reminder_and_what_a_mute_let_go_say_so() {
    let mut bench = Bench::rules(vec![stream_down()]);
    bench.get(0.0, begin("s", 0.0)).get(10.0, end("s", 10.0)).until(5000.0);
    assert_eq!(bench.news("robot"), [News::Opened, News::Repeated]);
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    bench.put(0.0, mute(50.0)).get(10.0, gop(10.0)).until(60.0);
    assert_eq!(bench.news("robot"), [News::Released]);
}

#[test]
fn what_a_person_does_about_it_is_shown_for_a_reason_of_its_own() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    bench.get(0.0, gop(0.0));
    let incident = bench.engine.incidents.values().next().unwrap().id;
    assert_eq!(bench.news("chat"), [News::Opened]);
    bench.put(1.0, Input::Acknowledged { incident, by: "U1".into() });
    assert_eq!(bench.news("chat"), [News::Answered]);
    bench.put(2.0, mute(50.0)).until(3.0);
    assert_eq!(bench.news("chat"), [News::Answered]);
    bench.put(4.0, Input::Unmuted { id: MuteId(1) }).until(5.0);
    assert_eq!((bench.news("chat"), bench.news("robot")), (vec![News::Answered], vec![News::Opened]));
}
