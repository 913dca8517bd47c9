//! What a channel was owed when it was taken out of `rules.yaml`: every row gets its outcome.

use std::time::Duration;

use super::Context;
use crate::model::{
    ChannelName, Cursor, Delivery, DeliveryId, DeliveryOutcome, DeliveryState, Keyed, Notification, Seq, Timestamp,
};
use crate::store::{Changes, ChannelChanges, Commit, DIGEST, Items, Lease, Shard, State, StoreError};

/// Rows ended by one commit.
const AT_ONCE: usize = 1_000;

/// Ends all rows of a channel that is no longer there. Its worker must have stopped.
///
/// # Errors
/// What the store says; whatever was ended before stays so.
pub async fn retire(name: &ChannelName, context: &Context) -> Result<(), StoreError> {
    context.parking.set(name, None);
    let opened = context.store.open(Shard::Channel(name.clone()), Duration::ZERO).await?;
    let mut last = opened.cursor.seq;
    if let State::Channel(state) = opened.state {
        forget_digests(context, &opened.lease, last, &state.keyed).await?;
        for rows in state.deliveries.chunks(AT_ONCE) {
            end(context, &opened.lease, last, rows.to_vec()).await?;
        }
    }
    loop {
        let batch = context.store.next(&opened.lease, AT_ONCE, Duration::ZERO).await?;
        let rows = match batch.items {
            Items::Outbox(rows) if !rows.is_empty() => rows,
            Items::Outbox(_) | Items::Journal(_) => return Ok(()),
        };
        last = rows.last().map_or(last, |(id, _)| Seq(id.0).max(last));
        let rows = rows.into_iter().map(|(id, notification)| untried(id, notification)).collect();
        end(context, &opened.lease, last, rows).await?;
    }
}

/// Should the channel come back, nobody wants to hear of the end of an old storm.
async fn forget_digests(
    context: &Context,
    lease: &Lease,
    last: Seq,
    kept: &[(String, String, String)],
) -> Result<(), StoreError> {
    let digests = kept.iter().filter(|(kind, ..)| kind == DIGEST);
    let keyed: Vec<Keyed> = digests.map(|(_, key, _)| Keyed { kind: DIGEST, key: key.clone(), value: None }).collect();
    if keyed.is_empty() {
        return Ok(());
    }
    let changes = Changes::Channel(ChannelChanges { keyed, ..ChannelChanges::default() });
    context.store.commit(lease, Commit { cursor: Cursor { seq: last, at: context.clock.steady() }, changes }).await
}

async fn end(context: &Context, lease: &Lease, last: Seq, rows: Vec<Delivery>) -> Result<(), StoreError> {
    let now = context.clock.steady();
    let outcome = DeliveryOutcome::ChannelRemoved;
    let ended =
        |row: Delivery| Delivery { state: DeliveryState::Done, outcome: Some(outcome), done_at: Some(now), ..row };
    let deliveries: Vec<Delivery> = rows.into_iter().map(ended).collect();
    let told: Vec<_> =
        deliveries.iter().map(|row| (row.notification.channel.clone(), row.notification.reason)).collect();
    let changes = Changes::Channel(ChannelChanges { deliveries, ..ChannelChanges::default() });
    context.store.commit(lease, Commit { cursor: Cursor { seq: last, at: now }, changes }).await?;
    for (channel, reason) in &told {
        context.metrics.notification(channel, *reason, outcome);
        context.metrics.outbox_rows(channel, DeliveryState::Pending, 0);
        context.metrics.outbox_rows(channel, DeliveryState::Sending, 0);
    }
    Ok(())
}

fn untried(id: DeliveryId, notification: Notification) -> Delivery {
    Delivery {
        id,
        notification,
        state: DeliveryState::Pending,
        attempts: 0,
        not_before: Timestamp::default(),
        outcome: None,
        error: None,
        possible_duplicate: false,
        done_at: None,
    }
}
