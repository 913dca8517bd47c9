//! The public listener's endpoint: the order of checks, and what each case is answered.

use std::net::IpAddr;
use std::sync::Arc;

use poem::http::{Method, StatusCode, header};
use poem::{Endpoint, Request, Response};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;
use tracing::{debug, warn};

use super::tally::Tally;
use super::{Ingest, admit, sources};
use crate::listen::body::{self, BodyError};
use crate::model::{CallbackOutcome, Door, Event, EventKind, Input, NewEntry, StreamName};
use crate::store::{Appended, StoreError};

/// Where the cloud posts to.
const PATH: &str = "/callback";
/// When to come again after a 503, in seconds: long enough for a full queue to empty.
const RETRY_AFTER: &str = "5";

/// The whole public listener: the callback path; everything else is 404 without a banner.
pub fn endpoint(ingest: Arc<Ingest>) -> impl Endpoint<Output = Response> {
    PublicDoor { ingest }
}

struct PublicDoor {
    ingest: Arc<Ingest>,
}

impl Endpoint for PublicDoor {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let ingest = &*self.ingest;
        let door = ingest.door();
        if !knows(&door, request.uri().path()) {
            return Ok(StatusCode::NOT_FOUND.into());
        }
        if request.method() != Method::POST {
            return Ok(Response::builder()
                .status(StatusCode::METHOD_NOT_ALLOWED)
                .header(header::ALLOW, "POST")
                .finish());
        }
        let mut tally = Tally::begin(&ingest.metrics, ingest.clock.stopwatch());
        let (outcome, response) = ingest.take(&door, request, &mut tally).await;
        tally.end(outcome);
        Ok(response)
    }
}

type Answer = (CallbackOutcome, Response);

/// The secret is compared in constant time; only its length shows.
fn knows(door: &Door, path: &str) -> bool {
    match (&door.path_secret, path.strip_prefix(PATH)) {
        (None, Some(rest)) => rest.is_empty(),
        (Some(secret), Some(rest)) => match rest.strip_prefix('/') {
            Some(given) => given.as_bytes().ct_eq(secret.expose_secret().as_bytes()).into(),
            None => false,
        },
        (_, None) => false,
    }
}

fn caller(door: &Door, request: &Request) -> Option<IpAddr> {
    let peer = request.remote_addr().as_socket_addr()?.ip();
    if door.trusted_proxies.is_empty() {
        return Some(peer.to_canonical());
    }
    // A line that is not text hides what stands before it, as an entry that is no address does.
    let lines = request.headers().get_all("x-forwarded-for").iter().map(|line| line.to_str().unwrap_or("?"));
    Some(sources::caller(peer, lines, &door.trusted_proxies))
}

impl Ingest {
    async fn take(&self, door: &Door, mut request: Request, tally: &mut Tally<'_>) -> Answer {
        let caller = caller(door, &request);
        if !sources::may_call(&door.sources, caller) {
            let why = "callbacks are not taken from this address";
            return self.refuse(caller, CallbackOutcome::Foreign, why);
        }
        let announced = request.header(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let body = match body::read(request.take_body(), announced, door.max_body).await {
            Ok(body) => body,
            Err(error) => return self.refuse_body(door, caller, error),
        };
        let (event, body) = match admit(door, &body, self.clock.wall()) {
            Ok(admitted) => admitted,
            Err(refusal) => return self.refuse(caller, refusal.outcome(), &refusal.to_string()),
        };
        let kept = Kept::of(&event);
        tally.appending();
        match self.journal.append(NewEntry { input: Input::Callback(Box::new(event)), body }).await {
            Ok(appended) => self.accepted(appended, &kept),
            Err(error) => self.overloaded(caller, &error),
        }
    }

    fn refuse_body(&self, door: &Door, caller: Option<IpAddr>, error: BodyError) -> Answer {
        let outcome = match error {
            BodyError::Oversized => CallbackOutcome::Oversized,
            BodyError::Slow => CallbackOutcome::Slow,
            BodyError::CutOff => CallbackOutcome::Malformed,
        };
        let why = match error {
            BodyError::Oversized => format!("the body is larger than {} bytes", door.max_body),
            BodyError::Slow => format!("the body did not arrive within {} s", body::PATIENCE.as_secs()),
            BodyError::CutOff => "the body breaks off".to_owned(),
        };
        self.refuse(caller, outcome, &why)
    }

    fn refuse(&self, caller: Option<IpAddr>, outcome: CallbackOutcome, why: &str) -> Answer {
        let (name, from) = (outcome.as_str(), caller.map(tracing::field::display));
        match self.refusals.count(outcome) {
            Some(count) => warn!(outcome = name, from, why = ?why, count, "callback refused"),
            None => debug!(outcome = name, from, why = ?why, "callback refused"),
        }
        (outcome, error(status_of(outcome), why))
    }

    fn overloaded(&self, caller: Option<IpAddr>, why: &StoreError) -> Answer {
        let outcome = CallbackOutcome::Overloaded;
        let (name, from) = (outcome.as_str(), caller.map(tracing::field::display));
        match self.refusals.count(outcome) {
            Some(count) => warn!(outcome = name, from, %why, count, "callback not kept"),
            None => debug!(outcome = name, from, %why, "callback not kept"),
        }
        let mut response = error(status_of(outcome), "cannot keep the callback now, come again");
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static(RETRY_AFTER));
        (outcome, response)
    }

    fn accepted(&self, appended: Appended, kept: &Kept) -> Answer {
        let outcome = match (appended, &kept.unreadable) {
            (Appended::Duplicate, _) => CallbackOutcome::Duplicate,
            (Appended::New(_), Some(_)) => CallbackOutcome::Unreadable,
            (Appended::New(_), None) => CallbackOutcome::Accepted,
        };
        if let Appended::New(_) = appended {
            self.metrics.event(kept.kind);
        }
        let (name, kind, stream) = (outcome.as_str(), kept.kind.name(), &kept.stream);
        match (outcome, &kept.unreadable) {
            (CallbackOutcome::Unreadable, Some(why)) => {
                warn!(outcome = name, kind, ?stream, ?why, "callback kept, but not all of it can be read");
            }
            _ => debug!(outcome = name, kind, ?stream, "callback kept"),
        }
        (outcome, Response::builder().content_type("application/json").body(r#"{"code":0}"#))
    }
}

/// What an answer and a log line need of an event that has gone into the journal.
struct Kept {
    kind: EventKind,
    stream: StreamName,
    unreadable: Option<Box<str>>,
}

impl Kept {
    fn of(event: &Event) -> Kept {
        Kept { kind: event.kind, stream: event.stream.clone(), unreadable: event.unreadable.clone() }
    }
}

fn status_of(outcome: CallbackOutcome) -> StatusCode {
    match outcome {
        CallbackOutcome::Accepted | CallbackOutcome::Duplicate | CallbackOutcome::Unreadable => StatusCode::OK,
        CallbackOutcome::Foreign | CallbackOutcome::BadSignature | CallbackOutcome::Expired => StatusCode::FORBIDDEN,
        CallbackOutcome::Oversized => StatusCode::PAYLOAD_TOO_LARGE,
        CallbackOutcome::Slow => StatusCode::REQUEST_TIMEOUT,
        CallbackOutcome::Malformed => StatusCode::BAD_REQUEST,
        CallbackOutcome::Unsigned => StatusCode::UNAUTHORIZED,
        CallbackOutcome::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn error(status: StatusCode, why: &str) -> Response {
    let body = serde_json::json!({ "code": status.as_u16(), "error": why }).to_string();
    Response::builder().status(status).content_type("application/json").body(body)
}
