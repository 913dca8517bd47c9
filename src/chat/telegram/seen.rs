//! Which updates were followed already, over restarts too: Telegram brings one again until it is told that it came.
//!
//! An update is on record after it was followed, not before: if pushwatch dies in between, it is followed again. Commands
//! bear that (the same mute twice is one mute), and one that is lost would not be borne.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::store::{Store, StoreError, Table};

/// Table of the updates followed last: a bot's number to their numbers.
const TABLE: &str = "telegram_updates";

/// Numbers kept for each bot: more than are ever on their way at once.
const KEPT: usize = 256;

/// The updates of all bots.
pub(super) struct Seen {
    table: Arc<dyn Table>,
    bots: Mutex<HashMap<Box<str>, Updates>>,
}

/// Those of one bot.
#[derive(Default)]
struct Updates {
    followed: VecDeque<i64>,
    /// Being followed.
    begun: HashSet<i64>,
}

/// What is known of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing: it is to be followed, and then put on record.
    New,
    /// It is being followed.
    Begun,
    /// It was followed.
    Followed,
}

impl Seen {
    /// As kept.
    pub(super) fn new(store: &dyn Store) -> Seen {
        Seen { table: store.table(TABLE), bots: Mutex::default() }
    }

    /// Says what is known of an update, and takes a new one as begun.
    ///
    /// # Errors
    /// [`StoreError`] while what is on record can't be read.
    pub(super) async fn begin(&self, bot: &str, id: i64) -> Result<Known, StoreError> {
        let mut bots = self.bots.lock().await;
        if !bots.contains_key(bot) {
            let kept = self.table.get(bot).await?.unwrap_or_default();
            let followed = kept.split(' ').filter_map(|id| id.parse().ok()).take(KEPT).collect();
            bots.insert(bot.into(), Updates { followed, begun: HashSet::new() });
        }
        let updates = bots.entry(bot.into()).or_default();
        Ok(match (updates.followed.contains(&id), updates.begun.insert(id)) {
            (true, _) => {
                updates.begun.remove(&id);
                Known::Followed
            }
            (false, true) => Known::New,
            (false, false) => Known::Begun,
        })
    }

    /// An update that was begun is to come again.
    pub(super) async fn put_off(&self, bot: &str, id: i64) {
        if let Some(updates) = self.bots.lock().await.get_mut(bot) {
            updates.begun.remove(&id);
        }
    }

    /// Puts an update on record as followed.
    ///
    /// # Errors
    /// [`StoreError`] if a restart will not know of it; until then it is known.
    pub(super) async fn end(&self, bot: &str, id: i64) -> Result<(), StoreError> {
        let mut bots = self.bots.lock().await;
        let updates = bots.entry(bot.into()).or_default();
        updates.begun.remove(&id);
        updates.followed.push_back(id);
        if updates.followed.len() > KEPT {
            updates.followed.pop_front();
        }
        let kept: Vec<String> = updates.followed.iter().map(i64::to_string).collect();
        self.table.put(bot, &kept.join(" ")).await
    }
}
