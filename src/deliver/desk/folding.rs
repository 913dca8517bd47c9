//! Many groups in one message: which rows become part of a digest, and what is owed in their place.

use super::super::call::Act;
use super::super::digests::{Chore, Heard, Want};
use super::super::flight::{Ended, Flight};
use super::super::fold::{self, Scene, Step};
use super::super::plan::{self, Plan, Wish};
use super::super::queue::Row;
use super::super::topic::Topic;
use super::Desk;
use crate::model::{
    Attempt, DeliveryOutcome, DeliveryState, DigestId, Folded, GroupId, Keyed, Message, News, Notification, Reason,
    Severity, Timestamp,
};
use crate::store::DIGEST;

/// Between two edits of a group's message while it merely goes on.
const COALESCE: std::time::Duration = std::time::Duration::from_secs(15);

/// What is known of the posts that come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Coming {
    /// Since when one has been due without a break.
    since: Option<Timestamp>,
    /// When the last one came.
    last: Timestamp,
    /// When one was last begun by itself.
    alone_at: Timestamp,
}

impl Coming {
    /// As after a restart, when one went out by itself last at `alone_at`.
    pub(super) fn after(alone_at: Timestamp) -> Coming {
        Coming { alone_at, ..Coming::default() }
    }
}

impl Desk {
    /// What is to be done with the posts that are due, if calls can be made now.
    pub(crate) fn step(&mut self, now: Timestamp) -> Step {
        self.queue.ripen(now);
        let due = self.queue.posts();
        self.coming.since = (due > 0).then(|| self.coming.since.unwrap_or(now));
        let scene = Scene {
            due,
            since: self.coming.since.unwrap_or(now),
            last: self.coming.last,
            alone_at: self.coming.alone_at,
            folded_at: self.digests.folded_at(),
            open: self.digests.open(now),
        };
        fold::decide(scene, now)
    }

    /// Makes the most urgent posts part of the digest `into`, or of a new one that is then in its place; at most so
    /// many. What was told by a digest before stays with it where the chat can edit. False if nothing was left to fold.
    pub(crate) fn fold(&mut self, into: &mut Option<DigestId>, most: usize, now: Timestamp) -> bool {
        let groups = self.queue.first_posts(most);
        let mut wants: Vec<(DigestId, Want, Timestamp)> = Vec::new();
        for group in &groups {
            let Some(rows) = self.queue.get(Topic::Group(*group)).map(|entry| entry.rows()) else { continue };
            let severity = rows.iter().map(|row| row.severity).max().unwrap_or(Severity::Info);
            let at = rows.iter().map(|row| row.at).min().unwrap_or(now);
            let first = rows.iter().map(|row| row.id.0).min().unwrap_or_default();
            let home = self.digests.home(*group);
            let id = home.unwrap_or_else(|| {
                *into.get_or_insert_with(|| {
                    self.digests.begin(DigestId(first), severity, now);
                    DigestId(first)
                })
            });
            let grows = self.digests.grows(id, severity);
            self.attach(id, *group, severity, now);
            let want = if grows || home.is_some() { Want::Worse } else { Want::Edit };
            match wants.iter_mut().find(|(known, ..)| *known == id) {
                Some((_, known, oldest)) => (*known, *oldest) = (want.max(*known), at.min(*oldest)),
                None => wants.push((id, want, at)),
            }
        }
        for (id, want, oldest) in wants {
            self.claim(id, want, oldest);
            self.keep_digest(id);
        }
        !groups.is_empty()
    }

    /// Owes people a word about a digest, for what is about to become part of it.
    pub(crate) fn announce(&mut self, id: DigestId, now: Timestamp) {
        self.claim(id, Want::Worse, now);
    }

    /// What becomes of a row of a group that a digest tells of. True if it ends here, or was taken in.
    pub(super) fn hear(&mut self, group: GroupId, row: Row, now: Timestamp) -> bool {
        let (digest, again) = match self.digests.hear(group, (row.news, row.severity), now) {
            Heard::Stranger | Heard::Leaves => return false,
            Heard::Absorbed { digest, again } => (digest, again),
        };
        match (self.has_own(group), row.reason) {
            (true, Reason::Edit) => self.insert(Topic::Group(group), row),
            (own, _) => {
                self.end_folded(group, row, digest, now);
                if own {
                    self.owe_edit(group, row.news, row.severity, now);
                }
            }
        }
        self.claim(digest, if again { Want::Again } else { Want::Edit }, now);
        self.judge(digest, now);
        true
    }

    /// Takes in a row about a digest.
    pub(super) fn accept_digest(&mut self, id: DigestId, row: Row) {
        self.digests.is_owed(id, want(&row));
        self.queue.insert(Topic::Digest(id), row);
    }

    /// The most urgent topic that is due, but for posts that are `held`. A digest is due once its distance from what
    /// was said of it last has passed, whatever made it wake.
    pub(crate) fn take(&mut self, held: Option<Timestamp>, now: Timestamp) -> Option<Topic> {
        loop {
            let topic = match held {
                Some(_) => self.queue.take_but_posts(now)?,
                None => self.queue.take(now)?,
            };
            let until = topic.digest().map_or(now, |id| self.digest_at(id));
            if until <= now {
                return Some(topic);
            }
            self.queue.put_back(topic, until);
        }
    }

    /// What the rows of a taken digest come to; `over` says whether all its members are.
    pub(crate) fn plan_digest(&self, id: DigestId, over: bool) -> Plan {
        let topic = Topic::Digest(id);
        let Some(entry) = self.queue.get(topic) else { return Plan::Void("nothing waits") };
        match (self.digests.is_open(id), self.can_edit) {
            // Its members are told by others by now, if they are in trouble again.
            (false, _) => Plan::Void("it is over, or nothing is left of it"),
            (true, false) => match self.reason_of(id, over) {
                Reason::Edit => Plan::Void("nothing that this chat is to be told"),
                reason => plan::fixed(reason),
            },
            (true, true) => {
                let (reason, revision) = (self.reason_of(id, over), self.digests.revision(id));
                let wish = Wish { reason, revision, edited: entry.edited > 0, firing: !over };
                plan::editable(wish, self.standing(topic))
            }
        }
    }

    /// Puts on record that a taken digest's call is about to be made.
    pub(crate) fn begin_digest(
        &mut self,
        id: DigestId,
        over: bool,
        act: Act,
        attempts: Vec<Attempt>,
    ) -> Option<Flight> {
        let topic = Topic::Digest(id);
        let covered = self.queue.get(topic)?.rows().len();
        let reason = self.reason_of(id, over);
        let flight = self.begin_rows(topic, covered, (act, reason), attempts)?;
        self.digests.call(id);
        Some(Flight { revision: self.digests.revision(id), closed: over, ..flight })
    }

    /// Ends all rows of a taken digest without a call.
    pub(crate) fn void_digest(&mut self, id: DigestId, why: &str, now: Timestamp) {
        let topic = Topic::Digest(id);
        for row in self.queue.remove(topic, usize::MAX, |_| true) {
            let (outcome, error) = (DeliveryOutcome::Void, Some(why.to_owned()));
            self.end(Ended { row, topic, key: None, outcome, error }, now);
        }
        self.digests.dropped(id);
        self.judge(id, now);
    }

    /// Looks what is still to be said of a digest, and owes it.
    pub(crate) fn judge(&mut self, id: DigestId, now: Timestamp) {
        let before = self.digests.kept(id);
        if let Some(want) = self.digests.judge(id, now) {
            self.claim(id, want, now);
        }
        if self.digests.kept(id) != before {
            self.keep_digest(id);
        }
    }

    /// Begins to look at the members of a digest.
    pub(crate) fn look(&mut self, id: DigestId) {
        self.digests.look(id);
    }

    /// A member was seen, over or not. False if it is one no longer.
    pub(crate) fn see(&mut self, id: DigestId, group: GroupId, over: bool) -> bool {
        self.digests.see(id, group, over)
    }

    /// All members were seen.
    pub(crate) fn looked(&mut self, id: DigestId) {
        self.digests.looked(id);
    }

    /// When the next chore is due.
    pub(crate) fn next_chore(&self) -> Option<Timestamp> {
        self.digests.next_chore()
    }

    /// What is due besides calls.
    pub(crate) fn chore(&self, now: Timestamp) -> Option<Chore> {
        self.digests.chore(now)
    }

    /// Owes a message of its own to each member that outlives the others, which were just looked at.
    pub(crate) fn straggle(&mut self, id: DigestId, now: Timestamp) {
        for (group, severity) in self.digests.straggle(id, now) {
            match self.has_own(group) {
                true => drop(self.digests.part(group)),
                false => {
                    let (channel, why) = (self.channel.clone(), (Reason::Post, News::Opened));
                    self.changes.owed.push(Notification::of_group(channel, group, why, severity, now));
                }
            }
        }
        self.judge(id, now);
        self.keep_digest(id);
    }

    /// Forgets a digest that is long over.
    pub(crate) fn forget(&mut self, id: DigestId) {
        self.digests.forget(id);
        self.changes.keyed.push(Keyed { kind: DIGEST, key: id.0.to_string(), value: None });
    }

    /// Rows of a digest that a call did not end will say what they were to say.
    pub(super) fn still_owed(&mut self, id: DigestId) {
        for row in self.queue.get(Topic::Digest(id)).map(|entry| entry.rows()).unwrap_or_default() {
            self.digests.is_owed(id, want(row));
        }
    }

    /// A digest's note answered all rows, also those that came after the edit before it: if it goes on, what they say
    /// is shown by the next edit.
    pub(super) fn catch_up(&mut self, id: DigestId, over: bool, now: Timestamp) {
        let shown = self.digests.known(id).map(|known| known.revision);
        if !over && shown.is_some_and(|shown| shown < self.digests.revision(id)) {
            self.claim(id, Want::Edit, now);
        }
    }

    /// A group was told of by itself: it leaves the digest that told of it.
    pub(super) fn part(&mut self, group: GroupId, now: Timestamp) {
        if let Some(id) = self.digests.part(group) {
            self.claim(id, Want::Edit, now);
            self.judge(id, now);
        }
    }

    /// Writes how a digest stands.
    pub(super) fn keep_digest(&mut self, id: DigestId) {
        let value = self.digests.kept(id).and_then(|kept| serde_json::to_string(&kept).ok());
        self.changes.keyed.push(Keyed { kind: DIGEST, key: id.0.to_string(), value });
    }

    /// Puts a row in line. What merely goes on is shown every so often.
    pub(super) fn insert(&mut self, topic: Topic, row: Row) {
        let calm = row.reason == Reason::Edit && row.news == News::Changed;
        let shown = topic.group().filter(|_| calm).and_then(|group| self.edit_at(group));
        let not_before = shown.map_or(row.not_before, |at| row.not_before.max(at));
        self.queue.insert(topic, Row { not_before, ..row });
    }

    /// When what is left of a topic is due, after a call.
    pub(super) fn due(&self, topic: Topic, now: Timestamp) -> Timestamp {
        let rows = self.queue.get(topic).map(|entry| entry.rows()).unwrap_or_default();
        let calm = rows.iter().all(|row| row.reason == Reason::Edit && row.news == News::Changed);
        let shown = topic.group().and_then(|group| self.edit_at(group));
        shown.filter(|_| calm).map_or(now, |at| at.max(now))
    }

    /// A row came that may be folded.
    pub(super) fn comes(&mut self, reason: Reason, now: Timestamp) {
        match reason {
            Reason::Post | Reason::Reply => self.coming.last = now,
            Reason::Edit | Reason::Notice => {}
        }
    }

    /// A group's post is begun by itself.
    pub(super) fn alone(&mut self, now: Timestamp) {
        self.coming.alone_at = now;
    }

    /// Before when a group's message is not to be edited again, as long as the group merely goes on.
    fn edit_at(&self, group: GroupId) -> Option<Timestamp> {
        self.living.get(group)?.edited_at.map(|at| at + COALESCE)
    }

    /// Before when a digest is not to be told: by its next call, which is an edit before any note.
    fn digest_at(&self, id: DigestId) -> Timestamp {
        let topic = Topic::Digest(id);
        let Some(entry) = self.queue.get(topic) else { return Timestamp::default() };
        let (edits, note_owed) = (self.may_edit(topic), entry.edited > 0);
        let due = |row: &Row| match want(row) {
            Want::Edit => self.digests.edit_at(id),
            Want::Again | Want::Worse if edits => self.digests.edit_at(id),
            Want::Again | Want::Worse => self.digests.note_at(id, self.coming.alone_at),
            Want::Over if !edits => self.digests.end_at(id),
            Want::Over | Want::OverQuietly | Want::First => Timestamp::default(),
        };
        let rows = entry.rows().iter().filter(|row| !note_owed || row.reason != Reason::Edit);
        rows.map(due).min().unwrap_or_default()
    }

    fn attach(&mut self, id: DigestId, group: GroupId, severity: Severity, now: Timestamp) {
        let topic = Topic::Group(group);
        let stands_in = self.stood_for(group);
        let own = self.has_own(group);
        let left = self.digests.attach(id, group, severity, now);
        let folded = Some(Folded { digest: id, severity });
        let message = match self.living.get(group).filter(|_| own) {
            Some(known) => known.message(&self.channel, group, folded),
            None => Message {
                channel: self.channel.clone(),
                group,
                platform_id: None,
                place: None,
                revision: 0,
                posted_at: now,
                stands_in,
                folded,
            },
        };
        self.changes.messages.push(message);
        for row in self.queue.remove(topic, usize::MAX, |_| true) {
            self.end_folded(group, row, id, now);
        }
        if own {
            self.owe_edit(group, News::Escalated, severity, now);
        }
        if let Some(left) = left {
            self.claim(left, Want::Edit, now);
            self.judge(left, now);
        }
    }

    fn end_folded(&mut self, group: GroupId, row: Row, id: DigestId, now: Timestamp) {
        // A call whose fate is not known may have told it already.
        let unknown = row.state == DeliveryState::Sending && row.reason != Reason::Edit;
        self.repeats += usize::from(unknown);
        let row = Row { possible_duplicate: row.possible_duplicate || unknown, ..row };
        let (topic, error) = (Topic::Group(group), Some(format!("told in digest {}", id.0)));
        self.end(Ended { row, topic, key: None, outcome: DeliveryOutcome::Folded, error }, now);
    }

    /// Whether a group has a message of its own that can be edited.
    fn has_own(&self, group: GroupId) -> bool {
        self.can_edit && self.living.get(group).is_some_and(|known| known.platform_id.is_some())
    }

    fn owe_edit(&mut self, group: GroupId, news: News, severity: Severity, now: Timestamp) {
        let (channel, why) = (self.channel.clone(), (Reason::Edit, news));
        self.changes.owed.push(Notification::of_group(channel, group, why, severity, now));
    }

    /// Owes a row for what is to be said of a digest, unless one waits that will say it.
    fn claim(&mut self, id: DigestId, want: Want, at: Timestamp) {
        let Some(want) = self.digests.claim(id, want) else { return };
        let loud = if self.can_edit { Reason::Reply } else { Reason::Post };
        let why = match want {
            Want::Edit => (Reason::Edit, News::Changed),
            Want::OverQuietly => (Reason::Edit, News::Resolved),
            Want::Over => (loud, News::Resolved),
            Want::Again => (loud, News::Repeated),
            Want::Worse => (loud, News::Escalated),
            Want::First => (Reason::Post, News::Opened),
        };
        let severity = self.digests.severity(id);
        self.changes.owed.push(Notification::of_digest(self.channel.clone(), id, why, severity, at));
    }

    /// How a digest is to be told, by why its rows are there and how it stands.
    fn reason_of(&self, id: DigestId, over: bool) -> Reason {
        if self.digests.known(id).is_none() {
            return Reason::Post;
        }
        let rows = self.queue.get(Topic::Digest(id)).map(|entry| entry.rows()).unwrap_or_default();
        let end = over && !self.digests.is_noted_over(id);
        let loud = rows.iter().filter(|row| row.reason != Reason::Edit).any(|row| match row.news {
            News::Repeated | News::Escalated => true,
            News::Resolved => end,
            // What was to be its first word is the last where nothing can be edited.
            News::Opened => end && !self.can_edit,
            _ => false,
        });
        match (loud, self.can_edit) {
            (false, _) => Reason::Edit,
            (true, true) => Reason::Reply,
            (true, false) => Reason::Post,
        }
    }
}

/// What a row about a digest is to say.
pub(super) fn want(row: &Row) -> Want {
    match (row.reason, row.news) {
        (Reason::Edit, News::Resolved) => Want::OverQuietly,
        (Reason::Edit, _) => Want::Edit,
        (_, News::Resolved) => Want::Over,
        (_, News::Repeated) => Want::Again,
        (_, News::Escalated) => Want::Worse,
        _ => Want::First,
    }
}
