//! Storms: many groups in one message that follows them to their end, on every kind of chat.

use super::*;
use crate::model::{About, Ack, Group, Incident, News, Notification, Severity};

/// The rows that the engine owed: all that are about groups.
fn of_groups(kept: &Inner) -> impl Iterator<Item = &Delivery> {
    kept.rows.values().filter(|row| matches!(row.notification.about, About::Group(GroupId(id)) if id < 900_000))
}

fn of_digests(kept: &Inner) -> impl Iterator<Item = &Delivery> {
    kept.rows.values().filter(|row| matches!(row.notification.about, About::Digest(_)))
}

impl World {
    pub(super) fn owe_news(
        &self,
        channel: &Channel,
        group: u64,
        (reason, news): (Reason, News),
        severity: Severity,
    ) -> DeliveryId {
        if !self.store.lock().groups.contains_key(&GroupId(group)) {
            self.store.group(group, &channel.name);
        }
        let row = Notification::of_group(channel.name.clone(), GroupId(group), (reason, news), severity, self.now());
        self.store.owe_row(row)
    }

    /// So many groups break at once.
    pub(super) fn storm(&self, channel: &Channel, groups: std::ops::RangeInclusive<u64>) {
        for group in groups {
            self.owe(channel, group, Reason::Post);
        }
    }

    /// They are all well again, as the engine says it of critical ones.
    pub(super) fn calm(&self, channel: &Channel, groups: std::ops::RangeInclusive<u64>) {
        for group in groups {
            self.store.revise(group, |group, incidents| over(group, incidents));
            let reason = if channel.can_edit() { Reason::Reply } else { Reason::Post };
            self.owe_news(channel, group, (reason, News::Resolved), Severity::Critical);
        }
    }

    /// All that was owed so far has its outcome, in the time that passes for it.
    pub(super) async fn settled(&self, channel: &Channel) {
        for _ in 0..60 {
            self.pass(channel, Duration::from_secs(1)).await;
            let under_way = |row: &Delivery| row.state == DeliveryState::Sending && row.not_before == Timestamp(0);
            self.store.until("calls end", |kept| !kept.rows.values().any(under_way)).await;
            if self.store.lock().rows.values().all(|row| row.outcome.is_some()) {
                return;
            }
        }
        let left: Vec<_> = self.store.lock().rows.values().filter(|row| row.outcome.is_none()).cloned().collect();
        panic!("{left:#?}");
    }

    /// How many messages people noticed.
    pub(super) fn noticed(&self) -> usize {
        let kept = self.store.lock();
        let loud = |row: &&Delivery| matches!(row.notification.reason, Reason::Post | Reason::Reply);
        kept.rows.values().filter(loud).filter(|row| row.outcome == Some(DeliveryOutcome::Sent)).count()
    }

    pub(super) fn outcomes(&self, outcome: DeliveryOutcome) -> usize {
        of_groups(&self.store.lock()).filter(|row| row.outcome == Some(outcome)).count()
    }

    /// What is kept of digests.
    pub(super) fn digests(&self) -> Vec<serde_json::Value> {
        let kept = self.store.lock();
        kept.keyed.values().map(|value| serde_json::from_str(value).unwrap()).collect()
    }
}

fn over(group: &mut Group, incidents: &mut [Incident]) {
    group.closed_at = Some(Timestamp(9));
    incidents[0].state = State::Resolved;
    incidents[0].cause = Some(crate::model::Cause::Quiet);
    incidents[0].resolved_at = Some(Timestamp(9));
}

/// The last message, as it came to the chat or was printed.
pub(super) fn last(world: &World, chat: &FakeChat) -> String {
    match chat.asked().last() {
        Some(asked) => asked.body.to_string(),
        None => String::from_utf8(world.printed.lock().unwrap().clone()).unwrap(),
    }
}

#[tokio::test]
async fn a_storm_is_one_message_and_one_end_on_every_kind_of_chat() {
    for kind in KINDS {
        for many in [10, 500] {
            let (world, (chat, ops)) = (World::new(), a_chat(kind).await);
            world.storm(&ops, 1..=many);
            let worker = world.run(&ops);
            world.settled(&ops).await;
            assert_eq!((world.noticed(), world.outcomes(DeliveryOutcome::Folded)), (1, many as usize), "{kind}");
            assert!(last(&world, &chat).contains(&format!("{many} streams")), "{kind}: {}", last(&world, &chat));
            for _ in 0..14 {
                world.pass(&ops, Duration::from_secs(5)).await;
            }
            assert_eq!(world.noticed(), 1, "{kind}: the first minute");

            world.calm(&ops, 1..=many - 1);
            world.settled(&ops).await;
            assert_eq!(world.noticed(), 1, "{kind}: one is still sick");
            let well = last(&world, &chat).contains(&format!("{} of {many} well again", many - 1));
            assert_eq!(well, ops.can_edit(), "{kind}: {}", last(&world, &chat));
            assert_eq!(world.digests()[0]["closed_at"], json!(null), "{kind}");

            world.calm(&ops, many..=many);
            world.settled(&ops).await;
            assert_eq!(world.noticed(), 2, "{kind}: closed once");
            assert!(last(&world, &chat).contains("well again"), "{kind}: {}", last(&world, &chat));
            assert_eq!(world.outcomes(DeliveryOutcome::Folded), 2 * many as usize, "{kind}");
            assert!(world.digests()[0]["closed_at"].is_number(), "{kind}");
            world.pass(&ops, Duration::from_secs(3_700)).await;
            world.pass(&ops, Duration::ZERO).await;
            assert!(world.digests().is_empty(), "{kind}: forgotten");
            world.finish(worker).await;
        }
    }
}

#[tokio::test]
async fn a_few_that_grow_worse_are_told_by_themselves_and_many_return_to_their_digest() {
    let (world, (chat, ops)) = (World::new(), a_chat("slack").await);
    for group in 1..=40 {
        world.store.group(group, &ops.name);
        world.store.revise(group, |_, incidents| incidents[0].severity = Severity::Warning);
        world.owe_news(&ops, group, (Reason::Post, News::Opened), Severity::Warning);
    }
    let worker = world.run(&ops);
    world.settled(&ops).await;
    world.pass(&ops, Duration::from_secs(90)).await;
    let worse = |group| {
        world.store.revise(group, |_, incidents| incidents[0].severity = Severity::Critical);
        world.owe_news(&ops, group, (Reason::Reply, News::Escalated), Severity::Critical)
    };
    let two = [worse(1), worse(2)];
    world.settled(&ops).await;
    for row in two {
        assert_eq!(world.store.row(row).outcome, Some(DeliveryOutcome::Sent));
    }
    assert_eq!((world.noticed(), chat.asked().last().unwrap().body["thread_ts"].clone()), (3, json!(null)));
    assert!(world.message(&ops, 1).unwrap().folded.is_none() && world.message(&ops, 1).unwrap().platform_id.is_some());
    assert!(world.message(&ops, 3).unwrap().folded.is_some());

    for group in 3..=20 {
        worse(group);
    }
    world.settled(&ops).await;
    assert_eq!((world.noticed(), world.digests().len()), (4, 1), "one note for eighteen that grow worse");
    assert_eq!(chat.asked().last().unwrap().body["thread_ts"], json!("17.1"));
    let members = |kept: &Inner| kept.messages.values().filter(|message| message.folded.is_some()).count();
    assert_eq!(members(&world.store.lock()), 38);

    world.calm(&ops, 1..=40);
    world.settled(&ops).await;
    assert!(world.digests()[0]["closed_at"].is_number());
    assert_eq!(world.noticed(), 7, "the digest's end and that of the two");
    world.finish(worker).await;
}

#[tokio::test]
async fn a_member_that_comes_back_after_it_was_shown_well_is_told_by_itself() {
    let (world, (_chat, ops)) = (World::new(), a_chat("slack").await);
    world.storm(&ops, 1..=8);
    let worker = world.run(&ops);
    world.settled(&ops).await;
    world.calm(&ops, 1..=4);
    world.settled(&ops).await;
    world.pass(&ops, Duration::from_secs(60)).await;
    assert_eq!(world.noticed(), 1);
    world.store.revise(1, |group, incidents| {
        group.closed_at = None;
        incidents[0].state = State::Firing;
    });
    let back = world.owe_news(&ops, 1, (Reason::Reply, News::Reopened), Severity::Critical);
    world.settled(&ops).await;
    assert_eq!((world.store.row(back).outcome, world.noticed()), (Some(DeliveryOutcome::Sent), 2));
    // The others are told by the digest to their end, and it by its own message.
    world.calm(&ops, 5..=8);
    world.calm(&ops, 1..=1);
    world.settled(&ops).await;
    assert_eq!(world.noticed(), 4);
    world.finish(worker).await;
}

#[tokio::test]
async fn members_that_repeat_remind_people_once_of_all_of_them() {
    for kind in ["slack", "wecom"] {
        let (world, (_chat, ops)) = (World::new(), a_chat(kind).await);
        world.storm(&ops, 1..=50);
        let worker = world.run(&ops);
        world.settled(&ops).await;
        world.pass(&ops, Duration::from_secs(3_600)).await;
        let reason = if ops.can_edit() { Reason::Reply } else { Reason::Post };
        for group in 1..=25 {
            world.owe_news(&ops, group, (reason, News::Repeated), Severity::Critical);
        }
        world.settled(&ops).await;
        for group in 26..=50 {
            world.owe_news(&ops, group, (reason, News::Repeated), Severity::Critical);
        }
        world.settled(&ops).await;
        assert_eq!((world.noticed(), world.outcomes(DeliveryOutcome::Folded)), (2, 100), "{kind}");
        world.calm(&ops, 1..=50);
        world.settled(&ops).await;
        world.finish(worker).await;
    }
}

#[tokio::test]
async fn those_that_outlive_the_storm_get_messages_of_their_own_and_the_digest_is_closed_without_them() {
    for (kind, left, posts) in [("slack", 2, 2), ("wecom", 2, 2), ("slack", 6, 1), ("wecom", 6, 1)] {
        let (world, (_chat, ops)) = (World::new(), a_chat(kind).await);
        world.storm(&ops, 1..=100);
        let worker = world.run(&ops);
        world.settled(&ops).await;
        world.calm(&ops, left + 1..=100);
        world.settled(&ops).await;
        world.pass(&ops, Duration::from_secs(590)).await;
        world.settled(&ops).await;
        assert_eq!(world.noticed(), 1, "{kind} {left}");
        world.pass(&ops, Duration::from_secs(20)).await;
        world.settled(&ops).await;
        assert_eq!(world.noticed(), 1 + posts + 1, "{kind} {left}: theirs, and the end of the storm");
        let closed = world.digests().iter().filter(|digest| digest["closed_at"].is_number()).count();
        assert_eq!((closed, world.digests().len()), (1, 1 + usize::from(left > 3)), "{kind} {left}");
        world.calm(&ops, 1..=left);
        world.settled(&ops).await;
        let ends = if left > 3 { 1 } else { left as usize };
        assert_eq!(world.noticed(), 2 + posts + ends, "{kind} {left}");
        world.finish(worker).await;
    }
}

#[tokio::test]
async fn a_digest_that_a_person_deleted_is_posted_anew_once() {
    let (world, (chat, ops)) = (World::new(), a_chat("slack").await);
    world.storm(&ops, 1..=9);
    let worker = world.run(&ops);
    world.settled(&ops).await;
    for (round, methods) in [(1, 3), (2, 4)] {
        world.pass(&ops, Duration::from_secs(30)).await;
        chat.script(no("message_not_found"));
        world.calm(&ops, round..=round);
        world.settled(&ops).await;
        assert_eq!(chat.asked().len(), methods, "{:?}", chat.methods());
    }
    assert_eq!(chat.methods(), ["chat.postMessage", "chat.update", "chat.postMessage", "chat.update"]);
    world.calm(&ops, 3..=9);
    world.settled(&ops).await;
    world.finish(worker).await;
}

#[tokio::test]
async fn what_comes_while_a_digest_waits_behind_a_rate_limit_is_told_by_its_first_call() {
    for kind in ["slack", "telegram", "webhook"] {
        let (world, (chat, ops)) = (World::new(), a_chat(kind).await);
        let body = json!({ "ok": false, "error_code": 429, "description": "Too Many Requests: retry after 300",
            "parameters": { "retry_after": 300 }, "error": "ratelimited" });
        chat.script(Answer::Say(429, "retry-after: 300\r\n", body.to_string()));
        world.storm(&ops, 1..=30);
        let worker = world.run(&ops);
        chat.until(1).await;
        world.store.until("held", |kept| of_digests(kept).any(|row| row.not_before > Timestamp(0))).await;
        world.storm(&ops, 31..=60);
        world.pass(&ops, Duration::from_secs(250)).await;
        assert_eq!(chat.asked().len(), 1, "{kind}");
        world.pass(&ops, Duration::from_secs(60)).await;
        world.settled(&ops).await;
        assert_eq!((chat.asked().len(), world.noticed()), (2, 1), "{kind}");
        assert!(last(&world, &chat).contains("60 streams"), "{kind}: {}", last(&world, &chat));
        world.calm(&ops, 1..=60);
        world.settled(&ops).await;
        world.finish(worker).await;
    }
}

#[tokio::test]
async fn a_digest_whose_call_was_under_way_at_a_crash_is_posted_again_and_marked() {
    let never = Answer::Held(Arc::new(Notify::new()), Box::new(yes()));
    let (world, (chat, ops)) = (World::new(), a_chat("slack").await);
    chat.script(never);
    world.storm(&ops, 1..=30);
    let worker = world.run(&ops);
    chat.until(1).await;
    worker.abort();
    assert!(worker.await.unwrap_err().is_cancelled());
    world.storm(&ops, 31..=40);

    let world = World::over(world.store);
    let worker = world.run(&ops);
    world.settled(&ops).await;
    assert_eq!((chat.methods().len(), world.noticed()), (3, 1), "posted again, then edited");
    assert!(last(&world, &chat).contains("40 streams"), "{}", last(&world, &chat));
    let marked: Vec<bool> = of_digests(&world.store.lock()).map(|row| row.possible_duplicate).collect();
    assert_eq!(marked, [true, false], "the post, and not the edit after it");
    // Members are known over the restart.
    world.calm(&ops, 1..=20);
    world.settled(&ops).await;
    world.stop.cancel();
    worker.await.unwrap().unwrap();
    let world = World::over(world.store);
    let worker = world.run(&ops);
    world.calm(&ops, 21..=40);
    world.settled(&ops).await;
    assert!(world.digests()[0]["closed_at"].is_number());
    assert_eq!(world.noticed(), 2);
    world.finish(worker).await;
}

#[tokio::test]
async fn a_restart_wakes_no_note_before_its_time() {
    let (world, (_chat, ops)) = (World::new(), a_chat("slack").await);
    for group in 1..=9 {
        world.store.group(group, &ops.name);
        world.owe_news(&ops, group, (Reason::Post, News::Opened), Severity::Warning);
    }
    let worker = world.run(&ops);
    world.settled(&ops).await;
    for group in 1..=9 {
        world.owe_news(&ops, group, (Reason::Reply, News::Escalated), Severity::Critical);
    }
    world.pass(&ops, Duration::from_secs(2)).await;
    world.store.until("owed", |kept| of_digests(kept).any(|row| row.notification.news == News::Escalated)).await;
    world.stop.cancel();
    worker.await.unwrap().unwrap();

    let again = World::over(world.store);
    // Clocks start anew with each world.
    again.context.clock.not_before(world.context.clock.steady());
    let worker = again.run(&ops);
    for _ in 0..20 {
        again.pass(&ops, Duration::from_secs(1)).await;
    }
    assert_eq!(again.noticed(), 1, "half a minute has not passed");
    again.settled(&ops).await;
    assert_eq!(again.noticed(), 2);
    again.finish(worker).await;
}

#[tokio::test]
async fn groups_with_messages_of_their_own_keep_them_through_a_storm() {
    let (world, (chat, ops)) = (World::new(), a_chat("slack").await);
    let worker = world.run(&ops);
    for group in 1..=2 {
        world.owe(&ops, group, Reason::Post);
        world.settled(&ops).await;
    }
    for group in 1..=2 {
        world.store.revise(group, |_, incidents| incidents[0].count += 1);
        world.owe_news(&ops, group, (Reason::Reply, News::Repeated), Severity::Critical);
    }
    world.storm(&ops, 3..=10);
    world.settled(&ops).await;
    assert_eq!(world.noticed(), 3);
    assert!([1, 2].iter().all(|group| world.message(&ops, *group).unwrap().revision == 2), "their edits are made");
    let told = chat.asked().iter().filter(|asked| asked.body.to_string().contains("10 streams")).count();
    assert!(told > 0, "the digest counts them");
    world.calm(&ops, 1..=10);
    world.settled(&ops).await;
    assert_eq!(world.noticed(), 4, "the digest's end is theirs, too");
    assert!(
        [1, 2].iter().all(|group| world.message(&ops, *group).unwrap().revision == 3),
        "and their messages show it"
    );
    world.finish(worker).await;
}

#[tokio::test]
async fn what_a_person_did_is_shown_at_once_however_short_ago_the_message_was_edited() {
    let (world, (chat, ops)) = (World::new(), a_chat("slack").await);
    let worker = world.run(&ops);
    world.done(world.owe(&ops, 1, Reason::Post), DeliveryOutcome::Sent).await;
    world.store.revise(1, |_, incidents| incidents[0].count += 1);
    let waits = world.owe_news(&ops, 1, (Reason::Edit, News::Changed), Severity::Critical);
    world.pass(&ops, Duration::ZERO).await;
    assert_eq!(chat.methods(), ["chat.postMessage"]);
    world.store.revise(1, |_, incidents| incidents[0].ack = Some(Box::new(Ack { by: "ann".into(), at: Timestamp(1) })));
    let shown = world.owe_news(&ops, 1, (Reason::Edit, News::Answered), Severity::Critical);
    world.pass(&ops, Duration::ZERO).await;
    world.done(waits, DeliveryOutcome::Sent).await;
    world.done(shown, DeliveryOutcome::Coalesced).await;
    assert_eq!(chat.methods(), ["chat.postMessage", "chat.update"]);
    world.finish(worker).await;
}

#[tokio::test]
async fn a_message_that_merely_goes_on_is_edited_every_fifteen_seconds() {
    let (world, (chat, ops)) = (World::new(), a_chat("slack").await);
    let worker = world.run(&ops);
    world.done(world.owe(&ops, 1, Reason::Post), DeliveryOutcome::Sent).await;
    let changes = |times: u64| {
        (0..times).map(|_| {
            world.store.revise(1, |_, incidents| incidents[0].count += 1);
            world.owe_news(&ops, 1, (Reason::Edit, News::Changed), Severity::Critical)
        })
    };
    let rows: Vec<DeliveryId> = changes(5).collect();
    world.pass(&ops, Duration::from_secs(13)).await;
    assert_eq!(chat.asked().len(), 1);
    world.pass(&ops, Duration::from_secs(2)).await;
    world.done(rows[0], DeliveryOutcome::Sent).await;
    world.settled(&ops).await;
    assert_eq!(chat.methods(), ["chat.postMessage", "chat.update"]);
    // Growing worse and its end are shown at once.
    changes(1).for_each(drop);
    world.pass(&ops, Duration::ZERO).await;
    assert_eq!(chat.asked().len(), 2);
    world.store.revise(1, |group, incidents| over(group, incidents));
    world
        .done(world.owe_news(&ops, 1, (Reason::Edit, News::Resolved), Severity::Critical), DeliveryOutcome::Coalesced)
        .await;
    assert_eq!(chat.asked().len(), 3);
    world.finish(worker).await;
}
