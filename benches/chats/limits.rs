//! What the platforms publish as limits, held against each call: its message's length and markup, and how many calls
//! came in how long. Written apart from pushwatch's own tables, so that a wrong one there shows here.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Kind;

/// Calls that come in too quick a succession.
#[derive(Default)]
pub(crate) struct Pace {
    recent: VecDeque<Instant>,
}

impl Pace {
    /// Notes a call; says what it breaks. `most` calls may come `within`.
    pub(crate) fn note(&mut self, at: Instant, most: usize, within: Duration) -> Option<String> {
        while self.recent.front().is_some_and(|old| at.saturating_duration_since(*old) >= within) {
            self.recent.pop_front();
        }
        self.recent.push_back(at);
        let calls = self.recent.len();
        (calls > most).then(|| format!("{calls} calls within {within:?}, {most} are allowed"))
    }
}

/// What is wrong with a message, by the platform's own numbers.
pub(crate) fn judge(kind: Kind, body: &Value) -> Option<String> {
    match kind {
        Kind::SlackBot | Kind::SlackHook => judge_slack(body),
        Kind::Telegram => judge_telegram(body),
        Kind::Wecom => judge_wecom(body, 4_096),
        Kind::WecomApp if body["agentid"] != 7 || body["touser"] != "ann" => Some("a message to nobody".to_owned()),
        Kind::WecomApp => judge_wecom(body, 2_048),
        Kind::Webhook => body["text"].as_str().is_none_or(str::is_empty).then(|| "no text".to_owned()),
    }
}

fn judge_slack(body: &Value) -> Option<String> {
    let text = body["text"].as_str().unwrap_or_default();
    if text.is_empty() {
        return Some("no_text".to_owned());
    }
    let mut total = units(text);
    let attachments = body["attachments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let blocks = attachments.iter().flat_map(|attachment| attachment["blocks"].as_array().into_iter().flatten());
    let mut number = 0;
    for block in blocks {
        number += 1;
        let section = block["text"]["text"].as_str().unwrap_or_default();
        total += units(section);
        if block["type"] == "section" && !(1..=3_000).contains(&units(section)) {
            return Some(format!("a section of {} characters", units(section)));
        }
    }
    let whole = super::shown(Kind::SlackBot, body);
    match () {
        () if units(text) > 4_000 => Some(format!("a text of {} characters", units(text))),
        () if number > 50 => Some(format!("{number} blocks")),
        () if total > 13_200 => Some(format!("msg_blocks_too_long: {total} characters")),
        () if ["<!", "<@", "<#"].iter().any(|mention| whole.contains(mention)) => Some("a mention".to_owned()),
        () => None,
    }
}

/// Slack does not say what it counts: the strictest reading.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn judge_telegram(body: &Value) -> Option<String> {
    let text = body["text"].as_str().unwrap_or_default();
    if text.len() > 32_768 {
        return Some(format!("text is too long: {} bytes", text.len()));
    }
    let shown = match body["parse_mode"].as_str() {
        None => text.to_owned(),
        Some("HTML") => match parse_html(text) {
            Ok(shown) => shown,
            Err(why) => return Some(format!("can't parse entities: {why}")),
        },
        Some(other) => return Some(format!("unsupported parse_mode {other}")),
    };
    match shown.trim().chars().count() {
        0 => Some("message text is empty".to_owned()),
        1..=4_096 => None,
        chars => Some(format!("message is too long: {chars} characters")),
    }
}

/// The text that Telegram's HTML shows, or what its parser would not take.
pub(crate) fn parse_html(text: &str) -> Result<String, String> {
    const TAGS: [&str; 12] = ["b", "strong", "i", "em", "u", "ins", "s", "del", "code", "pre", "a", "blockquote"];
    let (mut shown, mut open, mut rest) = (String::new(), Vec::new(), text);
    while let Some(at) = rest.find(['<', '&']) {
        shown.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('&') {
            let known = [("&lt;", '<'), ("&gt;", '>'), ("&amp;", '&'), ("&quot;", '"')];
            let found = known.iter().find(|(entity, _)| rest.starts_with(entity));
            let (length, letter) = found.map_or((1, '&'), |(entity, letter)| (entity.len(), *letter));
            shown.push(letter);
            rest = &rest[length..];
            continue;
        }
        let end = rest.find('>').ok_or("a tag that does not end")?;
        let tag = &rest[1..end];
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        if !TAGS.contains(&name) {
            return Err(format!("unsupported start tag {name:?}"));
        }
        match tag.starts_with('/') {
            false => open.push(name),
            true if open.pop() == Some(name) => {}
            true => return Err(format!("unexpected end tag {name:?}")),
        }
        rest = &rest[end + 1..];
    }
    shown.push_str(rest);
    match open.pop() {
        None => Ok(shown),
        Some(name) => Err(format!("can't find end tag corresponding to {name:?}")),
    }
}

/// `markdown` is how many bytes of it are taken.
fn judge_wecom(body: &Value, markdown: usize) -> Option<String> {
    let kind = body["msgtype"].as_str().unwrap_or_default();
    let content = body[kind]["content"].as_str().unwrap_or_default();
    let most = if kind == "text" { 2_048 } else { markdown };
    match content.len() {
        _ if !["text", "markdown", "markdown_v2"].contains(&kind) => Some(format!("40008 msgtype {kind:?}")),
        0 => Some("44004 empty content".to_owned()),
        bytes if bytes > most => Some(format!("40058 {kind} of {bytes} bytes")),
        _ if content.contains("<@") => Some("a mention".to_owned()),
        _ => None,
    }
}
