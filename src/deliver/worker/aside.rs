//! What a worker looks after besides telling: a channel that refuses everything, what waits too long, what was given
//! up, operators' orders.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;

use super::super::Context;
use super::super::assignment::Assignment;
use super::super::dead::DeadLetters;
use super::super::flight::Flight;
use super::super::orders::{Answer, NotRetried, Order, Tested};
use super::super::park::{Park, Word};
use super::super::pass_on::{PassOn, Passed};
use super::super::retry::DAY;
use super::super::topic::Topic;
use super::super::verdict::Verdict;
use super::Worker;
use crate::model::{
    About, ChannelName, DeliveryId, DeliveryOutcome, DeliveryState, GroupId, Incident, Notice, Notification, Severity,
    Timestamp,
};
use crate::store::{Fate, StoreError, Wanted};

/// A test waits so long for its turn within the budget; then it says that the chat asks to wait.
const TEST_WAITS: Duration = Duration::from_secs(5);

/// Rows taken up again by one commit.
const AT_ONCE: usize = 500;

/// How often the dead rows are counted anew, as old ones are deleted, and what was passed on is looked through.
const TIDY: Duration = Duration::from_secs(3600);

/// Members of a digest read at once.
const PAGE: usize = 256;

/// Groups looked up in one go only to know whether they are over.
const MOST_DOUBTFUL: usize = 64;

/// All of it.
pub(super) struct Aside {
    orders: mpsc::Receiver<Order>,
    park: Park,
    pass_on: PassOn,
    letters: DeadLetters,
    /// Rows that were given up and are kept.
    dead: usize,
    tidied_at: Timestamp,
    /// Tests whose row is on its way through the outbox, and those whose row waits or is told.
    asked: VecDeque<Answer<Tested>>,
    testing: Vec<(DeliveryId, Answer<Tested>)>,
}

impl Aside {
    pub(super) async fn open(
        assignment: Assignment,
        keyed: &[(String, String, String)],
        context: &Context,
    ) -> Result<Aside, StoreError> {
        let Assignment { channel, fallback, hearers, orders } = assignment;
        let name = channel.name.clone();
        let pass_on = PassOn::open(name.clone(), fallback.as_deref(), keyed, context.clock.steady());
        let park = Park::open(name.clone(), pass_on.fallback().cloned(), keyed);
        context.parking.set(&name, park.shown());
        Ok(Aside {
            orders,
            park,
            pass_on,
            letters: DeadLetters::open(name.clone(), hearers, keyed),
            dead: count(context, &name).await?,
            tidied_at: context.clock.steady(),
            asked: VecDeque::new(),
            testing: Vec::new(),
        })
    }

    pub(super) fn dead(&self) -> usize {
        self.dead
    }

    /// What operators order next; never, once nobody can.
    pub(super) async fn next_order(&mut self) -> Option<Order> {
        self.orders.recv().await
    }

    /// A row came: it may be that of a test.
    fn came(&mut self, id: DeliveryId, notification: &Notification) {
        if let About::Notice(notice) = &notification.about
            && let Notice::Test { .. } = **notice
            && let Some(answer) = self.asked.pop_front()
        {
            self.testing.push((id, answer));
        }
    }

    pub(super) fn is_test(&self, topic: Topic) -> bool {
        self.testing.iter().any(|(id, _)| Topic::Notice(*id) == topic)
    }

    /// When there is something to do but calls; `ready` is when the budget lets a test go.
    pub(super) fn due(&self, ready: Timestamp) -> Option<Timestamp> {
        let test = (!self.testing.is_empty()).then_some(ready);
        [test, self.letters.due(), self.pass_on.due()].into_iter().flatten().min()
    }
}

async fn count(context: &Context, channel: &ChannelName) -> Result<usize, StoreError> {
    Ok(usize::try_from(context.reader.dead(channel).await?).unwrap_or(usize::MAX))
}

impl Worker {
    /// A row came.
    pub(super) fn came(&mut self, id: DeliveryId, notification: &Notification, now: Timestamp) {
        self.aside.came(id, notification);
        let passed = self.aside.pass_on.came(notification, now);
        self.pass(passed);
    }

    fn pass(&mut self, Passed { keyed, owed }: Passed) {
        keyed.into_iter().for_each(|keyed| self.desk.remember(keyed));
        self.desk.owe(owed);
    }

    /// Every hour: counts the dead rows anew, and forgets what was passed on a day ago or more and is over.
    pub(super) async fn tidy(&mut self) {
        let now = self.now();
        if now.since(self.aside.tidied_at) < TIDY {
            return;
        }
        self.aside.tidied_at = now;
        // What can't be read now is read an hour later.
        if let Ok(dead) = count(&self.context, &self.channel.name).await {
            self.aside.dead = dead;
        }
        for group in self.aside.pass_on.older(now - DAY, MOST_DOUBTFUL) {
            let found = self.context.reader.group(group).await;
            if found.is_ok_and(|found| found.is_none_or(|(group, _)| group.closed_at.is_some()))
                && let Some(keyed) = self.aside.pass_on.forget(group)
            {
                self.desk.remember(keyed);
            }
        }
    }

    /// Passes on the critical members of digests that wait too long.
    pub(super) async fn pass_members(&mut self) -> Result<(), StoreError> {
        for digest in self.aside.pass_on.unread() {
            let mut after = GroupId(0);
            loop {
                // What can't be read now is read a minute later.
                let read = self.context.reader.members(&self.channel.name, digest, after, PAGE).await;
                let Ok(members) = read else { break };
                let Some(last) = members.last() else { break };
                after = last.group;
                for member in members {
                    // What is kept still is told nobody, here or elsewhere.
                    let is_still = |i: &Incident| i.muted_until.is_some() || i.inhibited_by.is_some();
                    let is_urgent = |i: &Incident| i.is_firing() && i.severity == Severity::Critical && !is_still(i);
                    if member.incidents.iter().any(is_urgent) {
                        let stood_for = member.stands_in.into_iter().next();
                        let stands_in = stood_for.unwrap_or_else(|| self.channel.name.clone());
                        let passed = self.aside.pass_on.member(member.group, stands_in, self.now());
                        self.pass(passed);
                    }
                }
                self.keep().await?;
            }
        }
        Ok(())
    }

    /// Does, with the next commit, what is due.
    pub(super) fn look_after(&mut self) {
        self.see_to_the_dead();
        let passed = self.aside.pass_on.look(&self.desk.queue, self.desk.stand_ins(), self.now());
        if let (false, Some(fallback)) = (passed.owed.is_empty(), self.aside.pass_on.fallback()) {
            let (channel, count) = (&self.channel.name, passed.owed.len());
            tracing::warn!(%channel, %fallback, count, "critical news waits too long; the fallback is told in its place");
        }
        self.pass(passed);
    }

    /// The chat refuses everything.
    pub(super) fn park(&mut self, why: &str, now: Timestamp) {
        let waiting = self.desk.queue.len();
        let word = self.aside.park.refused(why, waiting, now);
        self.say(word);
    }

    /// The chat took a message.
    pub(super) fn unpark(&mut self, now: Timestamp) {
        let word = self.aside.park.well(now);
        self.say(word);
    }

    fn say(&mut self, word: Option<Word>) {
        let Some(Word { keyed, owed }) = word else { return };
        self.desk.remember(keyed);
        self.desk.owe(owed);
        self.context.parking.set(&self.channel.name, self.aside.park.shown());
    }

    /// Counts what was given up since the last commit, and says it to those who hear of it, with the next one.
    fn see_to_the_dead(&mut self) {
        let (died, now) = (self.desk.died(), self.now());
        self.aside.dead += died;
        if let Some(keyed) = self.aside.letters.died(died, now) {
            self.desk.remember(keyed);
        }
        if let Some((keyed, owed)) = self.aside.letters.say(now) {
            self.desk.remember(keyed);
            self.desk.owe(owed);
        }
    }

    /// Does what an operator wants.
    pub(super) async fn obey(&mut self, order: Order) -> Result<(), StoreError> {
        match order {
            Order::Test(answer) => {
                let (channel, now) = (self.channel.name.clone(), self.now());
                let notice = Notice::Test { channel: channel.clone() };
                self.desk.owe([Notification::of_notice(channel, notice, Severity::Info, now)]);
                self.aside.asked.push_back(answer);
            }
            // Whoever asked may have gone.
            Order::Retry(id, answer) => drop(answer.send(self.retry(id).await?)),
            Order::RetryAll(answer) => drop(answer.send(self.retry_all().await?)),
        }
        Ok(())
    }

    async fn retry(&mut self, id: DeliveryId) -> Result<Result<u64, NotRetried>, StoreError> {
        let found = match self.context.reader.delivery(id).await {
            Ok(found) => found.filter(|row| row.notification.channel == self.channel.name),
            Err(error) => return Ok(Err(NotRetried::Store(error.to_string()))),
        };
        match found {
            None => Ok(Err(NotRetried::Unknown)),
            Some(row) if row.state != DeliveryState::Dead => Ok(Err(NotRetried::NotDead(row.state))),
            Some(row) => {
                self.desk.retry(row, self.now());
                self.aside.dead = self.aside.dead.saturating_sub(1);
                self.keep().await?;
                Ok(Ok(1))
            }
        }
    }

    async fn retry_all(&mut self) -> Result<Result<u64, NotRetried>, StoreError> {
        let (mut before, mut count) = (None, 0);
        loop {
            let channel = Some(self.channel.name.clone());
            let wanted = Wanted { fate: Some(Fate::Dead), channel, before, most: AT_ONCE };
            let page = match self.context.reader.deliveries(wanted).await {
                Ok(page) => page,
                Err(error) => return Ok(Err(NotRetried::Store(error.to_string()))),
            };
            for listed in page.items {
                self.desk.retry(listed.delivery, self.now());
                self.aside.dead = self.aside.dead.saturating_sub(1);
                count += 1;
            }
            self.keep().await?;
            match page.next {
                Some(next) => before = Some(next),
                None => return Ok(Ok(count)),
            }
        }
    }

    /// Begins the tests whose row has come, whatever else waits and however the channel is held: somebody looks on.
    pub(super) fn begin_tests(&mut self) {
        let (waiting, now) = (self.aside.testing.iter().map(|(id, _)| *id).collect::<Vec<_>>(), self.now());
        for id in waiting {
            let (topic, ready) = (Topic::Notice(id), self.ready_at(now));
            if ready.since(now) > TEST_WAITS && self.desk.queue.take_this(topic) {
                let verdict = Verdict::RateLimited { after: ready.since(now) };
                self.end_test(id, &verdict, false, now);
            } else if ready <= now
                && self.calls.len() + self.begun.len() < self.slots
                && self.desk.queue.take_this(topic)
            {
                self.begin_notice(id, now);
            }
        }
    }

    /// A test's call has ended. It is not made again, unless it is another kind of call that is needed.
    pub(super) fn answer_test(&mut self, flight: &Flight, verdict: &Verdict, now: Timestamp) {
        let Topic::Notice(id) = flight.topic else { return };
        match verdict {
            Verdict::PermanentMessage { .. } if !flight.plain => {}
            Verdict::Migrated { .. } => {}
            _ => self.end_test(id, verdict, flight.plain, now),
        }
    }

    fn end_test(&mut self, id: DeliveryId, verdict: &Verdict, plain: bool, now: Timestamp) {
        let why = format!("a test is not repeated; {}", verdict.why().unwrap_or_default());
        self.desk.discard(Topic::Notice(id), DeliveryOutcome::Void, &why, now);
        let tested = Tested::of(self.channel.kind(), verdict, plain);
        for (_, answer) in self.aside.testing.extract_if(.., |(known, _)| *known == id) {
            // Whoever asked may have gone.
            let _ = answer.send(tested.clone());
        }
    }
}
