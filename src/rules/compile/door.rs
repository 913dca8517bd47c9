//! `tencent`: which callbacks are let in.

use std::net::IpAddr;

use ipnet::IpNet;
use secrecy::SecretString;

use crate::model::{Door, EventKind};
use crate::rules::diagnostic::{Mistakes, nearest, quote};
use crate::rules::document::Node;
use crate::rules::duration::{Bounds, DAY};
use crate::rules::reading::{self, Fields};
use crate::rules::shape;

/// Smallest and largest `max_body`: the documented sample has 1 KiB; the body is held in memory.
const BODY: std::ops::RangeInclusive<u64> = 4 * 1024..=16 * 1024 * 1024;

/// Compiles `tencent`.
pub(super) fn compile(node: &Node, out: &mut Mistakes) -> Door {
    let mut door = Door::default();
    let Some(fields) = reading::fields(node, &shape::TENCENT, out) else { return door };
    out.within(Some("`tencent`".to_owned()));
    if let Some(node) = fields.get("keys") {
        door.keys = keys(node, out);
    }
    if let Some(node) = fields.get("path_secret") {
        door.path_secret = path_secret(node, out);
    }
    if let Some(node) = fields.get("allow_unsigned") {
        door.allow_unsigned = reading::boolean(node, "`allow_unsigned`", out).unwrap_or_default();
    }
    if let Some(node) = fields.get("unsigned_events") {
        door.unsigned_events = unsigned_events(node, out);
        check_unsigned(&fields, node, &door, out);
    }
    if let Some(node) = fields.get("clock_skew") {
        let bounds = Bounds::secs(0, 60 * 60);
        door.clock_skew = reading::duration(node, "`clock_skew`", bounds, out).unwrap_or(door.clock_skew);
    }
    if let Some(node) = fields.get("max_validity") {
        // The cloud stamps ten minutes ahead; what is refused for being too far ahead would be refused always.
        let bounds = Bounds::secs(10 * 60, DAY);
        door.max_validity = reading::duration(node, "`max_validity`", bounds, out).unwrap_or(door.max_validity);
    }
    if let Some(node) = fields.get("max_body") {
        door.max_body = size(node, out).unwrap_or(door.max_body);
    }
    door.sources = fields.get("sources").map(|node| networks(node, "`sources`", out)).unwrap_or_default();
    door.trusted_proxies =
        fields.get("trusted_proxies").map(|node| networks(node, "`trusted_proxies`", out)).unwrap_or_default();
    out.within(None);
    door
}

/// The callback keys. An empty one is one that `${VAR:-}` did not find: none.
fn keys(node: &Node, out: &mut Mistakes) -> Vec<SecretString> {
    let mut keys = Vec::new();
    for item in reading::list(node, "`keys`", out) {
        let Some(scalar) = reading::scalar(item, "a key", out) else { continue };
        if scalar.text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            out.add(scalar.span, "a callback key has no blanks in it");
        } else if !scalar.text.is_empty() {
            keys.push(SecretString::from(scalar.text));
        }
    }
    keys
}

fn path_secret(node: &Node, out: &mut Mistakes) -> Option<SecretString> {
    let scalar = reading::scalar(node, "`path_secret`", out)?;
    if scalar.text.is_empty() {
        return None;
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    if !scalar.text.chars().all(legal) || scalar.text.len() > 128 || matches!(scalar.text, "." | "..") {
        let hint = "it becomes the end of the address, /callback/SECRET";
        out.add_hinted(scalar.span, "`path_secret` may have up to 128 letters, digits, `-` and `_`", hint);
        return None;
    }
    Some(SecretString::from(scalar.text))
}

fn unsigned_events(node: &Node, out: &mut Mistakes) -> Vec<i64> {
    let mut events = Vec::new();
    for item in reading::list(node, "`unsigned_events`", out) {
        let Some(scalar) = reading::scalar(item, "an event", out) else { continue };
        if let Some(kind) = event_kind(scalar, out) {
            events.push(kind.code());
        }
    }
    events
}

/// A kind of event by name or number.
pub(super) fn event_kind(scalar: reading::Scalar<'_>, out: &mut Mistakes) -> Option<EventKind> {
    if let Some(kind) = EventKind::from_name(scalar.text) {
        return Some(kind);
    }
    if let Ok(code) = scalar.text.parse::<i64>() {
        return Some(EventKind::from_code(code));
    }
    let message = format!("there is no event {}", quote(scalar.written));
    match nearest(scalar.written, EventKind::names()) {
        Some(near) => out.add_hinted(scalar.span, message, format!("did you mean `{near}`?")),
        None => {
            let names = reading::join(EventKind::names());
            out.add_hinted(scalar.span, message, format!("they are: {names}; or a number"));
        }
    }
    None
}

fn check_unsigned(fields: &Fields<'_>, node: &Node, door: &Door, out: &mut Mistakes) {
    if door.unsigned_events.is_empty() || door.path_secret.is_some() {
        return;
    }
    // A secret with a mistake of its own was noted already.
    match fields.get("path_secret").and_then(|node| reading::scalar(node, "", &mut Mistakes::default())) {
        Some(secret) if !secret.text.is_empty() => {}
        _ if fields.key("path_secret").is_some() && fields.get("path_secret").is_none() => {}
        _ => out.add_hinted(
            &node.span,
            "`unsigned_events` needs `path_secret`",
            "without a signature the address is the only secret",
        ),
    }
}

/// A number of bytes, `256KiB` or `1MiB`.
fn size(node: &Node, out: &mut Mistakes) -> Option<usize> {
    let scalar = reading::scalar(node, "`max_body`", out)?;
    let text = scalar.text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kb" | "kib" => Some(1024),
        "m" | "mb" | "mib" => Some(1024 * 1024),
        "g" | "gb" | "gib" => Some(1024 * 1024 * 1024),
        _ => None,
    };
    let bytes = number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    match bytes {
        Some(bytes) if BODY.contains(&bytes) => usize::try_from(bytes).ok(),
        Some(_) => {
            out.add(scalar.span, "`max_body` must be between 4KiB and 16MiB");
            None
        }
        None => {
            let message = format!("`max_body`: {} is no size", quote(scalar.written));
            out.add_hinted(scalar.span, message, "sizes look like 262144, 256KiB or 1MiB");
            None
        }
    }
}

fn networks(node: &Node, what: &str, out: &mut Mistakes) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for item in reading::list(node, what, out) {
        let Some(scalar) = reading::scalar(item, "a network", out) else { continue };
        let single = || scalar.text.parse::<IpAddr>().map(IpNet::from);
        match scalar.text.parse::<IpNet>().or_else(|_| single()) {
            Ok(network) => networks.push(network),
            Err(_) => {
                let message = format!("{what}: {} is no network", quote(scalar.written));
                out.add_hinted(scalar.span, message, "networks look like 203.0.113.0/24, 2001:db8::/32 or 203.0.113.7");
            }
        }
    }
    networks
}
