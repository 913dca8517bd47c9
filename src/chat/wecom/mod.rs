//! WeCom: an app's encrypted callback. One call: checked and opened, read, taken once, followed, answered.
//!
//! WeCom gives 5 seconds for an answer (1 for the check of an address) and brings a letter again without one. What takes
//! longer than [`PATIENCE`] is answered with nothing, and then by a message of the app's to whoever wrote.

mod crypto;
mod once;
mod say;
mod wire;

#[cfg(test)]
pub(super) mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use poem::Response;
use poem::http::{Method, StatusCode, header};
use tokio::sync::watch;

use self::crypto::{Forged, Keys};
use self::once::{Mark, Once, Said, Turn};
use self::say::Head;
use self::wire::{Letter, Query, What};
use super::door::{self, Call};
use super::{Answer, Asked, Author, Chat};
use crate::command::Place;
use crate::model::{
    Allow, Button, Channel, ChannelKind, ChannelName, ChatOutcome, Press, Target, WecomApp, WecomCallback, WecomDoor,
};
use crate::render::{self, Card, View};
use crate::rules::RuleSet;
use crate::store::Store;

/// Time for an answer to a call; the rest of WeCom's 5 seconds is for the way.
const PATIENCE: Duration = Duration::from_secs(4);

/// Longest text, in bytes, that WeCom hears back when it checks an address: it sends about 20 digits.
const LONGEST_ECHO: usize = 64;

/// A refused call is a line in the log, but not oftener than this.
const COMPLAINTS: Duration = Duration::from_secs(60);

/// Writes to people by calls of our own.
pub trait Courier: Send + Sync {
    /// A text to one member of the company, by a channel's app. Says what went wrong where something did; it is never
    /// repeated, for an answer that comes much later is none.
    fn write<'a>(&'a self, channel: &'a Channel, to: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), String>>;
}

/// What the door of WeCom needs besides what all doors need.
pub struct Wecom {
    courier: Arc<dyn Courier>,
    once: Once,
    /// When a refused call was last in the log, in steady time.
    complained: AtomicI64,
}

impl Wecom {
    /// With a way to people, and what is remembered in the store.
    #[must_use]
    pub fn new(store: &dyn Store, courier: Arc<dyn Courier>) -> Wecom {
        Wecom { courier, once: Once::new(store.table("chat_wecom")), complained: AtomicI64::new(i64::MIN) }
    }
}

/// The door of one app.
struct App {
    channel: Arc<Channel>,
    keys: Keys,
}

/// Whether this channel takes commands here.
pub(super) fn is_there(chat: &Chat, channel: &str) -> bool {
    app(chat, channel).is_some()
}

/// What a call to this channel's address is answered.
pub(super) async fn call(chat: &Arc<Chat>, channel: &str, call: &Call) -> Response {
    let Some(app) = app(chat, channel) else { return StatusCode::NOT_FOUND.into() };
    let answered = match call.method {
        Method::GET => check(chat, &app, call),
        _ => take(chat, &app, call).await,
    };
    answered.unwrap_or_else(|why| {
        let now = chat.clock.steady().0;
        let due = chat.wecom.complained.load(Ordering::Relaxed).saturating_add(COMPLAINTS.as_millis() as i64);
        match now >= due {
            true => {
                chat.wecom.complained.store(now, Ordering::Relaxed);
                tracing::warn!(channel, %why, "a call to the WeCom door was refused");
            }
            false => tracing::debug!(channel, %why, "a call to the WeCom door was refused"),
        }
        chat.count(ChannelKind::Wecom, ChatOutcome::Forged);
        StatusCode::FORBIDDEN.into()
    })
}

fn app(chat: &Chat, channel: &str) -> Option<App> {
    let channel = chat.rules.current().channels.get(&ChannelName::new(channel)).cloned()?;
    let keys = parts(&channel).and_then(|(app, callback)| Keys::of(app, callback))?;
    Some(App { channel, keys })
}

/// The app of a channel that has a callback.
fn parts(channel: &Channel) -> Option<(&WecomApp, &WecomCallback)> {
    match &channel.target {
        Target::Wecom { door: WecomDoor::App(app), .. } => app.callback.as_ref().map(|callback| (&**app, callback)),
        Target::Wecom { door: WecomDoor::Robot { .. }, .. }
        | Target::Slack { .. }
        | Target::Telegram { .. }
        | Target::Webhook { .. }
        | Target::Console => None,
    }
}

/// WeCom asks whether the address is ours, when somebody saves it: it wants to hear what it encrypted, to the byte.
fn check(chat: &Chat, app: &App, call: &Call) -> Result<Response, Forged> {
    let query = Query::read(&call.uri).ok_or(Forged::Shape)?;
    let echo = query.echo.ok_or(Forged::Shape)?;
    let opened = app.keys.open(&query.seal, &echo, chat.clock.wall().0)?;
    // A letter that somebody caught fits here too, and is not to be read out to them.
    let is_letter = opened.bytes().trim_ascii_start().starts_with(b"<");
    if is_letter || opened.bytes().len() > LONGEST_ECHO {
        return Err(Forged::Shape);
    }
    chat.count(ChannelKind::Wecom, ChatOutcome::Ignored);
    Ok(Response::builder().header(header::CONTENT_TYPE, "text/plain").body(opened.bytes().to_vec()))
}

/// Somebody wrote or clicked, or WeCom says what else happens in the app.
async fn take(chat: &Arc<Chat>, app: &App, call: &Call) -> Result<Response, Forged> {
    let query = Query::read(&call.uri).ok_or(Forged::Shape)?;
    let encrypted = wire::encrypted(&call.body).ok_or(Forged::Shape)?;
    let opened = app.keys.open(&query.seal, &encrypted, chat.clock.wall().0)?;
    // From here on it is WeCom's word.
    let ours = parts(&app.channel).map(|(app, _)| (app.corp_id.as_str(), app.agent_id)).ok_or(Forged::Shape)?;
    let ignored = || {
        chat.count(ChannelKind::Wecom, ChatOutcome::Ignored);
        Ok(StatusCode::OK.into())
    };
    let Some(letter) = Letter::read(&opened) else { return ignored() };
    match (letter.agent, &letter.what) {
        (Some(agent), _) if agent != ours.1 => return Err(Forged::Agent),
        (_, What::Other) => return ignored(),
        (None, _) => return Err(Forged::Agent),
        (Some(_), _) => {}
    }
    let mark = once::mark(ours.0, ours.1, &letter.id);
    let turn = match chat.wecom.once.turn((mark, &query.seal.signature), (chat.clock.steady(), chat.clock.wall())).await
    {
        Ok(turn) => turn,
        Err(error) => {
            tracing::error!(channel = %app.channel.name, %error, "a command from WeCom can't be taken now");
            chat.count(ChannelKind::Wecom, ChatOutcome::Failed);
            return Ok(StatusCode::SERVICE_UNAVAILABLE.into());
        }
    };
    let mut answering = match turn {
        Turn::First(said, answering) => {
            let (chat, channel, corp_id) = (Arc::clone(chat), Arc::clone(&app.channel), Box::from(ours.0));
            let tracker = chat.later.clone();
            tracker.spawn(Errand { chat, channel, corp_id, letter, mark }.run(said));
            answering
        }
        Turn::Again(answering) => answering,
        Turn::Before => return ignored(),
        Turn::Copy => return Err(Forged::Repeated),
    };
    // Who says it always does, within its patience; if it panics there is nothing to be said.
    let said = match answering.wait_for(Option::is_some).await {
        Ok(said) => said.clone().flatten(),
        Err(_) => None,
    };
    Ok(match said {
        None => StatusCode::OK.into(),
        Some(reply) => sealed(chat, app, &reply),
    })
}

/// A reply in its envelope, sealed anew.
fn sealed(chat: &Chat, app: &App, reply: &str) -> Response {
    let mut random = [0; 32];
    // Fails only where the system has no randomness, and then nothing else works either.
    if rustls::crypto::ring::default_provider().secure_random.fill(&mut random).is_err() {
        return StatusCode::OK.into();
    }
    let (mut before, mut nonce) = ([0; 16], [0; 8]);
    before.copy_from_slice(&random[..16]);
    nonce.copy_from_slice(&random[16..24]);
    let body = say::envelope(&app.keys, reply, before, &hex::encode(nonce), chat.clock.wall().secs());
    Response::builder().header(header::CONTENT_TYPE, "application/xml; charset=utf-8").body(body)
}

/// A letter on its way through the desk; it goes on when the caller has gone.
struct Errand {
    chat: Arc<Chat>,
    channel: Arc<Channel>,
    corp_id: Box<str>,
    letter: Letter,
    mark: Mark,
}

impl Errand {
    async fn run(self, said: watch::Sender<Option<Said>>) {
        let Errand { chat, channel, corp_id, letter, mark } = self;
        let (channel, author) = whose(&chat.rules.current(), &channel, &letter);
        let to = letter.from.clone();
        let work = {
            let (chat, channel, author) = (Arc::clone(&chat), Arc::clone(&channel), author.clone());
            async move { follow(&chat, &channel, &author, letter.what, mark).await }
        };
        let head = Head { to: &to, corp_id: &corp_id, at: chat.clock.wall().secs() };
        let late = match door::within(PATIENCE, work).await {
            Ok(Done { answer, card: None, is_click: false }) => {
                said.send_replace(Some(answer.map(|answer| Arc::from(head.text(&say::plain(&answer.text))))));
                None
            }
            // WeCom takes no words in answer to a click, only what becomes of the card.
            Ok(Done { answer, card, .. }) => {
                said.send_replace(Some(card.map(|(card, task)| Arc::from(head.card(&card, &task)))));
                answer
            }
            Err(late) => {
                said.send_replace(Some(None));
                late.done().await.and_then(|done| done.answer)
            }
        };
        if let Some(answer) = late {
            write(&chat, &channel, &author, &answer).await;
        }
    }
}

/// What came of a letter.
struct Done {
    answer: Option<Answer>,
    /// The card that was clicked as it is by now, and what it is called.
    card: Option<(Card, String)>,
    is_click: bool,
}

async fn follow(chat: &Chat, channel: &Channel, author: &Author, what: What, mark: Mark) -> Done {
    let wall = chat.clock.wall();
    let asked = match &what {
        What::Line(line) => Asked::Line(line),
        What::Click { press, .. } => Asked::Press(*press),
        What::Other => return Done { answer: None, card: None, is_click: false },
    };
    let answer = chat.hear(channel, author, asked, "").await;
    if let Err(error) = chat.wecom.once.keep(mark, wall).await {
        tracing::warn!(channel = %channel.name, %error, "a command was followed, and may be again after a restart");
    }
    match (what, &answer) {
        (What::Click { press, card: task }, Some(said)) if channel.allow.holds(&author.id) => {
            let card = clicked(chat, channel, press, &task, &said.buttons).await;
            Done { answer, card: card.map(|card| (card, task)), is_click: true }
        }
        (what, _) => Done { answer, card: None, is_click: matches!(what, What::Click { .. }) },
    }
}

/// The card that was clicked as it is by now, with what can be answered to a question in front.
async fn clicked(chat: &Chat, channel: &Channel, press: Press, task: &str, asked: &[Button]) -> Option<Card> {
    let group = match press {
        Press::Mute(group) | Press::Ack(group) | Press::Details(group) => group,
        Press::Confirm(_) => render::card_of(task)?.0,
    };
    let (group, incidents) = chat.desk.message(&Place::Channel(channel.name.clone()), group).await.ok()??;
    let rules = chat.rules.current();
    let (catalogue, now) = (&*rules.catalogue, chat.clock.wall());
    let mut card = render::card(&View { group: &group, incidents: &incidents, channel, catalogue, now });
    card.buttons.splice(..0, asked.iter().cloned());
    Some(card)
}

/// Sends an answer by a message of the app's.
async fn write(chat: &Chat, channel: &Channel, author: &Author, answer: &Answer) {
    if let Err(why) = chat.wecom.courier.write(channel, &author.id, &say::plain(&answer.text)).await {
        tracing::warn!(channel = %channel.name, %why, "an answer did not reach whoever asked in WeCom");
    }
}

/// In which channel somebody speaks, and who they are there. An app has one address and perhaps several channels: it is
/// the one whose card was clicked, the one whose address was called, or the first of the others that lets them command.
fn whose(rules: &RuleSet, called: &Arc<Channel>, letter: &Letter) -> (Arc<Channel>, Author) {
    let of = |channel: &Channel| parts(channel).map(|(app, _)| (app.corp_id.clone(), app.agent_id));
    let others = rules.channels.values().filter(|channel| of(channel).is_some() && of(channel) == of(called));
    let sender = match &letter.what {
        What::Click { card, .. } => render::card_of(card).map(|(_, channel)| channel),
        What::Line(_) | What::Other => None,
    };
    let sender = others.clone().find(|channel| Some(&channel.name) == sender.as_ref());
    let known = sender.into_iter().chain(std::iter::once(called)).chain(others).find_map(|channel| {
        let id = known_as(&channel.allow, &letter.from)?;
        Some((Arc::clone(channel), Author { name: id.clone(), id }))
    });
    known.unwrap_or_else(|| {
        let id = letter.from.clone();
        (Arc::clone(called), Author { name: id.clone(), id })
    })
}

/// Somebody's id as `allow` writes it: WeCom's ids are the same in capital and small letters.
fn known_as(allow: &Allow, from: &str) -> Option<Box<str>> {
    match allow {
        Allow::Nobody => None,
        Allow::Everyone => Some(from.into()),
        Allow::These(ids) => ids.iter().find(|id| id.eq_ignore_ascii_case(from)).cloned(),
    }
}
