//! The operators' door: `/healthz`, `/readyz`, `/metrics` and the API, behind a token where one is set.
//!
//! It binds loopback unless told otherwise, and then [`guard`] demands a token.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use poem::http::{Method, StatusCode, header};
use poem::{Endpoint, Request, Response};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::metrics::Metrics;

mod ready;
pub use ready::{Banner, Part, Readiness};

mod api;
pub use api::{Mistake, NotReloaded, Reloaded, RulesDesk};

mod deliveries;
pub use deliveries::{Asked, OutboxDesk, State, Unmet};
mod commands;
pub use commands::{Answered, Commands, NewMute, Wanted};

mod explain;
pub use explain::{Explain, Explained, Explanation, NotExplained, Said};

/// Largest body of a request, in bytes, and how long it may take.
const MAX_BODY: usize = 64 * 1024;
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// What the operators' door serves, and to whom.
#[derive(Debug)]
pub struct Admin {
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// What `/readyz` shows.
    pub ready: Arc<Readiness>,
    /// Demanded as `Authorization: Bearer …` on every path if set.
    pub token: Option<SecretString>,
    /// What the API says about the rules, and orders.
    pub rules: Arc<dyn RulesDesk>,
    /// What the API says about a stream's callbacks.
    pub explain: Arc<dyn Explain>,
    /// What the API says about deliveries, and has sent.
    pub outbox: Arc<dyn OutboxDesk>,
    /// What the API does about incidents and mutes.
    pub commands: Arc<dyn Commands>,
}

/// The door would be open to the network without a token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the admin address {0} can be reached from other machines, so it needs a token: set PUSHWATCH_ADMIN_TOKEN, \
     or listen on 127.0.0.1"
)]
pub struct OpenDoor(pub SocketAddr);

/// Whether the admin listener may bind `address` with this token. Pure.
///
/// # Errors
/// [`OpenDoor`] if the address is not loopback and there is no token, or an empty one.
pub fn guard(address: SocketAddr, token: Option<&SecretString>) -> Result<(), OpenDoor> {
    let has_token = token.is_some_and(|token| !token.expose_secret().is_empty());
    if has_token || address.ip().to_canonical().is_loopback() { Ok(()) } else { Err(OpenDoor(address)) }
}

/// The poem endpoint of the admin listener. Unknown paths get a bare 404.
pub fn endpoint(admin: Arc<Admin>) -> impl Endpoint {
    Operators(admin)
}

struct Operators(Arc<Admin>);

impl Endpoint for Operators {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        if !self.0.lets_in(&request) {
            return Ok(Response::builder()
                .status(StatusCode::UNAUTHORIZED)
                .header(header::WWW_AUTHENTICATE, "Bearer")
                .body(()));
        }
        if !request.uri().path().starts_with(api::ROOT) {
            return Ok(self.0.answer(&request));
        }
        if is_led_by_another_site(&request) {
            return Ok(api::error(StatusCode::FORBIDDEN, "a page of another site may not order anything here"));
        }
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let body = match read_body(&mut request).await {
            Ok(body) => body,
            Err(refusal) => return Ok(refusal),
        };
        Ok(api::answer(&self.0, &method, &uri, &body).await)
    }
}

/// What is sent along: little, and soon.
async fn read_body(request: &mut Request) -> Result<Vec<u8>, Response> {
    match tokio::time::timeout(BODY_PATIENCE, request.take_body().into_bytes_limit(MAX_BODY)).await {
        Ok(Ok(body)) => Ok(body.to_vec()),
        Ok(Err(_)) => Err(api::error(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large, or broke off")),
        Err(_) => Err(api::error(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}

/// Whether a browser says that the page of another site makes it order something: on a loopback address there is no
/// token that such a page would have to know.
fn is_led_by_another_site(request: &Request) -> bool {
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    !reads && request.header("sec-fetch-site").is_some_and(|site| !["same-origin", "none"].contains(&site))
}

impl Admin {
    fn answer(&self, request: &Request) -> Response {
        let page: fn(&Admin, &Request) -> Response = match request.uri().path() {
            "/healthz" => |_, _| text(StatusCode::OK, "text/plain; charset=utf-8", "ok\n".to_owned()),
            "/readyz" => |admin, _| admin.readyz(),
            "/metrics" => Admin::metrics,
            _ => return StatusCode::NOT_FOUND.into(),
        };
        match *request.method() {
            Method::GET | Method::HEAD => page(self, request),
            _ => Response::builder().status(StatusCode::METHOD_NOT_ALLOWED).header(header::ALLOW, "GET, HEAD").body(()),
        }
    }

    /// Compared in constant time; an empty token counts as none.
    fn lets_in(&self, request: &Request) -> bool {
        let Some(token) = self.token.as_ref().map(ExposeSecret::expose_secret).filter(|token| !token.is_empty()) else {
            return true;
        };
        let shown = request.header(header::AUTHORIZATION).and_then(|value| {
            let (scheme, shown) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| shown.trim())
        });
        shown.is_some_and(|shown| bool::from(shown.as_bytes().ct_eq(token.as_bytes())))
    }

    fn readyz(&self) -> Response {
        let status = if self.ready.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        text(status, "application/json", format!("{}\n", self.ready.to_json()))
    }

    /// The encoder writes OpenMetrics: given as such to who asks for it (Prometheus does), and to all others as
    /// Prometheus' older text format, in which the end mark has no place.
    fn metrics(&self, request: &Request) -> Response {
        let mut body = self.metrics.text();
        if request.header(header::ACCEPT).is_some_and(|accept| accept.contains("application/openmetrics-text")) {
            return text(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", body);
        }
        if let Some(end) = body.strip_suffix("# EOF\n").map(str::len) {
            body.truncate(end);
        }
        text(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", body)
    }
}

fn text(status: StatusCode, content_type: &'static str, body: String) -> Response {
    Response::builder().status(status).content_type(content_type).body(body)
}

#[cfg(test)]
mod tests;
