//! A made-up engine, a disk, a chat and a desk, driven by dice: whatever happens and whenever it crashes, every row gets
//! one outcome and everybody is told how every trouble ended.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::super::call::Act;
use super::super::desk::Desk;
use super::super::digests::Chore;
use super::super::fold::Step;
use super::super::plan::Plan;
use super::super::topic::Topic;
use super::super::verdict::Verdict;
use super::*;
use crate::model::{Group, Key, News, Notification, Severity, StreamName};
use crate::store::{ChannelChanges, ChannelState};

/// How a group is, as the engine has it.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    severity: Severity,
    firing: bool,
    revision: u64,
    told: bool,
}

/// What is in the chat: which groups a message mentions, and whether each fires.
#[derive(Debug)]
pub(super) struct Shown {
    groups: BTreeMap<u64, bool>,
    /// Nobody knows of it: its call's answer was lost, and it was posted again.
    orphan: bool,
}

#[derive(Default)]
struct Disk {
    rows: BTreeMap<DeliveryId, Delivery>,
    messages: BTreeMap<GroupId, Message>,
    keyed: BTreeMap<String, String>,
    cursor: u64,
}

pub(super) struct Sim {
    can_edit: bool,
    disk: Disk,
    desk: Desk,
    /// The last row handed to the desk.
    handed: u64,
    pub(super) now: Timestamp,
    troubles: BTreeMap<u64, Trouble>,
    pub(super) chat: Vec<Shown>,
    pub(super) notes: usize,
    dice: u64,
    /// Nothing fails any more.
    pub(super) calm: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    Break(u64, u64),
    Worse(u64, u64),
    Change(u64),
    Repeat(u64, u64),
    Well(u64, u64),
    Time(u64),
    Crash,
}

fn ops() -> ChannelName {
    ChannelName::new("ops")
}

fn open(can_edit: bool, disk: &Disk) -> Desk {
    let open = |row: &&Delivery| row.outcome.is_none() && row.id.0 <= disk.cursor;
    let state = ChannelState {
        deliveries: disk.rows.values().filter(open).cloned().collect(),
        messages: disk.messages.values().cloned().collect(),
        keyed: disk.keyed.iter().map(|(key, value)| ("digest".to_owned(), key.clone(), value.clone())).collect(),
        ..ChannelState::default()
    };
    let mut desk = Desk::open(ops(), can_edit, state);
    desk.queue.wake();
    desk
}

impl Sim {
    pub(super) fn new(can_edit: bool, dice: u64) -> Sim {
        let disk = Disk::default();
        let (desk, now) = (open(can_edit, &disk), Timestamp(1_700_000_000_000));
        Sim {
            can_edit,
            desk,
            disk,
            handed: 0,
            now,
            troubles: BTreeMap::new(),
            chat: Vec::new(),
            notes: 0,
            dice: dice | 1,
            calm: false,
        }
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % sides
    }

    fn add(&mut self, notification: Notification) {
        let id = DeliveryId(self.disk.rows.len() as u64 + 1);
        let delivery = Delivery {
            id,
            notification,
            state: DeliveryState::Pending,
            attempts: 0,
            not_before: Timestamp(0),
            outcome: None,
            error: None,
            possible_duplicate: false,
            done_at: None,
        };
        self.disk.rows.insert(id, delivery);
    }

    /// What the engine owes for a change of a group.
    fn owe(&mut self, group: u64, reason: Reason, news: News) {
        let Some(trouble) = self.troubles.get_mut(&group) else { return };
        trouble.revision += 1;
        trouble.told |= reason != Reason::Edit;
        let why = (reason, news);
        if reason != Reason::Edit || self.can_edit {
            let row = Notification::of_group(ops(), GroupId(group), why, trouble.severity, self.now);
            self.add(row);
        }
    }

    pub(super) fn happen(&mut self, what: Happening) {
        let again = if self.can_edit { Reason::Reply } else { Reason::Post };
        let firing = |sim: &Sim, group: u64| sim.troubles.get(&group).is_some_and(|trouble| trouble.firing);
        match what {
            Happening::Break(from, many) => {
                for group in from..from + many {
                    let before = self.troubles.get(&group).copied();
                    let new = Trouble { severity: Severity::Warning, firing: true, revision: 0, told: false };
                    match before {
                        Some(trouble) if trouble.firing => {}
                        Some(trouble) => {
                            self.troubles.insert(group, Trouble { firing: true, ..trouble });
                            self.owe(group, again, News::Reopened);
                        }
                        None => {
                            self.troubles.insert(group, new);
                            self.owe(group, Reason::Post, News::Opened);
                        }
                    }
                }
            }
            Happening::Worse(from, many) => {
                for group in from..from + many {
                    if let Some(trouble) = self.troubles.get_mut(&group).filter(|trouble| trouble.firing) {
                        trouble.severity = Severity::Critical;
                        self.owe(group, again, News::Escalated);
                    }
                }
            }
            Happening::Change(group) if firing(self, group) => self.owe(group, Reason::Edit, News::Changed),
            Happening::Change(_) => {}
            Happening::Repeat(from, many) => {
                for group in from..from + many {
                    if firing(self, group) {
                        self.owe(group, again, News::Repeated);
                    }
                }
            }
            Happening::Well(from, many) => {
                for group in from..from + many {
                    if firing(self, group) {
                        self.troubles.entry(group).and_modify(|trouble| trouble.firing = false);
                        let quiet = self.can_edit && self.roll(2) == 0;
                        self.owe(group, if quiet { Reason::Edit } else { again }, News::Resolved);
                    }
                }
            }
            Happening::Time(millis) => self.now = self.now + Duration::from_millis(millis),
            Happening::Crash => self.crash(),
        }
    }

    fn crash(&mut self) {
        self.desk = open(self.can_edit, &self.disk);
        self.handed = self.disk.cursor;
    }

    /// A moment at which it may crash.
    fn survives(&mut self) -> bool {
        if !self.calm && self.roll(25) == 0 {
            self.crash();
            return false;
        }
        true
    }

    fn commit(&mut self) {
        self.desk.take_ended();
        let Some(changes) = self.desk.take_changes() else { return };
        let ChannelChanges { deliveries, messages, owed, keyed, .. } = changes;
        self.disk.cursor = self.handed;
        for row in deliveries {
            assert!(row.id.0 <= self.disk.cursor, "a row beyond the cursor");
            let before = self.disk.rows.insert(row.id, row.clone()).unwrap();
            assert!(before.outcome.is_none(), "a second outcome: {before:?} {row:?}");
            assert_eq!(before.notification, row.notification);
        }
        for message in messages {
            self.disk.messages.insert(message.group, message);
        }
        for entry in keyed {
            match entry.value {
                Some(value) => self.disk.keyed.insert(entry.key, value),
                None => self.disk.keyed.remove(&entry.key),
            };
        }
        owed.into_iter().for_each(|notification| self.add(notification));
    }

    fn hand_over(&mut self) {
        let new: Vec<Delivery> =
            self.disk.rows.range(DeliveryId(self.handed + 1)..).map(|(_, row)| row.clone()).collect();
        for row in new.into_iter().take(8) {
            self.handed = row.id.0;
            self.desk.accept(row.id, row.notification, self.now);
        }
    }

    /// Looks at the members of a digest: whom it mentions.
    fn look(&mut self, digest: crate::model::DigestId) -> BTreeMap<u64, bool> {
        self.desk.look(digest);
        let seated = |message: &&Message| message.folded.is_some_and(|folded| folded.digest == digest);
        let groups: Vec<u64> = self.disk.messages.values().filter(seated).map(|message| message.group.0).collect();
        let mut mentioned = BTreeMap::new();
        for group in groups {
            let firing = self.troubles[&group].firing;
            if self.desk.see(digest, GroupId(group), !firing) {
                mentioned.insert(group, firing);
            }
        }
        self.desk.looked(digest);
        mentioned
    }

    /// One turn of a worker.
    pub(super) fn turn(&mut self) {
        self.hand_over();
        while let Some(chore) = self.desk.chore(self.now) {
            match chore {
                Chore::Look(id) => {
                    self.look(id);
                    self.desk.judge(id, self.now);
                }
                Chore::Straggle(id) => {
                    self.look(id);
                    self.desk.straggle(id, self.now);
                }
                Chore::Forget(id) => self.desk.forget(id),
            }
        }
        let step = self.desk.step(self.now);
        let mut into = match step {
            Step::Join(digest) | Step::Tell(digest) => Some(digest),
            Step::Alone | Step::Wait(_) | Step::Anew => None,
        };
        if let Step::Tell(digest) = step {
            self.desk.announce(digest, self.now);
        }
        if matches!(step, Step::Join(_) | Step::Tell(_) | Step::Anew) {
            while self.desk.fold(&mut into, 3, self.now) {
                self.commit();
                if !self.survives() {
                    return;
                }
            }
        }
        let begun = match self.desk.take(step.holds(self.now), self.now) {
            Some(Topic::Group(group)) => {
                let trouble = self.troubles[&group.0];
                let group = as_group(group, trouble);
                let text = BTreeMap::from([(group.id.0, trouble.firing)]);
                match self.desk.plan(&group, trouble.firing) {
                    Plan::Void(why) => {
                        self.desk.void(group.id, Some(&group), why, self.now);
                        None
                    }
                    Plan::Call(act) => self.desk.begin(&group, act, Vec::new(), self.now).map(|flight| (flight, text)),
                }
            }
            Some(Topic::Digest(id)) => {
                let text = self.look(id);
                let over = !text.values().any(|firing| *firing);
                match self.desk.plan_digest(id, over) {
                    Plan::Void(why) => {
                        self.desk.void_digest(id, why, self.now);
                        None
                    }
                    Plan::Call(act) => self.desk.begin_digest(id, over, act, Vec::new()).map(|flight| (flight, text)),
                }
            }
            Some(Topic::Notice(_)) | None => None,
        };
        self.commit();
        let Some((flight, text)) = begun else { return };
        if !self.survives() {
            return;
        }
        let luck = if self.calm { 99 } else { self.roll(100) };
        let verdict = match luck {
            0..3 => Verdict::Retry { why: "busy".into() },
            3..6 => Verdict::RateLimited { after: Duration::from_secs(40) },
            6..9 => Verdict::Unknown { why: "no answer".into() },
            _ => self.take_call(&flight.act, text.clone()),
        };
        if luck == 8 {
            self.take_call(&flight.act, text);
            self.orphan(&flight.act);
        } else if !self.survives() {
            if luck > 8 {
                self.orphan(&flight.act);
            }
            return;
        }
        self.desk.settle(&flight, verdict, self.now, 0.5);
        self.commit();
        self.survives();
    }

    /// The chat takes a call.
    fn take_call(&mut self, act: &Act, groups: BTreeMap<u64, bool>) -> Verdict {
        match act {
            Act::Post => {
                assert!(!groups.is_empty(), "a message about nothing");
                self.chat.push(Shown { groups, orphan: false });
                let id = self.can_edit.then(|| (self.chat.len() - 1).to_string());
                Verdict::Sent { platform_id: id, place: None }
            }
            Act::Edit(spot) => {
                assert!(!groups.is_empty(), "a message about nothing");
                let place: usize = spot.id.parse().unwrap();
                self.chat[place].groups = groups;
                Verdict::sent()
            }
            Act::Note { .. } => {
                self.notes += 1;
                Verdict::sent()
            }
        }
    }

    /// Nobody will know that a post got through.
    fn orphan(&mut self, act: &Act) {
        if let (Act::Post, Some(shown)) = (act, self.chat.last_mut()) {
            shown.orphan = true;
        }
    }

    /// All troubles end, nothing fails any more, and as much time passes as it takes.
    pub(super) fn end(&mut self) {
        self.calm = true;
        let last = *self.troubles.keys().last().unwrap_or(&0);
        self.happen(Happening::Well(0, last + 1));
        for _ in 0..2_000 {
            self.turn();
            self.now = self.now + Duration::from_secs(1);
        }
        for _ in 0..40 {
            self.turn();
            self.now = self.now + Duration::from_secs(120);
        }
    }

    pub(super) fn check(&self) {
        for row in self.disk.rows.values() {
            assert!(row.outcome.is_some(), "no outcome: {row:#?}");
        }
        assert!(self.disk.keyed.is_empty(), "not closed: {:?}", self.disk.keyed);
        let mut last: HashMap<u64, bool> = HashMap::new();
        for shown in self.chat.iter().filter(|shown| !shown.orphan) {
            for (group, firing) in &shown.groups {
                assert!(!self.can_edit || !firing, "{group} is still shown firing: {shown:?}");
                last.insert(*group, *firing);
            }
        }
        for (group, trouble) in self.troubles.iter().filter(|(_, trouble)| trouble.told) {
            let of_it = |row: &&Delivery| row.notification.group() == Some(GroupId(*group));
            let rows: Vec<_> = self.disk.rows.values().filter(of_it).collect();
            let message = self.disk.messages.get(&GroupId(*group));
            assert_eq!(
                last.get(group),
                Some(&false),
                "the end of {group} was not told: {trouble:?} {rows:#?} {message:?}"
            );
        }
    }
}

fn as_group(id: GroupId, trouble: Trouble) -> Group {
    Group {
        id,
        key: Key::Stream(StreamName::new("d", "p", &id.0.to_string())),
        opened_at: Timestamp(1),
        closed_at: (!trouble.firing).then_some(Timestamp(2)),
        held_until: None,
        held_by: None,
        revision: trouble.revision,
        shown: Default::default(),
        told: Vec::new(),
    }
}

fn happening() -> impl Strategy<Value = Happening> {
    let some = || (0u64..24, 1u64..12);
    prop_oneof![
        4 => some().prop_map(|(from, many)| Happening::Break(from, many)),
        2 => some().prop_map(|(from, many)| Happening::Worse(from, many)),
        1 => (0u64..24).prop_map(Happening::Change),
        1 => some().prop_map(|(from, many)| Happening::Repeat(from, many)),
        4 => some().prop_map(|(from, many)| Happening::Well(from, many)),
        6 => prop_oneof![0u64..400, 0u64..20_000, 0u64..900_000].prop_map(Happening::Time),
        1 => Just(Happening::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_every_row_ends_once_and_the_end_of_every_trouble_is_told(
        happenings in prop::collection::vec((happening(), 0usize..6), 1..40),
        can_edit: bool,
        dice: u64,
    ) {
        let mut sim = Sim::new(can_edit, dice);
        for (what, turns) in happenings {
            sim.happen(what);
            for _ in 0..turns {
                sim.turn();
                sim.now = sim.now + Duration::from_millis(100);
            }
        }
        sim.end();
        sim.check();
    }
}
