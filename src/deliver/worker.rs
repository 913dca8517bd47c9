//! One channel's loop: take rows in, begin calls, keep what changed, make the calls, take the verdicts in. No policy
//! of its own: `desk` decides about rows, `budget` and `retry` about time, the platform files about answers.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::Context;
use super::assignment::Assignment;
use super::call::{Act, Call, WHOLE};
use super::desk::Desk;
use super::feed::{STORE_PAUSE, WAIT, fetch};
use super::flight::{Aftermath, Flight};
use super::health::Health;
use super::home::Home;
use super::lanes::Lanes;
use super::plan::Plan;
use super::platform::Means;
use super::topic::Topic;
use super::verdict::Verdict;
use super::wording::{Subject, word};
use super::{platform, report, retry};
use crate::model::{
    Attempt, Channel, ChannelKind, Cursor, DeliveryId, DeliveryState, Group, GroupId, Incident, Notification, Seq,
    Timestamp,
};
use crate::render::{NoticeView, View};
use crate::store::{Changes, Commit, Lease, Shard, State, StoreError};

mod aside;
mod folding;
use aside::Aside;

/// Table of the chats' own "not before": budget to milliseconds.
pub(super) const HOLDS: &str = "budget_holds";

/// Rows held in memory; the rest waits in the store.
const MOST_WAITING: usize = 250_000;

/// Groups and notices looked at between two commits.
const MOST_TOPICS: usize = 256;

/// Groups looked up in one turn only to know whether they are over.
const MOST_DOUBTFUL: usize = 64;

/// Tries of the last commits once we are to stop.
const LAST_TRIES: u32 = 5;

/// Beyond a call's own time-out, for the commit after it.
const GRACE: Duration = Duration::from_secs(2);

/// Tells a channel what it is owed, until `stop`: then calls under way are finished and the rest is kept.
///
/// # Errors
/// [`StoreError::Fenced`] if another owner has opened the channel, [`StoreError::Closed`] if the store closed first,
/// any other if the last changes could not be kept when stopping.
pub async fn run(assignment: Assignment, context: Arc<Context>, stop: CancellationToken) -> Result<(), StoreError> {
    let mut worker = Worker::open(assignment, context, stop).await?;
    worker.work().await
}

struct Worker {
    channel: Arc<Channel>,
    context: Arc<Context>,
    stop: CancellationToken,
    lease: Lease,
    /// The last row taken in.
    last: DeliveryId,
    lanes: Lanes,
    slots: usize,
    desk: Desk,
    health: Health,
    home: Home,
    aside: Aside,
    /// Begun, not yet made: the commit goes first.
    begun: Vec<(Flight, Call)>,
    calls: JoinSet<Verdict>,
    flights: HashMap<Id, Flight>,
    /// Posts wait for others until then.
    posts_held: Option<Timestamp>,
    /// Chores wait until then: the store said no.
    chores_at: Timestamp,
}

impl Worker {
    async fn open(
        assignment: Assignment,
        context: Arc<Context>,
        stop: CancellationToken,
    ) -> Result<Worker, StoreError> {
        let channel = Arc::clone(&assignment.channel);
        let opened = context.store.open(Shard::Channel(channel.name.clone()), Duration::ZERO).await?;
        let State::Channel(state) = opened.state else {
            return Err(StoreError::Failed("a channel was opened and an engine came".into()));
        };
        let lanes = Lanes::of(&channel);
        let now = context.clock.steady();
        let holds = context.store.table(HOLDS);
        for lane in lanes.all() {
            let held = holds.get(&lane.key).await?.and_then(|until| until.parse().ok()).map(Timestamp);
            context.budgets.open(lane, &state.attempts, held, now);
        }
        let slots = match channel.kind() {
            ChannelKind::Webhook => 4,
            ChannelKind::Slack | ChannelKind::Wecom | ChannelKind::Telegram | ChannelKind::Console => 1,
        };
        let home = Home::find(&channel, context.store.as_ref()).await?;
        let aside = Aside::open(assignment, &state.keyed, &context).await?;
        let mut desk = Desk::open(channel.name.clone(), channel.can_edit(), state);
        desk.home = home.chat().map(|chat| chat.to_string());
        // What refused them may have been mended, and the rules are read anew only here; a chat's own "wait" is with
        // the budgets, which keep it.
        desk.queue.wake();
        let worker = Worker {
            desk,
            channel,
            context,
            stop,
            lease: opened.lease,
            last: DeliveryId(opened.cursor.seq.0),
            lanes,
            slots,
            health: Health::default(),
            home,
            aside,
            begun: Vec::new(),
            calls: JoinSet::new(),
            flights: HashMap::new(),
            posts_held: None,
            chores_at: Timestamp::default(),
        };
        worker.gauge();
        Ok(worker)
    }

    async fn work(&mut self) -> Result<(), StoreError> {
        let (store, lease, stop) = (Arc::clone(&self.context.store), self.lease.clone(), self.stop.clone());
        let mut next = pin!(fetch(store.as_ref(), &lease));
        while !stop.is_cancelled() {
            self.tend().await?;
            self.fold().await?;
            self.begin_due().await?;
            self.keep().await?;
            self.make_calls();
            self.sift().await?;
            self.tidy().await;
            self.pass_members().await?;
            let wake = self.wake_after();
            let room = self.desk.queue.len() < MOST_WAITING;
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                Some(ended) = self.calls.join_next_with_id() => {
                    self.land(ended).await;
                    while let Some(ended) = self.calls.try_join_next_with_id() {
                        self.land(ended).await;
                    }
                }
                // Kept alive from turn to turn, so that no row handed over is dropped with it.
                rows = &mut next, if room => {
                    self.take_in(rows?);
                    next.set(fetch(store.as_ref(), &lease));
                }
                Some(order) = self.aside.next_order() => self.obey(order).await?,
                () = tokio::time::sleep(wake.unwrap_or(WAIT)), if wake.is_some() => {}
            }
        }
        self.finish().await
    }

    /// Waits for the calls under way, as long as a call may take, and keeps what came of them.
    async fn finish(&mut self) -> Result<(), StoreError> {
        let landed = async {
            while let Some(ended) = self.calls.join_next_with_id().await {
                self.land(ended).await;
            }
        };
        if tokio::time::timeout(WHOLE + GRACE, landed).await.is_err() {
            tracing::warn!(channel = %self.channel.name, "a call did not end in time; its row stays on record as sending");
        }
        self.keep().await
    }

    fn take_in(&mut self, rows: Vec<(DeliveryId, Notification)>) {
        let now = self.now();
        for (id, notification) in rows {
            self.last = self.last.max(id);
            self.came(id, &notification, now);
            self.desk.accept(id, notification, now);
        }
        // While the channel is held nothing is kept, and so nothing else would tell that rows pile up.
        self.gauge();
    }

    /// Begins the calls that are due and that budgets and free slots allow, the most urgent first.
    async fn begin_due(&mut self) -> Result<(), StoreError> {
        self.begin_tests();
        for _ in 0..MOST_TOPICS {
            let now = self.now();
            if self.is_blocked(now) || self.calls.len() + self.begun.len() >= self.slots {
                break;
            }
            let Some(topic) = self.desk.take(self.posts_held, now) else { break };
            match (self.edits_ready_at(topic, now), topic) {
                (until, _) if until > now => self.desk.queue.put_back(topic, until),
                (_, Topic::Notice(id)) => self.begin_notice(id, now),
                (_, Topic::Digest(id)) => self.begin_digest(id, now).await?,
                (_, Topic::Group(group)) => match self.context.reader.group(group).await {
                    Ok(found) => self.begin(group, found, now),
                    Err(StoreError::Closed) => return Err(StoreError::Closed),
                    Err(error) => {
                        tracing::error!(channel = %self.channel.name, %error, "a group can't be read; trying again");
                        self.desk.queue.put_back(topic, now + STORE_PAUSE);
                        self.health.held_until = now + STORE_PAUSE;
                    }
                },
            }
        }
        Ok(())
    }

    fn begin(&mut self, id: GroupId, found: Option<(Group, Vec<Incident>)>, now: Timestamp) {
        let Some((group, mut incidents)) = found else {
            return self.desk.void(id, None, "the group is no longer kept", now);
        };
        let stood_for = self.desk.stood_for(id);
        let concerns = |incident: &Incident| {
            incident.notify.contains(&self.channel.name) || stood_for.iter().any(|name| incident.notify.contains(name))
        };
        // A message is brought to its end even if new rules or another group took from the channel all that it told.
        match incidents.iter().any(concerns) {
            true => incidents.retain(concerns),
            false if self.desk.is_told(id) => {}
            false => return self.desk.void(id, Some(&group), "none of it concerns this channel", now),
        }
        let firing = incidents.iter().any(Incident::is_firing);
        let act = match self.desk.plan(&group, firing) {
            Plan::Void(why) => return self.desk.void(id, Some(&group), why, now),
            Plan::Call(act) => act,
        };
        let Some(attempts) = self.spend(Topic::Group(id), &act, now) else { return };
        if let Some(flight) = self.desk.begin(&group, act, attempts, now) {
            let (channel, catalogue) = (self.channel.as_ref(), self.context.catalogue.as_ref());
            let view = View { group: &group, incidents: &incidents, channel, catalogue, now };
            let begun = word(flight, &Subject::Group(view), &self.context.renderer, self.home.chat());
            self.begun.push(begun);
        }
    }

    fn begin_notice(&mut self, id: DeliveryId, now: Timestamp) {
        let Some(notice) = self.desk.notice(id, now) else { return };
        let Some(attempts) = self.spend(Topic::Notice(id), &Act::Post, now) else { return };
        if let Some(flight) = self.desk.begin_notice(id, attempts) {
            let (channel, catalogue) = (self.channel.as_ref(), self.context.catalogue.as_ref());
            let view = NoticeView { notice: &notice, channel, catalogue, now };
            let begun = word(flight, &Subject::Notice(view), &self.context.renderer, self.home.chat());
            self.begun.push(begun);
        }
    }

    /// Takes a call out of its budgets: what is to be kept of that, or `None` if the topic has to wait.
    fn spend(&mut self, topic: Topic, act: &Act, now: Timestamp) -> Option<Vec<Attempt>> {
        let lanes = self.lanes.of_call(act);
        let keys: Vec<&str> = lanes.iter().map(|lane| lane.key.as_str()).collect();
        if let Err((key, until)) = self.context.budgets.take(&keys, now) {
            // The target's own budget holds up everybody, so the topic keeps its place.
            let due = if key == self.lanes.target.key { now } else { until };
            self.desk.queue.put_back(topic, due);
            return None;
        }
        let limited = lanes.iter().filter(|lane| lane.is_limited());
        Some(limited.map(|lane| Attempt { budget: lane.key.clone(), at: now }).collect())
    }

    /// Makes the calls whose beginning is on record.
    fn make_calls(&mut self) {
        for (flight, call) in self.begun.drain(..) {
            let (channel, context) = (Arc::clone(&self.channel), Arc::clone(&self.context));
            let task = async move { platform::make(&channel, &call, Means::of(&context)).await };
            self.flights.insert(self.calls.spawn(task).id(), flight);
        }
    }

    /// Finds out which of the groups that are remembered are over, a few at a time.
    async fn sift(&mut self) -> Result<(), StoreError> {
        for group in self.desk.doubtful(MOST_DOUBTFUL) {
            match self.context.reader.group(group).await {
                Ok(found) => self.desk.learn(group, found.as_ref().map(|(group, _)| group), self.now()),
                Err(StoreError::Closed) => return Err(StoreError::Closed),
                // It is remembered a while longer.
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Takes in how a call ended.
    async fn land(&mut self, ended: Result<(Id, Verdict), JoinError>) {
        let (id, verdict) = match ended {
            Ok(ended) => ended,
            Err(error) => (error.id(), Verdict::Unknown { why: "the call broke off inside pushwatch".into() }),
        };
        let Some(flight) = self.flights.remove(&id) else { return };
        let verdict = self.home.judge(verdict);
        let judged = self.aside.is_test(flight.topic).then(|| verdict.clone());
        let (now, dice) = (self.now(), fastrand::f64());
        let why = verdict.why().unwrap_or_default();
        if !why.is_empty() {
            report::put_off(&self.channel.name, &flight, &why);
        }
        if retry::is_capped(&verdict) {
            tracing::error!(channel = %self.channel.name, why, "more than a day is asked for; the channel is held for one day");
        }
        match self.desk.settle(&flight, verdict, now, dice) {
            Aftermath::Well => {
                if self.health.well() {
                    tracing::info!(channel = %self.channel.name, "the channel takes messages again");
                    self.desk.queue.wake();
                }
                self.unpark(now);
            }
            Aftermath::Answered => self.health.answered(),
            Aftermath::Failed => self.health.failed(now, dice),
            Aftermath::Held(until) => {
                self.health.answered();
                self.hold(until).await;
            }
            Aftermath::Refused(until) => {
                if self.health.refused(until) {
                    tracing::error!(channel = %self.channel.name, why, "the channel refuses every message: mend it");
                }
                self.desk.expire(&why, now);
                self.park(&why, now);
            }
            Aftermath::Moved(chat) => self.move_to(chat).await,
        }
        if let Some(verdict) = judged {
            self.answer_test(&flight, &verdict, now);
        }
    }

    /// Keeps what changed; stays here until that has gone through.
    async fn keep(&mut self) -> Result<(), StoreError> {
        self.look_after();
        let Some(changes) = self.desk.take_changes() else {
            return Ok(());
        };
        let cursor = Cursor { seq: Seq(self.last.0), at: self.now() };
        let commit = Commit { cursor, changes: Changes::Channel(changes) };
        let mut tries = 0;
        while let Err(error) = self.context.store.commit(&self.lease, commit.clone()).await {
            tries += 1;
            let stopping = self.stop.is_cancelled();
            match error {
                StoreError::Fenced(_) | StoreError::Closed => return Err(error),
                StoreError::Overloaded(_) | StoreError::Failed(_) if stopping && tries >= LAST_TRIES => {
                    return Err(error);
                }
                StoreError::Overloaded(_) | StoreError::Failed(_) => {
                    tracing::error!(channel = %self.channel.name, %error, tries, "deliveries can't be kept; trying again");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(STORE_PAUSE) => {}
                () = self.stop.cancelled(), if !stopping => {}
            }
        }
        let (ended, repeats) = self.desk.take_ended();
        for _ in 0..repeats {
            self.context.metrics.possible_duplicate(&self.channel.name);
        }
        for ended in &ended {
            report::ended(&self.channel.name, ended, &self.context.metrics, self.now());
        }
        self.gauge();
        Ok(())
    }

    fn gauge(&self) {
        let (metrics, queue) = (&self.context.metrics, &self.desk.queue);
        metrics.outbox_rows(&self.channel.name, DeliveryState::Pending, queue.len() - queue.sending());
        metrics.outbox_rows(&self.channel.name, DeliveryState::Sending, queue.sending());
        metrics.outbox_rows(&self.channel.name, DeliveryState::Dead, self.aside.dead());
    }

    /// How long there is nothing to do; `None` until a call ends or a row comes.
    fn wake_after(&self) -> Option<Duration> {
        let now = self.now();
        let next = [self.next_call(now), self.next_chore(), self.aside.due(self.ready_at(now))];
        let next = next.into_iter().flatten().min();
        next.map(|due| due.since(now))
    }

    /// When the next call can begin.
    fn next_call(&self, now: Timestamp) -> Option<Timestamp> {
        if self.calls.len() >= self.slots {
            return None;
        }
        let due = self.desk.queue.next_due(self.posts_held)?;
        Some(due.max(self.health.held_until).max(self.ready_at(now)))
    }

    fn ready_at(&self, now: Timestamp) -> Timestamp {
        self.context.budgets.ready_at(&self.lanes.target.key, now)
    }

    /// Whether no call can be made now.
    fn is_blocked(&self, now: Timestamp) -> bool {
        self.health.held_until > now || self.ready_at(now) > now
    }

    fn edits_ready_at(&self, topic: Topic, now: Timestamp) -> Timestamp {
        match &self.lanes.edits {
            Some(lane) if self.desk.may_edit(topic) => self.context.budgets.ready_at(&lane.key, now),
            _ => now,
        }
    }

    /// The chat said "not before": for all channels of the budget, and after a restart too.
    async fn hold(&mut self, until: Timestamp) {
        for lane in self.lanes.all() {
            self.context.budgets.hold(&lane.key, until);
            if let Err(error) = self.context.store.table(HOLDS).put(&lane.key, &until.0.to_string()).await {
                tracing::error!(channel = %self.channel.name, %error, "a rate limit can't be kept for a restart");
            }
        }
    }

    async fn move_to(&mut self, chat: i64) {
        let (channel, old) = (&self.channel.name, self.home.chat());
        tracing::warn!(%channel, ?old, new = chat, "the chat has a new id; put it into rules.yaml");
        if let Err(error) = self.home.move_to(chat, self.context.store.as_ref()).await {
            tracing::error!(channel = %self.channel.name, %error, "the chat's new id can't be kept for a restart");
        }
        self.desk.home = self.home.chat().map(|chat| chat.to_string());
    }

    fn now(&self) -> Timestamp {
        self.context.clock.steady()
    }
}
