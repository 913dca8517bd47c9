//! A WeCom channel: a group robot by its key, or an app of the company by its secret.

use secrecy::SecretString;

use super::{api_url, required, required_secret};
use crate::model::{Receivers, Target, WecomApp, WecomCallback, WecomDoor};
use crate::rules::diagnostic::{Mistakes, quote};
use crate::rules::document::Node;
use crate::rules::reading::{self, Fields};

/// Most user ids that WeCom takes in one message.
const MOST_USERS: usize = 1_000;

/// Most departments, and most tags, that it takes.
const MOST_NUMBERS: usize = 100;

/// Longest user id, and longest company id that passes for one.
const MOST_ID: usize = 64;

/// Letters and digits in an EncodingAESKey.
const AES_KEY: usize = 43;

/// Keys that only an app has.
const OF_APPS: [&str; 6] = ["corp_id", "agent_id", "secret", "to", "callback_token", "encoding_aes_key"];

/// Compiles the keys of a WeCom channel.
pub(super) fn compile(fields: &Fields<'_>, out: &mut Mistakes) -> Option<Target> {
    let api_url = api_url(fields, "https://qyapi.weixin.qq.com", out);
    let of_app = OF_APPS.iter().find_map(|key| fields.key(key));
    let door = match (fields.key("key"), of_app) {
        (Some(_), Some(of_app)) => {
            let hint = "`key` alone is for a group robot; `corp_id`, `agent_id`, `secret` and `to` are for an app";
            out.add_hinted(of_app, "it is both a group robot and an app", hint);
            None
        }
        (None, None) => {
            let hint = "give a group robot's `key`, or an app's `corp_id`, `agent_id`, `secret` and `to`";
            out.add_hinted(fields.at, "how to reach WeCom is missing", hint);
            None
        }
        (Some(_), None) => {
            let hint = "give only what follows `key=` in the robot's webhook address";
            required_secret(fields, "key", is_key, hint, out).map(|key| WecomDoor::Robot { key })
        }
        (None, Some(_)) => app(fields, out).map(|app| WecomDoor::App(Box::new(app))),
    };
    Some(Target::Wecom { door: door?, api_url: api_url? })
}

fn app(fields: &Fields<'_>, out: &mut Mistakes) -> Option<WecomApp> {
    let corp_id = required(fields, "corp_id", "the company's id, ww0123456789abcdef", out).and_then(|node| {
        let scalar = reading::scalar(node, "`corp_id`", out)?;
        let fine = (1..=MOST_ID).contains(&scalar.text.len()) && scalar.text.chars().all(is_key);
        if !fine {
            let hint = "it looks like ww0123456789abcdef and stands at the end of the company's settings";
            out.add_hinted(scalar.span, format!("`corp_id` can't be {}", quote(scalar.written)), hint);
        }
        fine.then(|| scalar.text.to_owned())
    });
    let agent_id = required(fields, "agent_id", "the app's AgentId, such as 1000002", out)
        .and_then(|node| reading::integer(node, "`agent_id`", 1..=i64::from(u32::MAX), out));
    let secret = required_secret(fields, "secret", is_key, "the app's Secret stands beside its AgentId", out);
    let to = required(fields, "to", TO_HINT, out).and_then(|node| receivers(node, out));
    let callback = callback(fields, out);
    Some(WecomApp { corp_id: corp_id?, agent_id: agent_id?, secret: secret?, to: to?, callback: callback? })
}

const TO_HINT: &str = "user ids, `party:2` for a department, `tag:7` for a tag; or `\"@all\"` alone";

fn receivers(node: &Node, out: &mut Mistakes) -> Option<Receivers> {
    let (mut to, mut whole) = (Receivers::default(), true);
    for node in reading::list(node, "`to`", out) {
        let Some(scalar) = reading::scalar(node, "a receiver in `to`", out) else {
            whole = false;
            continue;
        };
        let number = |text: &str| text.parse().ok().filter(|number| (1..=i64::from(u32::MAX)).contains(number));
        let known = match scalar.text.split_once(':') {
            Some(("party", text)) => number(text).map(|party| to.parties.push(party)),
            Some(("tag", text)) => number(text).map(|tag| to.tags.push(tag)),
            _ => (scalar.text == EVERYBODY || is_user(scalar.text)).then(|| to.users.push(scalar.text.to_owned())),
        };
        if known.is_none() {
            whole = false;
            out.add_hinted(scalar.span, format!("nobody on WeCom is called {}", quote(scalar.written)), TO_HINT);
        }
    }
    if !whole {
        return None;
    }
    let why = match (to.users.len(), to.parties.len(), to.tags.len()) {
        (0, 0, 0) => "`to` names nobody",
        (users, parties, tags) if to.users.iter().any(|user| user == EVERYBODY) && users + parties + tags > 1 => {
            "`@all` is everybody already: it stands alone"
        }
        (users, parties, tags) if users > MOST_USERS || parties > MOST_NUMBERS || tags > MOST_NUMBERS => {
            "WeCom takes at most 1000 user ids, 100 departments and 100 tags"
        }
        _ => return Some(to),
    };
    out.add_hinted(&node.span, why, TO_HINT);
    None
}

/// Everybody whom the app may see.
const EVERYBODY: &str = "@all";

/// The outer `None` is a mistake.
fn callback(fields: &Fields<'_>, out: &mut Mistakes) -> Option<Option<WecomCallback>> {
    let hint = "the app's page gives both, under \"Receive messages\"; leave out both if it is only to be told";
    match (fields.key("callback_token"), fields.key("encoding_aes_key")) {
        (None, None) => return Some(None),
        (Some(at), None) => {
            out.add_hinted(at, "`callback_token` is nothing without `encoding_aes_key`", hint);
            return None;
        }
        (None, Some(at)) => {
            out.add_hinted(at, "`encoding_aes_key` is nothing without `callback_token`", hint);
            return None;
        }
        (Some(_), Some(_)) => {}
    }
    let token = required_secret(fields, "callback_token", is_key, "letters and digits, at most 32", out);
    let key = required_secret(fields, "encoding_aes_key", |c| c.is_ascii_alphanumeric(), "43 letters and digits", out);
    let key = key.and_then(|key| sized(fields, key, out));
    Some(Some(WecomCallback { token: token?, encoding_aes_key: key? }))
}

fn sized(fields: &Fields<'_>, key: SecretString, out: &mut Mistakes) -> Option<SecretString> {
    let scalar = reading::scalar(fields.get("encoding_aes_key")?, "`encoding_aes_key`", out)?;
    if scalar.text.len() != AES_KEY {
        let message = format!("`encoding_aes_key` has {} letters and digits, not {AES_KEY}", scalar.text.len());
        out.add_hinted(scalar.span, message, "copy it whole from the app's page");
        return None;
    }
    Some(key)
}

fn is_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// WeCom's own rule for user ids.
fn is_user(text: &str) -> bool {
    text.len() <= MOST_ID
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@' | '.'))
}
