//! When something critical waits too long for a channel, its fallback is told in its place, and then of all that
//! comes of it until it is over. Pure; whatever the channel waits for.

use std::time::Duration;

use foldhash::HashMap;

use super::queue::{Entry, Queue, Row};
use super::stand_in::{Mark, StandIns};
use super::topic::Topic;
use crate::model::{
    About, Channel, ChannelName, DigestId, GroupId, Keyed, News, Notification, Reason, Severity, Timestamp,
};

/// Its place among what a channel remembers: by group, since when.
const KIND: &str = "passed_on";

/// How long something critical may wait.
const PATIENCE: Duration = Duration::from_secs(3 * 60);

/// Groups passed on by one commit.
const AT_ONCE: usize = 1_000;

/// Between two looks through the members of a digest that waits: others may have become part of it.
const AGAIN: Duration = Duration::from_secs(60);

/// What a channel has passed on.
#[derive(Debug)]
pub(crate) struct PassOn {
    channel: ChannelName,
    fallback: Option<Fallback>,
    /// What the fallback was told of and is to be told the end of, and since when.
    passed: HashMap<GroupId, Timestamp>,
    /// When something may have waited too long.
    look_at: Option<Timestamp>,
    /// At the last look something had waited too long.
    behind: bool,
    /// Digests that waited too long, and when their members were looked through.
    digests: HashMap<DigestId, Timestamp>,
    /// Those whose members are to be looked through now.
    unread: Vec<DigestId>,
}

#[derive(Debug)]
struct Fallback {
    name: ChannelName,
    can_edit: bool,
}

/// What is to be kept, and what the fallback is owed.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Passed {
    pub(crate) keyed: Vec<Keyed>,
    pub(crate) owed: Vec<Notification>,
}

impl PassOn {
    /// As it was when the channel stopped; looks at once whether something has waited too long.
    pub(crate) fn open(
        channel: ChannelName,
        fallback: Option<&Channel>,
        keyed: &[(String, String, String)],
        now: Timestamp,
    ) -> PassOn {
        let parse = |(_, group, since): &(String, String, String)| {
            Some((GroupId(group.parse().ok()?), Timestamp(since.parse().ok()?)))
        };
        let passed = keyed.iter().filter(|(kind, ..)| kind == KIND).filter_map(parse).collect();
        let fallback = fallback.map(|channel| Fallback { name: channel.name.clone(), can_edit: channel.can_edit() });
        PassOn {
            channel,
            fallback,
            passed,
            look_at: Some(now),
            behind: false,
            digests: HashMap::default(),
            unread: Vec::new(),
        }
    }

    /// A row came. What of it is to be passed on at once: the fallback knows of its group.
    pub(crate) fn came(&mut self, row: &Notification, now: Timestamp) -> Passed {
        let known = row.group().filter(|group| self.passed.contains_key(group));
        if known.is_none() && is_urgent(row.severity, row.reason, row.news) {
            let at = if self.behind { now } else { row.at + PATIENCE };
            self.look_at = Some(self.look_at.map_or(at, |look_at| look_at.min(at)));
        }
        let (Some(fallback), Some(group)) = (&self.fallback, known) else { return Passed::default() };
        let reason = match (row.reason, row.news) {
            // Its own channel reminds people.
            (_, News::Repeated) if !self.behind => None,
            (Reason::Edit, News::Resolved) if !fallback.can_edit => Some(Reason::Post),
            (Reason::Edit, _) => fallback.can_edit.then_some(Reason::Edit),
            (Reason::Reply | Reason::Post | Reason::Notice, _) => Some(Reason::Post),
        };
        let stands_in = Some(row.stands_in.clone().unwrap_or_else(|| self.channel.clone()));
        let owed = reason.map(|reason| Notification {
            channel: fallback.name.clone(),
            reason,
            at: now,
            stands_in,
            ..row.clone()
        });
        let over = row.news == News::Resolved && self.passed.remove(&group).is_some();
        let keyed = over.then(|| kept(group, None));
        Passed { keyed: keyed.into_iter().collect(), owed: owed.into_iter().collect() }
    }

    /// When to look, if ever.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.fallback.as_ref().and(self.look_at)
    }

    /// Looks, if it is time: once the oldest of what is critical has waited too long, all of it is passed on.
    pub(crate) fn look(&mut self, queue: &Queue, stand_ins: &StandIns, now: Timestamp) -> Passed {
        let Some(fallback) = &self.fallback else { return Passed::default() };
        if self.look_at.is_none_or(|at| at > now) {
            return Passed::default();
        }
        let mut oldest: Option<Timestamp> = None;
        let (mut waiting, mut digests): (Vec<(Timestamp, GroupId)>, Vec<DigestId>) = (Vec::new(), Vec::new());
        for (topic, entry) in queue.entries() {
            let Some(first) = urgent(entry).map(|row| row.at).min() else { continue };
            oldest = Some(oldest.map_or(first, |oldest| oldest.min(first)));
            match topic {
                Topic::Group(group) if !self.passed.contains_key(&group) => waiting.push((first, group)),
                Topic::Digest(id) => digests.push(id),
                Topic::Group(_) | Topic::Notice(_) => {}
            }
        }
        self.behind = oldest.is_some_and(|oldest| oldest + PATIENCE <= now);
        waiting.sort_unstable();
        self.look_at = match (self.behind, waiting.len() > AT_ONCE) {
            (true, true) => Some(now),
            (true, false) => None,
            (false, _) => oldest.map(|at| at + PATIENCE),
        };
        self.digests.retain(|id, _| digests.contains(id));
        if self.behind {
            for id in digests {
                if self.digests.get(&id).is_none_or(|read_at| *read_at + AGAIN <= now) {
                    self.digests.insert(id, now);
                    self.unread.push(id);
                }
                self.look_at = Some(self.look_at.map_or(now + AGAIN, |at| at.min(now + AGAIN)));
            }
        }
        let mut passed = Passed::default();
        for (_, group) in waiting.into_iter().take(if self.behind { AT_ONCE } else { 0 }) {
            let Some(entry) = queue.get(Topic::Group(group)) else { continue };
            let mut told: Vec<Option<Mark>> = Vec::new();
            for row in urgent(entry) {
                if told.contains(&row.stands_in) {
                    continue;
                }
                told.push(row.stands_in);
                let name = row.stands_in.and_then(|mark| stand_ins.name(mark)).unwrap_or(&self.channel);
                passed.owed.push(Notification {
                    channel: fallback.name.clone(),
                    about: About::Group(group),
                    reason: Reason::Post,
                    news: row.news,
                    severity: row.severity,
                    at: now,
                    stands_in: Some(name.clone()),
                });
            }
            // What is over already has no end to be told.
            let over = entry.rows().iter().max_by_key(|row| row.id).is_some_and(|row| row.news == News::Resolved);
            if !over {
                self.passed.insert(group, now);
                passed.keyed.push(kept(group, Some(now)));
            }
        }
        passed
    }

    /// The digests whose members are to be looked through now, each once.
    pub(crate) fn unread(&mut self) -> Vec<DigestId> {
        std::mem::take(&mut self.unread)
    }

    /// A member of such a digest is critical and goes on; it is told in the place of `stands_in`.
    pub(crate) fn member(&mut self, group: GroupId, stands_in: ChannelName, now: Timestamp) -> Passed {
        let Some(fallback) = self.fallback.as_ref().filter(|_| !self.passed.contains_key(&group)) else {
            return Passed::default();
        };
        let why = (Reason::Post, News::Opened);
        let row = Notification::of_group(fallback.name.clone(), group, why, Severity::Critical, now);
        self.passed.insert(group, now);
        let owed = vec![Notification { stands_in: Some(stands_in), ..row }];
        Passed { keyed: vec![kept(group, Some(now))], owed }
    }

    /// Some of what was passed on before then: it may be over without a row that said so.
    pub(crate) fn older(&self, before: Timestamp, most: usize) -> Vec<GroupId> {
        self.passed.iter().filter(|(_, since)| **since < before).take(most).map(|(group, _)| *group).collect()
    }

    /// A group is over; what is to be kept of that.
    pub(crate) fn forget(&mut self, group: GroupId) -> Option<Keyed> {
        self.passed.remove(&group).map(|_| kept(group, None))
    }

    /// Who is told in its place.
    pub(crate) fn fallback(&self) -> Option<&ChannelName> {
        self.fallback.as_ref().map(|fallback| &fallback.name)
    }
}

/// Whether people are to hear of it at night.
fn is_urgent(severity: Severity, reason: Reason, news: News) -> bool {
    let notifies = matches!(reason, Reason::Post | Reason::Reply);
    severity == Severity::Critical && notifies && news != News::Resolved
}

fn urgent(entry: &Entry) -> impl Iterator<Item = &Row> {
    entry.rows().iter().filter(|row| is_urgent(row.severity, row.reason, row.news))
}

fn kept(group: GroupId, since: Option<Timestamp>) -> Keyed {
    Keyed { kind: KIND, key: group.0.to_string(), value: since.map(|since| since.0.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{channel, slack};
    use super::*;
    use crate::model::{DeliveryId, Target};

    const T0: Timestamp = Timestamp(1_700_000_000_000);

    fn after(secs: u64) -> Timestamp {
        T0 + Duration::from_secs(secs)
    }

    /// A channel `ops` with the rows that wait for it.
    struct Bench {
        pass_on: PassOn,
        queue: Queue,
        stand_ins: StandIns,
        next: u64,
    }

    impl Bench {
        fn new(fallback: Option<&Channel>) -> Bench {
            let pass_on = PassOn::open(ChannelName::new("ops"), fallback, &[], T0);
            let mut bench = Bench { pass_on, queue: Queue::default(), stand_ins: StandIns::default(), next: 1 };
            bench.look(0);
            bench
        }

        fn come(&mut self, group: u64, why: (Reason, News), severity: Severity, secs: u64) -> Passed {
            let row = Notification::of_group(ChannelName::new("ops"), GroupId(group), why, severity, after(secs));
            self.take(row, secs)
        }

        fn take(&mut self, row: Notification, secs: u64) -> Passed {
            let passed = self.pass_on.came(&row, after(secs));
            let (id, mark) = (DeliveryId(self.next), self.stand_ins.mark(row.stands_in.as_ref()));
            self.next += 1;
            self.queue.insert(Topic::of(id, &row), Row { stands_in: mark, ..Row::new(id, &row) });
            passed
        }

        fn look(&mut self, secs: u64) -> Passed {
            self.pass_on.look(&self.queue, &self.stand_ins, after(secs))
        }
    }

    fn told(passed: &Passed) -> Vec<(u64, Reason, News)> {
        passed.owed.iter().map(|row| (row.group().unwrap().0, row.reason, row.news)).collect()
    }

    const OPENED: (Reason, News) = (Reason::Post, News::Opened);

    #[test]
    fn once_the_oldest_waits_too_long_all_that_is_critical_is_passed_on_and_nothing_else() {
        let oncall = channel("oncall", Target::Console);
        let mut ops = Bench::new(Some(&oncall));
        ops.come(1, OPENED, Severity::Critical, 0);
        ops.come(2, OPENED, Severity::Warning, 0);
        ops.come(3, OPENED, Severity::Critical, 100);
        ops.come(4, (Reason::Reply, News::Resolved), Severity::Critical, 100);
        ops.come(5, (Reason::Edit, News::Changed), Severity::Critical, 0);
        assert_eq!((told(&ops.look(179)), ops.pass_on.due()), (vec![], Some(after(180))));
        let passed = ops.look(180);
        assert_eq!(told(&passed), [(1, Reason::Post, News::Opened), (3, Reason::Post, News::Opened)]);
        assert!(
            passed.owed.iter().all(|row| row.stands_in.as_ref().unwrap().as_str() == "ops" && row.at == after(180))
        );
        assert_eq!(passed.keyed, [kept(GroupId(1), Some(after(180))), kept(GroupId(3), Some(after(180)))]);
        assert_eq!(ops.pass_on.due(), None);
        // While it is behind, what comes is passed on at once.
        ops.come(6, OPENED, Severity::Critical, 200);
        assert_eq!(told(&ops.look(200)), [(6, Reason::Post, News::Opened)]);
    }

    #[test]
    fn what_comes_of_it_is_passed_on_until_it_is_over() {
        let (room, robot) = (slack("", "C1"), channel("oncall", Target::Console));
        for (fallback, changed) in [(&room, vec![(1, Reason::Edit, News::Changed)]), (&robot, vec![])] {
            let mut ops = Bench::new(Some(fallback));
            ops.come(1, OPENED, Severity::Critical, 0);
            ops.look(180);
            assert_eq!(told(&ops.come(1, (Reason::Edit, News::Changed), Severity::Critical, 190)), changed);
            let worse = ops.come(1, (Reason::Reply, News::Escalated), Severity::Critical, 191);
            assert_eq!(told(&worse), [(1, Reason::Post, News::Escalated)]);
            let over = ops.come(1, (Reason::Edit, News::Resolved), Severity::Critical, 192);
            let how = if fallback.can_edit() { Reason::Edit } else { Reason::Post };
            assert_eq!((told(&over), over.keyed), (vec![(1, how, News::Resolved)], vec![kept(GroupId(1), None)]));
            assert_eq!(told(&ops.come(1, (Reason::Edit, News::Changed), Severity::Critical, 193)), []);
        }
    }

    #[test]
    fn reminders_are_passed_on_only_while_the_channel_itself_is_behind() {
        let oncall = channel("oncall", Target::Console);
        let mut ops = Bench::new(Some(&oncall));
        ops.come(1, OPENED, Severity::Critical, 0);
        ops.look(180);
        let again = (Reason::Post, News::Repeated);
        assert_eq!(told(&ops.come(1, again, Severity::Critical, 190)).len(), 1);
        ops.queue = Queue::default();
        ops.come(2, OPENED, Severity::Critical, 200);
        ops.look(200);
        assert_eq!(told(&ops.come(1, again, Severity::Critical, 201)), []);
    }

    #[test]
    fn the_members_of_a_digest_that_waits_are_looked_through_now_and_then() {
        let oncall = channel("oncall", Target::Console);
        let mut ops = Bench::new(Some(&oncall));
        let name = || ChannelName::new("ops");
        ops.take(Notification::of_digest(name(), DigestId(7), OPENED, Severity::Critical, T0), 0);
        ops.look(170);
        assert_eq!((ops.pass_on.unread(), ops.pass_on.due()), (vec![], Some(after(180))));
        ops.look(180);
        assert_eq!((ops.pass_on.unread(), ops.pass_on.due()), (vec![DigestId(7)], Some(after(240))));
        let passed = ops.pass_on.member(GroupId(1), name(), after(181));
        assert_eq!(told(&passed), [(1, Reason::Post, News::Opened)]);
        assert_eq!(ops.pass_on.member(GroupId(1), name(), after(182)), Passed::default(), "once");
        ops.look(200);
        assert_eq!(ops.pass_on.unread(), []);
        ops.look(240);
        assert_eq!(ops.pass_on.unread(), [DigestId(7)]);
        let over = ops.come(1, (Reason::Post, News::Resolved), Severity::Critical, 250);
        assert_eq!(told(&over), [(1, Reason::Post, News::Resolved)]);
    }

    #[test]
    fn what_is_over_without_a_word_is_forgotten() {
        let oncall = channel("oncall", Target::Console);
        let mut ops = Bench::new(Some(&oncall));
        ops.come(1, OPENED, Severity::Critical, 0);
        ops.look(180);
        assert_eq!((ops.pass_on.older(after(180), 9), ops.pass_on.older(after(181), 9)), (vec![], vec![GroupId(1)]));
        assert_eq!(ops.pass_on.forget(GroupId(1)), Some(kept(GroupId(1), None)));
        assert_eq!(ops.pass_on.forget(GroupId(1)), None);
    }

    #[test]
    fn what_stands_in_for_another_is_passed_on_for_that_one_and_what_is_over_is_not_followed() {
        let oncall = channel("oncall", Target::Console);
        let mut ops = Bench::new(Some(&oncall));
        let row = Notification::of_group(ChannelName::new("ops"), GroupId(1), OPENED, Severity::Critical, T0);
        ops.take(Notification { stands_in: Some(ChannelName::new("desk")), ..row }, 0);
        ops.come(2, OPENED, Severity::Critical, 0);
        ops.come(2, (Reason::Reply, News::Resolved), Severity::Critical, 10);
        let passed = ops.look(180);
        let names: Vec<_> = passed.owed.iter().map(|row| row.stands_in.as_ref().unwrap().as_str()).collect();
        assert_eq!((names, passed.keyed.len()), (vec!["desk", "ops"], 1));
    }

    #[test]
    fn many_are_passed_on_in_parts_and_without_a_fallback_nothing_is() {
        let oncall = channel("oncall", Target::Console);
        let mut ops = Bench::new(Some(&oncall));
        for group in 0..2_500 {
            ops.come(group, OPENED, Severity::Critical, 0);
        }
        let parts: Vec<usize> = (0..4).map(|_| ops.look(180).owed.len()).collect();
        assert_eq!(parts, [1_000, 1_000, 500, 0]);
        let mut alone = Bench::new(None);
        alone.come(1, OPENED, Severity::Critical, 0);
        assert_eq!((alone.pass_on.due(), alone.look(999)), (None, Passed::default()));
    }
}
