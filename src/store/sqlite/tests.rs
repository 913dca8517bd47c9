//! SQLite alone: the folder's lock, damage, retention, the log's bound, a crash.

mod room;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};

use super::queue::lock;
use super::{OpenError, Scan, Settings, Sqlite};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{EngineChanges, GroupId, Incident, Keyed, State, Timestamp};
use crate::store::conformance::{self, Backend, Running, engine_of, journal, new, outbox};
use crate::store::samples::{callback, channel, engine, group, incident, message, notice, notification, ops, sent};
use crate::store::{ChannelChanges, Reader, Shard, Store, StoreError};

const NOW: Duration = Duration::ZERO;
const DAY: Duration = Duration::from_secs(86_400);

struct OnDisk {
    dir: tempfile::TempDir,
    running: Mutex<Option<Arc<Sqlite>>>,
}

impl Backend for OnDisk {
    fn start(&self) -> BoxFuture<'_, Running> {
        async {
            let store = open(Settings::for_testing(self.dir.path()));
            *lock(&self.running) = Some(store.clone());
            Running { store: store.clone(), reader: store }
        }
        .boxed()
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        let running = lock(&self.running).take();
        async move { running.unwrap().close().await }.boxed()
    }
}

#[tokio::test]
async fn it_conforms() {
    conformance::run(|| OnDisk { dir: tempfile::tempdir().unwrap(), running: Mutex::default() }).await;
}

fn open(settings: Settings) -> Arc<Sqlite> {
    Sqlite::open(settings, Arc::new(Clock::start()), Arc::new(Metrics::new())).unwrap()
}

fn refused(dir: &Path) -> OpenError {
    Sqlite::open(Settings::for_testing(dir), Arc::new(Clock::start()), Arc::new(Metrics::new())).unwrap_err()
}

/// A store whose clock can be set forward.
fn open_with_clock(settings: Settings) -> (Arc<Sqlite>, Arc<Clock>) {
    let clock = Arc::new(Clock::start());
    let store = Sqlite::open(settings, clock.clone(), Arc::new(Metrics::new())).unwrap();
    (store, clock)
}

fn pass(clock: &Clock, time: Duration) {
    clock.not_before(clock.steady() + time);
}

async fn fill(store: &Sqlite, numbers: std::ops::Range<u64>) {
    for appended in join_all(numbers.map(|number| store.append(&Shard::Engine, callback(number)))).await {
        new(appended);
    }
}

fn recorded(dir: &Path) -> Vec<u64> {
    Scan::open(dir, None).unwrap().map(|recorded| recorded.unwrap().seq.0).collect()
}

fn file(dir: &Path) -> PathBuf {
    dir.join(super::DATABASE)
}

#[tokio::test]
async fn a_second_process_is_refused_and_a_scan_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(Settings::for_testing(dir.path()));
    fill(&store, 0..3).await;
    assert!(matches!(refused(dir.path()), OpenError::Locked { .. }));
    assert_eq!(recorded(dir.path()), [1, 2, 3]);
    store.close().await;
    assert!(matches!(store.append(&Shard::Engine, callback(9)).await, Err(StoreError::Closed)));
    open(Settings::for_testing(dir.path())).close().await;
}

#[tokio::test]
async fn a_scan_gives_bodies_back_from_a_time_on_and_says_if_there_is_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Scan::open(dir.path(), None), Err(OpenError::Missing { .. })));
    let (store, clock) = open_with_clock(Settings::for_testing(dir.path()));
    fill(&store, 0..40).await;
    pass(&clock, DAY);
    let since = clock.steady();
    for number in 40..80 {
        fill(&store, number..number + 1).await;
    }
    let all: Vec<_> = Scan::open(dir.path(), None).unwrap().map(Result::unwrap).collect();
    assert_eq!(all.len(), 80);
    assert!(all.iter().all(|one| one.body == callback(one.seq.0 - 1).body));
    let late: Vec<_> = Scan::open(dir.path(), Some(since)).unwrap().map(|one| one.unwrap().seq.0).collect();
    assert_eq!(late, (41..=80).collect::<Vec<_>>());
    assert_eq!(Scan::open(dir.path(), Some(since + DAY)).unwrap().count(), 0);
    store.close().await;
}

#[tokio::test]
async fn a_file_that_is_newer_foreign_or_damaged_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(Settings::for_testing(dir.path()));
    fill(&store, 0..300).await;
    store.close().await;
    let good = fs::read(file(dir.path())).unwrap();
    let with = |sql: &str| {
        fs::write(file(dir.path()), &good).unwrap();
        rusqlite::Connection::open(file(dir.path())).unwrap().execute_batch(sql).unwrap();
        refused(dir.path())
    };
    assert!(matches!(with("PRAGMA user_version = 99"), OpenError::Newer { found: 99, .. }));
    assert!(matches!(with("PRAGMA application_id = 7"), OpenError::Foreign { found: 7, .. }));
    assert!(matches!(with("DROP TABLE keyed"), OpenError::Damaged { .. }));
    assert!(matches!(with("UPDATE journal SET events = x'00' WHERE first_seq = 1"), OpenError::Damaged { .. }));
    let written = |bytes: &[u8]| {
        fs::write(file(dir.path()), bytes).unwrap();
        let refused = refused(dir.path());
        assert_eq!(fs::read(file(dir.path())).unwrap(), bytes, "left as it was");
        assert!(refused.to_string().contains("pushwatch.db is damaged"), "{refused}");
    };
    written(&good[..good.len() / 2]);
    written(b"once upon a time, a file was not a database");
    let mut scrambled = good.clone();
    scrambled[100..4096].fill(0xa5);
    written(&scrambled);
    fs::write(file(dir.path()), &good).unwrap();
    let store = open(Settings::for_testing(dir.path()));
    assert_eq!(new(store.append(&Shard::Engine, callback(300)).await), 301);
    store.close().await;
}

#[tokio::test]
async fn a_database_killed_before_its_first_table_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let conn = rusqlite::Connection::open(file(dir.path())).unwrap();
    conn.pragma_update(None, "journal_mode", "WAL").unwrap();
    conn.execute_batch("CREATE TABLE t (x); DROP TABLE t").unwrap();
    drop(conn);
    let store = open(Settings::for_testing(dir.path()));
    fill(&store, 0..1).await;
    store.close().await;
}

#[tokio::test]
async fn old_callbacks_go_and_their_numbers_do_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = open_with_clock(Settings::for_testing(dir.path()));
    let (lease, ..) = engine_of(store.open(Shard::Engine, DAY).await.unwrap()).await;
    fill(&store, 0..20).await;
    store.commit(&lease, engine(10, clock.steady(), EngineChanges::default())).await.unwrap();
    pass(&clock, 10 * DAY);
    // The cursor's time must not stand in the way; its number must.
    store.commit(&lease, engine(10, clock.steady(), EngineChanges::default())).await.unwrap();
    fill(&store, 20..22).await;
    fill(&store, 22..24).await;
    assert!(recorded(dir.path()).ends_with(&(11..=24).collect::<Vec<_>>()), "not taken in yet");
    store.commit(&lease, engine(24, clock.steady(), EngineChanges::default())).await.unwrap();
    pass(&clock, 10 * DAY);
    store.commit(&lease, engine(24, clock.steady(), EngineChanges::default())).await.unwrap();
    for number in 24.. {
        fill(&store, number..number + 1).await;
        if recorded(dir.path()).first() == Some(&25) {
            store.commit(&lease, engine(number + 1, clock.steady(), EngineChanges::default())).await.unwrap();
            break;
        }
    }
    let last = *recorded(dir.path()).last().unwrap();
    store.close().await;
    rusqlite::Connection::open(file(dir.path())).unwrap().execute_batch("DELETE FROM journal").unwrap();
    let store = open(Settings::for_testing(dir.path()));
    assert_eq!(new(store.append(&Shard::Engine, callback(1)).await), last + 1);
    store.close().await;
}

#[tokio::test]
async fn what_is_over_goes_with_its_message_unless_something_is_still_owed() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = open_with_clock(Settings::for_testing(dir.path()));
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let mine = store.open(Shard::Channel(ops()), NOW).await.unwrap().lease;
    let now = clock.steady();
    let over = |number| {
        let (mut incident, mut group) = (incident(number), group(number));
        (incident.state, incident.resolved_at, group.closed_at) = (State::Resolved, Some(now), Some(now));
        (incident, group)
    };
    let (incidents, groups) = [over(1), over(2)].into_iter().unzip();
    let changes = EngineChanges {
        incidents,
        groups,
        forgotten: vec![GroupId(1), GroupId(2)],
        outbox: vec![notification(&ops(), 1), notification(&ops(), 2), notice(&ops())],
        ..EngineChanges::default()
    };
    store.commit(&lease, engine(0, now, changes)).await.unwrap();
    let changes = ChannelChanges {
        deliveries: vec![sent(1, &notification(&ops(), 1), now), sent(3, &notice(&ops()), now)],
        messages: vec![message(1), message(2)],
        ..ChannelChanges::default()
    };
    store.commit(&mine, channel(3, changes)).await.unwrap();
    pass(&clock, 4 * DAY);
    for number in 0.. {
        fill(&store, number..number + 1).await;
        if store.group(GroupId(1)).await.unwrap().is_none() {
            break;
        }
    }
    assert!(store.group(GroupId(2)).await.unwrap().is_some(), "its row is not sent");
    let count = |table: &str| {
        store.readers.read_here(|conn| {
            Ok(conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))?)
        })
    };
    for table in ["outbox", "messages", "incidents", "incident_groups"] {
        assert_eq!(count(table).unwrap(), 1, "{table}");
    }
    store.close().await;
    rusqlite::Connection::open(file(dir.path()))
        .unwrap()
        .execute_batch("DELETE FROM outbox; DELETE FROM shards")
        .unwrap();
    let store = open(Settings::for_testing(dir.path()));
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let mine = store.open(Shard::Channel(ops()), NOW).await.unwrap().lease;
    let changes = EngineChanges { outbox: vec![notification(&ops(), 2)], ..EngineChanges::default() };
    store.commit(&lease, engine(0, now, changes)).await.unwrap();
    assert_eq!(outbox(store.next(&mine, 9, DAY).await)[0].0, 4, "outbox numbers do not come back either");
    store.close().await;
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(Settings { queue: 8, ..Settings::for_testing(dir.path()) });
    let appended = join_all((0..5000).map(|number| store.append(&Shard::Engine, callback(number)))).await;
    let kept = appended.iter().filter(|appended| appended.is_ok()).count();
    assert!(appended.iter().any(|appended| matches!(appended, Err(StoreError::Overloaded(_)))));
    assert_eq!(recorded(dir.path()).len(), kept);
    store.close().await;
}

#[tokio::test]
async fn the_log_stays_within_its_bound_under_load() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings::for_testing(dir.path());
    let bound = settings.wal_bytes * 4 + (512 << 10);
    let store = open(settings);
    let mut written = 0;
    for round in 0..40 {
        fill(&store, round * 500..(round + 1) * 500).await;
        written = fs::metadata(file(dir.path()).with_extension("db-wal")).unwrap().len().max(written);
    }
    assert!(fs::metadata(file(dir.path())).unwrap().len() > 2 * bound, "the test writes too little");
    assert!(written < bound, "{written} bytes of log");
    store.close().await;
}

#[tokio::test]
async fn an_engine_that_lags_behind_memory_misses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(Settings { tail: 10, ..Settings::for_testing(dir.path()) });
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let mut seqs: Vec<u64> = Vec::new();
    for round in 0..20 {
        fill(&store, round * 37..(round + 1) * 37).await;
        for max in [1, 5, 20] {
            seqs.extend(journal(store.next(&lease, max, DAY).await).0.iter().map(|entry| entry.seq.0));
        }
    }
    while seqs.len() < 740 {
        seqs.extend(journal(store.next(&lease, 100, DAY).await).0.iter().map(|entry| entry.seq.0));
    }
    assert_eq!(seqs, (1..=740).collect::<Vec<_>>());
    store.close().await;
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_taken_and_the_process_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(Settings::for_testing(dir.path()));
    let mut fatal = store.fatal();
    let failed = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
    store.shared.notice(&rusqlite::Error::SqliteFailure(failed, None).into());
    fatal.changed().await.unwrap();
    assert!(fatal.borrow().is_some());
    assert!(matches!(store.append(&Shard::Engine, callback(1)).await, Err(StoreError::Closed)));
    store.close().await;
}

#[tokio::test]
async fn a_crash_loses_nothing_that_was_answered() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(Settings::for_testing(dir.path()));
    fill(&store, 0..100).await;
    // As the disk is at this moment; the log is not in the database yet.
    for name in ["pushwatch.db", "pushwatch.db-wal"] {
        fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
    }
    store.close().await;
    assert_eq!(recorded(copy.path()).len(), 100, "a scan reads what a crash left");
    let store = open(Settings::for_testing(copy.path()));
    assert_eq!(new(store.append(&Shard::Engine, callback(100)).await), 101);
    store.close().await;
}

/// Of each of these a group with an incident that fires, one that is over and one that is pending, and keyed state.
async fn much(store: &Sqlite, numbers: std::ops::Range<u64>) {
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let at = |id: u64, group: u64, state| Incident { group: Some(GroupId(group)), state, ..incident(id) };
    let most = numbers.end;
    let incidents = numbers.clone().flat_map(|n| {
        [at(n, n, State::Firing), at(n + most, n, State::Resolved), at(n + 2 * most, n / 700, State::Pending)]
    });
    let keyed = numbers.clone().map(|n| Keyed { kind: "cell", key: n.to_string(), value: Some("{}".to_owned()) });
    let changes = EngineChanges {
        incidents: incidents.collect(),
        groups: numbers.map(group).collect(),
        keyed: keyed.collect(),
        ..EngineChanges::default()
    };
    store.commit(&lease, engine(1, Timestamp(1), changes)).await.unwrap();
}

#[tokio::test]
async fn all_that_is_open_is_loaded_once_however_much_it_is() {
    for many in [1, 511, 512, 513, 1024, 1500] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(Settings::for_testing(dir.path()));
        much(&store, 1..many + 1).await;
        let (_, _, state) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
        let ids = |state: State, from: u64| {
            let wanted = (1..=many).map(|n| n + from * (many + 1));
            (state, wanted.collect::<Vec<u64>>())
        };
        for (wanted, ids) in [ids(State::Firing, 0), ids(State::Resolved, 1), ids(State::Pending, 2)] {
            let found = state.incidents.iter().filter(|incident| incident.state == wanted);
            let mut found: Vec<u64> = found.map(|incident| incident.id.0).collect();
            found.sort_unstable();
            assert_eq!(found, ids, "{wanted:?} of {many}");
        }
        assert_eq!(state.groups.iter().map(|group| group.id.0).collect::<Vec<_>>(), (1..=many).collect::<Vec<_>>());
        assert_eq!(state.keyed.iter().filter(|(kind, ..)| kind == "cell").count() as u64, many);
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_long_to_load_does_not_hold_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(Settings::for_testing(dir.path()));
    much(&store, 1..4_000).await;
    let opened = store.open(Shard::Engine, NOW).await.unwrap();
    let crate::store::State::Engine(mut parts) = opened.state else { panic!() };
    let mut count = parts.next().await.unwrap().unwrap().keyed.len();
    fill(&store, 1..10).await;
    let conn = rusqlite::Connection::open(file(dir.path())).unwrap();
    conn.busy_timeout(Duration::from_secs(5)).unwrap();
    let is_held: i64 = conn.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0)).unwrap();
    assert_eq!(is_held, 0);
    while let Some(part) = parts.next().await.unwrap() {
        count += part.keyed.len();
    }
    assert!(count >= 3_999, "{count}");
}
