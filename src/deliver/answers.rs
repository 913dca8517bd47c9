//! Answers to commands: no rows of the outbox, but they spend from the same budgets and go to the same chats.

use std::sync::Arc;
use std::time::Duration;

use super::budget::Budgets;
use super::home::{self, Home};
use super::lanes::Lanes;
use super::retry::DAY;
use super::worker::HOLDS;
use crate::clock::Clock;
use crate::model::{Channel, Timestamp};
use crate::store::Store;

/// What answers share with the messages of the channels.
pub struct Answers {
    store: Arc<dyn Store>,
    budgets: Arc<Budgets>,
    clock: Arc<Clock>,
}

impl Answers {
    /// With the budgets of the channels' workers.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, budgets: Arc<Budgets>, clock: Arc<Clock>) -> Answers {
        Answers { store, budgets, clock }
    }

    /// Spends one post of a channel's budget.
    ///
    /// # Errors
    /// When it may be worth asking again, in steady time.
    pub fn spend(&self, channel: &Channel) -> Result<(), Timestamp> {
        let lanes = Lanes::of(channel);
        self.budgets.take(&[&lanes.target.key], self.clock.steady()).map_err(|(_, until)| until)
    }

    /// The chat asked for no calls for so long: for the channel's messages too, and after a restart. A day at most is
    /// obeyed, as for messages.
    pub async fn hold(&self, channel: &Channel, length: Duration) {
        let until = self.clock.steady() + length.min(DAY);
        for lane in Lanes::of(channel).all() {
            self.budgets.hold(&lane.key, until);
            if let Err(error) = self.store.table(HOLDS).put(&lane.key, &until.0.to_string()).await {
                tracing::error!(channel = %channel.name, %error, "a rate limit can't be kept for a restart");
            }
        }
    }

    /// Where a Telegram channel's chat is now; `None` for others, and while that can't be looked up.
    pub async fn home(&self, channel: &Channel) -> Option<i64> {
        Home::find(channel, self.store.as_ref()).await.ok().and_then(|home| home.chat())
    }

    /// A Telegram chat has another id now; delivery follows when it comes to it.
    pub async fn moved(&self, channel: &Channel, from: i64, to: i64) {
        tracing::warn!(channel = %channel.name, old = from, new = to, "the chat has a new id; put it into rules.yaml");
        if let Err(error) = home::note(self.store.as_ref(), from, to).await {
            tracing::error!(channel = %channel.name, %error, "the chat's new id can't be kept");
        }
    }
}
