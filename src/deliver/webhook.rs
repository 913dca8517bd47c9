//! Any HTTP endpoint that takes JSON. Here a 2xx is a yes: there is nobody else to ask.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::call::{Call, Words};
use super::verdict::Verdict;
use super::wire::{self, Reply};
use crate::model::BodyTemplate;

/// Version of the body's shape.
const VERSION: u32 = 1;

/// Posts to the endpoint. `Idempotency-Key` is the same at each repetition, so that it can drop doubles.
pub(crate) async fn post(
    http: &reqwest::Client,
    url: &SecretString,
    headers: &BTreeMap<String, SecretString>,
    template: Option<&BodyTemplate>,
    call: &Call,
) -> Verdict {
    let headers = match header_map(headers) {
        Ok(headers) => headers,
        Err(why) => return Verdict::PermanentTarget { why },
    };
    let request = http
        .post(url.expose_secret())
        .header("idempotency-key", format!("pushwatch-{}", call.delivery.0))
        .json(&template.map_or_else(|| payload(call), |template| template.fill(&values(call))))
        .headers(headers);
    match wire::send(request).await {
        Ok(reply) => judge(reply.status, &reply.headers, &reply.body),
        Err(verdict) => verdict,
    }
}

/// Judges an answer by its status; the body is the endpoint's own affair.
pub(crate) fn judge(status: u16, headers: &HeaderMap, body: &[u8]) -> Verdict {
    let reply = Reply { status, headers: headers.clone(), body: body.to_vec() };
    let why = format!("HTTP {status}");
    match (status, reply.retry_after()) {
        (200..=299, _) => Verdict::sent(),
        (429 | 503, Some(after)) => Verdict::RateLimited { after },
        (504, _) => Verdict::Unknown { why },
        (408 | 425 | 429 | 500..=599, _) => Verdict::Retry { why },
        (300..=399, _) => Verdict::PermanentTarget { why: format!("{why}: redirects are not followed") },
        // The address, the method or what lets us in is wrong: so it is for any other message.
        (401 | 403 | 404 | 405 | 407 | 410, _) => Verdict::PermanentTarget { why },
        (400..=499, _) => Verdict::PermanentMessage { why },
        _ => Verdict::Unrecognised { why },
    }
}

fn header_map(headers: &BTreeMap<String, SecretString>) -> Result<HeaderMap, String> {
    headers
        .iter()
        .map(|(name, value)| {
            let bad = || format!("the header {name:?} can't be sent");
            let name_read: HeaderName = name.parse().map_err(|_| bad())?;
            let mut value: HeaderValue = value.expose_secret().parse().map_err(|_| bad())?;
            value.set_sensitive(true);
            Ok((name_read, value))
        })
        .collect()
}

/// What a template may ask for.
fn values(call: &Call) -> Value {
    let mut values = payload(call);
    values["facts"] = call.facts.clone();
    values
}

fn payload(call: &Call) -> Value {
    let mut body = json!({
        "version": VERSION,
        "reason": call.reason.as_str(),
        "delivery_id": call.delivery.0,
        "summary": call.summary,
    });
    match &call.words {
        Words::Rich(text) => {
            body["text"] = json!(text);
            body["facts"] = call.facts.clone();
        }
        Words::Plain(text) => body["text"] = json!(text),
    }
    body
}

#[cfg(test)]
mod tests {
    use super::super::call::{Act, sample};
    use super::*;

    #[test]
    fn the_body_carries_words_and_facts() {
        insta::assert_json_snapshot!(payload(&sample(Act::Post, Words::Rich("late".into()))), @r#"
        {
          "delivery_id": 7,
          "facts": {
            "stream": "cam1"
          },
          "reason": "post",
          "summary": "cam1 <late>",
          "text": "late",
          "version": 1
        }
        "#);
        let plain = payload(&sample(Act::Post, Words::Plain("late".into())));
        assert_eq!((plain.get("facts"), &plain["text"]), (None, &json!("late")));
    }

    #[test]
    fn an_operators_own_body_has_the_same_words_with_and_without_markup() {
        let template =
            BodyTemplate::parse(r#"{ "content": "{{text}}", "stream": "{{facts.stream}}", "n": "{{delivery_id}}" }"#);
        let template = template.unwrap();
        for words in [Words::Rich("late".into()), Words::Plain("late".into())] {
            let body = template.fill(&values(&sample(Act::Post, words)));
            assert_eq!(body, json!({ "content": "late", "stream": "cam1", "n": 7 }));
        }
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_named_without_its_value() {
        let headers = BTreeMap::from([("x-key".to_owned(), SecretString::from("se\ncret"))]);
        let why = header_map(&headers).unwrap_err();
        assert!(why.contains("x-key") && !why.contains("cret"), "{why}");
    }
}
