//! The loop on a real store: reloads, restarts and crashes between them, and what the core says by itself.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::*;
use crate::model::{
    Abnormal, AbnormalType, Cause, ChannelName, Event, EventId, EventKind, Incident, Mute, MuteId, NewEntry, Notice,
    Reason, StreamName,
};
use crate::store::sqlite::{Settings, Sqlite};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn rules(rules: &str) -> Arc<RuleSet> {
    Arc::new(crate::rules::load(&text(rules), "rules.yaml", &|_| None).unwrap_or_else(|found| panic!("{found:?}")))
}

fn text(rules: &str) -> String {
    format!(
        "version: 1\ntencent: {{ allow_unsigned: true }}\nchannels: {{ ops: {{ type: console }} }}\n\
         defaults: {{ notify: [ops] }}\nrules:\n{rules}"
    )
}

/// A rule on push errors of one stream that fires at `count` within 10 minutes.
fn at(count: u32) -> Arc<RuleSet> {
    rules(&format!("- {{ name: gop, on: push_error, threshold: {{ count: {count}, within: 10m }} }}\n"))
}

fn other_rule() -> Arc<RuleSet> {
    rules("- { name: other, on: push_begin }\n")
}

/// A data folder, the store on it, and a wall clock that can be set.
struct House {
    folder: tempfile::TempDir,
    store: Arc<Sqlite>,
    clock: Arc<Clock>,
    ahead: Arc<AtomicI64>,
    sent: AtomicU64,
}

/// A core at work.
struct Working {
    book: Arc<Rulebook>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), CoreError>>,
    in_force: watch::Receiver<Seq>,
    caught_up: watch::Receiver<bool>,
    warnings: watch::Receiver<Vec<Warning>>,
}

fn open(folder: &tempfile::TempDir, ahead: &Arc<AtomicI64>) -> (Arc<Sqlite>, Arc<Clock>) {
    let (true_clock, ahead) = (Clock::start(), Arc::clone(ahead));
    let wall = move || Timestamp(true_clock.wall().0 + ahead.load(Ordering::Relaxed));
    let clock = Arc::new(Clock::with_wall(wall));
    let settings = Settings::for_testing(folder.path());
    (Sqlite::open(settings, Arc::clone(&clock), Arc::new(Metrics::new())).unwrap(), clock)
}

impl House {
    fn new() -> House {
        let (folder, ahead) = (tempfile::tempdir().unwrap(), Arc::new(AtomicI64::new(0)));
        let (store, clock) = open(&folder, &ahead);
        House { folder, store, clock, ahead, sent: AtomicU64::new(0) }
    }

    /// Another process on the same folder.
    async fn restart(&mut self) {
        self.store.close().await;
        (self.store, self.clock) = open(&self.folder, &self.ahead);
    }

    async fn work(&self, rules: &Arc<RuleSet>, before: &[&Arc<RuleSet>]) -> Working {
        let book = Arc::new(Rulebook::of_one(Arc::clone(before.first().unwrap_or(&rules))));
        before.iter().skip(1).chain([&rules]).for_each(|set| book.put(Arc::clone(set)));
        let core = Core::open(self.rooms(&book)).await.unwrap();
        let (in_force, caught_up, warnings) = (core.in_force(), core.caught_up(), core.warnings());
        let stop = CancellationToken::new();
        let task = tokio::spawn(core.run(stop.clone()));
        let mut working = Working { book, stop, task, in_force, caught_up, warnings };
        wait_for(&mut working.caught_up, |yes| *yes).await;
        working
    }

    fn rooms(&self, book: &Arc<Rulebook>) -> Rooms {
        Rooms {
            store: Arc::clone(&self.store) as _,
            rules: Arc::clone(book),
            clock: Arc::clone(&self.clock),
            metrics: Arc::new(Metrics::new()),
        }
    }

    async fn append(&self, input: Input) -> Seq {
        let entry = NewEntry { input, body: Bytes::from_static(b"{}") };
        match self.store.append(&Shard::Engine, entry).await.unwrap() {
            crate::store::Appended::New(seq) => seq,
            crate::store::Appended::Duplicate => panic!("a repeat"),
        }
    }

    /// One push error of the stream, happening now.
    async fn report(&self) -> Seq {
        self.append(Input::Callback(Box::new(self.event(EventKind::PushError, Duration::ZERO)))).await
    }

    fn event(&self, kind: EventKind, late: Duration) -> Event {
        let number = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        let abnormal = Abnormal { kind: AbnormalType(16), count: 1, details: Vec::new(), text: None };
        Event {
            id: EventId((u128::from(number) << 64 | u128::from(self.clock.steady().0 as u64)).to_le_bytes()),
            kind,
            stream: StreamName::new("push.example.com", "live", "cam1"),
            session: Some("1".into()),
            appid: None,
            user_ip: None,
            node: None,
            happened_at: Some(self.clock.steady() - late),
            report_interval: Some(5000),
            errcode: None,
            errmsg: None,
            push_duration: None,
            abnormal: vec![abnormal],
            unreadable: None,
        }
    }

    /// What the engine committed.
    async fn incidents(&self) -> Vec<Incident> {
        let opened = self.store.open(Shard::Engine, Duration::ZERO).await.unwrap();
        crate::store::conformance::engine_of(opened).await.2.incidents
    }

    /// The whole journal.
    async fn journal(&self) -> Vec<Input> {
        let opened = self.store.open(Shard::Engine, PATIENCE * 60).await.unwrap();
        let mut inputs = Vec::new();
        loop {
            let batch = self.store.next(&opened.lease, BATCH, Duration::ZERO).await.unwrap();
            let Items::Journal(entries) = batch.items else { panic!("no journal") };
            inputs.extend(entries.into_iter().map(|entry| entry.input));
            if batch.at_head {
                return inputs;
            }
        }
    }
}

impl Working {
    /// Puts rules in force as the reloader does, and waits until they are.
    async fn load(&mut self, house: &House, rules: &Arc<RuleSet>) {
        self.book.put(Arc::clone(rules));
        let loaded = house.append(Input::RulesLoaded { hash: rules.hash.as_str().into() }).await;
        wait_for(&mut self.in_force, |seq| *seq >= loaded).await;
    }

    /// Ends in order: everything that was kept is judged.
    async fn end(self, house: &House) {
        // What is appended last is taken in before the loop hears that it is to stop.
        let last = house.append(Input::RulesLoaded { hash: self.book.current().hash.as_str().into() }).await;
        let mut in_force = self.in_force;
        wait_for(&mut in_force, |seq| *seq >= last).await;
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

async fn wait_for<T: Send + Sync>(receiver: &mut watch::Receiver<T>, is_so: impl FnMut(&T) -> bool) {
    tokio::time::timeout(PATIENCE, receiver.wait_for(is_so)).await.expect("in time").expect("the core runs");
}

#[tokio::test]
async fn streams_of_an_earlier_run_are_known_before_a_command_can_come() {
    let (house, book) = (House::new(), Arc::new(Rulebook::of_one(at(1))));
    let cam1 = StreamName::new("push.example.com", "live", "cam1");
    let kept = serde_json::to_string(&[(&cam1, house.clock.steady())]).unwrap();
    house.store.table(super::roster::TABLE).put("0", &kept).await.unwrap();
    let core = Core::open(house.rooms(&book)).await.unwrap();
    let mut known = Vec::new();
    core.handle().roster().each(house.clock.steady(), |stream, _| known.push(stream.clone()));
    assert_eq!(known, [cam1]);
}

#[tokio::test]
async fn a_changed_threshold_is_judged_anew_on_the_kept_window_and_the_reload_itself_opens_nothing() {
    let house = House::new();
    let mut core = house.work(&at(5), &[]).await;
    for _ in 0..3 {
        house.report().await;
    }
    core.load(&house, &at(2)).await;
    core.load(&house, &at(4)).await;
    core.end(&house).await;
    assert_eq!(house.incidents().await, [], "three are above two, but nothing was reported since");
    let core = house.work(&at(4), &[]).await;
    house.report().await;
    core.end(&house).await;
    let incidents = house.incidents().await;
    assert_eq!(incidents.len(), 1);
    assert_eq!((incidents[0].is_firing(), incidents[0].count), (true, 4));
}

#[tokio::test]
async fn an_unchanged_rule_keeps_its_incident_and_a_removed_one_resolves_it_with_the_reason_said() {
    let house = House::new();
    let mut core = house.work(&at(1), &[]).await;
    house.report().await;
    let more = rules(
        "- { name: gop, on: push_error, threshold: { count: 1, within: 10m } }\n- { name: other, on: push_begin }\n",
    );
    core.load(&house, &more).await;
    house.report().await;
    core.load(&house, &at(1)).await;
    core.end(&house).await;
    let kept = house.incidents().await;
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].is_firing(), kept[0].reports), (true, 2));
    let mut core = house.work(&at(1), &[]).await;
    core.load(&house, &other_rule()).await;
    core.end(&house).await;
    let resolved = house.incidents().await;
    assert_eq!((resolved[0].id, resolved[0].cause), (kept[0].id, Some(Cause::RuleRemoved)));
    assert_eq!(resolved[0].reports, 2, "what came after the first reload is not lost with the second");
}

#[tokio::test]
async fn callbacks_that_came_before_the_rules_are_judged_by_the_rules_before_even_after_a_crash() {
    let mut house = House::new();
    let old = at(10);
    house.work(&old, &[]).await.end(&house).await;
    // Kept, answered 200, and then the process died.
    house.report().await;
    house.restart().await;
    let new = at(1);
    let core = house.work(&new, &[&old]).await;
    core.end(&house).await;
    assert_eq!(house.incidents().await, [], "one is below ten, by which it is judged");
    // Without the old rules the new ones are better than none.
    house.report().await;
    house.restart().await;
    let core = house.work(&at(2), &[]).await;
    core.end(&house).await;
    assert_eq!(house.incidents().await.len(), 1);
}

#[tokio::test]
async fn a_crash_between_the_new_rules_and_their_commit_is_made_good_by_the_next_start() {
    let mut house = House::new();
    let (old, new) = (at(10), at(2));
    let core = house.work(&old, &[]).await;
    house.report().await;
    core.end(&house).await;
    // All of it kept, none of it judged: a second report under the old rules, then new rules, then a third.
    house.report().await;
    house.append(Input::RulesLoaded { hash: new.hash.as_str().into() }).await;
    house.report().await;
    house.restart().await;
    let core = house.work(&other_rule(), &[&old, &new]).await;
    core.end(&house).await;
    let incidents = house.incidents().await;
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    assert_eq!(incidents[0].reports, 2, "the report before the new rules opened nothing, or it would be three");
    assert_eq!(incidents[0].cause, Some(Cause::RuleRemoved), "and then those of the file came");
}

#[tokio::test]
async fn a_set_replaced_behind_its_hash_is_taken_over_too() {
    let house = House::new();
    let old = at(5);
    let mut core = house.work(&old, &[]).await;
    house.report().await;
    let new = Arc::new(RuleSet { hash: old.hash.clone(), ..RuleSet::clone(&at(1)) });
    core.load(&house, &new).await;
    house.report().await;
    core.end(&house).await;
    assert_eq!(house.incidents().await.len(), 1);
}

#[tokio::test]
async fn a_step_of_the_wall_clock_is_journaled_at_the_start_and_when_it_happens() {
    let house = House::new();
    let core = house.work(&at(5), &[]).await;
    house.ahead.store(3_600_000, Ordering::Relaxed);
    // Any entry turns the loop.
    house.report().await;
    house.report().await;
    core.end(&house).await;
    let steps: Vec<i64> = house
        .journal()
        .await
        .iter()
        .filter_map(|input| match input {
            Input::ClockSet { ahead } => Some(*ahead),
            _ => None,
        })
        .collect();
    assert_eq!(steps.len(), 2, "{steps:?}");
    assert!(steps[0].abs() < 1000 && (steps[1] - 3_600_000).abs() < 1000, "{steps:?}");
}

#[tokio::test]
async fn late_callbacks_are_shown_and_told_once_over_a_restart_too() {
    let mut house = House::new();
    let late = Duration::from_secs(40);
    for _ in 0..2 {
        let mut core = house.work(&other_rule(), &[]).await;
        for _ in 0..64 {
            house.append(Input::Callback(Box::new(house.event(EventKind::PushError, late)))).await;
        }
        wait_for(&mut core.warnings, |shown| matches!(shown[..], [Warning::LateCallbacks { .. }])).await;
        core.end(&house).await;
        let told = house.journal().await.into_iter().filter(|input| match input {
            Input::Noticed(notice) => matches!(**notice, Notice::LateCallbacks { median } if median >= 40_000),
            _ => false,
        });
        assert_eq!(told.count(), 1);
        house.restart().await;
    }
}

/// Everything from now on, for so long.
fn mute(house: &House, length: Duration) -> Input {
    let now = house.clock.wall();
    Input::Muted(Box::new(Mute {
        id: MuteId(1),
        matchers: "rule!=\"\"".into(),
        within: None,
        set_at: now,
        until: now + length,
        author: "ann".into(),
        reason: "works".into(),
    }))
}

#[tokio::test]
async fn a_mute_ends_on_time_though_nothing_comes_in_and_where_the_wall_clock_is_set_past_its_end() {
    let hour = Duration::from_secs(3600);
    for (length, step) in [(Duration::from_millis(700), 0), (hour, 3_700_000)] {
        let house = House::new();
        let core = house.work(&at(1), &[]).await;
        let begun = house.clock.steady();
        house.append(mute(&house, length)).await;
        house.report().await;
        house.ahead.store(step, Ordering::Relaxed);
        let outbox = Shard::Channel(ChannelName::new("ops"));
        let lease = house.store.open(outbox, Duration::ZERO).await.unwrap().lease;
        let rows = loop {
            assert!(house.clock.steady().since(begun) < PATIENCE, "{length:?}");
            match house.store.next(&lease, 10, Duration::from_secs(1)).await.unwrap().items {
                Items::Outbox(rows) if rows.is_empty() => {}
                Items::Outbox(rows) => break rows,
                Items::Journal(_) => panic!("no journal"),
            }
        };
        let waited = house.clock.steady().since(begun);
        assert_eq!((rows.len(), rows[0].1.reason), (1, Reason::Post));
        // A step of the clock is noticed within the 5 s in which nothing need turn the loop.
        let most = if step == 0 { length } else { IDLE } + Duration::from_secs(2);
        assert!(waited <= most, "{waited:?} of {most:?}");
        assert!(step != 0 || waited >= length - Duration::from_millis(2), "{waited:?}: too early");
        core.end(&house).await;
    }
}
