//! WeCom app: messages to people of the company, sent with an access token that the app's secret buys.

use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::call::{Call, WHOLE, Words, cut_lines};
use super::verdict::Verdict;
use super::wecom;
use super::wire::{self, Reply};
use crate::clock::Clock;
use crate::model::{ChannelName, Receivers, Timestamp, WecomApp};

mod tokens;
pub use tokens::Tokens;

/// Longest markdown, bytes: half of what a robot may say (developer.work.weixin.qq.com, path 90236).
const MARKDOWN: usize = 2_048;

/// Time for a token: the message is to go out in what is left of the call's time.
const TOKEN_TIME: Duration = Duration::from_secs(8);

/// Codes that say that the access token is missing, wrong or too old.
const STALE: [i64; 3] = [40014, 41001, 42001];

/// What a call is made with.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    /// Makes the calls.
    pub(crate) http: &'a reqwest::Client,
    /// Base address, without a trailing slash.
    pub(crate) api_url: &'a str,
    /// Tells when a token is too old.
    pub(crate) clock: &'a Clock,
    /// Those that are known.
    pub(crate) tokens: &'a Tokens,
}

impl Line<'_> {
    fn address(&self, method: &str, query: &[(&str, &str)]) -> Result<Url, Verdict> {
        let address = format!("{}/cgi-bin/{method}", self.api_url);
        Url::parse_with_params(&address, query)
            .map_err(|error| Verdict::PermanentTarget { why: format!("api_url: {error}") })
    }

    fn now(&self) -> Timestamp {
        self.clock.steady()
    }
}

/// Tells the app's receivers. An app can neither edit nor answer.
pub(crate) async fn tell(line: Line<'_>, channel: &ChannelName, app: &WecomApp, call: &Call) -> Verdict {
    match post(line, app, &payload(app, call, fastrand::u64(..))).await {
        Ok(reply) => judge(line, channel, app, &reply),
        Err(verdict) => verdict,
    }
}

/// Tells one member of the company something in plain text, whoever the channel's receivers are.
pub(crate) async fn answer(line: Line<'_>, app: &WecomApp, member: &str, text: &str) -> Verdict {
    let content = json!({ "content": wecom::plain(text) });
    let body = json!({ "msgtype": "text", "text": content, "agentid": app.agent_id, "touser": member });
    let reply = match post(line, app, &body).await {
        Ok(reply) => reply,
        Err(verdict) => return verdict,
    };
    let left_out = LeftOut::of(&reply.object().unwrap_or_default());
    match errcode(&reply).map(wecom::judge_code) {
        None => reply.judge_status(),
        Some(Verdict::Sent { .. }) if !left_out.users.is_empty() => {
            Verdict::PermanentTarget { why: "WeCom does not know this member, or may not write to them".into() }
        }
        Some(verdict) => verdict,
    }
}

/// Sends a message within the time for a call: what WeCom says to it, or a verdict where it says nothing.
async fn post(line: Line<'_>, app: &WecomApp, body: &Value) -> Result<Reply, Verdict> {
    let mut under_way = false;
    match tokio::time::timeout(WHOLE, post_once(line, app, body, &mut under_way)).await {
        Ok(answer) => answer,
        Err(_) => {
            let why = format!("no answer in {} s", WHOLE.as_secs());
            Err(if under_way { Verdict::Unknown { why } } else { Verdict::Retry { why } })
        }
    }
}

/// Sends the message, and once more with a new token if WeCom does not like the one that was kept.
async fn post_once(line: Line<'_>, app: &WecomApp, body: &Value, under_way: &mut bool) -> Result<Reply, Verdict> {
    let token = line.tokens.get(line, app, None).await?;
    *under_way = true;
    let reply = send(line, body, &token).await?;
    if !errcode(&reply).is_some_and(|code| STALE.contains(&code)) {
        return Ok(reply);
    }
    *under_way = false;
    let token = line.tokens.get(line, app, Some(&token)).await?;
    *under_way = true;
    send(line, body, &token).await
}

async fn send(line: Line<'_>, body: &Value, token: &SecretString) -> Result<Reply, Verdict> {
    let address = line.address("message/send", &[("access_token", token.expose_secret())])?;
    wire::send(line.http.post(address).json(body)).await
}

/// Fetches a token: the answer, or a verdict on a message that was not sent. WeCom's last word is passed on: whoever
/// asks again and again with a wrong secret is shut out for an hour.
async fn fetch(line: Line<'_>, app: &WecomApp) -> Result<Reply, Verdict> {
    let query = [("corpid", app.corp_id.as_str()), ("corpsecret", app.secret.expose_secret())];
    let address = line.address("gettoken", &query)?;
    wire::send(line.http.get(address).timeout(TOKEN_TIME)).await
}

fn judge(line: Line<'_>, channel: &ChannelName, app: &WecomApp, reply: &Reply) -> Verdict {
    let verdict = match errcode(reply) {
        Some(code) => wecom::judge_code(code),
        None => return reply.judge_status(),
    };
    let Verdict::Sent { .. } = verdict else { return verdict };
    let left_out = LeftOut::of(&reply.object().unwrap_or_default());
    if left_out.is_all(&app.to) {
        return Verdict::PermanentTarget { why: "WeCom knows none of the receivers, or may not write to them".into() };
    }
    if line.tokens.is_news(app, channel, &left_out.text()) {
        tracing::warn!(%channel, receivers = left_out.text(), "WeCom left these receivers out; mend `to` of the channel");
    }
    verdict
}

fn errcode(reply: &Reply) -> Option<i64> {
    reply.object()?.get("errcode")?.as_i64()
}

/// Receivers that WeCom did not know or would not write to, as it writes them: `|` between them, in small letters.
struct LeftOut {
    users: Vec<String>,
    parties: Vec<String>,
    tags: Vec<String>,
}

impl LeftOut {
    fn of(answer: &Map<String, Value>) -> LeftOut {
        let list = |key: &str| -> Vec<String> {
            let text = answer.get(key).and_then(Value::as_str).unwrap_or("");
            text.split('|').filter(|name| !name.is_empty()).map(str::to_lowercase).collect()
        };
        let mut users = list("invaliduser");
        users.extend(list("unlicenseduser"));
        LeftOut { users, parties: list("invalidparty"), tags: list("invalidtag") }
    }

    fn is_all(&self, to: &Receivers) -> bool {
        to.users.iter().all(|user| self.users.contains(&user.to_lowercase()))
            && to.parties.iter().all(|party| self.parties.contains(&party.to_string()))
            && to.tags.iter().all(|tag| self.tags.contains(&tag.to_string()))
    }

    /// As they are written in `to`; at most as many characters as somebody would read.
    fn text(&self) -> String {
        let parties = self.parties.iter().map(|party| format!("party:{party}"));
        let tags = self.tags.iter().map(|tag| format!("tag:{tag}"));
        let all: Vec<String> = self.users.iter().cloned().chain(parties).chain(tags).collect();
        all.join(" ").chars().filter(|c| !c.is_control()).take(300).collect()
    }
}

/// What is sent; `dice` is for the name of a card, which none of the app may have had before: not after a retry, nor on
/// another data folder.
fn payload(app: &WecomApp, call: &Call, dice: u64) -> Value {
    let numbers = |numbers: &[i64]| numbers.iter().map(i64::to_string).collect::<Vec<_>>().join("|");
    let mut body = match (&call.words, &call.card) {
        (Words::Rich(_), Some(card)) => {
            let task = card.task(call.delivery, dice);
            json!({ "msgtype": "template_card", "template_card": card.wecom(&task) })
        }
        (Words::Rich(text), None) => {
            json!({ "msgtype": "markdown", "markdown": { "content": cut_lines(text, MARKDOWN) } })
        }
        (Words::Plain(text), _) => json!({ "msgtype": "text", "text": { "content": wecom::plain(text) } }),
    };
    body["agentid"] = json!(app.agent_id);
    body["touser"] = json!(app.to.users.join("|"));
    body["toparty"] = json!(numbers(&app.to.parties));
    body["totag"] = json!(numbers(&app.to.tags));
    body
}

#[cfg(test)]
#[path = "wecom_app_tests.rs"]
mod tests;
