//! A real core, store and door on a real port, and a fake Slack to which answers are posted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::super::signature::sign;
use crate::chat::{Chat, endpoint};
use crate::clock::Clock;
use crate::command::Desk;
use crate::core::{Core, Handle, Rooms, Rulebook};
use crate::deliver::fake_chat::{Answer, Asked, FakeChat};
use crate::listen::{self, Limits};
use crate::metrics::Metrics;
use crate::model::{
    Abnormal, AbnormalType, AuditRecord, Event, EventId, EventKind, Incident, Input, Mute, MuteId, NewEntry, State,
    StreamName,
};
use crate::store::{Lookup, Settings, Shard, Sqlite, Store, Which};

/// The signing secret of the app of channels `ops`, `night` and `video`, which are one chat,
pub(super) const SECRET: &str = "0123456789abcdef";

/// and that of the app of channel `acme`.
pub(super) const OTHER: &str = "fedcba9876543210";

pub(super) struct House {
    pub(super) slack: FakeChat,
    pub(super) chat: Arc<Chat>,
    address: SocketAddr,
    store: Arc<Sqlite>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    handle: Handle,
    core: Option<Core>,
    _folder: tempfile::TempDir,
}

impl House {
    pub(super) async fn new() -> House {
        let mut house = House::asleep().await;
        house.wake();
        house
    }

    /// One whose core does not run yet.
    pub(super) async fn asleep() -> House {
        // Fails only if one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let slack = FakeChat::start(Vec::new(), Answer::Say(200, "", "ok".into())).await;
        let folder = tempfile::tempdir().unwrap();
        let (clock, metrics) = (Arc::new(Clock::start()), Arc::new(Metrics::new()));
        let store = Sqlite::open(Settings::for_testing(folder.path()), Arc::clone(&clock), Arc::clone(&metrics));
        let store = store.unwrap();
        let rules = Arc::new(Rulebook::of_one(Arc::new(
            crate::rules::load(&rules(&slack.url), "rules.yaml", &|_| None).unwrap_or_else(|wrong| panic!("{wrong:?}")),
        )));
        let rooms = Rooms {
            store: Arc::clone(&store) as _,
            rules: Arc::clone(&rules),
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&metrics),
        };
        let core = Core::open(rooms).await.unwrap();
        let handle = core.handle();
        let kept = (&*store as &dyn Store, Arc::clone(&store) as _, Arc::clone(&store) as _);
        let desk = Arc::new(Desk::new(handle.clone(), kept, Arc::clone(&rules), Arc::clone(&clock)));
        let shared = (Arc::clone(&clock), Arc::clone(&metrics));
        let telegram = crate::chat::telegram::unlimited(&*store, &clock);
        let wecom = crate::chat::wecom::tests::silent(&*store);
        let chat = Arc::new(Chat::new(desk, rules, shared, crate::deliver::http_client(), telegram, wecom));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let door = Arc::new(endpoint(Arc::clone(&chat)));
        let serve = listen::serve(listener, door, Limits::default(), Arc::clone(&metrics), CancellationToken::new());
        tokio::spawn(serve);
        House { slack, chat, address, store, clock, metrics, handle, core: Some(core), _folder: folder }
    }

    pub(super) fn wake(&mut self) {
        if let Some(core) = self.core.take() {
            tokio::spawn(async move { core.run(CancellationToken::new()).await.unwrap() });
        }
    }

    /// These streams of domain `d` report an error, and all that comes of it is committed.
    pub(super) async fn report(&self, streams: &[&str]) {
        self.report_of(16, streams).await;
    }

    /// The same of this type.
    pub(super) async fn report_of(&self, kind: u32, streams: &[&str]) {
        for stream in streams {
            let event = Event {
                id: EventId((u128::from(fastrand::u64(..)) << 64 | u128::from(fastrand::u64(..))).to_le_bytes()),
                kind: EventKind::PushError,
                stream: StreamName::new("d", "live", stream),
                session: Some("1".into()),
                appid: None,
                user_ip: None,
                node: None,
                happened_at: Some(self.clock.steady()),
                report_interval: Some(5000),
                errcode: None,
                errmsg: None,
                push_duration: None,
                abnormal: vec![Abnormal { kind: AbnormalType(kind), count: 1, details: Vec::new(), text: None }],
                unreadable: None,
            };
            let entry = NewEntry { input: Input::Callback(Box::new(event)), body: Bytes::from_static(b"{}") };
            self.store.append(&Shard::Engine, entry).await.unwrap();
        }
        self.handle.give(Input::Unmuted { id: MuteId(u64::MAX) }).await.unwrap();
    }

    pub(super) async fn firing(&self) -> Vec<Incident> {
        let wanted = Which { states: vec![State::Firing], most: 500, ..Which::default() };
        self.store.incidents(wanted).await.unwrap().items
    }

    pub(super) async fn mutes(&self) -> Vec<Mute> {
        self.store.mutes().await.unwrap()
    }

    /// The commands on record, the newest first.
    pub(super) async fn record(&self) -> Vec<AuditRecord> {
        self.store.records(None, 100).await.unwrap().items.into_iter().map(|(_, record)| record).collect()
    }

    /// How many calls had this outcome.
    pub(super) fn counted(&self, outcome: &str) -> u64 {
        let text = self.metrics.text();
        let is_it = |line: &&str| {
            line.starts_with("pushwatch_chat") && line.contains("slack") && line.contains(&format!("\"{outcome}\""))
        };
        text.lines().filter(is_it).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Nothing changed, nothing is on record, and nobody was called.
    pub(super) async fn assert_untouched(&self, of: &str) {
        assert_eq!(self.mutes().await, [], "{of}");
        assert_eq!(self.record().await, [], "{of}");
        assert!(self.firing().await.iter().all(|incident| incident.ack.is_none()), "{of}");
        assert!(self.slack.asked().is_empty(), "{of}");
    }

    pub(super) fn now(&self) -> i64 {
        self.clock.wall().secs()
    }

    /// A call as Slack makes it, signed now.
    pub(super) fn call(&self, path: &'static str, body: String) -> Call {
        let at = self.now();
        let signature = sign(SECRET, at, &body);
        Call { path, at: at.to_string(), signature, kind: "application/x-www-form-urlencoded".into(), body }
    }

    pub(super) async fn send(&self, call: &Call) -> (u16, String) {
        let request = reqwest::Client::new().post(format!("http://{}{}", self.address, call.path));
        let request =
            request.header("X-Slack-Request-Timestamp", &call.at).header("X-Slack-Signature", &call.signature);
        let request = request.header("Content-Type", &call.kind).body(call.body.clone());
        let answer = request.timeout(Duration::from_secs(20)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// What is answered to a command of U1 in chat C1.
    pub(super) async fn types(&self, text: &str) -> Value {
        let call = self.call("/chat/slack/command", self.command(text));
        said(self.send(&call).await)
    }

    /// The body of a command of U1 in chat C1.
    pub(super) fn command(&self, text: &str) -> String {
        let nonce = fastrand::u64(..).to_string();
        form(&[
            ("token", "x"),
            ("team_id", "T1"),
            ("channel_id", "C1"),
            ("channel_name", "alerts"),
            ("user_id", "U1"),
            ("user_name", "ann"),
            ("command", "/pushwatch"),
            ("text", text),
            ("response_url", &format!("{}/commands/1", self.slack.url)),
            ("trigger_id", &nonce),
        ])
    }

    /// The body of a click of U1 in chat C1.
    pub(super) fn click(&self, value: &str) -> String {
        let payload = json!({
            "type": "block_actions",
            "user": { "id": "U1", "username": "ann", "name": "ann" },
            "channel": { "id": "C1", "name": "alerts" },
            "container": { "type": "message", "message_ts": "17.1", "channel_id": "C1" },
            "message": { "ts": "17.1", "text": "x", "attachments": [] },
            "response_url": format!("{}/actions/1", self.slack.url),
            "trigger_id": fastrand::u64(..).to_string(),
            "actions": [{ "type": "button", "action_id": "x", "block_id": "y", "value": value, "action_ts": "18.1" }],
        });
        form(&[("payload", &payload.to_string())])
    }

    /// Clicks, and waits until so many answers were posted in all; the last one.
    pub(super) async fn clicks(&self, value: &str, answers: usize) -> Asked {
        let call = self.call("/chat/slack/action", self.click(value));
        assert_eq!(self.send(&call).await, (200, String::new()), "{value}");
        self.slack.until(answers).await;
        self.slack.asked()[answers - 1].clone()
    }
}

/// A call to the door.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) path: &'static str,
    pub(super) at: String,
    pub(super) signature: String,
    pub(super) kind: String,
    pub(super) body: String,
}

pub(super) fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// An answer to a command; `null` for silence.
pub(super) fn said((status, body): (u16, String)) -> Value {
    assert_eq!(status, 200, "{body}");
    if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() }
}

/// All text of a message.
pub(super) fn text_of(message: &Value) -> String {
    let blocks = message["blocks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<&str> = blocks.iter().filter_map(|block| block["text"]["text"].as_str()).collect();
    texts.join("\n")
}

fn rules(url: &str) -> String {
    let channel = |name: &str, id: &str, secret: &str, allow: &str| {
        format!(
            "  {name}: {{ type: slack, token: xoxb-1, channel: {id}, signing_secret: \"{secret}\", allow: {allow}, \
             api_url: \"{url}/api\" }}\n"
        )
    };
    format!(
        "version: 1\ntencent: {{ allow_unsigned: true }}\nchannels:\n{}{}{}{}{}\
         defaults: {{ notify: [ops, night] }}\nrules: [ {{ name: gop, on: push_error, types: [16] }}, \
         {{ name: site, on: push_error, types: [13], per: domain, notify: [video] }} ]\n",
        channel("ops", "C1", SECRET, "[U1, U2]"),
        channel("night", "C1", SECRET, "[U3]"),
        channel("video", "C1", SECRET, "[U1, U4]"),
        channel("acme", "C2", OTHER, "everyone"),
        "  quiet: { type: slack, token: xoxb-1, channel: C4 }\n",
    )
}
