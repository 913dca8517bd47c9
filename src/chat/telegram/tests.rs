//! Telegram's door against a fake Telegram: what is followed and answered, and what changes nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::model::{ChatOutcome, Verdict};

mod fake;
pub(in crate::chat) mod kit;
use kit::{House, NOW, click, message};

/// Group -5, where 7 may command.
const ONE: &str = "t: { type: telegram, token: '1:s3cr3t', chat_id: -5, allow: [7], api_url: 'URL' }";
const HOOK: &str =
    "t: { type: telegram, token: '1:s3cr3t', chat_id: -5, allow: [7], api_url: 'URL', webhook_secret: hush }";

/// What Telegram says to an answer to an old click.
fn too_old() -> Value {
    let why = "Bad Request: query is too old and response timeout expired or query ID is invalid";
    json!({ "ok": false, "error_code": 400, "description": why })
}

#[tokio::test]
async fn a_command_is_asked_for_followed_and_answered_below_itself() {
    let house = House::new(ONE).await;
    house.fake.happens(message(7, -5, "/mute@alert_BOT cam1 1h the encoder"));
    let sent = house.fake.until("sendMessage", 1).await;
    assert_eq!((&sent[0]["chat_id"], &sent[0]["reply_parameters"]["message_id"]), (&json!(-5), &json!(11)));
    assert!(sent[0]["text"].as_str().unwrap().starts_with("Muted until"), "{}", sent[0]);
    assert_eq!(sent[0].get("message_thread_id"), None);
    let mutes = house.mutes().await;
    assert_eq!((mutes.len(), &*mutes[0].author, &*mutes[0].reason), (1, "Ann", "the encoder"));
    assert_eq!(*house.delivery.spent.lock().unwrap(), 1, "an answer costs the chat's budget");
    assert_eq!(house.counted(ChatOutcome::Done), 1);
}

#[tokio::test]
async fn the_menu_is_set_in_both_languages_before_anything_is_asked() {
    let house = House::new(ONE).await;
    house.fake.until_asked("1:s3cr3t", 1).await;
    let menus = house.fake.calls("setMyCommands");
    assert_eq!(menus.len(), 2);
    assert_eq!((menus[0].get("language_code"), menus[1]["language_code"].as_str()), (None, Some("zh")));
    assert!(house.fake.calls("deleteWebhook").is_empty(), "what somebody else has set is not ours to remove");
}

#[tokio::test]
async fn a_stranger_is_told_their_id_and_whoever_is_elsewhere_nothing_and_neither_changes_anything() {
    let house = House::new(ONE).await;
    house.fake.happens(message(7, -6, "/mute cam1 1h"));
    house.fake.happens(message(7, 7, "/mute cam1 1h"));
    house.fake.happens(message(7, -5, "/mute@other_bot cam1 1h"));
    house.fake.happens(message(7, -5, "/weather"));
    house.fake.happens(message(7, -5, "no command"));
    house.fake.happens(json!({ "edited_message": message(7, -5, "/mute cam1 1h")["message"] }));
    let mut forwarded = message(7, -5, "/mute cam1 1h");
    forwarded["message"]["forward_origin"] = json!({ "type": "hidden_user", "date": 1, "sender_user_name": "x" });
    house.fake.happens(forwarded);
    house.fake.happens(message(8, -5, "/mute cam1 1h"));
    let sent = house.fake.until("sendMessage", 1).await;
    house.fake.until_heard().await;
    let text = sent[0]["text"].as_str().unwrap();
    assert!(text.contains("Your user id is 8"), "{text}");
    assert_eq!((sent.len(), house.mutes().await.len()), (1, 0));
    let audit = house.audit().await;
    assert_eq!(
        audit.iter().map(|record| (&*record.who, record.verdict)).collect::<Vec<_>>(),
        [("Ann (8)", Verdict::Refused)]
    );
    assert_eq!((house.counted(ChatOutcome::Ignored), house.counted(ChatOutcome::Forbidden)), (7, 1));
}

#[tokio::test]
async fn an_update_is_followed_once_also_after_a_restart() {
    let house = House::new(ONE).await;
    let mut update = message(7, -5, "/mute cam1 1h");
    update["update_id"] = json!(house.fake.happens(update.clone()));
    house.fake.until("sendMessage", 1).await;
    house.fake.until_heard().await;
    house.fake.happens_again(update.clone());
    house.fake.until_heard().await;
    let house = house.restart(ONE).await;
    house.fake.happens_again(update);
    house.fake.until_heard().await;
    house.fake.happens(message(7, -5, "/mutes"));
    house.fake.until("sendMessage", 2).await;
    let said: Vec<String> = house.audit().await.iter().map(|record| record.what.to_string()).collect();
    assert_eq!(said, ["mute cam1 1h", "mutes"]);
}

#[tokio::test]
async fn what_was_followed_and_not_put_on_record_is_followed_again_and_is_one_mute() {
    let house = House::new(ONE).await;
    let mut update = message(7, -5, "/mute cam1 1h");
    update["update_id"] = json!(house.fake.happens(update.clone()));
    house.fake.until("sendMessage", 1).await;
    house.forget("1").await;
    let house = house.restart(ONE).await;
    house.fake.happens_again(update);
    let sent = house.fake.until("sendMessage", 2).await;
    assert!(sent[1]["text"].as_str().unwrap().starts_with("Already muted"), "{}", sent[1]);
    assert_eq!((house.mutes().await.len(), house.audit().await.len()), (1, 2));
}

#[tokio::test]
async fn what_was_said_while_nobody_listened_is_not_followed_and_that_is_said_once() {
    let house = House::new(ONE).await;
    for age in [301, 3600] {
        let mut old = message(7, -5, "/mute cam1 30m");
        old["message"]["date"] = json!(NOW / 1000 - age);
        house.fake.happens(old);
    }
    house.fake.happens(message(7, -5, "/mutes"));
    let sent = house.fake.until("sendMessage", 2).await;
    let texts: Vec<&str> = sent.iter().map(|sent| sent["text"].as_str().unwrap()).collect();
    assert!(texts.contains(&"Nothing is muted."), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("has come only now")), "{texts:?}");
    let audit = house.audit().await;
    assert_eq!((audit.len(), audit[0].verdict, audit[1].verdict), (3, Verdict::Refused, Verdict::Refused));
}

#[tokio::test]
async fn topics_keep_to_themselves() {
    let house =
        House::new("t: { type: telegram, token: '1:s3cr3t', chat_id: -5, thread_id: 5, allow: [7], api_url: 'URL' }")
            .await;
    house.fake.happens(message(7, -5, "/mutes"));
    for thread in [6, 5] {
        let mut update = message(7, -5, "/mutes");
        update["message"]["message_thread_id"] = json!(thread);
        update["message"]["is_topic_message"] = json!(true);
        house.fake.happens(update);
    }
    let sent = house.fake.until("sendMessage", 1).await;
    house.fake.until_heard().await;
    assert_eq!((sent.len(), &sent[0]["message_thread_id"]), (1, &json!(5)));
    assert_eq!(house.counted(ChatOutcome::Ignored), 2);
}

#[tokio::test]
async fn of_several_channels_of_a_chat_the_one_that_lets_them_is_spoken_in() {
    let two = "t: { type: telegram, token: '1:s3cr3t', chat_id: -5, allow: [8], api_url: 'URL' }, \
               u: { type: telegram, token: '1:s3cr3t', chat_id: -5, allow: [7], language: zh, api_url: 'URL' }";
    let house = House::new(two).await;
    house.fake.happens(message(7, -5, "/mutes"));
    house.fake.happens(message(9, -5, "/mutes"));
    house.fake.until("sendMessage", 2).await;
    let places: Vec<String> = house.audit().await.iter().map(|record| record.place.to_string()).collect();
    assert_eq!(places, ["u", "t"]);
    house.fake.until_asked("1:s3cr3t", 1).await;
    assert_eq!(house.fake.contested(), 0, "one bot is asked once");
}

#[tokio::test]
async fn a_click_is_followed_in_the_channel_of_its_message_whatever_others_its_chat_has() {
    let two = "s: { type: telegram, token: '1:s3cr3t', chat_id: -5, allow: [7], api_url: 'URL' }, \
               t: { type: telegram, token: '1:s3cr3t', chat_id: -5, allow: [7], api_url: 'URL' }";
    let house = House::new(two).await;
    house.report(&["cam1".to_owned()]).await;
    house.fake.happens(click(7, -5, "ack:1"));
    house.fake.happens(click(7, -5, "ack:9"));
    house.fake.until("answerCallbackQuery", 2).await;
    house.fake.until_heard().await;
    let audit = house.audit().await;
    let places: Vec<_> = audit.iter().map(|record| (&*record.place, record.verdict)).collect();
    assert_eq!(places, [("t", Verdict::Done), ("s", Verdict::Refused)], "by default only t is told");
}

#[tokio::test]
async fn a_click_is_always_answered_and_a_mute_shows_as_a_toast() {
    let house = House::new(ONE).await;
    house.fake.happens(message(7, -5, "/mutes"));
    house.fake.until("sendMessage", 1).await;
    house.fake.until_heard().await;
    house.fake.happens(click(7, -5, "confirm:9"));
    house.fake.happens(click(8, -5, "confirm:9"));
    house.fake.happens(click(7, -5, "forged"));
    house.fake.happens(click(7, -6, "confirm:9"));
    let toasts = house.fake.until("answerCallbackQuery", 3).await;
    house.fake.until_heard().await;
    let mut shown: Vec<(&str, bool)> =
        toasts.iter().map(|toast| (toast["text"].as_str().unwrap(), toast["show_alert"].as_bool().unwrap())).collect();
    shown.sort_unstable();
    assert_eq!(shown[0], ("", false), "no button of ours");
    assert!(shown[1].0.contains("You may not give commands here") && shown[1].1, "{shown:?}");
    assert!(shown[2].0.contains("You were not asked #9") && shown[2].1, "{shown:?}");
    assert_eq!(house.fake.calls("answerCallbackQuery").len(), 3, "whoever is elsewhere gets silence");
    assert_eq!(house.fake.calls("sendMessage").len(), 1, "short words need no message");
}

#[tokio::test]
async fn a_click_that_waited_for_us_is_followed_if_telegram_still_takes_an_answer() {
    let house = House::new(ONE).await;
    house.fake.script("answerCallbackQuery", 400, too_old());
    house.fake.happens(click(7, -5, "confirm:8"));
    house.fake.happens(click(7, -5, "confirm:9"));
    let toasts = house.fake.until("answerCallbackQuery", 2).await;
    assert_eq!(toasts[1]["text"], "", "the words come as a message then");
    let sent = house.fake.until("sendMessage", 1).await;
    assert!(sent[0]["text"].as_str().unwrap().contains("#9"), "{}", sent[0]);
    let said: Vec<String> = house.audit().await.iter().map(|record| record.what.to_string()).collect();
    assert_eq!(said, ["button confirm:9"]);
}

#[tokio::test]
async fn a_click_that_waited_is_not_lost_to_the_network_nor_followed_late_because_of_it() {
    let house = House::new(ONE).await;
    let limited = json!({ "ok": false, "error_code": 429, "description": "x", "parameters": { "retry_after": 1 } });
    house.fake.script("answerCallbackQuery", 502, json!("<html>"));
    house.fake.script("answerCallbackQuery", 429, limited);
    house.fake.happens(click(7, -5, "confirm:9"));
    house.fake.until("sendMessage", 1).await;
    let house = house.restart(ONE).await;
    house.fake.script("answerCallbackQuery", 502, json!("<html>"));
    house.fake.script("answerCallbackQuery", 400, too_old());
    house.fake.happens(click(7, -5, "confirm:8"));
    house.fake.until("answerCallbackQuery", 5).await;
    house.fake.until_heard().await;
    let said: Vec<String> = house.audit().await.iter().map(|record| record.what.to_string()).collect();
    assert_eq!(said, ["button confirm:9"]);
}

#[tokio::test]
async fn an_answer_waits_for_the_budget_and_obeys_a_limit_in_full() {
    let house = House::new(ONE).await;
    house.delivery.wait.lock().unwrap().push(50);
    let limited = json!({ "ok": false, "error_code": 429, "description": "x", "parameters": { "retry_after": 700 } });
    house.fake.script("sendMessage", 429, limited);
    house.fake.happens(message(7, -5, "/mutes"));
    house.fake.until("sendMessage", 1).await;
    house.fake.happens(message(7, -5, "/rules"));
    house.fake.until("sendMessage", 2).await;
    assert_eq!(house.fake.calls("sendMessage").len(), 2, "nobody waits 700 s for an answer, nor is it sent sooner");
    assert_eq!(*house.delivery.held.lock().unwrap(), [Duration::from_secs(700)]);
}

#[tokio::test]
async fn a_group_that_moves_is_followed_and_heard_under_its_new_id() {
    let house = House::new(ONE).await;
    let mut moved = message(7, -5, "x");
    moved["message"]["migrate_to_chat_id"] = json!(-1009);
    house.fake.happens(moved);
    house.fake.happens(message(7, -1009, "/mutes"));
    let sent = house.fake.until("sendMessage", 1).await;
    assert_eq!(sent[0]["chat_id"], -1009);
    assert_eq!(*house.delivery.homes.lock().unwrap(), [(-5, -1009)]);
}

#[tokio::test]
async fn the_rules_say_which_bots_are_asked_and_none_is_asked_twice() {
    let house = House::new(ONE).await;
    house.fake.until_asked("1:s3cr3t", 1).await;
    house.reload("t: { type: telegram, token: '1:s3cr3t', chat_id: -5, allow: [7, 8], api_url: 'URL' }");
    house.fake.happens(message(8, -5, "/mutes"));
    let sent = house.fake.until("sendMessage", 1).await;
    assert_eq!(sent[0]["text"], "Nothing is muted.", "whom a reload lets in");
    house.reload("t: { type: telegram, token: '2:other', chat_id: -5, allow: [7], api_url: 'URL' }");
    house.fake.until_asked("1:s3cr3t", 0).await;
    house.fake.until_asked("2:other", 1).await;
    house.reload("t: { type: telegram, token: '2:other', chat_id: -5, api_url: 'URL' }");
    house.fake.until_asked("2:other", 0).await;
    house.reload(ONE);
    house.fake.until_asked("1:s3cr3t", 1).await;
    assert_eq!(house.fake.contested(), 0);
}

#[tokio::test]
async fn it_stops_promptly_though_a_question_is_open() {
    let house = House::new(ONE).await;
    house.fake.until_asked("1:s3cr3t", 1).await;
    // A question stays open for 25 s.
    let stopped = tokio::time::timeout(Duration::from_secs(10), house.stop()).await;
    assert!(stopped.is_ok());
}

#[tokio::test]
async fn updates_are_brought_with_the_secret_and_taken_once() {
    let house = House::new(HOOK).await;
    let mut update = message(7, -5, "/mute cam1 1h");
    update["update_id"] = json!(5);
    assert_eq!(house.bring("/chat/telegram/t", Some("hush"), &update).await, 200);
    assert_eq!(house.bring("/chat/telegram/t", Some("hush"), &update).await, 200);
    house.fake.until("sendMessage", 1).await;
    assert_eq!((house.mutes().await.len(), house.audit().await.len()), (1, 1));
    assert!(house.fake.calls("setWebhook").is_empty(), "without public_url it is the operator's to set");
    house.fake.until_asked("1:s3cr3t", 0).await;
}

#[tokio::test]
async fn a_click_that_is_brought_is_known_to_have_waited_if_telegram_could_not_bring_it_before() {
    let brings = |error_date: Option<i64>| json!({ "ok": true, "result": { "last_error_date": error_date } });
    let now = NOW / 1000;
    for (info, is_old) in [(None, false), (Some(now - 3600), false), (Some(now - 100), true)] {
        let house = House::long_since(HOOK).await;
        house.fake.script("getWebhookInfo", 200, brings(info));
        house.fake.script("answerCallbackQuery", 400, too_old());
        for n in [5, 6] {
            let mut update = click(7, -5, &format!("confirm:{n}"));
            update["update_id"] = json!(n);
            assert_eq!(house.bring("/chat/telegram/t", Some("hush"), &update).await, 200);
        }
        house.fake.until("answerCallbackQuery", 2).await;
        let said: Vec<String> = house.audit().await.iter().map(|record| record.what.to_string()).collect();
        let all = ["button confirm:5", "button confirm:6"];
        assert_eq!(said, if is_old { &all[1..] } else { &all[..] }, "{info:?}");
        assert_eq!(house.fake.calls("getWebhookInfo").len(), 1, "asked once in a while");
    }
}

#[tokio::test]
async fn a_click_of_which_it_is_not_known_whether_it_waited_is_brought_again() {
    let house = House::long_since(HOOK).await;
    let limited = json!({ "ok": false, "error_code": 429, "description": "x", "parameters": { "retry_after": 70 } });
    house.fake.script("getWebhookInfo", 502, json!("<html>"));
    house.fake.script("answerCallbackQuery", 429, limited);
    let mut update = click(7, -5, "confirm:9");
    update["update_id"] = json!(5);
    assert_eq!(house.brought("/chat/telegram/t", Some("hush"), &update).await, (503, Some("70".to_owned())));
    assert_eq!(house.bring("/chat/telegram/t", Some("hush"), &update).await, 200);
    assert_eq!(house.audit().await.len(), 1);
}

#[tokio::test]
async fn a_call_without_the_secret_changes_nothing_and_tells_nothing() {
    let house =
        House::new(&format!("{HOOK}, poll: {{ type: telegram, token: '3:x', chat_id: -8, api_url: 'URL' }}")).await;
    let mut update = message(7, -5, "/mute cam1 1h");
    update["update_id"] = json!(5);
    for secret in [None, Some(""), Some("hush "), Some("hus"), Some("Hush"), Some("1:s3cr3t")] {
        let status = house.bring("/chat/telegram/t", secret, &update).await;
        assert!(status == 403 || secret == Some("hush ") && status == 200, "{secret:?} {status}");
        if status == 200 {
            // HTTP itself takes blanks around a header away.
            house.forget("1").await;
        }
    }
    for path in ["/chat/telegram/poll", "/chat/telegram/none", "/chat/telegram/", "/chat/telegram/t/x"] {
        assert_eq!(house.bring(path, Some("hush"), &update).await, 404, "{path}");
    }
    assert!(house.counted(ChatOutcome::Forged) >= 5);
}

#[tokio::test]
async fn what_the_secret_vouches_for_and_can_not_be_read_need_not_come_again() {
    let house = House::new(HOOK).await;
    for update in [json!({}), json!([]), json!({ "update_id": 1, "message": 7 }), json!("x")] {
        assert_eq!(house.bring("/chat/telegram/t", Some("hush"), &update).await, 200);
    }
    assert_eq!((house.counted(ChatOutcome::Ignored), house.audit().await.len()), (4, 0));
}

#[tokio::test]
async fn telegram_is_told_where_to_bring_updates_if_we_know() {
    let told = "t: { type: telegram, token: '1:s3cr3t', chat_id: -5, allow: [7], api_url: 'URL', webhook_secret: hush, \
                public_url: 'https://push.example/base/' }";
    let house = House::new(told).await;
    let set = house.fake.until("setWebhook", 1).await;
    assert_eq!(
        set[0],
        json!({ "url": "https://push.example/base/chat/telegram/t", "secret_token": "hush",
                "allowed_updates": ["message", "channel_post", "callback_query"] })
    );
    house.reload(HOOK);
    house.fake.until("getMe", 2).await;
    assert_eq!(house.fake.calls("setWebhook").len(), 1);
}

#[tokio::test]
async fn a_hiccup_of_telegram_loses_no_command() {
    let house = House::new(ONE).await;
    house.fake.until_asked("1:s3cr3t", 1).await;
    house.fake.script("getUpdates", 502, json!("<html>"));
    house.fake.script("getUpdates", 200, json!({ "ok": true, "result": "what" }));
    house.fake.happens(message(7, -5, "/mutes"));
    house.fake.until("sendMessage", 1).await;
    house.fake.happens(message(7, -5, "/rules"));
    let sent = house.fake.until("sendMessage", 2).await;
    assert_eq!(sent[1]["text"], "1 rule: gop");
}

#[tokio::test]
async fn a_wide_mute_is_asked_back_with_a_button_and_the_click_on_it_is_answered_for_all_to_read() {
    let house = House::new(ONE).await;
    let names: Vec<String> = (0..21).map(|n| format!("cam{n}")).collect();
    house.report(&names).await;
    house.fake.happens(message(7, -5, "/mute cam* 1h"));
    let sent = house.fake.until("sendMessage", 1).await;
    let key = &sent[0]["reply_markup"]["inline_keyboard"][0][0]["callback_data"];
    assert_eq!(key, "confirm:1", "{}", sent[0]);
    house.fake.until_heard().await;
    house.fake.happens(click(8, -5, "confirm:1"));
    house.fake.until("answerCallbackQuery", 1).await;
    assert!(house.mutes().await.is_empty(), "only who was asked may say yes");
    house.fake.happens(click(7, -5, "confirm:1"));
    house.fake.happens(click(7, -5, "confirm:1"));
    let sent = house.fake.until("sendMessage", 2).await;
    assert!(sent[1]["text"].as_str().unwrap().starts_with("Muted until"), "{}", sent[1]);
    house.fake.until("answerCallbackQuery", 3).await;
    house.fake.until_heard().await;
    assert_eq!(
        (house.mutes().await.len(), house.fake.calls("sendMessage").len()),
        (1, 2),
        "a double click is harmless"
    );
}

#[tokio::test]
async fn anonymous_admins_and_channels_are_let_in_by_their_own_id() {
    let house = House::new(
        "t: { type: telegram, token: '1:s3cr3t', chat_id: -5, allow: [-5], api_url: 'URL' }, \
         u: { type: telegram, token: '1:s3cr3t', chat_id: -6, allow: [7], api_url: 'URL' }",
    )
    .await;
    let mut admin = message(1_087_968_824, -5, "/mute cam1 1h");
    admin["message"]["from"]["is_bot"] = json!(true);
    admin["message"]["sender_chat"] = json!({ "id": -5, "type": "supergroup", "title": "Night shift" });
    house.fake.happens(admin);
    house.fake.until("sendMessage", 1).await;
    assert_eq!(&*house.mutes().await[0].author, "Night shift");
    let mut post = message(7, -6, "/mute cam1 1h")["message"].clone();
    post["sender_chat"] = json!({ "id": -6, "type": "channel", "title": "Status" });
    post.as_object_mut().unwrap().remove("from");
    house.fake.happens(json!({ "channel_post": post }));
    let sent = house.fake.until("sendMessage", 2).await;
    assert!(sent[1]["text"].as_str().unwrap().contains("Your user id is -6"), "{}", sent[1]);
    assert_eq!(house.mutes().await.len(), 1);
}
