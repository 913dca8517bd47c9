//! `deliveries` and what is ordered about channels: lists by page, what was given up sent anew, a test message.

use std::fmt;

use futures_util::future::BoxFuture;
use poem::Response;
use poem::http::{Method, StatusCode};
use reqwest::Url;
use serde_json::{Value, json};

use super::api::{error, not_allowed, reply};

/// Items of a page unless told otherwise, and at most.
const USUAL: usize = 100;
const MOST: usize = 1000;

/// Where a delivery stands, as one asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No outcome yet.
    Pending,
    /// Has its outcome.
    Sent,
    /// Given up.
    Dead,
}

/// Which deliveries are asked for, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// In this state, or in any.
    pub state: Option<State>,
    /// Of this channel, or of all.
    pub channel: Option<String>,
    /// Before this one: `next` of the page before.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// Why something can't be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// There is nothing of this name or number.
    Unknown(String),
    /// It is not in the state for it.
    Conflict(String),
    /// Not now.
    Unavailable(String),
}

/// Who knows of deliveries, and has things sent.
pub trait OutboxDesk: fmt::Debug + Send + Sync {
    /// A page: `{"items":[…],"next":…}`.
    fn list(&self, asked: Asked) -> BoxFuture<'_, Result<Value, Unmet>>;
    /// Has one that was given up sent anew; says how many that were.
    fn retry(&self, id: u64) -> BoxFuture<'_, Result<u64, Unmet>>;
    /// Has all that was given up of a channel sent anew.
    fn retry_channel(&self, channel: String) -> BoxFuture<'_, Result<u64, Unmet>>;
    /// Sends a real test message, and says what came of it.
    fn test(&self, channel: String) -> BoxFuture<'_, Result<Value, Unmet>>;
}

/// Answers a request below `deliveries`; `path` is what follows that.
pub(super) async fn answer(desk: &dyn OutboxDesk, (method, path): (&Method, &str), query: Option<&str>) -> Response {
    let id = path.strip_prefix('/').and_then(|path| path.strip_suffix("/retry"));
    match (path, id, method) {
        ("", _, &Method::GET | &Method::HEAD) => match read(query.unwrap_or_default()) {
            Ok(asked) => answered(desk.list(asked).await),
            Err(why) => error(StatusCode::BAD_REQUEST, why),
        },
        ("", ..) => not_allowed("GET, HEAD"),
        (_, Some(id), &Method::POST) => match id.parse() {
            Ok(id) => answered(desk.retry(id).await.map(retried)),
            Err(_) => error(StatusCode::BAD_REQUEST, "a delivery is asked for by its number"),
        },
        (_, Some(_), _) => not_allowed("POST"),
        (_, None, _) => error(StatusCode::NOT_FOUND, "there is nothing of this name in the API"),
    }
}

/// Answers a request below `channels/`; `path` is what follows that: `NAME/test` or `NAME/retry`.
pub(super) async fn answer_channel(desk: &dyn OutboxDesk, method: &Method, path: &str) -> Response {
    let (channel, what) = path.rsplit_once('/').unwrap_or_default();
    // Names of channels are plain words; nothing of them is written otherwise in an address.
    let channel = channel.to_owned();
    match (what, method) {
        ("test", &Method::POST) => answered(desk.test(channel).await),
        ("retry", &Method::POST) => answered(desk.retry_channel(channel).await.map(retried)),
        ("test" | "retry", _) => not_allowed("POST"),
        _ => error(StatusCode::NOT_FOUND, "there is nothing of this name in the API"),
    }
}

fn retried(count: u64) -> Value {
    json!({ "retried": count })
}

fn answered(answer: Result<Value, Unmet>) -> Response {
    match answer {
        Ok(body) => reply(StatusCode::OK, &body),
        Err(Unmet::Unknown(why)) => error(StatusCode::NOT_FOUND, &why),
        Err(Unmet::Conflict(why)) => error(StatusCode::CONFLICT, &why),
        Err(Unmet::Unavailable(why)) => error(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

fn read(query: &str) -> Result<Asked, &'static str> {
    let mut asked = Asked { state: None, channel: None, before: None, limit: USUAL };
    let Ok(mut url) = Url::parse("http://localhost/") else { return Ok(asked) };
    url.set_query(Some(query).filter(|query| !query.is_empty()));
    for (name, value) in url.query_pairs() {
        match &*name {
            "state" => {
                asked.state = Some(match &*value {
                    "pending" => State::Pending,
                    "sent" => State::Sent,
                    "dead" => State::Dead,
                    _ => return Err("state is pending, sent or dead"),
                });
            }
            "channel" => asked.channel = Some(value.into_owned()),
            "before" => asked.before = Some(value.parse().map_err(|_| "before is the `next` of the page before")?),
            "limit" => match value.parse() {
                Ok(limit @ 1..=MOST) => asked.limit = limit,
                _ => return Err("limit is a number from 1 to 1000"),
            },
            _ => return Err("deliveries knows state, channel, before and limit"),
        }
    }
    Ok(asked)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_and_nonsense_is_not() {
        let plain = Asked { state: None, channel: None, before: None, limit: USUAL };
        assert_eq!(read(""), Ok(plain));
        let asked = read("state=dead&channel=ops&before=17&limit=5").unwrap();
        assert_eq!(
            asked,
            Asked { state: Some(State::Dead), channel: Some("ops".to_owned()), before: Some(17), limit: 5 }
        );
        for wrong in ["state=lost", "limit=0", "limit=1001", "before=x", "chanel=ops"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    /// Answers as the number or the name says.
    #[derive(Debug)]
    pub(in crate::admin) struct Fake;

    impl OutboxDesk for Fake {
        fn list(&self, _: Asked) -> BoxFuture<'_, Result<Value, Unmet>> {
            Box::pin(async { Ok(json!({ "items": [], "next": null })) })
        }

        fn retry(&self, id: u64) -> BoxFuture<'_, Result<u64, Unmet>> {
            Box::pin(async move {
                match id {
                    1 => Ok(1),
                    2 => Err(Unmet::Conflict("it is pending".to_owned())),
                    3 => Err(Unmet::Unavailable("not now".to_owned())),
                    _ => Err(Unmet::Unknown("none".to_owned())),
                }
            })
        }

        fn retry_channel(&self, channel: String) -> BoxFuture<'_, Result<u64, Unmet>> {
            Box::pin(async move { if channel == "ops" { Ok(7) } else { Err(Unmet::Unknown("none".to_owned())) } })
        }

        fn test(&self, _: String) -> BoxFuture<'_, Result<Value, Unmet>> {
            Box::pin(async { Ok(json!({ "sent": true })) })
        }
    }

    #[tokio::test]
    async fn every_answer_has_its_status_and_words() {
        for (method, path, status, said) in [
            (Method::GET, "", 200, r#"{"items":[],"next":null}"#),
            (Method::POST, "", 405, "use GET"),
            (Method::POST, "/1/retry", 200, r#"{"retried":1}"#),
            (Method::POST, "/2/retry", 409, "it is pending"),
            (Method::POST, "/3/retry", 503, "not now"),
            (Method::POST, "/4/retry", 404, "none"),
            (Method::POST, "/x/retry", 400, "by its number"),
            (Method::GET, "/1/retry", 405, "use POST"),
            (Method::GET, "/1", 404, "nothing of this name"),
        ] {
            let answer = answer(&Fake, (&method, path), None).await;
            assert_eq!(answer.status().as_u16(), status, "{method} {path}");
            let body = answer.into_body().into_string().await.unwrap();
            assert!(body.contains(said), "{method} {path}: {body}");
        }
        for (method, path, status, said) in [
            (Method::POST, "ops/retry", 200, r#"{"retried":7}"#),
            (Method::POST, "none/retry", 404, "none"),
            (Method::POST, "ops/test", 200, r#"{"sent":true}"#),
            (Method::GET, "ops/test", 405, "use POST"),
            (Method::POST, "ops", 404, "nothing of this name"),
        ] {
            let answer = answer_channel(&Fake, &method, path).await;
            assert_eq!(answer.status().as_u16(), status, "{method} {path}");
            let body = answer.into_body().into_string().await.unwrap();
            assert!(body.contains(said), "{method} {path}: {body}");
        }
    }
}
