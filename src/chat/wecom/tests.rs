//! The door of WeCom on a real port, before a real core and store: what is followed, and all that is not.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use proptest::prelude::*;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::clock::Clock;
use crate::command::Desk;
use crate::core::{Core, Rooms, Rulebook};
use crate::metrics::Metrics;
use crate::model::{AuditRecord, Incident, IncidentId, Mute, Timestamp};
use crate::store::{Lookup, Settings, Sheet, Sqlite, StoreError, Table, Told, Which};

const TOKEN: &str = "QDG6eK";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

const RULES: &str = "version: 1\ntencent: { allow_unsigned: true }\nchannels:\n\
  \x20 ops: { type: wecom, corp_id: ww1, agent_id: 218, secret: s, to: [ann], callback_token: QDG6eK, \
  encoding_aes_key: jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C, allow: [Ann, bob] }\n\
  \x20 night: { type: wecom, corp_id: ww1, agent_id: 218, secret: s, to: [eve], callback_token: QDG6eK, language: zh, \
  encoding_aes_key: jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C, allow: [carol] }\n\
  \x20 robot: { type: wecom, key: k }\n\
  \x20 deaf: { type: wecom, corp_id: ww1, agent_id: 218, secret: s, to: [ann] }\n\
  defaults: { notify: [ops] }\nrules: [ { name: gop, on: push_error, types: [16] } ]\n";

/// Remembers what is written to whom.
#[derive(Default)]
struct Notebook(Mutex<Vec<(String, String)>>, Notify);

impl Notebook {
    /// All of it, once there is so much.
    async fn until(&self, count: usize) -> Vec<(String, String)> {
        loop {
            let more = self.1.notified();
            let written = self.0.lock().unwrap().clone();
            if written.len() >= count {
                return written;
            }
            tokio::time::timeout(Duration::from_secs(15), more).await.expect("it is written");
        }
    }
}

impl Courier for Notebook {
    fn write<'a>(&'a self, channel: &'a Channel, to: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), String>> {
        self.0.lock().unwrap().push((format!("{} {to}", channel.name), text.to_owned()));
        self.1.notify_one();
        Box::pin(async { Ok(()) })
    }
}

/// A door that writes to nobody.
pub(in crate::chat) fn silent(store: &dyn Store) -> Wecom {
    Wecom::new(store, Arc::<Notebook>::default())
}

/// Lists that are slow to come while a test wants that.
struct Lists {
    store: Arc<Sqlite>,
    slow: watch::Receiver<bool>,
    asked: watch::Sender<usize>,
}

impl Lookup for Lists {
    fn incidents(&self, wanted: Which) -> BoxFuture<'_, Result<Sheet<Incident>, StoreError>> {
        self.store.incidents(wanted)
    }
    fn incident(&self, id: IncidentId) -> BoxFuture<'_, Result<Option<(Incident, Vec<Told>)>, StoreError>> {
        self.store.incident(id)
    }
    fn mutes(&self) -> BoxFuture<'_, Result<Vec<Mute>, StoreError>> {
        self.asked.send_modify(|asked| *asked += 1);
        let mut slow = self.slow.clone();
        Box::pin(async move {
            let _ = slow.wait_for(|slow| !slow).await;
            self.store.mutes().await
        })
    }
    fn record(&self, record: AuditRecord) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.record(record)
    }
    fn records(
        &self,
        before: Option<u64>,
        most: usize,
    ) -> BoxFuture<'_, Result<Sheet<(u64, AuditRecord)>, StoreError>> {
        self.store.records(before, most)
    }
}

/// A house with its door open, and WeCom before it.
struct House {
    folder: Arc<tempfile::TempDir>,
    store: Arc<Sqlite>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    written: Arc<Notebook>,
    url: String,
    stop: CancellationToken,
    slow: watch::Sender<bool>,
    asked: watch::Receiver<usize>,
    running: JoinHandle<()>,
    serving: JoinHandle<()>,
}

impl House {
    async fn new() -> House {
        House::on(Arc::new(tempfile::tempdir().unwrap())).await
    }

    async fn on(folder: Arc<tempfile::TempDir>) -> House {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (clock, metrics) = (Arc::new(Clock::start()), Arc::new(Metrics::new()));
        let store = Sqlite::open(Settings::for_testing(folder.path()), Arc::clone(&clock), Arc::clone(&metrics));
        let store = store.unwrap();
        let rules = Arc::new(crate::rules::load(RULES, "rules.yaml", &|_| None).unwrap());
        let rules = Arc::new(Rulebook::of_one(rules));
        let rooms = Rooms {
            store: Arc::clone(&store) as _,
            rules: Arc::clone(&rules),
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&metrics),
        };
        let core = Core::open(rooms).await.unwrap();
        let ((slow, is_slow), (asked, was_asked)) = (watch::channel(false), watch::channel(0));
        let lists = Arc::new(Lists { store: Arc::clone(&store), slow: is_slow, asked });
        let kept = (&*store as &dyn Store, lists as _, Arc::clone(&store) as _);
        let desk = Arc::new(Desk::new(core.handle(), kept, Arc::clone(&rules), Arc::clone(&clock)));
        let written = Arc::new(Notebook::default());
        let shared = (Arc::clone(&clock), Arc::clone(&metrics));
        let wecom = Wecom::new(&*store, Arc::clone(&written) as _);
        let telegram = crate::chat::telegram::unlimited(&*store, &clock);
        let chat = Arc::new(Chat::new(desk, rules, shared, reqwest::Client::new(), telegram, wecom));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, door) = (CancellationToken::new(), Arc::new(crate::chat::endpoint(chat)));
        let limits = crate::listen::Limits::default();
        let serving = tokio::spawn(crate::listen::serve(listener, door, limits, Arc::clone(&metrics), stop.clone()));
        let run = core.run(stop.clone());
        let running = tokio::spawn(async move { run.await.unwrap() });
        House { folder, store, clock, metrics, written, url, stop, slow, asked: was_asked, running, serving }
    }

    async fn close(self) -> Arc<tempfile::TempDir> {
        self.stop.cancel();
        self.serving.await.unwrap();
        self.running.await.unwrap();
        self.store.close().await;
        self.folder
    }

    async fn mutes(&self) -> Vec<String> {
        self.store.mutes().await.unwrap().into_iter().map(|mute| mute.matchers.to_string()).collect()
    }

    /// What was asked for and what came of it, the latest last.
    async fn record(&self) -> Vec<String> {
        let mut items = self.store.records(None, 100).await.unwrap().items;
        items.reverse();
        let told = |record: &crate::model::AuditRecord| {
            format!("{}@{} {}: {:?}", record.who, record.place, record.what, record.verdict)
        };
        items.iter().map(|(_, record)| told(record)).collect()
    }

    fn counted(&self, outcome: &str) -> u64 {
        let text = self.metrics.text();
        let name = format!("pushwatch_chat_commands_total{{platform=\"wecom\",outcome=\"{outcome}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
    }
}

/// One call of WeCom's, or of somebody who would like to be it.
#[derive(Clone)]
struct Letterhead {
    door: &'static str,
    token: &'static str,
    corp_id: &'static str,
    agent: Option<i64>,
    from: String,
    age: i64,
    id: String,
}

/// Message ids are never the same by chance.
static IDS: AtomicU64 = AtomicU64::new(1);

fn wecom(from: &str) -> Letterhead {
    let id = IDS.fetch_add(1, Ordering::Relaxed).to_string();
    Letterhead { door: "ops", token: TOKEN, corp_id: "ww1", agent: Some(218), from: from.into(), age: 0, id }
}

impl Letterhead {
    fn keys(&self) -> Keys {
        let callback = WecomCallback { token: self.token.into(), encoding_aes_key: KEY.into() };
        let app = WecomApp {
            corp_id: self.corp_id.into(),
            agent_id: 218,
            secret: "s".into(),
            to: crate::model::Receivers::default(),
            callback: None,
        };
        Keys::of(&app, &callback).unwrap()
    }

    fn text(&self, content: &str) -> String {
        let content = content.replace("]]>", "]]]]><![CDATA[>");
        let inside = format!("<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{content}]]></Content>");
        self.letter(&format!("{inside}<MsgId>{}</MsgId>", self.id))
    }

    fn event(&self, event: &str, key: &str) -> String {
        self.letter(&format!(
            "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{event}]]></Event><EventKey><![CDATA[{key}]]></EventKey>\
             <TaskId><![CDATA[{}]]></TaskId>",
            self.id
        ))
    }

    fn letter(&self, inside: &str) -> String {
        let agent = self.agent.map(|agent| format!("<AgentID>{agent}</AgentID>")).unwrap_or_default();
        format!(
            "<xml><ToUserName><![CDATA[{}]]></ToUserName><FromUserName><![CDATA[{}]]></FromUserName>\
             <CreateTime>1700000000</CreateTime>{inside}{agent}</xml>",
            self.corp_id, self.from
        )
    }

    /// Query and ciphertext.
    fn sealed(&self, text: &str, house: &House) -> (String, String) {
        let encrypted = self.keys().encrypt(text, [self.id.len() as u8; 16]);
        let at = (house.clock.wall().secs() - self.age).to_string();
        let signature = self.keys().sign(&at, "77", &encrypted);
        (format!("msg_signature={signature}&timestamp={at}&nonce=77"), encrypted)
    }

    async fn post(&self, house: &House, letter: &str) -> (u16, String) {
        let (query, encrypted) = self.sealed(letter, house);
        self.post_raw(house, &query, &format!("<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>")).await
    }

    async fn post_raw(&self, house: &House, query: &str, body: &str) -> (u16, String) {
        let url = format!("{}/chat/wecom/{}?{query}", house.url, self.door);
        let answer = reqwest::Client::new().post(url).body(body.to_owned()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// What is said back to a text, decrypted; empty if nothing is.
    async fn say(&self, house: &House, content: &str) -> String {
        let (status, body) = self.post(house, &self.text(content)).await;
        assert_eq!(status, 200, "{content}: {body}");
        self.opened(house, &body)
    }

    fn opened(&self, house: &House, body: &str) -> String {
        if body.is_empty() {
            return String::new();
        }
        let part = |name: &str| {
            let (_, rest) = body.split_once(&format!("<{name}>")).unwrap();
            let text = rest.split_once(&format!("</{name}>")).unwrap().0;
            text.trim_start_matches("<![CDATA[").trim_end_matches("]]>").to_owned()
        };
        let seal = crypto::Seal { signature: part("MsgSignature"), timestamp: part("TimeStamp"), nonce: part("Nonce") };
        let opened = self.keys().open(&seal, &part("Encrypt"), house.clock.wall().0).unwrap();
        String::from_utf8(opened.bytes().to_vec()).unwrap()
    }
}

/// The text of a reply, as a client shows it.
fn content(reply: &str) -> String {
    let (_, rest) = reply.split_once("<Content>").unwrap();
    let inside = rest.split_once("</Content>").unwrap().0.trim_start_matches("<![CDATA[").trim_end_matches("]]>");
    inside.replace("]]]]><![CDATA[>", "]]>")
}

#[tokio::test]
async fn an_address_is_ours_if_we_say_what_wecom_encrypted_to_the_byte() {
    let house = House::new().await;
    let ann = wecom("Ann");
    for plain in ["1616140317555161061", "a+b/c== ", &"流".repeat(21)] {
        let (query, echo) = ann.sealed(plain, &house);
        let (bare, escaped) = (echo.replace('=', "%3D"), echo.replace('+', "%2B").replace('=', "%3D"));
        for echo in [bare, escaped] {
            let url = format!("{}/chat/wecom/ops?{query}&echostr={echo}", house.url);
            let answer = reqwest::get(url).await.unwrap();
            assert_eq!(answer.status().as_u16(), 200);
            assert_eq!(answer.bytes().await.unwrap(), plain.as_bytes());
        }
    }
    let (query, echo) = Letterhead { corp_id: "ww2", ..ann.clone() }.sealed("1", &house);
    for (door, query) in [
        ("ops", format!("{query}&echostr={}", echo.replace('+', "%2B"))),
        ("ops", ann.sealed("1", &house).0),
        ("ops", String::new()),
        ("robot", query.clone()),
        ("deaf", query.clone()),
        ("nobody", query),
    ] {
        let answer = reqwest::get(format!("{}/chat/wecom/{door}?{query}", house.url)).await.unwrap();
        let want = if door == "ops" { 403 } else { 404 };
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().len()), (want, 0), "{door} {query}");
    }
    assert_eq!((house.counted("forged"), house.counted("ignored")), (3, 6));
}

#[tokio::test]
async fn a_letter_that_somebody_caught_is_not_read_out_to_them_as_an_address_to_be_checked() {
    let house = House::new().await;
    for plain in ["<xml><Content>mute cam1</Content></xml>", " \n<xml/>", &"1".repeat(65)] {
        let (query, letter) = wecom("Ann").sealed(plain, &house);
        let echo = letter.replace('+', "%2B").replace('=', "%3D");
        let answer = reqwest::get(format!("{}/chat/wecom/ops?{query}&echostr={echo}", house.url)).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (403, ""), "{plain}");
    }
}

#[tokio::test]
async fn a_command_is_followed_and_answered_to_whoever_gave_it() {
    let house = House::new().await;
    let reply = wecom("Ann").say(&house, "静音 cam1 2h 检修").await;
    assert!(reply.starts_with("<xml><ToUserName><![CDATA[Ann]]></ToUserName><FromUserName><![CDATA[ww1]]>"), "{reply}");
    assert!(reply.contains("<MsgType><![CDATA[text]]></MsgType>"), "{reply}");
    let text = content(&reply);
    assert!(text.contains("Muted until") && text.contains("#1") && text.contains("检修"), "{text}");
    assert_eq!(house.mutes().await, ["stream=\"cam1\""]);
    for (said, want) in [
        ("mutes", "cam1"),
        ("／状态　cam9", "Nothing was heard of such a stream"),
        ("静音：cam2 30分钟", "#2"),
        ("/mute cam3 1h", "#3"),
        ("incidents", "Nothing fires"),
        ("告警", "Nothing fires"),
        ("ack 7", "no incident #7"),
        ("rules", "gop"),
        ("取消静音 2", "lifted"),
        ("帮助 静音", "mute TARGET"),
        ("muet cam1 1h", "mute"),
    ] {
        let text = content(&wecom(if said.len() % 2 == 0 { "bob" } else { "Ann" }).say(&house, said).await);
        assert!(text.contains(want), "{said}: {text}");
    }
    let names = house.record().await;
    assert_eq!(names[0], "Ann@ops 静音 cam1 2h 检修: Done");
    assert_eq!(names.len(), 12);
    assert!(house.written.0.lock().unwrap().is_empty(), "it was all said in time");
}

#[tokio::test]
async fn ids_are_the_same_in_small_letters_and_an_app_with_two_channels_asks_both() {
    let house = House::new().await;
    content(&wecom("ANN").say(&house, "mutes").await);
    let text = content(&wecom("Carol").say(&house, "mutes").await);
    assert_eq!(text, "没有静音。");
    assert_eq!(house.record().await, ["Ann@ops mutes: Done", "carol@night mutes: Done"]);
}

#[tokio::test]
async fn whoever_may_not_is_told_their_id_and_nothing_is_done() {
    let house = House::new().await;
    let text = content(&wecom("mallory").say(&house, "mute cam1 1h").await);
    assert!(text.contains("mallory") && text.contains("allow"), "{text}");
    assert!(house.mutes().await.is_empty());
    assert_eq!(house.record().await, ["mallory@ops mute cam1 1h: Refused"]);
    assert_eq!(house.counted("forbidden"), 1);
}

#[tokio::test]
async fn whatever_is_not_wecoms_word_to_this_app_now_changes_nothing_and_is_told_nothing() {
    let house = House::new().await;
    let ann = wecom("Ann");
    let letter = ann.text("mute cam1 1h");
    let (query, encrypted) = ann.sealed(&letter, &house);
    let body = |encrypted: &str| format!("<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>");
    let mut tampered = encrypted.clone().into_bytes();
    tampered[30] = if tampered[30] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    let resigned = ann.keys().sign(&house.clock.wall().secs().to_string(), "77", &tampered);
    let resigned = format!("msg_signature={resigned}&timestamp={}&nonce=77", house.clock.wall().secs());
    let entities = format!("<!DOCTYPE xml [<!ENTITY e \"{encrypted}\">]><xml><Encrypt>&e;</Encrypt></xml>");
    let twice = format!("<xml><Encrypt>{encrypted}</Encrypt><Encrypt>{encrypted}</Encrypt></xml>");
    let calls = [
        (String::new(), body(&encrypted)),
        (query.replace("msg_signature=", "msg_signature=0"), body(&encrypted)),
        (query.replace("nonce=77", "nonce=78"), body(&encrypted)),
        (format!("{query}&nonce=77"), body(&encrypted)),
        (query.clone(), body(&tampered)),
        (resigned, body(&tampered)),
        (query.clone(), String::new()),
        (query.clone(), letter.clone()),
        (query.clone(), entities),
        (query.clone(), twice),
        (query.clone(), "\u{0}".repeat(1000)),
        (query.clone(), "<xml>".repeat(10_000)),
    ];
    let forged = calls.len() as u64;
    for (query, body) in calls {
        assert_eq!(ann.post_raw(&house, &query, &body).await, (403, String::new()), "{query} {body}");
    }
    for liar in [
        Letterhead { token: "QDG6eL", ..ann.clone() },
        Letterhead { corp_id: "ww2", ..ann.clone() },
        Letterhead { corp_id: "", ..ann.clone() },
        Letterhead { agent: Some(219), ..ann.clone() },
        Letterhead { agent: None, ..ann.clone() },
        Letterhead { age: 301, ..ann.clone() },
        Letterhead { age: -330, ..ann.clone() },
    ] {
        assert_eq!(liar.post(&house, &liar.text("mute cam1 1h")).await, (403, String::new()), "{:?}", liar.agent);
    }
    assert!(house.mutes().await.is_empty() && house.record().await.is_empty());
    assert!(house.written.0.lock().unwrap().is_empty());
    assert_eq!(house.counted("forged"), forged + 7);
    // The letter that all of them were made of is a good one.
    let (status, reply) = ann.post_raw(&house, &query, &body(&encrypted)).await;
    assert!(status == 200 && content(&ann.opened(&house, &reply)).contains("#1"));
}

#[tokio::test]
async fn wecoms_repeats_get_the_same_answer_and_copies_get_none() {
    let house = House::new().await;
    let ann = wecom("Ann");
    let (query, encrypted) = ann.sealed(&ann.text("mute cam1 1h"), &house);
    let body = format!("<xml><Encrypt>{encrypted}</Encrypt></xml>");
    let mut first = None;
    for time in 1..=4 {
        let (status, answer) = ann.post_raw(&house, &query, &body).await;
        assert_eq!(status, 200, "WeCom repeats three times: {time}");
        let text = content(&ann.opened(&house, &answer));
        assert_eq!(first.get_or_insert_with(|| text.clone()), &text);
    }
    let other_door = Letterhead { door: "night", ..ann.clone() };
    for copier in [&ann, &other_door] {
        assert_eq!(copier.post_raw(&house, &query, &body).await, (403, String::new()));
    }
    let bob = wecom("bob");
    let (query, encrypted) = bob.sealed(&bob.text("mute cam2 1h"), &house);
    let body = format!("<xml><Encrypt>{encrypted}</Encrypt></xml>");
    let (_, answer) = bob.post_raw(&house, &query, &body).await;
    house.clock.not_before(house.clock.steady() + Duration::from_secs(61));
    assert_eq!(bob.post_raw(&house, &query, &body).await, (403, String::new()), "and not so late");
    // The same letter in a call of its own is WeCom's, whenever it comes.
    let again = Letterhead { age: 100, ..bob.clone() };
    assert_eq!(content(&again.say(&house, "mute cam2 1h").await), content(&bob.opened(&house, &answer)));
    assert_eq!(house.record().await.len(), 2);
    assert_eq!(house.counted("forged"), 3);
}

#[tokio::test]
async fn after_a_restart_nothing_is_followed_again() {
    let house = House::new().await;
    let (ann, eve) = (wecom("Ann"), wecom("Ann"));
    let (query, encrypted) = ann.sealed(&ann.text("mute cam1 1h"), &house);
    let body = format!("<xml><Encrypt>{encrypted}</Encrypt></xml>");
    assert_eq!(ann.post_raw(&house, &query, &body).await.0, 200);
    eve.say(&house, "unmute 1").await;
    let house = House::on(house.close().await).await;
    assert_eq!(
        ann.post_raw(&house, &query, &body).await,
        (200, String::new()),
        "its answer is gone, and it was followed"
    );
    house.clock.not_before(house.clock.steady() + Duration::from_secs(61));
    assert_eq!(ann.post_raw(&house, &query, &body).await, (403, String::new()));
    assert!(house.mutes().await.is_empty());
    assert_eq!(house.record().await.len(), 2);
}

#[tokio::test]
async fn what_takes_longer_than_wecom_waits_is_answered_by_a_message_and_followed_once() {
    let house = House::new().await;
    house.slow.send_replace(true);
    let ann = wecom("Ann");
    let letter = ann.text("mute cam1 1h");
    // A repeat comes while the first is still being followed.
    let calls = async { tokio::join!(ann.post(&house, &letter), ann.post(&house, &letter)) };
    let pass = async {
        house.asked.clone().wait_for(|asked| *asked > 0).await.unwrap();
        tokio::time::pause();
        tokio::time::advance(PATIENCE).await;
        tokio::time::resume();
    };
    let (answers, ()) = tokio::join!(calls, pass);
    assert_eq!(answers, ((200, String::new()), (200, String::new())));
    assert!(house.written.0.lock().unwrap().is_empty());
    house.slow.send_replace(false);
    let written = house.written.until(1).await;
    assert!(written.len() == 1 && written[0].0 == "ops Ann" && written[0].1.contains("#1"), "{written:?}");
    assert_eq!(house.record().await.len(), 1);
    assert_eq!(ann.say(&house, "mute cam1 1h").await, "", "what was written is not said again");
}

#[tokio::test]
async fn whatever_else_happens_in_an_app_is_met_with_silence() {
    let house = House::new().await;
    for event in ["enter_agent", "subscribe", "unsubscribe", "LOCATION", "click", "view", "template_card_menu_event"] {
        let ann = wecom("Ann");
        assert_eq!(ann.post(&house, &ann.event(event, "mute:1")).await, (200, String::new()), "{event}");
    }
    let ann = wecom("Ann");
    for inside in [
        "<MsgType><![CDATA[image]]></MsgType><MsgId>1</MsgId>",
        "<MsgType><![CDATA[text]]></MsgType><MsgId>1</MsgId>",
        "<MsgType><![CDATA[event]]></MsgType><Event>x</Event><ScanCodeInfo><ScanType>a</ScanType></ScanCodeInfo>",
        "",
    ] {
        assert_eq!(ann.post(&house, &ann.letter(inside)).await, (200, String::new()), "{inside}");
    }
    for key in ["mute_1800", "mute:01", "", "confirm:-1"] {
        let ann = wecom("Ann");
        assert_eq!(ann.post(&house, &ann.event("template_card_event", key)).await, (200, String::new()), "{key}");
    }
    for nonsense in ["", "hello", "<html></html>", "<xml/>", "<xml></xml>", "{}"] {
        assert_eq!(ann.post(&house, nonsense).await, (200, String::new()), "{nonsense}");
    }
    assert!(house.record().await.is_empty() && house.written.0.lock().unwrap().is_empty());
    assert_eq!(house.counted("ignored"), 21);
}

#[tokio::test]
async fn nothing_in_an_answer_is_a_link_or_breaks_out_of_it() {
    let house = House::new().await;
    let evil = "<a href=\"http://evil.example\">x</a>]]></Content><MsgType>news";
    let reply = wecom("Ann").say(&house, &format!("mute cam1 1h {evil}")).await;
    let text = content(&reply);
    assert!(!text.contains('<') && !text.contains("://") && !text.contains("evil.example"), "{text}");
    assert!(!reply.contains("<MsgType>news"), "{reply}");
    let long = content(&wecom("Ann").say(&house, &format!("status \"{}\"", "断".repeat(600))).await);
    assert!(long.len() <= 2_048, "{}", long.len());
}

#[test]
fn a_long_answer_is_cut_at_a_character_within_wecoms_bytes() {
    let cut = say::plain(&"断流<>".repeat(1000));
    assert!(cut.len() <= 2_048 && cut.len() > 2_000 && cut.contains(" … +"), "{}", cut.len());
}

fn restored(kept: &str) -> Once {
    struct Kept(String);
    impl Table for Kept {
        fn get<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
            Box::pin(async { Ok(Some(self.0.clone())) })
        }
        fn put<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
            Box::pin(async { Ok(()) })
        }
        fn watch(&self) -> watch::Receiver<u64> {
            watch::channel(0).1
        }
    }
    Once::new(Arc::new(Kept(kept.to_owned())))
}

#[tokio::test]
async fn what_is_remembered_has_bounds_and_an_end_and_nonsense_in_the_store_is_nothing() {
    let at = |secs: i64| (Timestamp::from_secs(secs), Timestamp::from_secs(secs));
    let mine = once::mark("ww1", 218, "message 1");
    assert_ne!(mine, once::mark("ww1", 219, "message 1"));
    assert_ne!(mine, once::mark("ww12", 18, "message 1"));
    let kept = format!("x @ {0} {0}@ {0}@y ab@5 {0}@10000000000 {1}", hex::encode(mine), "z".repeat(100));
    let once = restored(&kept);
    let turn = async |mark, seal: &str, secs| once.turn((mark, seal), at(secs)).await.unwrap();
    assert!(matches!(turn(mine, "a", 10_000_001).await, Turn::Before));
    assert!(matches!(turn(mine, "a", 10_000_100).await, Turn::Copy));
    assert!(matches!(turn(mine, "b", 10_000_100).await, Turn::Before));
    for n in 0..100 {
        turn(mine, &n.to_string(), 10_000_100).await;
    }
    assert!(matches!(turn(mine, "new", 10_000_100).await, Turn::Copy), "nobody seals so often");
    assert!(matches!(turn(mine, "a", 10_000_901).await, Turn::First(..)), "its signature is too old by then");
    for n in 0..20_100 {
        assert!(matches!(turn(once::mark("ww1", 218, &n.to_string()), "a", 10_000_902).await, Turn::First(..)));
    }
    assert!(matches!(turn(mine, "a", 10_000_902).await, Turn::First(..)), "the oldest go");
}

proptest! {
    #[test]
    fn nothing_that_is_brought_makes_the_reader_panic(
        noise in "\\PC{0,60}",
        xml in "(<xml>|</xml>|<a>|</a>|<Encrypt>|</Encrypt>|<!\\[CDATA\\[|\\]\\]>|&lt;|&#60;|&x;|<!DOCTYPE x|<\\?p\\?>|<b/>|[a-z+/=]{1,9}){0,20}",
    ) {
        for text in [&noise, &xml] {
            if let Some(encrypted) = wire::encrypted(text.as_bytes()) {
                prop_assert!(encrypted.len() <= text.len());
            }
            if let Ok(uri) = format!("/chat/wecom/ops?{}", form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()).parse() {
                let _ = Query::read(&uri);
            }
        }
    }
}

#[test]
fn an_envelope_is_read_as_xml_is_written() {
    for (xml, want) in [
        ("<xml><Encrypt>ab+/=</Encrypt></xml>", Some("ab+/=")),
        (
            "\u{feff}<?xml version=\"1.0\"?>\n<xml>\n <ToUserName/><Encrypt><![CDATA[ab]]>cd</Encrypt>\n</xml>\n",
            Some("abcd"),
        ),
        ("<xml><A><Encrypt>no</Encrypt></A><Encrypt>yes</Encrypt></xml>", Some("yes")),
        ("<xml><Encrypt>a&lt;&#98;&amp;</Encrypt></xml>", Some("a<b&")),
        ("<xml><Encrypt>&e;</Encrypt></xml>", None),
        ("<!DOCTYPE xml><xml><Encrypt>a</Encrypt></xml>", None),
        ("<html><Encrypt>a</Encrypt></html>", None),
        ("<xml><Encrypt>a</Encrypt>", None),
        ("<xml><Encrypt>a</xml></Encrypt>", None),
        ("<xml><Other>a</Other></xml>", None),
        ("<Encrypt>a</Encrypt>", None),
        ("", None),
    ] {
        assert_eq!(wire::encrypted(xml.as_bytes()).as_deref(), want, "{xml}");
    }
    assert_eq!(wire::encrypted(b"<xml><Encrypt>\xff</Encrypt></xml>"), None);
}
