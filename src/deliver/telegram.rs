//! Telegram bot: `sendMessage` and `editMessageText` in HTML. The token is in the address, which is never told.

use std::time::Duration;

use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::call::{Act, Call, Words};
use super::verdict::Verdict;
use super::wire::{self, Reply, WAIT_UNTOLD};
use crate::render;

/// Longest text in code points, after parsing.
const TEXT: usize = 4_096;

/// Where a bot writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chat {
    /// The chat.
    pub(crate) id: i64,
    /// The forum topic, if any.
    pub(crate) thread: Option<i64>,
}

/// Posts, edits or answers.
pub(crate) async fn bot(
    http: &reqwest::Client,
    api_url: &str,
    token: &SecretString,
    chat: Chat,
    call: &Call,
) -> Verdict {
    let (method, body) = payload(chat, call);
    let request = http.post(format!("{api_url}/bot{}/{method}", token.expose_secret())).json(&body);
    match wire::send(request).await {
        Ok(reply) => judge(reply.status, &reply.headers, &reply.body),
        Err(verdict) => verdict,
    }
}

/// Judges an answer: the code first, then the words, which Telegram does not promise to keep.
pub(crate) fn judge(status: u16, headers: &HeaderMap, body: &[u8]) -> Verdict {
    let reply = Reply { status, headers: headers.clone(), body: body.to_vec() };
    let Some(answer) = reply.object() else {
        return reply.judge_status();
    };
    if answer.get("ok").and_then(Value::as_bool) == Some(true) {
        let result = answer.get("result");
        let id = result.and_then(|result| result.get("message_id")).and_then(Value::as_i64);
        let chat = result.and_then(|result| result.pointer("/chat/id")).and_then(Value::as_i64);
        return Verdict::Sent { platform_id: id.map(|id| id.to_string()), place: chat.map(|id| id.to_string()) };
    }
    let code = answer.get("error_code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    match (code, answer.get("description").and_then(Value::as_str)) {
        (None, None) => reply.judge_status(),
        (code, description) => judge_error(code.unwrap_or(status), description.unwrap_or(""), &answer, &reply),
    }
}

fn judge_error(code: u16, description: &str, answer: &Map<String, Value>, reply: &Reply) -> Verdict {
    let parameter = |key: &str| answer.get("parameters").and_then(|parameters| parameters.get(key));
    let why = format!("Telegram says {code} {description}");
    let words = description.to_ascii_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    match code {
        429 => {
            let asked = parameter("retry_after").and_then(Value::as_u64).map(|secs| Duration::from_secs(secs.max(1)));
            Verdict::RateLimited { after: asked.or_else(|| reply.retry_after()).unwrap_or(WAIT_UNTOLD) }
        }
        400 => match parameter("migrate_to_chat_id").and_then(Value::as_i64) {
            Some(chat_id) => Verdict::Migrated { chat_id },
            None if says(&["message is not modified"]) => Verdict::NotModified,
            None if says(GONE) => Verdict::Gone { why },
            None if says(TARGET) => Verdict::PermanentTarget { why },
            None if says(MESSAGE) => Verdict::PermanentMessage { why },
            None => Verdict::Unrecognised { why },
        },
        413 | 414 => Verdict::PermanentMessage { why },
        // A gateway that waited in vain does not know whether the message was taken.
        504 => Verdict::Unknown { why },
        408 | 409 | 425 => Verdict::Retry { why },
        // Token or method (401, 404, 421), or the chat won't have us (403).
        401..=499 => Verdict::PermanentTarget { why },
        500..=599 => Verdict::Retry { why },
        _ => Verdict::Unrecognised { why },
    }
}

/// A message to edit or to answer that is no longer there.
const GONE: &[&str] = &[
    "message to edit not found",
    "message can't be edited",
    "message_id_invalid",
    "message to be replied not found",
    "replied message not found",
];

/// A chat that takes nothing from us.
const TARGET: &[&str] = &[
    "chat not found",
    "message thread not found",
    "not enough rights",
    "have no rights to send",
    "chat_write_forbidden",
    "peer_id_invalid",
    "topic_closed",
    "upgraded to a supergroup",
];

/// A text that will never be taken.
const MESSAGE: &[&str] = &[
    "can't parse entities",
    "text is empty",
    "text must be non-empty",
    "text is too long",
    "message is too long",
    "button_data_invalid",
    "wrong http url",
    "failed to get http url content",
    "can't parse inline keyboard",
];

fn payload(chat: Chat, call: &Call) -> (&'static str, Value) {
    let mut body = Map::new();
    body.insert("chat_id".into(), json!(chat.id));
    body.insert("link_preview_options".into(), json!({ "is_disabled": true }));
    match &call.words {
        Words::Rich(text) => {
            body.insert("text".into(), json!(text));
            body.insert("parse_mode".into(), json!("HTML"));
        }
        Words::Plain(text) => {
            body.insert("text".into(), json!(cut_chars(text)));
        }
    }
    // An edit without them takes those away that were there.
    if !call.buttons.is_empty() {
        body.insert("reply_markup".into(), render::telegram_keyboard(&call.buttons));
    }
    let method = match &call.act {
        Act::Edit(spot) => {
            body.insert("message_id".into(), message_id(&spot.id));
            "editMessageText"
        }
        Act::Post | Act::Note { .. } => {
            if let Some(thread) = chat.thread {
                body.insert("message_thread_id".into(), json!(thread));
            }
            if let Act::Note { to, broadcast } = &call.act {
                // What is no reason to get up rings no phone.
                if !broadcast {
                    body.insert("disable_notification".into(), json!(true));
                }
                let reply = json!({ "message_id": message_id(&to.id), "allow_sending_without_reply": true });
                body.insert("reply_parameters".into(), reply);
            }
            "sendMessage"
        }
    };
    (method, Value::Object(body))
}

/// The id as the number that it is; 0, which no message has, if it isn't one.
fn message_id(id: &str) -> Value {
    json!(id.parse::<i64>().unwrap_or(0))
}

fn cut_chars(text: &str) -> String {
    match text.char_indices().nth(TEXT - 1) {
        Some((end, last)) if end + last.len_utf8() < text.len() => format!("{}…", &text[..end]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
#[path = "telegram_tests.rs"]
mod tests;
