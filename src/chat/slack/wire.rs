//! What Slack says in a call: the form of a slash command, the JSON of a click. Pure; hostile in every field.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::chat::Author;
use crate::model::{MAX_PRESS, Press};

/// Fields of a form that are read; Slack sends about fifteen.
const MOST_FIELDS: usize = 64;

/// Longest id, name of a channel or time of a message that passes for one, in bytes.
const MOST_ID: usize = 128;

/// Longest address at which an answer may be given, in bytes.
const MOST_ADDRESS: usize = 2_048;

/// Longest check of the certificate; a token goes with it.
const MOST_CHECK: usize = 1_024;

/// It is not what Slack sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// Where a call comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The channel's id.
    id: Box<str>,
    /// Its name, where Slack gives one that stands for this channel alone.
    name: Option<Box<str>>,
}

impl Place {
    /// Whether a channel of the rules means this one: by its id, or by its name with or without `#`.
    pub(super) fn is(&self, channel: &str) -> bool {
        *self.id == *channel || self.name.as_deref() == Some(channel.strip_prefix('#').unwrap_or(channel))
    }
}

/// A slash command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Typed {
    /// Where.
    pub(super) place: Place,
    /// Who.
    pub(super) author: Author,
    /// What was typed behind the command's word.
    pub(super) text: String,
    /// Where an answer may be given later.
    pub(super) answer_at: Option<String>,
}

/// A click on a button of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clicked {
    /// Where.
    pub(super) place: Place,
    /// Who.
    pub(super) author: Author,
    /// On which message: its `ts`.
    pub(super) message: Box<str>,
    /// For what.
    pub(super) press: Press,
    /// Where the answer is given.
    pub(super) answer_at: Option<String>,
}

/// Whether this is how Slack looks at our certificate: it wants a 200, signed or not.
pub(super) fn is_check(body: &[u8]) -> bool {
    body.len() <= MOST_CHECK
        && fields(body).is_ok_and(|fields| fields.get("ssl_check").is_some_and(|value| value == "1"))
}

/// Reads a slash command.
pub(super) fn typed(body: &[u8]) -> Result<Typed, Malformed> {
    let mut fields = fields(body)?;
    let mut take = |name: &str| fields.remove(name).map(Cow::into_owned);
    Ok(Typed {
        place: place(take("channel_id"), take("channel_name"))?,
        author: author(take("user_id"), take("user_name"))?,
        text: plain(&take("text").ok_or(Malformed("text is missing"))?),
        answer_at: take("response_url").filter(|address| address.len() <= MOST_ADDRESS),
    })
}

/// Reads a click; `None` for what is none, or not on a button of ours.
pub(super) fn clicked(body: &[u8]) -> Result<Option<Clicked>, Malformed> {
    let payload = fields(body)?.remove("payload").ok_or(Malformed("payload is missing"))?;
    let Kind { kind } =
        serde_json::from_str(&payload).map_err(|_| Malformed("payload is no JSON object with a type"))?;
    if kind != "block_actions" {
        return Ok(None);
    }
    let actions: Actions = serde_json::from_str(&payload).map_err(|_| Malformed("payload can't be read"))?;
    let channel = actions.channel.ok_or(Malformed("channel is missing"))?;
    let [action] = &actions.actions[..] else { return Err(Malformed("there is not just one action")) };
    let value = action.value.as_deref().filter(|value| value.len() <= MAX_PRESS);
    let Some(press) = value.and_then(|value| value.parse().ok()) else { return Ok(None) };
    let message = actions.container.and_then(|container| container.message_ts);
    Ok(Some(Clicked {
        place: place(Some(channel.id), channel.name)?,
        author: author(Some(actions.user.id), actions.user.username.or(actions.user.name))?,
        message: message.filter(|ts| ts.len() <= MOST_ID).unwrap_or_default().into(),
        press,
        answer_at: actions.response_url.filter(|address| address.len() <= MOST_ADDRESS),
    }))
}

/// The fields of a form; none of Slack's comes twice.
fn fields(body: &[u8]) -> Result<BTreeMap<Cow<'_, str>, Cow<'_, str>>, Malformed> {
    let mut fields = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        if fields.len() >= MOST_FIELDS {
            return Err(Malformed("there are too many fields"));
        }
        if fields.insert(name, value).is_some() {
            return Err(Malformed("a field comes twice"));
        }
    }
    Ok(fields)
}

/// Groups and direct messages all have one and the same name.
const SHARED_NAMES: [&str; 2] = ["privategroup", "directmessage"];

fn place(id: Option<String>, name: Option<String>) -> Result<Place, Malformed> {
    let name = name.filter(|name| is_id(name) && !SHARED_NAMES.contains(&name.as_str()));
    let id = id.filter(|id| is_id(id)).ok_or(Malformed("the channel's id is missing"))?;
    Ok(Place { id: id.into(), name: name.map(String::into_boxed_str) })
}

fn author(id: Option<String>, name: Option<String>) -> Result<Author, Malformed> {
    let id: Box<str> = id.filter(|id| is_id(id)).ok_or(Malformed("the user's id is missing"))?.into();
    let name = name.filter(|name| !name.trim().is_empty() && name.len() <= 4 * MOST_ID);
    Ok(Author { name: name.map_or_else(|| id.clone(), String::into_boxed_str), id })
}

fn is_id(text: &str) -> bool {
    (1..=MOST_ID).contains(&text.len()) && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// As it was typed. Slack writes three characters as entities, and may have made links of names: `<http://a.b|a.b>`.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (shown, length) = link(rest).unwrap_or(("<", 1));
        out.push_str(shown);
        rest = &rest[length..];
    }
    out.push_str(rest);
    out.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// What a link that the text begins with shows, and its length.
fn link(text: &str) -> Option<(&str, usize)> {
    const BEGIN: [&str; 6] = ["http://", "https://", "mailto:", "@", "#", "!"];
    let inside = text.strip_prefix('<')?;
    let inside = &inside[..inside.find('>')?];
    let is_link = BEGIN.iter().any(|begin| inside.starts_with(begin));
    let (address, label) = inside.split_once('|').unwrap_or((inside, inside));
    let shown = if label.is_empty() { address } else { label };
    is_link.then_some((shown, inside.len() + 2))
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

/// A `block_actions` payload, as far as it concerns us.
#[derive(Deserialize)]
struct Actions {
    user: User,
    channel: Option<Channel>,
    container: Option<Container>,
    actions: Vec<Action>,
    response_url: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    username: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Channel {
    id: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Container {
    message_ts: Option<String>,
}

#[derive(Deserialize)]
struct Action {
    value: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::GroupId;

    const COMMAND: &str = "token=x&team_id=T1&channel_id=C1&channel_name=alerts&user_id=U1&user_name=ann\
                           &command=%2Fpushwatch&text=mute+cam1+30m+%26amp%3B+more&response_url=https%3A%2F%2Fhooks.slack.com%2Fc";

    fn form(payload: &serde_json::Value) -> Vec<u8> {
        form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish().into()
    }

    fn click() -> serde_json::Value {
        json!({
            "type": "block_actions",
            "user": { "id": "U1", "username": "ann", "name": "ann", "team_id": "T1" },
            "channel": { "id": "C1", "name": "alerts" },
            "container": { "type": "message", "message_ts": "17.1", "channel_id": "C1", "is_ephemeral": false },
            "message": { "ts": "17.1", "blocks": [] },
            "response_url": "https://hooks.slack.com/a",
            "actions": [{ "type": "button", "action_id": "ack", "value": "ack:7", "action_ts": "18.2" }],
        })
    }

    #[test]
    fn a_command_is_read_as_it_was_typed() {
        let typed = typed(COMMAND.as_bytes()).unwrap();
        assert_eq!(typed.text, "mute cam1 30m & more");
        assert_eq!(typed.author, Author { id: "U1".into(), name: "ann".into() });
        assert_eq!(typed.answer_at.as_deref(), Some("https://hooks.slack.com/c"));
        assert!(typed.place.is("C1") && typed.place.is("alerts") && typed.place.is("#alerts"));
        assert!(!typed.place.is("C2") && !typed.place.is("#C1") && !typed.place.is(""));
    }

    #[test]
    fn entities_and_links_are_what_was_typed() {
        for (slack, typed) in [
            ("{stream=~&lt;a|b&gt;}", "{stream=~<a|b>}"),
            ("&amp;lt;", "&lt;"),
            (
                "mute <http://push.example.com/live/cam1|push.example.com/live/cam1> 1h",
                "mute push.example.com/live/cam1 1h",
            ),
            ("status <https://a.example>", "status https://a.example"),
            ("ask <@U1|ann> and <#C1|ops>", "ask ann and ops"),
            ("a < b > c <", "a < b > c <"),
            ("<!here> <@> <https://>", "!here @ https://"),
            ("", ""),
        ] {
            assert_eq!(plain(slack), typed, "{slack}");
        }
    }

    #[test]
    fn groups_and_direct_messages_are_known_by_their_id_alone() {
        for name in SHARED_NAMES {
            let text = COMMAND.replace("alerts", name);
            assert!(!typed(text.as_bytes()).unwrap().place.is(name));
        }
    }

    #[test]
    fn a_form_with_a_field_twice_or_without_who_and_where_is_none() {
        for (from, to) in [
            ("text=", "text=mutes&text="),
            ("channel_id=C1", "channel_id="),
            ("user_id=U1", "user_id=U+1"),
            ("user_id=U1", ""),
            ("channel_id=C1", "x=y"),
            ("token=x", "a=&a="),
            ("text=", "txt="),
        ] {
            let text = COMMAND.replacen(from, to, 1);
            assert!(typed(text.as_bytes()).is_err(), "{text}");
        }
        let many: String = (0..100).map(|n| format!("f{n}=&")).collect();
        assert_eq!(typed(format!("{many}{COMMAND}").as_bytes()), Err(Malformed("there are too many fields")));
        let unnamed = typed(COMMAND.replace("user_name=ann&", "").as_bytes()).unwrap();
        assert_eq!(&*unnamed.author.name, "U1");
    }

    #[test]
    fn a_click_is_read_if_it_is_on_a_button_of_ours() {
        let read = clicked(&form(&click())).unwrap().unwrap();
        assert_eq!((read.press, &*read.message), (Press::Ack(GroupId(7)), "17.1"));
        assert_eq!(read.author, Author { id: "U1".into(), name: "ann".into() });
        assert!(read.place.is("C1"));
        for (pointer, value) in [
            ("/type", json!("view_submission")),
            ("/actions/0/value", json!("ack:07")),
            ("/actions/0/value", json!("x".repeat(3000))),
            ("/actions/0/value", json!(null)),
        ] {
            let mut other = click();
            *other.pointer_mut(pointer).unwrap() = value;
            assert_eq!(clicked(&form(&other)), Ok(None), "{other}");
        }
        for (pointer, value) in [
            ("/type", json!(7)),
            ("/actions", json!([])),
            ("/actions", json!([{ "value": "ack:7" }, { "value": "mute:7" }])),
            ("/user", json!("U1")),
            ("/user/id", json!("")),
            ("/channel", json!(null)),
            ("/channel/id", json!("C 1")),
        ] {
            let mut other = click();
            *other.pointer_mut(pointer).unwrap() = value;
            assert!(clicked(&form(&other)).is_err(), "{other}");
        }
        let twice = form(&click());
        let twice = [&twice[..], b"&", &twice[..]].concat();
        assert_eq!(clicked(&twice), Err(Malformed("a field comes twice")));
        assert!(clicked(COMMAND.as_bytes()).is_err() && clicked(b"payload=%7B").is_err());
        assert!(clicked(format!("payload={}", "[".repeat(100_000)).as_bytes()).is_err());
    }

    #[test]
    fn a_check_of_the_certificate_is_known() {
        assert!(is_check(b"ssl_check=1&token=x") && is_check(b"token=x&ssl_check=1"));
        for body in [&b""[..], b"ssl_check=0", b"ssl_check=", b"ssl_check=1&ssl_check=1", COMMAND.as_bytes()] {
            assert!(!is_check(body));
        }
        assert!(!is_check(format!("ssl_check=1&token={}", "x".repeat(2000)).as_bytes()));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..500), text in ".*") {
            let _ = (typed(&body), clicked(&body), is_check(&body));
            let shown = plain(&text);
            prop_assert!(shown.len() <= text.len());
            let payload = [b"payload=".to_vec(), body].concat();
            let _ = clicked(&payload);
        }

        #[test]
        fn what_is_typed_without_signs_of_slacks_comes_through(text in "[^<>&]*") {
            prop_assert_eq!(plain(&text), text);
        }
    }
}
