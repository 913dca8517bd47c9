//! What a chat made of a call, in the ten ways that matter to delivery. Pure.

use std::time::Duration;

/// Longest explanation kept, in characters: it goes into the store, lists and logs.
const LONGEST_WHY: usize = 300;

/// What became of one call, judged from the chat's own reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The chat said yes.
    Sent {
        /// The chat's id of the message, where it gives one.
        platform_id: Option<String>,
        /// Where the message stands, where the chat says so.
        place: Option<String>,
    },
    /// An edit that changes nothing: as good as sent.
    NotModified,
    /// Too many calls: none on this budget for so long.
    RateLimited {
        /// How long to wait, in full.
        after: Duration,
    },
    /// Not sent; may go through later.
    Retry {
        /// What the chat said.
        why: String,
    },
    /// No answer, or none that can be trusted: it may have been sent or not.
    Unknown {
        /// What was seen.
        why: String,
    },
    /// Refused with a word that no table knows: tried again, in plain text, for it may be the content.
    Unrecognised {
        /// What the chat said.
        why: String,
    },
    /// This text will never be taken.
    PermanentMessage {
        /// What the chat said.
        why: String,
    },
    /// Nothing will be taken by this target until somebody mends it.
    PermanentTarget {
        /// What the chat said.
        why: String,
    },
    /// The chat has another id now.
    Migrated {
        /// The new id.
        chat_id: i64,
    },
    /// The message to be edited or answered is no longer there.
    Gone {
        /// What the chat said.
        why: String,
    },
}

impl Verdict {
    /// Sent, by a chat that gives no id.
    pub(crate) fn sent() -> Verdict {
        Verdict::Sent { platform_id: None, place: None }
    }

    /// What to tell people about it; `None` where all is well.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        match self {
            Verdict::Sent { .. } | Verdict::NotModified => None,
            Verdict::RateLimited { after } => Some(format!("rate limited for {} s", after.as_secs())),
            Verdict::Migrated { chat_id } => Some(format!("the chat has a new id, {chat_id}")),
            Verdict::Retry { why }
            | Verdict::Unknown { why }
            | Verdict::Unrecognised { why }
            | Verdict::PermanentMessage { why }
            | Verdict::PermanentTarget { why }
            | Verdict::Gone { why } => Some(why.clone()),
        }
    }

    /// The same with every secret masked, control characters shown harmlessly, and of bounded length: what a chat
    /// says is hostile text, and a proxy's error page may repeat the address that was asked for.
    #[must_use]
    pub(crate) fn clean(mut self, secrets: &[&str]) -> Verdict {
        match &mut self {
            Verdict::Retry { why }
            | Verdict::Unknown { why }
            | Verdict::Unrecognised { why }
            | Verdict::PermanentMessage { why }
            | Verdict::PermanentTarget { why }
            | Verdict::Gone { why } => *why = clean(why, secrets),
            Verdict::Sent { .. } | Verdict::NotModified | Verdict::RateLimited { .. } | Verdict::Migrated { .. } => {}
        }
        self
    }
}

fn clean(why: &str, secrets: &[&str]) -> String {
    let mut text = why.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "***");
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_WHY).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_holds_no_secret_no_control_character_and_has_an_end() {
        let why = format!("no /bot123:SECRET/\r\nforged log line {}", "x".repeat(1000));
        let cleaned = Verdict::Retry { why }.clean(&["123:SECRET", ""]).why().unwrap();
        assert!(cleaned.starts_with("no /bot***/  forged"), "{cleaned}");
        assert_eq!(cleaned.chars().count(), LONGEST_WHY);
    }
}
