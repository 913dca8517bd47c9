//! Telegram's error table, and the shape of what is sent to it.

use super::super::call::{Spot, sample};
use super::super::wire::reply;
use super::*;

fn judged(status: u16, body: &str) -> Verdict {
    let reply = reply(status, &[], body);
    judge(reply.status, &reply.headers, &reply.body)
}

fn error(code: u16, description: &str) -> Verdict {
    judged(code, &json!({ "ok": false, "error_code": code, "description": description }).to_string())
}

#[test]
fn a_target_that_refuses() {
    let table = [
        (401, "Unauthorized"),
        (404, "Not Found"),
        (421, "Misdirected Request"),
        (403, "Forbidden: bot was blocked by the user"),
        (403, "Forbidden: bot was kicked from the supergroup chat"),
        (403, "Forbidden: bot is not a member of the channel chat"),
        (403, "Forbidden: user is deactivated"),
        (403, "Forbidden: the group chat was deleted"),
        (403, "Forbidden: bot can't initiate conversation with a user"),
        (400, "Bad Request: chat not found"),
        (400, "Bad Request: message thread not found"),
        (400, "Bad Request: not enough rights to send text messages to the chat"),
    ];
    for (code, description) in table {
        assert!(matches!(error(code, description), Verdict::PermanentTarget { .. }), "{code} {description}");
    }
}

#[test]
fn a_message_that_is_refused() {
    let table = [
        "Bad Request: can't parse entities: Unsupported start tag \"x\" at byte offset 3",
        "Bad Request: message text is empty",
        "Bad Request: text must be non-empty",
        "Bad Request: text is too long",
        "Bad Request: message is too long",
        "Bad Request: BUTTON_DATA_INVALID",
        "Bad Request: wrong HTTP URL specified",
        "Bad Request: failed to get HTTP URL content",
    ];
    for description in table {
        assert!(matches!(error(400, description), Verdict::PermanentMessage { .. }), "{description}");
    }
    assert!(matches!(error(400, "Bad Request: a phrase of next year"), Verdict::Unrecognised { .. }));
}

#[test]
fn what_may_go_through_later_and_what_nobody_knows() {
    assert!(matches!(error(500, "Internal Server Error"), Verdict::Retry { .. }));
    assert!(matches!(error(409, "Conflict: terminated by other getUpdates request"), Verdict::Retry { .. }));
    assert!(matches!(judged(502, "<html><h1>502 Bad Gateway</h1></html>"), Verdict::Retry { .. }));
    assert!(matches!(judged(504, "<html></html>"), Verdict::Unknown { .. }));
    for body in ["", "{}", "[]", "<html>sign in</html>", r#"{"ok":"yes"}"#] {
        assert!(matches!(judged(200, body), Verdict::Unknown { .. }), "{body}");
    }
    // A no inside a 200 counts by its own code.
    let hidden = r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}"#;
    assert!(matches!(judged(200, hidden), Verdict::PermanentTarget { .. }));
}

#[test]
fn edits_that_are_not_errors() {
    let same = "Bad Request: message is not modified: specified new message content and reply markup are exactly…";
    assert_eq!(error(400, same), Verdict::NotModified);
    for description in ["Bad Request: message to edit not found", "Bad Request: message can't be edited"] {
        assert!(matches!(error(400, description), Verdict::Gone { .. }), "{description}");
    }
}

#[test]
fn a_wait_is_taken_in_full_from_wherever_it_stands() {
    let limited = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 417",
        "parameters":{"retry_after":417}}"#;
    assert_eq!(judged(429, limited), Verdict::RateLimited { after: Duration::from_secs(417) });
    assert_eq!(error(429, "Too Many Requests"), Verdict::RateLimited { after: WAIT_UNTOLD });
    let front = reply(429, &[("retry-after", "8")], "<html></html>");
    let verdict = judge(front.status, &front.headers, &front.body);
    assert_eq!(verdict, Verdict::RateLimited { after: Duration::from_secs(8) });
}

#[test]
fn a_chat_that_became_a_supergroup_tells_its_new_id() {
    let moved = r#"{"ok":false,"error_code":400,"parameters":{"migrate_to_chat_id":-1001234567890},
        "description":"Bad Request: group chat was upgraded to a supergroup chat"}"#;
    assert_eq!(judged(400, moved), Verdict::Migrated { chat_id: -1_001_234_567_890 });
    assert!(matches!(
        error(400, "Bad Request: group chat was upgraded to a supergroup chat"),
        Verdict::PermanentTarget { .. }
    ));
}

#[test]
fn the_answer_to_a_post_has_the_id_and_the_chat() {
    let sent = r#"{"ok":true,"result":{"message_id":42,"chat":{"id":-1003}}}"#;
    assert_eq!(judged(200, sent), Verdict::Sent { platform_id: Some("42".into()), place: Some("-1003".into()) });
    assert_eq!(judged(200, r#"{"ok":true,"result":true}"#), Verdict::sent());
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
