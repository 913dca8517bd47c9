//! The rows that wait, gathered by what they are about: who is next, and when. Pure, and small: 100,000 rows may wait.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::stand_in::Mark;
use super::topic::Topic;
use crate::model::{DeliveryId, DeliveryState, GroupId, News, Notification, Reason, Severity, Timestamp};

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

/// Whether people would notice its telling, and it can be folded with others: a first word of a group, or a note.
fn is_post((_, edit, _, topic): &Key) -> bool {
    !edit && topic.group().is_some()
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
    /// Each in a place of its own: a table of them has room for twice as many, and while it grows is there twice.
    entries: HashMap<Topic, Box<Entry>, foldhash::fast::RandomState>,
    ready: BTreeSet<Key>,
    /// Those of the ready that may be folded.
    posts: BTreeSet<Key>,
    waiting: BTreeSet<(Timestamp, Topic)>,
    len: usize,
    sending: usize,
}

impl Queue {
    /// Adds a row. It makes its topic due at its own time, even if that backs off: there is news.
    pub(crate) fn insert(&mut self, topic: Topic, row: Row) {
        let entry = self.entries.entry(topic).or_insert_with(|| {
            Box::new(Entry {
                rows: Vec::with_capacity(1),
                shelf: Shelf::Waiting(Timestamp::MAX),
                joined: false,
                plain: false,
                edited: 0,
                error: None,
            })
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

    /// Finds out what is due.
    pub(crate) fn ripen(&mut self, now: Timestamp) {
        while let Some(&(due, topic)) = self.waiting.first().filter(|(due, _)| *due <= now) {
            self.waiting.remove(&(due, topic));
            if let Some(entry) = self.entries.get_mut(&topic) {
                let key = entry.key(topic);
                entry.shelf = Shelf::Ready(key);
                self.shelf(&key).insert(key);
            }
        }
    }

    /// How many posts are due.
    pub(crate) fn posts(&self) -> usize {
        self.posts.len()
    }

    /// The most urgent groups whose posts are due.
    pub(crate) fn first_posts(&self, most: usize) -> Vec<GroupId> {
        self.posts.iter().take(most).filter_map(|(.., topic)| topic.group()).collect()
    }

    /// Takes the most urgent topic that is due; it comes back by [`Queue::put_back`] or is emptied.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<Topic> {
        self.ripen(now);
        let key = *self.ready.first().into_iter().chain(self.posts.first()).min()?;
        Some(self.take_out(key))
    }

    /// The same, but leaves posts where they are.
    pub(crate) fn take_but_posts(&mut self, now: Timestamp) -> Option<Topic> {
        self.ripen(now);
        let key = *self.ready.first()?;
        Some(self.take_out(key))
    }

    fn take_out(&mut self, key: Key) -> Topic {
        self.shelf(&key).remove(&key);
        let (.., topic) = key;
        if let Some(entry) = self.entries.get_mut(&topic) {
            entry.shelf = Shelf::Out;
            entry.joined = false;
        }
        topic
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

    /// When the next topic is due, or may be if posts are held until then; in the past if one is.
    pub(crate) fn next_due(&self, held_until: Option<Timestamp>) -> Option<Timestamp> {
        let ready = (!self.ready.is_empty()).then(Timestamp::default);
        let posts = (!self.posts.is_empty()).then(|| held_until.unwrap_or_default());
        let waiting = self.waiting.first().map(|(due, _)| *due);
        [ready, posts, waiting].into_iter().flatten().min()
    }

    /// All topics and their rows, in no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Topic, &Entry)> {
        self.entries.iter().map(|(topic, entry)| (*topic, &**entry))
    }

    /// A topic's rows.
    pub(crate) fn get(&self, topic: Topic) -> Option<&Entry> {
        self.entries.get(&topic).map(|entry| &**entry)
    }

    /// A topic's rows, to set what is known of it.
    pub(crate) fn get_mut(&mut self, topic: Topic) -> Option<&mut Entry> {
        self.entries.get_mut(&topic).map(|entry| &mut **entry)
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

    fn shelf(&mut self, key: &Key) -> &mut BTreeSet<Key> {
        if is_post(key) { &mut self.posts } else { &mut self.ready }
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
            Some(Shelf::Ready(key)) => self.shelf(&key).remove(&key),
            Some(Shelf::Out) | None => false,
        };
    }
}

#[cfg(test)]
mod tests;
