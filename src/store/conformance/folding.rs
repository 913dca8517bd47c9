//! Many groups told by one message: digests, their rows and their members.

use super::super::samples::{channel, engine, group, incident, message, ops, sent};
use super::super::{ChannelChanges, DIGEST, Seated, Shard};
use super::{Backend, NOW, Running, channel_of, engine_of, outbox};
use crate::model::{
    ChannelName, Delivery, DeliveryOutcome, DigestId, EngineChanges, Folded, GroupId, Incident, Keyed, Message, News,
    Notification, Reason, Severity, State, Timestamp,
};

const STORM: DigestId = DigestId(7);

fn member(number: u64, digest: DigestId) -> Message {
    let folded = Some(Folded { digest, severity: Severity::Critical });
    Message { platform_id: None, place: None, revision: 0, folded, ..message(number) }
}

fn of_digest() -> Notification {
    Notification::of_digest(ops(), STORM, (Reason::Reply, News::Repeated), Severity::Critical, Timestamp(3))
}

pub(super) async fn a_digest_its_rows_and_its_members_are_there_after_a_restart(backend: &impl Backend) {
    let Running { store, .. } = backend.start().await;
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let forgotten = vec![GroupId(2), GroupId(3)];
    let changes = EngineChanges { groups: [1, 2, 3].map(group).into(), forgotten, ..EngineChanges::default() };
    store.commit(&lease, engine(0, Timestamp(1), changes)).await.unwrap();
    let (mine, ..) = channel_of(store.open(Shard::Channel(ops()), NOW).await.unwrap());
    let changes = ChannelChanges {
        messages: vec![member(1, STORM), member(2, STORM), member(3, DigestId(6))],
        owed: vec![of_digest()],
        keyed: vec![Keyed { kind: DIGEST, key: STORM.0.to_string(), value: Some("{}".to_owned()) }],
        ..ChannelChanges::default()
    };
    store.commit(&mine, channel(0, changes)).await.unwrap();
    backend.stop().await;

    let Running { store, .. } = backend.start().await;
    let (mine, _, state) = channel_of(store.open(Shard::Channel(ops()), NOW).await.unwrap());
    assert_eq!(state.messages, [member(1, STORM), member(2, STORM)], "those of a digest that is remembered");
    assert_eq!(state.keyed, [(DIGEST.to_owned(), "7".to_owned(), "{}".to_owned())]);
    let rows = outbox(store.next(&mine, 9, NOW).await);
    assert_eq!(rows, [(1, of_digest())]);
    let ended = Delivery { outcome: Some(DeliveryOutcome::Folded), ..sent(1, &of_digest(), Timestamp(4)) };
    let forget = Keyed { kind: DIGEST, key: STORM.0.to_string(), value: None };
    let told = Message { folded: None, ..message(1) };
    let (deliveries, messages) = (vec![ended], vec![told.clone()]);
    let changes = ChannelChanges { deliveries, messages, keyed: vec![forget], ..ChannelChanges::default() };
    store.commit(&mine, channel(1, changes)).await.unwrap();
    backend.stop().await;

    let Running { store, .. } = backend.start().await;
    let (_, _, state) = channel_of(store.open(Shard::Channel(ops()), NOW).await.unwrap());
    assert_eq!((state.messages, state.deliveries.len(), state.keyed.len()), (vec![told], 0, 0));
    backend.stop().await;
}

pub(super) async fn members_come_in_pages_with_their_incidents_as_they_are(backend: &impl Backend) {
    let Running { store, reader } = backend.start().await;
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let of = |id: u64, number: u64| Incident { group: Some(GroupId(number)), ..incident(id) };
    let over = Incident { state: State::Resolved, resolved_at: Some(Timestamp(5)), ..of(4, 3) };
    let incidents = vec![of(1, 1), of(2, 2), of(3, 1), over.clone(), of(5, 4)];
    let changes = EngineChanges { groups: [1, 2, 3, 4].map(group).into(), incidents, ..EngineChanges::default() };
    store.commit(&lease, engine(0, Timestamp(1), changes)).await.unwrap();
    let (mine, ..) = channel_of(store.open(Shard::Channel(ops()), NOW).await.unwrap());
    let other = ChannelName::new("other");
    let (theirs, ..) = channel_of(store.open(Shard::Channel(other.clone()), NOW).await.unwrap());
    let second = Message { stands_in: vec![other.clone()], ..member(2, STORM) };
    let messages = vec![member(1, STORM), second, member(3, STORM), member(99, STORM), member(4, DigestId(8))];
    store.commit(&mine, channel(0, ChannelChanges { messages, ..ChannelChanges::default() })).await.unwrap();
    let elsewhere = Message { channel: other.clone(), ..member(4, DigestId(9)) };
    let changes = ChannelChanges { messages: vec![elsewhere], ..ChannelChanges::default() };
    store.commit(&theirs, channel(0, changes)).await.unwrap();

    let page = reader.members(&ops(), STORM, GroupId(0), 2).await.unwrap();
    let seated = |group: u64, stands_in: &[ChannelName], incidents| Seated {
        group: GroupId(group),
        stands_in: stands_in.to_vec(),
        incidents,
    };
    assert_eq!(
        page,
        [seated(1, &[], vec![of(1, 1), of(3, 1)]), seated(2, std::slice::from_ref(&other), vec![of(2, 2)])]
    );
    let page = reader.members(&ops(), STORM, GroupId(2), 9).await.unwrap();
    assert_eq!(page, [seated(3, &[], vec![over]), seated(99, &[], vec![])], "one that was pruned has none");
    assert!(reader.members(&ops(), STORM, GroupId(99), 9).await.unwrap().is_empty());
    assert!(reader.members(&other, STORM, GroupId(0), 9).await.unwrap().is_empty());
    assert_eq!(reader.members(&other, DigestId(9), GroupId(0), 9).await.unwrap().len(), 1);
    backend.stop().await;
}
