//! Pure decisions: windows, incident lifecycle, grouping, rate limit. No clock, no I/O.
//!
//! The engine is fed journal entries in order ([`Engine::step`]) and told how far time has come
//! ([`Engine::advance`]). Its `now` is the entries' `received_at`; before each input it fires what fell due, in one
//! fixed order, so how often it is ticked changes nothing and a replay is exact.
//!
//! Two kinds of state. Lifecycle (incidents, groups, sessions, buckets) leaves as [`EngineChanges`] and comes back
//! through [`Engine::load`]. Windows come back by replay: [`Engine::warm`] with the last [`Engine::lookback`] of the
//! journal. An incident that is only prolonged is written at most every [`FLUSH`]; the replay adds what came after.

mod audience;
mod boxes;
mod cell;
mod closing;
mod distinct;
mod down;
mod effect;
mod gaps;
mod group;
mod hold;
mod incident;
mod index;
mod inhibit;
mod judge;
mod limit;
mod missed;
mod mute;
mod mutes;
mod notify;
mod pending;
mod report;
mod sessions;
mod sharing;
mod silence;
mod slots;
mod state;
pub use state::{LoadError, rules_in_force};
mod timers;
mod upkeep;
mod verdict;
pub use verdict::Verdict;
mod wall;
mod window;

#[cfg(test)]
mod tests;

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use thin_vec::ThinVec;

use crate::model::{
    Cursor, EngineChanges, Entry, Group, GroupId, Incident, IncidentId, Input, Key, MuteId, Notification, RuleOutcome,
    Scope, Seq, StreamName, TallyId, Timestamp,
};
use crate::rules::RuleSet;

use audience::Audiences;
use boxes::Boxes;
use cell::Cell;
pub use effect::{Effect, Transition};
use gaps::Gaps;
use index::Index;
use inhibit::Inhibitions;
use judge::Scratch;
use limit::Buckets;
use missed::StandingTally;
use mutes::Mutes;
use timers::{Due, NO_RULE, Timer, Timers};
use verdict::Trace;
use wall::Wall;

/// A prolonged incident is written this much later at most.
pub const FLUSH: Duration = Duration::from_secs(30);

/// How long after its end a group is remembered at least, so that a late report is known as late.
const MEMORY: Duration = Duration::from_secs(30 * 60);

/// A key's cell is looked at this often, whether it can be given back.
const CHECK_EVERY: Duration = Duration::from_secs(900);

/// Cells looked at per step, at most: the work is spread out.
const CHECKS_PER_STEP: usize = 32;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// A group and who is in it.
#[derive(Clone, Debug)]
struct Members {
    group: Group,
    /// Ascending.
    incidents: ThinVec<IncidentId>,
}

/// Everything the engine knows. One owner, no locks.
#[derive(Debug)]
pub struct Engine {
    rules: Arc<RuleSet>,
    index: Index,
    /// Places of the rules by name.
    places: HashMap<Arc<str>, u32>,
    inhibitions: Inhibitions,
    /// Whether any rule judges each push by itself.
    per_session: bool,
    buckets: Option<Buckets>,
    rule_buckets: Vec<Option<Buckets>>,
    audiences: Audiences,

    now: Timestamp,
    seq: Seq,
    cells: Boxes<Key, Cell>,
    incidents: Boxes<IncidentId, Incident>,
    groups: Boxes<GroupId, Members>,
    timers: Timers,
    mutes: Mutes,
    /// What standing mutes keep from people.
    standing: BTreeMap<TallyId, StandingTally>,
    wall: Wall,
    /// Before this nobody listened, and nobody could be told.
    heard_since: Timestamp,
    gaps: Gaps,
    /// Keys by the time their cell is looked at next; ascending, as the delay is always the same.
    checks: VecDeque<(Timestamp, Key)>,
    next_incident: IncidentId,
    next_group: GroupId,
    /// The newest account of what a mute keeps from people.
    last_tally: TallyId,

    /// To be written with the next commit.
    dirty_incidents: BTreeSet<IncidentId>,
    dirty_groups: BTreeSet<GroupId>,
    dirty_cells: BTreeSet<Key>,
    dirty_mutes: BTreeSet<MuteId>,
    dirty_standing: BTreeSet<TallyId>,
    dirty_counters: bool,
    forgotten: Vec<GroupId>,
    /// Forgotten before they were written for the last time.
    parting: Vec<(Option<Group>, Vec<Incident>)>,
    outbox: Vec<Notification>,
    /// Prolonged incidents by the time of their first unwritten change, and the same by number.
    touched: VecDeque<(Timestamp, IncidentId)>,
    touched_at: Map<IncidentId, Timestamp>,

    effects: Vec<Effect>,
    tally: Vec<[u64; RuleOutcome::ALL.len()]>,
    pending: usize,
    firing: usize,
    /// Keys that rules on silence listen for.
    watching: usize,
    scratch: Scratch,
    /// What each rule said, while somebody asks.
    trace: Option<Trace>,
}

impl Engine {
    /// An engine that knows nothing yet.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>) -> Engine {
        let places: HashMap<Arc<str>, u32> =
            (0u32..).zip(&rules.rules).map(|(place, rule)| (Arc::clone(&rule.name), place)).collect();
        Engine {
            index: Index::new(&rules.rules),
            inhibitions: Inhibitions::new(&rules.rules, &places),
            per_session: rules.rules.iter().any(|rule| rule.per == Scope::Session),
            places,
            buckets: rules.rate_limit.map(Buckets::new),
            rule_buckets: rules.rules.iter().map(|rule| rule.rate_limit.map(Buckets::new)).collect(),
            audiences: Audiences::default(),
            now: Timestamp(0),
            seq: Seq(0),
            cells: Boxes::default(),
            incidents: Boxes::default(),
            groups: Boxes::default(),
            timers: Timers::default(),
            mutes: Mutes::default(),
            standing: BTreeMap::new(),
            wall: Wall::default(),
            heard_since: Timestamp(0),
            gaps: Gaps::default(),
            checks: VecDeque::new(),
            next_incident: IncidentId(1),
            next_group: GroupId(1),
            last_tally: TallyId::default(),
            dirty_incidents: BTreeSet::new(),
            dirty_groups: BTreeSet::new(),
            dirty_cells: BTreeSet::new(),
            dirty_mutes: BTreeSet::new(),
            dirty_standing: BTreeSet::new(),
            dirty_counters: false,
            forgotten: Vec::new(),
            parting: Vec::new(),
            outbox: Vec::new(),
            touched: VecDeque::new(),
            touched_at: Map::default(),
            effects: Vec::new(),
            tally: vec![[0; RuleOutcome::ALL.len()]; rules.rules.len()],
            pending: 0,
            firing: 0,
            watching: 0,
            scratch: Scratch::default(),
            trace: None,
            rules,
        }
    }

    /// How much of the journal before the cursor [`Engine::warm`] needs: the longest window, what may come late,
    /// and what may not be written yet.
    #[must_use]
    pub fn lookback(rules: &RuleSet) -> Duration {
        let longest = rules.rules.iter().filter_map(|rule| rule.within).max().unwrap_or_default();
        longest + window::LATENESS + FLUSH + FLUSH
    }

    /// Takes one entry in, after firing what fell due before it.
    pub fn step(&mut self, entry: &Entry) {
        self.add_gaps(entry.seq);
        if let Input::Resumed { from, to } = &entry.input {
            // Deadlines inside the gap did not pass: nobody was listening.
            self.advance(*from);
            self.shift(entry.seq, to.since(*from));
            self.heard_since = *to;
        }
        self.advance(entry.received_at);
        self.seq = entry.seq;
        match &entry.input {
            Input::Callback(event) => self.take_in(event, entry.received_at),
            Input::RulesLoaded { .. } => {
                self.dirty_counters = true;
                self.resolve_orphans();
                self.end_orphans();
                self.judge_all();
            }
            Input::ClockSet { ahead } => {
                self.wall.set(entry.seq, entry.received_at, *ahead, Engine::lookback(&self.rules));
                self.dirty_counters = true;
                self.judge_all();
            }
            Input::Muted(mute) => self.mute(mute),
            Input::Unmuted { id } => self.unmute(*id),
            Input::Acknowledged { incident, by } => self.acknowledge(*incident, by),
            Input::Noticed(notice) => self.give_notice(notice),
            Input::Resumed { .. } => {}
        }
        self.check_cells();
    }

    /// Fires everything that falls due up to `now`, in order and at its due time.
    pub fn advance(&mut self, now: Timestamp) {
        if now >= self.now {
            // A replay, if there was one, is over.
            self.add_gaps(Seq(u64::MAX));
        }
        while let Some(timer) = self.pop(now) {
            self.now = self.now.max(timer.at);
            self.fall_due(timer);
        }
        self.now = self.now.max(now);
    }

    fn pop(&mut self, now: Timestamp) -> Option<Timer> {
        self.timers.pop(now, |due| match due {
            Due::Deadline(id) => self.incidents.get(&id).map(|incident| incident.key.clone()),
            Due::Held(id) | Due::Repeat(id) | Due::Forget(id) => {
                self.groups.get(&id).map(|members| members.group.key.clone())
            }
            Due::MuteEndsSoon(_) | Due::MuteEnds(_) | Due::StandingMuteEnds(_) => Some(Key::All {}),
            Due::Silence => None,
        })
    }

    /// When the next timer falls due.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// How far the engine has come.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor { seq: self.seq, at: self.now }
    }

    /// Whether something waits that must be written at once.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !(self.dirty_incidents.is_empty()
            && self.dirty_groups.is_empty()
            && self.dirty_cells.is_empty()
            && self.forgotten.is_empty()
            && self.outbox.is_empty()
            && self.dirty_mutes.is_empty()
            && self.dirty_standing.is_empty()
            && !self.dirty_counters)
    }

    /// Whether any deadline runs: while it does, the time of the cursor is worth keeping.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.pending + self.firing + self.watching > 0
    }

    /// What happened since the last call, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// How often each rule (by place) came to each outcome since the last call.
    pub fn take_tally(&mut self, mut each: impl FnMut(&str, RuleOutcome, u64)) {
        for (rule, tally) in self.rules.rules.iter().zip(&mut self.tally) {
            for (outcome, count) in RuleOutcome::ALL.iter().zip(tally) {
                if *count > 0 {
                    each(&rule.name, *outcome, std::mem::take(count));
                }
            }
        }
    }

    /// Incidents pending and firing now.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.pending, self.firing)
    }

    /// Keys in memory: streams and whatever else rules are `per`.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.cells.len()
    }

    /// A stream's name as it is in memory already, if it is.
    #[must_use]
    pub fn known(&self, stream: &StreamName) -> Option<&StreamName> {
        self.cells.key(&Key::Stream(stream.clone())).and_then(Key::stream)
    }

    fn fall_due(&mut self, timer: Timer) {
        match timer.due {
            Due::Deadline(id) => self.deadline(id, timer),
            Due::Held(id) => self.release(id),
            Due::Repeat(id) => self.repeat(id),
            Due::Forget(id) => self.forget(id),
            Due::Silence => self.silence_due(timer),
            Due::MuteEndsSoon(id) => self.mute_ends_soon(id),
            Due::MuteEnds(id) => self.mute_ends(id),
            Due::StandingMuteEnds(id) => self.standing_mute_ends(id),
        }
    }

    fn set_group_timer(&mut self, at: Timestamp, due: Due, key: &Key) {
        self.timers.set(Timer { at, rule: NO_RULE, key: key.clone(), due });
    }

    /// Looks at the cells whose time has come and gives back those in which nothing is left.
    fn check_cells(&mut self) {
        let pushes = if self.per_session { sessions::PUSH_MEMORY } else { sessions::ENDED_MEMORY };
        for _ in 0..CHECKS_PER_STEP {
            match self.checks.front() {
                Some((at, _)) if *at <= self.now => {}
                Some(_) | None => break,
            }
            let Some((_, key)) = self.checks.pop_front() else { break };
            let Some(cell) = self.cells.get_mut(&key) else { continue };
            if cell.prune(self.now, &self.rules.rules, pushes) {
                self.dirty_cells.insert(key.clone());
            }
            if cell.is_idle() {
                self.cells.remove(&key);
            } else {
                self.checks.push_back((self.now + CHECK_EVERY, key));
            }
        }
        if self.cells.len() == 0 {
            self.checks.clear();
        }
    }

    /// The cell of a key, made if need be.
    fn cell(&mut self, key: &Key) -> &mut Cell {
        match self.cells.entry(key.clone()) {
            Slot::Occupied(slot) => slot.into_mut(),
            Slot::Vacant(slot) => {
                self.checks.push_back((self.now + CHECK_EVERY, key.clone()));
                slot.insert(Box::default())
            }
        }
    }

    /// Has the next [`Engine::take_changes`] write everything, also what could wait: an engine with other rules is to
    /// go on from it, and a replay by those would not add the same.
    pub fn flush(&mut self) {
        self.dirty_incidents.extend(self.touched_at.keys());
        for (key, cell) in self.cells.iter_mut() {
            for (_, watch) in cell.watches.iter_mut().filter(|(_, watch)| watch.written < watch.last) {
                watch.written = watch.last;
                self.dirty_cells.insert(key.clone());
            }
        }
    }

    /// Takes what has to be written, with the cursor it belongs to.
    pub fn take_changes(&mut self) -> EngineChanges {
        while let Some((at, id)) = self.touched.front().copied() {
            let written_since = self.touched_at.get(&id) != Some(&at);
            if !written_since && self.now < at + FLUSH {
                break;
            }
            self.touched.pop_front();
            if !written_since {
                self.dirty_incidents.insert(id);
            }
        }
        self.changes()
    }
}
