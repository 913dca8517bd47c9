//! The bad days: limits, refusals, moved chats, deleted messages, no answer.

use super::*;

fn telegram_ok(id: i64, chat: i64) -> Answer {
    Answer::json(200, json!({ "ok": true, "result": { "message_id": id, "chat": { "id": chat } } }))
}

fn telegram_no(code: u16, description: &str, parameters: serde_json::Value) -> Answer {
    let body = json!({ "ok": false, "error_code": code, "description": description, "parameters": parameters });
    Answer::json(code, body)
}

#[tokio::test]
async fn a_rate_limit_holds_every_row_of_the_budget_in_full_and_over_a_restart() {
    let limited = r#"{"ok":false,"error":"ratelimited"}"#.to_owned();
    let chat = FakeChat::slack(vec![Answer::Say(429, "retry-after: 217\r\n", limited)]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let asked_at = world.now();
    let worker = world.run(&ops);
    let first = world.owe(&ops, 1, Reason::Post);
    let row = world.failed(first, 1).await;
    assert_eq!((row.state, row.error.as_deref()), (DeliveryState::Pending, Some("rate limited for 217 s")));
    assert!(row.not_before >= asked_at + Duration::from_secs(217));

    let second = world.owe(&ops, 2, Reason::Post);
    world.pass(&ops, Duration::from_secs(200)).await;
    assert_eq!(world.begun(), 1);
    world.stop.cancel();
    worker.await.unwrap().unwrap();

    let (later, restarted) = (world.now(), World::over(Arc::clone(&world.store)));
    restarted.context.clock.not_before(later);
    let worker = restarted.run(&ops);
    restarted.pass(&ops, Duration::from_secs(10)).await;
    assert_eq!(restarted.begun(), 1, "called before the chat allows it");
    restarted.pass(&ops, Duration::from_secs(20)).await;
    restarted.done(first, DeliveryOutcome::Sent).await;
    restarted.done(second, DeliveryOutcome::Sent).await;
    assert!(!restarted.store.row(first).possible_duplicate);
    restarted.finish(worker).await;
}

#[tokio::test]
async fn a_rate_limit_of_years_holds_the_channel_for_a_day() {
    let limited = r#"{"ok":false,"error":"ratelimited"}"#.to_owned();
    let chat = FakeChat::slack(vec![Answer::Say(429, "retry-after: 315360000\r\n", limited)]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let worker = world.run(&ops);
    let first = world.owe(&ops, 1, Reason::Post);
    world.failed(first, 1).await;
    world.pass(&ops, Duration::from_secs(86_390)).await;
    assert_eq!(world.begun(), 1);
    world.pass(&ops, Duration::from_secs(20)).await;
    world.done(first, DeliveryOutcome::Sent).await;
    world.finish(worker).await;
}

#[tokio::test]
async fn a_refused_markup_is_told_plainly_once_and_then_given_up() {
    let refused = || no("invalid_blocks");
    let chat = FakeChat::slack(vec![refused(), yes(), refused(), refused()]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let worker = world.run(&ops);
    let row = world.done(world.owe(&ops, 1, Reason::Post), DeliveryOutcome::SentPlain).await;
    assert_eq!(row.error.as_deref(), Some("Slack says invalid_blocks"));
    let plain = &chat.asked()[1].body;
    assert_eq!(plain["attachments"], json!([]));
    assert!(plain["text"].as_str().unwrap().lines().count() > 2, "{plain}");

    let row = world.done(world.owe(&ops, 2, Reason::Post), DeliveryOutcome::Dead).await;
    assert_eq!((row.state, row.attempts), (DeliveryState::Dead, 2));
    assert!(world.message(&ops, 2).is_none());
    // The next message is told as usual.
    world.pass(&ops, Duration::from_secs(10)).await;
    world.done(world.owe(&ops, 3, Reason::Post), DeliveryOutcome::Sent).await;
    world.finish(worker).await;
}

#[tokio::test]
async fn a_refusing_target_is_probed_by_one_row_and_old_rows_die() {
    let chat = FakeChat::start(vec![], no("channel_not_found")).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let young = world.owe(&ops, 2, Reason::Post);
    let worker = world.run(&ops);
    let row = world.failed(young, 1).await;
    let wait = row.not_before.since(row.notification.at).as_secs();
    assert!((3600..=3970).contains(&wait), "{wait}");
    let other = world.owe(&ops, 3, Reason::Post);
    world.pass(&ops, Duration::from_secs(3580)).await;
    assert_eq!(world.begun(), 1);
    // Rows that pile up meanwhile are seen, though nothing is kept of them yet.
    world.owe(&ops, 4, Reason::Post);
    let seen = || world.metric(r#"pushwatch_outbox_rows{channel="slack",state="pending"} 3"#);
    for _ in 0..1_000 {
        match seen() {
            true => break,
            false => tokio::task::yield_now().await,
        }
    }
    assert!(seen());
    world.pass(&ops, Duration::from_secs(86_400)).await;
    for id in [young, other] {
        let row = world.done(id, DeliveryOutcome::Dead).await;
        assert_eq!(row.error.as_deref(), Some("Slack says channel_not_found"));
    }
    assert_eq!(chat.asked().len(), 2);
    world.finish(worker).await;
}

#[tokio::test]
async fn a_call_without_an_answer_is_unknown_and_its_repetition_is_marked() {
    let chat = FakeChat::slack(vec![Answer::HangUp]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let worker = world.run(&ops);
    let id = world.owe(&ops, 1, Reason::Post);
    let row = world.failed(id, 1).await;
    assert_eq!((row.state, row.possible_duplicate), (DeliveryState::Sending, false));
    world.pass(&ops, Duration::from_secs(10)).await;
    let row = world.done(id, DeliveryOutcome::Sent).await;
    assert_eq!((row.possible_duplicate, row.attempts), (true, 2));
    assert!(world.metric(r#"pushwatch_possible_duplicates_total{channel="slack"} 1"#));

    // An edit may be made twice.
    chat.script(Answer::HangUp);
    world.store.revise(1, |_, _| ());
    let edit = world.owe(&ops, 1, Reason::Edit);
    assert_eq!(world.failed(edit, 1).await.state, DeliveryState::Pending);
    world.pass(&ops, Duration::from_secs(10)).await;
    assert!(!world.done(edit, DeliveryOutcome::Sent).await.possible_duplicate);
    assert!(world.metric(r#"pushwatch_possible_duplicates_total{channel="slack"} 1"#));
    world.finish(worker).await;
}

#[tokio::test]
async fn a_connection_that_never_came_about_is_no_possible_duplicate() {
    // A port that was just freed.
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (world, ops) = (World::new(), slack(&format!("http://{nobody}"), "C1"));
    let worker = world.run(&ops);
    let id = world.owe(&ops, 1, Reason::Post);
    assert_eq!(world.failed(id, 1).await.state, DeliveryState::Pending);
    world.pass(&ops, Duration::from_secs(10)).await;
    assert!(!world.failed(id, 2).await.possible_duplicate);
    world.stop.cancel();
    worker.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_chat_that_is_down_is_asked_now_and_then() {
    let chat = FakeChat::start(vec![], Answer::Say(502, "", "<html>Bad Gateway</html>".into())).await;
    let (world, hook) = (World::new(), webhook(&chat.url));
    for group in 1..=50 {
        world.owe(&hook, group, Reason::Post);
    }
    let worker = world.run(&hook);
    chat.until(4).await;
    world.pass(&hook, Duration::ZERO).await;
    assert!(world.begun() <= 8, "{} calls to a dead endpoint", world.begun());
    world.stop.cancel();
    worker.await.unwrap().unwrap();
}

#[tokio::test]
async fn when_a_chat_is_back_all_is_told_at_once_whatever_their_back_off() {
    let down = Answer::Say(502, "", "<html>Bad Gateway</html>".into());
    let chat = FakeChat::start(vec![down; 27], Answer::Say(200, "", "ok".into())).await;
    let (world, hook) = (World::new(), webhook(&chat.url));
    let rows: Vec<DeliveryId> = (1..=3).map(|group| world.owe(&hook, group, Reason::Post)).collect();
    let worker = world.run(&hook);
    // Long enough for back-offs of some minutes; longer than a channel's pause, so that each round asks.
    while chat.asked().len() <= 27 {
        world.pass(&hook, Duration::from_secs(61)).await;
    }
    for id in rows {
        world.done(id, DeliveryOutcome::Sent).await;
    }
    world.finish(worker).await;
}

#[tokio::test]
async fn a_deleted_message_is_posted_anew_once() {
    let gone = || no("message_not_found");
    let (world, chat) = (World::new(), FakeChat::slack(vec![yes(), gone()]).await);
    let ops = slack(&chat.url, "C1");
    let worker = world.run(&ops);
    world.done(world.owe(&ops, 1, Reason::Post), DeliveryOutcome::Sent).await;
    world.store.revise(1, |_, _| ());
    let edit = world.owe(&ops, 1, Reason::Edit);
    world.done(edit, DeliveryOutcome::Sent).await;
    assert_eq!(chat.methods(), ["chat.postMessage", "chat.update", "chat.postMessage"]);
    assert_eq!(world.message(&ops, 1).unwrap().revision, 2);

    world.pass(&ops, Duration::from_secs(10)).await;
    chat.script(gone());
    world.store.revise(1, |_, _| ());
    world.done(world.owe(&ops, 1, Reason::Edit), DeliveryOutcome::Void).await;
    assert_eq!(chat.asked().len(), 4);
    // News is another matter.
    world.done(world.owe(&ops, 1, Reason::Reply), DeliveryOutcome::Sent).await;
    assert_eq!(chat.methods().last().unwrap(), "chat.postMessage");
    world.finish(worker).await;
}

#[tokio::test]
async fn a_chat_with_a_new_id_is_followed_for_good_and_its_messages_are_posted_anew() {
    let moved = telegram_no(400, "Bad Request: group chat was upgraded", json!({ "migrate_to_chat_id": -1003 }));
    let chat = FakeChat::start(vec![telegram_ok(41, -300), moved, telegram_ok(1, -1003)], telegram_ok(2, -1003)).await;
    let (world, group) = (World::new(), telegram(&chat.url, -300));
    let worker = world.run(&group);
    world.done(world.owe(&group, 1, Reason::Post), DeliveryOutcome::Sent).await;
    world.store.revise(1, |_, _| ());
    let edit = world.owe(&group, 1, Reason::Edit);
    // Each call waits for the second that a chat gets.
    for _ in 0..2 {
        world.pass(&group, Duration::from_secs(2)).await;
        chat.until(2).await;
    }
    world.pass(&group, Duration::from_secs(2)).await;
    world.done(edit, DeliveryOutcome::Sent).await;
    let asked = chat.asked();
    assert_eq!(chat.methods(), ["sendMessage", "editMessageText", "sendMessage"]);
    assert_eq!((&asked[1].body["chat_id"], &asked[2].body["chat_id"]), (&json!(-300), &json!(-1003)));
    assert_eq!(world.store.lock().tables["telegram_chats/-300"], "-1003");
    world.stop.cancel();
    worker.await.unwrap().unwrap();

    let restarted = World::over(Arc::clone(&world.store));
    restarted.context.clock.not_before(world.now() + Duration::from_secs(60));
    let worker = restarted.run(&group);
    restarted.done(restarted.owe(&group, 2, Reason::Post), DeliveryOutcome::Sent).await;
    assert_eq!(chat.asked().last().unwrap().body["chat_id"], -1003);
    restarted.finish(worker).await;
}

#[tokio::test]
async fn a_chat_that_moves_in_circles_is_a_refusing_target() {
    let moved = |to: i64| telegram_no(400, "upgraded", json!({ "migrate_to_chat_id": to }));
    let chat = FakeChat::start(vec![moved(-2), moved(-2)], telegram_ok(1, -2)).await;
    let (world, group) = (World::new(), telegram(&chat.url, -1));
    let worker = world.run(&group);
    let id = world.owe(&group, 1, Reason::Post);
    world.store.until("the move", |kept| kept.tables.contains_key("telegram_chats/-1")).await;
    world.pass(&group, Duration::from_secs(2)).await;
    world
        .store
        .until("the refusal", |kept| kept.rows[&id].attempts == 2 && kept.rows[&id].not_before > world.now())
        .await;
    assert_eq!(world.store.row(id).error.as_deref(), Some("the chat moves in circles, last to -2"));
    world.stop.cancel();
    worker.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_telegram_note_answers_the_message_and_an_unchanged_edit_is_a_success() {
    let same = telegram_no(400, "Bad Request: message is not modified: exactly the same", json!({}));
    let chat = FakeChat::start(vec![telegram_ok(41, -100), same], telegram_ok(42, -100)).await;
    let (world, group) = (World::new(), telegram(&chat.url, -100));
    let worker = world.run(&group);
    world.done(world.owe(&group, 1, Reason::Post), DeliveryOutcome::Sent).await;
    world.store.revise(1, |_, _| ());
    let reply = world.owe(&group, 1, Reason::Reply);
    world.pass(&group, Duration::from_secs(2)).await;
    chat.until(2).await;
    world.pass(&group, Duration::from_secs(2)).await;
    world.done(reply, DeliveryOutcome::Sent).await;
    assert_eq!(chat.methods(), ["sendMessage", "editMessageText", "sendMessage"]);
    let note = &chat.asked()[2].body;
    assert_eq!(note["reply_parameters"], json!({ "message_id": 41, "allow_sending_without_reply": true }));
    assert_eq!(world.message(&group, 1).unwrap().platform_id.as_deref(), Some("41"));
    world.finish(worker).await;
}
