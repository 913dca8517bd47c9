//! Telegram: updates, asked for by long polling or brought to the webhook.
//!
//! `bots` looks after the bots of the rules in force, `poll` after one of them; what comes in by either way is read by
//! `wire`, and goes the way of `take`: followed once (`seen`), in the right channel (`decide`), and answered (`say`,
//! `answers`).

mod bots;
pub(super) use bots::listen;

mod api;
mod mood;
mod poll;

mod decide;
mod seen;
mod take;
mod wire;

mod answers;
mod say;

mod webhook;
use webhook::Looked;
pub(super) use webhook::{is_there, update};

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::kit::unlimited;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::model::{Channel, ChannelName, Timestamp};
use crate::store::Store;
use seen::Seen;

/// Answers on their way at once; each may wait for the chat's budget.
const MOST_ANSWERS: usize = 64;

/// That commands came too late to be followed is said once in this time.
const DELAY_TOLD_EVERY: Duration = Duration::from_secs(300);

/// What answers have in common with the messages of a channel.
pub trait Delivery: Send + Sync {
    /// Spends a call of the channel's budget.
    ///
    /// # Errors
    /// When it may be worth asking again, in steady time.
    fn spend(&self, channel: &Channel) -> Result<(), Timestamp>;

    /// The chat asked for no calls for so long.
    fn hold<'a>(&'a self, channel: &'a Channel, length: Duration) -> BoxFuture<'a, ()>;

    /// Where the channel's chat is now: a group that becomes a supergroup gets another id.
    fn home<'a>(&'a self, channel: &'a Channel) -> BoxFuture<'a, Option<i64>>;

    /// A chat of the channel has another id now.
    fn moved<'a>(&'a self, channel: &'a Channel, from: i64, to: i64) -> BoxFuture<'a, ()>;
}

/// What Telegram's doors remember.
pub struct Telegram {
    delivery: Arc<dyn Delivery>,
    seen: Seen,
    /// Bots' names by their numbers, as far as Telegram has told them.
    names: Mutex<HashMap<Box<str>, Box<str>>>,
    delay_told: Mutex<HashMap<ChannelName, Timestamp>>,
    room: Arc<Semaphore>,
    /// Whether Telegram could bring updates, by the bots' numbers, as far as it was asked.
    looked: Mutex<HashMap<Box<str>, Looked>>,
    /// The same of all bots when this began.
    start: Looked,
    stopping: CancellationToken,
}

impl Telegram {
    /// With what answers share with messages, and where it is kept what was followed; `now` is steady time.
    #[must_use]
    pub fn new(store: &dyn Store, delivery: Arc<dyn Delivery>, now: Timestamp) -> Telegram {
        Telegram {
            delivery,
            seen: Seen::new(store),
            names: Mutex::default(),
            delay_told: Mutex::default(),
            room: Arc::new(Semaphore::new(MOST_ANSWERS)),
            looked: Mutex::default(),
            start: Looked::at_start(now),
            stopping: CancellationToken::new(),
        }
    }

    /// What waits for a budget waits no longer.
    pub(super) fn stop_waiting(&self) {
        self.stopping.cancel();
    }

    fn name(&self, bot: &str) -> Option<Box<str>> {
        locked(&self.names).get(bot).cloned()
    }

    fn is_called(&self, bot: &str, name: &str) {
        locked(&self.names).insert(bot.into(), name.into());
    }

    fn looked(&self, bot: &str) -> Looked {
        locked(&self.looked).get(bot).copied().unwrap_or(self.start)
    }

    fn looks(&self, bot: &str, looked: Looked) {
        locked(&self.looked).insert(bot.into(), looked);
    }

    /// Whether it is time to say in a channel that commands came too late; `now` is steady time.
    fn may_tell_of_delay(&self, channel: &ChannelName, now: Timestamp) -> bool {
        let mut told = locked(&self.delay_told);
        let may = told.get(channel).is_none_or(|at| now.since(*at) >= DELAY_TOLD_EVERY);
        if may {
            told.insert(channel.clone(), now);
        }
        may
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here is left half-done by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
