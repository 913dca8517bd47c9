//! The same inputs give the same effects, and a restart anywhere changes nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::model::{EngineState, Group, Incident, Mute, MuteId, Notification, Noun, State};
use crate::rules::interval::{Parts, parse_times};
use crate::rules::{Matchers, StandingMute, TimeInterval};

use super::*;

/// What a store keeps of an engine's commits.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    cursor: Cursor,
    incidents: BTreeMap<IncidentId, Incident>,
    groups: BTreeMap<GroupId, Group>,
    pub(super) keyed: BTreeMap<(String, String), String>,
    pub(super) outbox: Vec<Notification>,
}

impl Disk {
    pub(super) fn commit(&mut self, engine: &mut Engine) {
        let changes = engine.take_changes();
        self.cursor = engine.cursor();
        self.incidents.extend(changes.incidents.into_iter().map(|i| (i.id, i)));
        self.groups.extend(changes.groups.into_iter().map(|g| (g.id, g)));
        for id in changes.forgotten {
            self.groups.remove(&id);
        }
        for keyed in changes.keyed {
            let key = (keyed.kind.to_owned(), keyed.key);
            match keyed.value {
                Some(value) => _ = self.keyed.insert(key, value),
                None => _ = self.keyed.remove(&key),
            }
        }
        for row in &changes.outbox {
            // Delivery renders from what is written: it must be what the engine knows, but for the deadline, which no
            // message shows, and how far the figures are in it.
            let members = row.group().and_then(|id| engine.groups.get(&id)).map(|members| members.incidents.as_slice());
            for id in members.unwrap_or_default() {
                let shown = |i: &Incident| Incident { deadline: None, seq: Seq(0), ..i.clone() };
                let (written, known) = (self.incidents.get(id).map(shown), engine.incidents.get(id).map(shown));
                assert_eq!(written, known, "{row:?}");
            }
        }
        self.outbox.extend(changes.outbox);
    }

    fn state(&self) -> EngineState {
        let remembered = |i: &&Incident| match (i.state, i.group) {
            (State::Pending | State::Firing, _) => true,
            (State::Resolved, Some(group)) => self.groups.contains_key(&group),
            (State::Resolved, None) => false,
        };
        EngineState {
            incidents: self.incidents.values().filter(remembered).cloned().collect(),
            groups: self.groups.values().cloned().collect(),
            keyed: self.keyed.iter().map(|((k, key), v)| (k.clone(), key.clone(), v.clone())).collect(),
        }
    }
}

/// Two sets between which the rules are reloaded: some rules are the same, some changed, some gone.
fn sets() -> [Arc<RuleSet>; 2] {
    let limit = RateLimit { burst: NonZeroU32::new(2).unwrap(), every: secs(240) };
    let own = RateLimit { burst: NonZeroU32::new(1).unwrap(), every: secs(100) };
    let site = Rule {
        per: Scope::Domain,
        measure: Measure::Distinct(Noun::Stream),
        within: Some(secs(60)),
        plan: Plan::Levels(vec![(2, Severity::Warning), (3, Severity::Critical)]),
        inhibits: vec!["gop".into(), "late".into()],
        ..rule("site", &[])
    };
    let lasting = Rule { lasting: Some(secs(20)), per: Scope::Session, ..rule("lasting", &[7]) };
    let silent = Rule { on: EventKind::Relay, silence: Some(secs(60)), per: Scope::App, ..rule("silent", &[]) };
    let addresses = Rule {
        measure: Measure::Distinct(Noun::Session),
        within: Some(secs(120)),
        plan: Plan::Levels(vec![(2, Severity::Warning)]),
        group_by: GroupBy::Labels(vec!["domain".into()]),
        ..rule("sessions", &[])
    };
    let fps = Rule { rate_limit: Some(own), reopen_within: secs(30), ..rule("fps", &[15]) };
    let gop = Rule { repeat_interval: secs(120), ..rule("gop", &[16]) };
    let ends = Rule { on: EventKind::PushEnd, per: Scope::Session, ..rule("ends", &[]) };
    let site_down = Rule {
        on: EventKind::PushEnd,
        per: Scope::Domain,
        measure: Measure::Distinct(Noun::Stream),
        within: Some(secs(60)),
        plan: Plan::Levels(vec![(2, Severity::Critical)]),
        ..rule("site_down", &[])
    };
    let one = rule_set(vec![
        gop.clone(),
        late_frames(),
        fps,
        stream_down(),
        site.clone(),
        lasting,
        silent.clone(),
        ends,
        site_down.clone(),
    ]);
    let other = rule_set(vec![
        site,
        Rule { plan: Plan::Levels(vec![(2, Severity::Warning), (6, Severity::Critical)]), ..late_frames() },
        gop,
        addresses,
        silent,
        site_down,
        Rule { grace: Some(secs(30)), ..stream_down() },
    ]);
    // The tests begin at 22:13:20: one of these minutes is in most runs.
    let mutes = vec![standing("stream=\"1\"", &["22:20-22:31", "22:40-22:50", "22:50-23:30"])];
    let changed = vec![standing("stream=~\"[12]\"", &["22:20-23:31"])];
    [
        Arc::new(RuleSet { hash: "one".into(), rate_limit: Some(limit), mutes, ..one }),
        Arc::new(RuleSet { hash: "other".into(), rate_limit: Some(limit), mutes: changed, ..other }),
    ]
}

fn standing(matchers: &str, times: &[&str]) -> StandingMute {
    let times = times.iter().map(|times| parse_times(times).unwrap()).collect();
    let interval = TimeInterval::new("minutes", Parts { times, ..Parts::default() }, TimeZone::UTC);
    let matchers = Matchers::parse(matchers).unwrap();
    StandingMute { matchers, active: vec![Arc::new(interval)], reason: String::new() }
}

#[derive(Clone, Debug)]
struct Step {
    gap: u64,
    lag: u64,
    stream: u8,
    session: u8,
    what: u8,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let gap = prop_oneof![6 => 0u64..8, 2 => 8u64..120, 1 => 120u64..2500];
    let what = prop_oneof![20 => 0u8..8, 3 => Just(8u8), 3 => 9u8..15];
    let step = (gap, 0u64..50, 0u8..3, 0u8..3, what).prop_map(|(gap, lag, stream, session, what)| Step {
        gap,
        lag,
        stream,
        session,
        what,
    });
    prop::collection::vec(step, 1..120)
}

fn journal(steps: &[Step]) -> Vec<Entry> {
    let mut now = 0.0;
    let entry = |(n, step): (usize, &Step)| {
        now += step.gap as f64;
        let time = now - if step.lag > 40 { step.lag as f64 } else { 1.0 };
        let session = step.session.to_string();
        let relay = || event(EventKind::Relay, &session, time);
        let event = match step.what {
            0 => begin(&session, time),
            1 => end(&session, time),
            2 | 3 => error(&session, time, &[(16, 1)]),
            4 => error(&session, time, &[(15, 2), (6, 1)]),
            8 => relay(),
            _ => error(&session, time, &[(6, 2), (7, 1)]),
        };
        let stream = StreamName::new("d", "p", &step.stream.to_string());
        let user_ip = (step.lag % 3 != 0).then(|| format!("203.0.113.{}", step.lag % 2).into());
        let input = match (step.what, n % 41) {
            (_, 10 | 21 | 40) => Input::Resumed { from: at(now - step.gap as f64 / 2.0), to: at(now) },
            (9, _) => {
                let matchers = format!("stream=\"{}\"", step.stream).into();
                Input::Muted(Box::new(Mute {
                    id: MuteId(u64::from(step.session)),
                    matchers,
                    within: None,
                    set_at: at(now),
                    until: at(now + step.lag as f64 * if step.stream == 2 { 400.0 } else { 10.0 }),
                    author: "U1".into(),
                    reason: "works".into(),
                }))
            }
            (10, _) => Input::Unmuted { id: MuteId(u64::from(step.session)) },
            (11, _) => Input::Acknowledged { incident: IncidentId(u64::from(step.session) + 1), by: "U1".into() },
            (12, _) => Input::ClockSet { ahead: (step.lag as i64 - 25) * 10_000 },
            (13 | 14, _) => {
                let hash = if step.session == 0 { "other" } else { "one" };
                Input::RulesLoaded { hash: hash.into() }
            }
            _ => Input::Callback(Box::new(Event { stream, user_ip, ..event })),
        };
        Entry { seq: Seq(n as u64 + 1), received_at: at(now), input }
    };
    steps.iter().enumerate().map(entry).collect()
}

/// An engine that goes on from the disk: what a restart does, and a reload.
pub(super) fn reopen(disk: &Disk, rules: &Arc<RuleSet>, before: &[Entry]) -> Engine {
    let mut engine = Engine::new(Arc::clone(rules));
    engine.load(disk.state(), disk.cursor).unwrap();
    engine.loaded();
    let from = disk.cursor.at - Engine::lookback(rules);
    for old in before.iter().filter(|old| old.received_at >= from && old.seq <= disk.cursor.seq) {
        engine.warm(old);
    }
    engine
}

fn run(entries: &[Entry], restarts: &[usize], commit_every: usize) -> (Vec<Effect>, Disk) {
    let sets = sets();
    let mut rules = &sets[0];
    let mut disk = Disk::default();
    let mut effects = Vec::new();
    let mut engine = Engine::new(Arc::clone(rules));
    for (n, entry) in entries.iter().enumerate() {
        if restarts.contains(&n) {
            disk.commit(&mut engine);
            engine = reopen(&disk, rules, &entries[..n]);
        }
        if let Input::RulesLoaded { hash } = &entry.input {
            // As the core does: what falls due before is judged by the old rules.
            engine.advance(entry.received_at);
            effects.extend(engine.take_effects());
            engine.flush();
            disk.commit(&mut engine);
            rules = if **hash == *sets[0].hash { &sets[0] } else { &sets[1] };
            engine = reopen(&disk, rules, &entries[..n]);
        }
        engine.step(entry);
        effects.extend(engine.take_effects());
        if n % commit_every == 0 || engine.has_changes() {
            disk.commit(&mut engine);
        }
    }
    engine.advance(entries.last().map_or(at(0.0), |last| last.received_at) + secs(200_000));
    effects.extend(engine.take_effects());
    disk.commit(&mut engine);
    (effects, disk)
}

/// Incidents that nobody was told of although nothing stands for them: neither their group was told, nor does the end
/// of a mute count them, nor are they part of another. Of a rule that is taken out nobody asks to hear.
fn unheard(disk: &Disk) -> Vec<&Incident> {
    let told =
        |incident: &Incident| disk.outbox.iter().any(|row| incident.group.is_some() && row.group() == incident.group);
    let fired = disk.incidents.values().filter(|incident| incident.group.is_some());
    let stood_for = |incident: &Incident| {
        let gone = incident.cause == Some(Cause::RuleRemoved);
        !incident.missed_in.is_none() || incident.inhibited_by.is_some() || gone
    };
    fired.filter(|incident| !told(incident) && !stood_for(incident)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn a_restart_anywhere_changes_nothing(
        steps in steps(), restarts in prop::collection::vec(0usize..120, 0..5), every in 1usize..9,
    ) {
        let entries = journal(&steps);
        let (effects, disk) = run(&entries, &[], 1);
        let (again, restarted) = run(&entries, &restarts, every);
        for (one, other) in again.iter().zip(&effects) {
            prop_assert_eq!(one, other);
        }
        prop_assert_eq!(again.len(), effects.len());
        prop_assert_eq!(&restarted.outbox, &disk.outbox);
        prop_assert_eq!(&restarted.groups, &disk.groups);
        prop_assert!(disk.keyed.keys().chain(restarted.keyed.keys()).all(|(kind, _)| !kind.contains("mute")));
        // Which entry a figure was last written at depends on when commits fell; the figures do not.
        let figures = |disk: &Disk| -> Vec<Incident> {
            disk.incidents.values().map(|i| Incident { seq: Seq(0), ..i.clone() }).collect()
        };
        prop_assert_eq!(figures(&restarted), figures(&disk));
    }

    /// Everything that was told to fire is told to be over, and nothing is left behind.
    #[test]
    fn every_trouble_is_closed_in_every_channel_that_heard_of_it(steps in steps()) {
        let (_, disk) = run(&journal(&steps), &[], 1);
        for incident in disk.incidents.values() {
            prop_assert_eq!(incident.state, State::Resolved);
        }
        prop_assert!(disk.groups.is_empty(), "{:?}", disk.groups);
        let unheard = unheard(&disk);
        prop_assert!(unheard.is_empty(), "in no message and in no account of a mute: {:?}", unheard);
        let mut open: BTreeMap<(GroupId, ChannelName), Reason> = BTreeMap::new();
        for row in &disk.outbox {
            let Some(group) = row.group() else { continue };
            open.insert((group, row.channel.clone()), row.reason);
        }
        for ((group, channel), last) in open {
            let first = disk.outbox.iter().find(|row| row.group() == Some(group) && row.channel == channel).unwrap();
            prop_assert_eq!(first.reason, Reason::Post, "a channel hears first by a post: {:?} {:?}", group, last);
        }
    }
}
