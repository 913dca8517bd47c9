//! What a channel's own commits add to the outbox, and what a channel remembers.

use super::super::samples::{channel, engine, group, message, notice, notification, ops, sent};
use super::super::{ChannelChanges, Lease, Shard, Store, StoreError};
use super::{Backend, LONG, NOW, Running, channel_of, engine_of, numbers, outbox};
use crate::model::{ChannelName, EngineChanges, GroupId, Keyed, Message, News, Notification, Reason, Timestamp};

fn other() -> ChannelName {
    ChannelName::new("other")
}

/// What `other` is told in the place of `ops`.
fn passed_on() -> Notification {
    let why = (Reason::Reply, News::Escalated);
    let row = Notification::of_group(other(), GroupId(1), why, crate::model::Severity::Critical, Timestamp(3));
    Notification { stands_in: Some(ops()), ..row }
}

async fn open(store: &dyn Store, name: ChannelName) -> Lease {
    channel_of(store.open(Shard::Channel(name), NOW).await.unwrap()).0
}

pub(super) async fn what_a_channel_owes_reaches_its_channel_as_the_engines_rows_do(backend: &impl Backend) {
    let Running { store, .. } = backend.start().await;
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let (mine, theirs) = (open(store.as_ref(), ops()).await, open(store.as_ref(), other()).await);
    let changes =
        EngineChanges { groups: vec![group(1)], outbox: vec![notification(&ops(), 1)], ..EngineChanges::default() };
    store.commit(&lease, engine(0, Timestamp(1), changes.clone())).await.unwrap();
    assert_eq!(numbers(&store, &mine, 9).await, [1]);
    let mine_owes = || ChannelChanges {
        deliveries: vec![sent(1, &notification(&ops(), 1), Timestamp(9))],
        owed: vec![passed_on(), notice(&ops()), notice(&other())],
        ..ChannelChanges::default()
    };
    // At once with the engine's, so that they may share a transaction.
    let (handed, by_engine, by_channel) = tokio::join!(
        store.next(&theirs, 9, LONG),
        store.commit(&lease, engine(0, Timestamp(2), changes)),
        store.commit(&mine, channel(1, mine_owes())),
    );
    by_engine.unwrap();
    by_channel.unwrap();
    let mut rows = outbox(handed);
    while rows.len() < 2 {
        rows.extend(outbox(store.next(&theirs, 9, LONG).await));
    }
    let said: Vec<Notification> = rows.iter().map(|(_, row)| row.clone()).collect();
    assert_eq!(said, [passed_on(), notice(&other())], "whom it stands in for and why come along");
    let mut own = Vec::new();
    while own.len() < 2 {
        own.extend(outbox(store.next(&mine, 9, LONG).await));
    }
    assert!(own.iter().any(|(_, row)| *row == notice(&ops())), "its own rows come back to it");
    let mut ids: Vec<u64> = rows.iter().chain(&own).map(|(id, _)| *id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [2, 3, 4, 5], "numbered with all others");
    backend.stop().await;
    let Running { store, .. } = backend.start().await;
    let theirs = open(store.as_ref(), other()).await;
    assert_eq!(outbox(store.next(&theirs, 9, LONG).await), rows, "not taken in: handed out again");
    backend.stop().await;
}

pub(super) async fn what_a_channel_remembers_is_there_after_a_restart(backend: &impl Backend) {
    let Running { store, .. } = backend.start().await;
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let changes = EngineChanges { groups: vec![group(1)], ..EngineChanges::default() };
    store.commit(&lease, engine(0, Timestamp(1), changes)).await.unwrap();
    let (mine, theirs) = (open(store.as_ref(), ops()).await, open(store.as_ref(), other()).await);
    let keyed =
        |kind, key: &str, value: Option<&str>| Keyed { kind, key: key.to_owned(), value: value.map(str::to_owned) };
    let told = Message { stands_in: vec![other(), ChannelName::new("a \"third\"")], ..message(1) };
    let changes = ChannelChanges {
        messages: vec![told.clone()],
        keyed: vec![keyed("parked", "", Some("{}")), keyed("passed_on", "1", Some("1")), keyed("passed_on", "2", None)],
        ..ChannelChanges::default()
    };
    store.commit(&mine, channel(0, changes)).await.unwrap();
    let changes = ChannelChanges { keyed: vec![keyed("parked", "", Some("[]"))], ..ChannelChanges::default() };
    store.commit(&theirs, channel(0, changes)).await.unwrap();
    let changes = ChannelChanges {
        keyed: vec![keyed("parked", "", None), keyed("passed_on", "1", Some("2"))],
        ..ChannelChanges::default()
    };
    store.commit(&mine, channel(0, changes)).await.unwrap();
    backend.stop().await;
    let Running { store, .. } = backend.start().await;
    let (_, _, state) = channel_of(store.open(Shard::Channel(ops()), NOW).await.unwrap());
    assert_eq!(state.keyed, [("passed_on".to_owned(), "1".to_owned(), "2".to_owned())]);
    assert_eq!(state.messages, [told]);
    let (_, _, state) = channel_of(store.open(Shard::Channel(other()), NOW).await.unwrap());
    assert_eq!(state.keyed, [("parked".to_owned(), String::new(), "[]".to_owned())], "each channel has its own");
    backend.stop().await;
}

pub(super) async fn a_channel_that_is_fenced_off_owes_nothing(backend: &impl Backend) {
    let Running { store, .. } = backend.start().await;
    let old = open(store.as_ref(), ops()).await;
    let mine = open(store.as_ref(), ops()).await;
    let theirs = open(store.as_ref(), other()).await;
    let owes = |row: Notification| ChannelChanges { owed: vec![row], ..ChannelChanges::default() };
    let (refused, kept) = tokio::join!(
        store.commit(&old, channel(0, owes(passed_on()))),
        store.commit(&mine, channel(0, owes(notice(&other())))),
    );
    assert!(matches!(refused, Err(StoreError::Fenced(Shard::Channel(_)))), "{refused:?}");
    kept.unwrap();
    let rows = outbox(store.next(&theirs, 9, LONG).await);
    assert_eq!(rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>(), [notice(&other())]);
    backend.stop().await;
}
