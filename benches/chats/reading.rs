//! Reads messages as people do: what they show, whom they are about, and whether it is over.

use serde_json::Value;

use super::limits::parse_html;
use super::{Act, Kind};

/// What a message shows, without the platform's markup where that is in the way.
pub(crate) fn shown(kind: Kind, body: &Value) -> String {
    match kind {
        Kind::SlackBot | Kind::SlackHook => {
            let attachments = body["attachments"].as_array().map(Vec::as_slice).unwrap_or_default();
            let blocks = attachments.iter().flat_map(|one| one["blocks"].as_array().into_iter().flatten());
            let mut text = body["text"].as_str().unwrap_or_default().to_owned();
            for section in blocks.filter_map(|block| block["text"]["text"].as_str()) {
                text.push('\n');
                text.push_str(section);
            }
            text
        }
        Kind::Telegram => parse_html(body["text"].as_str().unwrap_or_default()).unwrap_or_default(),
        Kind::Wecom | Kind::WecomApp => {
            let kind = body["msgtype"].as_str().unwrap_or_default();
            body[kind]["content"].as_str().unwrap_or_default().to_owned()
        }
        Kind::Webhook => body["text"].as_str().unwrap_or_default().to_owned(),
    }
}

/// What a message that is no edit is.
pub(crate) fn act(kind: Kind, body: &Value) -> Act {
    match kind {
        Kind::SlackBot if body.get("thread_ts").is_some() => Act::Note { loud: body["reply_broadcast"] == true },
        Kind::Telegram if body.get("reply_parameters").is_some() => {
            Act::Note { loud: body["disable_notification"] != true }
        }
        _ => Act::Post,
    }
}

/// Whom a message is about, from its first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The one stream it names.
    Stream(String),
    /// A digest about so many.
    Many(u64),
    /// Anything else: a domain, a word about pushwatch itself.
    Other,
}

/// Whom it is about; streams are known by the beginning of their names.
pub(crate) fn subject(text: &str, prefix: &str) -> Subject {
    let first = text.lines().next().unwrap_or_default();
    if let Some(many) = counted(first) {
        return Subject::Many(many);
    }
    match streams(first, prefix).into_iter().next() {
        Some(stream) => Subject::Stream(stream),
        None => Subject::Other,
    }
}

/// Whether the first line says that it is over.
pub(crate) fn is_over(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    let sign = first.chars().find(|sign| "🔴🟠🔵🔇✅⚪".contains(*sign));
    matches!(sign, Some('✅' | '⚪'))
}

/// `312` of `312 streams of …`.
fn counted(first: &str) -> Option<u64> {
    let words: Vec<&str> = first.split_whitespace().collect();
    let pair = words
        .windows(2)
        .take(3)
        .find(|pair| ["stream", "streams", "incident", "incidents"].contains(&pair[1].trim_end_matches([':', '*'])))?;
    number(pair[0])
}

/// `1,234` as a number; whatever stands before its digits is markup.
pub(crate) fn number(word: &str) -> Option<u64> {
    let digits: String = word.chars().filter(char::is_ascii_digit).collect();
    let clean = word.trim_start_matches(|c: char| !c.is_ascii_digit()).chars().all(|c| c.is_ascii_digit() || c == ',');
    if clean { digits.parse().ok() } else { None }
}

/// `(9412, 10000)` of `9,412 of 10,000 well again`.
pub(crate) fn recovered(text: &str) -> Option<(u64, u64)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let four = words.windows(4).find(|four| four[1] == "of" && (four[3] == "well" || four[3] == "over"))?;
    Some((number(four[0])?, number(four[2])?))
}

/// The names `prefix` and a number in a text, each as often as it stands there.
pub(crate) fn streams(text: &str, prefix: &str) -> Vec<String> {
    let found = text.match_indices(prefix).filter_map(|(at, _)| {
        let rest = &text[at + prefix.len()..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let whole = !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        (digits > 0 && whole).then(|| format!("{prefix}{}", &rest[..digits]))
    });
    found.collect()
}
