//! SQLite short of room: the size cap, a full disk, and starts under both.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::super::{Settings, Sqlite};
use super::{DAY, NOW, file, fill, open, open_with_clock, pass, recorded};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{EngineChanges, GroupId, Input, Keyed, NewEntry, Timestamp};
use crate::store::conformance::{engine_of, journal, new};
use crate::store::samples::{callback, engine, group, notification, ops};
use crate::store::{Appended, Reader, Shard, Store, StoreError};

/// An input of our own making.
fn rules_loaded() -> NewEntry {
    NewEntry { input: Input::RulesLoaded { hash: "ab".into() }, body: bytes::Bytes::new() }
}

/// All `Resumed` in the journal.
async fn resumptions(dir: &Path) -> Vec<(Timestamp, Timestamp)> {
    let store = open(Settings::for_testing(dir));
    let (lease, ..) = engine_of(store.open(Shard::Engine, 1000 * DAY).await.unwrap()).await;
    let mut found = Vec::new();
    loop {
        let (entries, _) = journal(store.next(&lease, 1000, NOW).await);
        if entries.is_empty() {
            break;
        }
        found.extend(entries.into_iter().filter_map(|entry| match entry.input {
            Input::Resumed { from, to } => Some((from, to)),
            _ => None,
        }));
    }
    store.close().await;
    found
}

#[tokio::test]
async fn at_the_size_cap_old_ones_go_and_needed_ones_make_it_refuse() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { max_bytes: 3 << 20, ..Settings::for_testing(dir.path()) };
    let (store, clock) = open_with_clock(settings);
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let mut number = 0;
    let refusal = loop {
        pass(&clock, Duration::from_secs(2));
        match join_all((number..number + 200).map(|n| store.append(&Shard::Engine, callback(n)))).await.remove(0) {
            Ok(_) => number += 200,
            Err(error) => break error,
        }
        assert!(number < 100_000, "never refused");
    };
    assert!(matches!(&refusal, StoreError::Overloaded(why) if why.contains("size cap")), "{refusal}");
    assert_eq!(recorded(dir.path())[0], 1, "nothing needed is deleted");
    // Taken in, and past the memory of duplicates: may go.
    pass(&clock, DAY);
    let last = *recorded(dir.path()).last().unwrap();
    loop {
        pass(&clock, Duration::from_secs(2));
        store.commit(&lease, engine(last, clock.steady(), EngineChanges::default())).await.unwrap();
        if store.append(&Shard::Engine, callback(number)).await.is_ok() {
            break;
        }
    }
    assert!(recorded(dir.path())[0] > 1);
    let (entries, _) = journal(store.next(&lease, usize::MAX, NOW).await);
    drop(entries);
    store.close().await;
    let entries = resumptions(dir.path()).await;
    assert_eq!(entries.len(), 1, "that nobody was heard meanwhile is journaled");
    assert!(entries[0].1.since(entries[0].0) >= DAY);
}

#[tokio::test]
async fn a_start_at_the_size_cap_journals_what_stands_before_the_first_callback() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(Settings::for_testing(dir.path()));
    fill(&store, 0..6000).await;
    store.close().await;
    let size = fs::metadata(file(dir.path())).unwrap().len();
    let (store, clock) = open_with_clock(Settings { max_bytes: size / 2, ..Settings::for_testing(dir.path()) });
    store.open(Shard::Engine, NOW).await.unwrap();
    let mut number = 6000;
    let refused = loop {
        number += 1;
        if let Err(error) = store.append(&Shard::Engine, callback(number)).await {
            break error;
        }
        pass(&clock, Duration::from_secs(2));
    };
    assert!(matches!(&refused, StoreError::Overloaded(why) if why.contains("size cap")), "{refused}");
    pass(&clock, Duration::from_secs(5));
    let (own, theirs, repeat) = tokio::join!(
        store.append(&Shard::Engine, rules_loaded()),
        store.append(&Shard::Engine, callback(number)),
        store.append(&Shard::Engine, callback(1))
    );
    new(own);
    assert!(matches!(theirs, Err(StoreError::Overloaded(_))), "{theirs:?}");
    assert!(matches!(repeat, Ok(Appended::Duplicate) | Err(StoreError::Overloaded(_))), "{repeat:?}");
    pass(&clock, Duration::from_secs(7));
    new(store.append(&Shard::Engine, rules_loaded()).await);
    store.close().await;
    let deaf: Vec<_> = resumptions(dir.path()).await.into_iter().map(|(from, to)| to.since(from)).collect();
    let [first, second] = deaf[..] else { panic!("{deaf:?}") };
    assert!(first >= Duration::from_secs(5), "before the rules, that nobody was heard: {first:?}");
    assert!(second >= Duration::from_secs(7), "from the refusal beside the rules on: {second:?}");
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_kept_by_halves_and_it_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { hard_bytes: Some(1 << 20), ..Settings::for_testing(dir.path()) };
    let (store, clock) = open_with_clock(settings);
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let large = EngineChanges {
        groups: vec![group(1)],
        keyed: vec![Keyed { kind: "stream", key: "k".to_owned(), value: Some("x".repeat(2 << 20)) }],
        outbox: vec![notification(&ops(), 1)],
        ..EngineChanges::default()
    };
    let failed = store.commit(&lease, engine(5, Timestamp(5), large)).await;
    assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
    assert!(store.group(GroupId(1)).await.unwrap().is_none());
    let small = EngineChanges { groups: vec![group(1)], ..EngineChanges::default() };
    store.commit(&lease, engine(5, Timestamp(5), small)).await.unwrap();
    let appended = loop {
        pass(&clock, Duration::from_secs(2));
        match store.append(&Shard::Engine, callback(1)).await {
            Err(StoreError::Overloaded(_)) => {}
            other => break other,
        }
    };
    new(appended);
    store.close().await;
}

#[tokio::test]
async fn the_reserve_is_filled_once_something_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    let reserve = dir.path().join("reserve");
    open(Settings::for_testing(dir.path())).close().await;
    assert!(!reserve.exists());
    let store = open(Settings::for_testing(dir.path()));
    store.table("rules").put("k", "text").await.unwrap();
    while !reserve.exists() {
        tokio::task::yield_now().await;
    }
    store.close().await;
}

#[tokio::test]
#[ignore = "fills its disk: run it with TMPDIR on a file system of a few MiB"]
async fn a_start_on_a_full_disk_gets_through_with_the_reserve() {
    // Full to the last page, or just not enough for the log, the first commit, the ones behind it.
    for left in [0, 16 << 10, 36 << 10, 64 << 10, 100 << 10, 400 << 10] {
        start_with(left).await;
    }
}

async fn start_with(left: u64) {
    let base = tempfile::tempdir().unwrap();
    let dir = base.path().join("data");
    let settings = || Settings { reserve_bytes: 1 << 20, ..Settings::for_testing(&dir) };
    let reserved = || dir.join("reserve").exists();
    let store = open(settings());
    fill(&store, 0..100).await;
    while !reserved() {
        tokio::task::yield_now().await;
    }
    store.close().await;
    // Something else fills the disk while we are down.
    let mut other = File::create(base.path().join("other")).unwrap();
    let is_full = (0..64 << 20).step_by(512).any(|_| other.write_all(&[1; 512]).is_err());
    assert!(is_full, "the disk is larger than this test fills");
    other.set_len(other.metadata().unwrap().len() - left).unwrap();
    for round in 0..4 {
        let store = Sqlite::open(settings(), Arc::new(Clock::start()), Arc::new(Metrics::new())).unwrap();
        // What a start needs.
        store.table("rules").put("k", &"text".repeat(1000 + round)).await.unwrap();
        store.open(Shard::Engine, NOW).await.unwrap();
        new(store.append(&Shard::Engine, rules_loaded()).await);
        store.close().await;
    }
    other.set_len(0).unwrap();
    let (store, clock) = open_with_clock(settings());
    for number in 1000.. {
        pass(&clock, Duration::from_secs(2));
        let appended = store.append(&Shard::Engine, callback(number)).await;
        if appended.is_ok() && reserved() {
            break;
        }
    }
    store.close().await;
}
