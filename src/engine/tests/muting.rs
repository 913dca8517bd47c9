//! The end of a mute: announced when it is near, and told with what the mute kept from people.

use super::property::{Disk, reopen};
use super::quiet::{STREAM, gop, mute, of, sick};
use super::*;
use crate::model::{Missed, Mute, MuteId, State};
use crate::rules::interval::{Parts, parse_times};
use crate::rules::{Matchers, StandingMute, TimeInterval};

const HOUR: f64 = 3600.0;

/// Everything of everybody.
const ALL: &str = "rule!=\"\"";

fn in_channel(input: Input, channel: &str) -> Input {
    let Input::Muted(mute) = input else { return input };
    Input::Muted(Box::new(Mute { within: Some(ChannelName::new(channel)), ..*mute }))
}

/// When a mute's end was announced, where, and how much fired under it.
fn announced(bench: &mut Bench) -> Vec<(f64, String, u64)> {
    let ends = |(at, channel, notice)| match notice {
        Notice::MuteEnds { firing, .. } => (at, channel, firing),
        other => panic!("{other:?}"),
    };
    bench.notices().into_iter().map(ends).collect()
}

/// What mutes that are over kept back: when and where it was told, and (over, still firing, named).
fn missed(bench: &mut Bench) -> Vec<(f64, String, (u64, u64, usize))> {
    let over = |(at, channel, notice)| match notice {
        Notice::MuteOver(missed) => {
            let Missed { over, firing, worst, .. } = *missed;
            (at, channel, (over, firing, worst.len()))
        }
        other => panic!("{other:?}"),
    };
    bench.notices().into_iter().map(over).collect()
}

fn at_(time: f64, channel: &str, numbers: (u64, u64, usize)) -> (f64, String, (u64, u64, usize)) {
    (time, channel.to_owned(), numbers)
}

fn bench() -> Bench {
    Bench::rules(vec![rule("gop", &[16])])
}

fn lift(id: u64) -> Input {
    Input::Unmuted { id: MuteId(id) }
}

#[test]
fn the_end_of_a_long_mute_is_announced_ten_minutes_before_where_it_was_set() {
    let mut bench = bench();
    bench.put(0.0, in_channel(mute(1, ALL, 3.0 * HOUR), "robot"));
    bench.put(0.0, mute(2, STREAM, 2.0 * HOUR)).until(1.5 * HOUR);
    assert_eq!(announced(&mut bench), []);
    sick(&mut bench, 9_900, 10_300);
    assert_eq!(announced(&mut bench), [(3.0 * HOUR - 600.0, "robot".to_owned(), 1)], "not that of one of two hours");
    bench.until(5.0 * HOUR);
    let told = missed(&mut bench);
    assert_eq!(told.len(), 2, "and then only what it kept back: {told:?}");
}

#[test]
fn one_set_at_the_operators_door_is_announced_where_it_is_felt_and_else_where_pushwatch_speaks_of_itself() {
    let mut bench = bench();
    bench.put(0.0, mute(1, STREAM, 3.0 * HOUR)).until(3.0 * HOUR - 1.0);
    assert_eq!(announced(&mut bench), [(3.0 * HOUR - 600.0, "chat".to_owned(), 0)], "nothing fires: defaults.notify");
    let mut bench = self::bench();
    bench.put(0.0, mute(1, STREAM, 3.0 * HOUR));
    sick(&mut bench, 9_000, 10_300);
    let told = ["chat", "robot"].map(|channel| (3.0 * HOUR - 600.0, channel.to_owned(), 1));
    assert_eq!(announced(&mut bench), told);
    // Where the channel is gone, as if it had been set at the door.
    let mut bench = self::bench();
    bench.put(0.0, in_channel(mute(1, STREAM, 3.0 * HOUR), "gone")).until(3.0 * HOUR);
    assert_eq!(announced(&mut bench), [(3.0 * HOUR - 600.0, "chat".to_owned(), 0)]);
}

#[test]
fn a_mute_made_longer_is_announced_at_its_new_end_and_one_lifted_is_not() {
    let mut bench = bench();
    bench.put(0.0, mute(1, STREAM, 3.0 * HOUR)).until(10_300.0);
    assert_eq!(announced(&mut bench).len(), 1);
    let longer = |now: f64, until: f64| {
        let Input::Muted(set) = mute(1, STREAM, until) else { panic!() };
        Input::Muted(Box::new(Mute { set_at: at(now), ..*set }))
    };
    bench.put(10_300.0, longer(10_300.0, 10_300.0 + HOUR)).until(10_300.0 + HOUR);
    assert_eq!(announced(&mut bench), [(10_300.0 + HOUR - 600.0, "chat".to_owned(), 0)], "two hours in all are long");
    let mut bench = self::bench();
    bench.put(0.0, mute(1, STREAM, 3.0 * HOUR)).put(10_700.0, longer(10_700.0, 10_700.0 + 300.0)).until(5.0 * HOUR);
    assert_eq!(announced(&mut bench).len(), 1, "whoever asks for five minutes more needs no telling");
    let mut bench = self::bench();
    bench.put(0.0, mute(1, STREAM, 3.0 * HOUR)).put(9_000.0, lift(1)).until(5.0 * HOUR);
    assert_eq!(announced(&mut bench), []);
}

#[test]
fn the_announcement_goes_by_the_wall_clock_across_its_steps() {
    let ahead = |seconds: i64| Input::ClockSet { ahead: seconds * 1000 };
    let mut bench = bench();
    bench.put(0.0, mute(1, STREAM, 3.0 * HOUR)).put(60.0, ahead(3_600)).until(3.0 * HOUR);
    assert_eq!(announced(&mut bench), [(2.0 * HOUR - 600.0, "chat".to_owned(), 0)], "an hour forward");
    let mut bench = self::bench();
    bench.put(0.0, mute(1, STREAM, 3.0 * HOUR)).put(60.0, ahead(-3_600)).until(5.0 * HOUR);
    assert_eq!(announced(&mut bench), [(4.0 * HOUR - 600.0, "chat".to_owned(), 0)], "an hour back");
    let mut bench = self::bench();
    bench.put(0.0, mute(1, STREAM, 3.0 * HOUR)).until(10_300.0).put(10_300.0, ahead(-3_600)).until(5.0 * HOUR);
    assert_eq!(announced(&mut bench).len(), 1, "told once, whatever the clock shows then");
    let mut bench = self::bench();
    bench.put(0.0, mute(1, STREAM, 3.0 * HOUR)).put(60.0, ahead(4 * 3_600)).until(5.0 * HOUR);
    assert_eq!(announced(&mut bench), [], "over at once");
}

/// Plays entries with a restart before each of those named; returns what was owed.
fn with_restarts(rules: RuleSet, inputs: &[(f64, Input)], restarts: &[usize]) -> Disk {
    let (rules, mut disk) = (Arc::new(rules), Disk::default());
    let mut engine = Engine::new(Arc::clone(&rules));
    let entries: Vec<Entry> = (1..)
        .zip(inputs)
        .map(|(seq, (time, input))| Entry { seq: Seq(seq), received_at: at(*time), input: input.clone() })
        .collect();
    for (n, entry) in entries.iter().enumerate() {
        if restarts.contains(&n) {
            engine = reopen(&disk, &rules, &entries[..n]);
        }
        engine.step(entry);
        disk.commit(&mut engine);
    }
    disk
}

fn ends_and_overs(disk: &Disk) -> (usize, usize) {
    let notices = || {
        disk.outbox.iter().filter_map(|row| match &row.about {
            About::Notice(notice) => Some(&**notice),
            _ => None,
        })
    };
    let ends = notices().filter(|notice| matches!(notice, Notice::MuteEnds { .. })).count();
    (ends, notices().filter(|notice| matches!(notice, Notice::MuteOver(_))).count())
}

#[test]
fn it_is_announced_once_over_restarts_and_late_if_nobody_was_there() {
    let tick = |time: f64| (time, Input::ClockSet { ahead: 0 });
    let gap = |from: f64, to: f64| (to, Input::Resumed { from: at(from), to: at(to) });
    let set = || (0.0, mute(1, STREAM, 3.0 * HOUR));
    let rules = || rule_set(vec![rule("gop", &[16])]);
    let disk = with_restarts(rules(), &[set(), tick(10_250.0), tick(10_300.0), tick(10_900.0)], &[1, 2, 3]);
    assert_eq!(ends_and_overs(&disk), (1, 0), "told at 10,200 s, and not again after any restart");
    assert!(disk.keyed.iter().all(|((kind, _), _)| kind != "mute"), "and forgotten at its end: {:?}", disk.keyed);
    let disk = with_restarts(rules(), &[set(), gap(10_000.0, 10_500.0), tick(12_000.0)], &[1]);
    let row = &disk.outbox[0];
    assert_eq!((ends_and_overs(&disk), row.at), ((1, 0), at(10_500.0)), "late, as it still lasts");
    let disk = with_restarts(rules(), &[set(), gap(10_000.0, 11_000.0), tick(12_000.0)], &[1]);
    assert_eq!(ends_and_overs(&disk), (0, 0), "too late");
}

#[test]
fn a_mute_kept_by_an_earlier_version_goes_on() {
    let Input::Muted(old) = mute(7, STREAM, 3.0 * HOUR) else { panic!() };
    let mut disk = with_restarts(rule_set(vec![rule("gop", &[16])]), &[(0.0, Input::ClockSet { ahead: 0 })], &[]);
    disk.keyed.insert(("mute".to_owned(), "7".to_owned()), serde_json::to_string(&old).unwrap());
    let mut engine = reopen(&disk, &Arc::new(rule_set(vec![rule("gop", &[16])])), &[]);
    engine.advance(at(4.0 * HOUR));
    disk.commit(&mut engine);
    assert_eq!(ends_and_overs(&disk), (1, 0));
    assert!(disk.keyed.iter().all(|((kind, _), _)| kind != "mute"));
}

#[test]
fn at_the_end_one_notice_a_channel_says_what_is_over_and_what_fires_is_told_by_itself() {
    let mut bench = bench();
    bench.put(0.0, mute(5, ALL, 1000.0));
    bench.get(10.0, of("a", 10.0)).get(20.0, of("b", 20.0)).get(500.0, of("b", 500.0));
    for n in 0..40 {
        bench.get(930.0 + f64::from(n) * 5.0, of("c", 930.0 + f64::from(n) * 5.0));
    }
    assert_eq!(bench.told("robot"), [(1000.0, Reason::Post)], "c, which still fires, by its own message");
    let told = bench.notices();
    let [(_, first, one), (_, second, two)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((first.as_str(), second.as_str(), one), ("chat", "robot", two));
    let Notice::MuteOver(missed) = one else { panic!("{one:?}") };
    assert_eq!((missed.mute, &*missed.matchers, &*missed.author), (Some(MuteId(5)), ALL, "U1"));
    assert_eq!((missed.lifted, missed.over, missed.firing), (false, 2, 1));
    let named: Vec<_> =
        missed.worst.iter().map(|incident| (incident.key.name().into_owned(), incident.flaps)).collect();
    assert_eq!(named, [("b".to_owned(), 1), ("a".to_owned(), 0)], "the longest first; b came back, and counts once");
    assert!(missed.worst.iter().all(|incident| incident.state == State::Resolved));
    let released = bench.said().into_iter().filter(|(_, is, _)| *is == Released).count();
    assert_eq!(released, 2, "one for those that are over, one for c");
}

#[test]
fn where_nothing_was_kept_back_nothing_is_said_and_what_was_told_before_is_not_repeated() {
    let mut bench = bench();
    sick(&mut bench, 0, 20);
    bench.put(21.0, mute(1, ALL, 3000.0)).until(300.0);
    assert_eq!(bench.told("robot"), [(0.0, Reason::Post), (110.0, Reason::Post)], "told, and told to be over");
    bench.until(4000.0);
    assert_eq!((bench.told("robot"), bench.notices()), (vec![], vec![]));
    // What opens under it and still fires has its own message, which says it all.
    bench.put(4000.0, mute(2, ALL, 4600.0));
    for n in 0..60 {
        bench.get(4100.0 + f64::from(n) * 10.0, of("x", 4100.0 + f64::from(n) * 10.0));
    }
    assert_eq!((bench.told("robot"), bench.notices()), (vec![(4600.0, Reason::Post)], vec![]));
}

#[test]
fn what_comes_back_before_the_end_is_told_as_firing_and_not_as_over() {
    let mut bench = bench();
    bench.put(0.0, mute(1, ALL, 1000.0)).get(10.0, gop(10.0)).get(20.0, of("b", 20.0));
    sick(&mut bench, 600, 1100);
    assert_eq!(missed(&mut bench), [at_(1000.0, "chat", (1, 1, 1)), at_(1000.0, "robot", (1, 1, 1))]);
    assert_eq!(bench.told("robot"), [(1000.0, Reason::Post)]);
    // Alone it needs no notice: its message says that it came back.
    let mut bench = self::bench();
    bench.put(0.0, mute(1, ALL, 1000.0)).get(10.0, gop(10.0));
    sick(&mut bench, 600, 1100);
    assert_eq!(missed(&mut bench), []);
}

#[test]
fn one_that_is_lifted_says_what_it_kept_back_at_once() {
    let mut bench = bench();
    bench.put(0.0, mute(1, STREAM, 6000.0)).get(10.0, gop(10.0)).put(700.0, lift(1)).until(7000.0);
    let told = bench.notices();
    let Some((700.0, _, Notice::MuteOver(missed))) = told.first() else { panic!("{told:?}") };
    assert_eq!((missed.lifted, missed.over, told.len()), (true, 1, 2));
    bench.put(7001.0, lift(1)).until(8000.0);
    assert_eq!(bench.notices(), [], "once");
}

#[test]
fn what_several_mutes_cover_is_told_at_the_end_of_the_last() {
    let mut bench = bench();
    bench.put(0.0, mute(1, ALL, 2000.0)).put(0.0, mute(2, STREAM, 1000.0)).get(10.0, gop(10.0)).until(1500.0);
    assert_eq!(bench.notices(), [], "the other still holds it");
    bench.until(2500.0);
    assert_eq!(missed(&mut bench), [at_(2000.0, "chat", (1, 0, 1)), at_(2000.0, "robot", (1, 0, 1))]);
}

#[test]
fn what_is_over_at_the_very_moment_at_which_the_mute_ends_is_not_lost() {
    let mut bench = bench();
    bench.put(0.0, mute(1, STREAM, 100.0)).get(10.0, gop(10.0)).until(200.0);
    assert_eq!(missed(&mut bench), [at_(100.0, "chat", (1, 0, 1)), at_(100.0, "robot", (1, 0, 1))]);
    assert_eq!(bench.told("robot"), []);
}

#[test]
fn each_channel_is_told_of_what_it_would_have_heard() {
    let set =
        rule_set(vec![late_frames(), Rule { notify: Some(vec![ChannelName::new("robot")]), ..rule("gop", &[16]) }]);
    let mut bench = Bench::new(set);
    bench.put(0.0, mute(1, ALL, 1000.0));
    for n in 0..8 {
        bench.get(f64::from(n), of(&format!("s{n}"), f64::from(n)));
    }
    bench.get(20.0, error("s", 20.0, &[(6, 12)])).until(2000.0);
    let told = missed(&mut bench);
    assert_eq!(told, [at_(1000.0, "chat", (1, 0, 1)), at_(1000.0, "robot", (9, 0, 5))]);
}

#[test]
fn what_fires_again_is_taken_from_the_count_only_of_the_channels_in_which_it_counts() {
    let chat = Rule { notify: Some(vec![ChannelName::new("chat")]), ..rule("gop", &[16]) };
    let mut bench = Bench::new(rule_set(vec![late_frames(), chat]));
    let late = |bench: &mut Bench, time: f64| bench.get(time, error("cam1", time, &[(6, 12)])).told("chat").len();
    // In chat cam1 is known as broken, before and after; elsewhere nobody has heard of it.
    for n in 0..=240 {
        let time = f64::from(n) * 5.0;
        match n {
            20 => _ = bench.put(time, mute(1, ALL, 1000.0)),
            80 => _ = late(&mut bench, time),
            82 => _ = bench.get(time, of("z", time)),
            180 | 185 | 190 | 195 => _ = late(&mut bench, time),
            _ => _ = bench.get(time, gop(time)),
        }
    }
    assert_eq!(missed(&mut bench), [at_(1000.0, "chat", (1, 0, 1))], "z; what was late at the robot fires again");
}

#[test]
fn what_fires_at_the_end_of_several_mutes_at_once_counts_with_one_of_them() {
    let mut bench = Bench::rules(vec![rule("gop", &[16]), rule("codec", &[13])]);
    bench.put(0.0, mute(1, ALL, 1000.0)).put(0.0, mute(2, STREAM, 1000.0));
    bench.get(10.0, of("b", 10.0)).get(20.0, error("cam1", 20.0, &[(13, 1)]));
    sick(&mut bench, 900, 1100);
    let told = ["chat", "robot"];
    let mut expected: Vec<_> = told.map(|channel| at_(1000.0, channel, (1, 0, 1))).into();
    expected.extend(told.map(|channel| at_(1000.0, channel, (1, 1, 1))));
    assert_eq!(missed(&mut bench), expected, "b under the first, the codec and what fires under the second");
}

#[test]
fn of_however_many_only_the_worst_few_are_kept() {
    let mut bench = bench();
    bench.put(0.0, mute(1, ALL, 4000.0));
    let mut disk = Disk::default();
    for n in 0..3_000 {
        let time = f64::from(n);
        bench.get(time, of(&format!("s{n}"), time));
    }
    bench.until(3_500.0);
    bench.engine.dirty_mutes.insert(MuteId(1));
    disk.commit(&mut bench.engine);
    let record = &disk.keyed[&("mute".to_owned(), "1".to_owned())];
    assert!(record.len() < 12_000, "{} bytes", record.len());
    bench.until(5_000.0);
    assert_eq!(missed(&mut bench), [at_(4000.0, "chat", (3_000, 0, 5)), at_(4000.0, "robot", (3_000, 0, 5))]);
}

/// A standing mute at night, and what it covers.
fn night(zone: &str, matchers: &str) -> StandingMute {
    let parts = Parts { times: vec![parse_times("22:00-07:00").unwrap()], ..Parts::default() };
    let interval = TimeInterval::new("night", parts, TimeZone::get(zone).unwrap());
    let matchers = Matchers::parse(matchers).unwrap();
    StandingMute { matchers, active: vec![Arc::new(interval)], reason: "it can wait".to_owned() }
}

/// Seconds from the tests' beginning to a time of UTC.
fn utc(text: &str) -> f64 {
    let time: jiff::Timestamp = text.parse().unwrap();
    (time.as_millisecond() - T0) as f64 / 1000.0
}

#[test]
fn a_standing_mute_ends_by_the_clock_of_its_zone_also_where_that_is_put_forward_and_needs_no_announcement() {
    // In Berlin the night to 31 March 2024 is an hour short: it ends at 07:00 +02:00.
    for (begin, end) in
        [("2024-03-30T21:30:00Z", "2024-03-31T05:00:00Z"), ("2024-10-26T20:30:00Z", "2024-10-27T06:00:00Z")]
    {
        let set = RuleSet { mutes: vec![night("Europe/Berlin", ALL)], ..rule_set(vec![rule("gop", &[16])]) };
        let (mut bench, begin, end) = (Bench::new(set), utc(begin), utc(end));
        bench.get(begin, of("a", begin));
        for n in 0..120 {
            bench.get(end - 300.0 + f64::from(n) * 5.0, of("b", end - 300.0 + f64::from(n) * 5.0));
        }
        assert_eq!(bench.told("robot"), [(end, Reason::Post)], "b still fires");
        let told = missed(&mut bench);
        assert_eq!(told, [at_(end, "chat", (1, 1, 1)), at_(end, "robot", (1, 1, 1))]);
    }
}

#[test]
fn what_is_always_muted_is_nobodys_news() {
    let always = StandingMute { active: Vec::new(), ..night("UTC", STREAM) };
    let set = RuleSet { mutes: vec![always], ..rule_set(vec![rule("gop", &[16])]) };
    let mut bench = Bench::new(set);
    bench.put(0.0, mute(1, ALL, 1000.0)).get(10.0, gop(10.0)).until(2000.0);
    assert_eq!((bench.told("robot"), bench.notices()), (vec![], vec![]));
}

#[test]
fn no_reminder_is_sent_while_a_standing_mute_holds_and_one_is_when_it_ends() {
    let (evening, morning) = (utc("2024-05-01T21:30:00Z"), utc("2024-05-02T07:00:00Z"));
    let set = RuleSet { mutes: vec![night("UTC", ALL)], ..rule_set(vec![rule("gop", &[16])]) };
    let mut bench = Bench::new(set);
    for n in 0..7_200 {
        bench.get(evening + f64::from(n) * 5.0, of("a", evening + f64::from(n) * 5.0));
    }
    assert_eq!(bench.told("robot"), [(evening, Reason::Post), (morning, Reason::Post)]);
}

#[test]
fn a_standing_mute_that_is_taken_out_of_the_rules_is_over() {
    let always = StandingMute { active: Vec::new(), ..night("UTC", STREAM) };
    let (evening, rules) = (utc("2024-05-01T22:30:00Z"), rule_set(vec![rule("gop", &[16])]));
    let with = Arc::new(RuleSet { mutes: vec![always, night("UTC", "stream=\"b\"")], ..rules.clone() });
    let (without, mut disk) = (Arc::new(rules), Disk::default());
    let mut engine = Engine::new(Arc::clone(&with));
    let entry = |seq, time: f64, input| Entry { seq: Seq(seq), received_at: at(evening + time), input };
    let sick = |stream: &str, time: f64| Input::Callback(Box::new(of(stream, evening + time)));
    engine.step(&entry(1, 0.0, sick("b", 0.0)));
    for seq in 2..30 {
        engine.step(&entry(seq, seq as f64 * 5.0, sick("cam1", seq as f64 * 5.0)));
    }
    disk.commit(&mut engine);
    assert!(disk.outbox.is_empty(), "{:?}", disk.outbox);
    let mut engine = reopen(&disk, &without, &[]);
    engine.step(&entry(30, 150.0, Input::RulesLoaded { hash: "new".into() }));
    engine.advance(at(evening + 151.0));
    disk.commit(&mut engine);
    let posts = disk.outbox.iter().filter(|row| row.reason == Reason::Post).count();
    assert_eq!((posts, ends_and_overs(&disk)), (2, (0, 2)), "cam1 fires; b came and went: {:?}", disk.outbox);
    assert!(disk.keyed.iter().all(|((kind, _), _)| kind != "standing_mute"));
}

#[test]
fn what_is_taken_out_of_the_rules_together_with_the_mute_that_held_it_is_not_over_without_a_word() {
    let always = StandingMute { active: Vec::new(), ..night("UTC", STREAM) };
    let (evening, rules) = (utc("2024-05-01T22:30:00Z"), rule_set(vec![rule("gop", &[16]), rule("codec", &[13])]));
    let with = Arc::new(RuleSet { mutes: vec![always.clone(), night("UTC", "stream=\"b\"")], ..rules.clone() });
    let entry = |seq, time: f64, input| Entry { seq: Seq(seq), received_at: at(evening + time), input };
    let sick = |stream: &str, time: f64| Input::Callback(Box::new(of(stream, evening + time)));
    // The rule is gone, with both mutes or with neither.
    for (mutes, expected) in [(Vec::new(), vec![(1, 1, 1), (1, 1, 1)]), (with.mutes.clone(), vec![])] {
        let (without, mut disk) =
            (Arc::new(RuleSet { mutes, ..rule_set(vec![rule("codec", &[13])]) }), Disk::default());
        let mut engine = Engine::new(Arc::clone(&with));
        engine.step(&entry(1, 0.0, sick("b", 0.0)));
        for seq in 2..30 {
            engine.step(&entry(seq, seq as f64 * 5.0, sick("cam1", seq as f64 * 5.0)));
        }
        engine.step(&entry(30, 146.0, sick("b", 146.0)));
        disk.commit(&mut engine);
        assert!(disk.outbox.is_empty(), "{:?}", disk.outbox);
        let mut engine = reopen(&disk, &without, &[]);
        engine.step(&entry(31, 150.0, Input::RulesLoaded { hash: "new".into() }));
        engine.advance(at(evening + 151.0));
        disk.commit(&mut engine);
        let told = disk.outbox.iter().filter(|row| row.channel == ChannelName::new("robot"));
        let told = told.map(|row| match &row.about {
            About::Notice(notice) => match &**notice {
                Notice::MuteOver(missed) => (missed.over, missed.worst.len() as u64, 1),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        });
        assert_eq!(told.collect::<Vec<(u64, u64, u64)>>(), expected, "cam1 under the one, b under the other");
        let is_kept = disk.keyed.iter().any(|((kind, _), _)| kind == "standing_mute");
        assert_eq!(is_kept, expected.is_empty(), "until the night is over");
    }
}
