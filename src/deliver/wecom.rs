//! WeCom group robot: markdown through its webhook. HTTP says 200 to everything; `errcode` is the answer, here as for
//! apps.

use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::call::{Call, Words, cut_bytes};
use super::verdict::Verdict;
use super::wire::{self, Reply, WAIT_UNTOLD};

/// Longest markdown, bytes; longer is refused (40058).
const MARKDOWN: usize = 4_096;

/// Longest plain text, bytes; a robot's longer one is refused, an app's cut in silence.
const TEXT: usize = 2_048;

/// Posts to the robot's group. A robot can neither edit nor answer.
pub(crate) async fn robot(http: &reqwest::Client, api_url: &str, key: &SecretString, call: &Call) -> Verdict {
    let address = format!("{api_url}/cgi-bin/webhook/send");
    let address = match reqwest::Url::parse_with_params(&address, [("key", key.expose_secret())]) {
        Ok(address) => address,
        Err(error) => return Verdict::PermanentTarget { why: format!("api_url: {error}") },
    };
    let request = http.post(address).json(&payload(&call.words));
    match wire::send(request).await {
        Ok(reply) => judge(reply.status, &reply.headers, &reply.body),
        Err(verdict) => verdict,
    }
}

/// Judges an answer. Its `errmsg` is not repeated: it names our address.
pub(crate) fn judge(status: u16, headers: &HeaderMap, body: &[u8]) -> Verdict {
    let reply = Reply { status, headers: headers.clone(), body: body.to_vec() };
    let errcode = reply.object().and_then(|answer| answer.get("errcode").and_then(Value::as_i64));
    match errcode {
        Some(errcode) => judge_code(errcode),
        None => reply.judge_status(),
    }
}

/// What an `errcode` means, whoever it was said to.
pub(crate) fn judge_code(errcode: i64) -> Verdict {
    let said = |meaning: &str| format!("WeCom says errcode {errcode}: {meaning}");
    match errcode {
        0 => Verdict::sent(),
        -1 | 6000 | 45033 => Verdict::Retry { why: said("busy") },
        45009 => Verdict::RateLimited { after: WAIT_UNTOLD },
        93000 => Verdict::PermanentTarget { why: said("the key is wrong or the robot was removed") },
        93004 => Verdict::PermanentTarget { why: said("the robot was stopped") },
        93008 => Verdict::PermanentTarget { why: said("the robot is not in the group") },
        60020 => Verdict::PermanentTarget { why: said("our address is not on the list of trusted ones") },
        40001 | 40013 | 40014 | 40056 | 41001 | 42001 | 48002 | 50003 | 301002 => {
            Verdict::PermanentTarget { why: said("the credentials are not accepted") }
        }
        40003 | 60111 | 81013 | 82001 => Verdict::PermanentTarget { why: said("nobody to receive it") },
        40008 | 40058 | 42014 | 42045 | 44004 | 45002 | 45008 | 47001 | 85002 | 301019 => {
            Verdict::PermanentMessage { why: said("the message is not accepted") }
        }
        _ => Verdict::Unrecognised { why: said("not in our table") },
    }
}

fn payload(words: &Words) -> Value {
    match words {
        Words::Rich(text) => json!({ "msgtype": "markdown", "markdown": { "content": cut_bytes(text, MARKDOWN) } }),
        Words::Plain(text) => json!({ "msgtype": "text", "text": { "content": plain(text) } }),
    }
}

/// A plain text that keeps to its bytes. Even in one `<@somebody>` is a mention.
pub(crate) fn plain(text: &str) -> String {
    cut_bytes(&text.replace('<', "‹"), TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_to_the_bytes_and_mention_nobody() {
        let rich = payload(&Words::Rich("断".repeat(2000)));
        assert!(rich["markdown"]["content"].as_str().unwrap().len() <= MARKDOWN);
        let plain = payload(&Words::Plain(format!("<@all> {}", "断".repeat(2000))));
        let content = plain["text"]["content"].as_str().unwrap();
        assert!(content.len() <= TEXT && content.starts_with("‹@all>"), "{content}");
    }
}
