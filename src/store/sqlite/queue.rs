//! The bounded queue in front of the writer thread: appends that may be refused, and operations that may not.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::incidents::{Owed, Prepared};
use super::shards::Standing;
use crate::model::{AuditRecord, Cursor, NewEntry};
use crate::store::{Appended, ChannelChanges, Lease, Shard, StoreError};

/// Where an answer goes.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// An entry that waits to be kept.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) entry: NewEntry,
    pub(super) answer: Answer<Appended>,
}

/// Changes on their way, by kind of shard.
#[derive(Debug)]
pub(super) enum Rows {
    Engine(Prepared),
    /// All but what is owed, and that.
    Channel(ChannelChanges, Vec<Owed>),
}

/// What the writer is asked besides appends. There are at most a few per shard at a time, as each is waited for.
#[derive(Debug)]
pub(super) enum Op {
    Open { shard: Shard, lookback: Duration, answer: Answer<Standing> },
    Commit { lease: Lease, cursor: Cursor, rows: Rows, answer: Answer<()> },
    Put { map: &'static str, key: String, value: String, answer: Answer<()> },
    Record { record: AuditRecord, answer: Answer<()> },
}

/// What the writer took at once.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) appends: Vec<Append>,
    pub(super) ops: Vec<Op>,
    /// Nothing more will come.
    pub(super) closed: bool,
}

/// Why an append was not let in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Closed,
}

/// Bounds of the queue and of what is taken at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Appends that may wait.
    pub(super) appends: usize,
    /// Bytes of their bodies.
    pub(super) bytes: usize,
    /// Appends taken at once.
    pub(super) batch: usize,
    /// Bytes of bodies taken at once; a larger single one is taken alone.
    pub(super) batch_bytes: usize,
}

/// The queue.
#[derive(Debug)]
pub(super) struct Queue {
    bounds: Bounds,
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    appends: VecDeque<Append>,
    bytes: usize,
    ops: Vec<Op>,
    closed: bool,
}

impl Queue {
    /// An empty queue.
    pub(super) fn new(bounds: Bounds) -> Queue {
        Queue { bounds, waiting: Mutex::default(), arrived: Condvar::new() }
    }

    /// Lets an append in, or refuses it at once.
    pub(super) fn append(&self, append: Append) -> Result<(), Refused> {
        let mut waiting = lock(&self.waiting);
        let bytes = append.entry.body.len();
        if waiting.closed {
            return Err(Refused::Closed);
        }
        if waiting.appends.len() >= self.bounds.appends || waiting.bytes + bytes > self.bounds.bytes {
            return Err(Refused::Full);
        }
        let was_idle = waiting.is_idle();
        waiting.bytes += bytes;
        waiting.appends.push_back(append);
        drop(waiting);
        if was_idle {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Lets an operation in; `false` when closed, and then it is dropped.
    pub(super) fn ask(&self, op: Op) -> bool {
        let mut waiting = lock(&self.waiting);
        if waiting.closed {
            return false;
        }
        waiting.ops.push(op);
        drop(waiting);
        self.arrived.notify_one();
        true
    }

    /// Takes a batch; waits up to `wait` for something to come.
    pub(super) fn take(&self, wait: Duration) -> Work {
        let waiting = lock(&self.waiting);
        let (mut waiting, _) = self
            .arrived
            .wait_timeout_while(waiting, wait, |waiting| waiting.is_idle() && !waiting.closed)
            .unwrap_or_else(PoisonError::into_inner);
        let mut bytes = 0;
        let taken = waiting
            .appends
            .iter()
            .take(self.bounds.batch)
            .take_while(|append| {
                let first = bytes == 0;
                bytes += append.entry.body.len();
                first || bytes <= self.bounds.batch_bytes
            })
            .count();
        let appends: Vec<Append> = waiting.appends.drain(..taken).collect();
        waiting.bytes -= appends.iter().map(|append| append.entry.body.len()).sum::<usize>();
        let closed = waiting.closed && waiting.appends.is_empty();
        Work { appends, ops: std::mem::take(&mut waiting.ops), closed }
    }

    /// Lets nothing more in. What waits is still taken.
    pub(super) fn close(&self) {
        lock(&self.waiting).closed = true;
        self.arrived.notify_all();
    }

    /// Lets nothing more in and drops what waits: nobody is there to take it any more.
    pub(super) fn abandon(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.closed = true;
        let left = (std::mem::take(&mut waiting.appends), std::mem::take(&mut waiting.ops));
        waiting.bytes = 0;
        drop(waiting);
        drop(left);
    }

    /// Whether nothing more is let in.
    pub(super) fn is_closed(&self) -> bool {
        lock(&self.waiting).closed
    }
}

impl Waiting {
    fn is_idle(&self) -> bool {
        self.appends.is_empty() && self.ops.is_empty()
    }
}

/// Locks, even after a panic elsewhere: all that is kept under our locks is whole between statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::{Input, Timestamp};

    fn queue() -> Queue {
        Queue::new(Bounds { appends: 4, bytes: 1000, batch: 3, batch_bytes: 500 })
    }

    fn append(size: usize) -> Append {
        let input = Input::Resumed { from: Timestamp(0), to: Timestamp(0) };
        Append { entry: NewEntry { input, body: Bytes::from(vec![0; size]) }, answer: oneshot::channel().0 }
    }

    #[test]
    fn too_many_or_too_large_is_refused_at_once() {
        let queue = queue();
        for _ in 0..4 {
            queue.append(append(1)).unwrap();
        }
        assert_eq!(queue.append(append(1)), Err(Refused::Full));
        let queue = self::queue();
        queue.append(append(900)).unwrap();
        assert_eq!(queue.append(append(101)), Err(Refused::Full));
        queue.append(append(100)).unwrap();
    }

    #[test]
    fn a_batch_is_bounded_by_count_and_bytes_but_never_empty() {
        let queue = queue();
        let take = || queue.take(Duration::ZERO).appends.len();
        (0..4).for_each(|_| queue.append(append(0)).unwrap());
        assert_eq!((take(), take(), take()), (3, 1, 0));
        [600, 300, 100].into_iter().for_each(|size| queue.append(append(size)).unwrap());
        assert_eq!((take(), take(), take()), (1, 2, 0));
    }

    #[test]
    fn what_waits_when_it_closes_is_still_taken() {
        let queue = queue();
        queue.append(append(400)).unwrap();
        queue.append(append(400)).unwrap();
        queue.close();
        assert_eq!(queue.append(append(1)), Err(Refused::Closed));
        let first = queue.take(Duration::MAX);
        assert_eq!((first.appends.len(), first.closed), (1, false));
        let second = queue.take(Duration::MAX);
        assert_eq!((second.appends.len(), second.closed), (1, true));
    }
}
