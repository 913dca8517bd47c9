//! What pushwatch says about itself: each notice a post of its own, in every kind of chat, as surely as any other row.

use super::super::desk::Desk;
use super::super::retry::DAY;
use super::super::topic::Topic;
use super::*;
use crate::model::{About, Missed, MuteId, Notice, Notification, Severity};
use crate::store::ChannelState;

fn failing() -> Notice {
    let error = "Forbidden: <bot> was kicked, @all".to_owned();
    Notice::ChannelFailing { channel: ChannelName::new("on-call"), error, waiting: 3 }
}

fn refused() -> Notice {
    Notice::RulesRefused { problems: vec!["rules.yaml:12:7: unknown field".to_owned()] }
}

#[tokio::test]
async fn a_notice_is_one_post_on_every_kind_of_channel_and_nothing_is_edited_for_it() {
    for kind in KINDS {
        let (chat, ops) = a_chat(kind).await;
        let world = World::new();
        let id = world.store.owe_notice(&ops.name, failing(), world.now());
        let worker = world.run(&ops);
        let row = world.done(id, DeliveryOutcome::Sent).await;
        assert_eq!((row.state, row.attempts, row.possible_duplicate), (DeliveryState::Done, 1, false), "{kind}");
        let sent = format!(r#"pushwatch_notifications_total{{channel="{kind}",reason="notice",outcome="sent"}} 1"#);
        world.pass(&ops, Duration::ZERO).await;
        assert!(world.metric(&sent), "{kind}");
        assert!(world.store.lock().messages.is_empty(), "{kind}");
        let said = match chat.asked().as_slice() {
            [] => String::from_utf8(world.printed.lock().unwrap().clone()).unwrap(),
            [one] => one.body.to_string(),
            more => panic!("{kind}: {more:?}"),
        };
        assert!(said.contains("pushwatch") && said.contains("on-call"), "{kind}: {said}");
        assert!(said.contains("this channel cannot be reached") && said.contains("was kicked"), "{kind}: {said}");
        world.finish(worker).await;
    }
}

#[tokio::test]
async fn a_webhook_is_given_the_facts_of_a_notice() {
    let chat = FakeChat::start(vec![], any_yes()).await;
    let (world, hook) = (World::new(), webhook(&chat.url));
    let worker = world.run(&hook);
    let id = world.store.owe_notice(&hook.name, refused(), world.now());
    world.done(id, DeliveryOutcome::Sent).await;
    let body = chat.asked().remove(0).body;
    assert_eq!((&body["reason"], &body["delivery_id"]), (&json!("notice"), &json!(id.0)));
    assert_eq!((&body["facts"]["kind"], &body["facts"]["state"]), (&json!("notice"), &json!("warning")));
    assert_eq!(body["facts"]["said"], json!(["rules.yaml:12:7: unknown field"]));
    world.finish(worker).await;
}

#[tokio::test]
async fn notices_that_wait_together_are_told_one_by_one_and_beside_groups() {
    let chat = FakeChat::slack(vec![]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let notices = [failing(), failing(), refused()].map(|one| world.store.owe_notice(&ops.name, one, world.now()));
    let group = world.owe(&ops, 1, Reason::Post);
    let worker = world.run(&ops);
    for _ in 0..5 {
        world.pass(&ops, Duration::from_secs(10)).await;
    }
    for id in notices.into_iter().chain([group]) {
        world.done(id, DeliveryOutcome::Sent).await;
    }
    assert_eq!(chat.methods(), ["chat.postMessage"; 4]);
    let first = chat.asked()[0].body.to_string();
    assert!(first.contains("cam1"), "a critical group before notices that are a warning: {first}");
    world.finish(worker).await;
}

#[tokio::test]
async fn a_notice_behind_a_rate_limit_waits_in_full_and_is_sent_once() {
    let limited = r#"{"ok":false,"error":"ratelimited"}"#.to_owned();
    let chat = FakeChat::slack(vec![Answer::Say(429, "retry-after: 217\r\n", limited)]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let worker = world.run(&ops);
    let id = world.store.owe_notice(&ops.name, failing(), world.now());
    let row = world.failed(id, 1).await;
    assert_eq!((row.state, row.error.as_deref()), (DeliveryState::Pending, Some("rate limited for 217 s")));
    world.pass(&ops, Duration::from_secs(210)).await;
    assert_eq!(world.begun(), 1);
    world.pass(&ops, Duration::from_secs(10)).await;
    assert!(!world.done(id, DeliveryOutcome::Sent).await.possible_duplicate);
    assert_eq!(chat.asked().len(), 2);
    world.finish(worker).await;
}

#[tokio::test]
async fn a_notice_that_was_under_way_at_a_crash_is_repeated_and_marked() {
    let never = Answer::Held(Arc::new(Notify::new()), Box::new(yes()));
    let chat = FakeChat::slack(vec![never]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let id = world.store.owe_notice(&ops.name, failing(), world.now());
    let worker = world.run(&ops);
    chat.until(1).await;
    worker.abort();
    assert!(worker.await.unwrap_err().is_cancelled());
    assert_eq!(world.store.row(id).state, DeliveryState::Sending);

    let world = World::over(world.store);
    let worker = world.run(&ops);
    assert!(world.done(id, DeliveryOutcome::Sent).await.possible_duplicate);
    assert!(world.metric(r#"pushwatch_possible_duplicates_total{channel="slack"} 1"#));
    assert!(chat.asked()[1].body.to_string().contains("was kicked"), "rendered anew from the row");
    world.finish(worker).await;
}

#[tokio::test]
async fn a_notice_whose_markup_is_refused_goes_plainly_and_is_given_up_if_that_is_refused_too() {
    let chat = FakeChat::slack(vec![no("invalid_blocks"), yes(), no("msg_too_long"), no("msg_too_long")]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let worker = world.run(&ops);
    let first = world.store.owe_notice(&ops.name, failing(), world.now());
    world.pass(&ops, Duration::from_secs(10)).await;
    world.done(first, DeliveryOutcome::SentPlain).await;
    let second = world.store.owe_notice(&ops.name, refused(), world.now());
    for _ in 0..3 {
        world.pass(&ops, Duration::from_secs(10)).await;
    }
    assert_eq!(world.done(second, DeliveryOutcome::Dead).await.state, DeliveryState::Dead);
    world.finish(worker).await;
}

fn desk(rows: Vec<Delivery>) -> Desk {
    Desk::open(ChannelName::new("ops"), true, ChannelState { deliveries: rows, ..ChannelState::default() })
}

fn row(desk: &mut Desk, id: u64, notice: Notice) {
    let notification = Notification::of_notice(ChannelName::new("ops"), notice, Severity::Warning, Timestamp(1));
    desk.accept(DeliveryId(id), notification, Timestamp(1));
}

#[test]
fn a_notice_that_waited_a_day_for_its_turn_is_void_and_one_that_was_tried_for_a_day_is_dead() {
    let late = Timestamp(1) + DAY;
    let mut desk = desk(Vec::new());
    row(&mut desk, 1, failing());
    row(&mut desk, 2, refused());
    assert_eq!(desk.queue.take(Timestamp(1)), Some(Topic::Notice(DeliveryId(1))));
    assert_eq!(desk.notice(DeliveryId(1), late - Duration::from_millis(1)), Some(failing()));
    let flight = desk.begin_notice(DeliveryId(1), Vec::new()).unwrap();
    desk.settle(&flight, Verdict::Retry { why: "HTTP 502".to_owned() }, Timestamp(2), 0.0);
    let mut ended = Vec::new();
    while let Some(Topic::Notice(id)) = desk.queue.take(late) {
        assert_eq!(desk.notice(id, late), None);
        ended.extend(desk.take_ended().0.into_iter().map(|end| (end.row.id.0, end.outcome, end.error.unwrap())));
    }
    ended.sort_by_key(|(id, ..)| *id);
    let (dead, void) = (DeliveryOutcome::Dead, DeliveryOutcome::Void);
    let waited = "older than a day when its turn came";
    assert_eq!(ended, [(1, dead, "HTTP 502".to_owned()), (2, void, waited.to_owned())]);
    let kept = desk.take_changes().unwrap().deliveries;
    assert_eq!(kept.iter().map(|row| row.outcome).collect::<Vec<_>>(), [Some(dead), Some(void)]);
    assert_eq!(desk.queue.len(), 0);
}

#[test]
fn what_waits_goes_on_after_a_restart_with_its_words() {
    let mut first = desk(Vec::new());
    row(&mut first, 1, refused());
    assert!(first.queue.take(Timestamp(1)).is_some());
    let flight = first.begin_notice(DeliveryId(1), Vec::new()).unwrap();
    first.settle(&flight, Verdict::Retry { why: "HTTP 502".to_owned() }, Timestamp(2), 0.0);
    let kept = first.take_changes().unwrap().deliveries;
    let mut second = desk(kept);
    assert_eq!(second.queue.take(Timestamp(3)), Some(Topic::Notice(DeliveryId(1))));
    assert_eq!(second.notice(DeliveryId(1), Timestamp(3)), Some(refused()));
}

#[test]
fn of_too_many_notices_the_oldest_that_waits_makes_room() {
    let mut desk = desk(Vec::new());
    row(&mut desk, 1, failing());
    assert!(desk.queue.take(Timestamp(1)).is_some(), "its call is about to be made");
    for id in 2..=300 {
        row(&mut desk, id, failing());
    }
    let ended = desk.take_ended().0;
    assert_eq!(ended.iter().map(|end| end.row.id.0).collect::<Vec<_>>(), (2..=45).collect::<Vec<_>>());
    assert!(ended.iter().all(|end| end.outcome == DeliveryOutcome::Void));
    assert_eq!(desk.queue.len(), 256);
}

fn over(id: u64) -> Notice {
    let worst = vec![crate::store::samples::incident(id).outline()];
    Notice::MuteOver(Box::new(Missed { mute: Some(MuteId(id)), over: 2, firing: 1, worst, ..Missed::default() }))
}

#[tokio::test]
async fn many_mutes_that_end_are_told_together_and_what_none_of_them_kept_is_lost() {
    let chat = FakeChat::slack(vec![]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let ids: Vec<DeliveryId> = (1..=300).map(|id| world.store.owe_notice(&ops.name, over(id), world.now())).collect();
    let worker = world.run(&ops);
    for _ in 0..12 {
        world.pass(&ops, Duration::from_secs(10)).await;
    }
    assert!(ids.iter().all(|id| {
        let ended = world.store.row(*id).outcome;
        ended == Some(DeliveryOutcome::Folded) || ended == Some(DeliveryOutcome::Sent)
    }));
    let rows: Vec<Delivery> = world.store.lock().rows.values().cloned().collect();
    let told = rows.iter().filter(|row| row.outcome == Some(DeliveryOutcome::Sent));
    let told = told.map(|row| match &row.notification.about {
        About::Notice(notice) => (**notice).clone(),
        other => panic!("{other:?}"),
    });
    let told = told.map(|notice| if let Notice::MuteOver(missed) = notice { *missed } else { panic!() });
    let (mutes, over, firing) = told.fold((0, 0, 0), |(mutes, over, firing), missed| {
        assert!(missed.worst.len() <= Missed::NAMED);
        (mutes + 1 + missed.others, over + missed.over, firing + missed.firing)
    });
    assert_eq!((mutes, over, firing), (300, 600, 300));
    let posts = chat.methods().len();
    assert!(posts <= 4, "{posts} posts");
    assert!(chat.asked().iter().any(|asked| asked.body.to_string().contains("mutes ended")));
    world.finish(worker).await;
}

#[test]
fn a_few_mutes_that_end_are_told_one_by_one_and_none_makes_room_for_other_notices() {
    let mut desk = desk(Vec::new());
    for id in 1..=3 {
        row(&mut desk, id, over(id));
    }
    for id in 4..=400 {
        row(&mut desk, id, failing());
    }
    let ended = desk.take_ended().0;
    assert_eq!(ended.iter().map(|end| end.row.id.0).min(), Some(4));
    assert_eq!(desk.queue.len(), 256);
    row(&mut desk, 401, over(401));
    let ended: Vec<(u64, DeliveryOutcome)> =
        desk.take_ended().0.iter().map(|end| (end.row.id.0, end.outcome)).collect();
    assert_eq!(ended, [1, 2, 3, 401].map(|id| (id, DeliveryOutcome::Folded)));
    let changes = desk.take_changes().unwrap();
    let [owed] = changes.owed.as_slice() else { panic!("{:?}", changes.owed) };
    let About::Notice(notice) = &owed.about else { panic!("{owed:?}") };
    let Notice::MuteOver(missed) = &**notice else { panic!("{notice:?}") };
    assert_eq!((missed.mute, missed.others, missed.over, missed.firing), (Some(MuteId(1)), 3, 8, 4));
}
