//! The mutes that people set, as far as they were journaled, and their numbers. One writer; the engine has its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::core::Handle;
use crate::model::{ChannelName, Mute, MuteId, Timestamp};
use crate::store::{Lookup, Store, StoreError, Table};

/// Mutes in force at most.
const MOST: usize = 20_000;

/// Where the last number is kept.
const TABLE: &str = "commands";
const LAST: &str = "last_mute";

/// The mutes by number.
pub(super) struct Book {
    mutes: BTreeMap<MuteId, Mute>,
    table: Arc<dyn Table>,
    last: u64,
    is_open: bool,
}

impl Book {
    /// One that has not been opened yet.
    pub(super) fn new(store: &dyn Store) -> Book {
        Book { mutes: BTreeMap::new(), table: store.table(TABLE), last: 0, is_open: false }
    }

    /// Reads what earlier runs left, once the engine has caught up with it.
    pub(super) async fn open(&mut self, handle: &Handle, lookup: &dyn Lookup) -> Result<(), StoreError> {
        if self.is_open {
            return Ok(());
        }
        if !handle.has_caught_up().await {
            return Err(StoreError::Overloaded("pushwatch is still catching up with what it kept".into()));
        }
        let kept = self.table.get(LAST).await?.and_then(|last| last.parse().ok());
        self.mutes = lookup.mutes().await?.into_iter().map(|mute| (mute.id, mute)).collect();
        let newest = self.mutes.last_key_value().map_or(0, |(id, _)| id.0);
        self.last = kept.unwrap_or(0).max(newest);
        self.is_open = true;
        Ok(())
    }

    /// Those in force.
    pub(super) fn in_force(&self, now: Timestamp) -> impl Iterator<Item = &Mute> {
        self.mutes.values().filter(move |mute| mute.until > now)
    }

    /// The one that was set for just this.
    pub(super) fn same(&self, matchers: &str, within: Option<&ChannelName>, now: Timestamp) -> Option<&Mute> {
        self.in_force(now).find(|mute| *mute.matchers == *matchers && mute.within.as_ref() == within)
    }

    /// Whether no more can be set. Forgets those that are over.
    pub(super) fn is_full(&mut self, now: Timestamp) -> bool {
        if self.mutes.len() >= MOST {
            self.mutes.retain(|_, mute| mute.until > now);
        }
        self.mutes.len() >= MOST
    }

    /// A number that was never given before.
    pub(super) async fn number(&mut self) -> Result<MuteId, StoreError> {
        let next = self.last + 1;
        self.table.put(LAST, &next.to_string()).await?;
        self.last = next;
        Ok(MuteId(next))
    }

    /// Takes a mute in, in the place of the one of its number.
    pub(super) fn put(&mut self, mute: Mute) {
        self.mutes.insert(mute.id, mute);
    }

    /// Takes one out.
    pub(super) fn take(&mut self, id: MuteId) {
        self.mutes.remove(&id);
    }
}
