//! Live reload: rules and templates read anew, and put in force whole or not at all, while callbacks come in.
//!
//! The order: the text is kept, the engine takes the rules over at a journaled entry, the door follows, and once all
//! before that entry is judged and committed, the channels' workers change. A crash anywhere between is a restart.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::channels::{Change, Lineup};
use super::files::{Files, Loaded, Print, Wrong};
use super::kept::Kept;
use super::{dedup_horizon, listing};
use crate::admin::{Banner, Mistake, NotReloaded, Readiness, Reloaded, RulesDesk};
use crate::core::Rooms;
use crate::listen::Exempt;
use crate::model::{Door, Input, NewEntry, Notice, Seq, Timestamp};
use crate::render::Renderer;
use crate::rules::RuleSet;
use crate::store::sqlite::Sqlite;
use crate::store::{Appended, Shard, Store as _, StoreError};

/// Contents must stand still for so long: an editor may be in the middle of writing.
const SETTLE: Duration = Duration::from_millis(200);

/// The files are looked at this often whatever the file system tells.
const POLL: Duration = Duration::from_secs(5);

/// Tries to journal while the store is overloaded, and the pause between them.
const TRIES: u32 = 25;
const PAUSE: Duration = Duration::from_millis(200);

/// Mistakes told to people, and the longest line of one.
const MOST_TOLD: usize = 20;
const LONGEST_TOLD: usize = 300;

/// Where the outcome of an asked-for reload goes.
type Answer = oneshot::Sender<Result<Reloaded, NotReloaded>>;

/// What the reloader is asked.
#[derive(Debug)]
pub(super) enum Order {
    /// Something may have changed: reload if so.
    Look,
    /// Reload in any case.
    Reload(Option<Answer>),
}

/// The operators' way to the reloader.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) listing: watch::Receiver<Value>,
}

impl RulesDesk for Desk {
    fn list(&self) -> Value {
        self.listing.borrow().clone()
    }

    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, NotReloaded>> {
        async move {
            let (answer, answered) = oneshot::channel();
            let ended = || NotReloaded::Unavailable("pushwatch is stopping".to_owned());
            self.orders.send(Order::Reload(Some(answer))).await.map_err(|_| ended())?;
            answered.await.unwrap_or_else(|_| Err(ended()))
        }
        .boxed()
    }
}

/// Everything that a reload changes.
pub(super) struct Reins {
    pub(super) rooms: Rooms,
    pub(super) store: Arc<Sqlite>,
    pub(super) kept: Kept,
    pub(super) ready: Arc<Readiness>,
    pub(super) door: watch::Sender<Arc<Door>>,
    pub(super) exempt: Exempt,
    pub(super) lineups: mpsc::Sender<Change>,
    pub(super) listing: watch::Sender<Value>,
    pub(super) in_force: watch::Receiver<Seq>,
}

/// What is in force, and since when.
pub(super) struct InForce {
    pub(super) rules: Arc<RuleSet>,
    pub(super) renderer: Arc<Renderer>,
    /// `None` if it is not what the files said: the last good text.
    pub(super) print: Option<Print>,
    /// By the wall clock.
    pub(super) since: Timestamp,
}

/// Takes orders, one at a time.
pub(super) struct Reloader {
    files: Files,
    reins: Reins,
    in_force: InForce,
    /// What was tried last, right or wrong.
    tried: Option<Print>,
    /// A change that has to stand still before it is tried.
    changing: Option<Print>,
    /// Something has happened around the files since they were looked at.
    is_stirred: bool,
    /// Refused contents that the channels were told about.
    told: Option<Print>,
}

impl Reloader {
    /// With what the start has put in force; `tried` is what the files said then.
    pub(super) fn new(files: Files, reins: Reins, in_force: InForce, tried: Print) -> Reloader {
        reins.listing.send_replace(listing::list(&in_force.rules, &files.rules, in_force.since));
        Reloader { files, reins, in_force, tried: Some(tried), changing: None, is_stirred: false, told: None }
    }

    /// Follows orders, and the files, without end. May be dropped at any time: what is half done then is done by the
    /// next start.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let (mut poll, mut settle) = (tokio::time::interval(POLL), tokio::time::interval(SETTLE));
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        settle.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_due = self.is_stirred || self.changing.is_some();
            tokio::select! {
                Some(order) = orders.recv() => match order {
                    Order::Look => self.is_stirred = true,
                    Order::Reload(answer) => {
                        let outcome = self.reload().await;
                        // Whoever asked may have gone.
                        answer.map(|answer| answer.send(outcome));
                    }
                },
                // However much happens around them, the files are not looked at more often.
                _ = settle.tick(), if is_due => self.look().await,
                _ = poll.tick() => self.look().await,
            }
        }
    }

    /// Reloads if the files say something new, and say the same for a while.
    async fn look(&mut self) {
        self.is_stirred = false;
        let Some(print) = self.read(Files::print).await else { return };
        match (self.tried == Some(print), self.changing == Some(print)) {
            (true, _) => self.changing = None,
            // What is wrong is logged, shown and told.
            (false, true) => _ = self.reload().await,
            (false, false) => self.changing = Some(print),
        }
    }

    async fn reload(&mut self) -> Result<Reloaded, NotReloaded> {
        // The print first: what changes while it is read is seen as a change afterwards.
        let read = self.read(|files| (files.print(), files.load())).await;
        let Some((print, loaded)) = read else {
            return Err(NotReloaded::Unavailable("reading the files broke off".to_owned()));
        };
        self.changing = None;
        self.tried = Some(print);
        match loaded {
            Err(wrong) => Err(NotReloaded::Refused(self.refuse(print, &wrong).await)),
            Ok(loaded) => match self.put_in_force(print, loaded).await {
                Ok(reloaded) => Ok(reloaded),
                Err(error) => {
                    tracing::error!(%error, "new rules could not be put in force, the old ones still are; trying again");
                    // So that the next look finds something new.
                    self.tried = None;
                    Err(NotReloaded::Unavailable(format!("the store can't take the rules just now: {error}")))
                }
            },
        }
    }

    async fn put_in_force(&mut self, print: Print, loaded: Loaded) -> Result<Reloaded, StoreError> {
        let Loaded { text, rules, renderer } = loaded;
        let before = self.in_force.print;
        if before.is_none_or(|before| before.rules != print.rules) {
            self.reins.kept.keep(&rules.hash, &text).await?;
            self.in_force.rules = self.reins.change_rules(Arc::new(rules), &self.in_force.rules).await?;
        }
        self.in_force.renderer = Arc::new(renderer);
        let rules = &self.in_force.rules;
        // Even if nothing has changed: what a chat refuses is tried anew.
        let lineup = Lineup::new(rules, Arc::clone(&self.in_force.renderer));
        self.reins.line_up(lineup).await?;
        self.in_force.print = Some(print);
        self.in_force.since = self.reins.rooms.clock.wall();
        self.told = None;
        let listing = listing::list(rules, &self.files.rules, self.in_force.since);
        self.reins.listing.send_replace(listing);
        self.reins.rooms.metrics.rules_loaded(self.in_force.since.0 as f64 / 1000.0);
        self.reins.ready.take_down(Banner::Refused);
        let changed = before != Some(print);
        let (count, channels, hash) = (rules.rules.len(), rules.channels.len(), rules.hash.clone());
        tracing::info!(rules = count, channels, hash, changed, "rules and templates reloaded");
        Ok(Reloaded { rules: count, channels, hash, changed })
    }

    /// Says everywhere that the files are wrong.
    async fn refuse(&mut self, print: Print, wrong: &Wrong) -> Vec<Mistake> {
        let (reins, mistakes) = (&self.reins, wrong.mistakes());
        reins.rooms.metrics.reload_failed();
        tracing::error!("{wrong}\nThe reload is refused: what was in force still is");
        let (now, since) = (reins.rooms.clock.wall(), self.in_force.since);
        reins.ready.show(Banner::Refused, banner(&mistakes, now, since, &self.in_force.rules));
        if self.told != Some(print) {
            let notice = Notice::RulesRefused { problems: problems(&mistakes) };
            match reins.notice(notice).await {
                Ok(()) => self.told = Some(print),
                Err(error) => tracing::error!(%error, "the channels could not be told that the rules were refused"),
            }
        }
        mistakes
    }

    /// Reads files off the async threads; `None` if that panicked.
    async fn read<T: Send + 'static>(&self, read: impl FnOnce(&Files) -> T + Send + 'static) -> Option<T> {
        let files = self.files.clone();
        tokio::task::spawn_blocking(move || read(&files)).await.ok()
    }
}

impl Reins {
    /// Puts rules in force for the engine and the door; resolves once the engine has taken them over and all that came
    /// before is committed.
    async fn change_rules(&mut self, rules: Arc<RuleSet>, before: &Arc<RuleSet>) -> Result<Arc<RuleSet>, StoreError> {
        // Before the door lets longer-lived signatures in.
        self.store.remember_for(dedup_horizon(&rules.door));
        self.rooms.rules.put(Arc::clone(&rules));
        let loaded = match self.journal(Input::RulesLoaded { hash: rules.hash.as_str().into() }).await {
            Ok(seq) => seq,
            Err(error) => {
                self.rooms.rules.put(Arc::clone(before));
                return Err(error);
            }
        };
        self.exempt.set(rules.door.trusted_proxies.clone());
        self.door.send_replace(Arc::new(rules.door.clone()));
        self.in_force.wait_for(|seq| *seq >= loaded).await.map_err(|_| StoreError::Closed)?;
        Ok(rules)
    }

    /// Other channels, or the same with other words; resolves once the workers before them begin nothing any more.
    async fn line_up(&self, lineup: Lineup) -> Result<(), StoreError> {
        let (changed, is_changed) = oneshot::channel();
        self.lineups.send((lineup, changed)).await.map_err(|_| StoreError::Closed)?;
        is_changed.await.map_err(|_| StoreError::Closed)
    }

    /// Has the channels of `defaults.notify` told.
    pub(super) async fn notice(&self, notice: Notice) -> Result<(), StoreError> {
        self.journal(Input::Noticed(Box::new(notice))).await.map(|_| ())
    }

    async fn journal(&self, input: Input) -> Result<Seq, StoreError> {
        let mut tries = 0;
        loop {
            let entry = NewEntry { input: input.clone(), body: Bytes::new() };
            match self.store.append(&Shard::Engine, entry).await {
                Ok(Appended::New(seq)) => return Ok(seq),
                Ok(Appended::Duplicate) => {
                    return Err(StoreError::Failed("an input of our own passes for a repeat".into()));
                }
                Err(StoreError::Overloaded(_) | StoreError::Failed(_)) if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// The mistakes as people are told in a chat: a line each, and not too many.
pub(super) fn problems(mistakes: &[Mistake]) -> Vec<String> {
    let short = |line: String| match line.char_indices().nth(LONGEST_TOLD) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    };
    let mut told: Vec<String> = mistakes.iter().take(MOST_TOLD).map(|mistake| short(mistake.to_string())).collect();
    if mistakes.len() > MOST_TOLD {
        told.push(format!("and {} more", mistakes.len() - MOST_TOLD));
    }
    told
}

/// What `/readyz` says while a change is refused.
pub(super) fn banner(mistakes: &[Mistake], now: Timestamp, since: Timestamp, rules: &RuleSet) -> String {
    let time = |at: Timestamp| match jiff::Timestamp::from_millisecond(at.0) {
        Ok(at) => at.to_zoned(rules.timezone.clone()).strftime("%Y-%m-%d %H:%M %:z").to_string(),
        Err(_) => at.to_string(),
    };
    let count = match mistakes.len() {
        1 => "1 mistake".to_owned(),
        count => format!("{count} mistakes"),
    };
    let first = problems(mistakes).into_iter().next().unwrap_or_default();
    format!("refused for {count} at {}; what was loaded at {} is in force. The first: {first}", time(now), time(since))
}
