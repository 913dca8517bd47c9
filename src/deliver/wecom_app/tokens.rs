//! Access tokens of WeCom apps: fetched one at a time, kept until shortly before they expire, shown to nobody.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use md5::{Digest, Md5};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::super::verdict::Verdict;
use super::super::wire::{Reply, WAIT_UNTOLD};
use super::{Line, errcode, fetch};
use crate::model::{ChannelName, Timestamp, WecomApp};

/// How long WeCom says that a token lasts; no answer may claim more.
const LIFE: Duration = Duration::from_secs(7_200);

/// A token is not used in the last part of its life, for clocks differ and calls take time.
const MARGIN: Duration = Duration::from_secs(300);

/// Longest token; WeCom asks for room for 512 bytes.
const LONGEST: usize = 2_048;

/// After a refusal the secret is not tried again for so long, and each time twice as long: WeCom shuts an address out
/// for an hour that keeps coming with a wrong secret.
const FIRST_PAUSE: Duration = Duration::from_secs(300);

/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// What is known of WeCom apps, for the whole process: channels of one app share its token.
#[derive(Default)]
pub struct Tokens {
    apps: Mutex<HashMap<[u8; 16], Arc<App>>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

/// One company and secret.
#[derive(Default)]
struct App {
    /// Locked while a token is fetched, so that nobody else fetches one too.
    kept: tokio::sync::Mutex<Kept>,
    /// Whom WeCom left out, as it was last said of a channel.
    left_out: Mutex<HashMap<ChannelName, String>>,
}

#[derive(Default)]
struct Kept {
    token: Option<Token>,
    refusal: Option<Refusal>,
}

struct Token {
    text: SecretString,
    until: Timestamp,
}

struct Refusal {
    why: String,
    times: u32,
    until: Timestamp,
}

/// What an answer to `gettoken` comes to.
#[derive(Debug)]
enum Answer {
    Token {
        text: SecretString,
        life: Duration,
    },
    /// The company, the secret or our address is not accepted.
    Refused(String),
    /// Something else was in the way.
    Failed(Verdict),
}

impl Tokens {
    /// None known yet.
    #[must_use]
    pub fn new() -> Tokens {
        Tokens::default()
    }

    /// The app's token, fetched if none is known, it is about to expire, or it is the `stale` one.
    ///
    /// # Errors
    /// The verdict on the message that could not be sent for want of a token.
    pub(super) async fn get(
        &self,
        line: Line<'_>,
        app: &WecomApp,
        stale: Option<&SecretString>,
    ) -> Result<SecretString, Verdict> {
        let known = self.app(app);
        let mut kept = known.kept.lock().await;
        let is_stale = |token: &Token| stale.is_some_and(|stale| stale.expose_secret() == token.text.expose_secret());
        drop(kept.token.take_if(|token| token.until <= line.now() || is_stale(token)));
        if let Some(token) = &kept.token {
            return Ok(token.text.clone());
        }
        if let Some(refusal) = kept.refusal.as_ref().filter(|refusal| refusal.until > line.now()) {
            return Err(refusal.verdict());
        }
        let answer = match fetch(line, app).await {
            Ok(reply) => judge(&reply),
            Err(verdict) => Answer::Failed(unsent(verdict)),
        };
        let now = line.now();
        match answer {
            Answer::Token { text, life } => {
                let token = Token { text: text.clone(), until: now + life };
                *kept = Kept { token: Some(token), refusal: None };
                Ok(text)
            }
            Answer::Refused(why) => {
                let times = kept.refusal.as_ref().map_or(0, |refusal| refusal.times);
                let refusal = Refusal { why, times: times.saturating_add(1), until: now + pause(times) };
                Err(kept.refusal.insert(refusal).verdict())
            }
            Answer::Failed(verdict) => Err(verdict),
        }
    }

    /// Whether these receivers, which WeCom left out, are others than were last said of the channel. None at all is no
    /// news, but is remembered.
    pub(super) fn is_news(&self, app: &WecomApp, channel: &ChannelName, left_out: &str) -> bool {
        let known = self.app(app);
        let mut told = known.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.insert(channel.clone(), left_out.to_owned());
        !left_out.is_empty() && before.as_deref() != Some(left_out)
    }

    fn app(&self, app: &WecomApp) -> Arc<App> {
        let mut hash = Md5::new();
        hash.update(app.corp_id.as_bytes());
        hash.update([0]);
        hash.update(app.secret.expose_secret().as_bytes());
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(apps.entry(hash.finalize().into()).or_default())
    }
}

impl Refusal {
    fn verdict(&self) -> Verdict {
        let minutes = pause(self.times - 1).as_secs() / 60;
        Verdict::PermanentTarget { why: format!("{}; not asked again for {minutes} min", self.why) }
    }
}

/// How long to leave WeCom alone after so many refusals before this one.
fn pause(before: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << before.min(8)).min(LONGEST_PAUSE)
}

fn judge(reply: &Reply) -> Answer {
    let said = |code: i64, meaning: &str| format!("WeCom says errcode {code} to the app's secret: {meaning}");
    match errcode(reply) {
        None => Answer::Failed(unsent(reply.judge_status())),
        Some(0) => token(reply),
        Some(code @ (-1 | 6000 | 45033)) => Answer::Failed(Verdict::Retry { why: said(code, "busy") }),
        Some(45009) => Answer::Failed(Verdict::RateLimited { after: WAIT_UNTOLD }),
        Some(code @ 60020) => Answer::Refused(said(code, "our address is not on the list of trusted ones")),
        Some(code @ (40013 | 41002)) => Answer::Refused(said(code, "there is no such `corp_id`")),
        Some(code) => Answer::Refused(said(code, "not accepted")),
    }
}

fn token(reply: &Reply) -> Answer {
    let answer = reply.object().unwrap_or_default();
    let text = answer.get("access_token").and_then(Value::as_str).unwrap_or_default();
    if text.is_empty() || text.len() > LONGEST || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Answer::Failed(Verdict::Retry { why: "WeCom gave no access token".into() });
    }
    let life = answer.get("expires_in").and_then(Value::as_u64).map_or(LIFE, Duration::from_secs).min(LIFE);
    // A life too short for the margin is used once; the next call fetches another.
    Answer::Token { text: SecretString::from(text), life: life.saturating_sub(MARGIN) }
}

/// Whatever came of asking for a token, no message was sent by it, nor is one to blame.
fn unsent(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Unknown { why } | Verdict::Unrecognised { why } | Verdict::PermanentMessage { why } => {
            Verdict::Retry { why }
        }
        verdict => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::wire::reply;
    use super::*;

    fn said(body: &str) -> Answer {
        judge(&reply(200, &[], body))
    }

    #[test]
    fn a_token_lives_as_long_as_wecom_says_less_a_margin_and_never_longer_than_it_should() {
        let life = |expires: &str| match said(&format!(r#"{{"errcode":0,"access_token":"t"{expires}}}"#)) {
            Answer::Token { life, .. } => life.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!(life(r#","expires_in":7200"#), 6_900);
        assert_eq!(life(r#","expires_in":600"#), 300);
        assert_eq!(life(r#","expires_in":10"#), 0);
        assert_eq!(life(r#","expires_in":99999999999"#), 6_900);
        assert_eq!(life(""), 6_900);
    }

    #[test]
    fn what_wecom_says_to_the_secret_is_refusal_or_bad_luck_and_never_about_the_message() {
        for code in [40001, 40013, 41002, 40091, 60020, 48002, 99_999] {
            assert!(matches!(said(&format!(r#"{{"errcode":{code}}}"#)), Answer::Refused(_)), "{code}");
        }
        for (status, body) in [(200, ""), (200, "{}"), (200, r#"{"errcode":0}"#), (502, "<html></html>"), (413, "")] {
            let answer = judge(&reply(status, &[], body));
            assert!(matches!(answer, Answer::Failed(Verdict::Retry { .. })), "{status} {body} {answer:?}");
        }
        let spaced = r#"{"errcode":0,"access_token":"a b"}"#;
        assert!(matches!(said(spaced), Answer::Failed(Verdict::Retry { .. })));
        let limited = Verdict::RateLimited { after: WAIT_UNTOLD };
        assert!(matches!(said(r#"{"errcode":45009}"#), Answer::Failed(verdict) if verdict == limited));
    }

    #[test]
    fn a_refused_secret_is_left_alone_longer_each_time() {
        let minutes: Vec<u64> = [0, 1, 2, 3, 4, 99].map(|before| pause(before).as_secs() / 60).into();
        assert_eq!(minutes, [5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn nothing_of_a_token_is_shown() {
        let answer = said(r#"{"errcode":0,"access_token":"s3cr3t"}"#);
        assert!(!format!("{answer:?} {:?}", Tokens::new()).contains("s3cr3t"));
    }
}
