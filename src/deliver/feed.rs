//! What a channel is owed, as the store hands it out; asks again where the store says no.

use std::time::Duration;

use crate::model::{DeliveryId, Notification};
use crate::store::{Items, Lease, Store, StoreError};

/// Rows asked for at once.
const MOST_ROWS: usize = 1_024;

/// How long to wait for rows in one go; only a bound, rows wake the loop.
pub(crate) const WAIT: Duration = Duration::from_secs(60);

/// Between tries where the store says no.
pub(crate) const STORE_PAUSE: Duration = Duration::from_millis(500);

/// The next rows; where the store is busy it waits and asks again.
pub(crate) async fn fetch(store: &dyn Store, lease: &Lease) -> Result<Vec<(DeliveryId, Notification)>, StoreError> {
    loop {
        match store.next(lease, MOST_ROWS, WAIT).await {
            Ok(batch) => match batch.items {
                Items::Outbox(rows) => return Ok(rows),
                Items::Journal(_) => return Err(StoreError::Failed("a channel was given journal entries".into())),
            },
            Err(error @ (StoreError::Fenced(_) | StoreError::Closed)) => return Err(error),
            Err(error @ (StoreError::Overloaded(_) | StoreError::Failed(_))) => {
                tracing::error!(%error, "the outbox can't be read; trying again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }
}
