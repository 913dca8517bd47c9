//! The worker against a store in memory and chats on loopback: what is kept, in which order, and what is asked.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fake::{Fake, Inner, channel, slack, slack_webhook, telegram, webhook, wecom};
use super::fake_chat::{Answer, FakeChat, PATIENCE};
use super::*;
use crate::model::{
    Channel, ChannelName, Delivery, DeliveryId, DeliveryOutcome, DeliveryState, GroupId, Message, Notice, Reason,
    State, Target, Timestamp,
};
use crate::store::StoreError;

mod ends;
mod failing;
mod first_minute;
mod folding;
mod joining;
mod kit;
mod model;
mod notices;
mod parking;
mod remembering;
mod restart;
mod standing_in;
mod telling;

/// A store, what workers share, and the workers that run.
struct World {
    store: Arc<Fake>,
    context: Arc<Context>,
    stop: CancellationToken,
    printed: Arc<Mutex<Vec<u8>>>,
}

/// Made once: reading all templates takes longer than most tests.
static RENDERER: LazyLock<Arc<Renderer>> = LazyLock::new(|| Arc::new(Renderer::embedded()));

#[derive(Clone)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl World {
    fn new() -> World {
        World::with(Arc::default(), client())
    }

    /// The same store after a restart: nothing else survives.
    fn over(store: Arc<Fake>) -> World {
        World::with(store, client())
    }

    fn with(store: Arc<Fake>, http: reqwest::Client) -> World {
        let printed = Arc::default();
        let context = Context {
            store: store.clone(),
            reader: store.clone(),
            renderer: Arc::clone(&RENDERER),
            catalogue: Arc::default(),
            clock: Arc::new(Clock::start()),
            metrics: Arc::default(),
            http,
            console: Console::to(Paper(Arc::clone(&printed))),
            budgets: Arc::default(),
            wecom_tokens: Arc::default(),
            parking: Arc::default(),
        };
        World { store, context: Arc::new(context), stop: CancellationToken::new(), printed }
    }

    fn run(&self, channel: &Arc<Channel>) -> JoinHandle<Result<(), StoreError>> {
        self.run_as(Assignment::alone(channel))
    }

    fn run_as(&self, assignment: Assignment) -> JoinHandle<Result<(), StoreError>> {
        tokio::spawn(run(assignment, Arc::clone(&self.context), self.stop.clone()))
    }

    fn now(&self) -> Timestamp {
        self.context.clock.steady()
    }

    /// Owes the channel a first word about a new group, or another about a known one.
    fn owe(&self, channel: &Channel, group: u64, reason: Reason) -> DeliveryId {
        if !self.store.lock().groups.contains_key(&GroupId(group)) {
            self.store.group(group, &channel.name);
        }
        self.store.owe(&channel.name, group, reason, self.now())
    }

    /// Owes the channel a word that is never told together with another.
    fn owe_notice(&self, channel: &Channel) -> DeliveryId {
        let notice = Notice::Test { channel: channel.name.clone() };
        self.store.owe_notice(&channel.name, notice, self.now())
    }

    /// Lets time pass for the worker, and makes it look up: an edit of nothing is news without a call.
    async fn pass(&self, channel: &Channel, time: Duration) {
        self.context.clock.not_before(self.now() + time);
        let poke = self.store.owe(&channel.name, 999_999, Reason::Edit, self.now());
        self.done(poke, DeliveryOutcome::Void).await;
    }

    async fn done(&self, id: DeliveryId, outcome: DeliveryOutcome) -> Delivery {
        let what = format!("{id:?} {outcome:?}");
        self.store.until(&what, |kept| kept.rows[&id].outcome == Some(outcome)).await;
        self.store.row(id)
    }

    /// Waits until a row's call number `attempts` has failed, and gives the row as it was kept then. It may be tried
    /// again already: the first back-off can be as short as the dice like.
    async fn failed(&self, id: DeliveryId, attempts: u32) -> Delivery {
        let ended = |row: &&Delivery| row.id == id && row.attempts == attempts && row.not_before > Timestamp(0);
        let find = |kept: &Inner| {
            let rows = kept.commits.iter().flat_map(|commit| &commit.deliveries);
            rows.filter(ended).find(|row| row.error.is_some()).cloned()
        };
        self.store.until(&format!("{id:?} failed"), |kept| find(kept).is_some()).await;
        find(&self.store.lock()).unwrap()
    }

    /// How many calls were begun; a call is on record before it is made, so this can't be too early to look.
    fn begun(&self) -> u32 {
        self.store.lock().rows.values().map(|row| row.attempts).sum()
    }

    fn message(&self, channel: &Channel, group: u64) -> Option<Message> {
        self.store.lock().messages.get(&(channel.name.clone(), GroupId(group))).cloned()
    }

    fn metric(&self, line: &str) -> bool {
        self.context.metrics.text().lines().any(|shown| shown == line)
    }

    /// Everything was told: no row is left without an outcome.
    async fn finish(self, worker: JoinHandle<Result<(), StoreError>>) {
        self.stop.cancel();
        worker.await.unwrap().unwrap();
        let left: Vec<_> = self.store.lock().rows.values().filter(|row| row.outcome.is_none()).cloned().collect();
        assert!(left.is_empty(), "{left:#?}");
    }
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    http_client()
}

/// What a chat of any kind says to any call.
fn any_yes() -> Answer {
    let result = json!({ "message_id": 5, "chat": { "id": 7 } });
    Answer::json(200, json!({ "ok": true, "errcode": 0, "result": result, "channel": "C9", "ts": "17.1" }))
}

/// A chat of each kind that says yes, and a channel to it.
async fn a_chat(kind: &str) -> (FakeChat, Arc<Channel>) {
    let yes = if kind == "slackhook" { Answer::Say(200, "", "ok".to_owned()) } else { any_yes() };
    let chat = FakeChat::start(vec![], yes).await;
    let channel = match kind {
        "slack" => slack(&chat.url, "C1"),
        "slackhook" => slack_webhook(&chat.url),
        "wecom" => wecom(&chat.url, "robot"),
        "telegram" => telegram(&chat.url, 7),
        "webhook" => webhook(&chat.url),
        _ => channel("console", Target::Console),
    };
    (chat, channel)
}

const KINDS: [&str; 6] = ["slack", "slackhook", "wecom", "telegram", "webhook", "console"];

fn yes() -> Answer {
    Answer::json(200, json!({ "ok": true, "channel": "C9", "ts": "17.1" }))
}

fn no(error: &str) -> Answer {
    Answer::json(200, json!({ "ok": false, "error": error }))
}
