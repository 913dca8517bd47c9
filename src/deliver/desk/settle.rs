//! What a call's verdict makes of the rows that it was to tell.

use super::super::call::Act;
use super::super::flight::{Aftermath, Ended, Flight};
use super::super::living::{Known, Life};
use super::super::queue::Row;
use super::super::retry::{self, DAY, Next, Tried};
use super::super::topic::Topic;
use super::super::verdict::Verdict;
use super::Desk;
use crate::model::{DeliveryOutcome, DeliveryState, DigestId, Reason, Timestamp};

impl Desk {
    /// Takes a call's verdict in.
    pub(crate) fn settle(&mut self, flight: &Flight, verdict: Verdict, now: Timestamp, dice: f64) -> Aftermath {
        let digest = flight.topic.digest();
        if let Some(digest) = digest {
            self.digests.called(digest);
        }
        let aftermath = self.judge_call(flight, verdict, now, dice);
        if let Some(digest) = digest {
            self.still_owed(digest);
        }
        aftermath
    }

    fn judge_call(&mut self, flight: &Flight, verdict: Verdict, now: Timestamp, dice: f64) -> Aftermath {
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
                self.set_plain(flight.topic);
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
                self.set_plain(flight.topic);
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

    fn told(&mut self, flight: &Flight, platform_id: Option<&str>, place: Option<&str>, now: Timestamp) {
        let before = self.known(flight.topic).cloned();
        let stands_in: Box<[_]> = flight.topic.group().map(|group| self.stood_for(group)).unwrap_or_default().into();
        let known = match &flight.act {
            Act::Post => Some(Known {
                stands_in,
                edited_at: Some(now),
                platform_id: platform_id.map(Into::into),
                place: place.map(Into::into),
                revision: flight.revision,
                // A digest is as old as its first post.
                posted_at: before.as_ref().filter(|_| flight.topic.group().is_none()).map_or(now, |it| it.posted_at),
                reposted: before.is_some_and(|before| before.reposted) || flight.reason == Reason::Edit,
                life: Life::Open,
            }),
            Act::Edit(_) => before.map(|before| Known {
                stands_in,
                edited_at: Some(now),
                revision: flight.revision.max(before.revision),
                ..before
            }),
            Act::Note { .. } => {
                before.filter(|_| flight.topic.group().is_some()).map(|before| Known { posted_at: now, ..before })
            }
        };
        self.heard_of(flight, now);
        if let Some(known) = known {
            self.set_known(flight.topic, known);
        }
        if let Some(digest) = flight.topic.digest() {
            self.digest_told(digest, flight, now);
        }
        match (&flight.act, flight.reason) {
            // The note is still owed.
            (Act::Edit(_), Reason::Reply | Reason::Post) => {
                if let Some(entry) = self.queue.get_mut(flight.topic) {
                    entry.edited = flight.covered;
                }
                self.queue.put_back(flight.topic, now);
            }
            _ => self.done(flight, now),
        }
    }

    /// A group that was told of by itself leaves the digest that told of it before.
    fn heard_of(&mut self, flight: &Flight, now: Timestamp) {
        if let Some(group) = flight.topic.group().filter(|_| flight.is_noticed()) {
            self.part(group, now);
        }
    }

    fn digest_told(&mut self, id: DigestId, flight: &Flight, now: Timestamp) {
        match &flight.act {
            Act::Post => {
                self.digests.shown(id, flight.closed, now);
                self.digests.noted(id, flight.closed, now);
            }
            Act::Edit(_) => self.digests.shown(id, flight.closed, now),
            Act::Note { .. } => {
                self.digests.noted(id, flight.closed, now);
                self.catch_up(id, flight.closed, now);
            }
        }
        // Or a restart would notify people anew too soon.
        self.keep_digest(id);
    }

    fn done(&mut self, flight: &Flight, now: Timestamp) {
        let refusal = self.queue.get_mut(flight.topic).and_then(|entry| entry.error.take());
        for row in self.queue.remove(flight.topic, flight.covered, |_| true) {
            let (outcome, error) = match (row.id == flight.carrier, flight.plain) {
                (false, _) => (DeliveryOutcome::Coalesced, None),
                (true, true) => (DeliveryOutcome::SentPlain, refusal.as_deref().map(str::to_owned)),
                (true, false) => (DeliveryOutcome::Sent, flight.template_error.clone()),
            };
            self.end(Ended { row, topic: flight.topic, key: flight.key.clone(), outcome, error }, now);
        }
        self.rest(flight.topic, flight.closed, now);
    }

    /// Puts rows that came during the call back in line, with a clean slate. If none did, that is all of the group,
    /// for good if it is over.
    pub(super) fn rest(&mut self, topic: Topic, over: bool, now: Timestamp) {
        match (self.queue.get_mut(topic), topic) {
            (Some(entry), _) => {
                entry.plain = false;
                entry.edited = 0;
                let due = self.due(topic, now);
                self.queue.put_back(topic, due);
            }
            (None, Topic::Digest(digest)) => self.judge(digest, now),
            (None, Topic::Group(group)) if over => {
                self.living.close(group, |group| self.queue.get(Topic::Group(group)).is_some());
            }
            (None, Topic::Group(group)) => self.living.stay(group),
            (None, Topic::Notice(_)) => {}
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
        if let Some(entry) = self.queue.get_mut(flight.topic) {
            entry.error = why.map(String::into_boxed_str);
        }
        let doubles = flight.act.can_double();
        let row = self.queue.change(flight.topic, flight.carrier, |row| {
            row.not_before = at;
            row.state = match (doubles, unknown) {
                (true, true) => DeliveryState::Sending,
                (true, false) => DeliveryState::Pending,
                (false, _) if flight.reason == Reason::Edit => DeliveryState::Pending,
                (false, _) => row.state,
            };
        });
        if let Some(row) = row {
            self.keep(flight.topic, row);
        }
        self.queue.put_back(flight.topic, at);
    }

    fn lose(&mut self, flight: &Flight, why: Option<String>, now: Timestamp) {
        let Some(known) = self.known(flight.topic) else {
            return self.again(flight, why, now, false);
        };
        let known = Known { platform_id: None, ..known.clone() };
        self.set_known(flight.topic, known);
        // Next the plan finds it lost: posted anew, or left alone.
        self.again(flight, why, now, false);
    }

    fn give_up(&mut self, flight: &Flight, why: Option<String>, dies: impl Fn(&Row) -> bool, now: Timestamp) {
        for row in self.queue.remove(flight.topic, flight.covered, dies) {
            let (key, error) = (flight.key.clone(), why.clone());
            self.end(Ended { row, topic: flight.topic, key, outcome: DeliveryOutcome::Dead, error }, now);
        }
        if let (Some(digest), None) = (flight.topic.digest(), self.queue.get(flight.topic)) {
            self.digests.dropped(digest);
        }
        self.rest(flight.topic, flight.closed, now);
    }

    fn set_plain(&mut self, topic: Topic) {
        if let Some(entry) = self.queue.get_mut(topic) {
            entry.plain = true;
        }
    }

    fn row(&self, flight: &Flight) -> Option<Row> {
        self.queue.get(flight.topic)?.rows().iter().find(|row| row.id == flight.carrier).copied()
    }
}
