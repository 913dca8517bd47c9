//! What the writer thread and the callers share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tracing::error;

use super::error::{Consequence, Fault};
use super::handover::Handover;
use super::queue::{Queue, lock};
use super::tail::Tail;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::store::{Lease, Shard, StoreError};

/// Everything between the two sides.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) tail: Tail,
    pub(super) handover: Handover,
    pub(super) clock: Arc<Clock>,
    pub(super) metrics: Arc<Metrics>,
    /// Who holds which shard now.
    pub(super) epochs: Mutex<HashMap<Shard, u64>>,
    pub(super) owned: watch::Sender<Vec<Shard>>,
    /// Why the process must end, once it must.
    pub(super) fatal: watch::Sender<Option<Arc<str>>>,
    pub(super) maps: Mutex<HashMap<&'static str, watch::Sender<u64>>>,
    /// How long identities are remembered, ms. It only grows.
    pub(super) horizon: AtomicU64,
}

impl Shared {
    /// A shard has a new owner.
    pub(super) fn opened(&self, shard: &Shard, epoch: u64) {
        lock(&self.epochs).insert(shard.clone(), epoch);
        self.owned.send_if_modified(|owned| {
            let is_new = !owned.contains(shard);
            if is_new {
                owned.push(shard.clone());
            }
            is_new
        });
    }

    /// Refuses a lease that was followed by another.
    pub(super) fn check(&self, lease: &Lease) -> Result<(), StoreError> {
        match lock(&self.epochs).get(&lease.shard) {
            Some(epoch) if *epoch == lease.epoch => Ok(()),
            _ => Err(StoreError::Fenced(lease.shard.clone())),
        }
    }

    /// Something was put into a shared map.
    pub(super) fn changed(&self, map: &'static str) {
        self.watched(map).send_modify(|version| *version += 1);
    }

    /// The version of a shared map.
    pub(super) fn watched(&self, map: &'static str) -> watch::Sender<u64> {
        lock(&self.maps).entry(map).or_insert_with(|| watch::Sender::new(0)).clone()
    }

    /// How long identities are remembered.
    pub(super) fn horizon(&self) -> Duration {
        Duration::from_millis(self.horizon.load(Ordering::Acquire))
    }

    /// They are to be remembered for at least so long.
    pub(super) fn widen_horizon(&self, horizon: Duration) {
        self.horizon.fetch_max(horizon.as_millis().try_into().unwrap_or(u64::MAX), Ordering::AcqRel);
    }

    /// Why the process must end, once it must.
    pub(super) fn fatal(&self) -> Option<Arc<str>> {
        self.fatal.borrow().clone()
    }

    /// Logs a fault and does what cannot wait.
    pub(super) fn notice(&self, fault: &Fault) -> Consequence {
        let consequence = fault.consequence();
        match consequence {
            Consequence::Fatal => self.die(fault),
            Consequence::Full | Consequence::Failed => error!("the data folder: {fault}"),
        }
        consequence
    }

    /// A sync failed: what we believe to be on disk may not be. Nothing more is taken; the process must end.
    fn die(&self, fault: &Fault) {
        error!("the disk does not keep what it is given, pushwatch must stop: {fault}");
        self.queue.close();
        self.end(fault.to_string().into());
    }

    fn end(&self, why: Arc<str>) {
        self.fatal.send_if_modified(|fatal| {
            let is_first = fatal.is_none();
            if is_first {
                *fatal = Some(why);
            }
            is_first
        });
    }
}

/// Held by the writer thread. Should it panic, those who wait are told, nobody else gets to wait, and the process
/// must end.
#[derive(Debug)]
pub(super) struct Watch(pub(super) Arc<Shared>);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!("the store's writer panicked, pushwatch must stop");
            self.0.end("the store's writer panicked".into());
            self.0.queue.abandon();
        }
    }
}
