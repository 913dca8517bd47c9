//! Calls to the Bot API: bounded in time and size. The token is in the address, which is never told.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::model::{Channel, Target};
use crate::render::clean::short;

/// Time for a call whose answer does not have to be waited for.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// Most bytes read of an answer: a batch of updates may bring long messages along.
const MOST: usize = 8 * 1024 * 1024;

/// How long to wait where Telegram says "too many" and not for how long.
const WAIT_UNTOLD: Duration = Duration::from_secs(60);

/// Longest explanation kept, in characters.
const WHY: usize = 200;

/// A bot. `Debug` does not show its token.
#[derive(Clone, Debug)]
pub(super) struct Bot {
    token: SecretString,
    api_url: String,
    /// Its number, which is no secret.
    pub(super) id: Box<str>,
}

/// Why a call came to nothing. No secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Too many calls: none for so long.
    Limited {
        /// How long.
        after: Duration,
    },
    /// Telegram says no.
    Refused {
        /// As HTTP knows them.
        code: u16,
        /// In its own words.
        why: String,
        /// The chat's new id, if it has moved.
        moved: Option<i64>,
    },
    /// It could not be reached; the call was not made.
    Unreachable(String),
    /// It was reached, and what came of it is not known.
    Unknown(String),
}

impl Bot {
    /// The bot of a Telegram channel.
    pub(super) fn of(channel: &Channel) -> Option<Bot> {
        let Target::Telegram { token, api_url, .. } = &channel.target else { return None };
        let id = token.expose_secret().split_once(':').map_or("unknown", |(id, _)| id).into();
        Some(Bot { token: token.clone(), api_url: api_url.clone(), id })
    }

    /// Whether it is the bot of this channel.
    pub(super) fn speaks_in(&self, channel: &Channel) -> bool {
        matches!(&channel.target, Target::Telegram { token, .. } if token.expose_secret() == self.token.expose_secret())
    }

    /// Whether it is the same bot.
    pub(super) fn has_token_of(&self, other: &Bot) -> bool {
        self.token.expose_secret() == other.token.expose_secret()
    }

    /// Whether it is the same bot, reached the same way.
    pub(super) fn is(&self, other: &Bot) -> bool {
        self.api_url == other.api_url && self.has_token_of(other)
    }

    /// Makes a call: its result as JSON.
    ///
    /// # Errors
    /// [`Trouble`], without any secret.
    pub(super) async fn call(
        &self,
        http: &reqwest::Client,
        method: &str,
        body: &Value,
        patience: Duration,
    ) -> Result<Box<RawValue>, Trouble> {
        let url = format!("{}/bot{}/{method}", self.api_url, self.token.expose_secret());
        let sent = http.post(url).json(body).timeout(patience).send().await;
        let mut response = sent.map_err(|error| self.unanswered(error))?;
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unanswered(error))? {
            if bytes.len() + chunk.len() > MOST {
                return Err(Trouble::Unknown(format!("an answer of more than {MOST} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        self.judge(status, &bytes)
    }

    fn judge(&self, status: u16, body: &[u8]) -> Result<Box<RawValue>, Trouble> {
        let Ok(answer) = serde_json::from_slice::<Answer>(body) else {
            let why = format!("HTTP {status}, not an answer of Telegram");
            // A proxy's word, and none of Telegram's about the token.
            return Err(if status == 429 { Trouble::Limited { after: WAIT_UNTOLD } } else { Trouble::Unknown(why) });
        };
        if let (true, Some(result)) = (answer.ok, answer.result) {
            return Ok(result);
        }
        let parameters = answer.parameters.unwrap_or_default();
        match answer.error_code.unwrap_or(status) {
            429 => {
                let after = parameters.retry_after.map_or(WAIT_UNTOLD, |secs| Duration::from_secs(secs.max(1)));
                Err(Trouble::Limited { after })
            }
            code @ 500..=599 => Err(Trouble::Unknown(format!("Telegram says {code}"))),
            code => {
                let why = self.clean(&answer.description.unwrap_or_default());
                Err(Trouble::Refused { code, why, moved: parameters.migrate_to_chat_id })
            }
        }
    }

    fn unanswered(&self, error: reqwest::Error) -> Trouble {
        let error = error.without_url();
        let mut why = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            why = format!("{why}: {cause}");
            source = cause.source();
        }
        let why = self.clean(&why);
        if error.is_connect() || error.is_builder() { Trouble::Unreachable(why) } else { Trouble::Unknown(why) }
    }

    /// What others say is hostile, and a proxy may repeat the address.
    fn clean(&self, why: &str) -> String {
        short(&why.replace(self.token.expose_secret(), "***"), WHY)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Limited { after } => write!(f, "Telegram asks to wait {} s", after.as_secs()),
            Trouble::Refused { code, why, .. } => write!(f, "Telegram says {code} {why}"),
            Trouble::Unreachable(why) => write!(f, "Telegram can't be reached: {why}"),
            Trouble::Unknown(why) => write!(f, "no answer that can be read: {why}"),
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    result: Option<Box<RawValue>>,
    error_code: Option<u16>,
    description: Option<String>,
    parameters: Option<Parameters>,
}

#[derive(Default, Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

#[cfg(test)]
pub(super) fn bot(token: &str, api_url: &str) -> Bot {
    let id = token.split_once(':').unwrap().0.into();
    Bot { token: token.to_owned().into(), api_url: api_url.to_owned(), id }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> Result<String, Trouble> {
        bot("1:s3cr3t", "http://x").judge(status, body.as_bytes()).map(|result| result.get().to_owned())
    }

    #[test]
    fn answers_are_judged_by_their_own_words() {
        assert_eq!(judged(200, r#"{"ok":true,"result":{"a":1}}"#).unwrap(), r#"{"a":1}"#);
        let limited = r#"{"ok":false,"error_code":429,"description":"x","parameters":{"retry_after":700}}"#;
        assert_eq!(judged(429, limited), Err(Trouble::Limited { after: Duration::from_secs(700) }));
        let moved =
            r#"{"ok":false,"error_code":400,"description":"upgraded","parameters":{"migrate_to_chat_id":-1003}}"#;
        assert!(matches!(judged(400, moved), Err(Trouble::Refused { code: 400, moved: Some(-1003), .. })));
        assert!(matches!(judged(502, "<html>"), Err(Trouble::Unknown(_))));
        assert!(matches!(judged(200, "<html>"), Err(Trouble::Unknown(_))));
        assert!(matches!(judged(404, "gone"), Err(Trouble::Unknown(_))), "a proxy's page says nothing about the token");
        assert!(matches!(judged(401, r#"{"ok":false}"#), Err(Trouble::Refused { code: 401, .. })));
        assert!(matches!(judged(500, r#"{"ok":false,"error_code":500}"#), Err(Trouble::Unknown(_))));
    }

    #[test]
    fn no_trouble_tells_the_token_or_acts_on_the_log() {
        let said = r#"{"ok":false,"error_code":404,"description":"no /bot1:s3cr3t/\n\u001b[31m"}"#;
        let told = judged(404, said).unwrap_err().to_string();
        assert!(!told.contains("s3cr3t") && !told.contains('\u{1b}') && !told.contains('\n'), "{told}");
        assert!(!format!("{:?}", bot("1:s3cr3t", "http://x")).contains("s3cr3t"));
    }
}
