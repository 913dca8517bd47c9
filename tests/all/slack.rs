//! Slack's door of the real binary: what is clicked and typed there changes the message in the chat at once, and what comes
//! again after a restart changes nothing.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use poem::endpoint::make;
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::{IntoResponse, Server};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::watch;

use crate::bot::{Bot, callback, client};

const KEY: &str = "slackkey";
const SECRET: &str = "0123456789abcdef";

/// A Slack that says yes and keeps what it was sent, by path.
struct Slack {
    address: SocketAddr,
    sent: Arc<Mutex<Vec<(String, Value)>>>,
    count: watch::Receiver<usize>,
}

impl Slack {
    async fn start() -> Slack {
        let sent: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let (news, count) = watch::channel(0);
        let keep = Arc::clone(&sent);
        let endpoint = make(move |mut request: poem::Request| {
            let (keep, news) = (Arc::clone(&keep), news.clone());
            async move {
                let body = request.take_body().into_string().await.unwrap();
                let path = request.uri().path().to_owned();
                keep.lock().unwrap().push((path, serde_json::from_str(&body).unwrap()));
                news.send_modify(|count| *count += 1);
                json!({ "ok": true, "channel": "C1", "ts": "17.1" }).to_string().into_response()
            }
        });
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
        tokio::spawn(Server::new_with_acceptor(acceptor).run(endpoint));
        Slack { address, sent, count }
    }

    /// Waits for a call to this path that holds these words.
    async fn hears(&self, path: &str, words: &str) -> Value {
        let find = || {
            let sent = self.sent.lock().unwrap();
            let found = sent.iter().find(|(at, body)| at == path && body.to_string().contains(words));
            found.map(|(_, body)| body.clone())
        };
        let mut count = self.count.clone();
        // Less than the fifteen seconds for which a message that merely goes on waits.
        let found = tokio::time::timeout(Duration::from_secs(12), count.wait_for(|_| find().is_some())).await;
        assert!(found.is_ok(), "no {words} at {path}: {:?}", self.sent.lock().unwrap());
        find().unwrap()
    }
}

/// A call as Slack signs it.
struct Call {
    path: &'static str,
    at: u64,
    body: String,
}

impl Call {
    fn new(path: &'static str, fields: &[(&str, &str)]) -> Call {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        Call { path, at, body: form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish() }
    }

    async fn send(&self, bot: &Bot) -> (u16, String) {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(format!("v0:{}:{}", self.at, self.body).as_bytes());
        let signature = format!("v0={}", hex::encode(mac.finalize().into_bytes()));
        let request = client().post(bot.callback_url().replace("/callback", self.path)).body(self.body.clone());
        let request = request.header("X-Slack-Request-Timestamp", self.at).header("X-Slack-Signature", signature);
        let answer = request.header("Content-Type", "application/x-www-form-urlencoded").send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

fn typed(text: &str) -> Call {
    let who = [("channel_id", "C1"), ("user_id", "U1"), ("user_name", "ann")];
    Call::new("/chat/slack/command", &[&who[..], &[("command", "/pushwatch"), ("text", text)]].concat())
}

fn clicked(value: &str, slack: &Slack) -> Call {
    let payload = json!({
        "type": "block_actions",
        "user": { "id": "U1", "username": "ann" },
        "channel": { "id": "C1", "name": "alerts" },
        "container": { "type": "message", "message_ts": "17.1" },
        "response_url": format!("http://{}/actions/1", slack.address),
        "actions": [{ "type": "button", "action_id": "x", "value": value }],
    });
    Call::new("/chat/slack/action", &[("payload", &payload.to_string())])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_shows_at_once_what_was_clicked_and_typed_and_nothing_comes_in_twice() {
    let (slack, folder) = (Slack::start().await, tempfile::tempdir().unwrap());
    let rules = format!(
        "version: 1\ntencent: {{ keys: [{KEY}] }}\nchannels:\n  ops: {{ type: slack, token: xoxb-1, channel: C1, \
         signing_secret: \"{SECRET}\", allow: [U1], api_url: \"http://{}/api\" }}\ndefaults: {{ notify: [ops] }}\n\
         rules:\n  - {{ name: gop, on: push_error, types: [16], resolve_after: 10m }}\n",
        slack.address
    );
    std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
    let bot = Bot::start(folder.path()).await;
    let answer = client().post(bot.callback_url()).body(callback(KEY, "cam1")).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let post = slack.hears("/api/chat.postMessage", "cam1").await;
    let buttons = post["attachments"][0]["blocks"].as_array().unwrap().last().unwrap()["elements"].clone();
    let values: Vec<&str> =
        buttons.as_array().unwrap().iter().map(|button| button["value"].as_str().unwrap()).collect();
    assert_eq!(values.len(), 3, "{post}");

    assert_eq!(clicked(values[1], &slack).send(&bot).await, (200, String::new()));
    let update = slack.hears("/api/chat.update", "ann").await;
    assert_eq!(update["ts"], "17.1");
    assert!(!update.to_string().contains("ack:"), "it is in hand: {update}");
    slack.hears("/actions/1", "You have incident").await;
    let mute = typed("mute cam1 1h");
    let (status, said) = mute.send(&bot).await;
    assert!(status == 200 && said.contains("ann: Muted until") && said.contains("in_channel"), "{said}");
    slack.hears("/api/chat.update", "muted until").await;
    assert_eq!(mute.send(&bot).await, (403, String::new()));
    assert_eq!(typed("unmute 1").send(&bot).await.0, 200);
    // A second passes, as Slack counts: what was signed before is older than the process that is started now.
    let old = Call { at: mute.at - 2, ..typed("mute cam1 2h") };
    bot.stop();

    let bot = Bot::start(folder.path()).await;
    assert_eq!(old.send(&bot).await, (403, String::new()));
    let (_, mutes) = bot.admin("/api/v1/mutes").await;
    assert_eq!(serde_json::from_str::<Value>(&mutes).unwrap()["items"], json!([]));
    assert_eq!(typed("help").send(&bot).await.0, 200);
    bot.stop();
}
