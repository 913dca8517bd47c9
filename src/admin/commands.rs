//! Incidents, mutes and the record of commands over HTTP: what is asked for is read here and answered elsewhere.

use std::fmt;

use futures_util::future::BoxFuture;
use poem::Response;
use poem::http::{Method, StatusCode};
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

use super::api::{error, not_allowed, reply};
use crate::model::{IncidentId, MuteId, State};

/// Things on a page unless told otherwise, and at most.
const USUAL: usize = 100;
const MOST: usize = 500;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A page of incidents, newest first.
    Incidents {
        /// Those in one of these states; all if there is none.
        states: Vec<State>,
        /// Those of this stream, by its id or full name, or of whatever else incidents are about.
        stream: Option<String>,
        /// Those of this rule.
        rule: Option<String>,
        /// Those before this one.
        before: Option<u64>,
        /// So many at most.
        most: usize,
    },
    /// An incident with its timeline.
    Incident(IncidentId),
    /// "I have it."
    Ack {
        /// Which.
        incident: IncidentId,
        /// Who.
        author: Option<String>,
    },
    /// The mutes in force.
    Mutes,
    /// A mute is to be set.
    Mute(NewMute),
    /// A mute is to be lifted.
    Unmute {
        /// Which.
        id: MuteId,
        /// By whom.
        author: Option<String>,
    },
    /// A page of the commands on record, newest first.
    Audit {
        /// Those before this one.
        before: Option<u64>,
        /// So many at most.
        most: usize,
    },
}

/// A mute as it is asked for. Either `matchers` or `target` says of what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMute {
    /// Matchers in Alertmanager's syntax.
    pub matchers: Option<String>,
    /// A target as people type it: a stream's id, a glob, or matchers.
    pub target: Option<String>,
    /// For how long: `30m`, `2h`, `1d12h`.
    pub duration: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Who.
    pub author: Option<String>,
    /// Whether it is meant even if it covers many streams; otherwise that is asked back.
    pub confirm: Option<bool>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// As in HTTP.
    pub status: u16,
    /// JSON; with `error` in it where it went wrong.
    pub body: Value,
}

/// Who follows commands.
pub trait Commands: fmt::Debug + Send + Sync {
    /// Does or looks up what is asked for.
    fn answer(&self, asked: Wanted) -> BoxFuture<'_, Answered>;
}

/// Who is asked to do something, if they say so.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    author: Option<String>,
}

/// Reads what is asked for out of the path's parts, the query and the body; else says what is wrong.
type Read = fn(&[&str], &Query, &[u8]) -> Result<Wanted, String>;

/// Answers a request if its path is one of ours.
pub(super) async fn answer(
    commands: &dyn Commands,
    (method, path): (&Method, &str),
    query: Option<&str>,
    body: &[u8],
) -> Option<Response> {
    let parts: Vec<&str> = path.split('/').collect();
    let (allowed, read): (&str, Read) = match parts.as_slice() {
        ["incidents"] => ("GET, HEAD", |_, query, _| query.incidents()),
        ["incidents", _] => ("GET, HEAD", |parts, _, _| Ok(Wanted::Incident(IncidentId(id(parts[1])?)))),
        ["incidents", _, "ack"] => ("POST", |parts, _, body| {
            let Signed { author } = if body.is_empty() { Signed::default() } else { json(body)? };
            Ok(Wanted::Ack { incident: IncidentId(id(parts[1])?), author })
        }),
        ["mutes"] if method == Method::POST => ("POST", |_, _, body| Ok(Wanted::Mute(json(body)?))),
        ["mutes"] => ("GET, HEAD, POST", |_, _, _| Ok(Wanted::Mutes)),
        ["mutes", _] => ("DELETE", |parts, query, _| {
            let author = query.only(&["author"])?.text("author");
            Ok(Wanted::Unmute { id: MuteId(id(parts[1])?), author })
        }),
        ["audit"] => ("GET, HEAD", |_, query, _| {
            let query = query.only(&["before", "limit"])?;
            Ok(Wanted::Audit { before: query.number("before")?, most: query.most()? })
        }),
        _ => return None,
    };
    if !allowed.split(", ").any(|known| known == method.as_str()) {
        return Some(match parts.len() {
            1 if parts[0] == "mutes" => not_allowed("GET, HEAD, POST"),
            2 if parts[0] == "mutes" => not_allowed("DELETE"),
            3 => not_allowed("POST"),
            _ => not_allowed("GET, HEAD"),
        });
    }
    let asked = match read(&parts, &Query::new(query.unwrap_or_default()), body) {
        Ok(asked) => asked,
        Err(why) => return Some(error(StatusCode::BAD_REQUEST, &why)),
    };
    let Answered { status, body } = commands.answer(asked).await;
    Some(reply(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &body))
}

fn json<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is not the JSON that is expected here: {error}"))
}

fn id(text: &str) -> Result<u64, String> {
    let id = text.parse().ok().filter(|id| *id <= i64::MAX as u64);
    id.ok_or_else(|| "a number is expected behind the last slash".to_owned())
}

/// What stands behind the question mark.
struct Query(Vec<(String, String)>);

impl Query {
    fn new(text: &str) -> Query {
        let url = Url::parse("http://localhost/").ok().map(|mut url| {
            url.set_query(Some(text));
            url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
        });
        Query(url.unwrap_or_default())
    }

    fn only(&self, known: &[&str]) -> Result<&Query, String> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(self),
            Some(_) => Err(format!("only these can be asked for here: {}", known.join(", "))),
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        let last = self.0.iter().rev().find(|(known, _)| known == name);
        last.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    }

    fn number(&self, name: &str) -> Result<Option<u64>, String> {
        let wrong = || format!("{name} is a whole number");
        self.text(name).map(|text| text.parse().ok().filter(|n| *n <= i64::MAX as u64).ok_or_else(wrong)).transpose()
    }

    fn most(&self) -> Result<usize, String> {
        match self.number("limit")? {
            None => Ok(USUAL),
            Some(most) if (1..=MOST as u64).contains(&most) => Ok(most as usize),
            Some(_) => Err(format!("limit is from 1 to {MOST}")),
        }
    }

    fn incidents(&self) -> Result<Wanted, String> {
        self.only(&["state", "stream", "rule", "before", "limit"])?;
        let states = match self.text("state").as_deref() {
            None | Some("all") => Vec::new(),
            Some("open") => vec![State::Pending, State::Firing],
            Some("pending") => vec![State::Pending],
            Some("firing") => vec![State::Firing],
            Some("resolved") => vec![State::Resolved],
            Some(_) => return Err("state is one of pending, firing, resolved, open and all".to_owned()),
        };
        let (stream, rule) = (self.text("stream"), self.text("rule"));
        Ok(Wanted::Incidents { states, stream, rule, before: self.number("before")?, most: self.most()? })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;

    /// Keeps what it was asked.
    #[derive(Debug, Default)]
    struct Fake(Mutex<Vec<Wanted>>);

    impl Commands for Fake {
        fn answer(&self, asked: Wanted) -> BoxFuture<'_, Answered> {
            self.0.lock().unwrap().push(asked);
            Box::pin(async { Answered { status: 202, body: json!({ "kept": true }) } })
        }
    }

    async fn ask(method: &str, path: &str, body: &str) -> (Option<(u16, String)>, Option<Wanted>) {
        let (fake, method) = (Fake::default(), Method::from_bytes(method.as_bytes()).unwrap());
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let answer = answer(&fake, (&method, path), query, body.as_bytes()).await;
        let answer = match answer {
            Some(answer) => Some((answer.status().as_u16(), answer.into_body().into_string().await.unwrap())),
            None => None,
        };
        (answer, fake.0.into_inner().unwrap().pop())
    }

    #[tokio::test]
    async fn what_is_asked_for_is_read() {
        let incidents = |states: &[State], stream: Option<&str>, before, most| Wanted::Incidents {
            states: states.to_vec(),
            stream: stream.map(str::to_owned),
            rule: None,
            before,
            most,
        };
        let author = || Some("ann".to_owned());
        for (method, path, body, asked) in [
            ("GET", "incidents", "", incidents(&[], None, None, USUAL)),
            (
                "GET",
                "incidents?state=open&stream=a%2Fb%2Fc&before=7&limit=3",
                "",
                incidents(&[State::Pending, State::Firing], Some("a/b/c"), Some(7), 3),
            ),
            ("GET", "incidents?state=&stream=&rule=", "", incidents(&[], None, None, USUAL)),
            ("GET", "incidents/12", "", Wanted::Incident(IncidentId(12))),
            ("POST", "incidents/12/ack", "", Wanted::Ack { incident: IncidentId(12), author: None }),
            (
                "POST",
                "incidents/12/ack",
                r#"{"author":"ann"}"#,
                Wanted::Ack { incident: IncidentId(12), author: author() },
            ),
            ("GET", "mutes", "", Wanted::Mutes),
            (
                "POST",
                "mutes",
                r#"{"matchers":"stream=\"live_1\"","duration":"1h","reason":"r","author":"ann"}"#,
                Wanted::Mute(NewMute {
                    matchers: Some("stream=\"live_1\"".to_owned()),
                    duration: "1h".to_owned(),
                    reason: "r".to_owned(),
                    author: author(),
                    ..NewMute::default()
                }),
            ),
            ("DELETE", "mutes/3?author=ann", "", Wanted::Unmute { id: MuteId(3), author: author() }),
            ("GET", "audit?limit=5", "", Wanted::Audit { before: None, most: 5 }),
        ] {
            let (answer, read) = ask(method, path, body).await;
            assert_eq!(read, Some(asked), "{method} {path}");
            assert_eq!(answer, Some((202, "{\"kept\":true}\n".to_owned())));
        }
    }

    #[tokio::test]
    async fn what_makes_no_sense_is_said_and_asked_of_nobody() {
        for (method, path, body, status, said) in [
            ("POST", "incidents", "", 405, "use GET, HEAD"),
            ("DELETE", "mutes", "", 405, "use GET, HEAD, POST"),
            ("GET", "mutes/3", "", 405, "use DELETE"),
            ("GET", "incidents/3/ack", "", 405, "use POST"),
            ("GET", "incidents/x", "", 400, "a number"),
            ("GET", "incidents/99999999999999999999", "", 400, "a number"),
            ("GET", "incidents?state=bad", "", 400, "state is one of"),
            ("GET", "incidents?colour=red", "", 400, "only these"),
            ("GET", "incidents?limit=0", "", 400, "limit is"),
            ("GET", "incidents?limit=501", "", 400, "limit is"),
            ("GET", "audit?before=x", "", 400, "before is"),
            ("POST", "mutes", "", 400, "JSON"),
            ("POST", "mutes", "{\"matchers\":\"a=b\"}", 400, "duration"),
            ("POST", "mutes", "{\"duration\":\"1h\",\"for\":1}", 400, "for"),
        ] {
            let (answer, asked) = ask(method, path, body).await;
            let (code, text) = answer.unwrap();
            assert!(code == status && text.contains(said) && asked.is_none(), "{method} {path}: {code} {text}");
        }
        assert_eq!(ask("GET", "rules", "").await, (None, None));
        assert_eq!(ask("GET", "incidents/1/2/3", "").await, (None, None));
    }
}
