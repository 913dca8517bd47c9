//! The inputs of an opened shard, from wherever they are: disk first, then memory as they come.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;

use super::error::Fault;
use super::handover::Handed;
use super::readers::Readers;
use super::shared::Shared;
use super::tail::Taken;
use super::{journal, outbox};
use crate::model::{ChannelName, DeliveryId, Entry, Seq};
use crate::store::{Batch, Items, Lease, StoreError};

/// Entries read from disk at once, roughly: a short read, and large enough to keep a core busy meanwhile.
const CHUNK: usize = 2048;

/// Where an opened shard is in its inputs.
#[derive(Debug)]
pub(super) enum Feed {
    Engine(Mutex<EngineFeed>),
    Channel(Mutex<ChannelFeed>),
}

/// The engine's place in the journal.
#[derive(Debug)]
pub(super) struct EngineFeed {
    /// The next entry that is neither handed out nor in `read`.
    position: Seq,
    /// Read from disk, not handed out yet.
    read: VecDeque<Entry>,
    /// Being read: up to where the disk was known to reach, and the entries.
    reading: Option<Reading>,
}

type Reading = (Seq, JoinHandle<Result<Vec<Entry>, Fault>>);

/// A channel's place in the outbox.
#[derive(Debug)]
pub(super) struct ChannelFeed {
    channel: ChannelName,
    /// The last row handed out.
    position: DeliveryId,
    grown: Arc<Notify>,
}

impl Feed {
    /// The journal from an entry on.
    pub(super) fn engine(from: Seq) -> Feed {
        Feed::Engine(Mutex::new(EngineFeed { position: from, read: VecDeque::new(), reading: None }))
    }

    /// A channel's rows behind the last one it took in.
    pub(super) fn channel(channel: ChannelName, position: DeliveryId, grown: Arc<Notify>) -> Feed {
        Feed::Channel(Mutex::new(ChannelFeed { channel, position, grown }))
    }

    /// The next inputs. Dropping the future loses none.
    pub(super) async fn next(
        &self,
        lease: &Lease,
        (shared, readers): (&Shared, &Arc<Readers>),
        max: usize,
        wait: Duration,
    ) -> Result<Batch, StoreError> {
        let max = max.max(1);
        match self {
            Feed::Engine(feed) => feed.lock().await.next(lease, (shared, readers), max, wait).await,
            Feed::Channel(feed) => feed.lock().await.next(lease, (shared, readers), max, wait).await,
        }
    }
}

impl EngineFeed {
    async fn next(
        &mut self,
        lease: &Lease,
        (shared, readers): (&Shared, &Arc<Readers>),
        max: usize,
        wait: Duration,
    ) -> Result<Batch, StoreError> {
        let waited = tokio::time::sleep(wait);
        tokio::pin!(waited);
        let mut is_over = false;
        loop {
            shared.check(lease)?;
            let grown = shared.tail.grown();
            tokio::pin!(grown);
            // Before looking, or what comes in between is missed.
            grown.as_mut().enable();
            if let Some(batch) = self.hand_out(max, shared) {
                return Ok(batch);
            }
            if let Some((until, handle)) = &mut self.reading {
                let (until, entries) = (*until, handle.await);
                self.reading = None;
                let entries = entries.map_err(|error| StoreError::Failed(error.to_string().into()))??;
                self.take_in(entries, until, readers);
                continue;
            }
            match shared.tail.take(self.position, max, shared.clock.steady()) {
                Taken::Entries(entries, watermark, at_head) => {
                    self.position = entries.last().map_or(self.position, |last| Seq(last.seq.0 + 1));
                    return Ok(Batch { items: Items::Journal(entries), watermark, at_head });
                }
                Taken::OnDisk(until) => self.read_on(until, readers),
                Taken::Nothing(watermark) if is_over => {
                    return Ok(Batch { items: Items::Journal(Vec::new()), watermark, at_head: true });
                }
                Taken::Nothing(_) if shared.queue.is_closed() => return Err(StoreError::Closed),
                Taken::Nothing(_) => tokio::select! {
                    () = grown => {}
                    () = &mut waited => is_over = true,
                },
            }
        }
    }

    fn hand_out(&mut self, max: usize, shared: &Shared) -> Option<Batch> {
        let count = max.min(self.read.len());
        let entries: Vec<Entry> = self.read.drain(..count).collect();
        // More follows, perhaps of the same stamp; none of an earlier one.
        let watermark = entries.last()?.received_at;
        let at_head = self.read.is_empty() && shared.tail.is_head(self.position);
        Some(Batch { items: Items::Journal(entries), watermark, at_head })
    }

    /// Takes a chunk in and has the next one read while this one is worked on.
    fn take_in(&mut self, entries: Vec<Entry>, until: Seq, readers: &Arc<Readers>) {
        self.position = match entries.last() {
            Some(last) => Seq(last.seq.0 + 1),
            // Nothing there although numbers were given: a batch that was not kept.
            None => Seq(until.0 + 1),
        };
        self.read.extend(entries);
        if self.position <= until {
            self.read_on(until, readers);
        }
    }

    fn read_on(&mut self, until: Seq, readers: &Arc<Readers>) {
        let (from, readers) = (self.position, readers.clone());
        let read = move || readers.read_here(|conn| journal::read(conn, from, until, CHUNK));
        self.reading = Some((until, tokio::task::spawn_blocking(read)));
    }
}

impl ChannelFeed {
    async fn next(
        &mut self,
        lease: &Lease,
        (shared, readers): (&Shared, &Arc<Readers>),
        max: usize,
        wait: Duration,
    ) -> Result<Batch, StoreError> {
        let waited = tokio::time::sleep(wait);
        tokio::pin!(waited);
        let mut is_over = false;
        loop {
            shared.check(lease)?;
            let line = self.grown.clone();
            let grown = line.notified();
            tokio::pin!(grown);
            grown.as_mut().enable();
            let (rows, at_head) = match shared.handover.take(&self.channel, self.position, max) {
                Handed::Rows(rows, at_head) => (rows, at_head),
                Handed::OnDisk(until) => {
                    let (channel, after) = (self.channel.clone(), self.position);
                    // One more tells whether there are more.
                    let most = max.saturating_add(1);
                    let mut rows = readers.read(move |conn| outbox::read(conn, &channel, after, until, most)).await?;
                    let is_all = rows.len() <= max;
                    rows.truncate(max);
                    if is_all {
                        self.position = until;
                    }
                    (rows, is_all && shared.handover.is_head(&self.channel, until))
                }
                Handed::Nothing if is_over => (Vec::new(), true),
                Handed::Nothing if shared.queue.is_closed() => return Err(StoreError::Closed),
                Handed::Nothing => {
                    tokio::select! {
                        () = grown => {}
                        () = &mut waited => is_over = true,
                    }
                    continue;
                }
            };
            self.position = rows.last().map_or(self.position, |(last, _)| self.position.max(*last));
            if !rows.is_empty() || is_over {
                return Ok(Batch { items: Items::Outbox(rows), watermark: shared.clock.steady(), at_head });
            }
        }
    }
}
