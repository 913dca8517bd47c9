//! Restarts at the worst moments: between a call and its mark, and in the middle of a minute's budget.

use super::*;
use crate::model::Attempt;

fn never() -> Answer {
    Answer::Held(Arc::new(Notify::new()), Box::new(yes()))
}

#[tokio::test]
async fn an_edit_that_was_under_way_is_repeated_and_not_marked() {
    for (reason, calls) in [(Reason::Edit, 1), (Reason::Reply, 2)] {
        let chat = FakeChat::slack(vec![yes(), never()]).await;
        let (world, ops) = (World::new(), slack(&chat.url, "C1"));
        let post = world.owe(&ops, 1, Reason::Post);
        let worker = world.run(&ops);
        world.done(post, DeliveryOutcome::Sent).await;
        world.store.revise(1, |_, _| ());
        let id = world.owe(&ops, 1, reason);
        chat.until(2).await;
        worker.abort();
        assert!(worker.await.is_err());

        let world = World::over(world.store);
        let worker = world.run(&ops);
        world.pass(&ops, Duration::from_secs(10)).await;
        assert!(!world.done(id, DeliveryOutcome::Sent).await.possible_duplicate, "{reason:?}");
        assert_eq!(chat.methods()[2..].len(), calls, "{reason:?}");
        world.finish(worker).await;
    }
}

#[tokio::test]
async fn news_that_joins_an_edit_of_unknown_fate_is_no_repetition() {
    let chat = FakeChat::slack(vec![yes(), never()]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let worker = world.run(&ops);
    world.done(world.owe(&ops, 1, Reason::Post), DeliveryOutcome::Sent).await;
    world.store.revise(1, |_, _| ());
    let edit = world.owe(&ops, 1, Reason::Edit);
    chat.until(2).await;
    worker.abort();
    assert!(worker.await.is_err());
    // Held for a while, so that after the restart both rows wait together.
    let key = super::super::lanes::Lanes::of(&ops).target.key;
    let until = (world.now() + Duration::from_secs(60)).0.to_string();
    world.store.lock().tables.insert(format!("budget_holds/{key}"), until);
    let reply = world.owe(&ops, 1, Reason::Reply);

    let world = World::over(world.store);
    let worker = world.run(&ops);
    world.pass(&ops, Duration::ZERO).await;
    assert_eq!(world.begun(), 2);
    world.pass(&ops, Duration::from_secs(70)).await;
    let ended = |kept: &Inner| [edit, reply].iter().all(|id| kept.rows[id].outcome.is_some());
    world.store.until("both told", ended).await;
    let marked = [edit, reply].map(|id| world.store.row(id).possible_duplicate);
    assert_eq!(marked, [false, false]);
    world.finish(worker).await;
}

#[tokio::test]
async fn a_note_that_was_under_way_is_repeated_and_marked_without_another_edit() {
    let chat = FakeChat::slack(vec![yes(), yes(), never()]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let worker = world.run(&ops);
    world.done(world.owe(&ops, 1, Reason::Post), DeliveryOutcome::Sent).await;
    world.store.revise(1, |_, _| ());
    let reply = world.owe(&ops, 1, Reason::Reply);
    chat.until(3).await;
    worker.abort();
    assert!(worker.await.is_err());

    let world = World::over(world.store);
    let worker = world.run(&ops);
    world.pass(&ops, Duration::from_secs(10)).await;
    assert!(world.done(reply, DeliveryOutcome::Sent).await.possible_duplicate);
    assert_eq!(chat.methods()[2..], ["chat.postMessage", "chat.postMessage"]);
    world.finish(worker).await;
}

#[tokio::test]
async fn the_post_that_replaces_a_deleted_message_is_marked_if_repeated() {
    let chat = FakeChat::slack(vec![yes(), no("message_not_found"), never()]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let worker = world.run(&ops);
    world.done(world.owe(&ops, 1, Reason::Post), DeliveryOutcome::Sent).await;
    world.store.revise(1, |_, _| ());
    let edit = world.owe(&ops, 1, Reason::Edit);
    chat.until(3).await;
    worker.abort();
    assert!(worker.await.is_err());

    let world = World::over(world.store);
    let worker = world.run(&ops);
    world.pass(&ops, Duration::from_secs(10)).await;
    assert!(world.done(edit, DeliveryOutcome::Sent).await.possible_duplicate);
    world.finish(worker).await;
}

#[tokio::test]
async fn a_row_that_was_refused_is_tried_at_once_after_a_restart() {
    let chat = FakeChat::slack(vec![no("not_in_channel")]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let worker = world.run(&ops);
    let id = world.owe(&ops, 1, Reason::Post);
    assert!(world.failed(id, 1).await.not_before >= world.now() + Duration::from_secs(280));
    world.stop.cancel();
    worker.await.unwrap().unwrap();

    let world = World::over(world.store);
    let worker = world.run(&ops);
    world.done(id, DeliveryOutcome::Sent).await;
    world.finish(worker).await;
}

#[tokio::test]
async fn no_minute_around_a_restart_exceeds_what_the_platform_allows() {
    let chat = FakeChat::start(vec![], Answer::json(200, json!({ "errcode": 0 }))).await;
    let (world, group) = (World::new(), wecom(&chat.url, "robot"));
    let budget = super::super::lanes::Lanes::of(&group).target.key;
    let now = world.now();
    // Sixteen calls half a minute ago, on record.
    let before = now - Duration::from_secs(30);
    let record = (0..16).map(|_| Attempt { budget: budget.clone(), at: before });
    world.store.lock().attempts.extend(record);
    for _ in 0..5 {
        world.owe_notice(&group);
    }
    let worker = world.run(&group);
    chat.until(1).await;
    for _ in 0..5 {
        world.pass(&group, Duration::from_secs(4)).await;
    }
    assert_eq!(world.begun(), 1);
    world.pass(&group, Duration::from_secs(11)).await;
    chat.until(2).await;
    world.stop.cancel();
    worker.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_owner_that_was_replaced_stops() {
    let (world, chat) = (World::new(), FakeChat::slack(vec![]).await);
    let ops = slack(&chat.url, "C1");
    let old = world.run(&ops);
    world.pass(&ops, Duration::ZERO).await;
    let new = world.run(&ops);
    world.owe(&ops, 1, Reason::Post);
    let fenced = tokio::time::timeout(PATIENCE, async {
        let mut group = 1;
        while !old.is_finished() {
            group += 1;
            world.owe(&ops, group, Reason::Edit);
            tokio::task::yield_now().await;
        }
        old.await
    });
    assert!(matches!(fenced.await.unwrap().unwrap(), Err(StoreError::Fenced(_))));
    world.stop.cancel();
    new.await.unwrap().unwrap();
}
