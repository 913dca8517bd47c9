//! The first minute of a storm: people hear of it three times at most, and of every end.

use proptest::prelude::*;

use super::folding::last;
use super::model::{Happening, Sim};
use super::*;
use crate::model::{News, Severity};

const KINDS: [&str; 4] = ["slackhook", "wecom", "webhook", "console"];

impl World {
    /// A warning about so many groups, all new.
    fn warn(&self, ops: &Channel, groups: std::ops::RangeInclusive<u64>) {
        for group in groups {
            self.store.group(group, &ops.name);
            self.store.revise(group, |_, incidents| incidents[0].severity = Severity::Warning);
            self.owe_news(ops, group, (Reason::Post, News::Opened), Severity::Warning);
        }
    }

    /// They grow worse.
    fn worsen(&self, ops: &Channel, groups: std::ops::RangeInclusive<u64>) {
        for group in groups {
            self.store.revise(group, |_, incidents| incidents[0].severity = Severity::Critical);
            self.owe_news(ops, group, (Reason::Post, News::Escalated), Severity::Critical);
        }
    }

    /// They are in trouble again.
    fn reopen(&self, ops: &Channel, groups: std::ops::RangeInclusive<u64>) {
        for group in groups {
            self.store.revise(group, |group, incidents| {
                group.closed_at = None;
                (incidents[0].state, incidents[0].resolved_at) = (State::Firing, None);
            });
            self.owe_news(ops, group, (Reason::Reply, News::Reopened), Severity::Critical);
        }
    }

    /// As many seconds pass, one by one.
    async fn seconds(&self, ops: &Channel, seconds: u64) {
        for _ in 0..seconds {
            self.pass(ops, Duration::from_secs(1)).await;
            let under_way = |row: &Delivery| row.state == DeliveryState::Sending && row.not_before == Timestamp(0);
            self.store.until("calls end", |kept| !kept.rows.values().any(under_way)).await;
        }
    }

    fn open_digests(&self) -> usize {
        self.digests().iter().filter(|digest| digest["closed_at"].is_null()).count()
    }
}

#[tokio::test]
async fn a_storm_in_which_streams_grow_worse_is_three_messages_in_its_first_minute() {
    for kind in KINDS {
        let (world, (chat, ops)) = (World::new(), a_chat(kind).await);
        let worker = world.run(&ops);
        world.warn(&ops, 1..=1);
        world.store.until("the first", |kept| kept.rows.values().any(|row| row.outcome.is_some())).await;
        world.warn(&ops, 2..=40);
        world.seconds(&ops, 5).await;
        assert_eq!((world.noticed(), world.open_digests()), (2, 1), "{kind}: the first, and the others");
        world.warn(&ops, 41..=45);
        world.worsen(&ops, 2..=21);
        world.seconds(&ops, 20).await;
        assert_eq!(world.noticed(), 2, "{kind}");
        world.seconds(&ops, 10).await;
        assert_eq!((world.noticed(), world.open_digests()), (3, 2), "{kind}: new ones and those grown worse");
        assert!(last(&world, &chat).contains("25 streams"), "{kind}: {}", last(&world, &chat));
        world.worsen(&ops, 22..=24);
        world.seconds(&ops, 24).await;
        assert_eq!(world.noticed(), 3, "{kind}: the first minute");
        world.settled(&ops).await;
        assert_eq!((world.noticed(), world.open_digests()), (4, 3), "{kind}: the three");

        // Each digest is closed by those that it tells of still, and none of them is told of by two.
        world.calm(&ops, 25..=40);
        world.settled(&ops).await;
        assert!(last(&world, &chat).contains("16 streams"), "{kind}: {}", last(&world, &chat));
        world.calm(&ops, 2..=21);
        world.calm(&ops, 41..=45);
        world.settled(&ops).await;
        assert!(last(&world, &chat).contains("25 streams"), "{kind}: {}", last(&world, &chat));
        assert_eq!((world.noticed(), world.open_digests()), (6, 1), "{kind}");
        world.calm(&ops, 22..=24);
        world.settled(&ops).await;
        assert_eq!((world.noticed(), world.open_digests()), (7, 0), "{kind}");
        world.finish(worker).await;
    }
}

#[tokio::test]
async fn where_digests_are_edited_the_few_that_grow_worse_in_the_first_minute_are_one_note() {
    for kind in ["slack", "telegram"] {
        let (world, (chat, ops)) = (World::new(), a_chat(kind).await);
        let worker = world.run(&ops);
        world.warn(&ops, 1..=1);
        world.store.until("the first", |kept| kept.rows.values().any(|row| row.outcome.is_some())).await;
        world.warn(&ops, 2..=40);
        world.seconds(&ops, 5).await;
        assert_eq!((world.noticed(), world.open_digests()), (2, 1), "{kind}: the first, and the others");
        world.warn(&ops, 41..=41);
        world.worsen(&ops, 2..=3);
        world.seconds(&ops, 20).await;
        assert_eq!(world.noticed(), 2, "{kind}");
        world.seconds(&ops, 15).await;
        assert_eq!((world.noticed(), world.open_digests()), (3, 1), "{kind}: one note");
        let edited = chat.asked().iter().any(|asked| asked.body.to_string().contains("40 streams"));
        assert!(edited, "{kind}: {}", last(&world, &chat));
        world.worsen(&ops, 4..=4);
        world.seconds(&ops, 15).await;
        assert_eq!(world.noticed(), 3, "{kind}: the first minute");
        world.settled(&ops).await;
        assert_eq!((world.noticed(), world.message(&ops, 4).unwrap().folded), (4, None), "{kind}: by itself");
        world.calm(&ops, 1..=41);
        world.settled(&ops).await;
        assert_eq!(world.open_digests(), 0, "{kind}");
        world.finish(worker).await;
    }
}

#[tokio::test]
async fn where_digests_are_edited_a_note_waits_for_its_time_and_the_text_does_not() {
    let (world, (chat, ops)) = (World::new(), a_chat("slack").await);
    let worker = world.run(&ops);
    world.warn(&ops, 1..=9);
    world.settled(&ops).await;
    world.owe_news(&ops, 1, (Reason::Edit, News::Changed), Severity::Warning);
    world.worsen(&ops, 1..=9);
    world.seconds(&ops, 15).await;
    assert_eq!(chat.methods(), ["chat.postMessage", "chat.update"], "it is worse, which the text says");
    world.owe_news(&ops, 1, (Reason::Edit, News::Changed), Severity::Critical);
    world.seconds(&ops, 10).await;
    assert_eq!(chat.asked().len(), 2, "people were told less than half a minute ago");
    world.settled(&ops).await;
    assert_eq!(chat.methods()[2..], ["chat.postMessage", "chat.update"], "the note, and what came before it");
    assert_eq!(world.noticed(), 2);
    world.calm(&ops, 1..=9);
    world.settled(&ops).await;
    world.finish(worker).await;
}

#[tokio::test]
async fn a_digest_that_all_have_left_is_closed_without_a_word() {
    for kind in KINDS {
        let (world, (chat, ops)) = (World::new(), a_chat(kind).await);
        let worker = world.run(&ops);
        world.warn(&ops, 1..=9);
        world.seconds(&ops, 2).await;
        // Some are over before the news of it is told, and one again well.
        world.worsen(&ops, 1..=9);
        world.calm(&ops, 4..=5);
        world.seconds(&ops, 57).await;
        assert_eq!((world.noticed(), world.digests().len(), world.open_digests()), (2, 2, 1), "{kind}");
        assert!(last(&world, &chat).contains("2 of 9 well again"), "{kind}: {}", last(&world, &chat));
        world.seconds(&ops, 60).await;
        assert_eq!(world.noticed(), 2, "{kind}: the first has nothing left to say");
        world.calm(&ops, 1..=3);
        world.calm(&ops, 6..=9);
        world.settled(&ops).await;
        assert_eq!((world.noticed(), world.open_digests()), (3, 0), "{kind}");
        assert!(last(&world, &chat).contains("9 streams"), "{kind}: {}", last(&world, &chat));
        world.finish(worker).await;
    }
}

#[tokio::test]
async fn an_end_within_the_first_minute_is_told_after_it() {
    for kind in KINDS {
        let (world, (_chat, ops)) = (World::new(), a_chat(kind).await);
        let worker = world.run(&ops);
        world.storm(&ops, 1..=9);
        world.seconds(&ops, 2).await;
        world.calm(&ops, 1..=9);
        world.seconds(&ops, 56).await;
        assert_eq!((world.noticed(), world.open_digests()), (1, 1), "{kind}");
        world.settled(&ops).await;
        assert_eq!((world.noticed(), world.open_digests()), (2, 0), "{kind}");
        world.finish(worker).await;
    }
}

#[tokio::test]
async fn what_breaks_while_the_end_of_a_digest_waits_to_be_noticed_is_noticed_itself() {
    for more in [2, 6] {
        for again in [false, true] {
            let (world, (chat, ops)) = (World::new(), a_chat("slack").await);
            let worker = world.run(&ops);
            world.storm(&ops, 1..=9);
            world.seconds(&ops, 2).await;
            world.calm(&ops, 1..=9);
            world.seconds(&ops, 13).await;
            assert_eq!(chat.methods(), ["chat.postMessage", "chat.update"], "the text says at once that all is over");
            match again {
                true => world.reopen(&ops, 1..=more),
                false => world.storm(&ops, 10..=9 + more),
            }
            world.seconds(&ops, 40).await;
            let heard = chat.methods().iter().filter(|method| **method == "chat.postMessage").count();
            assert!(heard > 1, "{more}, {again}: {:?}", chat.methods());
            world.settled(&ops).await;
            world.finish(worker).await;
        }
    }
}

fn happening() -> impl Strategy<Value = Happening> {
    let some = || (0u64..30, 1u64..20);
    prop_oneof![
        2 => some().prop_map(|(from, many)| Happening::Break(from, many)),
        4 => some().prop_map(|(from, many)| Happening::Worse(from, many)),
        1 => some().prop_map(|(from, many)| Happening::Repeat(from, many)),
        2 => some().prop_map(|(from, many)| Happening::Well(from, many)),
        1 => Just(Happening::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
    /// Whatever happens, and whenever it crashes between two turns.
    #[test]
    fn a_storm_is_three_messages_in_its_first_minute(
        first in 0u64..2,
        many in 4u64..20,
        mut happenings in prop::collection::vec((1_000u64..60_000, happening()), 0..16),
        can_edit: bool,
        dice: u64,
    ) {
        happenings.sort_by_key(|(at, _)| *at);
        let mut sim = Sim::new(can_edit, dice);
        sim.calm = true;
        let start = sim.now;
        sim.happen(Happening::Break(0, first));
        sim.turn();
        sim.happen(Happening::Break(first, many));
        if can_edit {
            // It is not over within its first minute: then what breaks anew is no part of it.
            sim.happen(Happening::Break(99, 1));
        }
        let mut happenings = happenings.into_iter().peekable();
        while sim.now < start + Duration::from_secs(60) {
            while let Some((_, what)) = happenings.next_if(|(at, _)| start + Duration::from_millis(*at) <= sim.now) {
                sim.happen(what);
            }
            sim.turn();
            sim.now = sim.now + Duration::from_millis(50);
        }
        prop_assert!(sim.chat.len() + sim.notes <= 3, "{} notes, {:#?}", sim.notes, sim.chat);
        sim.end();
        sim.check();
    }
}
