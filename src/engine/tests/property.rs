//! The same inputs give the same effects, and a restart anywhere changes nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::model::{EngineState, Group, Incident, Notification};

use super::*;

/// What a store keeps of an engine's commits.
#[derive(Clone, Debug, Default)]
struct Disk {
    cursor: Cursor,
    incidents: BTreeMap<IncidentId, Incident>,
    groups: BTreeMap<GroupId, Group>,
    keyed: BTreeMap<(String, String), String>,
    outbox: Vec<Notification>,
}

impl Disk {
    fn commit(&mut self, engine: &mut Engine) {
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

fn set() -> Arc<RuleSet> {
    let limit = RateLimit { burst: NonZeroU32::new(2).unwrap(), every: secs(240) };
    let own = RateLimit { burst: NonZeroU32::new(1).unwrap(), every: secs(100) };
    Arc::new(RuleSet {
        rate_limit: Some(limit),
        ..rule_set(vec![
            Rule { repeat_interval: secs(120), ..rule("gop", &[16]) },
            late_frames(),
            Rule { rate_limit: Some(own), reopen_within: secs(30), ..rule("fps", &[15]) },
            stream_down(),
        ])
    })
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
    let step = (gap, 0u64..50, 0u8..3, 0u8..3, 0u8..8).prop_map(|(gap, lag, stream, session, what)| Step {
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
        let event = match step.what {
            0 => begin(&session, time),
            1 => end(&session, time),
            2 | 3 => error(&session, time, &[(16, 1)]),
            4 => error(&session, time, &[(15, 2), (6, 1)]),
            _ => error(&session, time, &[(6, 2), (7, 1)]),
        };
        let stream = StreamName::new("d", "p", &step.stream.to_string());
        let input = match n % 41 {
            40 => Input::Resumed { from: at(now - step.gap as f64 / 2.0), to: at(now) },
            _ => Input::Callback(Box::new(Event { stream, ..event })),
        };
        Entry { seq: Seq(n as u64 + 1), received_at: at(now), input }
    };
    steps.iter().enumerate().map(entry).collect()
}

fn run(entries: &[Entry], restarts: &[usize], commit_every: usize) -> (Vec<Effect>, Disk) {
    let rules = set();
    let mut disk = Disk::default();
    let mut effects = Vec::new();
    let mut engine = Engine::new(Arc::clone(&rules));
    for (n, entry) in entries.iter().enumerate() {
        if restarts.contains(&n) {
            disk.commit(&mut engine);
            engine = Engine::new(Arc::clone(&rules));
            engine.load(disk.state(), disk.cursor).unwrap();
            let from = disk.cursor.at - Engine::lookback(&rules);
            for old in entries[..n].iter().filter(|old| old.received_at >= from) {
                engine.warm(old);
            }
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
