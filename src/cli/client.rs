//! How commands talk to a running server: its address, the token, and what went wrong in words.

use std::time::Duration;

use clap::Args;
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::exit::Exit;

/// The longest that an answer may take; what is asked for is bounded far below it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which server.
#[derive(Clone, Debug, Args)]
pub(super) struct Server {
    /// The operators' address of the server
    #[arg(long, env = "PUSHWATCH_SERVER", value_name = "URL", default_value = "http://127.0.0.1:8081")]
    server: Url,
    /// The server's admin token, if it has one; better given by the variable than here
    #[arg(long, env = "PUSHWATCH_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    admin_token: Option<SecretString>,
}

/// Why there is no answer to work with.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The address makes no sense.
    #[error("--server {0} is no address of a server: it looks like http://127.0.0.1:8081")]
    Address(Url),
    /// Nobody is there, or it does not speak.
    #[error("{server} can't be reached: {why}. Is the server running, and is this its --admin-listen address?")]
    Unreachable {
        /// Where.
        server: Url,
        /// What happened.
        why: String,
    },
    /// It said no.
    #[error("{why}")]
    Refused {
        /// Its answer, as far as it is JSON.
        body: Value,
        /// In words.
        why: String,
    },
}

impl Failure {
    /// Says it, and how the command ends.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Failure::Address(_) => Exit::usage(self),
            Failure::Unreachable { .. } => Exit::unreachable(self),
            Failure::Refused { .. } => Exit::wrong(self),
        }
    }
}

impl Server {
    /// Asks for a page of the API, `explain` for example.
    ///
    /// # Errors
    /// [`Failure`] unless the answer is a 200 with JSON in it.
    pub(super) fn get(&self, page: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| self.unreachable(&error))?;
        let mut url = self.url(page)?;
        url.query_pairs_mut().extend_pairs(query);
        runtime.block_on(self.ask(Method::GET, url, None))
    }

    /// Orders something at a page of the API, with JSON where there is more to say.
    ///
    /// # Errors
    /// [`Failure`] unless the answer is a success with JSON in it.
    pub(super) fn order(&self, method: Method, page: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| self.unreachable(&error))?;
        let url = self.url(page)?;
        runtime.block_on(self.ask(method, url, body))
    }

    /// Orders something of the API that needs no more words, `reload` for example.
    ///
    /// # Errors
    /// As [`Server::order`].
    pub(super) fn post(&self, page: &str) -> Result<Value, Failure> {
        self.order(Method::POST, page, None)
    }

    async fn ask(&self, method: Method, url: Url, body: Option<&Value>) -> Result<Value, Failure> {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            // What stands between people and the web is not between them and their own server.
            .no_proxy()
            .user_agent(concat!("pushwatch/", env!("CARGO_PKG_VERSION")))
            .build();
        let mut request = client.map_err(|error| self.unreachable(&error))?.request(method, url);
        if let Some(token) = &self.admin_token {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| self.unreachable(&error))?;
        match (status, serde_json::from_str(&text)) {
            (status, Ok(body)) if status.is_success() => Ok(body),
            (status, body) => Err(refused(status, body.unwrap_or_default())),
        }
    }

    fn url(&self, page: &str) -> Result<Url, Failure> {
        let is_web = matches!(self.server.scheme(), "http" | "https") && self.server.has_host();
        let base = format!("{}/api/v1/{page}", self.server.as_str().trim_end_matches('/'));
        Url::parse(&base).ok().filter(|_| is_web).ok_or_else(|| Failure::Address(self.server.clone()))
    }

    fn unreachable(&self, error: &dyn std::error::Error) -> Failure {
        // The innermost cause says it best, and names no address a second time.
        let mut cause = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        Failure::Unreachable { server: self.server.clone(), why: cause.to_string() }
    }
}

fn refused(status: StatusCode, body: Value) -> Failure {
    let said = body.get("error").and_then(Value::as_str).map(str::to_owned);
    let why = match (status, said) {
        (StatusCode::UNAUTHORIZED, _) => {
            "the server demands its admin token: set PUSHWATCH_ADMIN_TOKEN to what it was started with".to_owned()
        }
        (_, Some(said)) => said,
        (StatusCode::OK | StatusCode::NOT_FOUND, None) => {
            "this is not the operators' door of pushwatch, or of another version of it".to_owned()
        }
        (status, None) => format!("the server answered {status}"),
    };
    Failure::Refused { body, why }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        server: Server,
    }

    fn server(line: &[&str]) -> Server {
        Line::parse_from([&["x"], line].concat()).server
    }

    #[test]
    fn the_server_is_the_local_one_unless_told_otherwise_and_the_token_is_not_shown() {
        assert_eq!(server(&[]).url("explain").unwrap().as_str(), "http://127.0.0.1:8081/api/v1/explain");
        let other = server(&["--server", "https://watch.example.com/ops/", "--admin-token", "s3cret"]);
        assert_eq!(other.url("mutes").unwrap().as_str(), "https://watch.example.com/ops/api/v1/mutes");
        assert!(!format!("{other:?}").contains("s3cret"));
        assert!(matches!(server(&["--server", "ftp://a"]).url("x"), Err(Failure::Address(_))));
        assert!(matches!(server(&["--server", "localhost:8081"]).url("x"), Err(Failure::Address(_))));
    }

    #[test]
    fn nobody_there_is_unreachable_in_words() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
        let failure =
            server(&["--server", &format!("http://{closed}")]).get("explain", &[("stream", "a")]).unwrap_err();
        assert!(matches!(failure, Failure::Unreachable { .. }), "{failure}");
        assert!(failure.to_string().contains("Is the server running"), "{failure}");
        assert_eq!(failure.exit(), Exit::Unreachable);
    }

    #[test]
    fn a_refusal_says_what_the_server_says() {
        let said = |status, body| refused(StatusCode::from_u16(status).unwrap(), body).to_string();
        assert_eq!(said(404, json!({"error": "no callback of it"})), "no callback of it");
        assert!(said(401, Value::Null).contains("PUSHWATCH_ADMIN_TOKEN"));
        assert!(said(404, Value::Null).contains("not the operators' door"));
        assert!(said(502, Value::Null).contains("502"));
        assert_eq!(refused(StatusCode::NOT_FOUND, Value::Null).exit(), Exit::Wrong);
    }
}
