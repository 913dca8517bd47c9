//! Answers to commands: no rows of the outbox, but they spend from the same budgets and go to the same chats.

use std::sync::Arc;
use std::time::Duration;

use super::budget::Budgets;
use super::home::{self, Home};
use super::lanes::Lanes;
use super::retry::DAY;
use super::worker::HOLDS;
use crate::clock::Clock;
use crate::model::{Channel, Timestamp};
use crate::store::Store;

/// What answers share with the messages of the channels.
pub struct Answers {
    store: Arc<dyn Store>,
    budgets: Arc<Budgets>,
    clock: Arc<Clock>,
}

impl Answers {
    /// With the budgets of the channels' workers.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, budgets: Arc<Budgets>, clock: Arc<Clock>) -> Answers {
        Answers { store, budgets, clock }
    }

    /// Spends one post of a channel's budget.
    ///
    /// # Errors
    /// When it may be worth asking again, in steady time.
    pub fn spend(&self, channel: &Channel) -> Result<(), Timestamp> {
        let lanes = Lanes::of(channel);
        self.budgets.take(&[&lanes.target.key], self.clock.steady()).map_err(|(_, until)| until)
    }

    /// The chat asked for no calls for so long: for the channel's messages too, and after a restart. A day at most is
    /// obeyed, as for messages.
    pub async fn hold(&self, channel: &Channel, length: Duration) {
        let until = self.clock.steady() + length.min(DAY);
        for lane in Lanes::of(channel).all() {
            self.budgets.hold(&lane.key, until);
            if let Err(error) = self.store.table(HOLDS).put(&lane.key, &until.0.to_string()).await {
                tracing::error!(channel = %channel.name, %error, "a rate limit can't be kept for a restart");
            }
        }
    }

    /// Where a Telegram channel's chat is now; `None` for others, and while that can't be looked up.
    pub async fn home(&self, channel: &Channel) -> Option<i64> {
        Home::find(channel, self.store.as_ref()).await.ok().and_then(|home| home.chat())
    }

    /// A Telegram chat has another id now; delivery follows when it comes to it.
    pub async fn moved(&self, channel: &Channel, from: i64, to: i64) {
        tracing::warn!(channel = %channel.name, old = from, new = to, "the chat has a new id; put it into rules.yaml");
        if let Err(error) = home::note(self.store.as_ref(), from, to).await {
            tracing::error!(channel = %channel.name, %error, "the chat's new id can't be kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, telegram};
    use super::*;

    fn answers(store: &Arc<Fake>, budgets: &Arc<Budgets>) -> Answers {
        Answers::new(Arc::clone(store) as _, Arc::clone(budgets), Arc::new(Clock::start()))
    }

    #[tokio::test]
    async fn an_answer_and_a_message_come_out_of_one_budget() {
        let (store, budgets) = (Arc::new(Fake::default()), Arc::new(Budgets::new()));
        let (answers, group) = (answers(&store, &budgets), telegram("", -100));
        let lane = Lanes::of(&group).target;
        budgets.open(&lane, &[], None, answers.clock.steady());
        assert_eq!(answers.spend(&group), Ok(()));
        let now = answers.clock.steady();
        assert!(budgets.take(&[&lane.key], now).is_err(), "one a second, whoever speaks");
        assert!(answers.spend(&group).is_err_and(|until| until > now));
        assert_eq!(answers.spend(&telegram("", -200)), Ok(()), "another chat's");
    }

    #[tokio::test]
    async fn what_a_chat_asks_of_an_answer_holds_messages_too_and_over_a_restart() {
        let (store, budgets) = (Arc::new(Fake::default()), Arc::new(Budgets::new()));
        let (answers, group) = (answers(&store, &budgets), telegram("", -100));
        let lanes = Lanes::of(&group);
        let now = answers.clock.steady();
        lanes.all().for_each(|lane| budgets.open(lane, &[], None, now));
        answers.hold(&group, Duration::from_secs(700)).await;
        let least = now + Duration::from_secs(700);
        assert!(budgets.ready_at(&lanes.target.key, now) >= least);
        let kept = store.table(HOLDS).get(&lanes.target.key).await.unwrap().unwrap();
        assert!(Timestamp(kept.parse().unwrap()) >= least);
        answers.hold(&group, Duration::from_secs(10 * 365 * 86_400)).await;
        assert!(budgets.ready_at(&lanes.target.key, now) <= answers.clock.steady() + DAY, "no longer than messages");
    }

    #[tokio::test]
    async fn a_chat_that_moved_is_found_at_its_new_id() {
        let (store, budgets) = (Arc::new(Fake::default()), Arc::new(Budgets::new()));
        let (answers, group) = (answers(&store, &budgets), telegram("", -100));
        assert_eq!(answers.home(&group).await, Some(-100));
        answers.moved(&group, -100, -1009).await;
        assert_eq!(answers.home(&group).await, Some(-1009));
    }
}
