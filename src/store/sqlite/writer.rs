//! The writer thread: owns the write connection, turns what waits into one transaction at a time, answers after it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tracing::{debug, info, warn};

use super::Settings;
use super::batch::Batch;
use super::error::{Consequence, Fault};
use super::folder::Folder;
use super::journal::{self, Span};
use super::log::Log;
use super::ops::{self, Effect, Ledger, Stopped};
use super::packed::Packed;
use super::queue::{Append, Op, Work};
use super::retention::{self, Needed, Plan, Room, Step};
use super::seen::Seen;
use super::shards::Standing;
use super::shared::Shared;
use super::tail::Stamp;
use super::upkeep::{Refusal, Upkeep};
use crate::model::{Cursor, Seq, Timestamp};
use crate::store::{Shard, StoreError};

/// All that the writer thread owns.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) conn: Connection,
    pub(super) folder: Arc<Folder>,
    pub(super) settings: Settings,
    pub(super) shared: Arc<Shared>,
    pub(super) log: Log,
    pub(super) seen: Seen,
    pub(super) standing: HashMap<Shard, Standing>,
    pub(super) upkeep: Upkeep,
    /// How far before its cursor the engine may want to read.
    pub(super) lookback: Duration,
    /// The oldest journal entry.
    pub(super) first_seq: u64,
    /// The next journal number.
    pub(super) next_seq: u64,
    /// The next outbox number.
    pub(super) next_outbox: u64,
}

/// What a transaction did besides the batch.
#[derive(Debug)]
struct Written {
    effects: Vec<Result<Effect, StoreError>>,
    step: Option<Step>,
    next_outbox: u64,
}

impl Writer {
    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self) {
        loop {
            let is_deaf = self.shared.tail.refused(self.shared.clock.steady()).is_some();
            let work = self.shared.queue.take(self.upkeep.wait(is_deaf));
            let is_closed = work.closed;
            self.seen.widen(self.shared.horizon());
            self.turn(work);
            if is_closed {
                break;
            }
            self.look_after();
        }
        self.log.stop();
        if self.shared.fatal().is_some() {
            return;
        }
        if let Err(fault) = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            // The log is complete; the next start reads it.
            debug!("the log was left as it is: {fault}");
        }
    }

    fn turn(&mut self, work: Work) {
        if let Some(reason) = self.shared.fatal() {
            // After a failed sync a later one would lie.
            let error = StoreError::Failed(reason);
            Batch::admit(work.appends, &self.seen).refuse(&error);
            work.ops.into_iter().for_each(|op| ops::fail(op, &error));
            return;
        }
        let now = self.shared.clock.steady();
        let (appends, was_deaf) = match self.upkeep.refusal() {
            Some(refusal) => self.refuse_callbacks(work.appends, refusal),
            None => (work.appends, false),
        };
        self.keep(Batch::admit(appends, &self.seen), work.ops, now);
        if was_deaf {
            // Only now: what was just kept must not pass for the end of being deaf.
            self.shared.tail.refuse(now);
        }
    }

    /// Turns callbacks away. Returns the inputs of our own making, without which the core could not even start, and
    /// whether a callback was refused.
    fn refuse_callbacks(&self, appends: Vec<Append>, refusal: Refusal) -> (Vec<Append>, bool) {
        let (callbacks, own) = appends.into_iter().partition(|append| append.entry.input.id().is_some());
        let callbacks = Batch::admit(callbacks, &self.seen);
        let is_deaf = !callbacks.is_empty();
        match is_deaf {
            true => callbacks.refuse(&StoreError::Overloaded(refusal.as_str().into())),
            false => callbacks.answer_repeats(),
        }
        (own, is_deaf)
    }

    fn keep(&mut self, mut batch: Batch, ops: Vec<Op>, now: Timestamp) {
        let must_resume = batch.is_empty() && self.upkeep.refusal().is_none() && self.must_resume(now);
        let step = self.upkeep.due();
        if batch.is_empty() && ops.is_empty() && step.is_none() && !must_resume {
            batch.answer_repeats();
            return;
        }
        let stamp = (!batch.is_empty() || must_resume).then(|| self.shared.tail.stamp(now));
        if let Some(Stamp { at, deaf_since: Some(since), .. }) = stamp {
            batch.resume(since, at);
        }
        let written = match self.write(&mut batch, stamp, &ops, step) {
            Err(fault) if fault.consequence() == Consequence::Full && self.run_out() => {
                // This is what the reserve is for.
                self.write(&mut batch, stamp, &ops, step)
            }
            written => written,
        };
        match written {
            Ok(written) => self.settle(batch, stamp, ops, written),
            Err(fault) => self.fail(batch, stamp, ops, &fault),
        }
    }

    /// Whether it must be journaled now that we were deaf, as no callback does it for us.
    fn must_resume(&self, now: Timestamp) -> bool {
        match self.shared.tail.refused(now) {
            Some(true) => true,
            Some(false) => {
                self.shared.tail.forgive();
                false
            }
            None => false,
        }
    }

    /// One transaction; nothing of it holds if it fails.
    fn write(
        &mut self,
        batch: &mut Batch,
        stamp: Option<Stamp>,
        ops: &[Op],
        step: Option<bool>,
    ) -> Result<Written, Fault> {
        let plan = step.map(|is_over| self.plan(is_over));
        let packed: Option<(Packed, Stamp)> = match stamp {
            Some(stamp) => Some((batch.pack()?, stamp)),
            None => None,
        };
        let mut ledger = Ledger { standing: &self.standing, opened: HashMap::new(), next_outbox: self.next_outbox };
        let mut tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some((packed, stamp)) = packed {
            let (first, last) = (Seq(self.next_seq), Seq(self.next_seq + batch.len() - 1));
            journal::insert(&tx, Span { first, last, at: stamp.at }, &packed)?;
        }
        let mut effects = Vec::with_capacity(ops.len());
        for op in ops {
            // One that can't go through must not take the others with it.
            let mut savepoint = tx.savepoint()?;
            effects.push(match ledger.apply(&savepoint, op) {
                Ok(effect) => {
                    savepoint.commit()?;
                    Ok(effect)
                }
                Err(Stopped::Fenced(shard)) => Err(StoreError::Fenced(shard)),
                Err(Stopped::Fault(fault)) if fault.consequence() == Consequence::Failed => {
                    // Fails, too, if SQLite has given up the whole transaction.
                    savepoint.rollback()?;
                    Err(fault.into())
                }
                Err(Stopped::Fault(fault)) => return Err(fault),
            });
        }
        let step = match plan {
            Some(plan) => Some(retention::step(&tx, plan)?),
            None => None,
        };
        tx.commit()?;
        Ok(Written { effects, step, next_outbox: ledger.next_outbox })
    }

    fn settle(&mut self, batch: Batch, stamp: Option<Stamp>, ops: Vec<Op>, written: Written) {
        if stamp.is_some() || !ops.is_empty() || written.step.is_some_and(|step| step.pruned_to.is_some()) {
            self.shared.metrics.store_commit();
            self.upkeep.kept();
        }
        self.next_outbox = written.next_outbox;
        match stamp {
            Some(stamp) => {
                let first = Seq(self.next_seq);
                self.next_seq += batch.len();
                batch.kept(first, stamp, &mut self.seen, &self.shared.tail);
            }
            None => batch.answer_repeats(),
        }
        for (op, effect) in ops.into_iter().zip(written.effects) {
            match effect {
                Ok(mut effect) => {
                    self.take_effect(&mut effect);
                    ops::answer(op, &effect);
                }
                Err(error) => ops::fail(op, &error),
            }
        }
        if let Some(step) = written.step {
            if let Some(Seq(pruned)) = step.pruned_to {
                self.first_seq = pruned + 1;
            }
            match self.room() {
                Ok(room) => {
                    let change = self.upkeep.stepped(step, room);
                    self.tell(change.is_some());
                }
                Err(fault) => {
                    self.shared.notice(&fault);
                }
            }
        }
    }

    fn take_effect(&mut self, effect: &mut Effect) {
        match effect {
            Effect::Opened { shard, standing, lookback } => {
                if *shard == Shard::Engine {
                    self.lookback = *lookback;
                }
                self.standing.insert(shard.clone(), *standing);
                self.shared.opened(shard, standing.epoch);
            }
            Effect::Committed { shard, cursor, outbox } => {
                if let Some(standing) = self.standing.get_mut(shard) {
                    standing.cursor = *cursor;
                }
                if !outbox.is_empty() {
                    self.shared.handover.publish(std::mem::take(outbox));
                }
            }
            Effect::Put { map } => self.shared.changed(map),
            Effect::Recorded => {}
        }
    }

    fn fail(&mut self, batch: Batch, stamp: Option<Stamp>, ops: Vec<Op>, fault: &Fault) {
        if let Some(stamp) = stamp {
            self.shared.tail.give_up(stamp);
        }
        let consequence = self.shared.notice(fault);
        let error: StoreError = StoreError::Failed(fault.to_string().into());
        match consequence {
            Consequence::Full => batch.refuse(&StoreError::Overloaded("the disk is full".into())),
            Consequence::Fatal | Consequence::Failed => batch.refuse(&error),
        }
        ops.into_iter().for_each(|op| ops::fail(op, &error));
        self.upkeep.failed();
    }

    /// The disk is full. Returns whether there is some room now, as the reserve was given up.
    fn run_out(&mut self) -> bool {
        if self.upkeep.full() {
            warn!("the disk is full: callbacks are refused while the oldest ones are deleted");
        }
        self.folder.release_reserve().unwrap_or_else(|error| {
            warn!("the reserve could not be given up: {error}");
            false
        })
    }

    /// Writes the reserve, if there is room for it.
    fn reserve(&mut self, now: Timestamp) {
        match self.folder.fill_reserve(self.settings.reserve_bytes) {
            Ok(()) => {
                if self.upkeep.reserved(now) {
                    info!("there is room on the disk again");
                }
            }
            Err(error) => {
                self.upkeep.not_reserved(now);
                if self.upkeep.refusal() != Some(Refusal::Full) {
                    warn!("there is no room for a reserve in {}: {error}", self.settings.dir.display());
                }
            }
        }
    }

    /// Between turns: the log, the size, and the way back from a full disk.
    fn look_after(&mut self) {
        if let Err(fault) = self.log.tend(&self.conn) {
            self.shared.notice(&fault);
        }
        let now = self.shared.clock.steady();
        if self.upkeep.wants_reserve(now) {
            self.reserve(now);
        }
        if !self.upkeep.is_time(now) {
            return;
        }
        self.seen.expire(now);
        self.log.tidy();
        match self.room() {
            Ok(room) => {
                self.shared.metrics.journal(self.next_seq.saturating_sub(self.first_seq), room.used + room.free);
                let change = self.upkeep.look(now, room);
                self.tell(change.is_some());
            }
            Err(fault) => {
                self.shared.notice(&fault);
            }
        }
    }

    fn tell(&self, is_news: bool) {
        match self.upkeep.refusal() {
            Some(refusal) if is_news => warn!("callbacks are refused: {}", refusal.as_str()),
            None if is_news => info!("callbacks are taken again"),
            _ => {}
        }
    }

    fn room(&self) -> Result<Room, Fault> {
        let room = retention::room(&self.conn)?;
        Ok(Room { used: room.used + self.folder.wal_bytes(), ..room })
    }

    fn plan(&self, is_over: bool) -> Plan {
        let now = self.shared.clock.steady();
        let cursor = self.standing.get(&Shard::Engine).map_or_else(Cursor::default, |standing| standing.cursor);
        let since = (cursor.at - self.lookback).min(now - self.shared.horizon());
        Plan {
            needed: Needed { cursor: cursor.seq, since },
            old: now - self.settings.retention,
            attempts: now - retention::ATTEMPTS,
            is_over,
            last_outbox: self.next_outbox.saturating_sub(1),
        }
    }
}
