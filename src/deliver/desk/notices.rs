//! What waits to be said of pushwatch itself: each notice a row and a post of its own, and only so many of them.

use super::super::call::Act;
use super::super::flight::{Ended, Flight};
use super::super::queue::Row;
use super::super::retry::DAY;
use super::super::topic::Topic;
use super::Desk;
use crate::model::{
    Attempt, DeliveryId, DeliveryOutcome, DeliveryState, Missed, Notice, Notification, Reason, Severity, Timestamp,
};

/// Notices that may wait; with more, the oldest says least of how things are now.
const MOST_NOTICES: usize = 256;

/// Ends of mutes that may wait one by one; more of them are told together.
const MOST_ENDS: usize = 3;

impl Desk {
    /// Takes in the row of a notice.
    pub(super) fn accept_notice(&mut self, (id, notice): (DeliveryId, Box<Notice>), row: Row, now: Timestamp) {
        let is_end = is_end(&notice);
        self.notices.insert(id, notice);
        self.queue.insert(Topic::Notice(id), row);
        match is_end {
            true => self.join_ends(now),
            false => self.thin_notices(now),
        }
    }

    /// The notice of a taken row. One that is a day old has ended here instead: it is news no more.
    pub(crate) fn notice(&mut self, id: DeliveryId, now: Timestamp) -> Option<Notice> {
        let topic = Topic::Notice(id);
        let row = self.queue.get(topic)?.rows().first().copied()?;
        if now.since(row.at) < DAY {
            return self.notices.get(&id).map(|notice| (**notice).clone());
        }
        match row.attempts {
            0 => self.discard(topic, DeliveryOutcome::Void, "older than a day when its turn came", now),
            _ => {
                let said = self.queue.get(topic).and_then(|entry| entry.error.as_deref()).map(str::to_owned);
                let why = said.unwrap_or_else(|| "given up after a day".to_owned());
                self.discard(topic, DeliveryOutcome::Dead, &why, now);
            }
        }
        None
    }

    /// Puts on record that a taken notice is about to be posted.
    pub(crate) fn begin_notice(&mut self, id: DeliveryId, attempts: Vec<Attempt>) -> Option<Flight> {
        self.begin_rows(Topic::Notice(id), 1, (Act::Post, Reason::Notice), attempts)
    }

    /// Where the ends of many mutes wait, one notice tells of them all: nothing else would ever tell what they kept back.
    fn join_ends(&mut self, now: Timestamp) {
        let waits = |id: &DeliveryId| {
            let topic = Topic::Notice(*id);
            let rows = self.queue.get(topic).filter(|_| self.queue.waits(topic)).map(|entry| entry.rows());
            // One whose call may have got through is repeated as it was.
            rows.is_some_and(|rows| rows.iter().all(|row| row.state == DeliveryState::Pending))
        };
        let ends = self.notices.iter().filter(|(id, notice)| is_end(notice) && waits(id)).map(|(id, _)| *id);
        let ends: Vec<DeliveryId> = ends.collect();
        if ends.len() <= MOST_ENDS {
            return;
        }
        let missed = ends.iter().filter_map(|id| match self.notices.get(id).map(|notice| &**notice) {
            Some(Notice::MuteOver(missed)) => Some((**missed).clone()),
            _ => None,
        });
        let Some(together) = Missed::together(missed) else { return };
        let notice = Notice::MuteOver(Box::new(together));
        self.owe([Notification::of_notice(self.channel.clone(), notice, Severity::Info, now)]);
        for id in ends {
            let why = "told in one notice with other mutes that ended";
            self.discard(Topic::Notice(id), DeliveryOutcome::Folded, why, now);
        }
    }

    /// Where too many notices wait, the oldest makes room.
    fn thin_notices(&mut self, now: Timestamp) {
        let too_many = self.notices.len() > MOST_NOTICES;
        let thin = self.notices.iter().filter(|(_, notice)| !is_end(notice));
        let mut topics = thin.map(|(id, _)| Topic::Notice(*id));
        if let Some(oldest) = topics.find(|topic| too_many && self.queue.waits(*topic)) {
            self.discard(oldest, DeliveryOutcome::Void, "too many notices wait", now);
        }
    }

    /// Ends a notice's row without a call.
    pub(crate) fn discard(&mut self, topic: Topic, outcome: DeliveryOutcome, why: &str, now: Timestamp) {
        for row in self.queue.remove(topic, usize::MAX, |_| true) {
            self.end(Ended { row, topic, key: None, outcome, error: Some(why.to_owned()) }, now);
        }
    }
}

fn is_end(notice: &Notice) -> bool {
    matches!(notice, Notice::MuteOver(_))
}
