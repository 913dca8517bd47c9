//! What must last, what must not fall silent, and when rules may speak at all.

use super::*;

fn lasting() -> Rule {
    Rule { lasting: Some(secs(20)), ..rule("gop", &[16]) }
}

fn gop(time: f64) -> Event {
    error("s", time, &[(16, 1)])
}

#[test]
fn for_fires_on_a_matching_report_at_least_that_much_later_never_on_a_timer() {
    let mut bench = Bench::rules(vec![lasting()]);
    bench.get(0.0, gop(0.0)).get(5.0, gop(5.0)).get(10.0, gop(10.0)).get(15.0, gop(15.0)).until(19.0);
    assert_eq!((bench.said(), bench.engine.counts()), (said(&[]), (1, 0)));
    bench.get(20.0, gop(20.0));
    assert_eq!((bench.said(), bench.engine.counts()), (said(&[(20.0, Opened, "gop")]), (0, 1)));
    let incident = bench.engine.incidents.values().next().unwrap();
    assert_eq!((incident.since, incident.count, incident.reports), (at(0.0), 5, 5));
    bench.until(200.0);
    assert_eq!(bench.said(), said(&[(110.0, Resolved(Cause::Quiet), "gop")]));
}

#[test]
fn for_lapses_after_a_gap_of_three_report_intervals() {
    let mut bench = Bench::rules(vec![lasting()]);
    bench.get(0.0, gop(0.0)).get(14.9, gop(14.9)).get(30.0, gop(30.0)).get(44.0, gop(44.0));
    assert_eq!(bench.said(), said(&[]), "30.0 came 15.1 s after the one before: it began anew");
    bench.get(50.0, gop(50.0));
    assert_eq!(bench.said(), said(&[(50.0, Opened, "gop")]));
    assert_eq!(bench.engine.incidents.len(), 1, "what lapsed is not kept in memory");
}

#[test]
fn a_late_report_does_not_help_what_has_to_last() {
    let mut bench = Bench::rules(vec![lasting()]);
    bench.get(0.0, gop(0.0)).get(14.0, gop(-5.0)).until(15.0);
    assert_eq!(bench.engine.counts(), (0, 0));
    bench.get(21.0, gop(21.0));
    assert_eq!(bench.said(), said(&[]));
}

fn quiet_relay() -> Rule {
    Rule { on: EventKind::Relay, silence: Some(secs(300)), ..rule("relay_silent", &[]) }
}

fn relay(time: f64) -> Event {
    event(EventKind::Relay, "s", time)
}

#[test]
fn silence_after_steady_callbacks_fires_and_the_next_one_resolves_it() {
    let mut bench = Bench::rules(vec![quiet_relay()]);
    for n in 0..4 {
        bench.get(f64::from(n) * 60.0, relay(f64::from(n) * 60.0));
    }
    bench.until(479.0);
    assert_eq!(bench.said(), said(&[]));
    bench.until(1000.0);
    assert_eq!(bench.said(), said(&[(480.0, Opened, "relay_silent")]));
    let incident = bench.engine.incidents.values().next().unwrap();
    assert_eq!((incident.silence, incident.since), (Some(300_000), at(180.0)));
    bench.get(1000.0, relay(1000.0));
    assert_eq!(bench.said(), said(&[(1000.0, Resolved(Cause::Heard), "relay_silent")]));
    bench.until(1299.0);
    assert_eq!(bench.said(), said(&[]));
    bench.until(1301.0);
    assert_eq!(bench.said(), said(&[(1300.0, Reopened, "relay_silent")]), "it listens on");
}

#[test]
fn what_comes_once_or_twice_promises_nothing() {
    let mut bench = Bench::rules(vec![quiet_relay()]);
    bench.get(0.0, relay(0.0)).get(60.0, relay(60.0)).until(5000.0);
    assert_eq!(bench.said(), said(&[]));
    bench.get(5000.0, relay(5000.0)).get(5400.0, relay(5400.0)).get(5800.0, relay(5800.0)).until(9000.0);
    assert_eq!(bench.said(), said(&[]), "each after a gap: not steady");
    assert!(!bench.engine.is_waiting());
}

#[test]
fn silence_nobody_breaks_is_closed_after_a_day_as_no_word() {
    let mut bench = Bench::rules(vec![Rule { repeat_interval: secs(1_000_000), ..quiet_relay() }]);
    bench.get(0.0, relay(0.0)).get(1.0, relay(1.0)).get(2.0, relay(2.0)).until(200_000.0);
    assert_eq!(
        bench.said(),
        said(&[(302.0, Opened, "relay_silent"), (86_702.0, Resolved(Cause::NoWord), "relay_silent")])
    );
    assert!(!bench.engine.is_waiting());
}

#[test]
fn silence_while_nobody_listened_is_none() {
    let mut bench = Bench::rules(vec![quiet_relay()]);
    bench.get(0.0, relay(0.0)).get(1.0, relay(1.0)).get(2.0, relay(2.0));
    bench.put(5000.0, Input::Resumed { from: at(100.0), to: at(5000.0) }).until(5201.0);
    assert_eq!(bench.said(), said(&[]));
    bench.until(5300.0);
    assert_eq!(bench.said(), said(&[(5202.0, Opened, "relay_silent")]));
}

#[test]
fn a_whole_domain_that_goes_quiet_is_one_trouble() {
    let quiet = Rule { on: EventKind::PushError, per: Scope::Domain, ..quiet_relay() };
    let mut bench = Bench::rules(vec![quiet]);
    for n in 0..20 {
        let stream = StreamName::new("push.example.com", "live", &format!("cam{n}"));
        bench.get(f64::from(n), Event { stream, ..gop(f64::from(n)) });
    }
    bench.until(400.0);
    assert_eq!(bench.said(), said(&[(319.0, Opened, "relay_silent")]));
}
