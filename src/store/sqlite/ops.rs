//! The operations of one turn, each applied inside the turn's transaction and answered after it.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::Connection;

use super::error::Fault;
use super::handover::OutboxRow;
use super::incidents::Owed;
use super::queue::{Answer, Op, Rows};
use super::shards::{self, Standing};
use super::{lookup, outbox, queue};
use crate::model::{Cursor, DeliveryId};
use crate::store::{Lease, Shard, StoreError};

/// What holds once the transaction is committed.
#[derive(Debug)]
pub(super) enum Effect {
    Opened { shard: Shard, standing: Standing, lookback: Duration },
    Committed { shard: Shard, cursor: Cursor, outbox: Vec<OutboxRow> },
    Put { map: &'static str },
    Recorded,
}

/// Numbers that move within a turn and count only if it is committed.
#[derive(Debug)]
pub(super) struct Ledger<'a> {
    pub(super) standing: &'a HashMap<Shard, Standing>,
    /// Shards opened earlier in this turn.
    pub(super) opened: HashMap<Shard, Standing>,
    /// The next outbox number.
    pub(super) next_outbox: u64,
}

/// Why an operation did not go through.
#[derive(Debug)]
pub(super) enum Stopped {
    Fenced(Shard),
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for Stopped {
    fn from(fault: E) -> Stopped {
        Stopped::Fault(fault.into())
    }
}

impl Ledger<'_> {
    /// Applies one operation.
    pub(super) fn apply(&mut self, conn: &Connection, op: &Op) -> Result<Effect, Stopped> {
        match op {
            Op::Open { shard, lookback, .. } => self.open(conn, shard, *lookback),
            Op::Commit { lease, cursor, rows, .. } => self.commit(conn, lease, *cursor, rows),
            Op::Put { map, key, value, .. } => {
                shards::put(conn, map, key, value)?;
                Ok(Effect::Put { map })
            }
            Op::Record { record, .. } => {
                lookup::insert(conn, record)?;
                Ok(Effect::Recorded)
            }
        }
    }

    fn open(&mut self, conn: &Connection, shard: &Shard, lookback: Duration) -> Result<Effect, Stopped> {
        let before = self.standing_of(shard);
        let standing = Standing { epoch: before.epoch + 1, ..before };
        shards::save(conn, shard, standing)?;
        if *shard == Shard::Engine {
            let millis = u64::try_from(lookback.as_millis()).unwrap_or(u64::MAX);
            shards::set_mark(conn, shards::LOOKBACK, millis)?;
        }
        self.opened.insert(shard.clone(), standing);
        Ok(Effect::Opened { shard: shard.clone(), standing, lookback })
    }

    fn commit(&mut self, conn: &Connection, lease: &Lease, cursor: Cursor, rows: &Rows) -> Result<Effect, Stopped> {
        if self.standing_of(&lease.shard).epoch != lease.epoch {
            return Err(Stopped::Fenced(lease.shard.clone()));
        }
        let owed = match rows {
            Rows::Engine(changes) => {
                changes.write(conn)?;
                self.owe(conn, &changes.outbox)?
            }
            Rows::Channel(changes, owed) => {
                let Shard::Channel(channel) = &lease.shard else {
                    return Err(Fault::Unreadable("a channel's rows under another lease".to_owned()).into());
                };
                outbox::write(conn, channel, changes)?;
                self.owe(conn, owed)?
            }
        };
        shards::save(conn, &lease.shard, Standing { cursor, epoch: lease.epoch })?;
        Ok(Effect::Committed { shard: lease.shard.clone(), cursor, outbox: owed })
    }

    /// Numbers new rows and adds them to the outbox.
    fn owe(&mut self, conn: &Connection, owed: &[Owed]) -> Result<Vec<OutboxRow>, Fault> {
        let mut rows = Vec::with_capacity(owed.len());
        for (notification, notice) in owed {
            let id = DeliveryId(self.next_outbox);
            outbox::insert(conn, id, notification, notice.as_deref())?;
            self.next_outbox += 1;
            rows.push((id, notification.clone()));
        }
        Ok(rows)
    }

    fn standing_of(&self, shard: &Shard) -> Standing {
        self.opened.get(shard).or_else(|| self.standing.get(shard)).copied().unwrap_or_default()
    }
}

/// Answers an operation that went through.
pub(super) fn answer(op: Op, effect: &Effect) {
    // Whoever asked may have gone.
    match (op, effect) {
        (Op::Open { answer, .. }, Effect::Opened { standing, .. }) => drop(answer.send(Ok(*standing))),
        (Op::Commit { answer, .. } | Op::Put { answer, .. } | Op::Record { answer, .. }, _) => {
            drop(answer.send(Ok(())))
        }
        (op @ Op::Open { .. }, _) => fail(op, &StoreError::Failed("opened something else".into())),
    }
}

/// Answers an operation that did not.
pub(super) fn fail(op: queue::Op, error: &StoreError) {
    fn send<T>(answer: Answer<T>, error: &StoreError) {
        let _ = answer.send(Err(error.clone()));
    }
    match op {
        Op::Open { answer, .. } => send(answer, error),
        Op::Commit { answer, .. } | Op::Put { answer, .. } | Op::Record { answer, .. } => send(answer, error),
    }
}
