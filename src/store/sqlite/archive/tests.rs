//! Entries come back as they were kept: in order, from a time on, beside a writer, and from bodies of another version.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::super::{Settings, Sqlite, packed};
use super::*;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::NewEntry;
use crate::store::{Appended, Changes, Commit, Shard, Store, samples};

async fn open(dir: &Path) -> (Arc<Sqlite>, Arc<Clock>) {
    let clock = Arc::new(Clock::start());
    let store = Sqlite::open(Settings::for_testing(dir), Arc::clone(&clock), Arc::new(Metrics::new())).unwrap();
    (store, clock)
}

async fn append(store: &Sqlite, entry: NewEntry) {
    assert!(matches!(store.append(&Shard::Engine, entry).await, Ok(Appended::New(_))));
}

/// Reads a body by its nonce alone, which is enough to know it again.
fn by_nonce(body: &[u8], id: EventId) -> Option<Event> {
    let body = std::str::from_utf8(body).ok()?;
    let Input::Callback(mut event) = samples::callback(1).input else { return None };
    event.id = id;
    event.node = Some(body.rsplit_once("\"nonce\":\"")?.1.into());
    Some(*event)
}

fn none(_: &[u8], _: EventId) -> Option<Event> {
    None
}

fn seqs(entries: Entries) -> Vec<u64> {
    entries.map(|entry| entry.unwrap().seq.0).collect()
}

#[tokio::test]
async fn what_was_kept_comes_back_decoded_beside_a_running_writer() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path()).await;
    for number in 1..=200 {
        append(&store, samples::callback(number)).await;
    }
    let muted = Input::Unmuted { id: crate::model::MuteId(7) };
    append(&store, NewEntry { input: muted.clone(), body: Bytes::new() }).await;
    let entries = Archive::open(dir.path()).unwrap().entries(Begin::Start, none).unwrap();
    assert_eq!(entries.total(), 201);
    // Kept after the reading began: of another time.
    append(&store, samples::callback(300)).await;
    let read: Vec<Entry> = entries.map(Result::unwrap).collect();
    assert_eq!(read.len(), 201);
    for (number, entry) in (1..).zip(&read[..200]) {
        assert_eq!((entry.seq, &entry.input), (Seq(number), &samples::callback(number).input));
    }
    assert_eq!((read[200].seq, &read[200].input), (Seq(201), &muted));
    assert!(read.is_sorted_by_key(|entry| entry.received_at));
    store.close().await;
}

#[tokio::test]
async fn it_begins_at_a_time_and_goes_back_from_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = open(dir.path()).await;
    for number in 1..=150 {
        clock.not_before(clock.steady() + Duration::from_secs(10));
        append(&store, samples::callback(number)).await;
    }
    let archive = || Archive::open(dir.path()).unwrap();
    let all: Vec<Entry> = archive().entries(Begin::Start, none).unwrap().map(Result::unwrap).collect();
    let entries = archive().entries(Begin::Time(all[99].received_at), none).unwrap();
    assert_eq!((entries.total(), entries.place(Seq(100)), entries.place(Seq(150))), (51, 1, 51));
    assert_eq!(seqs(entries), (100..=150).collect::<Vec<_>>());
    let entries = archive().entries(Begin::Entry(Seq(120)), none).unwrap();
    assert_eq!((entries.total(), seqs(entries)), (31, (120..=150).collect::<Vec<_>>()));
    let later = archive().entries(Begin::Time(all[149].received_at + Duration::from_millis(1)), none).unwrap();
    assert_eq!((later.total(), seqs(later)), (0, vec![]));

    let (archive, mut back, mut at) = (archive(), Vec::new(), Seq(151));
    assert_eq!(archive.head().unwrap(), Some(Seq(150)));
    loop {
        let page = archive.before(at, none).unwrap();
        let Some(first) = page.first() else { break };
        at = first.seq;
        back.splice(0..0, page);
    }
    assert_eq!(back, all);
    store.close().await;
}

#[tokio::test]
async fn an_empty_folder_has_no_entries_and_a_missing_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Archive::open(dir.path()).unwrap_err();
    assert!(missing.to_string().contains("no pushwatch has run"), "{missing}");
    let (store, _) = open(dir.path()).await;
    let archive = Archive::open(dir.path()).unwrap();
    assert_eq!((archive.head().unwrap(), archive.before(Seq(1), none).unwrap()), (None, vec![]));
    let entries = archive.entries(Begin::Time(Timestamp(0)), none).unwrap();
    assert_eq!((entries.total(), seqs(entries)), (0, vec![]));
    store.close().await;
}

#[test]
fn callbacks_of_another_version_are_read_from_their_bodies_and_the_rest_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let conn = schema::open(&dir.path().join(DATABASE)).unwrap();
    let resumed = Input::Resumed { from: Timestamp(1), to: Timestamp(2) };
    let mut batch = [samples::callback(1), NewEntry { input: resumed, body: Bytes::new() }, samples::callback(3)];
    let span = Span { first: Seq(1), last: Seq(3), at: Timestamp(10) };
    journal::insert(&conn, span, &packed::pack(&mut batch).unwrap()).unwrap();
    let span = Span { first: Seq(4), last: Seq(4), at: Timestamp(20) };
    journal::insert(&conn, span, &packed::pack(&mut [samples::callback(4)]).unwrap()).unwrap();
    conn.execute("UPDATE journal SET codec = 99, events = x'00' WHERE first_seq = 1", []).unwrap();

    let mut entries = Archive::open(dir.path()).unwrap().entries(Begin::Start, by_nonce).unwrap();
    let read: Vec<Entry> = entries.by_ref().map(Result::unwrap).collect();
    assert_eq!(read.iter().map(|entry| entry.seq.0).collect::<Vec<_>>(), [1, 3, 4]);
    assert_eq!(entries.unreadable(), 1);
    for (entry, number) in read.iter().zip([1, 3, 4]) {
        assert_eq!(entry.input.id(), samples::callback(number).input.id());
    }
    let back = Archive::open(dir.path()).unwrap().before(Seq(4), by_nonce).unwrap();
    assert_eq!(back, read[..2]);
}

#[test]
fn damage_is_said_once_and_ends_the_reading() {
    let dir = tempfile::tempdir().unwrap();
    let conn = schema::open(&dir.path().join(DATABASE)).unwrap();
    for number in 1..=3 {
        let span = Span { first: Seq(number), last: Seq(number), at: Timestamp(10) };
        journal::insert(&conn, span, &packed::pack(&mut [samples::callback(number)]).unwrap()).unwrap();
    }
    conn.execute("UPDATE journal SET events = x'0102' WHERE first_seq = 2", []).unwrap();
    let read: Vec<_> = Archive::open(dir.path()).unwrap().entries(Begin::Start, none).unwrap().collect();
    assert_eq!(read.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn values_of_maps_and_incidents_are_read_beside_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path()).await;
    store.table("rules").put("last_good", "version: 1").await.unwrap();
    let opened = store.open(Shard::Engine, Duration::ZERO).await.unwrap();
    let changes = crate::model::EngineChanges { incidents: vec![samples::incident(5)], ..Default::default() };
    let commit = Commit { cursor: opened.cursor, changes: Changes::Engine(changes) };
    store.commit(&opened.lease, commit).await.unwrap();
    let archive = Archive::open(dir.path()).unwrap();
    assert_eq!(archive.value("rules", "last_good").unwrap().as_deref(), Some("version: 1"));
    assert_eq!(archive.value("rules", "other").unwrap(), None);
    assert_eq!(archive.incident(IncidentId(5)).unwrap(), Some(samples::incident(5)));
    assert_eq!(archive.incident(IncidentId(6)).unwrap(), None);
    store.close().await;
}
