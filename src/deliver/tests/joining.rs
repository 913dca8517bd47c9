//! Rows that join a group between its edit and its note: none of them ends before the message shows it.

use super::*;

/// Both rows have their outcome, and the living message shows revision 3.
async fn both_end_and_the_message_is_up_to_date(world: &World, ops: &Channel, rows: [DeliveryId; 2]) {
    world.store.until("both done", |kept| rows.iter().all(|id| kept.rows[id].outcome.is_some())).await;
    let outcomes = rows.map(|id| world.store.row(id).outcome.unwrap().as_str());
    assert_eq!(world.message(ops, 1).unwrap().revision, 3, "stale for ever: {outcomes:?}");
}

#[tokio::test]
async fn an_edit_that_joins_during_the_edit_before_a_note_is_made_after_the_note() {
    let release = Arc::new(Notify::new());
    let chat = FakeChat::slack(vec![yes(), Answer::Held(Arc::clone(&release), Box::new(yes()))]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let worker = world.run(&ops);
    world.done(world.owe(&ops, 1, Reason::Post), DeliveryOutcome::Sent).await;
    // It grows worse: edit, then note.
    world.store.revise(1, |_, incidents| incidents[0].count += 1);
    let reply = world.owe(&ops, 1, Reason::Reply);
    chat.until(2).await;
    // While the edit is under way, it is over.
    world.store.revise(1, |group, incidents| {
        incidents[0].state = State::Resolved;
        group.closed_at = Some(Timestamp(9));
    });
    let edit = world.owe(&ops, 1, Reason::Edit);
    world.pass(&ops, Duration::from_secs(5)).await;
    release.notify_one();
    world.done(reply, DeliveryOutcome::Sent).await;
    world.pass(&ops, Duration::from_secs(5)).await;
    both_end_and_the_message_is_up_to_date(&world, &ops, [reply, edit]).await;
    assert_eq!(chat.methods(), ["chat.postMessage", "chat.update", "chat.postMessage", "chat.update"]);
    world.finish(worker).await;
}

#[tokio::test]
async fn news_during_an_outage_between_edit_and_note_reach_the_living_message() {
    let down = || Answer::json(500, json!({}));
    let chat = FakeChat::slack(vec![yes(), yes(), down()]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let worker = world.run(&ops);
    world.done(world.owe(&ops, 1, Reason::Post), DeliveryOutcome::Sent).await;
    world.store.revise(1, |_, incidents| incidents[0].count += 1);
    let reply = world.owe(&ops, 1, Reason::Reply);
    world.failed(reply, 2).await;
    world.store.revise(1, |_, incidents| incidents[0].state = State::Resolved);
    let over = world.owe(&ops, 1, Reason::Edit);
    world.pass(&ops, Duration::from_secs(30)).await;
    both_end_and_the_message_is_up_to_date(&world, &ops, [reply, over]).await;
    world.finish(worker).await;
}

#[tokio::test]
async fn news_that_the_edit_showed_already_share_its_note() {
    let release = Arc::new(Notify::new());
    let chat = FakeChat::slack(vec![yes(), Answer::Held(Arc::clone(&release), Box::new(yes()))]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let worker = world.run(&ops);
    world.done(world.owe(&ops, 1, Reason::Post), DeliveryOutcome::Sent).await;
    // The group is read with both changes, though the second one's row comes later.
    world.store.revise(1, |_, incidents| incidents[0].count += 1);
    world.store.revise(1, |_, incidents| incidents[0].count += 1);
    let first = world.owe(&ops, 1, Reason::Reply);
    chat.until(2).await;
    let second = world.owe(&ops, 1, Reason::Reply);
    world.pass(&ops, Duration::from_secs(5)).await;
    release.notify_one();
    world.done(first, DeliveryOutcome::Sent).await;
    world.done(second, DeliveryOutcome::Coalesced).await;
    both_end_and_the_message_is_up_to_date(&world, &ops, [first, second]).await;
    assert_eq!(chat.methods(), ["chat.postMessage", "chat.update", "chat.postMessage"]);
    world.finish(worker).await;
}
