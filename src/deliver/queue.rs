//! The rows that wait, gathered by what they are about: who is next, and when. Pure, and small: 100,000 rows may wait.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::stand_in::Mark;
use super::topic::Topic;
use crate::model::{DeliveryId, DeliveryState, News, Notification, Reason, Severity, Timestamp};

/// An outbox row without what all rows of the channel or of the topic have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its number.
    pub(crate) id: DeliveryId,
    /// When it fell due.
    pub(crate) at: Timestamp,
    /// Not to be tried earlier.
    pub(crate) not_before: Timestamp,
    /// Calls begun.
    pub(crate) attempts: u32,
    /// How to tell.
    pub(crate) reason: Reason,
    /// Why.
    pub(crate) news: News,
    /// How bad.
    pub(crate) severity: Severity,
    /// Pending, or sending: a call that shows twice if made twice was begun, and its end is not known.
    pub(crate) state: DeliveryState,
    /// Posted again although an earlier call may have got through.
    pub(crate) possible_duplicate: bool,
    /// For whom else it stands in.
    pub(crate) stands_in: Option<Mark>,
}

impl Row {
    /// A row as it comes from the engine.
    pub(crate) fn new(id: DeliveryId, notification: &Notification) -> Row {
        Row {
            id,
            at: notification.at,
            not_before: Timestamp::default(),
            attempts: 0,
            reason: notification.reason,
            news: notification.news,
            severity: notification.severity,
            state: DeliveryState::Pending,
            possible_duplicate: false,
            stands_in: None,
        }
    }
}

/// The rows of one topic; told together by one call.
#[derive(Debug)]
pub(crate) struct Entry {
    rows: Vec<Row>,
    shelf: Shelf,
    /// A row came while a call was under way.
    joined: bool,
    /// The markup was refused: the next call goes in plain text.
    pub(crate) plain: bool,
    /// The living message was brought up to date for so many of the rows, from the oldest; their note is still owed.
    pub(crate) edited: usize,
    /// What the chat said last.
    pub(crate) error: Option<Box<str>>,
}

impl Entry {
    /// The rows, oldest first.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// How it is to be told: the strongest of its rows.
    pub(crate) fn reason(&self) -> Reason {
        self.rows.iter().map(|row| row.reason).max().unwrap_or(Reason::Edit)
    }

    /// The row that carries the call: one whose fate is unknown, so that it is known for what it is; else the oldest
    /// of the strongest.
    pub(crate) fn carrier(&self, covered: usize) -> Option<Row> {
        let rows = || self.rows.iter().take(covered);
        let unknown = rows().find(|row| row.state == DeliveryState::Sending);
        unknown.or_else(|| rows().max_by_key(|row| (row.reason, Reverse(row.id)))).copied()
    }

    fn key(&self, topic: Topic) -> Key {
        let severity = self.rows.iter().map(|row| row.severity).max().unwrap_or(Severity::Info);
        let at = self.rows.iter().map(|row| row.at).min().unwrap_or_default();
        (Reverse(severity), self.reason() == Reason::Edit, at, topic)
    }
}

/// Urgency: the worse the earlier, then news before edits (people wait for the one and not for the other), then the
/// older the earlier.
type Key = (Reverse<Severity>, bool, Timestamp, Topic);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shelf {
    Waiting(Timestamp),
    Ready(Key),
    /// Taken.
    Out,
}

/// All rows of a channel that have no outcome.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: HashMap<Topic, Entry, foldhash::fast::RandomState>,
    ready: BTreeSet<Key>,
    waiting: BTreeSet<(Timestamp, Topic)>,
    len: usize,
    sending: usize,
}

impl Queue {
    /// Adds a row. It makes its topic due at its own time, even if that backs off: there is news.
    pub(crate) fn insert(&mut self, topic: Topic, row: Row) {
        let entry = self.entries.entry(topic).or_insert_with(|| Entry {
            rows: Vec::with_capacity(1),
            shelf: Shelf::Waiting(Timestamp::MAX),
            joined: false,
            plain: false,
            edited: 0,
            error: None,
        });
        if entry.rows.iter().any(|known| known.id == row.id) {
            return;
        }
        entry.rows.push(row);
        self.len += 1;
        self.sending += usize::from(row.state == DeliveryState::Sending);
        match entry.shelf {
            Shelf::Out => entry.joined = true,
            Shelf::Waiting(due) => self.shelve(topic, due.min(row.not_before)),
            // Its place may have changed.
            Shelf::Ready(_) => self.shelve(topic, Timestamp::default()),
        }
    }

    /// Takes the most urgent topic that is due; it comes back by [`Queue::put_back`] or is emptied.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<Topic> {
        while let Some(&(due, topic)) = self.waiting.first().filter(|(due, _)| *due <= now) {
            self.waiting.remove(&(due, topic));
            if let Some(entry) = self.entries.get_mut(&topic) {
                let key = entry.key(topic);
                entry.shelf = Shelf::Ready(key);
                self.ready.insert(key);
            }
        }
        let (.., topic) = self.ready.pop_first()?;
        if let Some(entry) = self.entries.get_mut(&topic) {
            entry.shelf = Shelf::Out;
            entry.joined = false;
        }
        Some(topic)
    }

    /// Takes this topic, whenever it is due; `false` if it is not there or taken already.
    pub(crate) fn take_this(&mut self, topic: Topic) -> bool {
        let waits = self.waits(topic);
        if waits {
            self.unshelve(topic);
            if let Some(entry) = self.entries.get_mut(&topic) {
                entry.shelf = Shelf::Out;
                entry.joined = false;
            }
        }
        waits
    }

    /// Puts a taken topic back, due then; at once if there is news of it.
    pub(crate) fn put_back(&mut self, topic: Topic, due: Timestamp) {
        let joined = self.entries.get_mut(&topic).is_some_and(|entry| std::mem::take(&mut entry.joined));
        self.shelve(topic, if joined { Timestamp::default() } else { due });
    }

    /// When the next topic is due; in the past if one is.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        match self.ready.is_empty() {
            false => Some(Timestamp::default()),
            true => self.waiting.first().map(|(due, _)| *due),
        }
    }

    /// All topics and their rows, in no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Topic, &Entry)> {
        self.entries.iter().map(|(topic, entry)| (*topic, entry))
    }

    /// A topic's rows.
    pub(crate) fn get(&self, topic: Topic) -> Option<&Entry> {
        self.entries.get(&topic)
    }

    /// A topic's rows, to set what is known of it.
    pub(crate) fn get_mut(&mut self, topic: Topic) -> Option<&mut Entry> {
        self.entries.get_mut(&topic)
    }

    /// Changes one row and gives it as it is then.
    pub(crate) fn change(&mut self, topic: Topic, id: DeliveryId, change: impl FnOnce(&mut Row)) -> Option<Row> {
        let row = self.entries.get_mut(&topic)?.rows.iter_mut().find(|row| row.id == id)?;
        self.sending -= usize::from(row.state == DeliveryState::Sending);
        change(row);
        self.sending += usize::from(row.state == DeliveryState::Sending);
        Some(*row)
    }

    /// Removes those of the first `covered` rows of a taken topic that `ends` picks; the topic too, if none is left.
    pub(crate) fn remove(&mut self, topic: Topic, covered: usize, ends: impl Fn(&Row) -> bool) -> Vec<Row> {
        let Some(entry) = self.entries.get_mut(&topic) else {
            return Vec::new();
        };
        let (mut place, edited) = (0, entry.edited);
        let ended: Vec<Row> = entry
            .rows
            .extract_if(.., |row| {
                place += 1;
                let ends = place <= covered && ends(row);
                entry.edited -= usize::from(ends && place <= edited);
                ends
            })
            .collect();
        self.len -= ended.len();
        self.sending -= ended.iter().filter(|row| row.state == DeliveryState::Sending).count();
        if entry.rows.is_empty() {
            self.unshelve(topic);
            self.entries.remove(&topic);
        }
        ended
    }

    /// Topics that wait and have a row that fell due before `before`.
    pub(crate) fn older(&self, before: Timestamp) -> Vec<Topic> {
        let old = |entry: &Entry| entry.shelf != Shelf::Out && entry.rows.iter().any(|row| row.at <= before);
        self.entries.iter().filter(|(_, entry)| old(entry)).map(|(topic, _)| *topic).collect()
    }

    /// Whether a topic has rows and is not taken.
    pub(crate) fn waits(&self, topic: Topic) -> bool {
        self.entries.get(&topic).is_some_and(|entry| entry.shelf != Shelf::Out)
    }

    /// Makes every waiting topic due: what held them up is over.
    pub(crate) fn wake(&mut self) {
        let topics: Vec<Topic> = self.waiting.iter().map(|(_, topic)| *topic).collect();
        for topic in topics {
            self.shelve(topic, Timestamp::default());
        }
    }

    /// How many rows wait or are under way.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many of them have a call whose end is not known.
    pub(crate) fn sending(&self) -> usize {
        self.sending
    }

    fn shelve(&mut self, topic: Topic, due: Timestamp) {
        self.unshelve(topic);
        if let Some(entry) = self.entries.get_mut(&topic) {
            entry.shelf = Shelf::Waiting(due);
            self.waiting.insert((due, topic));
        }
    }

    fn unshelve(&mut self, topic: Topic) {
        match self.entries.get(&topic).map(|entry| entry.shelf) {
            Some(Shelf::Waiting(due)) => self.waiting.remove(&(due, topic)),
            Some(Shelf::Ready(key)) => self.ready.remove(&key),
            Some(Shelf::Out) | None => false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChannelName;

    fn group(id: u64) -> Topic {
        Topic::Group(crate::model::GroupId(id))
    }

    fn row(id: u64, reason: Reason, severity: Severity, at: i64) -> Row {
        let channel = ChannelName::new("ops");
        let (group, why) = (crate::model::GroupId(1), (reason, News::Opened));
        let notification = Notification::of_group(channel, group, why, severity, Timestamp(at));
        Row::new(DeliveryId(id), &notification)
    }

    fn order(queue: &mut Queue, now: i64) -> Vec<u64> {
        std::iter::from_fn(|| queue.take(Timestamp(now)).and_then(Topic::group)).map(|group| group.0).collect()
    }

    #[test]
    fn the_worst_goes_first_then_the_oldest_and_nobody_before_its_time() {
        let mut queue = Queue::default();
        queue.insert(group(1), row(1, Reason::Post, Severity::Warning, 10));
        queue.insert(group(2), row(2, Reason::Post, Severity::Critical, 30));
        queue.insert(group(3), row(3, Reason::Post, Severity::Critical, 20));
        queue.insert(group(4), Row { not_before: Timestamp(99), ..row(4, Reason::Post, Severity::Critical, 5) });
        assert_eq!(order(&mut queue, 50), [3, 2, 1]);
        assert_eq!(queue.next_due(), Some(Timestamp(99)));
        assert_eq!(order(&mut queue, 99), [4]);
        assert_eq!((queue.next_due(), queue.len()), (None, 4));
    }

    #[test]
    fn news_does_not_queue_behind_older_edits_of_its_severity() {
        let mut queue = Queue::default();
        queue.insert(group(1), row(1, Reason::Edit, Severity::Warning, 10));
        queue.insert(group(2), row(2, Reason::Edit, Severity::Critical, 20));
        queue.insert(group(3), row(3, Reason::Reply, Severity::Critical, 40));
        queue.insert(group(4), row(4, Reason::Post, Severity::Critical, 30));
        queue.insert(group(5), row(5, Reason::Edit, Severity::Critical, 5));
        queue.insert(group(5), row(6, Reason::Reply, Severity::Critical, 50));
        assert_eq!(order(&mut queue, 50), [5, 4, 3, 2, 1]);
    }

    #[test]
    fn a_row_that_joins_raises_its_group_and_one_known_already_does_nothing() {
        let mut queue = Queue::default();
        queue.insert(group(1), row(1, Reason::Edit, Severity::Info, 10));
        queue.insert(group(2), row(2, Reason::Post, Severity::Warning, 10));
        assert_eq!(queue.take(Timestamp(10)), Some(group(2)));
        queue.put_back(group(2), Timestamp(10));
        queue.insert(group(1), row(3, Reason::Reply, Severity::Critical, 11));
        queue.insert(group(1), row(3, Reason::Reply, Severity::Critical, 11));
        assert_eq!(order(&mut queue, 11), [1, 2]);
        let entry = queue.get(group(1)).unwrap();
        assert_eq!((entry.rows().len(), entry.reason()), (2, Reason::Reply));
        assert_eq!(entry.carrier(usize::MAX).unwrap().id, DeliveryId(3));
    }

    #[test]
    fn news_during_a_call_or_a_back_off_makes_the_group_due() {
        let mut queue = Queue::default();
        queue.insert(group(1), row(1, Reason::Post, Severity::Info, 0));
        assert_eq!(queue.take(Timestamp(0)), Some(group(1)));
        queue.insert(group(1), row(2, Reason::Edit, Severity::Info, 1));
        queue.put_back(group(1), Timestamp(500));
        assert_eq!(queue.take(Timestamp(1)), Some(group(1)));
        queue.put_back(group(1), Timestamp(500));
        assert_eq!(queue.take(Timestamp(1)), None);
        queue.insert(group(1), row(3, Reason::Edit, Severity::Info, 2));
        assert_eq!(queue.take(Timestamp(2)), Some(group(1)));
    }

    #[test]
    fn the_carrier_is_the_row_of_unknown_fate_if_there_is_one() {
        let mut queue = Queue::default();
        queue.insert(group(1), row(1, Reason::Edit, Severity::Info, 0));
        queue.insert(group(1), row(2, Reason::Reply, Severity::Info, 0));
        queue.insert(group(1), row(3, Reason::Post, Severity::Info, 0));
        queue.insert(group(1), row(4, Reason::Post, Severity::Info, 0));
        assert_eq!(queue.get(group(1)).unwrap().carrier(usize::MAX).unwrap().id, DeliveryId(3));
        queue.change(group(1), DeliveryId(2), |row| row.state = DeliveryState::Sending);
        assert_eq!(queue.get(group(1)).unwrap().carrier(usize::MAX).unwrap().id, DeliveryId(2));
        assert_eq!(queue.sending(), 1);
    }

    #[test]
    fn only_rows_that_a_call_covered_end_with_it() {
        let mut queue = Queue::default();
        for id in 1..=3 {
            queue.insert(group(1), row(id, Reason::Post, Severity::Info, id as i64));
        }
        assert_eq!(queue.take(Timestamp(9)), Some(group(1)));
        let ended: Vec<u64> = queue.remove(group(1), 2, |_| true).iter().map(|row| row.id.0).collect();
        assert_eq!((ended, queue.len()), (vec![1, 2], 1));
        queue.put_back(group(1), Timestamp(0));
        assert_eq!(queue.remove(group(1), usize::MAX, |_| true).len(), 1);
        assert!(queue.get(group(1)).is_none() && queue.next_due().is_none());
    }

    #[test]
    fn rows_that_end_are_no_longer_among_those_whose_edit_was_made() {
        let mut queue = Queue::default();
        for id in 1..=4 {
            queue.insert(group(1), row(id, Reason::Post, Severity::Info, id as i64));
        }
        queue.get_mut(group(1)).unwrap().edited = 3;
        let ended = queue.remove(group(1), usize::MAX, |row| [2, 4].contains(&row.id.0));
        assert_eq!((ended.len(), queue.get(group(1)).unwrap().edited), (2, 2));
    }

    #[test]
    fn waking_makes_all_due_and_the_old_are_found() {
        let mut queue = Queue::default();
        for id in 1..=3 {
            let not_before = Timestamp(1000);
            queue.insert(group(id), Row { not_before, ..row(id, Reason::Post, Severity::Info, id as i64) });
        }
        let mut older = queue.older(Timestamp(2));
        older.sort_unstable();
        assert_eq!(older, [group(1), group(2)]);
        assert_eq!(queue.take(Timestamp(5)), None);
        queue.wake();
        assert_eq!(order(&mut queue, 5), [1, 2, 3]);
    }

    #[test]
    fn a_row_that_waits_is_small() {
        assert!(size_of::<Row>() <= 40, "{}", size_of::<Row>());
        assert!(size_of::<Entry>() <= 96, "{}", size_of::<Entry>());
    }
}
