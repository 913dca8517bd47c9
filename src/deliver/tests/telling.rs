//! The good days: one living message, one call for many rows, the order of commits.

use super::*;

#[tokio::test]
async fn a_trouble_is_posted_then_edited_and_a_reply_edits_and_notes_in_the_thread() {
    let (world, chat) = (World::new(), FakeChat::slack(vec![]).await);
    let ops = slack(&chat.url, "#ops");
    let worker = world.run(&ops);
    let post = world.owe(&ops, 1, Reason::Post);
    world.done(post, DeliveryOutcome::Sent).await;
    let told = world.message(&ops, 1).unwrap();
    let (platform_id, place) = (told.platform_id.as_deref(), told.place.as_deref());
    assert_eq!((platform_id, place, told.revision), (Some("17.1"), Some("C9"), 1));

    world.store.revise(1, |_, _| ());
    world.done(world.owe(&ops, 1, Reason::Edit), DeliveryOutcome::Sent).await;
    assert_eq!(world.message(&ops, 1).unwrap().revision, 2);
    // The message shows it already.
    world.done(world.owe(&ops, 1, Reason::Edit), DeliveryOutcome::Void).await;

    world.store.revise(1, |_, incidents| incidents[0].count += 1);
    world.done(world.owe(&ops, 1, Reason::Reply), DeliveryOutcome::Sent).await;
    world.store.revise(1, |_, incidents| incidents[0].state = State::Resolved);
    world.pass(&ops, Duration::from_secs(10)).await;
    world.done(world.owe(&ops, 1, Reason::Reply), DeliveryOutcome::Sent).await;

    let (post, edit, note) = ("chat.postMessage", "chat.update", "chat.postMessage");
    assert_eq!(chat.methods(), [post, edit, edit, note, edit, note]);
    let asked = chat.asked();
    assert!(asked[0].head.contains("authorization: bearer xoxb-"), "{}", asked[0].head);
    assert_eq!((&asked[0].body["channel"], &asked[0].body["thread_ts"]), (&json!("#ops"), &json!(null)));
    assert_eq!((&asked[1].body["channel"], &asked[1].body["ts"]), (&json!("C9"), &json!("17.1")));
    assert_eq!((&asked[3].body["thread_ts"], &asked[3].body["reply_broadcast"]), (&json!("17.1"), &json!(true)));
    assert_eq!((&asked[5].body["thread_ts"], &asked[5].body["reply_broadcast"]), (&json!("17.1"), &json!(null)));
    let text = |call: usize| asked[call].body["text"].as_str().unwrap();
    let blocks = |call: usize| asked[call].body["attachments"][0]["blocks"][0]["text"]["text"].as_str();
    assert!(text(2).starts_with("🔴 `cam1` — ") && blocks(2).unwrap().contains("*Where:*"), "{}", asked[2].body);
    assert!(!blocks(2).unwrap().contains(text(2)), "the first line is said twice: {}", asked[2].body);
    assert!(text(3).contains("cam1") && blocks(3).is_none(), "{}", asked[3].body);
    assert!(world.metric(r#"pushwatch_notifications_total{channel="slack",reason="reply",outcome="sent"} 2"#));
    assert!(world.metric(r#"pushwatch_outbox_rows{channel="slack",state="pending"} 0"#));
    assert!(world.metric(r#"pushwatch_notification_delay_seconds_count{channel="slack"} 4"#));
    world.finish(worker).await;
}

#[tokio::test]
async fn rows_of_a_group_that_wait_together_are_told_by_one_call_as_things_are_now() {
    let (world, chat) = (World::new(), FakeChat::slack(vec![]).await);
    let ops = slack(&chat.url, "C1");
    let reasons = [Reason::Edit, Reason::Reply, Reason::Post, Reason::Edit];
    let rows = reasons.map(|reason| world.owe(&ops, 1, reason));
    world.store.revise(1, |_, incidents| incidents[0].count = 4711);
    let worker = world.run(&ops);
    world.done(rows[2], DeliveryOutcome::Sent).await;
    // The first edit came when nothing was told; the others are in the post.
    let outcomes = rows.map(|id| world.store.row(id).outcome.unwrap().as_str());
    assert_eq!(outcomes, ["void", "coalesced", "sent", "coalesced"]);
    assert_eq!(chat.asked().len(), 1);
    let text = chat.asked()[0].body.to_string();
    assert!(text.contains("4,711"), "{text}");
    assert_eq!(world.message(&ops, 1).unwrap().revision, 2);
    world.finish(worker).await;
}

#[tokio::test]
async fn a_chat_that_cannot_edit_gets_posts_and_no_edits() {
    let chat = FakeChat::start(vec![], Answer::json(200, json!({ "errcode": 0, "errmsg": "ok" }))).await;
    let (world, group) = (World::new(), wecom(&chat.url, "k&y=1"));
    let worker = world.run(&group);
    world.done(world.owe(&group, 1, Reason::Post), DeliveryOutcome::Sent).await;
    world.store.revise(1, |_, _| ());
    world.done(world.owe(&group, 1, Reason::Edit), DeliveryOutcome::Void).await;
    world.done(world.owe(&group, 1, Reason::Reply), DeliveryOutcome::Sent).await;
    let paths: Vec<String> = chat.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/cgi-bin/webhook/send?key=k%26y%3D1"; 2]);
    assert_eq!(world.message(&group, 1).unwrap().revision, 2);
    world.finish(worker).await;
}

#[tokio::test]
async fn only_incidents_that_concern_the_channel_are_told() {
    let (world, chat) = (World::new(), FakeChat::slack(vec![]).await);
    let ops = slack(&chat.url, "C1");
    world.store.group(1, &ChannelName::new("somebody else"));
    let worker = world.run(&ops);
    world.done(world.owe(&ops, 1, Reason::Post), DeliveryOutcome::Void).await;
    world.done(world.store.owe(&ops.name, 404, Reason::Post, world.now()), DeliveryOutcome::Void).await;
    assert!(chat.asked().is_empty());
    world.finish(worker).await;
}

#[tokio::test]
async fn a_message_is_brought_to_its_end_though_new_rules_took_its_incident_from_the_channel() {
    let (world, chat) = (World::new(), FakeChat::slack(vec![]).await);
    let ops = slack(&chat.url, "C1");
    let worker = world.run(&ops);
    world.done(world.owe(&ops, 1, Reason::Post), DeliveryOutcome::Sent).await;
    world.store.revise(1, |group, incidents| {
        group.closed_at = Some(Timestamp(9));
        incidents[0].state = State::Resolved;
        incidents[0].notify = [].into();
    });
    world.done(world.owe(&ops, 1, Reason::Edit), DeliveryOutcome::Sent).await;
    assert_eq!(world.message(&ops, 1).unwrap().revision, 2);
    let shown = chat.asked().last().unwrap().body.to_string();
    assert!(shown.contains("#1"), "{shown}");
    world.finish(worker).await;
}

#[tokio::test]
async fn a_message_is_brought_to_its_end_though_its_incident_moved_to_another_group() {
    let (world, chat) = (World::new(), FakeChat::slack(vec![]).await);
    let ops = slack(&chat.url, "C1");
    let robot = FakeChat::start(vec![], Answer::json(200, json!({ "errcode": 0 }))).await;
    let fixed = wecom(&robot.url, "k");
    let workers = [world.run(&ops), world.run(&fixed)];
    world.store.group(1, &ops.name);
    world
        .store
        .revise(1, |_, incidents| incidents[0].notify = [incidents[0].notify[0].clone(), fixed.name.clone()].into());
    world.done(world.owe(&ops, 1, Reason::Post), DeliveryOutcome::Sent).await;
    world.done(world.owe(&fixed, 1, Reason::Post), DeliveryOutcome::Sent).await;
    // The group closes, and before that is told its only incident comes back in another group.
    world.store.revise(1, |group, incidents| {
        group.closed_at = Some(Timestamp(9));
        incidents.clear();
    });
    world.done(world.owe(&ops, 1, Reason::Edit), DeliveryOutcome::Sent).await;
    world.done(world.owe(&fixed, 1, Reason::Post), DeliveryOutcome::Sent).await;
    for (channel, chat) in [(&ops, &chat), (&fixed, &robot)] {
        assert_eq!(world.message(channel, 1).unwrap().revision, 3);
        let shown: Vec<String> = chat.asked().iter().map(|asked| asked.body.to_string()).collect();
        assert!(shown[0].contains("🔴") && shown[1].contains("⚪") && !shown[1].contains("🔴"), "{shown:?}");
    }
    world.stop.cancel();
    for worker in workers {
        worker.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_call_is_on_record_before_it_is_made_and_nothing_is_called_while_the_disk_says_no() {
    let release = Arc::new(Notify::new());
    let chat = FakeChat::slack(vec![Answer::Held(Arc::clone(&release), Box::new(yes()))]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    world.store.lock().failing = 1;
    let worker = world.run(&ops);
    let id = world.owe(&ops, 1, Reason::Post);
    chat.until(1).await;
    let row = world.store.row(id);
    assert_eq!((row.state, row.attempts, world.store.lock().failing), (DeliveryState::Sending, 1, 0));
    assert_eq!(world.store.lock().attempts.len(), 1);
    assert!(world.store.lock().attempts[0].budget.starts_with("slack-"));
    release.notify_one();
    let row = world.done(id, DeliveryOutcome::Sent).await;
    assert_eq!((row.state, row.attempts, row.possible_duplicate), (DeliveryState::Done, 1, false));
    assert!(row.done_at >= Some(row.notification.at));
    world.finish(worker).await;
}

#[tokio::test]
async fn news_that_comes_during_a_call_is_told_by_the_next() {
    let release = Arc::new(Notify::new());
    let chat = FakeChat::slack(vec![Answer::Held(Arc::clone(&release), Box::new(yes()))]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let worker = world.run(&ops);
    let post = world.owe(&ops, 1, Reason::Post);
    chat.until(1).await;
    world.store.revise(1, |_, _| ());
    let edit = world.owe(&ops, 1, Reason::Edit);
    world.pass(&ops, Duration::ZERO).await;
    assert_eq!(world.begun(), 1);
    release.notify_one();
    world.done(post, DeliveryOutcome::Sent).await;
    world.done(edit, DeliveryOutcome::Sent).await;
    assert_eq!(chat.methods(), ["chat.postMessage", "chat.update"]);
    world.finish(worker).await;
}

#[tokio::test]
async fn a_group_that_changes_while_it_is_edited_still_gets_its_note() {
    let release = Arc::new(Notify::new());
    let chat = FakeChat::slack(vec![yes(), Answer::Held(Arc::clone(&release), Box::new(yes()))]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let worker = world.run(&ops);
    world.done(world.owe(&ops, 1, Reason::Post), DeliveryOutcome::Sent).await;
    world.store.revise(1, |_, _| ());
    let reply = world.owe(&ops, 1, Reason::Reply);
    chat.until(2).await;
    world.store.revise(1, |_, _| ());
    release.notify_one();
    world.done(reply, DeliveryOutcome::Sent).await;
    assert_eq!(chat.methods(), ["chat.postMessage", "chat.update", "chat.postMessage"]);
    world.finish(worker).await;
}

#[tokio::test]
async fn an_unbudgeted_webhook_has_four_calls_under_way_and_names_each_delivery() {
    let release = Arc::new(Notify::new());
    let held = || Answer::Held(Arc::clone(&release), Box::new(Answer::Say(204, "", String::new())));
    let chat = FakeChat::start(vec![held(), held(), held(), held()], Answer::Say(200, "", String::new())).await;
    let (world, hook) = (World::new(), webhook(&chat.url));
    let posts = (1..=3).map(|group| world.owe(&hook, group, Reason::Post));
    let rows: Vec<DeliveryId> = posts.chain((0..3).map(|_| world.owe_notice(&hook))).collect();
    let worker = world.run(&hook);
    chat.until(4).await;
    world.pass(&hook, Duration::ZERO).await;
    assert_eq!(world.begun(), 4);
    (0..4).for_each(|_| release.notify_one());
    release.notify_waiters();
    for id in rows {
        world.done(id, DeliveryOutcome::Sent).await;
    }
    let asked = chat.asked();
    let first = asked.iter().find(|asked| asked.body["delivery_id"] == 1).unwrap();
    assert!(first.head.contains("idempotency-key: pushwatch-1\r\n"), "{}", first.head);
    assert!(first.head.contains("x-key: h-"), "{}", first.head);
    assert_eq!(first.body["facts"]["revision"], json!(1));
    assert!(world.store.lock().attempts.is_empty(), "an unbudgeted call is put on record");
    world.finish(worker).await;
}

#[tokio::test]
async fn channels_of_one_robot_share_its_budget() {
    let chat = FakeChat::start(vec![], Answer::json(200, json!({ "errcode": 0 }))).await;
    let (world, first) = (World::new(), wecom(&chat.url, "robot"));
    let second = channel("wecom too", first.target.clone());
    let workers = [world.run(&first), world.run(&second)];
    for _ in 0..30 {
        world.owe_notice(&first);
        world.owe_notice(&second);
    }
    let sent = |kept: &Inner| kept.rows.values().filter(|row| row.outcome == Some(DeliveryOutcome::Sent)).count();
    world.store.until("the burst", |kept| sent(kept) >= 6).await;
    for channel in [&first, &second] {
        world.pass(channel, Duration::ZERO).await;
    }
    assert!(world.begun() <= 7, "{} calls at once", world.begun());
    for _ in 0..20 {
        world.pass(&first, Duration::from_secs(1)).await;
        world.pass(&second, Duration::from_secs(1)).await;
    }
    assert!(world.begun() <= 17, "{} calls in a minute", world.begun());
    world.stop.cancel();
    for worker in workers {
        worker.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn the_console_prints() {
    let world = World::new();
    let console = channel("console", Target::Console);
    let worker = world.run(&console);
    world.done(world.owe(&console, 1, Reason::Post), DeliveryOutcome::Sent).await;
    let printed = String::from_utf8(world.printed.lock().unwrap().clone()).unwrap();
    assert!(printed.starts_with("\n🔴 cam1 ") && printed.ends_with('\n'), "{printed}");
    world.finish(worker).await;
}

#[tokio::test]
async fn stopping_finishes_what_is_under_way_and_keeps_the_rest() {
    let release = Arc::new(Notify::new());
    let chat = FakeChat::slack(vec![Answer::Held(Arc::clone(&release), Box::new(yes()))]).await;
    let (world, ops) = (World::new(), slack(&chat.url, "C1"));
    let (first, second) = (world.owe(&ops, 1, Reason::Post), world.owe(&ops, 2, Reason::Post));
    let worker = world.run(&ops);
    chat.until(1).await;
    world.stop.cancel();
    release.notify_one();
    worker.await.unwrap().unwrap();
    assert_eq!(world.store.row(first).outcome, Some(DeliveryOutcome::Sent));
    let row = world.store.row(second);
    assert_eq!((row.state, row.attempts, chat.asked().len()), (DeliveryState::Pending, 0, 1));
}

#[tokio::test]
async fn a_channel_that_was_taken_out_leaves_no_row_without_an_outcome() {
    let world = World::new();
    let gone = channel("gone", Target::Console);
    let rows = [1, 2].map(|group| world.owe(&gone, group, Reason::Post));
    world.store.lock().keyed.insert((gone.name.clone(), "digest".into(), "7".into()), "{}".into());
    retire(&gone.name, &world.context).await.unwrap();
    assert!(world.store.lock().keyed.is_empty(), "and no digest to be brought to its end");
    for id in rows {
        let row = world.store.row(id);
        assert_eq!((row.state, row.outcome), (DeliveryState::Done, Some(DeliveryOutcome::ChannelRemoved)));
    }
    assert!(world.metric(r#"pushwatch_notifications_total{channel="gone",reason="post",outcome="channel_removed"} 2"#));
}

#[tokio::test]
async fn on_telegram_buttons_stand_below_a_message_through_its_edits_for_as_long_as_something_fires() {
    let yes = json!({ "ok": true, "result": { "message_id": 42, "chat": { "id": -100 } } });
    let (world, chat) = (World::new(), FakeChat::start(vec![], Answer::json(200, yes)).await);
    let ops = Channel { allow: crate::model::Allow::Everyone, ..Channel::clone(&telegram(&chat.url, -100)) };
    let ops = Arc::new(ops);
    let worker = world.run(&ops);
    world.done(world.owe(&ops, 1, Reason::Post), DeliveryOutcome::Sent).await;
    world.store.revise(1, |_, incidents| {
        incidents[0].ack = Some(Box::new(crate::model::Ack { by: "ann".into(), at: Timestamp(0) }));
    });
    world.done(world.owe(&ops, 1, Reason::Edit), DeliveryOutcome::Sent).await;
    world.store.revise(1, |_, incidents| incidents[0].state = State::Resolved);
    world.pass(&ops, Duration::from_secs(20)).await;
    world.done(world.owe(&ops, 1, Reason::Edit), DeliveryOutcome::Sent).await;
    assert_eq!(chat.methods(), ["sendMessage", "editMessageText", "editMessageText"]);
    let keys: Vec<Vec<String>> = chat
        .asked()
        .iter()
        .map(|asked| {
            let rows = asked.body["reply_markup"]["inline_keyboard"].as_array();
            let row = rows.map(|rows| rows[0].as_array().unwrap().as_slice()).unwrap_or_default();
            row.iter().map(|key| key["callback_data"].as_str().unwrap().to_owned()).collect()
        })
        .collect();
    assert_eq!(keys[0], ["mute:1", "ack:1", "details:1"]);
    assert_eq!(keys[1], ["mute:1", "details:1"], "an edit without them would take them away");
    assert_eq!(keys[2], [""; 0], "what is over has none");
    assert_eq!(chat.asked()[2].body.get("reply_markup"), None);
    world.finish(worker).await;
}
