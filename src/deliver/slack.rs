//! Slack: bot token (`chat.postMessage`, `chat.update`) and incoming webhook. A yes is `ok` in the body, not a status.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use std::time::Duration;

use super::call::{Act, Call, Words};
use super::verdict::Verdict;
use super::wire::{self, Reply, WAIT_UNTOLD};
use crate::model::Button;
use crate::render::{self, Sign};

/// Longest text of a section block. Slack does not say what it counts; UTF-16 units are the strictest reading.
const SECTION: usize = 3_000;

/// Most text of a plain message: Slack advises 4,000 characters and refuses over 40,000.
const PLAIN: usize = 4_000;

/// Slack asks for patience with `message_limit_exceeded` and gives no time.
const SLOWLY: Duration = Duration::from_secs(300);

/// Posts, edits or answers as a bot.
pub(crate) async fn bot(
    http: &reqwest::Client,
    api_url: &str,
    token: &SecretString,
    channel: &str,
    call: &Call,
) -> Verdict {
    let mut body = payload(call);
    let (method, target) = match &call.act {
        Act::Post => ("chat.postMessage", channel),
        Act::Edit(spot) => {
            body.insert("ts".into(), json!(spot.id));
            // An update wants the channel's id, which only the answer to the post gave.
            ("chat.update", spot.place.as_deref().unwrap_or(channel))
        }
        Act::Note { to, broadcast } => {
            body.insert("thread_ts".into(), json!(to.id));
            if *broadcast {
                body.insert("reply_broadcast".into(), json!(true));
            }
            ("chat.postMessage", to.place.as_deref().unwrap_or(channel))
        }
    };
    body.insert("channel".into(), json!(target));
    let request = http
        .post(format!("{api_url}/{method}"))
        .bearer_auth(token.expose_secret())
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .body(Value::Object(body).to_string());
    match wire::send(request).await {
        Ok(reply) => judge_api(reply.status, &reply.headers, &reply.body),
        Err(verdict) => verdict,
    }
}

/// Posts through an incoming webhook.
pub(crate) async fn webhook(http: &reqwest::Client, url: &SecretString, call: &Call) -> Verdict {
    let request = http.post(url.expose_secret()).json(&Value::Object(payload(call)));
    match wire::send(request).await {
        Ok(reply) => judge_webhook(reply.status, &reply.headers, &reply.body),
        Err(verdict) => verdict,
    }
}

/// Judges an answer of the Web API.
pub(crate) fn judge_api(status: u16, headers: &HeaderMap, body: &[u8]) -> Verdict {
    let reply = Reply { status, headers: headers.clone(), body: body.to_vec() };
    let Some(answer) = reply.object() else {
        return reply.judge_status();
    };
    match (answer.get("ok").and_then(Value::as_bool), answer.get("error").and_then(Value::as_str)) {
        (Some(true), _) => {
            let text = |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned);
            Verdict::Sent { platform_id: text("ts"), place: text("channel") }
        }
        (_, Some(error)) => judge_word(error, &reply, detail(&answer)),
        (_, None) => reply.judge_status(),
    }
}

/// Judges an answer of an incoming webhook: the body is a bare word.
pub(crate) fn judge_webhook(status: u16, headers: &HeaderMap, body: &[u8]) -> Verdict {
    let reply = Reply { status, headers: headers.clone(), body: body.to_vec() };
    let word = std::str::from_utf8(&reply.body).unwrap_or("").trim();
    match (status, word) {
        (200, "ok") => Verdict::sent(),
        (_, word) if is_word(word) => judge_word(word, &reply, None),
        _ => reply.judge_status(),
    }
}

fn judge_word(error: &str, reply: &Reply, detail: Option<String>) -> Verdict {
    let name: &str = if is_word(error) { error } else { "an unreadable error" };
    let why = match detail {
        Some(detail) => format!("Slack says {name} ({detail})"),
        None => format!("Slack says {name}"),
    };
    match error {
        "ratelimited" | "rate_limited" => Verdict::RateLimited { after: reply.retry_after().unwrap_or(WAIT_UNTOLD) },
        "message_limit_exceeded" => Verdict::RateLimited { after: reply.retry_after().unwrap_or(SLOWLY) },
        // Slack warns that part of it may have happened.
        "internal_error" | "fatal_error" => Verdict::Unknown { why },
        "service_unavailable"
        | "request_timeout"
        | "team_added_to_org"
        | "org_login_required"
        | "external_channel_migrating"
        | "update_failed"
        | "rollup_error" => Verdict::Retry { why },
        "invalid_auth"
        | "not_authed"
        | "account_inactive"
        | "token_revoked"
        | "token_expired"
        | "missing_scope"
        | "not_allowed_token_type"
        | "no_permission"
        | "channel_not_found"
        | "not_in_channel"
        | "is_archived"
        | "ekm_access_denied"
        | "messages_tab_disabled"
        | "app_access_restricted"
        | "action_prohibited"
        | "invalid_token"
        | "posting_to_general_channel_denied"
        | "no_service"
        | "no_team"
        | "no_active_hooks"
        | "channel_is_archived" => Verdict::PermanentTarget { why },
        restricted if restricted.starts_with("restricted_action") => Verdict::PermanentTarget { why },
        "no_text"
        | "invalid_payload"
        | "invalid_blocks"
        | "invalid_blocks_format"
        | "invalid_attachments"
        | "msg_blocks_too_long"
        | "msg_too_long"
        | "too_many_attachments"
        | "attachment_payload_limit_exceeded"
        | "metadata_too_large"
        | "user_not_found" => Verdict::PermanentMessage { why },
        "message_not_found"
        | "cant_update_message"
        | "edit_window_closed"
        | "is_inactive"
        | "block_mismatch"
        | "thread_not_found"
        | "cannot_reply_to_message" => Verdict::Gone { why },
        _ => match reply.judge_status() {
            Verdict::RateLimited { after } => Verdict::RateLimited { after },
            _ if reply.status >= 500 => Verdict::Retry { why },
            _ => Verdict::Unrecognised { why },
        },
    }
}

/// Slack's own words for what is wrong with the blocks.
fn detail(answer: &Map<String, Value>) -> Option<String> {
    let metadata = answer.get("response_metadata").and_then(|metadata| metadata.get("messages"));
    let first = |list: Option<&Value>| Some(list?.as_array()?.first()?.as_str()?.to_owned());
    first(metadata)
        .or_else(|| first(answer.get("errors")))
        .or_else(|| Some(format!("needs {}", answer.get("needed")?.as_str()?)))
}

/// Slack's error words; anything else in a body is a proxy's page.
fn is_word(text: &str) -> bool {
    (1..=80).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn payload(call: &Call) -> Map<String, Value> {
    let mut body = Map::new();
    match &call.words {
        Words::Rich(text) => {
            let (first, rest) = first_line(text);
            let text = if first.is_empty() { escape(&call.summary) } else { first.to_owned() };
            body.insert("text".into(), json!(text));
            body.insert("attachments".into(), json!(attachments(rest, call.sign, &call.buttons)));
        }
        Words::Plain(text) => {
            body.insert("text".into(), json!(cut_chars(&escape(text))));
            // An edit would keep the refused ones otherwise.
            body.insert("attachments".into(), json!([]));
        }
    }
    body.insert("unfurl_links".into(), json!(false));
    body.insert("unfurl_media".into(), json!(false));
    body
}

/// What is shown above the attachment, and alone on a lock screen; and the rest.
fn first_line(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let line = text.find('\n').unwrap_or(text.len());
    let (first, rest) = text.split_at(line.min(section_end(text)));
    (first.trim_end(), rest)
}

/// All but the first line, beside a bar in the sign's colour. None for a single line: an edit drops the old one then.
fn attachments(text: &str, sign: Sign, buttons: &[Button]) -> Vec<Value> {
    // Verbatim: what looks like an address or a name in the text is not made a link or a mention.
    let section =
        |text: &str| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } });
    let mut blocks: Vec<Value> = sections(text).into_iter().map(section).collect();
    if !buttons.is_empty() {
        blocks.push(render::slack_actions(buttons));
    }
    match blocks.is_empty() {
        true => Vec::new(),
        false => vec![json!({ "color": colour(sign), "blocks": blocks })],
    }
}

/// Slack's three characters. Without it `<!channel>` in a stream name would wake everybody.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cut_chars(text: &str) -> String {
    match text.char_indices().nth(PLAIN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..whole_entity(&text[..end])]),
    }
}

fn colour(sign: Sign) -> &'static str {
    match sign {
        Sign::Critical => "#d00000",
        Sign::Warning => "#e8912d",
        Sign::Info => "#2f80ed",
        Sign::Well => "#2eb67d",
        Sign::Ended | Sign::Muted => "#9e9e9e",
    }
}

/// Cuts a text into blocks' worth, at the ends of lines where it can, and never inside `<…>` or `&…;`.
fn sections(text: &str) -> Vec<&str> {
    let mut sections = Vec::new();
    let mut rest = text.trim_matches('\n').trim_end();
    while !rest.is_empty() {
        let (section, after) = rest.split_at(section_end(rest));
        if !section.trim().is_empty() {
            sections.push(section.trim_end_matches('\n'));
        }
        rest = after;
    }
    sections
}

fn section_end(text: &str) -> usize {
    let mut units = 0;
    let too_far = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > SECTION
    });
    let Some((limit, _)) = too_far else {
        return text.len();
    };
    match text[..limit].rfind('\n') {
        Some(newline) if newline > 0 => newline + 1,
        _ => match whole_entity(&text[..limit]) {
            0 => limit,
            end => end,
        },
    }
}

/// The end of the part of `text` that does not break off inside a link or an entity.
fn whole_entity(text: &str) -> usize {
    let open = |from: char, to: char| match (text.rfind(from), text.rfind(to)) {
        (Some(from), Some(to)) if to > from => None,
        (from, _) => from,
    };
    let link = open('<', '>');
    let entity = open('&', ';').filter(|&at| text.len() - at < "&amp;".len());
    link.into_iter().chain(entity).min().unwrap_or(text.len())
}

#[cfg(test)]
#[path = "slack_tests.rs"]
mod tests;
