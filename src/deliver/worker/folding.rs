//! Many groups in one message, as far as that takes the store: attaching members, looking at them, chores.

use super::super::digests::Chore;
use super::super::feed::STORE_PAUSE;
use super::super::fold::Step;
use super::super::plan::Plan;
use super::super::topic::Topic;
use super::super::wording::{Subject, word};
use super::Worker;
use crate::model::{ChannelName, DigestId, GroupId, Incident, Timestamp};
use crate::render::{DigestView, Gathered};
use crate::store::{Seated, StoreError};

/// Groups that one commit makes members of a digest.
const MOST_FOLDED: usize = 1_024;

/// Members read at once.
const PAGE: usize = 256;

impl Worker {
    /// Decides about the posts that are due, before any call begins: they go out by themselves, wait for each other,
    /// or are folded, which is on record when this returns.
    pub(super) async fn fold(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        let step = self.desk.step(now);
        self.posts_held = step.holds(now);
        let mut into = match step {
            Step::Join(digest) | Step::Tell(digest) => Some(digest),
            Step::Anew => None,
            Step::Alone | Step::Wait(_) => return Ok(()),
        };
        // Folded rows count as told, so none is before its digest could be.
        if self.is_blocked(now) || self.calls.len() >= self.slots {
            return Ok(());
        }
        if let Step::Tell(digest) = step {
            self.desk.announce(digest, now);
        }
        let before = self.desk.queue.len();
        while self.desk.fold(&mut into, MOST_FOLDED, now) {
            self.keep().await?;
        }
        let rows = before - self.desk.queue.len();
        tracing::info!(channel = %self.channel.name, digest = into.map(|digest| digest.0), rows, "told in a digest");
        Ok(())
    }

    pub(super) async fn begin_digest(&mut self, id: DigestId, now: Timestamp) -> Result<(), StoreError> {
        let topic = Topic::Digest(id);
        let Some(gathered) = self.look(id).await? else {
            self.desk.queue.put_back(topic, now + STORE_PAUSE);
            return Ok(());
        };
        let over = gathered.is_over();
        let act = match self.desk.plan_digest(id, over) {
            Plan::Void(why) => {
                self.desk.void_digest(id, why, now);
                return Ok(());
            }
            Plan::Call(act) => act,
        };
        let Some(attempts) = self.spend(topic, &act, now) else { return Ok(()) };
        if let Some(flight) = self.desk.begin_digest(id, over, act, attempts) {
            let (channel, catalogue) = (self.channel.as_ref(), self.context.catalogue.as_ref());
            let view = DigestView { gathered: &gathered, channel, catalogue, now };
            let begun = word(flight, &Subject::Digest(view), &self.context.renderer, self.home.chat());
            self.begun.push(begun);
        }
        Ok(())
    }

    /// What is due besides calls.
    pub(super) async fn tend(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        if now < self.chores_at {
            return Ok(());
        }
        while let Some(chore) = self.desk.chore(now) {
            let (Chore::Look(id) | Chore::Straggle(id) | Chore::Forget(id)) = chore;
            if !matches!(chore, Chore::Forget(_)) && self.look(id).await?.is_none() {
                self.chores_at = now + STORE_PAUSE;
                break;
            }
            match chore {
                Chore::Look(_) => self.desk.judge(id, now),
                Chore::Straggle(_) => self.desk.straggle(id, now),
                Chore::Forget(_) => self.desk.forget(id),
            }
        }
        Ok(())
    }

    /// When the next chore is due.
    pub(super) fn next_chore(&self) -> Option<Timestamp> {
        self.desk.next_chore().map(|due| due.max(self.chores_at))
    }

    /// Reads the members of a digest, a page at a time; `None` if the store can't.
    async fn look(&mut self, id: DigestId) -> Result<Option<Gathered>, StoreError> {
        let (mut gathered, mut after) = (Gathered::new(), GroupId(0));
        self.desk.look(id);
        loop {
            let page = match self.context.reader.members(&self.channel.name, id, after, PAGE).await {
                Ok(page) => page,
                Err(StoreError::Closed) => return Err(StoreError::Closed),
                Err(error) => {
                    tracing::error!(channel = %self.channel.name, %error, "a digest can't be read; trying again");
                    return Ok(None);
                }
            };
            let Some(last) = page.last() else { break };
            after = last.group;
            for member in &page {
                self.see(id, member, &mut gathered);
            }
        }
        self.desk.looked(id);
        Ok(Some(gathered))
    }

    fn see(&mut self, id: DigestId, member: &Seated, gathered: &mut Gathered) {
        let Seated { group, stands_in, incidents } = member;
        let concerned = |name: &ChannelName| *name == self.channel.name || stands_in.contains(name);
        let ours = |incident: &&Incident| incident.notify.iter().any(concerned);
        // As with a message of its own: it is told to its end even if new rules took it from the channel.
        let all = !incidents.iter().any(|incident| ours(&incident));
        let told = || incidents.iter().filter(|incident| all || ours(incident));
        if self.desk.see(id, *group, !told().any(Incident::is_firing)) {
            told().for_each(|incident| gathered.add(incident));
        }
    }
}
