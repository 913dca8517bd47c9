//! What the core says by itself: that the wall clock was set, and what is wrong with the callbacks as a whole.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use super::Rooms;
use super::vitals::{LATE_CALLBACKS, Memory, ONLY_PUSH_ERRORS, Vitals, Warning};
use crate::model::{Entry, Input, NewEntry, Seq, Timestamp};
use crate::store::{Appended, Shard, StoreError, Table};

/// The table of what is remembered, and the key that says that a begin or an end of a push has come.
const TABLE: &str = "vitals";
const HEARD_OF_PUSHES: &str = "heard_of_pushes";

/// A smaller change of the wall clock is no step: clocks drift.
const STEP_MS: u64 = 1000;

/// Keeps an input in the journal; says where.
pub(super) async fn journal(rooms: &Rooms, input: Input) -> Result<Seq, StoreError> {
    let entry = NewEntry { input, body: Bytes::new() };
    match rooms.store.append(&Shard::Engine, entry).await? {
        Appended::New(seq) => Ok(seq),
        Appended::Duplicate => Err(StoreError::Failed("an input of our own passes for a repeat".into())),
    }
}

/// What is looked after between two turns of the loop.
pub(super) struct Duties {
    table: Arc<dyn Table>,
    /// As journaled last.
    ahead: i64,
    vitals: Vitals,
    knew_of_pushes: bool,
    pub(super) warnings: watch::Sender<Vec<Warning>>,
}

impl Duties {
    /// Says how the wall clock stands at the start, and takes back what earlier runs knew.
    pub(super) async fn begin(rooms: &Rooms) -> Result<Duties, StoreError> {
        let ahead = rooms.clock.ahead();
        journal(rooms, Input::ClockSet { ahead }).await?;
        let table = rooms.store.table(TABLE);
        let time = |text: Option<String>| text.and_then(|text| text.parse().ok()).map(Timestamp);
        let memory = Memory {
            heard_of_pushes: table.get(HEARD_OF_PUSHES).await?.is_some(),
            only_push_errors: time(table.get(ONLY_PUSH_ERRORS).await?),
            late_callbacks: time(table.get(LATE_CALLBACKS).await?),
        };
        let knew_of_pushes = memory.heard_of_pushes;
        Ok(Duties { table, ahead, vitals: Vitals::new(memory), knew_of_pushes, warnings: watch::Sender::default() })
    }

    /// An entry that is judged now.
    pub(super) fn see(&mut self, entry: &Entry) {
        self.vitals.see(entry);
    }

    /// An entry that was judged before.
    pub(super) fn recall(&mut self, entry: &Entry) {
        self.vitals.recall(entry);
    }

    /// Journals and remembers what has come up. Where the store says no, the next turn tries again.
    pub(super) async fn see_to(&mut self, rooms: &Rooms) {
        let seen = self.vitals.warnings();
        self.warnings.send_if_modified(|shown| {
            let seen: Vec<Warning> = seen.collect();
            let is_news = *shown != seen;
            *shown = seen;
            is_news
        });
        if let Err(error) = self.say(rooms).await {
            tracing::warn!(%error, "what the core has to say can't be kept just now");
        }
    }

    async fn say(&mut self, rooms: &Rooms) -> Result<(), StoreError> {
        let ahead = rooms.clock.ahead();
        if ahead.abs_diff(self.ahead) > STEP_MS {
            tracing::info!(by_ms = ahead.saturating_sub(self.ahead), "the wall clock was set");
            journal(rooms, Input::ClockSet { ahead }).await?;
            self.ahead = ahead;
        }
        if self.vitals.heard_of_pushes() && !self.knew_of_pushes {
            self.table.put(HEARD_OF_PUSHES, "yes").await?;
            self.knew_of_pushes = true;
        }
        let now = rooms.clock.steady();
        while let Some(warning) = self.vitals.due(now) {
            match warning {
                Warning::OnlyPushErrors { reports } => tracing::warn!(
                    reports,
                    "only push errors arrive, no begin or end of any push: add those events to the callback template"
                ),
                Warning::LateCallbacks { median } => tracing::warn!(median_ms = median, "callbacks come late"),
            }
            journal(rooms, Input::Noticed(Box::new(warning.notice()))).await?;
            self.vitals.told(warning, now);
            self.table.put(warning.name(), &now.0.to_string()).await?;
        }
        Ok(())
    }
}
