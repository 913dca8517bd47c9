//! A house with a real store, a real core, doors on a real port, and Telegram played by a fake.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fake::Fake;
use crate::chat::{self, Chat, Delivery, Telegram};
use crate::clock::Clock;
use crate::command::Desk;
use crate::core::{Core, Given, Handle, Rooms, Rulebook};
use crate::listen::{self, Limits};
use crate::metrics::Metrics;
use crate::model::{
    Abnormal, AbnormalType, AuditRecord, Channel, ChatOutcome, Event, EventId, EventKind, Input, Mute, MuteId,
    NewEntry, StreamName, Target, Timestamp,
};
use crate::store::{Lookup as _, Settings, Shard, Sqlite, Store};

/// Milliseconds of 2026-01-02.
pub(super) const NOW: i64 = 1_767_312_000_000;

pub(super) struct House {
    pub(super) chat: Arc<Chat>,
    pub(super) delivery: Arc<Purse>,
    pub(super) store: Arc<Sqlite>,
    pub(super) rules: Arc<Rulebook>,
    pub(super) fake: Fake,
    pub(super) url: String,
    handle: Handle,
    folder: Arc<tempfile::TempDir>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// What the budget says, and what it was told.
#[derive(Default)]
pub(super) struct Purse {
    /// Milliseconds until the next call may go, once; then it may.
    pub(super) wait: Mutex<Vec<u64>>,
    pub(super) spent: Mutex<usize>,
    pub(super) held: Mutex<Vec<Duration>>,
    pub(super) homes: Mutex<Vec<(i64, i64)>>,
    pub(super) clock: Mutex<Option<Arc<Clock>>>,
}

/// Telegram's doors with a budget that never ends.
pub(in crate::chat) fn unlimited(store: &dyn Store, clock: &Arc<Clock>) -> Telegram {
    Telegram::new(store, Arc::new(Purse::on(clock)), clock.steady())
}

impl Purse {
    fn on(clock: &Arc<Clock>) -> Purse {
        Purse { clock: Mutex::new(Some(Arc::clone(clock))), ..Purse::default() }
    }
}

impl Delivery for Purse {
    fn spend(&self, _: &Channel) -> Result<(), Timestamp> {
        let clock = self.clock.lock().unwrap().clone().unwrap();
        match self.wait.lock().unwrap().pop() {
            Some(wait) => Err(clock.steady() + Duration::from_millis(wait)),
            None => {
                *self.spent.lock().unwrap() += 1;
                Ok(())
            }
        }
    }

    fn hold<'a>(&'a self, _: &'a Channel, length: Duration) -> BoxFuture<'a, ()> {
        self.held.lock().unwrap().push(length);
        // The whole of it is to be waited for.
        self.wait.lock().unwrap().push(u64::try_from(length.as_millis()).unwrap());
        Box::pin(async {})
    }

    fn home<'a>(&'a self, channel: &'a Channel) -> BoxFuture<'a, Option<i64>> {
        let Target::Telegram { chat_id, .. } = channel.target else { panic!() };
        let found = self.homes.lock().unwrap().iter().find(|(from, _)| *from == chat_id).map(|(_, to)| *to);
        Box::pin(async move { found.or(Some(chat_id)) })
    }

    fn moved<'a>(&'a self, _: &'a Channel, from: i64, to: i64) -> BoxFuture<'a, ()> {
        self.homes.lock().unwrap().push((from, to));
        Box::pin(async {})
    }
}

impl House {
    /// With these channels, flow style; `URL` in them is the fake's address.
    pub(super) async fn new(channels: &str) -> House {
        let _ = rustls::crypto::ring::default_provider().install_default();
        House::on((Arc::new(tempfile::tempdir().unwrap()), Duration::ZERO), Fake::start().await, channels).await
    }

    /// The same, begun an hour ago.
    pub(super) async fn long_since(channels: &str) -> House {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let hour = Duration::from_secs(3600);
        House::on((Arc::new(tempfile::tempdir().unwrap()), hour), Fake::start().await, channels).await
    }

    async fn on((folder, age): (Arc<tempfile::TempDir>, Duration), fake: Fake, channels: &str) -> House {
        let shown = Arc::new(AtomicI64::new(NOW));
        let clock = Arc::new(Clock::with_wall(move || Timestamp(shown.load(Ordering::Relaxed))));
        let metrics = Arc::new(Metrics::new());
        let store = Sqlite::open(Settings::for_testing(folder.path()), Arc::clone(&clock), Arc::clone(&metrics));
        let store = store.unwrap();
        let rules = Arc::new(Rulebook::of_one(Arc::new(compile(channels, &fake))));
        let rooms = Rooms {
            store: Arc::clone(&store) as _,
            rules: Arc::clone(&rules),
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&metrics),
        };
        let core = Core::open(rooms).await.unwrap();
        let (handle, stop) = (core.handle(), CancellationToken::new());
        let run = core.run(stop.clone());
        let mut tasks = vec![tokio::spawn(async move { run.await.unwrap() })];
        let kept = (&*store as _, Arc::clone(&store) as _, Arc::clone(&store) as _);
        let desk = Arc::new(Desk::new(handle.clone(), kept, Arc::clone(&rules), Arc::clone(&clock)));
        let delivery = Arc::new(Purse::on(&clock));
        let telegram = Telegram::new(&*store, Arc::clone(&delivery) as _, clock.steady() - age);
        let shared = (clock, Arc::clone(&metrics));
        let http = crate::deliver::http_client();
        let wecom = crate::chat::wecom::tests::silent(&*store);
        let chat = Arc::new(Chat::new(desk, Arc::clone(&rules), shared, http, telegram, wecom));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let door = Arc::new(chat::endpoint(Arc::clone(&chat)));
        let serve = listen::serve(listener, door, Limits::default(), Arc::clone(&metrics), stop.clone());
        tasks.push(tokio::spawn(serve));
        tasks.push(tokio::spawn(Arc::clone(&chat).listen(stop.clone())));
        House { chat, delivery, store, rules, fake, url, handle, folder, metrics, stop, tasks }
    }

    pub(super) fn reload(&self, channels: &str) {
        self.rules.put(Arc::new(compile(channels, &self.fake)));
    }

    pub(super) async fn stop(self) -> (Arc<tempfile::TempDir>, Fake) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
        drop(self.chat);
        self.store.close().await;
        (self.folder, self.fake)
    }

    pub(super) async fn restart(self, channels: &str) -> House {
        let (folder, fake) = self.stop().await;
        House::on((folder, Duration::ZERO), fake, channels).await
    }

    pub(super) async fn mutes(&self) -> Vec<Mute> {
        self.store.mutes().await.unwrap()
    }

    /// What was given here, oldest first.
    pub(super) async fn audit(&self) -> Vec<AuditRecord> {
        let page = self.store.records(None, 100).await.unwrap();
        page.items.into_iter().rev().map(|(_, record)| record).collect()
    }

    pub(super) fn counted(&self, outcome: ChatOutcome) -> u64 {
        let text = self.metrics.text();
        let head = format!("pushwatch_chat_commands_total{{platform=\"telegram\",outcome=\"{}\"}} ", outcome.as_str());
        text.lines().find_map(|line| line.strip_prefix(&head)).map_or(0, |count| count.parse().unwrap())
    }

    /// A push error of each of these streams, judged.
    pub(super) async fn report(&self, streams: &[String]) {
        for stream in streams {
            let event = Event {
                id: EventId((u128::from(fastrand::u64(..)) << 64 | u128::from(fastrand::u64(..))).to_le_bytes()),
                kind: EventKind::PushError,
                stream: StreamName::new("d", "live", stream),
                session: Some("1".into()),
                appid: None,
                user_ip: None,
                node: None,
                happened_at: Some(Timestamp(NOW)),
                report_interval: Some(5000),
                errcode: None,
                errmsg: None,
                push_duration: None,
                abnormal: vec![Abnormal { kind: AbnormalType(16), count: 1, details: Vec::new(), text: None }],
                unreadable: None,
            };
            let entry = NewEntry { input: Input::Callback(Box::new(event)), body: Bytes::from_static(b"{}") };
            self.store.append(&Shard::Engine, entry).await.unwrap();
        }
        assert_eq!(self.handle.give(Input::Unmuted { id: MuteId(u64::MAX) }).await.unwrap(), Given::InForce);
    }

    /// Forgets that anything was followed: as if we had died before it was put on record.
    pub(super) async fn forget(&self, bot: &str) {
        self.store.table("telegram_updates").put(bot, "").await.unwrap();
    }

    /// Telegram brings an update to the door.
    pub(super) async fn bring(&self, path: &str, secret: Option<&str>, update: &Value) -> u16 {
        self.brought(path, secret, update).await.0
    }

    /// The same; also says when it is to be brought again.
    pub(super) async fn brought(&self, path: &str, secret: Option<&str>, update: &Value) -> (u16, Option<String>) {
        let mut request = reqwest::Client::new().post(format!("{}{path}", self.url)).json(update);
        if let Some(secret) = secret {
            request = request.header("X-Telegram-Bot-Api-Secret-Token", secret);
        }
        let response = request.send().await.unwrap();
        let after = response.headers().get("Retry-After").map(|after| after.to_str().unwrap().to_owned());
        (response.status().as_u16(), after)
    }
}

fn compile(channels: &str, fake: &Fake) -> crate::rules::RuleSet {
    let channels = channels.replace("URL", &fake.url);
    let text = format!(
        "version: 1\ntencent: {{ allow_unsigned: true }}\nchannels: {{ c: {{ type: console }}, {channels} }}\n\
         defaults: {{ notify: [c, t] }}\nrules: [ {{ name: gop, on: push_error, types: [16] }} ]\n"
    );
    crate::rules::load(&text, "rules.yaml", &|_| None).unwrap_or_else(|wrong| panic!("{wrong:?}"))
}

/// A message of `from` in `chat`, just now.
pub(super) fn message(from: i64, chat: i64, text: &str) -> Value {
    let kind = if chat > 0 { "private" } else { "supergroup" };
    let length = text.split(' ').next().unwrap().len();
    let entities = match text.starts_with('/') {
        true => json!([{ "type": "bot_command", "offset": 0, "length": length }]),
        false => json!([]),
    };
    json!({ "message": {
        "message_id": 11, "date": NOW / 1000, "chat": { "id": chat, "type": kind, "title": "g" },
        "from": { "id": from, "is_bot": false, "first_name": "Ann" }, "text": text, "entities": entities,
    } })
}

pub(super) fn click(from: i64, chat: i64, data: &str) -> Value {
    json!({ "callback_query": {
        "id": "q1", "from": { "id": from, "is_bot": false, "first_name": "Ann" }, "data": data,
        "message": { "message_id": 10, "date": NOW / 1000, "chat": { "id": chat, "type": "supergroup" } },
    } })
}
