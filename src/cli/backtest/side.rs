//! One rule set at work on what was recorded: an engine of its own, and what it would have said.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashMap;

use crate::engine::{Effect, Engine, Transition};
use crate::model::{Entry, GroupId, IncidentId, Input, Key, Notification, Reason, Timestamp};
use crate::rules::RuleSet;

/// Effects and changes are taken out after so many entries, as the core does after a batch.
const DRAIN: usize = 512;

/// What was said of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Incidents that opened.
    pub(super) incidents: u64,
    /// Times that one came back within its rule's `reopen_within`.
    pub(super) reopened: u64,
    /// Notifications that people notice, by channel: posts and replies, closing ones too.
    pub(super) messages: u64,
}

impl Counts {
    /// Whether nothing was said.
    pub(super) fn is_nothing(self) -> bool {
        self == Counts::default()
    }
}

/// What a rule set said in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Everything.
    pub(super) total: Counts,
    /// Messages brought up to date without anybody being notified.
    pub(super) edits: u64,
    /// Incidents that still fire at the end.
    pub(super) firing: u64,
    /// By rule; each rule is there.
    pub(super) rules: BTreeMap<Arc<str>, Counts>,
    /// By stream, or by what else a rule is `per`; only those of which something was said.
    pub(super) keys: HashMap<Key, Counts>,
}

/// A rule set, judging.
#[derive(Debug)]
pub(super) struct Side {
    engine: Engine,
    /// What happens before is warming up.
    since: Timestamp,
    /// Entries stepped since the last drain.
    fresh: usize,
    tally: Tally,
    /// Whose news a group told last: its messages are on the account of that rule and key.
    tellers: HashMap<GroupId, (Arc<str>, Key)>,
    open: HashMap<(Arc<str>, Key), IncidentId>,
}

impl Side {
    /// A fresh engine; what it says counts from `since` on.
    pub(super) fn new(rules: Arc<RuleSet>, since: Timestamp) -> Side {
        let names = rules.rules.iter().map(|rule| (Arc::clone(&rule.name), Counts::default()));
        let tally = Tally { rules: names.collect(), ..Tally::default() };
        let (tellers, open) = (HashMap::default(), HashMap::default());
        Side { engine: Engine::new(rules), since, fresh: 0, tally, tellers, open }
    }

    /// Takes an entry in.
    pub(super) fn step(&mut self, entry: &Entry) {
        self.engine.step(entry);
        self.fresh += 1;
        if self.fresh >= DRAIN {
            self.drain();
        }
    }

    /// Takes in that a person had the incident of a rule about a key in hand. Its number there is not its number
    /// here; if there is none here, there was nothing to have in hand.
    pub(super) fn acknowledge(&mut self, entry: &Entry, rule: &Arc<str>, key: &Key) {
        let Input::Acknowledged { by, .. } = &entry.input else { return };
        self.drain();
        if let Some(incident) = self.open.get(&(Arc::clone(rule), key.clone())) {
            let input = Input::Acknowledged { incident: *incident, by: by.clone() };
            self.step(&Entry { input, ..*entry });
        }
    }

    /// What it said, up to the last entry's time.
    pub(super) fn finish(mut self) -> Tally {
        self.drain();
        self.tally.firing = self.engine.counts().1 as u64;
        self.tally
    }

    fn drain(&mut self) {
        self.fresh = 0;
        let effects = self.engine.take_effects();
        let (owed, forgotten) = self.engine.take_owed();
        self.engine.take_tally(|_, _, _| {});
        let mut counted = 0;
        for row in &owed {
            // Both are in the order of time.
            while let Some(effect) = effects.get(counted).filter(|effect| effect.at < row.at) {
                self.count_effect(effect);
                counted += 1;
            }
            let with_it = effects[counted..].iter().take_while(|effect| effect.at == row.at);
            self.count_row(row, with_it.filter(|effect| row.group() == Some(effect.group)));
        }
        effects[counted..].iter().for_each(|effect| self.count_effect(effect));
        for group in forgotten {
            self.tellers.remove(&group);
        }
    }

    fn count_effect(&mut self, effect: &Effect) {
        self.tellers.insert(effect.group, (Arc::clone(&effect.rule), effect.key.clone()));
        let place = || (Arc::clone(&effect.rule), effect.key.clone());
        match effect.is {
            Transition::Opened | Transition::Reopened => _ = self.open.insert(place(), effect.incident),
            Transition::Resolved(_) => _ = self.open.remove(&place()),
            _ => {}
        }
        if effect.at < self.since {
            return;
        }
        let add: fn(&mut Counts) = match effect.is {
            Transition::Opened => |counts| counts.incidents += 1,
            Transition::Reopened => |counts| counts.reopened += 1,
            _ => return,
        };
        self.count(&effect.rule, &effect.key, add);
    }

    /// Counts a row of the outbox for the rule of the effect that notified people in its channel; where none did, as
    /// when all is over, for that of the group's last effect. `with_it` are those of the same moment and group.
    fn count_row<'e>(&mut self, row: &Notification, with_it: impl Iterator<Item = &'e Effect>) {
        let Some(group) = row.group().filter(|_| row.at >= self.since) else { return };
        if row.reason == Reason::Edit {
            self.tally.edits += 1;
            return;
        }
        let (mut notified, mut last) = (None, None);
        for effect in with_it {
            notified = notified.or_else(|| effect.notify.contains(&row.channel).then_some(effect));
            last = Some(effect);
        }
        let teller = notified.or(last).map(|effect| (Arc::clone(&effect.rule), effect.key.clone()));
        match teller.or_else(|| self.tellers.get(&group).cloned()) {
            Some((rule, key)) => self.count(&rule, &key, |counts| counts.messages += 1),
            None => self.tally.total.messages += 1,
        }
    }

    fn count(&mut self, rule: &Arc<str>, key: &Key, add: fn(&mut Counts)) {
        add(&mut self.tally.total);
        if let Some(counts) = self.tally.rules.get_mut(rule) {
            add(counts);
        }
        match self.tally.keys.get_mut(key) {
            Some(counts) => add(counts),
            None => add(self.tally.keys.entry(key.clone()).or_default()),
        }
    }
}
