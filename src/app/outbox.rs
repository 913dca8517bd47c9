//! What operators ask and order of deliveries: read from the store, done by the channels' workers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::admin::{Asked, OutboxDesk, State, Unmet};
use crate::deliver::{NotRetried, Order, Tested};
use crate::model::{About, ChannelName, DeliveryId};
use crate::store::{Fate, Listed, Reader, StoreError, Wanted};

/// Beyond a call's own time-out and the wait for its budget.
const PATIENCE: Duration = Duration::from_secs(28);

/// The way to each channel's worker; another one after a reload.
#[derive(Clone, Debug, Default)]
pub(super) struct Workers(Arc<Mutex<HashMap<ChannelName, mpsc::Sender<Order>>>>);

impl Workers {
    /// These are the workers now.
    pub(super) fn set(&self, workers: HashMap<ChannelName, mpsc::Sender<Order>>) {
        *self.lock() = workers;
    }

    fn get(&self, channel: &str) -> Result<mpsc::Sender<Order>, Unmet> {
        let workers = self.lock();
        workers.get(&ChannelName::new(channel)).cloned().ok_or_else(|| {
            let mut names: Vec<&str> = workers.keys().map(ChannelName::as_str).collect();
            names.sort_unstable();
            Unmet::Unknown(format!("rules.yaml has no channel of this name; it has: {}", names.join(", ")))
        })
    }

    /// Swapped whole, so a panic elsewhere does no harm here.
    fn lock(&self) -> MutexGuard<'_, HashMap<ChannelName, mpsc::Sender<Order>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The desk.
pub(super) struct Outbox {
    pub(super) reader: Arc<dyn Reader>,
    pub(super) workers: Workers,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}

impl Outbox {
    async fn order<T>(&self, channel: &str, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Unmet> {
        let worker = self.workers.get(channel)?;
        let (answer, answered) = oneshot::channel();
        let busy = || Unmet::Unavailable("the channel is being changed or stopped: try again in a moment".to_owned());
        let asked = async {
            worker.send(order(answer)).await.map_err(|_| busy())?;
            answered.await.map_err(|_| busy())
        };
        let late = || Unmet::Unavailable("the channel gave no answer in time: try again in a moment".to_owned());
        tokio::time::timeout(PATIENCE, asked).await.map_err(|_| late())?
    }
}

impl OutboxDesk for Outbox {
    fn list(&self, asked: Asked) -> BoxFuture<'_, Result<Value, Unmet>> {
        async move {
            let fate = asked.state.map(|state| match state {
                State::Pending => Fate::Pending,
                State::Sent => Fate::Sent,
                State::Dead => Fate::Dead,
            });
            let channel = asked.channel.as_deref().map(ChannelName::new);
            let wanted = Wanted { fate, channel, before: asked.before.map(DeliveryId), most: asked.limit };
            let page = self.reader.deliveries(wanted).await.map_err(unavailable)?;
            let items: Vec<Value> = page.items.iter().map(item).collect();
            Ok(json!({ "items": items, "next": page.next.map(|next| next.0) }))
        }
        .boxed()
    }

    fn retry(&self, id: u64) -> BoxFuture<'_, Result<u64, Unmet>> {
        async move {
            let id = DeliveryId(id);
            let found = self.reader.delivery(id).await.map_err(unavailable)?;
            let row = found.ok_or_else(|| Unmet::Unknown(NotRetried::Unknown.to_string()))?;
            let channel = row.notification.channel;
            self.order(channel.as_str(), |answer| Order::Retry(id, answer)).await?.map_err(unmet)
        }
        .boxed()
    }

    fn retry_channel(&self, channel: String) -> BoxFuture<'_, Result<u64, Unmet>> {
        async move { self.order(&channel, Order::RetryAll).await?.map_err(unmet) }.boxed()
    }

    fn test(&self, channel: String) -> BoxFuture<'_, Result<Value, Unmet>> {
        async move {
            let tested: Tested = self.order(&channel, Order::Test).await?;
            Ok(json!(tested))
        }
        .boxed()
    }
}

fn unmet(why: NotRetried) -> Unmet {
    match why {
        NotRetried::Unknown => Unmet::Unknown(why.to_string()),
        NotRetried::NotDead(_) => Unmet::Conflict(why.to_string()),
        NotRetried::Store(_) => Unmet::Unavailable(why.to_string()),
    }
}

fn unavailable(error: StoreError) -> Unmet {
    Unmet::Unavailable(format!("the outbox can't be read just now: {error}"))
}

/// A delivery as the API shows it; times are ms since the epoch.
fn item(Listed { delivery, key }: &Listed) -> Value {
    let row = &delivery.notification;
    let (group, notice, digest) = match &row.about {
        About::Group(group) => (Some(group.0), None, None),
        About::Notice(notice) => (None, serde_json::to_value(notice).ok(), None),
        About::Digest(digest) => (None, None, Some(digest.0)),
    };
    json!({
        "id": delivery.id.0,
        "channel": row.channel.as_str(),
        "state": delivery.state.as_str(),
        "outcome": delivery.outcome.map(|outcome| outcome.as_str()),
        "reason": row.reason.as_str(),
        "news": row.news.as_str(),
        "severity": row.severity.as_str(),
        "group": group,
        "stream": key,
        "notice": notice,
        "digest": digest,
        "stands_in": row.stands_in.as_ref().map(ChannelName::as_str),
        "at": row.at.0,
        "attempts": delivery.attempts,
        "not_before": Some(delivery.not_before.0).filter(|at| *at > 0),
        "error": delivery.error,
        "possible_duplicate": delivery.possible_duplicate,
        "done_at": delivery.done_at.map(|at| at.0),
    })
}
