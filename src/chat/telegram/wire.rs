//! Updates as Telegram brings them, read leniently: what is not for us, or can't be read, is nothing. Pure.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::chat::Author;
use crate::model::{MAX_PRESS, Press, Timestamp};

/// The kinds of updates that are asked for.
pub(super) const KINDS: [&str; 3] = ["message", "channel_post", "callback_query"];

/// Longest id of a click, in bytes; real ones have about twenty.
const MOST_QUERY: usize = 128;

/// Longest name of an author that is looked at, in bytes; Telegram's have 64 characters each.
const MOST_NAME: usize = 512;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Update {
    /// Known once by this number, however often it is brought.
    pub(super) id: i64,
    /// What.
    pub(super) what: What,
}

/// What happened, as far as it concerns us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Somebody wrote something that may be a command.
    Said(Said),
    /// Somebody clicked a button.
    Clicked(Click),
    /// A group became a supergroup.
    Moved {
        /// Its id until then.
        from: i64,
        /// Its id from then on.
        to: i64,
    },
    /// Anything else.
    Nothing,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// The chat.
    pub(super) chat: i64,
    /// The part of it.
    pub(super) topic: Topic,
    /// The message.
    pub(super) message: i64,
}

/// A part of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// It has none, or this is the general one.
    Main,
    /// A topic of a forum.
    Thread(i64),
    /// The message is so old that Telegram does not say.
    Unknown,
}

/// What somebody wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Where.
    pub(super) spot: Spot,
    /// When, by Telegram's clock.
    pub(super) at: Timestamp,
    /// Whether they are alone with us.
    pub(super) is_private: bool,
    /// Who.
    pub(super) author: Author,
    /// What.
    pub(super) order: Order,
}

/// A command as it was written: `/mute@alert_bot cam1 1h`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// Its word; empty where a text without a slash was written in a private chat.
    pub(super) word: String,
    /// To which bot, if it says so.
    pub(super) bot: Option<String>,
    /// What follows.
    pub(super) rest: String,
}

/// A click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Click {
    /// Its id, for the answer.
    pub(super) query: String,
    /// Below which message.
    pub(super) spot: Spot,
    /// Who.
    pub(super) author: Author,
    /// On what; `None` if it is no button of ours.
    pub(super) press: Option<Press>,
}

/// Reads an update; `None` if not even its number can be read.
pub(super) fn update(json: &[u8]) -> Option<Update> {
    let envelope: Envelope<'_> = serde_json::from_slice(json).ok()?;
    let message = envelope.message.or(envelope.channel_post).and_then(read::<Message>).and_then(said);
    let what = message.or_else(|| envelope.callback_query.and_then(read::<Query>).and_then(clicked));
    Some(Update { id: envelope.update_id, what: what.unwrap_or(What::Nothing) })
}

/// Reads a list of updates; what has no number is left out.
pub(super) fn updates(json: &str) -> Option<Vec<Update>> {
    let list: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    Some(list.into_iter().filter_map(|one| update(one.get().as_bytes())).collect())
}

#[derive(Deserialize)]
struct Envelope<'a> {
    update_id: i64,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    channel_post: Option<&'a RawValue>,
    #[serde(borrow, default)]
    callback_query: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message {
    message_id: i64,
    message_thread_id: Option<i64>,
    #[serde(default)]
    is_topic_message: bool,
    chat: Chat,
    from: Option<User>,
    sender_chat: Option<Chat>,
    date: i64,
    text: Option<String>,
    #[serde(default)]
    entities: Vec<Entity>,
    // What was written elsewhere, or by another bot for somebody, is nobody's word to us.
    forward_origin: Option<IgnoredAny>,
    forward_date: Option<IgnoredAny>,
    via_bot: Option<IgnoredAny>,
    #[serde(default)]
    is_automatic_forward: bool,
    migrate_to_chat_id: Option<i64>,
}

#[derive(Deserialize)]
struct Chat {
    id: i64,
    #[serde(rename = "type", default)]
    kind: String,
    title: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: i64,
    #[serde(default)]
    is_bot: bool,
    #[serde(default)]
    first_name: String,
    last_name: Option<String>,
}

#[derive(Deserialize)]
struct Entity {
    #[serde(rename = "type")]
    kind: String,
    offset: i64,
    length: usize,
}

#[derive(Deserialize)]
struct Query {
    id: String,
    from: User,
    message: Option<Below>,
    data: Option<String>,
}

/// The message below which a button was clicked; of an old one little more is told than where it stands.
#[derive(Deserialize)]
struct Below {
    message_id: i64,
    chat: Chat,
    #[serde(default)]
    date: i64,
    message_thread_id: Option<i64>,
    #[serde(default)]
    is_topic_message: bool,
}

fn read<'a, T: Deserialize<'a>>(json: &'a RawValue) -> Option<T> {
    serde_json::from_str(json.get()).ok()
}

fn said(message: Message) -> Option<What> {
    if let Some(to) = message.migrate_to_chat_id {
        return Some(What::Moved { from: message.chat.id, to });
    }
    let is_borrowed = message.is_automatic_forward
        || [&message.forward_origin, &message.forward_date, &message.via_bot].into_iter().any(Option::is_some);
    if is_borrowed {
        return None;
    }
    let is_private = message.chat.kind == "private";
    let order = order(message.text.as_deref()?, &message.entities, is_private)?;
    let topic = topic(message.message_thread_id, message.is_topic_message);
    Some(What::Said(Said {
        spot: Spot { chat: message.chat.id, topic, message: message.message_id },
        at: Timestamp(message.date.saturating_mul(1000)),
        is_private,
        author: author(message.sender_chat, message.from)?,
        order,
    }))
}

/// In a group without topics the thread is only that of the answers to a message.
fn topic(thread: Option<i64>, is_topic: bool) -> Topic {
    match thread {
        Some(thread) if is_topic => Topic::Thread(thread),
        _ => Topic::Main,
    }
}

/// Anonymous admins write as their group, and channels as themselves: `from` is a stand-in then, or missing.
fn author(chat: Option<Chat>, user: Option<User>) -> Option<Author> {
    match (chat, user) {
        (Some(chat), _) => {
            Some(Author { id: chat.id.to_string().into(), name: bounded(chat.title.unwrap_or_default()) })
        }
        (None, Some(user)) if !user.is_bot => Some(person(user)),
        (None, _) => None,
    }
}

fn person(user: User) -> Author {
    let name = match user.last_name {
        Some(last) => format!("{} {last}", user.first_name),
        None => user.first_name,
    };
    Author { id: user.id.to_string().into(), name: bounded(name) }
}

fn bounded(mut name: String) -> Box<str> {
    name.truncate(name.floor_char_boundary(MOST_NAME));
    name.into()
}

/// The command that a text begins with. Telegram marks those itself; alone with us, any text is meant as one.
fn order(text: &str, entities: &[Entity], is_private: bool) -> Option<Order> {
    let Some(entity) = entities.iter().find(|entity| entity.kind == "bot_command" && entity.offset == 0) else {
        let is_one = is_private && !text.trim().is_empty();
        return is_one.then(|| Order { word: String::new(), bot: None, rest: text.trim().to_owned() });
    };
    let (command, rest) = split(text, entity.length)?;
    let command = command.strip_prefix('/')?;
    let (word, bot) = match command.split_once('@') {
        Some((word, bot)) => (word, Some(bot.to_owned())),
        None => (command, None),
    };
    Some(Order { word: word.to_owned(), bot, rest: rest.trim().to_owned() })
}

/// Splits behind so many units of UTF-16, by which Telegram counts; `None` in the middle of a character or past the end.
fn split(text: &str, units: usize) -> Option<(&str, &str)> {
    let mut seen = 0;
    for (at, c) in text.char_indices() {
        if seen >= units {
            return (seen == units).then(|| text.split_at(at));
        }
        seen += c.len_utf16();
    }
    (seen == units).then_some((text, ""))
}

fn clicked(query: Query) -> Option<What> {
    let below = query.message?;
    if query.id.len() > MOST_QUERY {
        return None;
    }
    let topic = match below.date {
        0 => Topic::Unknown,
        _ => topic(below.message_thread_id, below.is_topic_message),
    };
    let press = query.data.filter(|data| data.len() <= MAX_PRESS).and_then(|data| data.parse().ok());
    let spot = Spot { chat: below.chat.id, topic, message: below.message_id };
    Some(What::Clicked(Click { query: query.id, spot, author: person(query.from), press }))
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
