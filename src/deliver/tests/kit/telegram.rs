//! Telegram's codes and descriptions, by the Bot API server's source, and what its parser takes.

use super::super::super::fake;
use super::*;

/// Most of a text: code points after parsing, and bytes before.
const TEXT: usize = 4_096;
const BYTES: usize = 32_768;

pub(super) fn bot() -> Kind {
    Kind {
        channel: |url| fake::telegram(url, -100),
        yes: || Answer::json(200, json!({ "ok": true, "result": { "message_id": 42, "chat": { "id": -100 } } })),
        before: 0,
        by_status: false,
        rows,
        inspect,
    }
}

fn said(code: u16, description: &str) -> Answer {
    Answer::json(code, json!({ "ok": false, "error_code": code, "description": description }))
}

fn rows() -> Vec<Row> {
    use Comes::{Anew, Plain, PlainLater, Refused, Retry, Sent, Unknown, Wait};
    let table = [
        (401, "Unauthorized", Refused),
        (404, "Not Found", Refused),
        (421, "Misdirected Request", Refused),
        (403, "Forbidden: bot was blocked by the user", Refused),
        (403, "Forbidden: bot was kicked from the supergroup chat", Refused),
        (403, "Forbidden: bot is not a member of the channel chat", Refused),
        (403, "Forbidden: user is deactivated", Refused),
        (403, "Forbidden: the group chat was deleted", Refused),
        (403, "Forbidden: bot can't initiate conversation with a user", Refused),
        (400, "Bad Request: chat not found", Refused),
        (400, "Bad Request: message thread not found", Refused),
        (400, "Bad Request: not enough rights to send text messages to the chat", Refused),
        (400, "Bad Request: group chat was upgraded to a supergroup chat", Refused),
        (400, "Bad Request: can't parse entities: Unsupported start tag \"x\" at byte offset 3", Plain),
        (400, "Bad Request: message text is empty", Plain),
        (400, "Bad Request: text must be non-empty", Plain),
        (400, "Bad Request: text is too long", Plain),
        (400, "Bad Request: message is too long", Plain),
        (400, "Bad Request: BUTTON_DATA_INVALID", Plain),
        (400, "Bad Request: wrong HTTP URL specified", Plain),
        (400, "Bad Request: failed to get HTTP URL content", Plain),
        (400, "Bad Request: a phrase of next year", PlainLater),
        (429, "Too Many Requests", Wait(60)),
        (500, "Internal Server Error", Retry),
        (409, "Conflict: terminated by other getUpdates request", Retry),
        (504, "Gateway Time-out", Unknown),
    ];
    let each = |(code, description, comes)| row(description, said(code, description), comes);
    let mut rows: Vec<Row> = table.map(each).into();
    let with = |code: u16, description: &str, parameters: serde_json::Value| {
        let body = json!({ "ok": false, "error_code": code, "description": description, "parameters": parameters });
        Answer::json(code, body)
    };
    let moved =
        with(400, "Bad Request: group chat was upgraded", json!({ "migrate_to_chat_id": -1_001_234_567_890_i64 }));
    let limited = || with(429, "Too Many Requests: retry after 417", json!({ "retry_after": 417 }));
    let hidden = json!({ "ok": false, "error_code": 403, "description": "Forbidden: bot was blocked by the user" });
    let echo = format!("Not Found: /bot123:{SECRET}/sendMessage");
    rows.extend([
        row("the chat has another id", moved, Anew),
        row("too many, and how long", limited(), Wait(417)),
        row("a no inside a 200", Answer::json(200, hidden), Refused),
        row("a yes that is none", Answer::json(200, json!({ "ok": "yes" })), Unknown),
        row("the token in the description", said(404, &echo), Refused),
        edit_row("an edit is made", Answer::json(200, json!({ "ok": true, "result": true })), Sent),
        edit_row("nothing to edit", said(400, "Bad Request: message is not modified: specified new content…"), Sent),
        edit_row("the message is gone", said(400, "Bad Request: message to edit not found"), Anew),
        edit_row("the message is too old", said(400, "Bad Request: message can't be edited"), Anew),
        edit_row("an edit that came to nothing", Answer::HangUp, Unknown),
        edit_row("an edit refused", said(400, "Bad Request: can't parse entities: x"), Plain),
        edit_row("an edit too many", limited(), Wait(417)),
    ]);
    rows
}

fn inspect(asked: &Asked) -> bool {
    let text = asked.body["text"].as_str().unwrap();
    hold_harmless(text);
    assert!(text.len() <= BYTES, "{} bytes", text.len());
    let is_plain = asked.body["parse_mode"].is_null();
    let parsed = if is_plain { text.to_owned() } else { parse(text) };
    assert!(parsed.chars().count() <= TEXT, "{} code points", parsed.chars().count());
    is_plain
}

/// The text without its tags, which must be Telegram's own, closed in order, and lead nowhere but to the web.
fn parse(text: &str) -> String {
    let (mut bare, mut open, mut rest) = (String::new(), Vec::new(), text);
    while let Some(at) = rest.find('<') {
        bare.push_str(&rest[..at]);
        let (tag, after) = rest[at + 1..].split_once('>').unwrap_or_else(|| panic!("a stray < in {text}"));
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{text}"),
            None => {
                let name = tag.split(' ').next().unwrap();
                assert!(["b", "i", "u", "s", "code", "pre", "a", "blockquote"].contains(&name), "<{tag}> in {text}");
                assert!(name != "a" || tag.starts_with("a href=\"http"), "<{tag}> in {text}");
                open.push(name);
            }
        }
        rest = after;
    }
    assert!(open.is_empty(), "{open:?} left open in {text}");
    bare.push_str(rest);
    for (at, _) in bare.match_indices('&') {
        let known = ["&amp;", "&lt;", "&gt;", "&quot;"].iter().any(|entity| bare[at..].starts_with(entity));
        assert!(known, "an unknown entity in {text}");
    }
    bare.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
