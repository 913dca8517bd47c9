//! A channel that refuses everything: parked, its fallback told once, tried again by a reload, a probe or a test.

use std::collections::BTreeMap;

use tokio::sync::{mpsc, oneshot};

use super::super::fake::SECRET;
use super::*;
use crate::model::{About, Notice};

/// `ops` with the channel `oncall` to fall back on, and the way to its worker.
fn with_fallback(ops: &Arc<Channel>) -> (Assignment, mpsc::Sender<Order>) {
    let (orders, ordered) = mpsc::channel(4);
    let oncall = channel("oncall", Target::Console);
    let hearers = vec![oncall.name.clone()];
    (Assignment { channel: Arc::clone(ops), fallback: Some(oncall), hearers, orders: ordered }, orders)
}

/// What a channel is owed about pushwatch itself, oldest first.
fn notices(world: &World, name: &str) -> Vec<Notice> {
    let kept = world.store.lock();
    let mine = kept.rows.values().filter(|row| row.notification.channel.as_str() == name);
    let notice = |row: &Delivery| match &row.notification.about {
        About::Notice(notice) => Some((**notice).clone()),
        About::Group(_) | About::Digest(_) => None,
    };
    mine.filter_map(notice).collect()
}

fn failing(waiting: u64) -> Notice {
    Notice::ChannelFailing {
        channel: ChannelName::new("slack"),
        error: "Slack says channel_not_found".to_owned(),
        waiting,
    }
}

fn parked(world: &World) -> BTreeMap<ChannelName, String> {
    world.context.parking.watch().borrow().clone()
}

async fn stop(world: &World, worker: JoinHandle<Result<(), StoreError>>) {
    world.stop.cancel();
    worker.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_fallback_is_told_once_over_restarts_and_again_when_a_probe_goes_through() {
    let chat = FakeChat::start(vec![no("channel_not_found"); 2], yes()).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let first = world.owe(&ops, 1, Reason::Post);
    let worker = world.run_as(with_fallback(&ops).0);
    world.failed(first, 1).await;
    world.owe(&ops, 2, Reason::Post);
    world.pass(&ops, Duration::from_secs(3500)).await;
    assert_eq!(world.begun(), 1, "no call but a probe an hour");
    assert_eq!(notices(&world, "oncall"), [failing(1)]);
    let shown = parked(&world).remove(&ops.name).unwrap();
    assert!(shown.contains("channel_not_found") && !shown.contains(SECRET), "{shown}");
    stop(&world, worker).await;

    // A restart, or a reload, tries once more.
    let (later, world) = (world.now(), World::over(world.store));
    world.context.clock.not_before(later);
    let worker = world.run_as(with_fallback(&ops).0);
    // The first refusal put it off by less than that.
    let soon = later + Duration::from_secs(1000);
    world.store.until("refused again", |kept| kept.rows[&first].not_before > soon).await;
    world.pass(&ops, Duration::ZERO).await;
    assert_eq!((notices(&world, "oncall"), parked(&world).len()), (vec![failing(1)], 1), "told once");
    world.pass(&ops, Duration::from_secs(4000)).await;
    world.done(first, DeliveryOutcome::Sent).await;
    let recovered = Notice::ChannelRecovered { channel: ops.name.clone() };
    world.store.until("recovered", |kept| kept.keyed.keys().all(|(_, kind, _)| kind != "parked")).await;
    assert_eq!(notices(&world, "oncall"), [failing(1), recovered]);
    assert!(parked(&world).is_empty());
    stop(&world, worker).await;
}

#[tokio::test]
async fn a_test_goes_out_at_once_from_a_parked_channel_and_unparks_it() {
    let chat = FakeChat::start(vec![no("not_in_channel"), no("not_in_channel")], yes()).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let first = world.owe(&ops, 1, Reason::Post);
    let (assignment, orders) = with_fallback(&ops);
    let worker = world.run_as(assignment);
    world.failed(first, 1).await;

    let tested = test(&orders).await;
    assert_eq!(
        (tested.sent, tested.answer, tested.said.as_str()),
        (false, "channel_refused", "Slack says not_in_channel")
    );
    assert!(tested.advice.contains("/invite"), "{}", tested.advice);
    assert_eq!(chat.asked().len(), 2);
    let row = world
        .store
        .lock()
        .rows
        .values()
        .find(|row| row.notification.reason == Reason::Notice && row.outcome.is_some())
        .cloned();
    let row = row.unwrap();
    assert_eq!((row.outcome, row.attempts), (Some(DeliveryOutcome::Void), 1), "it is on record and not repeated");

    let tested = test(&orders).await;
    assert_eq!((tested.sent, tested.answer), (true, "sent"));
    assert!(chat.asked()[2].body.to_string().contains("a test message"));
    // What waited is told at once.
    world.pass(&ops, Duration::from_secs(5)).await;
    world.done(first, DeliveryOutcome::Sent).await;
    assert!(parked(&world).is_empty());
    assert!(matches!(notices(&world, "oncall").last(), Some(Notice::ChannelRecovered { .. })));
    stop(&world, worker).await;
}

async fn test(orders: &mpsc::Sender<Order>) -> Tested {
    let (answer, answered) = oneshot::channel();
    orders.send(Order::Test(answer)).await.unwrap();
    tokio::time::timeout(PATIENCE, answered).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_test_of_refused_markup_is_sent_plain_and_one_that_must_wait_says_so() {
    let limited = Answer::Say(429, "retry-after: 60\r\n", r#"{"ok":false,"error":"ratelimited"}"#.into());
    let chat = FakeChat::start(vec![no("invalid_blocks"), yes(), limited], yes()).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let (assignment, orders) = with_fallback(&ops);
    let worker = world.run_as(assignment);
    let tested = test(&orders).await;
    assert_eq!((tested.sent, tested.answer), (true, "sent_plain"));
    world.pass(&ops, Duration::from_secs(10)).await;
    let tested = test(&orders).await;
    assert_eq!((tested.sent, tested.answer, tested.said.as_str()), (false, "rate_limited", "rate limited for 60 s"));
    let tested = test(&orders).await;
    assert_eq!((tested.sent, tested.answer), (false, "rate_limited"));
    assert_eq!(chat.asked().len(), 3, "no call before the chat allows it");
    stop(&world, worker).await;
}

#[tokio::test]
async fn a_channel_that_never_answers_delays_no_other() {
    let dead = FakeChat::start(vec![], Answer::Held(Arc::new(Notify::new()), Box::new(yes()))).await;
    let alive = FakeChat::slack(vec![]).await;
    let (world, hook, ops) = (World::new(), webhook(&dead.url), slack(&alive.url, "C1"));
    let stuck: Vec<_> = (1..=20).map(|_| world.owe_notice(&hook)).collect();
    let (first, second) = (world.run(&hook), world.run(&ops));
    dead.until(4).await;
    for group in 21..=23 {
        world.done(world.owe(&ops, group, Reason::Post), DeliveryOutcome::Sent).await;
    }
    assert!(stuck.iter().all(|id| world.store.row(*id).outcome.is_none()));
    first.abort();
    stop(&world, second).await;
}

#[tokio::test]
async fn what_was_given_up_is_said_once_a_day_counted_and_sent_anew_on_demand() {
    let refused = || no("invalid_blocks");
    let chat = FakeChat::start(vec![refused(), refused(), refused(), refused()], yes()).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let (assignment, orders) = with_fallback(&ops);
    let worker = world.run_as(assignment);
    let dead = [world.owe(&ops, 1, Reason::Post), world.owe(&ops, 2, Reason::Post)];
    world.pass(&ops, Duration::from_secs(10)).await;
    for id in dead {
        world.done(id, DeliveryOutcome::Dead).await;
    }
    let gauge = |count| format!(r#"pushwatch_outbox_rows{{channel="slack",state="dead"}} {count}"#);
    assert!(world.metric(&gauge(2)), "{}", world.context.metrics.text());
    world.pass(&ops, Duration::from_secs(61)).await;
    let word = Notice::DeadLetters { channel: ops.name.clone(), count: 2 };
    world.store.until("the word", |kept| kept.rows.len() > 4).await;
    assert_eq!(notices(&world, "oncall"), [word]);
    stop(&world, worker).await;

    let (later, world) = (world.now(), World::over(world.store));
    world.context.clock.not_before(later);
    drop(orders);
    let (assignment, orders) = with_fallback(&ops);
    let worker = world.run_as(assignment);
    let retry = async |id| {
        let (answer, answered) = oneshot::channel();
        orders.send(Order::Retry(id, answer)).await.unwrap();
        answered.await.unwrap()
    };
    assert_eq!(retry(DeliveryId(77)).await, Err(NotRetried::Unknown));
    assert!(world.metric(&gauge(2)), "counted after a restart too");
    assert_eq!(retry(dead[0]).await, Ok(1));
    assert_eq!(retry(dead[0]).await, Err(NotRetried::NotDead(DeliveryState::Done)), "once");
    let row = world.store.row(dead[0]);
    assert_eq!(
        (row.outcome, row.error.as_deref()),
        (Some(DeliveryOutcome::Retried), Some("Slack says invalid_blocks"))
    );
    let (answer, answered) = oneshot::channel();
    orders.send(Order::RetryAll(answer)).await.unwrap();
    assert_eq!(answered.await.unwrap(), Ok(1));
    assert!(world.metric(&gauge(0)));
    let told = |kept: &Inner| {
        let again = |row: &&Delivery| row.id > dead[1] && row.notification.channel == ops.name;
        let groups = |row: &&Delivery| matches!(row.notification.about, About::Group(group) if group.0 < 9);
        kept.rows.values().filter(again).filter(groups).filter(|row| row.outcome.is_some()).count() == 2
    };
    world.pass(&ops, Duration::from_secs(5)).await;
    world.store.until("both told", told).await;
    assert!(world.message(&ops, 1).is_some() && world.message(&ops, 2).is_some());
    stop(&world, worker).await;
}

/// A reminder for whoever adds a class of answer: the words that a test gives stay the API's.
#[test]
fn a_test_is_told_in_plain_fields() {
    let tested = Tested::of(crate::model::ChannelKind::Slack, &Verdict::Retry { why: "HTTP 502".into() }, false);
    let keys: Vec<String> = serde_json::to_value(tested).unwrap().as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["advice", "answer", "said", "sent"]);
}
