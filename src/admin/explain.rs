//! `GET explain?stream=`: the last callbacks of a stream, and what each rule said of each.

use std::fmt;

use futures_util::future::BoxFuture;
use poem::Response;
use poem::http::StatusCode;
use reqwest::Url;
use serde::Serialize;
use serde_json::json;

use super::api::{error, reply};
use crate::model::{RuleOutcome, Seq, Timestamp};

/// Callbacks explained unless told otherwise, and at most.
const USUAL: usize = 20;
const MOST: usize = 100;

/// Who can explain.
pub trait Explain: fmt::Debug + Send + Sync {
    /// The last callbacks, at most `last`, of the stream of this full name (`domain/path/stream`) or id.
    fn explain(&self, stream: String, last: usize) -> BoxFuture<'_, Result<Explanation, NotExplained>>;
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The stream's full name: hostile text.
    pub stream: String,
    /// Its last callbacks, oldest first.
    pub callbacks: Vec<Explained>,
    /// How this was found out, and what is not in it.
    pub note: String,
}

/// A callback and what was said of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// Its place in the journal.
    pub seq: Seq,
    /// When it was kept, ms.
    pub received_at: Timestamp,
    /// The cloud's time of it, ms.
    pub happened_at: Option<Timestamp>,
    /// What kind, as in a rule's `on`.
    pub kind: String,
    /// What it says, in a line.
    pub summary: String,
    /// What the rules said that listen to this kind: those that matched first, each in the order of the file.
    pub rules: Vec<Said>,
    /// The rules that listen to another kind.
    pub others: Vec<String>,
}

/// What one rule said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The rule's name.
    pub rule: String,
    /// As in `pushwatch_rule_outcomes_total`.
    pub outcome: RuleOutcome,
    /// Why, in a sentence.
    pub because: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotExplained {
    /// No callback of it was found; says where was looked.
    Unknown(String),
    /// Streams of this id under several names.
    Ambiguous(Vec<String>),
    /// Somebody else's question is being answered.
    Busy,
    /// It went wrong.
    Failed(String),
}

/// Answers a request with this query.
pub(super) async fn answer(explain: &dyn Explain, query: Option<&str>) -> Response {
    let (stream, last) = match read(query.unwrap_or_default()) {
        Ok(asked) => asked,
        Err(why) => return error(StatusCode::BAD_REQUEST, why),
    };
    match explain.explain(stream, last).await {
        Ok(explanation) => reply(StatusCode::OK, &explanation),
        Err(NotExplained::Unknown(why)) => error(StatusCode::NOT_FOUND, &why),
        Err(NotExplained::Ambiguous(candidates)) => {
            let why = "there are several streams of this id: ask for one of the candidates";
            reply(StatusCode::CONFLICT, &json!({ "error": why, "candidates": candidates }))
        }
        Err(NotExplained::Busy) => {
            error(StatusCode::TOO_MANY_REQUESTS, "another question is being answered: ask again in a few seconds")
        }
        Err(NotExplained::Failed(why)) => error(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

/// The stream and how many callbacks of it.
fn read(query: &str) -> Result<(String, usize), &'static str> {
    let ask = "ask for a stream: /api/v1/explain?stream=push.example.com/live/cam1, or its id alone";
    let base = Url::parse("http://localhost/").ok();
    let Some(mut url) = base else { return Err(ask) };
    url.set_query(Some(query));
    let (mut stream, mut last) = (None, USUAL);
    for (name, value) in url.query_pairs() {
        match &*name {
            "stream" => stream = Some(value.into_owned()).filter(|stream| !stream.is_empty()),
            "last" => match value.parse() {
                Ok(count @ 1..=MOST) => last = count,
                _ => return Err("last is a number from 1 to 100"),
            },
            _ => return Err("explain knows stream and last"),
        }
    }
    stream.map(|stream| (stream, last)).ok_or(ask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_a_stream_and_perhaps_how_many() {
        assert_eq!(read("stream=cam1"), Ok(("cam1".to_owned(), USUAL)));
        let named = read("last=3&stream=push.example.com%2Flive%2F%E6%B5%81+a%26b");
        assert_eq!(named, Ok(("push.example.com/live/流 a&b".to_owned(), 3)));
        for (query, why) in [
            ("", "ask for a stream"),
            ("stream=", "ask for a stream"),
            ("stream=a&last=0", "last is"),
            ("stream=a&last=101", "last is"),
            ("stream=a&last=x", "last is"),
            ("strem=a", "explain knows"),
        ] {
            assert!(read(query).unwrap_err().starts_with(why), "{query}");
        }
    }

    /// Answers as its first letter says.
    #[derive(Debug)]
    struct Fake;

    impl Explain for Fake {
        fn explain(&self, stream: String, _: usize) -> BoxFuture<'_, Result<Explanation, NotExplained>> {
            Box::pin(async move {
                Err(match stream.as_str() {
                    "unknown" => NotExplained::Unknown("no callback of it".to_owned()),
                    "busy" => NotExplained::Busy,
                    "twice" => NotExplained::Ambiguous(vec!["a/b/twice".to_owned(), "c/d/twice".to_owned()]),
                    "broken" => NotExplained::Failed("the journal can't be read".to_owned()),
                    _ => {
                        let (callbacks, note) = (Vec::new(), "n".to_owned());
                        return Ok(Explanation { stream, callbacks, note });
                    }
                })
            })
        }
    }

    #[tokio::test]
    async fn every_answer_has_its_status_and_words() {
        for (query, status, said) in [
            ("stream=a", 200, r#"{"stream":"a","callbacks":[],"note":"n"}"#),
            ("", 400, "ask for a stream"),
            ("stream=unknown", 404, "no callback of it"),
            ("stream=twice", 409, r#""candidates":["a/b/twice","c/d/twice"]"#),
            ("stream=busy", 429, "ask again"),
            ("stream=broken", 503, "can't be read"),
        ] {
            let answer = answer(&Fake, Some(query)).await;
            assert_eq!(answer.status().as_u16(), status, "{query}");
            let body = answer.into_body().into_string().await.unwrap();
            assert!(body.contains(said), "{query}: {body}");
        }
    }
}
