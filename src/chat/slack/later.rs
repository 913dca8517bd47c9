//! Answers that are given after the call: posted to the address that came with it, if that is Slack's.

use std::fmt;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Response, Url};
use serde_json::Value;

/// Where Slack takes answers.
const HOOKS: &str = "hooks.slack.com";

/// Slack takes five answers in half an hour at one address; one that is refused twice is given up.
const TRIES: usize = 3;

/// Pauses between them.
const PAUSES: [Duration; TRIES - 1] = [Duration::from_millis(300), Duration::from_secs(2)];

/// Nobody waits longer for an answer, whatever Slack asks for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most that is read of what Slack says to an answer; a yes is `ok`.
const MOST_BODY: usize = 1_024;

/// An address at which Slack takes an answer. Whoever has it can speak in the chat: it is told to nobody.
#[derive(Clone)]
pub(super) struct Address(Url);

impl Address {
    /// From its text: at Slack's own host, or at that of `api_url`, the base address in place of Slack's, and nowhere
    /// else: a call must not make us call others.
    pub(super) fn of(text: &str, api_url: &str) -> Option<Address> {
        let url = Url::parse(text).ok()?;
        let is_plain = url.username().is_empty() && url.password().is_none();
        let is_slacks = url.scheme() == "https" && url.host_str() == Some(HOOKS) && url.port().is_none();
        (is_plain && (is_slacks || is_beside(&url, api_url))).then_some(Address(url))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address of Slack's")
    }
}

/// Whether it is at the host of `api_url`, or at the `hooks.` of that: the one of `slack-gov.com` is there.
fn is_beside(url: &Url, api_url: &str) -> bool {
    let Ok(api) = Url::parse(api_url) else { return false };
    let (Some(host), Some(home)) = (url.host_str(), api.host_str()) else { return false };
    let is_there = host == home || host.strip_prefix("hooks.") == Some(home);
    // Slack's own web pages are no place for answers.
    is_there
        && home != "slack.com"
        && url.scheme() == api.scheme()
        && url.port_or_known_default() == api.port_or_known_default()
}

/// Posts an answer. What is refused, or may have been taken, is not sent again.
pub(super) async fn post(http: &reqwest::Client, address: &Address, message: &Value) {
    let body = message.to_string();
    for pause in PAUSES.into_iter().map(Some).chain([None]) {
        let request = http.post(address.0.clone()).header("content-type", "application/json; charset=utf-8");
        let (why, wait) = match request.body(body.clone()).send().await {
            Ok(response) if response.status().is_success() => return judge(response).await,
            Ok(response) => match (response.status().as_u16(), retry_after(&response)) {
                (429 | 503, after) => ("there is too much to do".to_owned(), after.or(pause)),
                (502, _) => ("HTTP 502".to_owned(), pause),
                (status, _) => (format!("HTTP {status}"), None),
            },
            Err(error) if error.is_connect() => (error.without_url().to_string(), pause),
            Err(error) => (error.without_url().to_string(), None),
        };
        match wait.filter(|wait| *wait <= PATIENCE && pause.is_some()) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => {
                tracing::warn!(why, "an answer did not reach Slack");
                return;
            }
        }
    }
}

async fn judge(mut response: Response) {
    let mut said = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        said.extend_from_slice(&chunk[..chunk.len().min(MOST_BODY - said.len())]);
        if said.len() >= MOST_BODY {
            break;
        }
    }
    let is_yes = said.trim_ascii() == b"ok"
        || serde_json::from_slice::<Value>(&said).is_ok_and(|said| said["ok"] == Value::Bool(true));
    if !is_yes {
        tracing::warn!("Slack did not say that it took an answer");
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let secs = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLACK: &str = "https://slack.com/api";

    #[test]
    fn answers_go_to_slack_and_nowhere_else() {
        let fine = |text: &str, api: &str| Address::of(text, api).is_some();
        assert!(fine("https://hooks.slack.com/commands/T1/2/x", SLACK));
        assert!(fine("https://hooks.slack.com:443/actions/T1/2/x", SLACK));
        assert!(fine("https://hooks.slack-gov.com/commands/1", "https://slack-gov.com/api"));
        assert!(fine("http://127.0.0.1:7001/commands/1", "http://127.0.0.1:7001/api"));
        assert!(fine("https://hooks.slack.com/commands/1", "http://127.0.0.1:7001/api"), "a proxy for our calls alone");
        for (text, api) in [
            ("http://hooks.slack.com/commands/1", SLACK),
            ("https://hooks.slack.com:8443/commands/1", SLACK),
            ("https://hooks.slack.com.evil.example/", SLACK),
            ("https://hooks.slack.com@evil.example/", SLACK),
            ("https://evil.example\\@hooks.slack.com/", SLACK),
            ("https://user:word@hooks.slack.com/", SLACK),
            ("https://evil.example/hooks.slack.com", SLACK),
            ("https://slack.com/api/chat.postMessage", SLACK),
            ("http://127.0.0.1:9/commands/1", SLACK),
            ("http://169.254.169.254/latest/meta-data", SLACK),
            ("http://127.0.0.1:9/commands/1", "http://127.0.0.1:7001/api"),
            ("https://127.0.0.1:7001/commands/1", "http://127.0.0.1:7001/api"),
            ("http://hooks.evil.example/", "http://proxy.example/api"),
            ("file:///etc/passwd", SLACK),
            ("hooks.slack.com/commands/1", SLACK),
            ("", SLACK),
        ] {
            assert!(!fine(text, api), "{text} with {api}");
        }
    }

    #[test]
    fn an_address_is_not_shown() {
        let address = Address::of("https://hooks.slack.com/commands/secret", SLACK).unwrap();
        assert!(!format!("{address:?}").contains("secret"));
    }
}
