//! For tests: a chat on loopback whose answers are scripted, and which records what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

/// Longest wait for what must come: much longer than it takes, even while a busy machine has other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// What the chat does with one request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Status, extra header lines, body.
    Say(u16, &'static str, String),
    /// Takes the request and hangs up.
    HangUp,
    /// A beginning of an answer, and then the connection breaks.
    Broken(u16, String),
    /// The same, but the connection stays, and nothing more comes.
    Stalled(u16, String),
    /// Waits to be released, then says so.
    Held(Arc<Notify>, Box<Answer>),
}

impl Answer {
    pub(crate) fn json(status: u16, body: Value) -> Answer {
        Answer::Say(status, "", body.to_string())
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) body: Value,
}

#[derive(Clone)]
pub(crate) struct FakeChat {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    script: Arc<Mutex<VecDeque<Answer>>>,
    otherwise: Answer,
    count: watch::Sender<usize>,
}

impl FakeChat {
    /// Answers as scripted, and `otherwise` when the script is at its end.
    pub(crate) async fn start(script: Vec<Answer>, otherwise: Answer) -> FakeChat {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let chat = FakeChat {
            url: format!("http://{}", listener.local_addr().unwrap()),
            asked: Arc::default(),
            script: Arc::new(Mutex::new(script.into())),
            otherwise,
            count: watch::Sender::new(0),
        };
        let served = chat.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let chat = served.clone();
                tokio::spawn(async move { chat.serve(stream).await });
            }
        });
        chat
    }

    /// A chat that says Slack's yes to everything.
    pub(crate) async fn slack(script: Vec<Answer>) -> FakeChat {
        let yes = serde_json::json!({ "ok": true, "channel": "C9", "ts": "17.1" });
        FakeChat::start(script, Answer::json(200, yes)).await
    }

    pub(crate) fn script(&self, answer: Answer) {
        self.script.lock().unwrap().push_back(answer);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The last part of each path.
    pub(crate) fn methods(&self) -> Vec<String> {
        self.asked().iter().map(|asked| asked.path.rsplit('/').next().unwrap().to_owned()).collect()
    }

    /// Waits until `count` requests have come.
    pub(crate) async fn until(&self, count: usize) {
        let mut counted = self.count.subscribe();
        let waited = tokio::time::timeout(PATIENCE, counted.wait_for(|seen| *seen >= count)).await;
        assert!(waited.is_ok(), "only {:?} came", self.methods());
    }

    async fn serve(&self, mut stream: TcpStream) {
        let Some(asked) = read(&mut stream).await else { return };
        self.asked.lock().unwrap().push(asked);
        let mut answer = self.script.lock().unwrap().pop_front().unwrap_or_else(|| self.otherwise.clone());
        self.count.send_modify(|count| *count += 1);
        if let Answer::Held(release, then) = answer {
            release.notified().await;
            answer = *then;
        }
        let stalls = matches!(answer, Answer::Stalled(..));
        let (status, headers, body, missing) = match answer {
            Answer::Say(status, headers, body) => (status, headers, body, 0),
            Answer::Broken(status, body) | Answer::Stalled(status, body) => (status, "", body, 1_000),
            Answer::HangUp | Answer::Held(..) => return,
        };
        let length = body.len() + missing;
        let text =
            format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}");
        let _ = stream.write_all(text.as_bytes()).await;
        if stalls {
            std::future::pending::<()>().await;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        if bytes.len() >= end + 4 + length {
            let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let path = line.split(' ').nth(1)?.to_owned();
            let body = serde_json::from_slice(&bytes[end + 4..]).unwrap_or_default();
            return Some(Asked { path, head, body });
        }
    }
}
