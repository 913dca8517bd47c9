//! A Bot API on loopback: gives updates as Telegram does (one question at a time), and keeps what it is asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A test waits no longer for something to happen.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct State {
    updates: Vec<Value>,
    last: i64,
    calls: Vec<(String, Value)>,
    /// What methods answer instead of yes, in order.
    script: HashMap<String, VecDeque<(u16, Value)>>,
    polls: usize,
    open: HashMap<String, usize>,
    /// Questions that came while another one with the same token was open.
    contested: usize,
}

#[derive(Clone)]
pub(super) struct Fake {
    pub(super) url: String,
    state: Arc<Mutex<State>>,
    changed: Arc<watch::Sender<()>>,
}

impl Fake {
    pub(super) async fn start() -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fake = Fake { url, state: Arc::default(), changed: Arc::new(watch::Sender::new(())) };
        fake.state.lock().unwrap().last = 100;
        let served = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let fake = served.clone();
                tokio::spawn(async move { fake.serve(stream).await });
            }
        });
        fake
    }

    /// Something happens: a message or the like, without a number.
    pub(super) fn happens(&self, mut update: Value) -> i64 {
        let mut state = self.state.lock().unwrap();
        state.last += 1;
        update["update_id"] = json!(state.last);
        state.updates.push(update);
        let last = state.last;
        drop(state);
        self.changed.send_replace(());
        last
    }

    /// The same is brought again.
    pub(super) fn happens_again(&self, update: Value) {
        self.state.lock().unwrap().updates.push(update);
        self.changed.send_replace(());
    }

    pub(super) fn script(&self, method: &str, status: u16, body: Value) {
        self.state.lock().unwrap().script.entry(method.to_lowercase()).or_default().push_back((status, body));
    }

    /// Everything that it was asked but for updates.
    pub(super) fn calls(&self, method: &str) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        state.calls.iter().filter(|(name, _)| name == method).map(|(_, body)| body.clone()).collect()
    }

    pub(super) fn contested(&self) -> usize {
        self.state.lock().unwrap().contested
    }

    /// Waits until a method was called so often.
    pub(super) async fn until(&self, method: &str, count: usize) -> Vec<Value> {
        self.wait_for(method, |fake| fake.calls(method).len() >= count).await;
        self.calls(method)
    }

    /// Waits until all that happened is acknowledged, and the next question is open.
    pub(super) async fn until_heard(&self) {
        let polls = self.state.lock().unwrap().polls;
        self.wait_for("getUpdates", |fake| {
            let state = fake.state.lock().unwrap();
            state.updates.is_empty() && state.polls > polls.min(1)
        })
        .await;
    }

    pub(super) async fn until_asked(&self, token: &str, open: usize) {
        self.wait_for(token, |fake| fake.state.lock().unwrap().open.get(token).copied().unwrap_or(0) == open).await;
    }

    async fn wait_for(&self, what: &str, is_so: impl Fn(&Fake) -> bool) {
        let mut changed = self.changed.subscribe();
        let waited = tokio::time::timeout(PATIENCE, async {
            while !is_so(self) {
                changed.changed().await.unwrap();
            }
        });
        assert!(waited.await.is_ok(), "waiting for {what}: {:?}", self.state.lock().unwrap().calls);
    }

    async fn serve(&self, mut stream: TcpStream) {
        let Some((token, method, body)) = read(&mut stream).await else { return };
        let scripted = {
            let mut state = self.state.lock().unwrap();
            if method != "getUpdates" {
                state.calls.push((method.clone(), body.clone()));
            }
            state.script.get_mut(&method.to_lowercase()).and_then(VecDeque::pop_front)
        };
        self.changed.send_replace(());
        let (status, answer) = match (scripted, &*method) {
            (Some(scripted), _) => scripted,
            (None, "getUpdates") => (200, yes(self.wait(&mut stream, &token, &body).await)),
            (None, "getMe") => (200, yes(json!({ "id": 1, "is_bot": true, "username": "Alert_bot" }))),
            (None, "sendMessage") => (200, yes(json!({ "message_id": 50, "chat": { "id": body["chat_id"] } }))),
            (None, _) => (200, yes(json!(true))),
        };
        let text = answer.to_string();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
        let _ = stream.write_all(format!("{head}{text}").as_bytes()).await;
    }

    /// Waits for updates as long as whoever asked does.
    async fn wait(&self, stream: &mut TcpStream, token: &str, body: &Value) -> Value {
        let offset = body["offset"].as_i64().unwrap_or(0);
        let mut changed = self.changed.subscribe();
        {
            let mut state = self.state.lock().unwrap();
            state.updates.retain(|update| update["update_id"].as_i64().unwrap() >= offset);
            state.polls += 1;
            let open = state.open.entry(token.to_owned()).or_default();
            *open += 1;
            let is_second = *open > 1;
            state.contested += usize::from(is_second);
        }
        self.changed.send_replace(());
        let mut end = [0u8; 1];
        let found = loop {
            let found = self.state.lock().unwrap().updates.clone();
            if !found.is_empty() {
                break found;
            }
            tokio::select! {
                _ = changed.changed() => {}
                // Whoever asked has gone.
                _ = stream.read(&mut end) => break Vec::new(),
            }
        };
        *self.state.lock().unwrap().open.get_mut(token).unwrap() -= 1;
        self.changed.send_replace(());
        json!(found)
    }
}

fn yes(result: Value) -> Value {
    json!({ "ok": true, "result": result })
}

async fn read(stream: &mut TcpStream) -> Option<(String, String, Value)> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let lower = head.to_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        if bytes.len() >= end + 4 + length {
            let path = head.split(' ').nth(1)?.strip_prefix("/bot")?.to_owned();
            let (token, method) = path.split_once('/')?;
            let body = serde_json::from_slice(&bytes[end + 4..]).unwrap_or_default();
            return Some((token.to_owned(), method.to_owned(), body));
        }
    }
}
