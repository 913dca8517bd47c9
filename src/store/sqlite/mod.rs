//! SQLite behind the store's traits: one writer thread, readers beside it, and everything new handed on in memory.
//!
//! The writer takes what waits, makes one durable transaction of it and answers everybody: the more comes in, the
//! more shares one sync of the disk. A batch of callbacks is one packed row without an index.

mod settings;
pub use settings::Settings;

mod error;
pub use error::OpenError;

mod archive;
pub use archive::{Archive, Begin, Entries, ReadBody};

mod scan;
pub use scan::{Recorded, Scan};

mod folder;
mod schema;
mod start;

mod batch;
mod ops;
mod packed;
mod queue;
mod seen;
mod shared;
mod writer;

mod deliveries;
mod incidents;
mod journal;
mod loading;
mod lookup;
mod maps;
mod outbox;
mod shards;

mod feed;
mod handover;
mod readers;
mod tail;

mod log;
mod retention;
mod upkeep;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{oneshot, watch};

use self::feed::Feed;
use self::folder::DATABASE;
use self::incidents::Prepared;
use self::maps::Map;
use self::queue::{Answer, Append, Op, Refused, Rows, lock};
use self::readers::Readers;
use self::shards::Standing;
use self::shared::Shared;
use self::start::Started;
use super::{
    Appended, Batch, Changes, ChannelState, Commit, Lease, Members, Opened, Page, Parts, Reader, Seated, Shard, State,
    Store, StoreError, Table, Wanted,
};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{ChannelName, Delivery, DeliveryId, DigestId, GroupId, NewEntry, Seq, Timestamp};

/// The store on one machine: a data folder with a SQLite database.
#[derive(Debug)]
pub struct Sqlite {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    feeds: Mutex<HashMap<Shard, Arc<Feed>>>,
    last_alive: Timestamp,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Sqlite {
    /// Takes the data folder, checks or makes the database, and starts the writer. Blocks for as long as that takes:
    /// milliseconds, and some tenths of a second for a million identities within the horizon.
    ///
    /// # Errors
    /// [`OpenError`], with a text to show as it is.
    pub fn open(settings: Settings, clock: Arc<Clock>, metrics: Arc<Metrics>) -> Result<Arc<Sqlite>, OpenError> {
        let readers = Arc::new(Readers::new(settings.dir.join(DATABASE)));
        let Started { shared, writer, last_alive } = start::start(settings, clock, metrics)?;
        let writer = Mutex::new(Some(writer));
        Ok(Arc::new(Sqlite { shared, readers, feeds: Mutex::default(), last_alive, writer }))
    }

    /// The last moment at which the store is known to have taken inputs before it was opened, see
    /// [`Opened::last_alive`].
    #[must_use]
    pub fn last_alive(&self) -> Timestamp {
        self.last_alive
    }

    /// Becomes `Some` when the disk has failed in a way that forbids to go on, as what we believe to be on it may not
    /// be, or when the writer has panicked. Nothing is taken from then on, and the process must end.
    #[must_use]
    pub fn fatal(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.shared.fatal.subscribe()
    }

    /// From now on identities are remembered for at least so long; never for less than before, as what was let in
    /// under longer-lived signatures may come again. Holds for every append that is asked for after this.
    pub fn remember_for(&self, horizon: Duration) {
        self.shared.widen_horizon(horizon);
    }

    /// Keeps what waits, takes nothing more, and gives the data folder free.
    pub async fn close(&self) {
        self.shared.queue.close();
        let writer = lock(&self.writer).take();
        if let Some(writer) = writer {
            // Should it have panicked, that is known by now, and there is nothing left to close.
            let _ = tokio::task::spawn_blocking(move || writer.join()).await;
        }
        self.readers.close();
    }

    async fn ask<T>(&self, op: impl FnOnce(Answer<T>) -> Op) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        match self.shared.queue.ask(op(answer)) {
            true => answered.await.unwrap_or(Err(StoreError::Closed)),
            false => Err(StoreError::Closed),
        }
    }

    async fn open_engine(&self, standing: Standing, lookback: Duration) -> Result<Parts, StoreError> {
        let cursor = standing.cursor;
        let warm = self.readers.read(move |conn| journal::first_since(conn, cursor.at - lookback)).await?;
        let next = Seq(cursor.seq.0 + 1);
        let from = warm.map_or(next, |span| span.first.min(next));
        lock(&self.feeds).insert(Shard::Engine, Arc::new(Feed::engine(from)));
        let (sender, parts) = Parts::new();
        let (readers, into) = (Arc::clone(&self.readers), sender.clone());
        tokio::spawn(async move {
            let load = move || loading::load(&readers, &mut |part| into.send(part));
            let how = match tokio::task::spawn_blocking(load).await {
                Ok(how) => how.map_err(StoreError::from),
                Err(error) => Err(StoreError::Failed(error.to_string().into())),
            };
            sender.end(how).await;
        });
        Ok(parts)
    }

    async fn open_channel(&self, channel: &ChannelName, standing: Standing) -> Result<ChannelState, StoreError> {
        let position = DeliveryId(standing.cursor.seq.0);
        let since = self.shared.clock.steady() - retention::ATTEMPTS;
        let grown = self.shared.handover.open(channel);
        let name = channel.clone();
        let state = self.readers.read(move |conn| outbox::load(conn, &name, position, since)).await?;
        let feed = Feed::channel(channel.clone(), position, grown);
        lock(&self.feeds).insert(Shard::Channel(channel.clone()), Arc::new(feed));
        Ok(state)
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // The writer finishes by itself what waits.
        self.shared.queue.close();
    }
}

impl Store for Sqlite {
    fn append(&self, shard: &Shard, entry: NewEntry) -> BoxFuture<'_, Result<Appended, StoreError>> {
        let is_engine = *shard == Shard::Engine;
        async move {
            if !is_engine {
                return Err(StoreError::Failed("only the engine has a journal".into()));
            }
            let (answer, answered) = oneshot::channel();
            match self.shared.queue.append(Append { entry, answer }) {
                Ok(()) => answered.await.unwrap_or(Err(StoreError::Closed)),
                Err(Refused::Closed) => Err(StoreError::Closed),
                Err(Refused::Full) => {
                    self.shared.tail.refuse(self.shared.clock.steady());
                    Err(StoreError::Overloaded("too many callbacks wait to be kept".into()))
                }
            }
        }
        .boxed()
    }

    fn owned(&self) -> watch::Receiver<Vec<Shard>> {
        self.shared.owned.subscribe()
    }

    fn open(&self, shard: Shard, lookback: Duration) -> BoxFuture<'_, Result<Opened, StoreError>> {
        async move {
            let standing = self.ask(|answer| Op::Open { shard: shard.clone(), lookback, answer }).await?;
            let state = match &shard {
                Shard::Engine => State::Engine(self.open_engine(standing, lookback).await?),
                Shard::Channel(channel) => State::Channel(self.open_channel(channel, standing).await?),
            };
            let lease = Lease { shard, epoch: standing.epoch };
            Ok(Opened { lease, cursor: standing.cursor, state, last_alive: self.last_alive })
        }
        .boxed()
    }

    fn next<'a>(&'a self, lease: &'a Lease, max: usize, wait: Duration) -> BoxFuture<'a, Result<Batch, StoreError>> {
        async move {
            let feed = lock(&self.feeds).get(&lease.shard).cloned();
            match feed {
                Some(feed) => feed.next(lease, (&self.shared, &self.readers), max, wait).await,
                None => Err(StoreError::Fenced(lease.shard.clone())),
            }
        }
        .boxed()
    }

    fn commit<'a>(&'a self, lease: &'a Lease, commit: Commit) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let rows = match (commit.changes, &lease.shard) {
                (Changes::Engine(changes), Shard::Engine) => Rows::Engine(Prepared::new(changes)?),
                (Changes::Channel(mut changes), Shard::Channel(_)) => {
                    let owed = incidents::with_notices(std::mem::take(&mut changes.owed))?;
                    Rows::Channel(changes, owed)
                }
                _ => return Err(StoreError::Failed("changes of another kind of shard".into())),
            };
            let (lease, cursor) = (lease.clone(), commit.cursor);
            self.ask(|answer| Op::Commit { lease, cursor, rows, answer }).await
        }
        .boxed()
    }

    fn table(&self, name: &'static str) -> Arc<dyn Table> {
        Arc::new(Map::new(name, self.shared.clone(), self.readers.clone()))
    }
}

impl Reader for Sqlite {
    fn group(&self, id: GroupId) -> BoxFuture<'_, Result<Option<Members>, StoreError>> {
        async move { self.readers.read(move |conn| incidents::group(conn, id)).await }.boxed()
    }

    fn deliveries(&self, wanted: Wanted) -> BoxFuture<'_, Result<Page, StoreError>> {
        deliveries::page(&self.readers, wanted).boxed()
    }

    fn delivery(&self, id: DeliveryId) -> BoxFuture<'_, Result<Option<Delivery>, StoreError>> {
        async move { self.readers.read(move |conn| deliveries::one(conn, id)).await }.boxed()
    }

    fn dead<'a>(&'a self, channel: &'a ChannelName) -> BoxFuture<'a, Result<u64, StoreError>> {
        let channel = channel.clone();
        async move { self.readers.read(move |conn| deliveries::dead(conn, &channel)).await }.boxed()
    }

    fn members<'a>(
        &'a self,
        channel: &'a ChannelName,
        digest: DigestId,
        after: GroupId,
        max: usize,
    ) -> BoxFuture<'a, Result<Vec<Seated>, StoreError>> {
        let channel = channel.clone();
        async move { self.readers.read(move |conn| incidents::members(conn, &channel, digest, after, max)).await }
            .boxed()
    }
}
