//! The heart of delivery: rows and messages in memory, and what each step makes of them. Pure; the worker around it
//! keeps the changes, makes the calls and brings the verdicts.

use std::collections::HashSet;

use super::call::Act;
use super::flight::{Aftermath, Ended, Flight};
use super::living::{Known, Life, Living};
use super::plan::{self, Plan, Standing, Wish};
use super::queue::{Queue, Row};
use super::retry::{self, DAY, Next, Tried};
use super::verdict::Verdict;
use crate::model::{
    Attempt, ChannelName, Delivery, DeliveryId, DeliveryOutcome, DeliveryState, Group, GroupId, Notification, Reason,
    Timestamp,
};
use crate::store::{ChannelChanges, ChannelState};

/// The rows and messages of one channel.
#[derive(Debug)]
pub(crate) struct Desk {
    channel: ChannelName,
    can_edit: bool,
    /// The chat's own id, where messages carry it (Telegram).
    pub(crate) home: Option<String>,
    /// What waits.
    pub(crate) queue: Queue,
    living: Living,
    changes: ChannelChanges,
    ended: Vec<Ended>,
    repeats: usize,
}

impl Desk {
    /// Takes over what a shard was opened with.
    pub(crate) fn open(channel: ChannelName, can_edit: bool, state: ChannelState) -> Desk {
        let mut queue = Queue::default();
        let living = Living::new(state.messages);
        for delivery in state.deliveries {
            let notification = &delivery.notification;
            let edited = || {
                living.get(notification.group().unwrap_or_default()).is_some_and(|known| known.platform_id.is_some())
            };
            // A row found sending was being told when we went down. If that was an edit it is simply made again.
            let state = match delivery.state {
                DeliveryState::Sending if notification.reason == Reason::Edit && edited() => DeliveryState::Pending,
                state => state,
            };
            let row = Row {
                not_before: delivery.not_before,
                attempts: delivery.attempts,
                state,
                possible_duplicate: delivery.possible_duplicate,
                ..Row::new(delivery.id, notification)
            };
            queue.insert(notification.group().unwrap_or_default(), row);
            if let (Some(error), Some(entry)) =
                (delivery.error, queue.get_mut(notification.group().unwrap_or_default()))
            {
                entry.error = Some(error.into());
            }
        }
        let changes = ChannelChanges::default();
        Desk { channel, can_edit, home: None, queue, living, changes, ended: Vec::new(), repeats: 0 }
    }

    /// Takes in a new row. An edit of nothing ends here: it need not wait for a budget.
    pub(crate) fn accept(&mut self, id: DeliveryId, notification: &Notification, now: Timestamp) {
        let (group, row) = (notification.group().unwrap_or_default(), Row::new(id, notification));
        let editable = self.can_edit && self.living.get(group).is_some();
        match notification.reason {
            Reason::Edit if !editable && self.queue.get(group).is_none() => {
                let why = if self.can_edit { "nothing was told yet" } else { "this chat can't edit" };
                self.end(Ended { row, group, key: None, outcome: DeliveryOutcome::Void, error: Some(why.into()) }, now);
            }
            _ => self.queue.insert(group, row),
        }
    }

    /// What the rows of a taken group come to.
    pub(crate) fn plan(&self, group: &Group, firing: bool) -> Plan {
        let Some(entry) = self.queue.get(group.id) else {
            return Plan::Void("nothing waits");
        };
        match self.can_edit {
            false => plan::fixed(entry.reason()),
            true => {
                let wish = Wish { reason: entry.reason(), revision: group.revision, edited: entry.edited > 0, firing };
                plan::editable(wish, self.standing(group.id))
            }
        }
    }

    /// Whether the group's next call would be an edit, as far as can be said without reading the group.
    pub(crate) fn may_edit(&self, group: GroupId) -> bool {
        self.can_edit
            && matches!(self.standing(group), Standing::There { .. })
            && self.queue.get(group).is_some_and(|entry| entry.edited == 0)
    }

    /// Whether anything was told of a group here.
    pub(crate) fn is_told(&self, group: GroupId) -> bool {
        self.living.get(group).is_some()
    }

    /// Ends all rows of a taken group, which was `found` in the store or not, without a call.
    pub(crate) fn void(&mut self, group: GroupId, found: Option<&Group>, why: &str, now: Timestamp) {
        for row in self.queue.remove(group, usize::MAX, |_| true) {
            let (key, error) = (found.map(|group| group.key.clone()), Some(why.to_owned()));
            self.end(Ended { row, group, key, outcome: DeliveryOutcome::Void, error }, now);
        }
        self.rest(group, found.is_none_or(|group| group.closed_at.is_some()), now);
    }

    /// Groups that are remembered though they may be over: to be looked up, when there is time.
    pub(crate) fn doubtful(&self, most: usize) -> Vec<GroupId> {
        self.living.doubtful(most)
    }

    /// A doubtful group was looked up, and `found` in the store or not.
    pub(crate) fn learn(&mut self, group: GroupId, found: Option<&Group>, now: Timestamp) {
        // What waits for its call is looked up there.
        match self.queue.get(group) {
            Some(_) => self.living.stay(group),
            None => self.rest(group, found.is_none_or(|group| group.closed_at.is_some()), now),
        }
    }

    /// Puts on record that a taken group's call is about to be made.
    pub(crate) fn begin(&mut self, group: &Group, act: Act, attempts: Vec<Attempt>) -> Option<Flight> {
        let entry = self.queue.get(group.id)?;
        // A note answers the rows whose edit was made; what joined since and does not show gets an edit of its own.
        let shown = self.living.get(group.id).is_some_and(|known| known.revision >= group.revision);
        let covered = match (&act, entry.edited) {
            (Act::Note { .. }, edited @ 1..) if !shown => edited.min(entry.rows().len()),
            _ => entry.rows().len(),
        };
        let (carrier, plain) = (entry.carrier(covered)?, entry.plain);
        let reason = entry.rows().iter().take(covered).map(|row| row.reason).max()?;
        let doubles = act.can_double();
        let mut repeated = false;
        let row = self.queue.change(group.id, carrier.id, |row| {
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
        self.keep(group.id, row);
        self.changes.attempts.extend(attempts);
        Some(Flight {
            group: group.id,
            key: group.key.clone(),
            carrier: carrier.id,
            covered,
            reason,
            act,
            revision: group.revision,
            closed: group.closed_at.is_some(),
            plain,
            template_error: None,
        })
    }

    /// Takes a call's verdict in.
    pub(crate) fn settle(&mut self, flight: &Flight, verdict: Verdict, now: Timestamp, dice: f64) -> Aftermath {
        let why = verdict.why();
        match &verdict {
            Verdict::Sent { platform_id, place } => {
                self.told(flight, platform_id.as_deref(), place.as_deref(), now);
                Aftermath::Well
            }
            Verdict::NotModified => {
                self.told(flight, None, None, now);
                Aftermath::Well
            }
            Verdict::PermanentMessage { .. } if flight.plain => {
                self.give_up(flight, why, |_| true, now);
                Aftermath::Answered
            }
            Verdict::PermanentMessage { .. } => {
                self.set_plain(flight.group);
                self.again(flight, why, now, false);
                Aftermath::Answered
            }
            Verdict::Gone { .. } if !matches!(flight.act, Act::Post) => {
                self.lose(flight, why, now);
                Aftermath::Answered
            }
            Verdict::Migrated { chat_id } => {
                self.again(flight, why, now, false);
                Aftermath::Moved(*chat_id)
            }
            Verdict::Unrecognised { .. } => {
                self.set_plain(flight.group);
                self.later(flight, &verdict, now, dice);
                Aftermath::Answered
            }
            Verdict::RateLimited { .. } => Aftermath::Held(self.later(flight, &verdict, now, dice)),
            Verdict::PermanentTarget { .. } => Aftermath::Refused(self.later(flight, &verdict, now, dice)),
            Verdict::Gone { why } => {
                // A post has no message that could be gone: an answer we do not understand.
                self.later(flight, &Verdict::Unrecognised { why: why.clone() }, now, dice);
                Aftermath::Answered
            }
            Verdict::Retry { .. } | Verdict::Unknown { .. } => {
                self.later(flight, &verdict, now, dice);
                Aftermath::Failed
            }
        }
    }

    /// Ends the waiting rows that are a day old: their target refuses everything.
    pub(crate) fn expire(&mut self, why: &str, now: Timestamp) {
        let before = now - DAY;
        for group in self.queue.older(before) {
            for row in self.queue.remove(group, usize::MAX, |row| row.at <= before) {
                let error = Some(why.to_owned());
                self.end(Ended { row, group, key: None, outcome: DeliveryOutcome::Dead, error }, now);
            }
            if self.queue.get(group).is_none() {
                self.living.doubt(group);
            }
        }
    }

    /// What is to be kept since it was last asked, each row and message once; `None` if nothing.
    pub(crate) fn take_changes(&mut self) -> Option<ChannelChanges> {
        let mut changes = std::mem::take(&mut self.changes);
        last_of_each(&mut changes.deliveries, |delivery| delivery.id);
        last_of_each(&mut changes.messages, |message| message.group);
        let empty = changes.deliveries.is_empty() && changes.messages.is_empty() && changes.attempts.is_empty();
        (!empty).then_some(changes)
    }

    /// Rows that got their outcome, and how many posts were repeated, since it was last asked: to be counted once
    /// the changes are kept.
    pub(crate) fn take_ended(&mut self) -> (Vec<Ended>, usize) {
        (std::mem::take(&mut self.ended), std::mem::take(&mut self.repeats))
    }

    fn standing(&self, group: GroupId) -> Standing {
        let Some(known) = self.living.get(group) else {
            return Standing::Untold;
        };
        match known.spot(self.home.as_deref()) {
            Some(spot) => Standing::There { spot, revision: known.revision },
            None => Standing::Lost { reposted: known.reposted },
        }
    }

    fn told(&mut self, flight: &Flight, platform_id: Option<&str>, place: Option<&str>, now: Timestamp) {
        let before = self.living.get(flight.group).cloned();
        let known = match &flight.act {
            Act::Post => Some(Known {
                platform_id: platform_id.map(Into::into),
                place: place.map(Into::into),
                revision: flight.revision,
                posted_at: before.as_ref().map_or(now, |before| before.posted_at),
                reposted: before.is_some_and(|before| before.reposted) || flight.reason == Reason::Edit,
                life: Life::Open,
            }),
            Act::Edit(_) => before.map(|before| Known { revision: flight.revision.max(before.revision), ..before }),
            Act::Note { .. } => None,
        };
        if let Some(known) = known {
            self.changes.messages.push(known.message(&self.channel, flight.group));
            self.living.set(flight.group, known);
        }
        match (&flight.act, flight.reason) {
            // The note is still owed.
            (Act::Edit(_), Reason::Reply | Reason::Post) => {
                if let Some(entry) = self.queue.get_mut(flight.group) {
                    entry.edited = flight.covered;
                }
                self.queue.put_back(flight.group, now);
            }
            _ => self.done(flight, now),
        }
    }

    fn done(&mut self, flight: &Flight, now: Timestamp) {
        let refusal = self.queue.get_mut(flight.group).and_then(|entry| entry.error.take());
        for row in self.queue.remove(flight.group, flight.covered, |_| true) {
            let (outcome, error) = match (row.id == flight.carrier, flight.plain) {
                (false, _) => (DeliveryOutcome::Coalesced, None),
                (true, true) => (DeliveryOutcome::SentPlain, refusal.as_deref().map(str::to_owned)),
                (true, false) => (DeliveryOutcome::Sent, flight.template_error.clone()),
            };
            self.end(Ended { row, group: flight.group, key: Some(flight.key.clone()), outcome, error }, now);
        }
        self.rest(flight.group, flight.closed, now);
    }

    /// Puts rows that came during the call back in line, with a clean slate. If none did, that is all of the group,
    /// for good if it is over.
    fn rest(&mut self, group: GroupId, over: bool, now: Timestamp) {
        match self.queue.get_mut(group) {
            Some(entry) => {
                entry.plain = false;
                entry.edited = 0;
                self.queue.put_back(group, now);
            }
            None if over => self.living.close(group, |group| self.queue.get(group).is_some()),
            None => self.living.stay(group),
        }
    }

    fn later(&mut self, flight: &Flight, verdict: &Verdict, now: Timestamp, dice: f64) -> Timestamp {
        let tried = match self.row(flight) {
            Some(row) => Tried { attempts: row.attempts, since: row.at },
            None => Tried { attempts: 1, since: now },
        };
        let unknown = matches!(verdict, Verdict::Unknown { .. });
        match retry::after(tried, verdict, now, dice) {
            Next::At(at) => {
                self.again(flight, verdict.why(), at, unknown);
                at
            }
            Next::Dead => {
                self.give_up(flight, verdict.why(), |row| now.since(row.at) >= DAY, now);
                // The channel goes on as after any such verdict.
                match retry::after(Tried { since: now, ..tried }, verdict, now, dice) {
                    Next::At(at) => at,
                    Next::Dead => now,
                }
            }
        }
    }

    /// The carrier waits until `at`. If its fate is `unknown` it stays on record as sending.
    fn again(&mut self, flight: &Flight, why: Option<String>, at: Timestamp, unknown: bool) {
        if let Some(entry) = self.queue.get_mut(flight.group) {
            entry.error = why.map(String::into_boxed_str);
        }
        let doubles = flight.act.can_double();
        let row = self.queue.change(flight.group, flight.carrier, |row| {
            row.not_before = at;
            row.state = match (doubles, unknown) {
                (true, true) => DeliveryState::Sending,
                (true, false) => DeliveryState::Pending,
                (false, _) if flight.reason == Reason::Edit => DeliveryState::Pending,
                (false, _) => row.state,
            };
        });
        if let Some(row) = row {
            self.keep(flight.group, row);
        }
        self.queue.put_back(flight.group, at);
    }

    fn lose(&mut self, flight: &Flight, why: Option<String>, now: Timestamp) {
        let Some(known) = self.living.get(flight.group) else {
            return self.again(flight, why, now, false);
        };
        let known = Known { platform_id: None, ..known.clone() };
        self.changes.messages.push(known.message(&self.channel, flight.group));
        self.living.set(flight.group, known);
        // Next the plan finds it lost: posted anew, or left alone.
        self.again(flight, why, now, false);
    }

    fn give_up(&mut self, flight: &Flight, why: Option<String>, dies: impl Fn(&Row) -> bool, now: Timestamp) {
        for row in self.queue.remove(flight.group, flight.covered, dies) {
            let (key, error) = (Some(flight.key.clone()), why.clone());
            self.end(Ended { row, group: flight.group, key, outcome: DeliveryOutcome::Dead, error }, now);
        }
        self.rest(flight.group, flight.closed, now);
    }

    fn set_plain(&mut self, group: GroupId) {
        if let Some(entry) = self.queue.get_mut(group) {
            entry.plain = true;
        }
    }

    fn row(&self, flight: &Flight) -> Option<Row> {
        self.queue.get(flight.group)?.rows().iter().find(|row| row.id == flight.carrier).copied()
    }

    fn keep(&mut self, group: GroupId, row: Row) {
        let error = self.queue.get(group).and_then(|entry| entry.error.as_deref().map(str::to_owned));
        let delivery = self.delivery(group, &row);
        self.changes.deliveries.push(Delivery { error, ..delivery });
    }

    fn end(&mut self, ended: Ended, now: Timestamp) {
        let state = match ended.outcome {
            DeliveryOutcome::Dead => DeliveryState::Dead,
            _ => DeliveryState::Done,
        };
        let (outcome, error, done_at) = (Some(ended.outcome), ended.error.clone(), Some(now));
        let delivery = self.delivery(ended.group, &ended.row);
        self.changes.deliveries.push(Delivery { state, outcome, error, done_at, ..delivery });
        self.ended.push(ended);
    }

    fn delivery(&self, group: GroupId, row: &Row) -> Delivery {
        let (channel, reason, severity, at) = (self.channel.clone(), row.reason, row.severity, row.at);
        Delivery {
            id: row.id,
            notification: Notification::of_group(channel, group, reason, severity, at),
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
