//! The real binary and a Telegram on loopback: a command is asked for, followed and answered, and kept over a restart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use poem::endpoint::make;
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::{IntoResponse, Server};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::bot::{Bot, callback, client};

const KEY: &str = "telegramkey";
const TOKEN: &str = "77:hidden-token";

/// Gives its updates to whoever asks until they are acknowledged, and keeps what it is told.
#[derive(Clone)]
struct Telegram {
    url: String,
    updates: watch::Sender<Vec<Value>>,
    told: watch::Sender<BTreeMap<String, Vec<Value>>>,
}

impl Telegram {
    async fn start() -> Telegram {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let url = format!("http://{}", acceptor.local_addr()[0].as_socket_addr().unwrap());
        let telegram = Telegram { url, updates: watch::Sender::default(), told: watch::Sender::default() };
        let shared = Arc::new(Mutex::new(telegram.clone()));
        let endpoint = make(move |mut request: poem::Request| {
            let telegram = shared.lock().unwrap().clone();
            async move {
                let path = request.uri().path().to_owned();
                let (token, method) = path.trim_start_matches("/bot").split_once('/').unwrap();
                assert_eq!(token, TOKEN);
                let body = request.take_body().into_string().await.unwrap();
                let result = telegram.answer(method, serde_json::from_str(&body).unwrap()).await;
                json!({ "ok": true, "result": result }).to_string().into_response()
            }
        });
        tokio::spawn(Server::new_with_acceptor(acceptor).run(endpoint));
        telegram
    }

    async fn answer(&self, method: &str, body: Value) -> Value {
        match method {
            "getMe" => json!({ "id": 77, "is_bot": true, "username": "alert_bot" }),
            "getUpdates" => {
                let offset = body["offset"].as_i64().unwrap_or(0);
                self.updates.send_modify(|all| all.retain(|update| update["update_id"].as_i64().unwrap() >= offset));
                let mut updates = self.updates.subscribe();
                let some = updates.wait_for(|all| !all.is_empty());
                let some = tokio::time::timeout(Duration::from_secs(25), some).await;
                some.map_or(json!([]), |all| json!(*all.unwrap()))
            }
            _ => {
                self.told.send_modify(|told| told.entry(method.to_owned()).or_default().push(body.clone()));
                json!({ "message_id": 50, "chat": { "id": body["chat_id"] } })
            }
        }
    }

    fn says(&self, id: i64, text: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let length = text.split(' ').next().unwrap().len();
        let message = json!({
            "message_id": 11, "date": now, "text": text, "chat": { "id": -5, "type": "supergroup", "title": "g" },
            "from": { "id": 7, "is_bot": false, "first_name": "Ann" },
            "entities": [{ "type": "bot_command", "offset": 0, "length": length }],
        });
        self.updates.send_modify(|all| all.push(json!({ "update_id": id, "message": message })));
    }

    /// Waits until a method was called so often.
    async fn until(&self, method: &str, count: usize) -> Vec<Value> {
        let mut told = self.told.subscribe();
        let enough = told.wait_for(|told| told.get(method).is_some_and(|calls| calls.len() >= count));
        let enough = tokio::time::timeout(Duration::from_secs(30), enough).await.expect("it is told in time");
        enough.unwrap()[method].clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_muted_from_telegram_and_stays_so_over_a_restart_that_follows_nothing_twice() {
    let (telegram, folder) = (Telegram::start().await, tempfile::tempdir().unwrap());
    let rules = format!(
        "version: 1\ntencent: {{ keys: [{KEY}] }}\nchannels:\n  t: {{ type: telegram, token: \"{TOKEN}\", chat_id: -5, \
         allow: [7], api_url: \"{}\" }}\ndefaults: {{ notify: [t] }}\n\
         rules:\n  - {{ name: gop, on: push_error, types: [16], severity: critical }}\n",
        telegram.url
    );
    std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
    let bot = Bot::start(folder.path()).await;
    assert_eq!(telegram.until("setMyCommands", 2).await.len(), 2);
    telegram.says(1, "/mute@Alert_bot cam2 2h encoder");
    let sent = telegram.until("sendMessage", 1).await;
    assert!(sent[0]["text"].as_str().unwrap().starts_with("Muted until"), "{}", sent[0]);
    bot.stop();

    // Telegram was perhaps not told any more that it came.
    telegram.says(1, "/mute@Alert_bot cam2 2h encoder");
    let bot = Bot::start(folder.path()).await;
    for stream in ["cam2", "cam1"] {
        let answer = client().post(bot.callback_url()).body(callback(KEY, stream)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
    }
    let sent = telegram.until("sendMessage", 2).await;
    assert!(sent[1]["text"].as_str().unwrap().contains("cam1"), "cam2 is muted: {}", sent[1]);
    assert_eq!(sent[1]["reply_markup"]["inline_keyboard"][0].as_array().unwrap().len(), 3, "{}", sent[1]);
    telegram.says(2, "/mutes");
    let sent = telegram.until("sendMessage", 3).await;
    assert!(sent[2]["text"].as_str().unwrap().contains("by Ann"), "{}", sent[2]);
    let (_, audit) = bot.admin("/api/v1/audit").await;
    let audit: Value = serde_json::from_str(&audit).unwrap();
    let whats: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|item| item["what"].as_str().unwrap()).collect();
    assert_eq!(whats, ["mutes", "mute cam2 2h encoder"]);
    bot.stop();
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.contains("hidden-token"), "{log}");
}
