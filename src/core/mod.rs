//! The single-writer loop: entries in, engine steps, changes committed. No policy in it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::engine::{self, Engine};
use crate::metrics::Metrics;
use crate::model::{Cursor, EngineState, Entry, Input, NewEntry, RuleOutcome, Seq, State as IncidentState, Timestamp};
use crate::rules::RuleSet;
use crate::store::{self, Changes, Commit, Items, Lease, Opened, Shard, Store, StoreError};

/// Entries taken in one go.
const BATCH: usize = 512;

/// The cursor is committed this often while entries come in without any other change.
const CURSOR_EVERY: Duration = Duration::from_millis(250);

/// While deadlines run and nothing comes in, the time is committed this often, so that a restart knows how long
/// nobody listened.
const ALIVE_EVERY: Duration = Duration::from_secs(5);

/// Nothing runs and nothing came: no need to look.
const IDLE: Duration = Duration::from_secs(60);

/// Pause before a failed commit or read is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// Tries of a failing commit once we were told to stop.
const LAST_TRIES: u32 = 5;

/// Waits are no shorter: while the store can't take callbacks its time stands still, and what is due stays due.
const SHORTEST_WAIT: Duration = Duration::from_millis(2);

/// A gap shorter than this is no gap: it is the time that a restart takes.
const SHORTEST_GAP: Duration = Duration::from_secs(1);

/// What the core works with.
#[derive(Clone)]
pub struct Rooms {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The rules in force.
    pub rules: Arc<RuleSet>,
    /// The time.
    pub clock: Arc<Clock>,
    /// The counters.
    pub metrics: Arc<Metrics>,
}

/// The engine on its shard.
pub struct Core {
    rooms: Rooms,
    engine: Engine,
    /// What the engine goes on from, until it is loaded.
    opened: Option<(EngineState, Cursor)>,
    lease: Lease,
    caught_up: watch::Sender<bool>,
}

/// Why the core stopped before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// The store failed for good.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the store keeps can't be read.
    #[error(transparent)]
    Load(#[from] engine::LoadError),
    /// The store handed out something that is no engine's.
    #[error("the store opened the engine's shard as another kind")]
    Kind,
}

impl Core {
    /// Opens the engine's shard and journals what has to stand before the first callback of this run: the gap in
    /// which nobody listened, and which rules are in force. Callbacks may be taken as soon as this returns: keeping
    /// them needs no engine.
    ///
    /// # Errors
    /// [`CoreError`] if the shard can't be opened or the journal not be written.
    pub async fn open(rooms: Rooms) -> Result<Core, CoreError> {
        let lookback = Engine::lookback(&rooms.rules);
        let Opened { lease, cursor, state, last_alive } = rooms.store.open(Shard::Engine, lookback).await?;
        let store::State::Engine(state) = state else { return Err(CoreError::Kind) };
        let now = rooms.clock.steady();
        if last_alive != Timestamp(0) && now.since(last_alive) >= SHORTEST_GAP {
            journal(&rooms, Input::Resumed { from: last_alive, to: now }).await?;
        }
        journal(&rooms, Input::RulesLoaded { hash: rooms.rules.hash.as_str().into() }).await?;
        let engine = Engine::new(Arc::clone(&rooms.rules));
        Ok(Core { rooms, engine, opened: Some((state, cursor)), lease, caught_up: watch::Sender::new(false) })
    }

    /// Turns true once the engine has caught up with the journal.
    #[must_use]
    pub fn caught_up(&self) -> watch::Receiver<bool> {
        self.caught_up.subscribe()
    }

    /// Runs until stopped: loads the state and warms the windows up, then takes entries in for ever. A failed commit
    /// keeps its changes and is tried again; nothing is taken in until it went through.
    ///
    /// # Errors
    /// [`CoreError`] when going on would lose something.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), CoreError> {
        if let Some((state, cursor)) = self.opened.take() {
            self.engine.load(state, cursor)?;
        }
        let mut counters = Counters::new(&self.rooms.rules);
        let mut committed = self.engine.cursor();
        let store = Arc::clone(&self.rooms.store);
        let lease = self.lease.clone();
        loop {
            let wait = self.wait(committed.seq);
            let batch = tokio::select! {
                () = stop.cancelled() => break,
                batch = store.next(&lease, BATCH, wait) => batch,
            };
            let batch = match batch {
                Ok(batch) => batch,
                Err(StoreError::Overloaded(why) | StoreError::Failed(why)) => {
                    tracing::error!(%why, "the journal can't be read just now");
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let Items::Journal(entries) = batch.items else { return Err(CoreError::Kind) };
            for entry in &entries {
                self.take(entry);
            }
            self.engine.advance(batch.watermark);
            self.log();
            counters.count(&mut self.engine, &self.rooms.metrics);
            let cursor = self.engine.cursor();
            let since = cursor.at.since(committed.at);
            let stale = cursor.seq != committed.seq && since >= CURSOR_EVERY;
            if self.engine.has_changes() || stale || (self.engine.is_waiting() && since >= ALIVE_EVERY) {
                self.commit(&stop).await?;
                committed = cursor;
            }
            if batch.at_head {
                self.caught_up.send_if_modified(|caught_up| !std::mem::replace(caught_up, true));
            }
        }
        self.commit(&stop).await
    }

    fn take(&mut self, entry: &Entry) {
        match entry.seq <= self.engine.cursor().seq {
            true => self.engine.warm(entry),
            false => self.engine.step(entry),
        }
    }

    fn log(&mut self) {
        for effect in self.engine.take_effects() {
            tracing::info!(
                incident = effect.incident.0,
                rule = &*effect.rule,
                stream = ?effect.key.to_string(),
                severity = %effect.severity,
                "{:?}",
                effect.is
            );
        }
    }

    /// How long to wait for entries: until the next timer, the next cursor commit, or the next sign of life.
    fn wait(&self, committed: Seq) -> Duration {
        let idle = match (self.engine.cursor().seq == committed, self.engine.is_waiting()) {
            (false, _) => CURSOR_EVERY,
            (true, true) => ALIVE_EVERY,
            (true, false) => IDLE,
        };
        let now = self.rooms.clock.steady();
        self.engine.next_due().map_or(idle, |due| due.since(now).clamp(SHORTEST_WAIT, idle))
    }

    /// Commits, again and again if need be: what was decided is kept before anything else is.
    ///
    /// Once stopped it is tried a few times more: the journal has all that led to it, and the next start decides the
    /// same again.
    async fn commit(&mut self, stop: &CancellationToken) -> Result<(), CoreError> {
        let changes = Changes::Engine(self.engine.take_changes());
        let commit = Commit { cursor: self.engine.cursor(), changes };
        let mut last_tries = LAST_TRIES;
        loop {
            match self.rooms.store.commit(&self.lease, commit.clone()).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Overloaded(why) | StoreError::Failed(why)) => {
                    tracing::error!(%why, "a commit failed and is tried again; nothing is decided until it goes through");
                    if stop.is_cancelled() {
                        last_tries -= 1;
                    }
                    if last_tries == 0 {
                        return Err(StoreError::Failed(why).into());
                    }
                    tokio::time::sleep(RETRY).await;
                }
                Err(error @ (StoreError::Fenced(_) | StoreError::Closed)) => return Err(error.into()),
            }
        }
    }
}

async fn journal(rooms: &Rooms, input: Input) -> Result<(), StoreError> {
    let entry = NewEntry { input, body: bytes::Bytes::new() };
    rooms.store.append(&Shard::Engine, entry).await.map(|_| ())
}

/// The counters of rule outcomes, looked up once.
struct Counters {
    by_rule: HashMap<String, Vec<Option<Counter>>>,
}

impl Counters {
    fn new(rules: &RuleSet) -> Counters {
        let none = || vec![None; RuleOutcome::ALL.len()];
        Counters { by_rule: rules.rules.iter().map(|rule| (rule.name.to_string(), none())).collect() }
    }

    fn count(&mut self, engine: &mut Engine, metrics: &Metrics) {
        engine.take_tally(|rule, outcome, count| {
            if let Some(slot) = self.by_rule.get_mut(rule).and_then(|slots| slots.get_mut(outcome as usize)) {
                slot.get_or_insert_with(|| metrics.rule_outcome(rule, outcome)).inc_by(count);
            }
        });
        let (pending, firing) = engine.counts();
        metrics.incidents(IncidentState::Pending, pending);
        metrics.incidents(IncidentState::Firing, firing);
    }
}
