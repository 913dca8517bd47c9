//! The single-writer loop: entries in, engine steps, changes committed. No policy in it.

mod duties;
mod insist;

mod rulebook;
pub use rulebook::Rulebook;

mod roster;
pub use roster::{Heard, Roster};

mod handle;
pub use handle::{Given, Handle};

mod vitals;
pub use vitals::Warning;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::duties::{Duties, journal};
use self::insist::{RETRY, insist};
use crate::clock::Clock;
use crate::engine::{self, Engine};
use crate::metrics::Metrics;
use crate::model::{Cursor, Entry, Input, RuleOutcome, Seq, State as IncidentState, Timestamp};
use crate::rules::RuleSet;
use crate::store::{self, Changes, Commit, Items, Lease, Opened, Parts, Shard, Store, StoreError};

/// Entries taken in one go.
const BATCH: usize = 512;

/// The cursor is committed this often while entries come in without any other change.
const CURSOR_EVERY: Duration = Duration::from_millis(250);

/// While deadlines run and nothing comes in, the time is committed this often, so that a restart knows how long
/// nobody listened.
const ALIVE_EVERY: Duration = Duration::from_secs(5);

/// Nothing runs and nothing came: the wall clock is looked at this often all the same.
const IDLE: Duration = Duration::from_secs(5);

/// Waits are no shorter: while the store can't take callbacks its time stands still, and what is due stays due.
const SHORTEST_WAIT: Duration = Duration::from_millis(2);

/// A gap shorter than this is no gap: it is the time that a restart takes.
const SHORTEST_GAP: Duration = Duration::from_secs(1);

/// What the core works with.
#[derive(Clone)]
pub struct Rooms {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The rules in force, and those before them.
    pub rules: Arc<Rulebook>,
    /// The time.
    pub clock: Arc<Clock>,
    /// The counters.
    pub metrics: Arc<Metrics>,
}

/// The engine on its shard.
pub struct Core {
    rooms: Rooms,
    /// What the engine judges by.
    rules: Arc<RuleSet>,
    engine: Engine,
    /// What the engine goes on from, until it is loaded.
    opened: Option<(Parts, Cursor)>,
    lease: Lease,
    counters: Counters,
    duties: Duties,
    caught_up: watch::Sender<bool>,
    /// The last `RulesLoaded` that was taken in, not yet committed; and the last that was.
    loaded: Option<Seq>,
    in_force: watch::Sender<Seq>,
    /// The last entry that was taken in and committed.
    judged: watch::Sender<Seq>,
    roster: Arc<Roster>,
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
    /// which nobody listened, how the wall clock stands, and which rules are in force. Callbacks may be taken as soon
    /// as this returns: keeping them needs no engine.
    ///
    /// What the last run kept and did not judge any more is judged by its rules, not by the present ones.
    ///
    /// # Errors
    /// [`CoreError`] if the shard can't be opened or the journal not be written.
    pub async fn open(rooms: Rooms) -> Result<Core, CoreError> {
        let current = rooms.rules.current();
        let lookback = Engine::lookback(&current);
        let mut opened = take_over(&rooms, lookback).await?;
        let last_alive = opened.last_alive;
        let hash = opened.state.first().await?.and_then(engine::rules_in_force);
        let rules = hash.map_or_else(|| current.clone(), |hash| rooms.rules.of(&hash));
        if Engine::lookback(&rules) > lookback {
            opened = take_over(&rooms, Engine::lookback(&rules)).await?;
        }
        let now = rooms.clock.steady();
        if last_alive != Timestamp(0) && now.since(last_alive) >= SHORTEST_GAP {
            journal(&rooms, Input::Resumed { from: last_alive, to: now }).await?;
        }
        let duties = Duties::begin(&rooms).await?;
        journal(&rooms, Input::RulesLoaded { hash: current.hash.as_str().into() }).await?;
        let roster = Arc::new(Roster::default());
        roster.recall(&*rooms.store.table(roster::TABLE)).await?;
        Ok(Core {
            engine: Engine::new(Arc::clone(&rules)),
            counters: Counters::new(&rules),
            rooms,
            rules,
            opened: Some((opened.state, opened.cursor)),
            lease: opened.lease,
            duties,
            caught_up: watch::Sender::new(false),
            loaded: None,
            in_force: watch::Sender::new(Seq(0)),
            judged: watch::Sender::new(Seq(0)),
            roster,
        })
    }

    /// The way in for other rooms.
    #[must_use]
    pub fn handle(&self) -> Handle {
        let (store, roster) = (Arc::clone(&self.rooms.store), Arc::clone(&self.roster));
        Handle { store, judged: self.judged.subscribe(), caught_up: self.caught_up.subscribe(), roster }
    }

    /// Turns true once the engine has caught up with the journal.
    #[must_use]
    pub fn caught_up(&self) -> watch::Receiver<bool> {
        self.caught_up.subscribe()
    }

    /// The place of the last [`Input::RulesLoaded`] whose rules are in force; all before it is committed.
    #[must_use]
    pub fn in_force(&self) -> watch::Receiver<Seq> {
        self.in_force.subscribe()
    }

    /// What is wrong with the callbacks as a whole.
    #[must_use]
    pub fn warnings(&self) -> watch::Receiver<Vec<Warning>> {
        self.duties.warnings.subscribe()
    }

    /// Runs until stopped: loads the state and warms the windows up, then takes entries in for ever. A failed commit
    /// keeps its changes and is tried again; nothing is taken in until it went through.
    ///
    /// # Errors
    /// [`CoreError`] when going on would lose something.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), CoreError> {
        if let Some((state, cursor)) = self.opened.take() {
            load(&mut self.engine, state, cursor).await??;
        }
        let mut committed = self.engine.cursor();
        let store = Arc::clone(&self.rooms.store);
        loop {
            self.duties.see_to(&self.rooms).await;
            let wait = self.wait(committed.seq);
            let batch = tokio::select! {
                () = stop.cancelled() => break,
                batch = store.next(&self.lease, BATCH, wait) => batch,
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
            if let Some((at, rules)) = self.take_in(&entries) {
                self.begin_anew(at, rules, &stop).await?;
                committed = self.engine.cursor();
                continue;
            }
            self.engine.advance(batch.watermark);
            self.report();
            let cursor = self.engine.cursor();
            let since = cursor.at.since(committed.at);
            let stale = cursor.seq != committed.seq && since >= CURSOR_EVERY;
            if self.engine.has_changes() || stale || (self.engine.is_waiting() && since >= ALIVE_EVERY) {
                self.commit(&stop).await?;
                committed = cursor;
            }
            if batch.at_head && !*self.caught_up.borrow() {
                self.roster.share(|name| self.engine.known(name).cloned());
                self.caught_up.send_replace(true);
            }
        }
        self.commit(&stop).await
    }

    /// Takes entries in up to one that puts other rules in force: then says when that is, and which.
    fn take_in(&mut self, entries: &[Entry]) -> Option<(Timestamp, Arc<RuleSet>)> {
        for entry in entries {
            if entry.seq <= self.engine.cursor().seq {
                self.duties.recall(entry);
                self.meet(entry);
                self.engine.warm(entry);
                continue;
            }
            if let Input::RulesLoaded { hash } = &entry.input {
                let rules = self.rooms.rules.of(hash);
                if !Arc::ptr_eq(&rules, &self.rules) {
                    return Some((entry.received_at, rules));
                }
                self.loaded = Some(entry.seq);
            }
            self.duties.see(entry);
            self.meet(entry);
            self.engine.step(entry);
        }
        None
    }

    fn meet(&self, entry: &Entry) {
        if let Input::Callback(event) = &entry.input {
            self.roster.see(event, entry.received_at);
        }
    }

    /// Other rules from `at` on: a restart without one. What came before is judged and kept; a new engine takes the
    /// state over, and the store hands out its windows and then the entry that brought the rules.
    async fn begin_anew(
        &mut self,
        at: Timestamp,
        rules: Arc<RuleSet>,
        stop: &CancellationToken,
    ) -> Result<(), CoreError> {
        self.engine.advance(at);
        self.engine.flush();
        self.report();
        self.commit(stop).await?;
        // All it knows is kept: the old one makes room before the new one is filled.
        self.engine = Engine::new(Arc::clone(&rules));
        let filled = insist("loading the engine's state", stop, || {
            filled(Arc::clone(&self.rooms.store), Arc::clone(&rules)).boxed()
        });
        (self.lease, self.engine) = filled.await??;
        self.roster.share(|name| self.engine.known(name).cloned());
        self.counters = Counters::new(&rules);
        self.rules = rules;
        Ok(())
    }

    /// Logs and counts what the engine did.
    fn report(&mut self) {
        self.log();
        self.counters.count(&mut self.engine, &self.rooms.metrics);
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
    async fn commit(&mut self, stop: &CancellationToken) -> Result<(), CoreError> {
        let changes = Changes::Engine(self.engine.take_changes());
        let cursor = self.engine.cursor();
        let commit = Commit { cursor, changes };
        let (store, lease) = (&self.rooms.store, &self.lease);
        insist("a commit", stop, || store.commit(lease, commit.clone())).await?;
        if let Some(loaded) = self.loaded.take() {
            self.in_force.send_replace(loaded);
        }
        self.judged.send_replace(cursor.seq);
        Ok(())
    }
}

/// The engine's shard as it was kept.
struct Kept {
    lease: Lease,
    cursor: Cursor,
    state: Parts,
    last_alive: Timestamp,
}

async fn take_over(rooms: &Rooms, lookback: Duration) -> Result<Kept, CoreError> {
    let Opened { lease, cursor, state, last_alive } = rooms.store.open(Shard::Engine, lookback).await?;
    match state {
        store::State::Engine(state) => Ok(Kept { lease, cursor, state, last_alive }),
        store::State::Channel(_) => Err(CoreError::Kind),
    }
}

/// Opens the engine's shard anew and fills an engine with what was kept. A state that can't be read is no failure that
/// trying again would mend.
async fn filled(store: Arc<dyn Store>, rules: Arc<RuleSet>) -> Result<Result<(Lease, Engine), CoreError>, StoreError> {
    let opened = store.open(Shard::Engine, Engine::lookback(&rules)).await?;
    let store::State::Engine(state) = opened.state else { return Ok(Err(CoreError::Kind)) };
    let mut engine = Engine::new(rules);
    let loaded = load(&mut engine, state, opened.cursor).await?;
    Ok(loaded.map(|()| (opened.lease, engine)).map_err(CoreError::from))
}

/// Fills an engine with what was kept with `cursor`.
async fn load(
    engine: &mut Engine,
    mut state: Parts,
    cursor: Cursor,
) -> Result<Result<(), engine::LoadError>, StoreError> {
    while let Some(part) = state.next().await? {
        if let Err(error) = engine.load(part, cursor) {
            return Ok(Err(error));
        }
    }
    engine.loaded();
    Ok(Ok(()))
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

#[cfg(test)]
mod tests;
