//! `/api/v1`: what operators ask for and order over HTTP. Answers are JSON; what went wrong is said in words.

use std::fmt;

use futures_util::future::BoxFuture;
use poem::Response;
use poem::http::{Method, StatusCode, Uri, header};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Admin, commands, deliveries, explain};

/// What the rooms behind the operators' door do for the API.
pub trait RulesDesk: fmt::Debug + Send + Sync {
    /// The rules in force: the whole answer of `GET rules`.
    fn list(&self) -> Value;

    /// Reads the files anew and puts what they say in force, whole or not at all; resolves once that is decided.
    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, NotReloaded>>;
}

/// What is in force after a reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// How many rules.
    pub rules: usize,
    /// How many channels.
    pub channels: usize,
    /// Hash of the rules' text, hex.
    pub hash: String,
    /// Whether the files said anything that was not in force before.
    pub changed: bool,
}

/// Why the old rules and templates are still in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReloaded {
    /// These are the mistakes.
    Refused(Vec<Mistake>),
    /// It could not be done now; the words say why.
    Unavailable(String),
}

/// A mistake in `rules.yaml` or a template. Shows no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The file as it was named at the start.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// Where the API begins.
pub(super) const ROOT: &str = "/api/v1/";

/// Answers a request below [`ROOT`]; `path` is what follows it.
pub(super) async fn answer(admin: &Admin, method: &Method, uri: &Uri, body: &[u8]) -> Response {
    let path = uri.path().strip_prefix(ROOT).unwrap_or_default();
    if let Some(answer) = commands::answer(&*admin.commands, (method, path), uri.query(), body).await {
        return answer;
    }
    match (path, method) {
        ("rules", &Method::GET | &Method::HEAD) => reply(StatusCode::OK, &admin.rules.list()),
        ("rules", _) => not_allowed("GET, HEAD"),
        ("reload", &Method::POST) => match admin.rules.reload().await {
            Ok(reloaded) => reply(StatusCode::OK, &reloaded),
            Err(NotReloaded::Refused(mistakes)) => {
                let said = json!({ "error": REFUSED, "mistakes": mistakes });
                reply(StatusCode::UNPROCESSABLE_ENTITY, &said)
            }
            Err(NotReloaded::Unavailable(why)) => error(StatusCode::SERVICE_UNAVAILABLE, &why),
        },
        ("reload", _) => not_allowed("POST"),
        ("explain", &Method::GET | &Method::HEAD) => explain::answer(&*admin.explain, uri.query()).await,
        ("explain", _) => not_allowed("GET, HEAD"),
        _ => match (path.strip_prefix("deliveries"), path.strip_prefix("channels/")) {
            (Some(below), _) if below.is_empty() || below.starts_with('/') => {
                deliveries::answer(&*admin.outbox, (method, below), uri.query()).await
            }
            (_, Some(below)) => deliveries::answer_channel(&*admin.outbox, method, below).await,
            _ => error(StatusCode::NOT_FOUND, "there is nothing of this name in the API"),
        },
    }
}

const REFUSED: &str = "the files have mistakes and were refused as a whole; what was in force still is";

/// A JSON answer.
pub(super) fn reply(status: StatusCode, body: &impl Serialize) -> Response {
    // Our own answers always have a JSON form.
    let body = serde_json::to_string(body).unwrap_or_default();
    Response::builder().status(status).content_type("application/json").body(body + "\n")
}

/// What went wrong, in words.
pub(super) fn error(status: StatusCode, why: &str) -> Response {
    reply(status, &json!({ "error": why }))
}

/// The path is right, the method is not.
pub(super) fn not_allowed(allowed: &'static str) -> Response {
    let mut response = error(StatusCode::METHOD_NOT_ALLOWED, &format!("use {allowed}"));
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(allowed));
    response
}
