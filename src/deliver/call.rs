//! One call to a chat: what is to be said, and the way to the platform that says it.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::console::Console;
use super::verdict::Verdict;
use super::{console, slack, telegram, webhook, wecom};
use crate::model::{Channel, DeliveryId, Reason, SlackDoor, Target};
use crate::render::Sign;

/// Time for a connection to come about.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);

/// Time for the whole call, from its beginning to the last byte of the answer.
pub(crate) const WHOLE: Duration = Duration::from_secs(20);

/// A message in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The chat's id of it.
    pub(crate) id: String,
    /// Where it stands, if not in the channel's own target.
    pub(crate) place: Option<String>,
}

/// What a call does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// A message of its own.
    Post,
    /// The text of a message is replaced.
    Edit(Spot),
    /// An answer to a message, so that people notice.
    Note {
        /// Which message.
        to: Spot,
        /// Shown to the whole channel, not in the thread alone, where the chat knows the difference.
        broadcast: bool,
    },
}

impl Act {
    /// Whether doing it twice shows twice.
    pub(crate) fn can_double(&self) -> bool {
        match self {
            Act::Post | Act::Note { .. } => true,
            Act::Edit(_) => false,
        }
    }
}

/// The words of a call.
#[derive(Clone, Debug)]
pub(crate) enum Words {
    /// In the platform's markup.
    Rich(String),
    /// Without any, after the markup was refused.
    Plain(String),
}

/// A call, ready to be made.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// What it does.
    pub(crate) act: Act,
    /// Its words.
    pub(crate) words: Words,
    /// The first line, without markup.
    pub(crate) summary: String,
    /// How it stands.
    pub(crate) sign: Sign,
    /// What a machine wants to know; for the generic webhook alone.
    pub(crate) facts: serde_json::Value,
    /// Why it is made.
    pub(crate) reason: Reason,
    /// The row that carries it; the same at each repetition.
    pub(crate) delivery: DeliveryId,
    /// The chat's new id, if it has moved (Telegram).
    pub(crate) moved: Option<i64>,
}

/// Makes a call and says what became of it. No secret is in the verdict.
pub(crate) async fn make(channel: &Channel, call: &Call, http: &reqwest::Client, console: &Console) -> Verdict {
    let verdict = match &channel.target {
        Target::Slack { door: SlackDoor::Bot { token, channel }, api_url } => {
            slack::bot(http, api_url, token, channel, call).await
        }
        Target::Slack { door: SlackDoor::Webhook { url }, .. } => slack::webhook(http, url, call).await,
        Target::Wecom { key, api_url } => wecom::robot(http, api_url, key, call).await,
        Target::Telegram { token, chat_id, thread_id, api_url } => {
            let chat = telegram::Chat { id: call.moved.unwrap_or(*chat_id), thread: *thread_id };
            telegram::bot(http, api_url, token, chat, call).await
        }
        Target::Webhook { url, headers } => webhook::post(http, url, headers, call).await,
        Target::Console => console::print(console, call).await,
    };
    verdict.clean(&secrets(&channel.target))
}

fn secrets(target: &Target) -> Vec<&str> {
    match target {
        Target::Slack { door: SlackDoor::Bot { token, .. }, .. } => vec![token.expose_secret()],
        Target::Slack { door: SlackDoor::Webhook { url }, .. } => address_secrets(url.expose_secret()),
        Target::Wecom { key, .. } => vec![key.expose_secret()],
        Target::Telegram { token, .. } => vec![token.expose_secret()],
        Target::Webhook { url, headers } => {
            let mut secrets = address_secrets(url.expose_secret());
            secrets.extend(headers.values().map(ExposeSecret::expose_secret));
            secrets
        }
        Target::Console => Vec::new(),
    }
}

/// An address that is a secret is repeated whole, or as the path that was asked for.
fn address_secrets(url: &str) -> Vec<&str> {
    let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|slash| &rest[slash..]));
    std::iter::once(url).chain(path.filter(|path| path.len() > 1)).collect()
}

/// At most `limit` bytes of a text, cut at a character and then marked as cut.
pub(crate) fn cut_bytes(text: &str, limit: usize) -> String {
    const MARK: &str = "…";
    match text.len() <= limit {
        true => text.to_owned(),
        false => format!("{}{MARK}", &text[..text.floor_char_boundary(limit.saturating_sub(MARK.len()))]),
    }
}

#[cfg(test)]
pub(crate) fn sample(act: Act, words: Words) -> Call {
    Call {
        act,
        words,
        summary: "cam1 <late>".into(),
        sign: Sign::Critical,
        facts: serde_json::json!({ "stream": "cam1" }),
        reason: Reason::Post,
        delivery: DeliveryId(7),
        moved: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_keeps_to_the_bytes_and_says_so() {
        assert_eq!(cut_bytes("断流", 6), "断流");
        assert_eq!(cut_bytes("断流了", 8), "断…");
        assert_eq!(cut_bytes("abc", 2), "…");
    }

    #[test]
    fn the_path_of_a_secret_address_is_a_secret_too() {
        assert_eq!(address_secrets("https://h/services/T0/B0/x"), ["https://h/services/T0/B0/x", "/services/T0/B0/x"]);
        assert_eq!(address_secrets("https://h/"), ["https://h/"]);
    }
}
