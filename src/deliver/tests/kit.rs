//! What every kind of channel must bear: one table of (what the chat does, what must come of it), played against a
//! real worker and a chat on a real port, and the breaks that no answer causes. A new kind is done when it passes.
//!
//! A kind says what its chat's yes looks like, adds the words that its chat knows, and judges what the chat is asked.

use std::fmt::Write as _;

use tracing_subscriber::fmt::MakeWriter;

use super::super::call::WHOLE;
use super::super::fake::SECRET;
use super::super::fake_chat::Asked;
use super::*;
use crate::model::{Group, Key, PushEnd, StreamName};

mod console;
mod slack;
mod telegram;
mod webhook;
mod wecom;

/// In whatever a chat says of who asked; must not be repeated anywhere.
const OUR_ADDRESS: &str = "192.0.2.7";

/// Long enough for whatever waits for its next try, except where a chat or a refusal asks for more.
const A_WHILE: Duration = Duration::from_secs(60);

/// A kind of channel.
pub(super) struct Kind {
    /// A channel whose chat is at this address.
    channel: fn(&str) -> Arc<Channel>,
    /// Its chat's yes to whatever it is asked.
    yes: fn() -> Answer,
    /// Calls that come before the first message, answered by the same yes.
    before: usize,
    /// A 2xx is a yes, and the body nobody's business.
    by_status: bool,
    /// What its chat can say, beyond what any HTTP server can.
    rows: fn() -> Vec<Row>,
    /// Judges a message by the platform's limits and markup; true if it is one without markup.
    inspect: fn(&Asked) -> bool,
}

/// One exchange.
pub(super) struct Row {
    name: String,
    on: On,
    answer: Answer,
    comes: Comes,
}

/// What is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Post,
    Edit,
}

/// What must come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    /// It is told.
    Sent,
    /// It is not told, and told by a later call, which is no repetition.
    Retry,
    /// Nobody knows; the later call that tells it is marked as a possible duplicate.
    Unknown,
    /// Not one call for so many seconds; then it is told.
    Wait(u64),
    /// It is told without markup, at once.
    Plain,
    /// It is told without markup, a little later.
    PlainLater,
    /// It is told by another call, at once.
    Anew,
    /// Nothing is asked for a good while, and it is told after a restart.
    Refused,
}

fn row(name: &str, answer: Answer, comes: Comes) -> Row {
    Row { name: name.to_owned(), on: On::Post, answer, comes }
}

fn edit_row(name: &str, answer: Answer, comes: Comes) -> Row {
    Row { on: On::Edit, ..row(name, answer, comes) }
}

/// Plays everything against a kind of channel.
pub(super) async fn run(kind: Kind) {
    let log = Log(Paper(Arc::default()));
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let stage = Stage { kind, http: client() };
    let elsewhere = FakeChat::start(vec![], Answer::HangUp).await;
    for row in any_server(&stage.kind, &elsewhere.url).into_iter().chain((stage.kind.rows)()) {
        // Other tests run without a subscriber and may have made the log lines look unwanted at the same moment.
        tracing::callsite::rebuild_interest_cache();
        println!("{}", row.name);
        stage.play(&row).await;
    }
    assert!(elsewhere.asked().is_empty(), "a redirect was followed");
    stage.no_server_at_all().await;
    for answer in [never(), Answer::Stalled(200, "{\"half\":".into())] {
        stage.no_answer_in_time(answer).await;
    }
    stage.crash_in_mid_send().await;
    stage.crash_before_the_mark().await;
    stage.stop_in_mid_send().await;
    stage.hostile_texts().await;
    let logged = String::from_utf8(log.0.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("not told yet"), "nothing was logged");
    hold_no_secret("the log", &logged);
}

/// What any HTTP server, proxy or wire can do.
fn any_server(kind: &Kind, elsewhere: &str) -> Vec<Row> {
    use Comes::{Plain, Refused, Retry, Sent, Unknown, Wait};
    // Error pages repeat what they can of the request.
    let page = format!("<html>no /bot123:{SECRET}/ nor /services/{SECRET} nor {SECRET} for {OUR_ADDRESS}</html>");
    let page = || page.clone();
    let location: &'static str = Box::leak(format!("location: {elsewhere}/\r\n").into_boxed_str());
    let date = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:51:37 GMT\r\n";
    let huge = || "<html>".to_owned() + &"x".repeat(2 << 20);
    // A yes may hide behind a 2xx, and only an endpoint that is judged by its status has said it.
    let doubtful = if kind.by_status { Sent } else { Unknown };
    // Chats count calls by the minute; an endpoint that does not say how long is asked again as after any failure.
    let untold = if kind.by_status { Retry } else { Wait(60) };
    vec![
        row("a yes", (kind.yes)(), Sent),
        row("200 and nothing", Answer::Say(200, "", String::new()), doubtful),
        row("200 and a page", Answer::Say(200, "", page()), doubtful),
        row("200 and a huge page", Answer::Say(200, "", huge()), doubtful),
        row("200 and a list", Answer::Say(200, "", "[]".into()), doubtful),
        row("200 and an object that says nothing", Answer::Say(200, "", "{}".into()), doubtful),
        row("200 and half an answer", Answer::Broken(200, "{\"ok\":true".into()), doubtful),
        row("204", Answer::Say(204, "", String::new()), doubtful),
        row("301 elsewhere", Answer::Say(301, location, page()), Refused),
        row("307 elsewhere", Answer::Say(307, location, String::new()), Refused),
        row("401 and a page", Answer::Say(401, "", page()), Refused),
        row("403 and a page", Answer::Say(403, "", page()), Refused),
        row("404 and nothing", Answer::Say(404, "", String::new()), Refused),
        row("413 and a page", Answer::Say(413, "", page()), Plain),
        row("408", Answer::Say(408, "", page()), Retry),
        row("425", Answer::Say(425, "", String::new()), Retry),
        row("429 and seconds", Answer::Say(429, "retry-after: 77\r\n", page()), Wait(77)),
        row("429 and a date", Answer::Say(429, date, page()), Wait(120)),
        row("429 and a huge page", Answer::Say(429, "retry-after: 77\r\n", huge()), Wait(77)),
        row("429 broken off", Answer::Broken(429, "<html>".into()), untold),
        row("429 and no word how long", Answer::Say(429, "", page()), untold),
        row("429 and nonsense", Answer::Say(429, "retry-after: soon\r\n", page()), untold),
        row("500 and a page", Answer::Say(500, "", page()), Retry),
        row("502 and a page", Answer::Say(502, "", page()), Retry),
        row("503 and nothing", Answer::Say(503, "", String::new()), Retry),
        row("503 and seconds", Answer::Say(503, "retry-after: 9\r\n", page()), Wait(9)),
        row("504 and a page", Answer::Say(504, "", page()), Unknown),
        row("hangs up", Answer::HangUp, Unknown),
    ]
}

fn never() -> Answer {
    Answer::Held(Arc::new(Notify::new()), Box::new(Answer::HangUp))
}

struct Stage {
    kind: Kind,
    http: reqwest::Client,
}

impl Stage {
    fn world(&self) -> World {
        World::with(Arc::default(), self.http.clone())
    }

    /// A chat that is asked first for what comes before a message, then answers the message with `answer`.
    async fn chat(&self, answer: Answer) -> FakeChat {
        let mut script = vec![(self.kind.yes)(); self.kind.before];
        script.push(answer);
        FakeChat::start(script, (self.kind.yes)()).await
    }

    async fn play(&self, row: &Row) {
        let (world, name) = (self.world(), row.name.as_str());
        let chat = match row.on {
            On::Post => self.chat(row.answer.clone()).await,
            On::Edit => {
                let chat = self.chat((self.kind.yes)()).await;
                chat.script(row.answer.clone());
                chat
            }
        };
        let channel = (self.kind.channel)(&chat.url);
        let worker = world.run(&channel);
        let mut id = world.owe(&channel, 1, Reason::Post);
        if row.on == On::Edit {
            world.done(id, DeliveryOutcome::Sent).await;
            world.pass(&channel, A_WHILE).await;
            world.store.revise(1, |_, _| ());
            id = world.owe(&channel, 1, Reason::Edit);
        }
        let asked_at = world.now();
        let answered = |kept: &Inner| kept.rows[&id].error.is_some() || kept.rows[&id].outcome.is_some();
        let mut repeated = false;
        let outcome = match row.comes {
            Comes::Plain | Comes::PlainLater => DeliveryOutcome::SentPlain,
            _ => DeliveryOutcome::Sent,
        };
        match row.comes {
            Comes::Sent => {
                let done = world.done(id, outcome).await;
                assert_eq!(done.attempts, 1, "{name}");
            }
            Comes::Retry | Comes::Unknown | Comes::PlainLater => {
                let failed = world.failed(id, 1).await;
                repeated = row.comes == Comes::Unknown && row.on == On::Post;
                let want = if repeated { DeliveryState::Sending } else { DeliveryState::Pending };
                assert_eq!(failed.state, want, "{name}: {:?}", failed.error);
                world.pass(&channel, A_WHILE).await;
            }
            Comes::Plain | Comes::Anew => {
                world.store.until(name, answered).await;
                world.pass(&channel, A_WHILE).await;
            }
            Comes::Wait(secs) => {
                world.store.until(name, answered).await;
                let waiting = world.store.row(id);
                assert_eq!((waiting.outcome, waiting.state), (None, DeliveryState::Pending), "{name}");
                let wait = Duration::from_secs(secs);
                assert!(waiting.not_before >= asked_at + wait, "{name}: too soon");
                assert!(waiting.not_before <= world.now() + wait + Duration::from_secs(1), "{name}: too late");
                world.pass(&channel, (asked_at + wait - Duration::from_secs(2)).since(world.now())).await;
                let early = world.store.row(id).attempts > 1 && world.now() < waiting.not_before;
                assert!(!early, "{name}: called before the chat allows it");
                world.pass(&channel, A_WHILE).await;
            }
            Comes::Refused => {
                world.store.until(name, answered).await;
                world.pass(&channel, Duration::from_secs(240)).await;
                let waiting = world.store.row(id);
                assert_eq!((waiting.outcome, waiting.attempts), (None, 1), "{name}: {:?}", waiting.error);
                world.stop.cancel();
                worker.await.unwrap().unwrap();
                let again = World::with(Arc::clone(&world.store), self.http.clone());
                let worker = again.run(&channel);
                let done = again.done(id, outcome).await;
                assert!(!done.possible_duplicate, "{name}");
                return self.close(name, again, worker, &channel, &chat).await;
            }
        }
        let done = world.done(id, outcome).await;
        assert_eq!(done.possible_duplicate, repeated, "{name}");
        assert!(row.comes == Comes::Sent || done.attempts == 2, "{name}: {} calls", done.attempts);
        let last = chat.asked().pop().unwrap();
        assert_eq!((self.kind.inspect)(&last), outcome == DeliveryOutcome::SentPlain, "{name}: {}", last.body);
        self.close(name, world, worker, &channel, &chat).await;
    }

    /// Everything has its outcome, every message was fit for its chat, and no secret was told.
    async fn close(
        &self,
        name: &str,
        world: World,
        worker: JoinHandle<Result<(), StoreError>>,
        channel: &Channel,
        chat: &FakeChat,
    ) {
        for asked in chat.asked().iter().filter(|asked| asked.head.starts_with("post")) {
            (self.kind.inspect)(asked);
        }
        let mut kept = format!("{channel:?} {:?} ", world.context.wecom_tokens);
        {
            let inner = world.store.lock();
            write!(kept, "{:?} {:?} {:?}", inner.rows, inner.attempts, inner.tables).unwrap();
        }
        hold_no_secret(name, &kept);
        world.finish(worker).await;
    }

    /// Nobody listens, and what stands for an address is none.
    async fn no_server_at_all(&self) {
        let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        for (base, waits) in [(format!("http://{nobody}"), false), ("no address".to_owned(), true)] {
            let (world, channel) = (self.world(), (self.kind.channel)(&base));
            let worker = world.run(&channel);
            let id = world.owe(&channel, 1, Reason::Post);
            world.store.until(&base, |kept| kept.rows[&id].error.is_some()).await;
            let row = world.store.row(id);
            assert_eq!((row.outcome, row.possible_duplicate), (None, false), "{base}");
            assert!(!waits || row.not_before > world.now() + Duration::from_secs(240), "{base}");
            hold_no_secret(&base, &format!("{row:?} {channel:?}"));
            world.stop.cancel();
            worker.await.unwrap().unwrap();
        }
    }

    /// A connection that is half open: the time-out ends the call.
    async fn no_answer_in_time(&self, answer: Answer) {
        let is_yes = self.kind.by_status && matches!(answer, Answer::Stalled(..));
        let (world, chat) = (self.world(), self.chat(answer).await);
        let channel = (self.kind.channel)(&chat.url);
        let worker = world.run(&channel);
        let id = world.owe(&channel, 1, Reason::Post);
        chat.until(self.kind.before + 1).await;
        tokio::time::pause();
        // Time passes only while there is nothing to read: what the chat did answer has arrived before the time-out.
        tokio::time::sleep(WHOLE + Duration::from_secs(1)).await;
        tokio::time::resume();
        if !is_yes {
            assert_eq!(world.failed(id, 1).await.state, DeliveryState::Sending);
            world.pass(&channel, A_WHILE).await;
        }
        assert_eq!(world.done(id, DeliveryOutcome::Sent).await.possible_duplicate, !is_yes);
        self.close("no answer in time", world, worker, &channel, &chat).await;
    }

    async fn crash_in_mid_send(&self) {
        let (world, chat) = (self.world(), self.chat(never()).await);
        let channel = (self.kind.channel)(&chat.url);
        let id = world.owe(&channel, 1, Reason::Post);
        let worker = world.run(&channel);
        chat.until(self.kind.before + 1).await;
        self.crash(world, worker, id, &channel, &chat).await;
    }

    /// The chat has said yes, and the disk refuses to take note of it until the end.
    async fn crash_before_the_mark(&self) {
        let release = Arc::new(Notify::new());
        let held = Answer::Held(Arc::clone(&release), Box::new((self.kind.yes)()));
        let (world, chat) = (self.world(), self.chat(held).await);
        let channel = (self.kind.channel)(&chat.url);
        let id = world.owe(&channel, 1, Reason::Post);
        let worker = world.run(&channel);
        chat.until(self.kind.before + 1).await;
        world.store.lock().failing = u32::MAX;
        release.notify_one();
        let refused = async {
            while world.store.lock().failing == u32::MAX {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, refused).await.unwrap();
        self.crash(world, worker, id, &channel, &chat).await;
    }

    /// Drops everything but the store; after the restart the message is told again, and marked.
    async fn crash(
        &self,
        world: World,
        worker: JoinHandle<Result<(), StoreError>>,
        id: DeliveryId,
        channel: &Arc<Channel>,
        chat: &FakeChat,
    ) {
        worker.abort();
        assert!(worker.await.unwrap_err().is_cancelled());
        assert_eq!(world.store.row(id).state, DeliveryState::Sending);
        world.store.lock().failing = 0;
        let world = World::with(world.store, self.http.clone());
        let worker = world.run(channel);
        world.pass(channel, A_WHILE).await;
        assert!(world.done(id, DeliveryOutcome::Sent).await.possible_duplicate);
        self.close("a crash", world, worker, channel, chat).await;
    }

    async fn stop_in_mid_send(&self) {
        let release = Arc::new(Notify::new());
        let held = Answer::Held(Arc::clone(&release), Box::new((self.kind.yes)()));
        let (world, chat) = (self.world(), self.chat(held).await);
        let channel = (self.kind.channel)(&chat.url);
        let id = world.owe(&channel, 1, Reason::Post);
        let worker = world.run(&channel);
        chat.until(self.kind.before + 1).await;
        world.stop.cancel();
        release.notify_one();
        worker.await.unwrap().unwrap();
        let row = world.store.row(id);
        assert_eq!((row.outcome, row.possible_duplicate), (Some(DeliveryOutcome::Sent), false));
    }

    /// Long and spiteful names, with and without markup: all told, all fit.
    async fn hostile_texts(&self) {
        let (world, chat) = (self.world(), FakeChat::start(vec![], (self.kind.yes)()).await);
        let refusing = FakeChat::start(vec![], (self.kind.yes)()).await;
        let (rich, plain) = ((self.kind.channel)(&chat.url), (self.kind.channel)(&refusing.url));
        let other = self.world();
        let workers = [world.run(&rich), other.run(&plain)];
        for (number, name) in hostile_names().iter().enumerate() {
            let group = number as u64 + 1;
            for (world, channel) in [(&world, &rich), (&other, &plain)] {
                world.store.group(group, &channel.name);
                world.store.revise(group, |group, incidents| spite(group, incidents, name));
                world.pass(channel, A_WHILE).await;
            }
            world.done(world.owe(&rich, group, Reason::Post), DeliveryOutcome::Sent).await;
            // Whatever comes before the first message has been asked by the first one.
            if number > 0 {
                refusing.script(Answer::Say(413, "", String::new()));
            }
            let id = other.owe(&plain, group, Reason::Post);
            if number > 0 {
                // The next call may have gone through before we look.
                let answered = |kept: &Inner| kept.rows[&id].error.is_some() || kept.rows[&id].outcome.is_some();
                other.store.until(name, answered).await;
                other.pass(&plain, A_WHILE).await;
            }
            let outcome = if number > 0 { DeliveryOutcome::SentPlain } else { DeliveryOutcome::Sent };
            other.done(id, outcome).await;
        }
        let [one, two] = workers;
        self.close("hostile texts", world, one, &rich, &chat).await;
        self.close("hostile texts, plainly", other, two, &plain, &refusing).await;
    }
}

/// Names that mean something to one chat or another.
fn hostile_names() -> Vec<String> {
    let short = [
        "cam1",
        "<!channel> <!here> <@U012345> <#C012345|x> @all",
        "<@all> <@ann> @everyone",
        "</b></code><a href=\"tg://user?id=1\">x</a><i>",
        "[x](https://example.com/) <https://example.com|x> https://example.com/",
        "```*_~`>#+-=|{}.!\\&amp;&lt;&#60;%3C",
        "a\u{202e}b\u{2066}c\u{200f}d\u{7}\u{1b}[31me\r\n\tf\u{0}g",
    ];
    let long = ["<", "&", "`", "断", "😀", "\u{301}", "_*", "x"].map(|part| part.repeat(700));
    short.map(str::to_owned).into_iter().chain(long).collect()
}

/// A group of many incidents whose every word is the name.
fn spite(group: &mut Group, incidents: &mut Vec<crate::model::Incident>, name: &str) {
    let key = Key::Stream(StreamName::new(name, name, name));
    group.key = key.clone();
    let one = incidents[0].clone();
    let many = (0..60).map(|number| crate::model::Incident {
        id: crate::model::IncidentId(number + 1),
        rule: name.into(),
        key: key.clone(),
        end: PushEnd { errmsg: Some(name.into()), ..PushEnd::UNKNOWN }.boxed(),
        count: u64::MAX,
        ..one.clone()
    });
    *incidents = many.collect();
}

fn hold_no_secret(of: &str, text: &str) {
    for secret in [SECRET, OUR_ADDRESS] {
        let leak = text.find(secret).map(|at| text[..at].chars().rev().take(200).collect::<Vec<_>>());
        let leak = leak.map(|before| before.into_iter().rev().collect::<String>());
        assert_eq!(leak, None, "{of} tells a secret after these words");
    }
}

/// No control character, and none that turns the direction of text.
fn hold_harmless(text: &str) {
    let bad = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!text.contains(bad), "{text:?}");
    assert!(!text.trim().is_empty(), "an empty message");
}

#[derive(Clone)]
struct Log(Paper);

impl MakeWriter<'_> for Log {
    type Writer = Paper;

    fn make_writer(&self) -> Paper {
        self.0.clone()
    }
}

#[tokio::test]
async fn slack_bots_pass() {
    run(slack::bot()).await;
}

#[tokio::test]
async fn slack_webhooks_pass() {
    run(slack::hook()).await;
}

#[tokio::test]
async fn telegram_bots_pass() {
    run(telegram::bot()).await;
}

#[tokio::test]
async fn wecom_robots_pass() {
    run(wecom::robot()).await;
}

#[tokio::test]
async fn wecom_apps_pass() {
    run(wecom::app()).await;
}

#[tokio::test]
async fn webhooks_pass() {
    run(webhook::endpoint()).await;
}
