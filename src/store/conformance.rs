//! What every backend behind the store's traits must do; a backend's tests run all of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};

use super::samples::{
    attempt, callback, channel, engine, group, incident, message, notice, notification, ops, sent, whole,
};
use super::{
    Appended, Batch, ChannelChanges, ChannelState, Items, Lease, Opened, Reader, Shard, State, Store, StoreError,
};
use crate::model::{
    ChannelName, Cursor, Delivery, DeliveryState, EngineChanges, EngineState, Entry, GroupId, Keyed, Notification, Seq,
    Timestamp,
};

mod folding;
mod listing;
mod owing;

/// Both sides of a running backend.
pub(crate) struct Running {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) reader: Arc<dyn Reader>,
}

/// A backend under test, over the same durable data at each start.
pub(crate) trait Backend {
    /// Starts it.
    fn start(&self) -> BoxFuture<'_, Running>;
    /// Stops it, as a restart does.
    fn stop(&self) -> BoxFuture<'_, ()>;
}

const NOW: Duration = Duration::ZERO;
/// Longer than any test: what is waited for must come.
const LONG: Duration = Duration::from_secs(60);

/// Runs everything, each part on a backend of its own.
pub(crate) async fn run<B: Backend>(new: impl Fn() -> B) {
    what_is_appended_comes_in_order(&new()).await;
    a_repeat_is_known_in_flight_and_after_a_restart(&new()).await;
    a_commit_is_there_as_a_whole_after_a_restart(&new()).await;
    an_earlier_owner_is_fenced_off_and_leaves_no_trace(&new()).await;
    the_lookback_comes_first(&new()).await;
    the_head_is_known_exactly(&new()).await;
    rows_are_handed_to_their_channel_once_and_again_after_a_restart(&new()).await;
    a_channel_goes_on_from_its_unfinished_rows(&new()).await;
    a_notice_waits_with_its_words_among_the_rows_of_groups(&new()).await;
    owing::what_a_channel_owes_reaches_its_channel_as_the_engines_rows_do(&new()).await;
    owing::what_a_channel_remembers_is_there_after_a_restart(&new()).await;
    listing::deliveries_are_listed_by_state_and_channel_newest_first(&new()).await;
    owing::a_channel_that_is_fenced_off_owes_nothing(&new()).await;
    folding::a_digest_its_rows_and_its_members_are_there_after_a_restart(&new()).await;
    folding::members_come_in_pages_with_their_incidents_as_they_are(&new()).await;
    groups_are_readable_and_forgotten_ones_are_not_loaded(&new()).await;
    a_table_is_shared_watched_and_durable(&new()).await;
}

async fn what_is_appended_comes_in_order(backend: &impl Backend) {
    let Running { store, .. } = backend.start().await;
    let appended = join_all((0..50).map(|number| store.append(&Shard::Engine, callback(number)))).await;
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let mut seqs: Vec<u64> = appended.into_iter().map(new).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=50).collect::<Vec<_>>());
    let (entries, watermark) = journal(store.next(&lease, 20, LONG).await);
    assert_eq!(entries.len(), 20);
    assert!(entries.iter().all(|entry| entry.received_at <= watermark));
    let mut all = entries;
    while all.len() < 50 {
        all.extend(journal(store.next(&lease, 20, LONG).await).0);
    }
    assert_eq!(all.iter().map(|entry| entry.seq.0).collect::<Vec<_>>(), (1..=50).collect::<Vec<_>>());
    assert!(all.is_sorted_by_key(|entry| entry.received_at), "time never goes back");
    for number in 0..50 {
        let wanted = callback(number).input;
        assert!(all.iter().any(|entry| entry.input == wanted), "callback {number} is as it was");
    }
    let (none, before) = journal(store.next(&lease, 20, NOW).await);
    assert!(none.is_empty());
    // One that is waited for, while it is waited for.
    let waiting = store.next(&lease, 20, LONG);
    let (got, appended) = tokio::join!(waiting, store.append(&Shard::Engine, callback(50)));
    let (got, _) = journal(got);
    assert_eq!(got.iter().map(|entry| entry.seq.0).collect::<Vec<_>>(), [new(appended)]);
    assert!(got[0].received_at >= before, "nothing is stamped before a watermark");
    backend.stop().await;
}

async fn a_repeat_is_known_in_flight_and_after_a_restart(backend: &impl Backend) {
    let Running { store, .. } = backend.start().await;
    let both = join_all([1, 2, 1, 1].map(|number| store.append(&Shard::Engine, callback(number)))).await;
    let news = both.iter().filter(|appended| matches!(appended, Ok(Appended::New(_)))).count();
    let repeats = both.iter().filter(|appended| matches!(appended, Ok(Appended::Duplicate))).count();
    assert_eq!((news, repeats), (2, 2));
    assert_eq!(store.append(&Shard::Engine, callback(2)).await.unwrap(), Appended::Duplicate);
    backend.stop().await;
    let Running { store, .. } = backend.start().await;
    assert_eq!(store.append(&Shard::Engine, callback(1)).await.unwrap(), Appended::Duplicate);
    assert_eq!(new(store.append(&Shard::Engine, callback(3)).await), 3, "numbers go on");
    backend.stop().await;
}

async fn a_commit_is_there_as_a_whole_after_a_restart(backend: &impl Backend) {
    let Running { store, .. } = backend.start().await;
    for number in 0..3 {
        store.append(&Shard::Engine, callback(number)).await.unwrap();
    }
    let (lease, cursor, state) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    assert_eq!((cursor, state.incidents.len(), state.groups.len()), (Cursor::default(), 0, 0));
    let (entries, _) = journal(store.next(&lease, 2, LONG).await);
    let at = entries[1].received_at;
    let changes = EngineChanges {
        incidents: vec![incident(1)],
        groups: vec![group(1)],
        keyed: vec![keyed("a", Some("{}")), keyed("b", Some("[1]")), keyed("b", None)],
        outbox: vec![notification(&ops(), 1)],
        ..EngineChanges::default()
    };
    store.commit(&lease, engine(2, at, changes)).await.unwrap();
    backend.stop().await;
    let Running { store, .. } = backend.start().await;
    let opened = store.open(Shard::Engine, NOW).await.unwrap();
    assert!(opened.last_alive >= at);
    let (lease, cursor, state) = engine_of(opened).await;
    assert_eq!(cursor, Cursor { seq: Seq(2), at });
    assert_eq!((state.incidents, state.groups), (vec![incident(1)], vec![group(1)]));
    assert_eq!(state.keyed, [("stream".to_owned(), "a".to_owned(), "{}".to_owned())]);
    let (entries, _) = journal(store.next(&lease, 9, LONG).await);
    let new: Vec<u64> = entries.iter().map(|entry| entry.seq.0).filter(|seq| *seq > 2).collect();
    assert_eq!(new, [3]);
    let (lease, ..) = channel_of(store.open(Shard::Channel(ops()), NOW).await.unwrap());
    let rows = outbox(store.next(&lease, 9, LONG).await);
    assert_eq!(rows, [(1, notification(&ops(), 1))]);
    backend.stop().await;
}

async fn an_earlier_owner_is_fenced_off_and_leaves_no_trace(backend: &impl Backend) {
    let Running { store, reader } = backend.start().await;
    let (old, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    assert!(lease.epoch > old.epoch);
    let changes = |number| EngineChanges { groups: vec![group(number)], ..EngineChanges::default() };
    // At once, so that they may share a transaction.
    let (refused, kept) = tokio::join!(
        store.commit(&old, engine(7, Timestamp(7), changes(7))),
        store.commit(&lease, engine(0, Timestamp(8), changes(8))),
    );
    assert!(matches!(refused, Err(StoreError::Fenced(Shard::Engine))), "{refused:?}");
    kept.unwrap();
    assert!(matches!(store.next(&old, 9, NOW).await, Err(StoreError::Fenced(_))));
    assert!(reader.group(GroupId(7)).await.unwrap().is_none());
    assert!(reader.group(GroupId(8)).await.unwrap().is_some());
    backend.stop().await;
    let Running { store, .. } = backend.start().await;
    assert!(store.commit(&lease, engine(9, Timestamp(9), changes(9))).await.is_err(), "a lease ends with its process");
    let (_, cursor, _) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    assert_eq!(cursor.at, Timestamp(8));
    backend.stop().await;
}

async fn the_lookback_comes_first(backend: &impl Backend) {
    let Running { store, .. } = backend.start().await;
    for number in 0..6 {
        store.append(&Shard::Engine, callback(number)).await.unwrap();
    }
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let mut stamps = Vec::new();
    while stamps.len() < 6 {
        stamps.extend(journal(store.next(&lease, 9, LONG).await).0.iter().map(|entry| entry.received_at));
    }
    // The engine's time may be ahead of the last entry's.
    let at = stamps[3] + Duration::from_secs(5);
    store.commit(&lease, engine(4, at, EngineChanges::default())).await.unwrap();
    let from = |lookback| {
        let store = store.clone();
        async move {
            let (lease, ..) = engine_of(store.open(Shard::Engine, lookback).await.unwrap()).await;
            let mut seqs: Vec<u64> = Vec::new();
            while seqs.last() != Some(&6) {
                seqs.extend(journal(store.next(&lease, 1, LONG).await).0.iter().map(|entry| entry.seq.0));
            }
            seqs
        }
    };
    assert_eq!(from(Duration::from_secs(4)).await, [5, 6], "too old to be looked back at");
    let first = stamps.iter().position(|stamp| *stamp >= stamps[2]).unwrap() as u64 + 1;
    let since = Duration::from_secs(5) + stamps[3].since(stamps[2]);
    assert_eq!(from(since).await, (first..=6).collect::<Vec<_>>());
    backend.stop().await;
    let Running { store, .. } = backend.start().await;
    let (lease, ..) = engine_of(store.open(Shard::Engine, LONG).await.unwrap()).await;
    let mut seqs: Vec<u64> = Vec::new();
    while seqs.len() < 6 {
        seqs.extend(journal(store.next(&lease, 4, LONG).await).0.iter().map(|entry| entry.seq.0));
    }
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6]);
    backend.stop().await;
}

/// Whatever is asked for, from memory and from disk: at the head there is nothing more, and before it there is.
async fn the_head_is_known_exactly(backend: &impl Backend) {
    let other = ChannelName::new("other");
    let mut running = backend.start().await;
    for number in 0..6 {
        running.store.append(&Shard::Engine, callback(number)).await.unwrap();
    }
    for max in [1, 2, 4, 5, 6, 7] {
        let Running { store, .. } = &running;
        let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
        let (mine, ..) = channel_of(store.open(Shard::Channel(ops()), NOW).await.unwrap());
        let rows = (1..4).flat_map(|_| [notification(&ops(), 1), notification(&other, 1)]).collect();
        let changes = EngineChanges { outbox: rows, ..EngineChanges::default() };
        store.commit(&lease, engine(0, Timestamp(1), changes)).await.unwrap();
        up_to_the_head(store, &lease, max).await;
        up_to_the_head(store, &mine, max).await;
        backend.stop().await;
        running = backend.start().await;
    }
    let Running { store, .. } = &running;
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    assert_eq!(up_to_the_head(store, &lease, 1).await, 6);
    let (mine, ..) = channel_of(store.open(Shard::Channel(ops()), NOW).await.unwrap());
    assert_eq!(up_to_the_head(store, &mine, 1).await, 18);
    // New ones behind what was read back.
    store.append(&Shard::Engine, callback(6)).await.unwrap();
    store.append(&Shard::Engine, callback(7)).await.unwrap();
    assert_eq!(up_to_the_head(store, &lease, 1).await, 2);
    for number in 8..200 {
        store.append(&Shard::Engine, callback(number)).await.unwrap();
        assert_eq!(up_to_the_head(store, &lease, 9).await, 1, "what was answered is there");
    }
    backend.stop().await;
}

/// Takes all there is; returns how many.
async fn up_to_the_head(store: &Arc<dyn Store>, lease: &Lease, max: usize) -> usize {
    let (mut said, mut taken) = (Vec::new(), Vec::new());
    loop {
        let batch = store.next(lease, max, NOW).await.unwrap();
        let count = match batch.items {
            Items::Journal(entries) => entries.len(),
            Items::Outbox(rows) => rows.len(),
        };
        if count == 0 && batch.at_head {
            break;
        }
        said.push(batch.at_head);
        taken.push(count);
    }
    let last = said.pop();
    assert!(last == Some(true) && !said.contains(&true), "{max} at most: {taken:?}, {said:?} {last:?}");
    taken.iter().sum()
}

async fn rows_are_handed_to_their_channel_once_and_again_after_a_restart(backend: &impl Backend) {
    let Running { store, .. } = backend.start().await;
    let other = ChannelName::new("other");
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let owe = |rows: Vec<Notification>| {
        let changes = EngineChanges { outbox: rows, ..EngineChanges::default() };
        store.commit(&lease, engine(0, Timestamp(1), changes))
    };
    owe(vec![notification(&ops(), 1), notification(&other, 1)]).await.unwrap();
    let (mine, ..) = channel_of(store.open(Shard::Channel(ops()), NOW).await.unwrap());
    assert_eq!(numbers(&store, &mine, 9).await, [1], "what was owed before it opened");
    let (rows, committed) = tokio::join!(
        store.next(&mine, 9, LONG),
        owe(vec![notification(&other, 2), notification(&ops(), 2), notification(&ops(), 3)])
    );
    committed.unwrap();
    assert_eq!(outbox(rows), [(4, notification(&ops(), 2)), (5, notification(&ops(), 3))]);
    assert!(outbox(store.next(&mine, 9, NOW).await).is_empty(), "each is handed out once");
    store.commit(&mine, channel(4, ChannelChanges::default())).await.unwrap();
    backend.stop().await;
    let Running { store, .. } = backend.start().await;
    let (mine, cursor, state) = channel_of(store.open(Shard::Channel(ops()), NOW).await.unwrap());
    assert_eq!(cursor.seq, Seq(4));
    assert_eq!(state.deliveries.iter().map(|row| row.id.0).collect::<Vec<_>>(), [1, 4], "taken in, not sent");
    assert_eq!(numbers(&store, &mine, 9).await, [5], "not taken in");
    let owned = store.owned().borrow().clone();
    for shard in [Shard::Engine, Shard::Channel(ops()), Shard::Channel(other)] {
        assert!(owned.contains(&shard), "{shard:?}");
    }
    backend.stop().await;
}

async fn a_channel_goes_on_from_its_unfinished_rows(backend: &impl Backend) {
    let Running { store, .. } = backend.start().await;
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let mut closed = group(2);
    closed.closed_at = Some(Timestamp(3));
    let mut owing = closed.clone();
    owing.id = GroupId(3);
    let mut remembered = closed.clone();
    remembered.id = GroupId(4);
    let changes = EngineChanges {
        groups: vec![group(1), closed, owing, remembered],
        forgotten: vec![GroupId(2), GroupId(3)],
        outbox: [1, 2, 3, 3].map(|group| notification(&ops(), group)).into(),
        ..EngineChanges::default()
    };
    store.commit(&lease, engine(0, Timestamp(1), changes)).await.unwrap();
    let (mine, ..) = channel_of(store.open(Shard::Channel(ops()), NOW).await.unwrap());
    assert_eq!(numbers(&store, &mine, 9).await, [1, 2, 3, 4]);
    let now = Timestamp(i64::MAX / 2);
    let trying = Delivery {
        state: DeliveryState::Sending,
        attempts: 2,
        not_before: Timestamp(77),
        outcome: None,
        error: Some("429 <b>".to_owned()),
        possible_duplicate: true,
        done_at: None,
        ..sent(3, &notification(&ops(), 3), now)
    };
    let changes = ChannelChanges {
        deliveries: vec![
            sent(1, &notification(&ops(), 1), now),
            sent(2, &notification(&ops(), 2), now),
            trying.clone(),
        ],
        messages: [1, 2, 3, 4].map(message).into(),
        attempts: vec![attempt(Timestamp(0)), attempt(now)],
        ..ChannelChanges::default()
    };
    store.commit(&mine, channel(3, changes)).await.unwrap();
    let (_, _, state) = channel_of(store.open(Shard::Channel(ops()), NOW).await.unwrap());
    assert_eq!(state.deliveries, [trying]);
    let mut messages = state.messages;
    messages.sort_by_key(|message| message.group);
    let wanted = [message(1), message(3), message(4)];
    assert_eq!(messages, wanted, "open groups, those still to be told, and those that may come back");
    assert_eq!(state.attempts, [attempt(now)], "those of the last hour");
    backend.stop().await;
}

async fn a_notice_waits_with_its_words_among_the_rows_of_groups(backend: &impl Backend) {
    let Running { store, .. } = backend.start().await;
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let rows = [notification(&ops(), 1), notice(&ops()), notice(&ops())];
    let changes = EngineChanges { groups: vec![group(1)], outbox: rows.clone().into(), ..EngineChanges::default() };
    store.commit(&lease, engine(0, Timestamp(1), changes)).await.unwrap();
    let (mine, ..) = channel_of(store.open(Shard::Channel(ops()), NOW).await.unwrap());
    let handed = outbox(store.next(&mine, 9, LONG).await);
    assert_eq!(handed, (1..).zip(rows.clone()).collect::<Vec<_>>());
    let open =
        Delivery { state: DeliveryState::Sending, outcome: None, done_at: None, ..sent(2, &rows[1], Timestamp(9)) };
    let deliveries = vec![sent(1, &rows[0], Timestamp(9)), open.clone()];
    store.commit(&mine, channel(2, ChannelChanges { deliveries, ..ChannelChanges::default() })).await.unwrap();
    backend.stop().await;
    let Running { store, .. } = backend.start().await;
    let (mine, _, state) = channel_of(store.open(Shard::Channel(ops()), NOW).await.unwrap());
    assert_eq!(state.deliveries, [open]);
    assert_eq!(outbox(store.next(&mine, 9, NOW).await), [(3, rows[2].clone())], "read from the disk");
    backend.stop().await;
}

async fn groups_are_readable_and_forgotten_ones_are_not_loaded(backend: &impl Backend) {
    let Running { store, reader } = backend.start().await;
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let mut over = incident(2);
    (over.state, over.resolved_at) = (crate::model::State::Resolved, Some(Timestamp(9)));
    let mut pending = incident(3);
    (pending.state, pending.group) = (crate::model::State::Pending, None);
    let mut also = incident(4);
    (also.state, also.group, also.resolved_at) = (over.state, Some(GroupId(1)), over.resolved_at);
    let changes = EngineChanges {
        incidents: vec![also.clone(), incident(1), over.clone(), pending.clone()],
        groups: vec![group(1), group(2)],
        forgotten: vec![GroupId(2)],
        ..EngineChanges::default()
    };
    store.commit(&lease, engine(0, Timestamp(1), changes)).await.unwrap();
    assert_eq!(reader.group(GroupId(1)).await.unwrap().unwrap(), (group(1), vec![incident(1), also.clone()]));
    assert_eq!(reader.group(GroupId(2)).await.unwrap().unwrap(), (group(2), vec![over]));
    assert!(reader.group(GroupId(9)).await.unwrap().is_none());
    let (_, _, state) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    assert_eq!(state.groups, [group(1)]);
    assert_eq!(state.incidents, [incident(1), pending, also]);
    backend.stop().await;
}

async fn a_table_is_shared_watched_and_durable(backend: &impl Backend) {
    let Running { store, .. } = backend.start().await;
    let mut watch = store.table("mutes").watch();
    let mut others = store.table("rules").watch();
    watch.mark_unchanged();
    others.mark_unchanged();
    assert_eq!(store.table("mutes").get("a").await.unwrap(), None);
    store.table("mutes").put("a", "1").await.unwrap();
    store.table("mutes").put("a", "2").await.unwrap();
    assert!(watch.has_changed().unwrap() && !others.has_changed().unwrap());
    assert_eq!(store.table("mutes").get("a").await.unwrap().as_deref(), Some("2"));
    backend.stop().await;
    let Running { store, .. } = backend.start().await;
    assert_eq!(store.table("mutes").get("a").await.unwrap().as_deref(), Some("2"));
    assert_eq!(store.table("rules").get("a").await.unwrap(), None);
    backend.stop().await;
}

fn keyed(key: &str, value: Option<&str>) -> Keyed {
    Keyed { kind: "stream", key: key.to_owned(), value: value.map(str::to_owned) }
}

/// The number of an entry that was kept.
pub(crate) fn new(appended: Result<Appended, StoreError>) -> u64 {
    match appended {
        Ok(Appended::New(seq)) => seq.0,
        other => panic!("{other:?}"),
    }
}

/// Entries and watermark.
pub(crate) fn journal(batch: Result<Batch, StoreError>) -> (Vec<Entry>, Timestamp) {
    match batch.unwrap() {
        Batch { items: Items::Journal(entries), watermark, .. } => (entries, watermark),
        other => panic!("{other:?}"),
    }
}

/// Outbox rows.
pub(crate) fn outbox(batch: Result<Batch, StoreError>) -> Vec<(u64, Notification)> {
    match batch.unwrap().items {
        Items::Outbox(rows) => rows.into_iter().map(|(id, notification)| (id.0, notification)).collect(),
        other => panic!("{other:?}"),
    }
}

/// What an engine goes on from.
pub(crate) async fn engine_of(opened: Opened) -> (Lease, Cursor, EngineState) {
    let State::Engine(parts) = opened.state else { panic!("{:?}", opened.state) };
    (opened.lease, opened.cursor, whole(parts).await)
}

/// What a channel goes on from.
pub(crate) fn channel_of(opened: Opened) -> (Lease, Cursor, ChannelState) {
    match opened.state {
        State::Channel(state) => (opened.lease, opened.cursor, state),
        other => panic!("{other:?}"),
    }
}

async fn numbers(store: &Arc<dyn Store>, lease: &Lease, max: usize) -> Vec<u64> {
    outbox(store.next(lease, max, LONG).await).into_iter().map(|(id, _)| id).collect()
}
