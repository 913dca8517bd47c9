//! What WeCom calls with: the query, the envelope, and the letter in it. Pure; all of it is hostile until it is opened.

use std::collections::HashMap;

use poem::http::Uri;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::crypto::{Opened, Seal};
use crate::model::Press;

/// Most fields of a message that are looked at, and how deep they may go; a real one has about ten, two deep.
const MOST_FIELDS: usize = 64;
const DEEPEST: usize = 8;

/// Longest user id, in bytes.
const LONGEST_ID: usize = 64;

/// Longest of the texts that are only passed back to WeCom or compared, in bytes.
const LONGEST_TEXT: usize = 1_024;

/// What a call brings in its query.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// Who says that it is WeCom's.
    pub(super) seal: Seal,
    /// What is to be decrypted and said back, if the address is only being checked.
    pub(super) echo: Option<String>,
}

impl Query {
    /// Reads it; `None` if something is missing or there twice.
    pub(super) fn read(uri: &Uri) -> Option<Query> {
        let mut found: HashMap<String, String> = HashMap::new();
        for (name, value) in form_urlencoded::parse(uri.query()?.as_bytes()).take(MOST_FIELDS) {
            if found.insert(name.into_owned(), value.into_owned()).is_some() {
                return None;
            }
        }
        let seal = Seal {
            signature: found.remove("msg_signature")?,
            timestamp: found.remove("timestamp")?,
            nonce: found.remove("nonce")?,
        };
        // Base64 has no blanks: those that are here were written as a bare `+`.
        let echo = found.remove("echostr").map(|echo| echo.replace(' ', "+"));
        Some(Query { seal, echo })
    }
}

/// The ciphertext in a call's body.
pub(super) fn encrypted(body: &[u8]) -> Option<String> {
    fields(std::str::from_utf8(body).ok()?)?.remove("Encrypt")
}

/// What somebody did in the app, as WeCom tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Letter {
    /// Their user id.
    pub(super) from: Box<str>,
    /// Which app; absent in letters that are about the company.
    pub(super) agent: Option<i64>,
    /// By what it is known again: WeCom sends a letter again that was not answered in time.
    pub(super) id: String,
    /// What they did.
    pub(super) what: What,
}

/// What somebody did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// They wrote this.
    Line(String),
    /// They clicked a button of a card.
    Click {
        /// Which.
        press: Press,
        /// Of which card, as we called it.
        card: String,
    },
    /// Anything else: they came in, sent a picture, clicked what is none of ours.
    Other,
}

impl Letter {
    /// Reads it; `None` if it is no message of WeCom's.
    pub(super) fn read(opened: &Opened) -> Option<Letter> {
        let mut found = fields(std::str::from_utf8(opened.bytes()).ok()?)?;
        let short = |text: Option<String>| text.filter(|text| text.len() <= LONGEST_TEXT);
        let from = found.remove("FromUserName").filter(|from| (1..=LONGEST_ID).contains(&from.len()))?;
        let kind = short(found.remove("MsgType"))?;
        let agent = found.remove("AgentID").map(|agent| agent.parse()).transpose().ok()?;
        let (event, key) = (short(found.remove("Event")), short(found.remove("EventKey")).unwrap_or_default());
        let card = short(found.remove("TaskId")).unwrap_or_default();
        let content = found.remove("Content");
        let id = match short(found.remove("MsgId")) {
            Some(id) => format!("message {id} {from} {}", content.as_deref().unwrap_or_default()),
            // Events have none; WeCom's advice is the author and the second, and one can click twice in a second.
            None => {
                let at = short(found.remove("CreateTime"))?;
                format!("event {from} {at} {} {key} {card}", event.as_deref().unwrap_or_default())
            }
        };
        let what = match (kind.as_str(), event.as_deref(), key.parse()) {
            ("text", ..) => What::Line(content?),
            ("event", Some("template_card_event"), Ok(press)) => What::Click { press, card },
            _ => What::Other,
        };
        Some(Letter { from: from.into(), agent, id, what })
    }
}

/// The texts right below the root `xml`, by name; what goes deeper is passed over. `None` for what is no such document,
/// says something twice, or declares or uses entities of its own.
fn fields(xml: &str) -> Option<HashMap<String, String>> {
    let mut reader = Reader::from_str(xml.trim_start_matches('\u{feff}'));
    let (mut found, mut field): (HashMap<String, String>, Option<(String, String)>) = (HashMap::new(), None);
    let mut depth = 0;
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                depth += 1;
                match (depth, tag.name().as_ref()) {
                    (1, "xml") if found.is_empty() => {}
                    (1, _) => return None,
                    (2, name) => field = Some((name.to_owned(), String::new())),
                    (depth, _) if depth > DEEPEST => return None,
                    _ => {}
                }
            }
            Event::Empty(tag) if depth == 1 => {
                keep(&mut found, (tag.name().as_ref().to_owned(), String::new()))?;
            }
            Event::End(_) => {
                if let (2, Some(done)) = (depth, field.take_if(|_| depth == 2)) {
                    keep(&mut found, done)?;
                }
                depth = depth.checked_sub(1)?;
            }
            Event::Text(text) => add(&mut field, depth, &text),
            Event::CData(text) => add(&mut field, depth, &text),
            Event::GeneralRef(entity) => {
                let known = match &*entity {
                    "lt" => '<',
                    "gt" => '>',
                    "amp" => '&',
                    "quot" => '"',
                    "apos" => '\'',
                    _ => entity.resolve_char_ref().ok()??,
                };
                add(&mut field, depth, known.encode_utf8(&mut [0; 4]));
            }
            Event::Eof if depth == 0 && !found.is_empty() => return Some(found),
            Event::Decl(_) | Event::Comment(_) | Event::Empty(_) => {}
            Event::DocType(_) | Event::PI(_) | Event::Eof => return None,
        }
    }
}

fn add(field: &mut Option<(String, String)>, depth: usize, text: &str) {
    if let (2, Some((_, so_far))) = (depth, field) {
        so_far.push_str(text);
    }
}

fn keep(found: &mut HashMap<String, String>, (name, text): (String, String)) -> Option<()> {
    let is_new = found.len() < MOST_FIELDS && found.insert(name, text).is_none();
    is_new.then_some(())
}
