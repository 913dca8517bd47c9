//! Keeping: the trait behind which all durable work of the live path goes, and SQLite behind it.
//!
//! Six methods carry the live path ([`Store`]); a second, read-only trait ([`Reader`]) serves lists and rendering.
//! The engine is one kind of shard, fed by the journal; every channel is a shard of the other kind, fed by the
//! outbox that the engine's commits fill.

pub mod sqlite;
pub use sqlite::{Archive, Begin, Entries, OpenError, ReadBody, Recorded, Scan, Settings, Sqlite};

pub mod parts;
pub use parts::{PartSender, Parts};
pub mod listing;
pub use listing::{Fate, Listed, Page, Wanted};
pub mod lookup;
pub use lookup::{Lookup, Sheet, Told, Which};

#[cfg(test)]
pub(crate) mod conformance;
#[cfg(test)]
pub(crate) mod samples;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::model::{
    Attempt, ChannelName, Cursor, Delivery, DeliveryId, DigestId, EngineChanges, Entry, Group, GroupId, Incident,
    Keyed, Message, NewEntry, Notification, Seq, Timestamp,
};

/// A stretch of work that one owner does at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Shard {
    /// The engine: input is the journal.
    Engine,
    /// A channel's delivery: input is its part of the outbox.
    Channel(ChannelName),
}

/// Proof of having opened a shard; fenced off once somebody opens it again.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Which shard.
    pub shard: Shard,
    /// Rises by one with every open.
    pub epoch: u64,
}

/// The kind of keyed state under which a channel remembers its digests, by their numbers.
pub const DIGEST: &str = "digest";

/// What an opened channel shard goes on from.
#[derive(Debug, Default)]
pub struct ChannelState {
    /// Rows up to the cursor that have no outcome yet, oldest first.
    pub deliveries: Vec<Delivery>,
    /// Messages of groups that are not forgotten (a closed one may come back), of those with any row that has no
    /// outcome yet, and of the members of digests that are remembered under [`DIGEST`].
    pub messages: Vec<Message>,
    /// Calls of the last hour, over all budgets.
    pub attempts: Vec<Attempt>,
    /// Keyed state: (kind, key, JSON).
    pub keyed: Vec<(String, String, String)>,
}

/// The state handed over by [`Store::open`], by kind of shard.
#[derive(Debug)]
pub enum State {
    /// For [`Shard::Engine`].
    Engine(Parts),
    /// For [`Shard::Channel`].
    Channel(ChannelState),
}

/// Answer of [`Store::open`].
#[derive(Debug)]
pub struct Opened {
    /// To be shown at each call.
    pub lease: Lease,
    /// Where the shard stood at its last commit.
    pub cursor: Cursor,
    /// What it knew then.
    pub state: State,
    /// The last moment at which the store is known to have taken inputs before it was started: the later of the
    /// engine's cursor and the journal's last stamp; zero in a new folder. From then until the start nobody listened.
    pub last_alive: Timestamp,
}

/// Inputs, by kind of shard.
#[derive(Debug)]
pub enum Items {
    /// Journal entries, ascending. Those up to the cursor (see `lookback`) only warm windows up.
    Journal(Vec<Entry>),
    /// New outbox rows, ascending.
    Outbox(Vec<(DeliveryId, Notification)>),
}

/// Answer of [`Store::next`]; empty items after the wait.
#[derive(Debug)]
pub struct Batch {
    /// What came.
    pub items: Items,
    /// No later entry will be stamped earlier than this: timers may run up to here.
    pub watermark: Timestamp,
    /// Nothing more was kept for this shard when this was handed out, in memory or on disk.
    pub at_head: bool,
}

/// What a channel commit changes.
#[derive(Clone, Debug, Default)]
pub struct ChannelChanges {
    /// Rows as they are now.
    pub deliveries: Vec<Delivery>,
    /// Messages as they are now.
    pub messages: Vec<Message>,
    /// Calls about to be made.
    pub attempts: Vec<Attempt>,
    /// New outbox rows, of this channel or of another; numbered and handed over as the engine's are.
    pub owed: Vec<Notification>,
    /// Keyed state, of this channel alone.
    pub keyed: Vec<Keyed>,
}

/// Changes, by kind of shard.
#[derive(Clone, Debug)]
pub enum Changes {
    /// For [`Shard::Engine`].
    Engine(EngineChanges),
    /// For [`Shard::Channel`].
    Channel(ChannelChanges),
}

/// All or nothing: state, outbox and cursor of one shard.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The last input taken in, and the shard's time. For a channel, `seq` is the last [`DeliveryId`].
    pub cursor: Cursor,
    /// The rest.
    pub changes: Changes,
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Kept, here.
    New(Seq),
    /// Kept before (and committed: a repeat waits for the original's commit).
    Duplicate,
}

/// Why the store refused or failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The queue is full or the disk failed; the entry is not kept. Try again after a while.
    #[error("overloaded: {0}")]
    Overloaded(Arc<str>),
    /// Another owner has opened the shard since.
    #[error("shard {0:?} was opened by another owner")]
    Fenced(Shard),
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
    /// The disk or the database said no; nothing of the commit is kept.
    #[error("{0}")]
    Failed(Arc<str>),
}

/// A small shared map with watch: values by key under a table's name.
pub trait Table: Send + Sync {
    /// The value, if any.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>>;
    /// Sets it, durably.
    fn put<'a>(&'a self, key: &'a str, value: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
    /// Changes with every put to the table.
    fn watch(&self) -> watch::Receiver<u64>;
}

/// All durable work of the live path.
pub trait Store: Send + Sync {
    /// Keeps an entry in the journal; resolves once it is on disk.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] at once if the queue is full or the disk is; the entry is then not kept.
    fn append(&self, shard: &Shard, entry: NewEntry) -> BoxFuture<'_, Result<Appended, StoreError>>;

    /// The shards that are this process's now; for ever all of them behind SQLite.
    fn owned(&self) -> watch::Receiver<Vec<Shard>>;

    /// Takes a shard over: loads its state and fences earlier owners. For the engine, [`Store::next`] then begins
    /// with the entries received within `lookback` before the cursor's time.
    fn open(&self, shard: Shard, lookback: Duration) -> BoxFuture<'_, Result<Opened, StoreError>>;

    /// The next inputs, at most `max`; waits up to `wait` for the first. Each is handed out once for a lease;
    /// dropping the future loses none.
    fn next<'a>(&'a self, lease: &'a Lease, max: usize, wait: Duration) -> BoxFuture<'a, Result<Batch, StoreError>>;

    /// Keeps state, outbox and cursor together; resolves once it is on disk.
    fn commit<'a>(&'a self, lease: &'a Lease, commit: Commit) -> BoxFuture<'a, Result<(), StoreError>>;

    /// A small shared map.
    fn table(&self, name: &'static str) -> Arc<dyn Table>;
}

/// A group and its incidents, by number ascending.
pub type Members = (Group, Vec<Incident>);

/// A member of a digest.
#[derive(Clone, Debug, PartialEq)]
pub struct Seated {
    /// Its number.
    pub group: GroupId,
    /// The channels for which it is told there, besides the digest's own.
    pub stands_in: Vec<ChannelName>,
    /// Its incidents, by number ascending; none once they are no longer kept.
    pub incidents: Vec<Incident>,
}

/// Reading for rendering, lists and checks; short reads on connections of their own.
pub trait Reader: Send + Sync {
    /// A group and its incidents, by number ascending; `None` if there is none.
    fn group(&self, id: GroupId) -> BoxFuture<'_, Result<Option<Members>, StoreError>>;

    /// A page of the deliveries, newest first.
    fn deliveries(&self, wanted: Wanted) -> BoxFuture<'_, Result<Page, StoreError>>;

    /// A delivery; `None` if there is none, or none any more.
    fn delivery(&self, id: DeliveryId) -> BoxFuture<'_, Result<Option<Delivery>, StoreError>>;

    /// How many deliveries of a channel were given up and are kept.
    fn dead<'a>(&'a self, channel: &'a ChannelName) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// The members of a channel's digest with a number above `after` and their incidents, both by number ascending;
    /// at most `max` members, and none behind the last one.
    fn members<'a>(
        &'a self,
        channel: &'a ChannelName,
        digest: DigestId,
        after: GroupId,
        max: usize,
    ) -> BoxFuture<'a, Result<Vec<Seated>, StoreError>>;
}
