//! The one executor of commands, for all chats, the terminal and the API.
//!
//! Everything that changes something goes into the journal, and is answered once it is in force and committed. What is
//! looked up comes from the store as last committed, in short pages, and from the core's roster of streams: nothing
//! here waits for the engine, and the engine waits for nothing here.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::asked::{Asked, Wide};
use super::book::Book;
use super::caller::{Sight, may_cover};
use super::find::{self, Found};
use super::reply::{Covers, News, Refusal, Reply, Standing};
use super::{Caller, Care, Command, MAX_LINE, Target, Voice, parse, words};
use crate::clock::Clock;
use crate::core::{Given, Handle, Rulebook};
use crate::model::{AuditRecord, Incident, IncidentId, Input, Key, Mute, Severity, State};
use crate::render::clean::short;
use crate::rules::{Matchers, RuleSet};
use crate::store::{Lookup, Reader, Sheet, Store, StoreError, Which};

/// More streams than this are asked back.
const MOST_UNASKED: usize = 20;

/// Incidents read at once, and listed at most.
const PAGE: usize = 500;
const LISTED: usize = 20;

/// Pages of what fires that are gone through: 100,000 incidents.
const MOST_PAGES: usize = 200;

/// Longest command and answer on record, in characters.
const ON_RECORD: usize = 300;

/// Longest name of an author, in characters.
const NAME: usize = 80;

mod ack;
mod muted;
mod press;
mod status;

/// Follows commands.
pub struct Desk {
    handle: Handle,
    lookup: Arc<dyn Lookup>,
    reader: Arc<dyn Reader>,
    rules: Arc<Rulebook>,
    clock: Arc<Clock>,
    asked: Mutex<Asked>,
    /// Held while a mute is set or lifted.
    book: tokio::sync::Mutex<Book>,
}

/// How a command ends that can't be followed to its end.
enum Stop {
    Refused(Refusal),
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Stop {
        Stop::Store(error)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refused(refusal)
    }
}

impl Desk {
    /// With everything that commands need.
    #[must_use]
    pub fn new(
        handle: Handle,
        (store, lookup, reader): (&dyn Store, Arc<dyn Lookup>, Arc<dyn Reader>),
        rules: Arc<Rulebook>,
        clock: Arc<Clock>,
    ) -> Desk {
        let book = tokio::sync::Mutex::new(Book::new(store));
        Desk { handle, lookup, reader, rules, clock, asked: Mutex::default(), book }
    }

    /// Follows a line as it was typed, and puts it on record.
    pub async fn follow(&self, caller: &Caller, line: &str) -> Reply {
        let typed = &line[..line.floor_char_boundary(MAX_LINE)];
        match parse(line) {
            Ok(command) => self.execute(caller, command, typed).await,
            Err(mistake) => {
                let reply = Reply::Refused(Refusal::Mistake(mistake));
                self.record(caller, typed, &reply).await;
                reply
            }
        }
    }

    /// Follows a command, and puts it on record as it was typed.
    pub async fn execute(&self, caller: &Caller, command: Command, typed: &str) -> Reply {
        let caller = named(caller);
        let done = self.obey(&caller, command).await;
        self.answer(&caller, typed, done).await
    }

    /// Does not follow what somebody gave, and puts that on record.
    pub async fn refuse(&self, caller: &Caller, refusal: Refusal, typed: &str) -> Reply {
        self.answer(&named(caller), typed, Err(Stop::Refused(refusal))).await
    }

    async fn answer(&self, caller: &Caller, typed: &str, done: Result<Reply, Stop>) -> Reply {
        let reply = match done {
            Ok(reply) => reply,
            Err(Stop::Refused(refusal)) => Reply::Refused(refusal),
            Err(Stop::Store(error)) => Reply::Failed(error.to_string()),
        };
        self.record(caller, typed, &reply).await;
        reply
    }

    /// The mutes in force, by number.
    ///
    /// # Errors
    /// [`StoreError`] while they can't be read.
    pub async fn mutes(&self) -> Result<Vec<Mute>, StoreError> {
        let mut book = self.book.lock().await;
        book.open(&self.handle, &*self.lookup).await?;
        Ok(book.in_force(self.clock.wall()).cloned().collect())
    }

    /// The mutes that stand in the rules in force.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        standing(&self.rules.current(), |_| true)
    }

    async fn record(&self, caller: &Caller, typed: &str, reply: &Reply) {
        let answer = words::text(reply, &Voice::plain(), self.clock.wall());
        let record = AuditRecord {
            at: self.clock.wall(),
            who: short(&caller.on_record(), 2 * NAME).into(),
            place: caller.place.as_str().into(),
            what: short(typed, ON_RECORD).into(),
            verdict: reply.verdict(),
            answer: short(&answer, ON_RECORD).into(),
        };
        if let Err(error) = self.lookup.record(record).await {
            tracing::error!(%error, who = &*caller.who, what = %short(typed, ON_RECORD), "a command is not on record");
        }
    }

    async fn obey(&self, caller: &Caller, command: Command) -> Result<Reply, Stop> {
        match command {
            Command::Mute { target, length, reason } => self.mute(caller, target, length, reason).await,
            Command::Confirm(id) => {
                let wide = self.asked().take(caller, id, self.clock.steady());
                let wide = wide.ok_or(Refusal::NothingAsked(id))?;
                let covers = self.covers(caller, &wide.matchers).await?;
                self.set(caller, wide, covers, None).await
            }
            Command::Unmute(lift) => self.unmute(caller, lift).await,
            Command::Mutes => self.list_mutes(caller).await,
            Command::Incidents(target) => self.list_incidents(caller, target).await,
            Command::Status(stream) => self.status(caller, &stream).await,
            Command::Ack(id) => self.acknowledge(caller, id).await,
            Command::Rules => {
                let rules = self.rules.current();
                let sight = sight(&rules, caller);
                let seen = rules.rules.iter().filter(|rule| sight.rule(rule));
                Ok(Reply::Rules(seen.map(|rule| rule.name.to_string()).collect()))
            }
            Command::Help(verb) => Ok(Reply::Help(verb)),
        }
    }

    async fn mute(&self, caller: &Caller, target: Target, length: Duration, reason: String) -> Result<Reply, Stop> {
        let (matchers, unheard) = match target {
            Target::Matchers(matchers) => (matchers, None),
            Target::Stream(name) => match self.find(caller, &name).await {
                Found::One(stream) => (find::exactly(&stream).ok_or(Refusal::TooLong)?, None),
                Found::Several(candidates) => return Err(Refusal::Ambiguous(candidates).into()),
                Found::None(near) => (find::by_name(&name).ok_or(Refusal::TooLong)?, Some(near)),
            },
        };
        let covers = self.covers(caller, &matchers).await?;
        let wide = Wide { matchers, length, reason };
        if covers.streams > MOST_UNASKED && caller.care == Care::AskBack {
            let id = self.asked().ask(caller, wide, self.clock.steady());
            return Ok(Reply::Asked { id, covers, length });
        }
        self.set(caller, wide, covers, unheard).await
    }

    /// Sets a mute, or makes the one for the same longer: one target has one mute, and whoever clicks twice gets one.
    async fn set(
        &self,
        caller: &Caller,
        wide: Wide,
        covers: Covers,
        unheard: Option<Vec<String>>,
    ) -> Result<Reply, Stop> {
        let mut book = self.book.lock().await;
        book.open(&self.handle, &*self.lookup).await?;
        let now = self.clock.wall();
        let (matchers, within) = (wide.matchers.to_string(), caller.place.within());
        let same = book.same(&matchers, within, now).cloned();
        let until = now + wide.length;
        let (id, news) = match &same {
            Some(same) if same.until >= until - SAME => {
                let (mute, news) = (same.clone(), News::Nothing);
                return Ok(Reply::Muted { mute, news, covers, unheard });
            }
            Some(same) => (same.id, News::Longer),
            None if book.is_full(now) => return Err(Refusal::TooMany.into()),
            None => (book.number().await?, News::Set),
        };
        let before = same.map(|same| same.reason).unwrap_or_default();
        let reason = if wide.reason.is_empty() { before } else { wide.reason.into() };
        let (author, within) = (caller.who.clone(), within.cloned());
        let mute = Mute { id, matchers: matchers.into(), within, set_at: now, until, author, reason };
        let given = self.handle.give(Input::Muted(Box::new(mute.clone()))).await?;
        book.put(mute.clone());
        Ok(match given {
            Given::InForce => Reply::Muted { mute, news, covers, unheard },
            Given::Kept => Reply::Late,
        })
    }

    async fn list_incidents(&self, caller: &Caller, target: Option<Target>) -> Result<Reply, Stop> {
        let (stream, matchers) = match target {
            None => (None, None),
            Some(Target::Stream(name)) => (Some(name.to_string()), None),
            Some(Target::Matchers(matchers)) => (None, Some(matchers)),
        };
        let rules = self.rules.current();
        let sight = sight(&rules, caller);
        let (mut items, mut count): (Vec<Incident>, usize) = (Vec::new(), 0);
        self.each_firing(stream, |incident| {
            let is_meant = matchers.as_ref().is_none_or(|list| list.hold(|name| incident.label(name)));
            if is_meant && sight.incident(&incident) {
                count += 1;
                items.push(incident);
                if items.len() > 2 * LISTED {
                    items.sort_by_key(rank);
                    items.truncate(LISTED);
                }
            }
        })
        .await?;
        items.sort_by_key(rank);
        items.truncate(LISTED);
        Ok(Reply::Incidents { more: count - items.len(), items })
    }

    /// What matchers cover now, as seen by the caller.
    async fn covers(&self, caller: &Caller, matchers: &Matchers) -> Result<Covers, Stop> {
        let rules = self.rules.current();
        let mut firing: HashSet<Key> = HashSet::new();
        let only = find::only(matchers).map(|stream| stream.full().to_owned());
        self.each_firing(only, |incident| {
            let sees = sight(&rules, caller).incident(&incident);
            if sees && matchers.hold(|name| incident.label(name)) {
                firing.insert(incident.key);
            }
        })
        .await?;
        let (handle, caller, now) = (self.handle.clone(), caller.clone(), self.clock.steady());
        let (rules, matchers) = (Arc::clone(&rules), matchers.clone());
        let count = move || {
            find::covered(handle.roster(), now, |stream| {
                may_cover(&matchers, stream) && sight(&rules, &caller).stream(stream)
            })
        };
        let (streams, some) = off_the_loop(count).await?;
        Ok(Covers { streams, firing: firing.len(), some })
    }

    /// Shows everything that fires, perhaps only of one stream.
    async fn each_firing(&self, stream: Option<String>, mut show: impl FnMut(Incident)) -> Result<(), StoreError> {
        let mut wanted = Which { states: vec![State::Firing], stream, most: PAGE, ..Which::default() };
        for _ in 0..MOST_PAGES {
            let Sheet { items, next } = self.lookup.incidents(wanted.clone()).await?;
            items.into_iter().for_each(&mut show);
            let Some(next) = next else { break };
            wanted.before = Some(IncidentId(next));
        }
        Ok(())
    }

    /// The stream of an id or full name, among those that the caller may see.
    async fn find(&self, caller: &Caller, name: &str) -> Found {
        let (handle, now, name) = (self.handle.clone(), self.clock.steady(), name.to_owned());
        let (rules, caller) = (self.rules.current(), caller.clone());
        let find = move || find::stream(handle.roster(), now, &name, |stream| sight(&rules, &caller).stream(stream));
        off_the_loop(find).await.unwrap_or(Found::None(Vec::new()))
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        // Nothing in here is left half-done by a panic.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A mute that ends so little earlier than was asked for is what was asked for: somebody clicked twice.
const SAME: Duration = Duration::from_secs(60);

/// With a name of bearable length.
fn named(caller: &Caller) -> Caller {
    Caller { who: short(&caller.who, NAME).into(), ..caller.clone() }
}

/// The worst first, of those the newest.
fn rank(incident: &Incident) -> (Reverse<Severity>, Reverse<IncidentId>) {
    (Reverse(incident.severity), Reverse(incident.id))
}

fn sight<'r>(rules: &'r RuleSet, caller: &'r Caller) -> Sight<'r> {
    Sight { rules, channel: caller.place.within() }
}

fn standing(rules: &RuleSet, mut is_meant: impl FnMut(&Matchers) -> bool) -> Vec<Standing> {
    let meant = rules.mutes.iter().filter(|mute| is_meant(&mute.matchers));
    meant
        .map(|mute| Standing {
            matchers: mute.matchers.to_string(),
            reason: mute.reason.clone(),
            at_times: !mute.active.is_empty(),
        })
        .collect()
}

/// Work that takes its time on a thread that has it.
async fn off_the_loop<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Failed(error.to_string().into()))
}

#[cfg(test)]
mod tests;
