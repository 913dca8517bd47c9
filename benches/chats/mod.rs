//! Fakes of the chats on loopback: each takes messages as its platform does, misbehaves when it is told to, and notes
//! what a call did wrong. What it was told can be asked for afterwards.

pub(crate) mod ledger;
pub(crate) mod limits;
pub(crate) mod reading;
pub(crate) mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use limits::Pace;
pub(crate) use reading::shown;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use wire::{Answer, Line, Request};

/// A call that was under way when the chat said "wait" is not one that came too early.
const CROSSING: Duration = Duration::from_millis(300);

/// Of faults of one sort so many are kept word for word.
const MOST_FAULTS: usize = 5;

/// Which platform is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    SlackBot,
    SlackHook,
    Telegram,
    Wecom,
    WecomApp,
    Webhook,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Kind; 6] =
        [Kind::SlackBot, Kind::SlackHook, Kind::Telegram, Kind::Wecom, Kind::WecomApp, Kind::Webhook];

    /// The name of its channel in `rules.yaml`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::SlackBot => "slack",
            Kind::SlackHook => "slack_hook",
            Kind::Telegram => "telegram",
            Kind::Wecom => "wecom",
            Kind::WecomApp => "wecom_app",
            Kind::Webhook => "webhook",
        }
    }

    /// Whether messages can be edited there.
    pub(crate) fn edits(self) -> bool {
        matches!(self, Kind::SlackBot | Kind::Telegram)
    }

    /// Its channel's lines in `rules.yaml`, without the closing brace.
    pub(crate) fn rule(self, at: SocketAddr) -> String {
        match self {
            Kind::SlackBot => format!("{{ type: slack, token: xoxb-good, channel: C1, api_url: \"http://{at}/api\""),
            Kind::SlackHook => format!("{{ type: slack, webhook_url: \"http://{at}/services/T0/B0/good\""),
            Kind::Telegram => {
                format!("{{ type: telegram, token: \"123456:TEST\", chat_id: {GROUP}, api_url: \"http://{at}\"")
            }
            Kind::Wecom => format!("{{ type: wecom, key: good, api_url: \"http://{at}\""),
            Kind::WecomApp => {
                format!("{{ type: wecom, corp_id: ww1, agent_id: 7, secret: good, to: [ann], api_url: \"http://{at}\"")
            }
            Kind::Webhook => format!("{{ type: webhook, url: \"http://{at}/hook\""),
        }
    }
}

/// The Telegram group, and the supergroup it may become.
const GROUP: i64 = -100;
const SUPERGROUP: i64 = -1_003;

/// How a chat behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As it should.
    Well,
    /// No connection is taken.
    Refusing,
    /// Connections are taken, and nothing is ever answered.
    Silent,
    /// The answer takes this long.
    Slow(Duration),
    /// The message is taken, and the connection dropped instead of an answer.
    Resetting,
    /// "Too many": come back after this many seconds.
    Limiting(u64),
    /// An error of the platform's own that passes.
    Busy,
    /// A proxy's page with status 200.
    Page,
    /// Status 200 and nothing else.
    Empty,
}

/// What a call was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// A message of its own; people are notified.
    Post,
    /// An answer to a message; `loud` if people are notified.
    Note { loud: bool },
    /// A message's new text.
    Edit,
}

/// A message that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// When.
    pub(crate) at: Instant,
    /// What it was.
    pub(crate) act: Act,
    /// The message it made or changed.
    pub(crate) id: u64,
    /// What people see.
    pub(crate) text: String,
    /// The webhook's own number of it.
    pub(crate) delivery: Option<u64>,
    /// Whether the answer was given: without it, the message may come again.
    pub(crate) answered: bool,
}

/// What a chat knows.
#[derive(Default)]
pub(crate) struct Chat {
    /// All messages and edits that were taken, in order.
    pub(crate) calls: Vec<Call>,
    /// The messages that stand: what they show.
    pub(crate) messages: BTreeMap<u64, String>,
    /// The messages that people deleted.
    pub(crate) deleted: BTreeSet<u64>,
    /// What calls did wrong: how often, and the first words.
    pub(crate) faults: BTreeMap<&'static str, (usize, Vec<String>)>,
    /// Requests in all, taken or not.
    pub(crate) requests: usize,
    /// Calls that were on their way when the chat said "wait".
    pub(crate) crossed: usize,
    moved: bool,
    /// Access tokens given so far, of which the last is good; none is while it is zero.
    tokens: u64,
    token_is_good: bool,
    paces: HashMap<&'static str, Pace>,
    holds: HashMap<&'static str, (Instant, Instant)>,
}

/// A fake chat that runs.
pub(crate) struct Fake {
    /// Which platform.
    pub(crate) kind: Kind,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    mode: watch::Sender<Mode>,
    chat: Arc<Mutex<Chat>>,
}

impl Fake {
    /// Listens on a free port and behaves well.
    pub(crate) async fn start(kind: Kind) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (mode, watching) = watch::channel(Mode::Well);
        let chat = Arc::new(Mutex::new(Chat::default()));
        tokio::spawn(listen(kind, address, listener, watching, Arc::clone(&chat)));
        Fake { kind, address, mode, chat }
    }

    /// Changes how it behaves.
    pub(crate) fn be(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// The Telegram group becomes a supergroup.
    pub(crate) fn migrate(&self) {
        self.chat().moved = true;
    }

    /// The access token that was given is worth nothing any more.
    pub(crate) fn expire(&self) {
        self.chat().token_is_good = false;
    }

    /// A person deletes every message.
    pub(crate) fn delete_all(&self) {
        let mut chat = self.chat();
        let all = std::mem::take(&mut chat.messages);
        chat.deleted.extend(all.into_keys());
    }

    /// What it knows.
    pub(crate) fn chat(&self) -> MutexGuard<'_, Chat> {
        self.chat.lock().expect("no panic in a fake")
    }
}

async fn listen(
    kind: Kind,
    address: SocketAddr,
    listener: TcpListener,
    mut mode: watch::Receiver<Mode>,
    chat: Arc<Mutex<Chat>>,
) {
    let mut listener = Some(listener);
    loop {
        let refusing = *mode.borrow_and_update() == Mode::Refusing;
        match (&listener, refusing) {
            (Some(open), false) => tokio::select! {
                taken = open.accept() => if let Ok((stream, _)) = taken {
                    tokio::spawn(converse(kind, stream, mode.clone(), Arc::clone(&chat)));
                },
                changed = mode.changed() => if changed.is_err() { return },
            },
            (None, false) => {
                let socket = TcpSocket::new_v4().expect("a socket");
                socket.set_reuseaddr(true).expect("an option");
                socket.bind(address).expect("the same port again");
                listener = Some(socket.listen(64).expect("listens"));
            }
            (_, true) => {
                listener = None;
                if mode.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn converse(kind: Kind, stream: TcpStream, mut mode: watch::Receiver<Mode>, chat: Arc<Mutex<Chat>>) {
    let mut line = Line::new(stream);
    loop {
        let request = tokio::select! {
            request = line.read() => match request {
                Some(request) => request,
                None => return,
            },
            _ = mode.wait_for(|mode| *mode == Mode::Refusing) => return,
        };
        let now = *mode.borrow();
        let lock = || chat.lock().expect("no panic in a fake");
        lock().requests += 1;
        let (answer, taken) = match now {
            Mode::Refusing => return,
            Mode::Silent => {
                lock().arrive(kind, &request);
                return line.closed().await;
            }
            Mode::Limiting(secs) => {
                lock().arrive(kind, &request);
                lock().hold(kind, &request, secs);
                (limited(kind, secs), None)
            }
            Mode::Busy | Mode::Page | Mode::Empty => {
                lock().arrive(kind, &request);
                (trouble(kind, now), None)
            }
            Mode::Well | Mode::Slow(_) | Mode::Resetting => {
                lock().arrive(kind, &request);
                lock().take(kind, &request)
            }
        };
        match now {
            Mode::Slow(time) => tokio::time::sleep(time).await,
            Mode::Resetting => return,
            _ => {}
        }
        let answered = line.write(&answer).await;
        if let Some(call) = taken {
            lock().calls[call].answered = answered;
        }
    }
}

fn limited(kind: Kind, secs: u64) -> Answer {
    let (status, body) = match kind {
        Kind::SlackBot => (429, json!({ "ok": false, "error": "ratelimited" }).to_string()),
        Kind::SlackHook => (429, "rate_limited".to_owned()),
        Kind::Telegram => {
            let said = format!("Too Many Requests: retry after {secs}");
            let wait = json!({ "retry_after": secs });
            (429, json!({ "ok": false, "error_code": 429, "description": said, "parameters": wait }).to_string())
        }
        Kind::Wecom | Kind::WecomApp => {
            (200, json!({ "errcode": 45009, "errmsg": "api freq out of limit" }).to_string())
        }
        Kind::Webhook => (429, String::new()),
    };
    let in_head = matches!(kind, Kind::SlackBot | Kind::SlackHook | Kind::Webhook);
    Answer { status, retry_after: in_head.then_some(secs), body }
}

fn trouble(kind: Kind, mode: Mode) -> Answer {
    let page = "<html><body>The service is being looked after.</body></html>";
    match (mode, kind) {
        (Mode::Empty, _) => Answer::fine(""),
        // Whoever takes any 2xx for a yes can't be told one that is a no.
        (Mode::Page, Kind::Webhook) => Answer::of(502, page),
        (Mode::Page, _) => Answer::fine(page),
        (_, Kind::SlackBot) => Answer::fine(json!({ "ok": false, "error": "service_unavailable" }).to_string()),
        (_, Kind::SlackHook) => Answer::of(500, "rollup_error"),
        (_, Kind::Telegram) => {
            let said = json!({ "ok": false, "error_code": 500, "description": "Internal Server Error" });
            Answer::of(500, said.to_string())
        }
        (_, Kind::Wecom | Kind::WecomApp) => {
            Answer::fine(json!({ "errcode": -1, "errmsg": "system busy" }).to_string())
        }
        (_, Kind::Webhook) => Answer::of(503, ""),
    }
}

impl Chat {
    /// Notes what is wrong.
    pub(crate) fn fault(&mut self, sort: &'static str, what: String) {
        let (times, first) = self.faults.entry(sort).or_default();
        *times += 1;
        if first.len() < MOST_FAULTS {
            first.push(what);
        }
    }

    /// How many messages notified people, from `from` on and for so long.
    pub(crate) fn posts(&self, from: Instant, within: Duration) -> usize {
        let told = |call: &&Call| call.at >= from && call.at.saturating_duration_since(from) < within;
        self.calls.iter().filter(told).filter(|call| call.act != Act::Edit).count()
    }

    /// Judges the times of a call, whatever becomes of it.
    fn arrive(&mut self, kind: Kind, request: &Request) {
        let (now, method) = (Instant::now(), method(kind, request));
        if let Some((from, until)) = self.holds.get(method).copied()
            && now < until
        {
            match now.saturating_duration_since(from) < CROSSING {
                true => self.crossed += 1,
                false => {
                    let early = until.saturating_duration_since(now);
                    self.fault("a call came earlier than it was asked to", format!("{method}: {early:?} too early"));
                }
            }
        }
        let minute = Duration::from_secs(60);
        let bounds: &[(&str, usize, Duration)] = match (kind, method) {
            // One a second in the long run; a short burst is forgiven.
            (Kind::SlackBot, "chat.postMessage") => &[("10 s", 13, Duration::from_secs(10)), ("60 s", 63, minute)],
            (Kind::SlackBot, _) => &[("edits", 50, minute)],
            (Kind::SlackHook, _) => &[("hook 10 s", 13, Duration::from_secs(10)), ("hook 60 s", 63, minute)],
            // One a second; two may meet on the way.
            (Kind::Telegram, _) => &[("chat 3 s", 4, Duration::from_secs(3)), ("group", 20, minute)],
            (Kind::Wecom, _) => &[("robot", 20, minute)],
            // Tokens are kept, not fetched for each message.
            (Kind::WecomApp, "gettoken") => &[("tokens", 20, minute)],
            // More than that to a member is dropped without a word.
            (Kind::WecomApp, _) => &[("member", 30, minute)],
            (Kind::Webhook, _) => &[],
        };
        for (name, most, within) in bounds {
            if let Some(broken) = self.paces.entry(name).or_default().note(now, *most, *within) {
                self.fault("too many calls", broken);
            }
        }
    }

    /// WeCom's answer to a call that asks for an access token, or has none that is good.
    fn admit(&mut self, request: &Request) -> Option<Answer> {
        if method(Kind::WecomApp, request) == "gettoken" {
            self.tokens += 1;
            self.token_is_good = true;
            let token = format!("t{}", self.tokens);
            return Some(Answer::fine(json!({ "errcode": 0, "access_token": token, "expires_in": 7200 }).to_string()));
        }
        let shown = request.path.split("access_token=").nth(1).unwrap_or_default();
        let is_good = self.token_is_good && shown == format!("t{}", self.tokens);
        (!is_good).then(|| Answer::fine(json!({ "errcode": 42001, "errmsg": "access_token expired" }).to_string()))
    }

    fn hold(&mut self, kind: Kind, request: &Request, secs: u64) {
        let now = Instant::now();
        let until = now + Duration::from_secs(secs);
        let hold = self.holds.entry(method(kind, request)).or_insert((now, until));
        *hold = (now, hold.1.max(until));
    }

    /// Takes a message or refuses it, as the platform would; says which call it became.
    fn take(&mut self, kind: Kind, request: &Request) -> (Answer, Option<usize>) {
        if kind == Kind::WecomApp
            && let Some(answer) = self.admit(request)
        {
            return (answer, None);
        }
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
            self.fault("no JSON", String::from_utf8_lossy(&request.body).into_owned());
            return (Answer::of(400, "invalid_payload"), None);
        };
        let old_chat = kind == Kind::Telegram && self.moved && body["chat_id"] == GROUP;
        if old_chat {
            let said = "Bad Request: group chat was upgraded to a supergroup chat";
            let to = json!({ "migrate_to_chat_id": SUPERGROUP });
            let said = json!({ "ok": false, "error_code": 400, "description": said, "parameters": to });
            return (Answer::of(400, said.to_string()), None);
        }
        if let Some(broken) = limits::judge(kind, &body) {
            self.fault("a message that the platform refuses", format!("{broken}: {body}"));
            return (refused(kind), None);
        }
        let edited = edited(kind, request, &body);
        if let Some(id) = edited
            && !self.messages.contains_key(&id)
        {
            if !self.calls.iter().any(|call| call.id == id) {
                self.fault("an edit of a message that never was", id.to_string());
            }
            return (gone(kind), None);
        }
        let id = edited.unwrap_or(self.calls.len() as u64 + 1);
        let text = shown(kind, &body);
        self.messages.insert(id, text.clone());
        let act = match edited {
            Some(_) => Act::Edit,
            None => reading::act(kind, &body),
        };
        let delivery = body["delivery_id"].as_u64();
        self.calls.push(Call { at: Instant::now(), act, id, text, delivery, answered: false });
        (yes(kind, id, self.moved), Some(self.calls.len() - 1))
    }
}

/// What a "wait" counts for: Slack counts by method, the others by whom.
fn method(kind: Kind, request: &Request) -> &'static str {
    match kind {
        Kind::SlackBot if request.path.ends_with("chat.update") => "chat.update",
        Kind::SlackBot => "chat.postMessage",
        Kind::WecomApp if request.path.contains("/gettoken") => "gettoken",
        Kind::SlackHook | Kind::Telegram | Kind::Wecom | Kind::WecomApp | Kind::Webhook => "all",
    }
}

/// The message that is to be edited, if this is an edit.
fn edited(kind: Kind, request: &Request, body: &Value) -> Option<u64> {
    match kind {
        Kind::SlackBot if request.path.ends_with("chat.update") => {
            let stamp = body["ts"].as_str().and_then(|ts| ts.strip_prefix("1700000000."));
            Some(stamp.and_then(|number| number.parse().ok()).unwrap_or(0))
        }
        Kind::Telegram if request.path.ends_with("editMessageText") => Some(body["message_id"].as_u64().unwrap_or(0)),
        _ => None,
    }
}

fn yes(kind: Kind, id: u64, moved: bool) -> Answer {
    let chat = if moved { SUPERGROUP } else { GROUP };
    Answer::fine(match kind {
        Kind::SlackBot => json!({ "ok": true, "channel": "C1", "ts": format!("1700000000.{id:06}") }).to_string(),
        Kind::SlackHook | Kind::Webhook => "ok".to_owned(),
        Kind::Telegram => {
            let result = json!({ "message_id": id, "date": 1, "chat": { "id": chat, "type": "supergroup" } });
            json!({ "ok": true, "result": result }).to_string()
        }
        Kind::Wecom | Kind::WecomApp => json!({ "errcode": 0, "errmsg": "ok" }).to_string(),
    })
}

fn gone(kind: Kind) -> Answer {
    match kind {
        Kind::Telegram => {
            let said = "Bad Request: message to edit not found";
            Answer::of(400, json!({ "ok": false, "error_code": 400, "description": said }).to_string())
        }
        _ => Answer::fine(json!({ "ok": false, "error": "message_not_found" }).to_string()),
    }
}

fn refused(kind: Kind) -> Answer {
    match kind {
        Kind::SlackBot => Answer::fine(json!({ "ok": false, "error": "invalid_blocks" }).to_string()),
        Kind::SlackHook | Kind::Webhook => Answer::of(400, "invalid_payload"),
        Kind::Telegram => {
            let said = "Bad Request: can't parse entities";
            Answer::of(400, json!({ "ok": false, "error_code": 400, "description": said }).to_string())
        }
        Kind::Wecom | Kind::WecomApp => Answer::fine(json!({ "errcode": 40058, "errmsg": "invalid" }).to_string()),
    }
}
