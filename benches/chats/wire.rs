//! HTTP as far as a fake chat needs it: one request after the other from a connection, and answers by hand, so that
//! a connection can also be left hanging, dropped in the middle or refused.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Most bytes of a request; more ends the connection.
const MOST: usize = 1 << 20;

/// A request as it came.
pub(crate) struct Request {
    /// Path with its query.
    pub(crate) path: String,
    /// Headers as text, names in lower case.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }
}

/// What is answered.
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// For how many seconds `Retry-After` asks.
    pub(crate) retry_after: Option<u64>,
    /// The body.
    pub(crate) body: String,
}

impl Answer {
    /// 200 with this body.
    pub(crate) fn fine(body: impl Into<String>) -> Answer {
        Answer { status: 200, retry_after: None, body: body.into() }
    }

    /// Another status with this body.
    pub(crate) fn of(status: u16, body: impl Into<String>) -> Answer {
        Answer { status, retry_after: None, body: body.into() }
    }
}

/// A connection that requests come from.
pub(crate) struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    /// Nothing read yet.
    pub(crate) fn new(stream: TcpStream) -> Line {
        Line { stream, buffer: Vec::new() }
    }

    /// The next request; none once the other side is gone.
    pub(crate) async fn read(&mut self) -> Option<Request> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            self.more().await?;
        };
        let text = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        let (first, rest) = text.split_once("\r\n")?;
        let path = first.split(' ').nth(1)?.to_owned();
        let lower = |line: &str| match line.split_once(':') {
            Some((name, value)) => format!("{}:{value}", name.to_ascii_lowercase()),
            None => line.to_owned(),
        };
        let head = rest.lines().map(lower).collect::<Vec<_>>().join("\n");
        let mut request = Request { path, head, body: Vec::new() };
        let length: usize = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        while self.buffer.len() < end + 4 + length {
            self.more().await?;
        }
        request.body = self.buffer[end + 4..end + 4 + length].to_vec();
        self.buffer.drain(..end + 4 + length);
        Some(request)
    }

    /// Whether the other side read what it was answered, as far as can be told: it took the bytes.
    pub(crate) async fn write(&mut self, answer: &Answer) -> bool {
        let wait = answer.retry_after.map(|secs| format!("retry-after: {secs}\r\n")).unwrap_or_default();
        let text = format!(
            "HTTP/1.1 {} .\r\ncontent-length: {}\r\n{wait}\r\n{}",
            answer.status,
            answer.body.len(),
            answer.body
        );
        self.stream.write_all(text.as_bytes()).await.is_ok()
    }

    /// Waits until the other side has gone.
    pub(crate) async fn closed(&mut self) {
        while self.more().await.is_some() {}
    }

    async fn more(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.buffer).await.ok()?;
        (read > 0 && self.buffer.len() < MOST).then_some(())
    }
}
