//! The engine by its words: one test a sentence of what the words mean.

use std::num::NonZeroU32;

use jiff::tz::TimeZone;
use secrecy::SecretString;

use crate::model::{
    Abnormal, AbnormalType, About, Allow, Catalogue, Cause, Channel, ChannelName, Detail, Door, Event, EventId,
    EventKind, Labels, Language, News, Notice, Reason, Scope, Severity, StreamName, Target,
};
use crate::rules::{GroupBy, Measure, Plan, RateLimit, Rule};

use super::*;

mod keeping;
mod living;
mod muting;
mod news;
mod property;
mod quiet;
mod scopes;
mod waiting;

const T0: i64 = 1_700_000_000_000;

fn at(secs: f64) -> Timestamp {
    Timestamp(T0 + (secs * 1000.0) as i64)
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn channel(name: &str, target: Target) -> (ChannelName, Arc<Channel>) {
    let name = ChannelName::new(name);
    let channel = Channel {
        name: name.clone(),
        target,
        language: Language::En,
        min_severity: Severity::Info,
        fallback: None,
        timezone: TimeZone::UTC,
        allow: Allow::Nobody,
    };
    (name, Arc::new(channel))
}

fn telegram() -> Target {
    let token = SecretString::from("123456:TEST");
    Target::Telegram { token, chat_id: -100, thread_id: None, api_url: "http://127.0.0.1:9".into(), webhook: None }
}

/// Two channels: `chat` can edit, `robot` can't.
fn rule_set(rules: Vec<Rule>) -> RuleSet {
    RuleSet {
        hash: "test".into(),
        rules,
        channels: [channel("chat", telegram()), channel("robot", Target::Console)].into(),
        door: Door::default(),
        catalogue: Arc::new(Catalogue::default()),
        rate_limit: None,
        timezone: TimeZone::UTC,
        notify: vec![ChannelName::new("chat")],
        routes: Vec::new(),
        mutes: Vec::new(),
    }
}

fn rule(name: &str, types: &[u32]) -> Rule {
    Rule {
        name: name.into(),
        on: EventKind::PushError,
        silence: None,
        types: types.iter().map(|n| AbnormalType(*n)).collect(),
        conditions: Vec::new(),
        per: Scope::Stream,
        measure: Measure::Count,
        within: None,
        plan: Plan::Levels(vec![(1, Severity::Warning)]),
        lasting: None,
        grace: None,
        resolve_after: secs(90),
        reopen_within: secs(600),
        repeat_interval: secs(3600),
        rate_limit: None,
        notify: Some(vec![ChannelName::new("chat"), ChannelName::new("robot")]),
        labels: Labels::default(),
        annotations: Labels::default(),
        group_by: GroupBy::Stream,
        inhibits: Vec::new(),
        active: Vec::new(),
    }
}

fn late_frames() -> Rule {
    Rule {
        within: Some(secs(60)),
        plan: Plan::Levels(vec![(3, Severity::Warning), (10, Severity::Critical)]),
        ..rule("late", &[6, 7])
    }
}

fn stream_down() -> Rule {
    Rule { on: EventKind::PushEnd, grace: Some(secs(90)), ..rule("down", &[]) }
}

fn event(kind: EventKind, session: &str, time: f64) -> Event {
    Event {
        id: EventId([0; 16]),
        kind,
        stream: StreamName::new("push.example.com", "live", "cam1"),
        session: Some(session.into()),
        appid: None,
        user_ip: None,
        node: None,
        happened_at: Some(at(time)),
        report_interval: Some(5000),
        errcode: None,
        errmsg: None,
        push_duration: None,
        abnormal: Vec::new(),
        unreadable: None,
    }
}

fn error(session: &str, time: f64, types: &[(u32, u32)]) -> Event {
    let abnormal = |(kind, count): &(u32, u32)| Abnormal {
        kind: AbnormalType(*kind),
        count: *count,
        details: vec![Detail { at: None, value: Some(3046.0) }],
        text: None,
    };
    Event { abnormal: types.iter().map(abnormal).collect(), ..event(EventKind::PushError, session, time) }
}

fn begin(session: &str, time: f64) -> Event {
    event(EventKind::PushBegin, session, time)
}

fn end(session: &str, time: f64) -> Event {
    Event { errcode: Some(3), ..event(EventKind::PushEnd, session, time) }
}

/// An engine under test with its own journal.
struct Bench {
    engine: Engine,
    seq: u64,
    said: Vec<(f64, Transition, String)>,
    told: Vec<(f64, String, Reason)>,
    news: Vec<(String, News)>,
    notices: Vec<(f64, String, Notice)>,
}

impl Bench {
    fn new(set: RuleSet) -> Bench {
        let engine = Engine::new(Arc::new(set));
        Bench { engine, seq: 0, said: Vec::new(), told: Vec::new(), news: Vec::new(), notices: Vec::new() }
    }

    fn rules(rules: Vec<Rule>) -> Bench {
        Bench::new(rule_set(rules))
    }

    /// Receives an event this many seconds in.
    fn get(&mut self, received: f64, event: Event) -> &mut Bench {
        self.put(received, Input::Callback(Box::new(event)))
    }

    fn put(&mut self, received: f64, input: Input) -> &mut Bench {
        self.seq += 1;
        self.engine.step(&Entry { seq: Seq(self.seq), received_at: at(received), input });
        self.note();
        self
    }

    fn until(&mut self, time: f64) -> &mut Bench {
        self.engine.advance(at(time));
        self.note();
        self
    }

    fn note(&mut self) {
        let secs = |at: Timestamp| (at.0 - T0) as f64 / 1000.0;
        for effect in self.engine.take_effects() {
            self.said.push((secs(effect.at), effect.is, effect.rule.to_string()));
        }
        for row in self.engine.take_changes().outbox {
            if let About::Notice(notice) = row.about {
                self.notices.push((secs(row.at), row.channel.to_string(), *notice));
                continue;
            }
            self.news.push((row.channel.to_string(), row.news));
            self.told.push((secs(row.at), row.channel.to_string(), row.reason));
        }
    }

    /// What was decided since the last look.
    fn said(&mut self) -> Vec<(f64, Transition, String)> {
        std::mem::take(&mut self.said)
    }

    /// Why a channel was owed what it was owed since the last look.
    fn news(&mut self, channel: &str) -> Vec<News> {
        self.news.extract_if(.., |(name, _)| name == channel).map(|(_, news)| news).collect()
    }

    /// What pushwatch had to say about itself since the last look.
    fn notices(&mut self) -> Vec<(f64, String, Notice)> {
        std::mem::take(&mut self.notices)
    }

    /// What was owed to a channel since the last look.
    fn told(&mut self, channel: &str) -> Vec<(f64, Reason)> {
        let (mine, others) = std::mem::take(&mut self.told).into_iter().partition(|(_, name, _)| name == channel);
        self.told = others;
        let mine: Vec<(f64, String, Reason)> = mine;
        mine.into_iter().map(|(at, _, reason)| (at, reason)).collect()
    }
}

fn said(list: &[(f64, Transition, &str)]) -> Vec<(f64, Transition, String)> {
    list.iter().map(|(at, is, rule)| (*at, *is, (*rule).to_owned())).collect()
}

use Transition::*;

#[test]
fn without_a_threshold_one_matching_report_is_enough_and_silence_resolves_it() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    bench.get(1.0, error("s", 0.0, &[(16, 1)])).get(6.0, error("s", 5.0, &[(16, 1)])).until(200.0);
    assert_eq!(bench.said(), said(&[(1.0, Opened, "gop"), (96.0, Resolved(Cause::Quiet), "gop")]));
    assert_eq!(bench.told("chat"), [(1.0, Reason::Post), (96.0, Reason::Edit)]);
    assert_eq!(bench.told("robot"), [(1.0, Reason::Post), (96.0, Reason::Post)]);
}

#[test]
fn a_rule_hears_only_its_types() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    bench.get(1.0, error("s", 0.0, &[(6, 9)])).until(500.0);
    assert_eq!(bench.said(), said(&[]));
}

#[test]
fn count_adds_each_matching_entrys_count_over_the_window_and_rises_through_the_severity_map() {
    let mut bench = Bench::rules(vec![late_frames()]);
    bench.get(0.0, error("s", 0.0, &[(6, 1), (7, 1)]));
    assert_eq!(bench.said(), said(&[]));
    bench.get(5.0, error("s", 5.0, &[(6, 1)]));
    assert_eq!(bench.said(), said(&[(5.0, Opened, "late")]));
    bench.get(10.0, error("s", 10.0, &[(6, 7)]));
    assert_eq!(bench.said(), said(&[(10.0, Escalated, "late")]));
    assert_eq!(bench.told("chat"), [(5.0, Reason::Post), (10.0, Reason::Reply)]);
    assert_eq!(bench.told("robot"), [(5.0, Reason::Post), (10.0, Reason::Post)]);
    let incident = bench.engine.incidents.values().next().unwrap();
    assert_eq!((incident.count, incident.reports, incident.since), (10, 3, at(0.0)));
}

#[test]
fn severity_never_falls_while_firing() {
    let mut bench = Bench::rules(vec![late_frames()]);
    bench.get(0.0, error("s", 0.0, &[(6, 10)])).get(70.0, error("s", 70.0, &[(6, 4)]));
    assert_eq!(bench.engine.incidents.values().next().unwrap().severity, Severity::Critical);
}

#[test]
fn resolve_after_runs_from_the_last_report_at_which_the_lowest_level_was_met() {
    let mut bench = Bench::rules(vec![late_frames()]);
    bench.get(0.0, error("s", 0.0, &[(6, 3)])).get(70.0, error("s", 70.0, &[(6, 1)])).until(200.0);
    assert_eq!(bench.said(), said(&[(0.0, Opened, "late"), (90.0, Resolved(Cause::Quiet), "late")]));
}

#[test]
fn a_late_report_counts_but_neither_opens_nor_prolongs() {
    let mut bench = Bench::rules(vec![late_frames()]);
    bench.get(30.0, error("s", 30.0, &[(6, 2)])).get(31.0, error("s", 20.0, &[(6, 5)]));
    assert_eq!(bench.said(), said(&[]), "the sum is 7, but the report that made it so is old");
    bench.get(32.0, error("s", 32.0, &[(6, 1)]));
    assert_eq!(bench.said(), said(&[(32.0, Opened, "late")]));
    bench.get(100.0, error("s", 31.0, &[(6, 1)])).until(300.0);
    assert_eq!(bench.said(), said(&[(122.0, Resolved(Cause::Quiet), "late")]));
}

#[test]
fn a_late_retry_does_not_reopen_what_is_over() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    bench.get(10.0, error("s", 10.0, &[(16, 1)])).until(150.0).said();
    bench.get(160.0, error("s", 5.0, &[(16, 1)]));
    assert_eq!(bench.said(), said(&[]));
}

#[test]
fn coming_back_within_reopen_within_is_the_same_incident_and_a_flap() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    bench.get(0.0, error("s", 0.0, &[(16, 1)])).until(100.0);
    bench.get(200.0, error("s", 200.0, &[(16, 1)])).until(300.0);
    assert_eq!(
        bench.said(),
        said(&[
            (0.0, Opened, "gop"),
            (90.0, Resolved(Cause::Quiet), "gop"),
            (200.0, Reopened, "gop"),
            (290.0, Resolved(Cause::Quiet), "gop"),
        ])
    );
    let incident = bench.engine.incidents.values().next().unwrap();
    assert_eq!((bench.engine.incidents.len(), incident.flaps, incident.count), (1, 1, 2));
    let told = [(0.0, Reason::Post), (90.0, Reason::Edit), (200.0, Reason::Reply), (290.0, Reason::Edit)];
    assert_eq!(bench.told("chat"), told, "one living message; people are notified again");
    bench.get(2000.0, error("s", 2000.0, &[(16, 1)]));
    assert_eq!(bench.said(), said(&[(2000.0, Opened, "gop")]));
    assert_eq!(bench.told("chat"), [(2000.0, Reason::Post)]);
}

#[test]
fn a_session_that_has_ended_opens_nothing() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    bench.get(0.0, begin("s", 0.0)).get(10.0, end("s", 10.0)).get(11.0, error("s", 9.0, &[(16, 1)]));
    assert_eq!(bench.said(), said(&[]));
    bench.get(12.0, error("t", 12.0, &[(16, 1)]));
    assert_eq!(bench.said(), said(&[(12.0, Opened, "gop")]));
}

#[test]
fn the_end_of_the_push_ends_its_troubles_but_does_not_call_it_well() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    bench.get(0.0, error("s", 0.0, &[(16, 1)])).get(10.0, end("s", 10.0));
    assert_eq!(bench.said(), said(&[(0.0, Opened, "gop"), (10.0, Resolved(Cause::Ended), "gop")]));
    assert_eq!(bench.told("robot"), [(0.0, Reason::Post), (10.0, Reason::Post)]);
}

#[test]
fn push_end_opens_after_the_grace_and_a_begin_resolves_it() {
    let mut bench = Bench::rules(vec![stream_down()]);
    bench.get(0.0, begin("s", 0.0)).get(10.0, end("s", 10.0)).until(99.0);
    assert_eq!(bench.said(), said(&[]));
    bench.until(101.0);
    assert_eq!(bench.said(), said(&[(100.0, Opened, "down")]));
    bench.until(5000.0);
    assert_eq!(bench.said(), said(&[(3700.0, Repeated, "down")]), "silence does not resolve a state");
    bench.get(5000.0, begin("t", 5000.0));
    assert_eq!(bench.said(), said(&[(5000.0, Resolved(Cause::Reconnected), "down")]));
}

#[test]
fn grace_is_cancelled_by_a_begin_or_a_report_of_another_session() {
    for back in [begin("t", 50.0), error("t", 50.0, &[(6, 1)])] {
        let mut bench = Bench::rules(vec![stream_down()]);
        bench.get(0.0, begin("s", 0.0)).get(10.0, end("s", 10.0)).get(50.0, back).until(500.0);
        assert_eq!(bench.said(), said(&[]));
        assert!(bench.engine.incidents.len() == 0, "what only waited is not kept in memory");
    }
    let mut bench = Bench::rules(vec![stream_down()]);
    bench.get(0.0, begin("s", 0.0)).get(10.0, end("s", 10.0)).get(11.0, error("s", 9.0, &[(6, 1)])).until(500.0);
    assert_eq!(bench.said(), said(&[(100.0, Opened, "down")]), "its own late report is no reconnect");
}

#[test]
fn the_message_of_a_sick_push_that_is_cut_stays_open_for_the_grace_and_goes_on_with_the_cut() {
    let down = Rule { plan: Plan::Levels(vec![(1, Severity::Critical)]), ..stream_down() };
    let cut = || {
        let mut bench = Bench::rules(vec![rule("gop", &[16]), down.clone()]);
        bench.get(0.0, begin("s", 0.0)).get(2.0, error("s", 2.0, &[(16, 1)])).get(10.0, end("s", 10.0)).until(40.0);
        assert_eq!(bench.told("chat"), [(2.0, Reason::Post), (10.0, Reason::Edit)]);
        assert_eq!(bench.told("robot"), [(2.0, Reason::Post)], "no all-clear before the alarm");
        bench
    };
    let mut bench = cut();
    bench.until(101.0);
    assert_eq!((bench.told("chat"), bench.told("robot")), (vec![(100.0, Reason::Reply)], vec![(100.0, Reason::Post)]));
    let mut bench = cut();
    bench.get(50.0, begin("t", 50.0)).until(500.0);
    assert_eq!((bench.told("chat"), bench.told("robot")), (vec![(50.0, Reason::Edit)], vec![(50.0, Reason::Post)]));
}

#[test]
fn push_end_opens_nothing_while_another_session_is_live() {
    let mut bench = Bench::rules(vec![stream_down(), rule("gop", &[16])]);
    bench.get(0.0, begin("main", 0.0)).get(1.0, begin("backup", 1.0));
    bench.get(2.0, error("main", 2.0, &[(16, 1)])).get(10.0, end("main", 10.0)).until(80.0);
    assert_eq!(bench.said(), said(&[(2.0, Opened, "gop")]), "neither opened nor resolved");
    bench.get(81.0, end("backup", 81.0)).until(171.0);
    assert_eq!(bench.said(), said(&[(81.0, Resolved(Cause::Ended), "gop"), (171.0, Opened, "down")]));
}

#[test]
fn a_state_without_a_word_for_a_day_is_closed_as_such() {
    let mut bench = Bench::rules(vec![Rule { repeat_interval: secs(1_000_000), ..stream_down() }]);
    bench.get(10.0, end("s", 10.0)).until(100.0 + 86_400.0);
    assert_eq!(bench.said(), said(&[(100.0, Opened, "down"), (86_500.0, Resolved(Cause::NoWord), "down")]));
}

#[test]
fn incidents_of_one_stream_share_a_message_and_only_a_worse_one_notifies_again() {
    let critical = Rule { plan: Plan::Levels(vec![(1, Severity::Critical)]), ..rule("codec", &[8]) };
    let mut bench = Bench::rules(vec![rule("gop", &[16]), rule("fps", &[15]), critical]);
    bench.get(0.0, error("s", 0.0, &[(16, 1)])).get(5.0, error("s", 5.0, &[(15, 1)]));
    assert_eq!(bench.told("chat"), [(0.0, Reason::Post), (5.0, Reason::Edit)]);
    assert_eq!(bench.told("robot"), [(0.0, Reason::Post)]);
    bench.get(10.0, error("s", 10.0, &[(8, 1)]));
    assert_eq!(bench.told("chat"), [(10.0, Reason::Reply)]);
    assert_eq!(bench.told("robot"), [(10.0, Reason::Post)]);
    bench.until(300.0);
    let edits = [(90.0, Reason::Edit), (95.0, Reason::Edit), (100.0, Reason::Reply)];
    assert_eq!(bench.told("chat"), edits, "a critical one is well again: a quiet word besides the edit");
    assert_eq!(bench.told("robot"), [(100.0, Reason::Post)], "closed once");
    assert_eq!(bench.engine.groups.len(), 1);
}

#[test]
fn a_trouble_that_comes_back_while_another_message_is_open_does_not_empty_its_own() {
    let mut bench = Bench::rules(vec![rule("gop", &[16]), rule("fps", &[15])]);
    bench.get(0.0, error("s", 0.0, &[(16, 1)])).until(95.0);
    bench.get(100.0, error("s", 100.0, &[(15, 1)])).get(110.0, error("s", 110.0, &[(16, 1)])).said();
    let groups: Vec<Vec<IncidentId>> = bench.engine.groups.values().map(|m| m.incidents.to_vec()).collect();
    assert!(groups.contains(&vec![IncidentId(1)]), "the closed message keeps what it tells: {groups:?}");
    assert!(groups.contains(&vec![IncidentId(2), IncidentId(3)]), "{groups:?}");
}

#[test]
fn a_channel_taken_out_of_the_rules_is_owed_nothing_more() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    bench.get(0.0, error("s", 0.0, &[(16, 1)]));
    let incidents = bench.engine.incidents.values().cloned().collect();
    let groups = bench.engine.groups.values().map(|m| m.group.clone()).collect();
    let mut set = rule_set(vec![rule("gop", &[16])]);
    set.channels.remove(&ChannelName::new("robot"));
    let mut after = Bench::new(set);
    let state = crate::model::EngineState { incidents, groups, keyed: Vec::new() };
    after.engine.load(state, Cursor { seq: Seq(1), at: at(0.0) }).unwrap();
    after.engine.loaded();
    after.until(500.0);
    assert_eq!((after.told("chat"), after.told("robot")), (vec![(90.0, Reason::Edit)], vec![]));
}

#[test]
fn people_are_reminded_every_repeat_interval_while_it_fires() {
    let mut bench = Bench::rules(vec![Rule { repeat_interval: secs(60), ..rule("gop", &[16]) }]);
    for n in 0..30 {
        let time = f64::from(n) * 5.0;
        bench.get(time, error("s", time, &[(16, 1)]));
    }
    assert_eq!(bench.told("robot"), [(0.0, Reason::Post), (60.0, Reason::Post), (120.0, Reason::Post)]);
    let chat = bench.told("chat");
    let notified: Vec<_> = chat.iter().copied().filter(|(_, reason)| *reason != Reason::Edit).collect();
    assert_eq!(notified, [(0.0, Reason::Post), (60.0, Reason::Reply), (120.0, Reason::Reply)]);
}

fn limited(rules: Vec<Rule>, burst: u32, every: u64) -> Bench {
    let limit = RateLimit { burst: NonZeroU32::new(burst).unwrap(), every: secs(every) };
    Bench::new(RuleSet { rate_limit: Some(limit), ..rule_set(rules) })
}

#[test]
fn what_the_rate_limit_holds_back_is_told_when_a_token_frees_if_it_still_fires() {
    let mut bench = limited(vec![Rule { reopen_within: secs(0), ..rule("gop", &[16]) }], 1, 300);
    bench.get(0.0, error("s", 0.0, &[(16, 1)])).until(100.0).told("chat");
    bench.get(200.0, error("s", 200.0, &[(16, 1)])).get(280.0, error("s", 280.0, &[(16, 1)]));
    assert_eq!(bench.told("chat"), []);
    bench.until(301.0);
    assert_eq!(bench.told("chat"), [(300.0, Reason::Post)]);
    let effects = bench.said();
    assert!(effects.contains(&(200.0, Suppressed, "gop".into())) && effects.contains(&(300.0, Released, "gop".into())));
}

#[test]
fn what_is_over_before_its_token_frees_is_told_in_one_line() {
    let mut bench = limited(vec![Rule { reopen_within: secs(0), ..rule("gop", &[16]) }], 1, 600);
    bench.get(0.0, error("s", 0.0, &[(16, 1)])).until(95.0);
    bench.told("robot");
    for n in 0..3 {
        let time = 100.0 + f64::from(n) * 120.0;
        bench.get(time, error("s", time, &[(16, 1)])).until(time + 100.0);
    }
    assert_eq!(bench.told("robot"), []);
    bench.until(700.0);
    assert_eq!(bench.told("robot"), [(600.0, Reason::Post)]);
    bench.until(5000.0);
    assert_eq!(bench.told("robot"), []);
    assert_eq!(bench.engine.groups.len() + bench.engine.incidents.len(), 0, "and all of it is forgotten in time");
}

#[test]
fn growing_worse_takes_no_token_and_frees_what_was_held() {
    let mut bench = limited(vec![Rule { reopen_within: secs(0), ..late_frames() }], 1, 6000);
    bench.get(0.0, error("s", 0.0, &[(6, 3)])).until(100.0).told("robot");
    bench.get(200.0, error("s", 200.0, &[(6, 3)]));
    assert_eq!(bench.told("robot"), []);
    bench.get(210.0, error("s", 210.0, &[(6, 9)]));
    assert_eq!(bench.told("robot"), [(210.0, Reason::Post)]);
}

#[test]
fn min_severity_decides_who_hears_and_a_rise_lets_more_hear() {
    let mut set = rule_set(vec![late_frames()]);
    let quiet = Channel { min_severity: Severity::Critical, ..(*set.channels[&ChannelName::new("robot")]).clone() };
    set.channels.insert(ChannelName::new("robot"), Arc::new(quiet));
    let mut bench = Bench::new(set);
    bench.get(0.0, error("s", 0.0, &[(6, 3)]));
    assert_eq!((bench.told("chat"), bench.told("robot")), (vec![(0.0, Reason::Post)], vec![]));
    bench.get(5.0, error("s", 5.0, &[(6, 9)]));
    assert_eq!((bench.told("chat"), bench.told("robot")), (vec![(5.0, Reason::Reply)], vec![(5.0, Reason::Post)]));
}

#[test]
fn being_deaf_is_no_sign_of_health() {
    let mut bench = Bench::rules(vec![rule("gop", &[16]), stream_down()]);
    bench.get(0.0, error("s", 0.0, &[(16, 1)]));
    let gap = Input::Resumed { from: at(10.0), to: at(500.0) };
    bench.put(500.0, gap).until(579.0);
    assert_eq!(bench.said(), said(&[(0.0, Opened, "gop")]));
    bench.until(581.0);
    assert_eq!(bench.said(), said(&[(580.0, Resolved(Cause::Quiet), "gop")]));
}

#[test]
fn how_often_it_is_ticked_changes_nothing() {
    let run = |ticks: &[f64]| {
        let mut bench = limited(vec![rule("gop", &[16]), late_frames(), stream_down()], 2, 300);
        let mut ticks = ticks.iter().peekable();
        for n in 0..200 {
            let time = f64::from(n) * 7.0;
            while let Some(tick) = ticks.next_if(|tick| **tick <= time) {
                bench.until(*tick);
            }
            let event = match n % 23 {
                0 => begin(&n.to_string(), time),
                11 => end(&(n - 11).to_string(), time),
                k if k < 6 => error(&(n - k).to_string(), time, &[(16, 1), (6, 2)]),
                _ => continue,
            };
            bench.get(time, event);
        }
        bench.until(10_000.0);
        (bench.said, bench.told)
    };
    let every_second: Vec<f64> = (0..1400).map(f64::from).collect();
    assert_eq!(run(&[]), run(&every_second));
    assert!(run(&[]).0.len() > 20);
}

#[test]
fn a_removed_rule_resolves_its_incidents_with_the_reason_said() {
    let mut bench = Bench::rules(vec![rule("gop", &[16])]);
    bench.get(0.0, error("s", 0.0, &[(16, 1)]));
    let incident = bench.engine.incidents.values().next().unwrap().clone();
    let groups = bench.engine.groups.values().map(|m| m.group.clone()).collect();
    let mut other = Bench::rules(vec![rule("fps", &[15])]);
    let state = crate::model::EngineState { incidents: vec![incident], groups, keyed: Vec::new() };
    other.engine.load(state, Cursor { seq: Seq(1), at: at(0.0) }).unwrap();
    other.engine.loaded();
    other.seq = 1;
    other.put(1.0, Input::RulesLoaded { hash: "new".into() });
    assert_eq!(other.said(), said(&[(1.0, Resolved(Cause::RuleRemoved), "gop")]));
}

#[test]
fn idle_streams_give_their_memory_back() {
    let mut bench = limited(vec![rule("gop", &[16]), late_frames()], 3, 60);
    for n in 0..500 {
        let stream = StreamName::new("d", "p", &n.to_string());
        bench.get(0.0, Event { stream, ..error("s", 0.0, &[(6, 1)]) });
    }
    assert_eq!(bench.engine.keys(), 500);
    for n in 0..100 {
        let time = 90_000.0 + f64::from(n) * 600.0;
        bench.get(time, event(EventKind::Record, "s", time));
    }
    assert!(bench.engine.keys() <= 1, "{}", bench.engine.keys());
}
