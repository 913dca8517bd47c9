//! What a worker looks after besides telling: a channel that refuses everything, what was given up, operators' orders.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::super::Context;
use super::super::assignment::Assignment;
use super::super::dead::DeadLetters;
use super::super::flight::Flight;
use super::super::orders::{Answer, NotRetried, Order, Tested};
use super::super::park::{Park, Word};
use super::super::topic::Topic;
use super::super::verdict::Verdict;
use super::Worker;
use crate::model::{
    About, Channel, ChannelName, DeliveryId, DeliveryOutcome, DeliveryState, Notice, Notification, Severity, Timestamp,
};
use crate::store::{Fate, StoreError, Wanted};

/// A test waits so long for its turn within the budget; then it says that the chat asks to wait.
const TEST_WAITS: Duration = Duration::from_secs(5);

/// Rows taken up again by one commit.
const AT_ONCE: usize = 500;

/// How often the dead rows are counted anew: old ones are deleted.
const RECOUNT: Duration = Duration::from_secs(3600);

/// All of it.
pub(super) struct Aside {
    channel: Arc<Channel>,
    orders: mpsc::Receiver<Order>,
    park: Park,
    letters: DeadLetters,
    /// Rows that were given up and are kept.
    dead: usize,
    counted_at: Timestamp,
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
        let park = Park::open(name.clone(), fallback.map(|fallback| fallback.name.clone()), keyed);
        context.parking.set(&name, park.shown());
        Ok(Aside {
            orders,
            park,
            letters: DeadLetters::open(name.clone(), hearers, keyed),
            dead: count(context, &name).await?,
            counted_at: context.clock.steady(),
            asked: VecDeque::new(),
            testing: Vec::new(),
            channel,
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
    pub(super) fn came(&mut self, id: DeliveryId, notification: &Notification) {
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
        [test, self.letters.due()].into_iter().flatten().min()
    }

    /// Counts the dead rows now and then.
    pub(super) async fn recount(&mut self, context: &Context) {
        let now = context.clock.steady();
        if now.since(self.counted_at) < RECOUNT {
            return;
        }
        self.counted_at = now;
        // If they can't be counted the figure is a little old.
        if let Ok(dead) = count(context, &self.channel.name).await {
            self.dead = dead;
        }
    }
}

async fn count(context: &Context, channel: &ChannelName) -> Result<usize, StoreError> {
    Ok(usize::try_from(context.reader.dead(channel).await?).unwrap_or(usize::MAX))
}

impl Worker {
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
    pub(super) fn see_to_the_dead(&mut self) {
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
        for (id, now) in
            self.aside.testing.iter().map(|(id, _)| *id).zip(std::iter::repeat(self.now())).collect::<Vec<_>>()
        {
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
