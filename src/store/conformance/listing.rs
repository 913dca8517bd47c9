//! Lists of deliveries, a page at a time.

use super::super::samples::{channel, engine, group, notice, notification, ops, sent};
use super::super::{ChannelChanges, Fate, Reader, Shard, Wanted};
use super::{Backend, NOW, Running, channel_of, engine_of, numbers};
use crate::model::{
    ChannelName, Delivery, DeliveryId, DeliveryOutcome, DeliveryState, EngineChanges, Notification, Timestamp,
};

fn wanted(fate: Option<Fate>) -> Wanted {
    Wanted { fate, channel: None, before: None, most: 100 }
}

/// The numbers of a page, and where the next begins.
async fn page(reader: &dyn Reader, wanted: Wanted) -> (Vec<u64>, Option<u64>) {
    let page = reader.deliveries(wanted).await.unwrap();
    (page.items.iter().map(|listed| listed.delivery.id.0).collect(), page.next.map(|next| next.0))
}

/// All numbers, page by page.
async fn all(reader: &dyn Reader, mut wanted: Wanted) -> Vec<u64> {
    let mut found = Vec::new();
    loop {
        let (ids, next) = page(reader, wanted.clone()).await;
        found.extend(ids);
        match next {
            Some(next) => wanted.before = Some(DeliveryId(next)),
            None => return found,
        }
    }
}

pub(super) async fn deliveries_are_listed_by_state_and_channel_newest_first(backend: &impl Backend) {
    let Running { store, reader } = backend.start().await;
    let other = ChannelName::new("other");
    let (lease, ..) = engine_of(store.open(Shard::Engine, NOW).await.unwrap()).await;
    let rows: Vec<Notification> = vec![
        notification(&ops(), 1),
        notification(&other, 1),
        notice(&ops()),
        notification(&ops(), 1),
        notification(&ops(), 1),
        notification(&other, 1),
    ];
    let changes = EngineChanges { groups: vec![group(1)], outbox: rows.clone(), ..EngineChanges::default() };
    store.commit(&lease, engine(0, Timestamp(1), changes)).await.unwrap();
    let (mine, ..) = channel_of(store.open(Shard::Channel(ops()), NOW).await.unwrap());
    assert_eq!(numbers(&store, &mine, 9).await, [1, 3, 4, 5]);
    let dead = |id: u64| Delivery {
        state: DeliveryState::Dead,
        outcome: Some(DeliveryOutcome::Dead),
        error: Some("no".to_owned()),
        ..sent(id, &rows[id as usize - 1], Timestamp(9))
    };
    let sending =
        Delivery { state: DeliveryState::Sending, outcome: None, done_at: None, ..sent(5, &rows[4], Timestamp(9)) };
    let deliveries = vec![sent(1, &rows[0], Timestamp(9)), dead(3), dead(4), sending];
    store.commit(&mine, channel(5, ChannelChanges { deliveries, ..ChannelChanges::default() })).await.unwrap();

    let reader = reader.as_ref();
    assert_eq!(page(reader, wanted(None)).await.0, [6, 5, 4, 3, 2, 1]);
    assert_eq!(page(reader, wanted(Some(Fate::Pending))).await.0, [6, 5, 2]);
    assert_eq!(page(reader, wanted(Some(Fate::Sent))).await.0, [1]);
    assert_eq!(page(reader, wanted(Some(Fate::Dead))).await.0, [4, 3]);
    for (fate, ids) in [(None, vec![6, 2]), (Some(Fate::Pending), vec![6, 2]), (Some(Fate::Dead), vec![])] {
        let wanted = Wanted { channel: Some(other.clone()), ..wanted(fate) };
        assert_eq!(all(reader, wanted).await, ids, "{fate:?}");
    }
    for most in 1..8 {
        let by = |fate| Wanted { most, ..wanted(fate) };
        assert_eq!(all(reader, by(None)).await, [6, 5, 4, 3, 2, 1], "{most} a page");
        assert_eq!(all(reader, by(Some(Fate::Dead))).await, [4, 3], "{most} a page");
        assert_eq!(all(reader, by(Some(Fate::Sent))).await, [1], "{most} a page");
    }
    let found = reader.deliveries(wanted(Some(Fate::Dead))).await.unwrap().items;
    assert_eq!(found.iter().map(|listed| listed.delivery.clone()).collect::<Vec<_>>(), [dead(4), dead(3)]);
    assert_eq!((found[0].key.clone(), found[1].key.clone()), (Some(group(1).key.to_string()), None));
    assert_eq!(reader.delivery(DeliveryId(4)).await.unwrap(), Some(dead(4)));
    assert_eq!(reader.delivery(DeliveryId(77)).await.unwrap(), None);
    assert_eq!((reader.dead(&ops()).await.unwrap(), reader.dead(&other).await.unwrap()), (2, 0));
    backend.stop().await;
}
