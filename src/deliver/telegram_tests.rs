//! The shape of what is sent to Telegram, and what is read of its answers; its words are in the kit.

use super::super::call::{Spot, sample};
use super::super::wire::reply;
use super::*;

fn judged(body: &str) -> Verdict {
    let reply = reply(200, &[], body);
    judge(reply.status, &reply.headers, &reply.body)
}

#[test]
fn the_answer_to_a_post_has_the_id_and_the_chat() {
    let sent = r#"{"ok":true,"result":{"message_id":42,"chat":{"id":-1003}}}"#;
    assert_eq!(judged(sent), Verdict::Sent { platform_id: Some("42".into()), place: Some("-1003".into()) });
    assert_eq!(judged(r#"{"ok":true,"result":true}"#), Verdict::sent());
}

#[test]
fn a_post_an_edit_and_a_note() {
    let chat = Chat { id: -100, thread: Some(5) };
    let spot = || Spot { id: "42".into(), place: None };
    let (method, body) = payload(chat, &sample(Act::Post, Words::Rich("<b>late</b>".into())));
    let silent = json!({ "is_disabled": true });
    let want = json!({ "chat_id": -100, "message_thread_id": 5, "text": "<b>late</b>", "parse_mode": "HTML",
        "link_preview_options": silent });
    assert_eq!((method, body), ("sendMessage", want));

    let (method, body) = payload(chat, &sample(Act::Edit(spot()), Words::Plain("<late>".into())));
    let want = json!({ "chat_id": -100, "message_id": 42, "text": "<late>", "link_preview_options": silent });
    assert_eq!((method, body), ("editMessageText", want));

    let note = Act::Note { to: spot(), broadcast: true };
    let (method, body) = payload(chat, &sample(note, Words::Rich("worse".into())));
    assert_eq!(method, "sendMessage");
    assert_eq!(body["reply_parameters"], json!({ "message_id": 42, "allow_sending_without_reply": true }));
    assert_eq!(body.get("disable_notification"), None);

    let quiet = Act::Note { to: spot(), broadcast: false };
    let (_, body) = payload(chat, &sample(quiet, Words::Rich("well again".into())));
    assert_eq!(body["disable_notification"], true);
}

#[test]
fn a_plain_text_is_cut_by_code_points() {
    assert_eq!(cut_chars(&"😀".repeat(TEXT)), "😀".repeat(TEXT));
    let cut = cut_chars(&"😀".repeat(TEXT + 1));
    assert_eq!(cut.chars().count(), TEXT);
    assert!(cut.ends_with('…'));
}

#[test]
fn buttons_keep_to_telegrams_64_bytes_whatever_they_are_about() {
    let id = crate::model::GroupId(u64::MAX);
    let mut call = sample(Act::Post, Words::Rich("late".into()));
    for press in [crate::model::Press::Mute(id), crate::model::Press::Ack(id), crate::model::Press::Details(id)] {
        call.buttons.push(crate::model::Button { label: "x", press });
    }
    let (_, body) = payload(Chat { id: -100, thread: None }, &call);
    let keys = body["reply_markup"]["inline_keyboard"][0].as_array().unwrap();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| (1..=64).contains(&key["callback_data"].as_str().unwrap().len())), "{body}");
}
