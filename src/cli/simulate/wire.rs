//! One connection to the server: hyper's HTTP/1 client for plain addresses, because it is cheap, reqwest for https.
//!
//! No error names the address: its path may be a secret.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The cloud gives up on an answer after this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where callbacks go.
#[derive(Clone)]
pub(crate) struct Target {
    uri: Uri,
    host: HeaderValue,
    address: SocketAddr,
}

/// Why an address can't be a target.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadTarget {
    #[error("--url is no address like http://127.0.0.1:8080/callback")]
    NotAnAddress,
    #[error("can't find the host of --url: {0}")]
    Unknown(io::Error),
    #[error(
        "{0} is not this machine. A flood of callbacks is an attack unless the server is yours: \
         say --allow-remote if it is"
    )]
    Remote(String),
}

/// Whether other machines may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Loopback addresses only.
    ThisMachine,
    /// Any.
    Anywhere,
}

/// A request got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("can't connect: {0}")]
    Connect(io::Error),
    #[error("no answer within {PATIENCE:?}")]
    Slow,
    #[error("{0}")]
    Broken(String),
}

impl Target {
    /// Looks the host up, and refuses other machines unless they are allowed.
    pub(crate) async fn find(url: &str, reach: Reach) -> Result<Target, BadTarget> {
        let uri: Uri = url.parse().map_err(|_| BadTarget::NotAnAddress)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(BadTarget::NotAnAddress);
        };
        let port = match scheme {
            "http" => uri.port_u16().unwrap_or(80),
            "https" => uri.port_u16().unwrap_or(443),
            _ => return Err(BadTarget::NotAnAddress),
        };
        if authority.as_str().contains('@') {
            return Err(BadTarget::NotAnAddress);
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| BadTarget::NotAnAddress)?;
        let bare = authority.host().trim_matches(['[', ']']);
        let found = tokio::net::lookup_host((bare, port)).await.map_err(BadTarget::Unknown)?.next();
        let address = found.ok_or_else(|| BadTarget::Unknown(io::ErrorKind::NotFound.into()))?;
        if reach == Reach::ThisMachine && !address.ip().to_canonical().is_loopback() {
            return Err(BadTarget::Remote(bare.to_owned()));
        }
        Ok(Target { uri, host, address })
    }

    /// Host and port, without the path.
    pub(crate) fn host(&self) -> &str {
        self.host.to_str().unwrap_or("the server")
    }

    fn is_plain(&self) -> bool {
        self.uri.scheme_str() == Some("http")
    }
}

/// A way to post callbacks one after the other.
pub(crate) struct Wire {
    target: Target,
    line: Line,
}

enum Line {
    Plain(SendRequest<Full<Bytes>>),
    Tls(reqwest::Client),
}

impl Wire {
    /// Opens a connection (for https: gets ready to).
    pub(crate) async fn open(target: &Target) -> Result<Wire, WireError> {
        let line = if target.is_plain() { plain_line(target.address).await? } else { Line::Tls(tls_client()?) };
        Ok(Wire { target: target.clone(), line })
    }

    /// Whether the server has hung up, as it may when nothing was said for a while.
    pub(crate) fn is_closed(&self) -> bool {
        match &self.line {
            Line::Plain(line) => line.is_closed(),
            Line::Tls(_) => false,
        }
    }

    /// Posts a callback and returns the status of the answer. After an error the connection is of no more use.
    pub(crate) async fn post(&mut self, body: Vec<u8>) -> Result<u16, WireError> {
        let answer = async {
            match &mut self.line {
                Line::Plain(line) => post_plain(line, &self.target, body).await,
                Line::Tls(client) => post_tls(client, &self.target, body).await,
            }
        };
        tokio::time::timeout(PATIENCE, answer).await.map_err(|_| WireError::Slow)?
    }
}

async fn plain_line(address: SocketAddr) -> Result<Line, WireError> {
    let stream = TcpStream::connect(address).await.map_err(WireError::Connect)?;
    stream.set_nodelay(true).map_err(WireError::Connect)?;
    let (line, connection) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Ends with the connection; what went wrong shows at the request.
    tokio::spawn(connection);
    Ok(Line::Plain(line))
}

async fn post_plain(line: &mut SendRequest<Full<Bytes>>, target: &Target, body: Vec<u8>) -> Result<u16, WireError> {
    line.ready().await.map_err(broken)?;
    let path = target.uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(HOST, &target.host)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| WireError::Broken("the path can't be sent".to_owned()))?;
    let response = line.send_request(request).await.map_err(broken)?;
    let status = response.status().as_u16();
    // Read to its end, or the connection can't carry the next one.
    let mut answer = response.into_body();
    while let Some(frame) = answer.frame().await {
        frame.map_err(broken)?;
    }
    Ok(status)
}

fn tls_client() -> Result<reqwest::Client, WireError> {
    // Each connection of ours is one of the server's.
    reqwest::Client::builder()
        .pool_max_idle_per_host(1)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| WireError::Broken(error.without_url().to_string()))
}

async fn post_tls(client: &reqwest::Client, target: &Target, body: Vec<u8>) -> Result<u16, WireError> {
    let lost = |error: reqwest::Error| WireError::Broken(error.without_url().to_string());
    let request = client.post(target.uri.to_string()).header(CONTENT_TYPE, "application/json").body(body);
    let response = request.send().await.map_err(lost)?;
    let status = response.status().as_u16();
    response.bytes().await.map_err(lost)?;
    Ok(status)
}

fn broken(error: hyper::Error) -> WireError {
    WireError::Broken(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn find(url: &str, reach: Reach) -> Result<SocketAddr, String> {
        Target::find(url, reach).await.map(|target| target.address).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn only_this_machine_unless_allowed() {
        for near in ["http://127.0.0.1:8080/callback", "http://[::1]:8080/callback", "https://127.0.0.1/callback"] {
            assert!(find(near, Reach::ThisMachine).await.unwrap().ip().is_loopback(), "{near}");
        }
        for far in ["http://192.0.2.1/callback", "http://0.0.0.0:8080/", "http://[2001:db8::1]/callback"] {
            assert!(find(far, Reach::ThisMachine).await.unwrap_err().contains("--allow-remote"), "{far}");
            assert!(find(far, Reach::Anywhere).await.is_ok(), "{far}");
        }
    }

    #[tokio::test]
    async fn an_address_that_can_not_be_called_is_refused_without_repeating_it() {
        for wrong in ["", "127.0.0.1:8080", "/callback/s3cret", "ftp://127.0.0.1/", "http://me:s3cret@127.0.0.1/"] {
            let said = find(wrong, Reach::Anywhere).await.unwrap_err();
            assert!(said.contains("--url") && !said.contains("s3cret"), "{wrong}: {said}");
        }
    }
}
