//! The heart of delivery: rows and messages in memory, and what each step makes of them. Pure; the worker around it
//! keeps the changes, makes the calls and brings the verdicts.

use std::collections::{BTreeMap, HashSet};

use self::folding::Coming;
use super::call::Act;
use super::digests::Digests;
use super::flight::{Ended, Flight};
use super::living::{Known, Living};
use super::plan::{self, Plan, Standing, Wish};
use super::queue::{Entry, Queue, Row};
use super::retry::DAY;
use super::stand_in::StandIns;
use super::topic::Topic;
use crate::model::{
    About, Attempt, ChannelName, Delivery, DeliveryId, DeliveryOutcome, DeliveryState, Group, GroupId, Keyed, Notice,
    Notification, Reason, Timestamp,
};
use crate::store::{ChannelChanges, ChannelState};

mod folding;
mod notices;
mod settle;

/// The rows and messages of one channel.
#[derive(Debug)]
pub(crate) struct Desk {
    channel: ChannelName,
    can_edit: bool,
    /// The chat's own id, where messages carry it (Telegram).
    pub(crate) home: Option<String>,
    /// What waits.
    pub(crate) queue: Queue,
    /// What the rows say that are about pushwatch itself.
    notices: BTreeMap<DeliveryId, Box<Notice>>,
    living: Living,
    stand_ins: StandIns,
    digests: Digests,
    coming: Coming,
    changes: ChannelChanges,
    ended: Vec<Ended>,
    repeats: usize,
}

impl Desk {
    /// Takes over what a shard was opened with.
    pub(crate) fn open(channel: ChannelName, can_edit: bool, state: ChannelState) -> Desk {
        let (mut queue, mut notices, mut stand_ins) = (Queue::default(), BTreeMap::new(), StandIns::default());
        let kept = state.keyed.iter().filter_map(|(kind, key, value)| Digests::read(kind, key, value)).collect();
        let members = state.messages.iter().filter_map(|message| Some((message.group, message.folded?)));
        let mut digests = Digests::new(can_edit, kept, members);
        let living = Living::new(state.messages);
        let coming = Coming::after(living.posted_at());
        for delivery in state.deliveries {
            let topic = Topic::of(delivery.id, &delivery.notification);
            let told = topic.group().and_then(|group| living.get(group));
            let edited = told.is_some_and(|known| known.platform_id.is_some());
            // A row found sending was being told when we went down. If that was an edit it is simply made again.
            let state = match delivery.state {
                DeliveryState::Sending if delivery.notification.reason == Reason::Edit && edited => {
                    DeliveryState::Pending
                }
                state => state,
            };
            let row = Row {
                not_before: delivery.not_before,
                attempts: delivery.attempts,
                state,
                possible_duplicate: delivery.possible_duplicate,
                stands_in: stand_ins.mark(delivery.notification.stands_in.as_ref()),
                ..Row::new(delivery.id, &delivery.notification)
            };
            queue.insert(topic, row);
            if let Some(id) = topic.digest() {
                digests.is_owed(id, folding::want(&row));
            }
            if let (Some(error), Some(entry)) = (delivery.error, queue.get_mut(topic)) {
                entry.error = Some(error.into());
            }
            if let About::Notice(notice) = delivery.notification.about {
                notices.insert(delivery.id, notice);
            }
        }
        Desk {
            channel,
            can_edit,
            home: None,
            queue,
            notices,
            living,
            stand_ins,
            digests,
            coming,
            changes: ChannelChanges::default(),
            ended: Vec::new(),
            repeats: 0,
        }
    }

    /// Takes in a new row. An edit of nothing ends here: it need not wait for a budget.
    pub(crate) fn accept(&mut self, id: DeliveryId, notification: Notification, now: Timestamp) {
        let stands_in = self.stand_ins.mark(notification.stands_in.as_ref());
        let (topic, row) = (Topic::of(id, &notification), Row { stands_in, ..Row::new(id, &notification) });
        let editable = self.can_edit && topic.group().is_some_and(|group| self.is_told(group));
        match (notification.reason, notification.about) {
            (_, About::Notice(notice)) => self.accept_notice((id, notice), row, now),
            (_, About::Digest(digest)) => self.accept_digest(digest, row),
            (_, About::Group(group)) if self.hear(group, row, now) => {}
            (Reason::Edit, About::Group(_)) if !editable && self.queue.get(topic).is_none() => {
                let why = if self.can_edit { "nothing was told yet" } else { "this chat can't edit" };
                self.end(Ended { row, topic, key: None, outcome: DeliveryOutcome::Void, error: Some(why.into()) }, now);
            }
            (reason, About::Group(_)) => {
                self.comes(reason, now);
                self.insert(topic, row);
            }
        }
    }

    /// What the rows of a taken group come to.
    pub(crate) fn plan(&self, group: &Group, firing: bool) -> Plan {
        let Some(entry) = self.queue.get(Topic::Group(group.id)) else {
            return Plan::Void("nothing waits");
        };
        match self.can_edit {
            false => plan::fixed(entry.reason()),
            true => {
                let wish = Wish { reason: entry.reason(), revision: group.revision, edited: entry.edited > 0, firing };
                plan::editable(wish, self.standing(Topic::Group(group.id)))
            }
        }
    }

    /// Whether a topic's next call would be an edit, as far as can be said without reading what it is about.
    pub(crate) fn may_edit(&self, topic: Topic) -> bool {
        self.can_edit
            && matches!(self.standing(topic), Standing::There { .. })
            && self.queue.get(topic).is_some_and(|entry| entry.edited == 0)
    }

    /// Whether anything was told of a group here.
    pub(crate) fn is_told(&self, group: GroupId) -> bool {
        self.living.get(group).is_some()
    }

    /// The channels that a group's message stands in for, by what it tells and by the rows that wait.
    pub(crate) fn stood_for(&self, group: GroupId) -> Vec<ChannelName> {
        let told = self.living.get(group).map(|known| known.stands_in.to_vec()).unwrap_or_default();
        let rows = self.queue.get(Topic::Group(group)).map(Entry::rows).unwrap_or_default();
        let mut names = told;
        for name in rows.iter().filter_map(|row| self.stand_ins.name(row.stands_in?)) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// Ends all rows of a taken group, which was `found` in the store or not, without a call.
    pub(crate) fn void(&mut self, group: GroupId, found: Option<&Group>, why: &str, now: Timestamp) {
        let topic = Topic::Group(group);
        for row in self.queue.remove(topic, usize::MAX, |_| true) {
            let (key, error) = (found.map(|group| group.key.clone()), Some(why.to_owned()));
            self.end(Ended { row, topic, key, outcome: DeliveryOutcome::Void, error }, now);
        }
        self.rest(topic, found.is_none_or(|group| group.closed_at.is_some()), now);
    }

    /// Groups that are remembered though they may be over: to be looked up, when there is time.
    pub(crate) fn doubtful(&self, most: usize) -> Vec<GroupId> {
        self.living.doubtful(most)
    }

    /// A doubtful group was looked up, and `found` in the store or not.
    pub(crate) fn learn(&mut self, group: GroupId, found: Option<&Group>, now: Timestamp) {
        // What waits for its call is looked up there.
        let topic = Topic::Group(group);
        match self.queue.get(topic) {
            Some(_) => self.living.stay(group),
            None => self.rest(topic, found.is_none_or(|group| group.closed_at.is_some()), now),
        }
    }

    /// Puts on record that a taken group's call is about to be made.
    pub(crate) fn begin(&mut self, group: &Group, act: Act, attempts: Vec<Attempt>, now: Timestamp) -> Option<Flight> {
        let entry = self.queue.get(Topic::Group(group.id))?;
        // A note answers the rows whose edit was made; what joined since and does not show gets an edit of its own.
        let shown = self.living.get(group.id).is_some_and(|known| known.revision >= group.revision);
        let covered = match (&act, entry.edited) {
            (Act::Note { .. }, edited @ 1..) if !shown => edited.min(entry.rows().len()),
            _ => entry.rows().len(),
        };
        let reason = entry.rows().iter().take(covered).map(|row| row.reason).max()?;
        let flight = self.begin_rows(Topic::Group(group.id), covered, (act, reason), attempts)?;
        if flight.is_noticed() {
            self.alone(now);
        }
        let (key, closed) = (Some(group.key.clone()), group.closed_at.is_some());
        Some(Flight { key, revision: group.revision, closed, ..flight })
    }

    fn begin_rows(
        &mut self,
        topic: Topic,
        covered: usize,
        (act, reason): (Act, Reason),
        attempts: Vec<Attempt>,
    ) -> Option<Flight> {
        let entry = self.queue.get(topic)?;
        let (carrier, plain) = (entry.carrier(covered)?, entry.plain);
        let doubles = act.can_double();
        let mut repeated = false;
        let row = self.queue.change(topic, carrier.id, |row| {
            row.attempts = row.attempts.saturating_add(1);
            if doubles {
                repeated = row.state == DeliveryState::Sending;
                row.possible_duplicate |= repeated;
            }
            // The edit before a note leaves its row pending: found sending, it is the note that is unknown.
            if doubles || reason == Reason::Edit {
                row.state = DeliveryState::Sending;
            }
        })?;
        self.repeats += usize::from(repeated);
        self.keep(topic, row);
        self.changes.attempts.extend(attempts);
        Some(Flight {
            topic,
            key: None,
            carrier: carrier.id,
            covered,
            reason,
            act,
            revision: 0,
            closed: false,
            plain,
            template_error: None,
        })
    }

    /// Ends the waiting rows that are a day old: their target refuses everything.
    pub(crate) fn expire(&mut self, why: &str, now: Timestamp) {
        let before = now - DAY;
        for topic in self.queue.older(before) {
            for row in self.queue.remove(topic, usize::MAX, |row| row.at <= before) {
                let error = Some(why.to_owned());
                self.end(Ended { row, topic, key: None, outcome: DeliveryOutcome::Dead, error }, now);
            }
            if let (None, Some(group)) = (self.queue.get(topic), topic.group()) {
                self.living.doubt(group);
            }
        }
    }

    /// What is to be kept since it was last asked, each row and message once; `None` if nothing.
    pub(crate) fn take_changes(&mut self) -> Option<ChannelChanges> {
        let mut changes = std::mem::take(&mut self.changes);
        last_of_each(&mut changes.deliveries, |delivery| delivery.id);
        last_of_each(&mut changes.messages, |message| message.group);
        let empty = changes.deliveries.is_empty()
            && changes.messages.is_empty()
            && changes.attempts.is_empty()
            && changes.owed.is_empty()
            && changes.keyed.is_empty();
        (!empty).then_some(changes)
    }

    /// Rows that got their outcome, and how many posts were repeated, since it was last asked: to be counted once
    /// the changes are kept.
    pub(crate) fn take_ended(&mut self) -> (Vec<Ended>, usize) {
        (std::mem::take(&mut self.ended), std::mem::take(&mut self.repeats))
    }

    /// How many rows were given up since the changes were taken last.
    pub(crate) fn died(&self) -> usize {
        self.ended.iter().filter(|ended| ended.outcome == DeliveryOutcome::Dead).count()
    }

    /// Adds rows to the outbox with the next changes, for this channel or another.
    pub(crate) fn owe(&mut self, owed: impl IntoIterator<Item = Notification>) {
        self.changes.owed.extend(owed);
    }

    /// Whom the marks of rows stand for.
    pub(crate) fn stand_ins(&self) -> &StandIns {
        &self.stand_ins
    }

    /// Remembers something of the channel's own with the next changes.
    pub(crate) fn remember(&mut self, keyed: Keyed) {
        self.changes.keyed.push(keyed);
    }

    /// Has a row that was given up sent anew, as another row; it keeps what was said of it.
    pub(crate) fn retry(&mut self, dead: Delivery, now: Timestamp) {
        self.changes.owed.push(Notification { at: now, ..dead.notification.clone() });
        let outcome = Some(DeliveryOutcome::Retried);
        self.changes.deliveries.push(Delivery { state: DeliveryState::Done, outcome, done_at: Some(now), ..dead });
    }

    fn standing(&self, topic: Topic) -> Standing {
        let Some(known) = self.known(topic) else {
            return Standing::Untold;
        };
        match known.spot(self.home.as_deref()) {
            Some(spot) => Standing::There { spot, revision: known.revision },
            None => Standing::Lost { reposted: known.reposted },
        }
    }

    /// What stands in the chat for a topic.
    fn known(&self, topic: Topic) -> Option<&Known> {
        match topic {
            Topic::Group(group) => self.living.get(group),
            Topic::Digest(digest) => self.digests.known(digest),
            Topic::Notice(_) => None,
        }
    }

    /// Sets what stands in the chat for a topic, and keeps it.
    fn set_known(&mut self, topic: Topic, known: Known) {
        match topic {
            Topic::Group(group) => {
                let folded = self.digests.seat(group);
                self.changes.messages.push(known.message(&self.channel, group, folded));
                self.living.set(group, known);
            }
            Topic::Digest(digest) => {
                self.digests.set_known(digest, known);
                self.keep_digest(digest);
            }
            Topic::Notice(_) => {}
        }
    }

    fn keep(&mut self, topic: Topic, row: Row) {
        let error = self.queue.get(topic).and_then(|entry| entry.error.as_deref().map(str::to_owned));
        let Some(about) = self.about(topic) else { return };
        let delivery = self.delivery(about, &row);
        self.changes.deliveries.push(Delivery { error, ..delivery });
    }

    fn end(&mut self, ended: Ended, now: Timestamp) {
        let state = match ended.outcome {
            DeliveryOutcome::Dead => DeliveryState::Dead,
            _ => DeliveryState::Done,
        };
        let (outcome, error, done_at) = (Some(ended.outcome), ended.error.clone(), Some(now));
        if let Some(about) = self.about(ended.topic) {
            let delivery = self.delivery(about, &ended.row);
            self.changes.deliveries.push(Delivery { state, outcome, error, done_at, ..delivery });
        }
        self.notices.remove(&ended.row.id);
        self.ended.push(ended);
    }

    fn about(&self, topic: Topic) -> Option<About> {
        match topic {
            Topic::Group(group) => Some(About::Group(group)),
            Topic::Notice(id) => self.notices.get(&id).cloned().map(About::Notice),
            Topic::Digest(digest) => Some(About::Digest(digest)),
        }
    }

    fn delivery(&self, about: About, row: &Row) -> Delivery {
        let notification = Notification {
            channel: self.channel.clone(),
            about,
            reason: row.reason,
            news: row.news,
            severity: row.severity,
            at: row.at,
            stands_in: row.stands_in.and_then(|mark| self.stand_ins.name(mark)).cloned(),
        };
        Delivery {
            id: row.id,
            notification,
            state: row.state,
            attempts: row.attempts,
            not_before: row.not_before,
            outcome: None,
            error: None,
            possible_duplicate: row.possible_duplicate,
            done_at: None,
        }
    }
}

/// A row may change twice between two commits: its call ends and the next begins.
fn last_of_each<T, K: std::hash::Hash + Eq>(items: &mut Vec<T>, key: impl Fn(&T) -> K) {
    let mut seen = HashSet::with_capacity(items.len());
    items.reverse();
    items.retain(|item| seen.insert(key(item)));
    items.reverse();
}
