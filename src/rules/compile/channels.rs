//! `channels`: where people are told, with which secret.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;
use reqwest::Url;
use secrecy::SecretString;

use super::{Channels, SEVERITIES, channel_name, check_name, zone};
use crate::model::{BadBody, BodyTemplate, Channel, ChannelName, Language, Severity, SlackDoor, Target};
use crate::rules::diagnostic::{Mistakes, quote};
use crate::rules::document::Node;
use crate::rules::reading::{self, Fields};
use crate::rules::shape;

mod inbound;
mod wecom;

/// Chat ids of Telegram have at most 52 significant bits.
const MAX_CHAT_ID: i64 = (1 << 52) - 1;

/// Compiles all channels of the file.
pub(super) fn compile(top: &Fields<'_>, timezone: &TimeZone, out: &mut Mistakes) -> Channels {
    let mut channels = Channels { compiled: BTreeMap::new(), written: BTreeSet::new() };
    let Some(node) = top.get("channels") else {
        if top.key("channels").is_none() {
            let hint = "the least is `channels: { console: { type: console } }`";
            out.add_hinted(top.at, "`channels` is missing: nobody would hear anything", hint);
        }
        return channels;
    };
    let Some(named) = reading::named(node, "`channels`", out) else { return channels };
    for (key, _) in named.iter() {
        if check_name(&key.text, "the name of a channel", &key.span, out) {
            channels.written.insert(key.text.clone());
        }
    }
    for (key, node) in named.iter() {
        out.within(Some(format!("channel {}", quote(&key.text))));
        let name = ChannelName::new(&key.text);
        if let Some(channel) = channel(&name, node, timezone, &channels, out) {
            channels.compiled.insert(name, Arc::new(channel));
        }
    }
    for (key, node) in named.iter() {
        out.within(Some(format!("channel {}", quote(&key.text))));
        check_fallback(&ChannelName::new(&key.text), node, &channels, out);
    }
    out.within(None);
    channels
}

fn channel(
    name: &ChannelName,
    node: &Node,
    timezone: &TimeZone,
    channels: &Channels,
    out: &mut Mistakes,
) -> Option<Channel> {
    let (kind, words) = channel_type(node, out)?;
    let fields = reading::fields_of(node, &format!("a {kind} channel"), &[words, shape::CHANNEL], out)?;
    let target = match kind {
        "slack" => slack(&fields, out),
        "wecom" => wecom::compile(&fields, out),
        "telegram" => telegram(&fields, out),
        "webhook" => webhook(&fields, out),
        _ => Some(Target::Console),
    };
    let allow = inbound::allow(&fields, target.as_ref(), out);
    let languages = Language::ALL.map(|language| (language.as_str(), language));
    let language = fields.get("language").and_then(|node| reading::choice(node, "`language`", &languages, out));
    let min = fields.get("min_severity").and_then(|node| reading::choice(node, "`min_severity`", &SEVERITIES, out));
    let zone = fields.get("timezone").and_then(|node| zone(node, out));
    let fallback = fields.get("fallback").and_then(|node| channel_name(node, channels, out));
    Some(Channel {
        name: name.clone(),
        target: target?,
        language: language.unwrap_or_default(),
        min_severity: min.unwrap_or(Severity::Info),
        fallback,
        timezone: zone.unwrap_or_else(|| timezone.clone()),
        allow: allow.unwrap_or_default(),
    })
}

/// The `type` of a channel and the keys it may have.
fn channel_type(node: &Node, out: &mut Mistakes) -> Option<(&'static str, &'static [shape::Word])> {
    // Its own mistakes are noted by the caller, once the type is known.
    let fields = reading::named(node, "a channel", &mut Mistakes::default());
    let Some(fields) = fields else {
        reading::named(node, "a channel", out);
        return None;
    };
    let Some(kind) = fields.get("type") else {
        if fields.key("type").is_some() {
            reading::named(node, "a channel", out);
            return None;
        }
        let kinds = reading::join(shape::CHANNEL_TYPES.iter().map(|(kind, _)| *kind));
        out.add_hinted(fields.at, "`type` is missing", format!("it is one of: {kinds}"));
        return None;
    };
    let kinds = shape::CHANNEL_TYPES.map(|(kind, words)| (kind, (kind, words)));
    reading::choice(kind, "`type`", &kinds, out)
}

fn slack(fields: &Fields<'_>, out: &mut Mistakes) -> Option<Target> {
    let api_url = api_url(fields, "https://slack.com/api", out);
    let door = match (fields.key("token"), fields.key("webhook_url")) {
        (Some(_), Some(webhook)) => {
            out.add_hinted(
                webhook,
                "it has both `token` and `webhook_url`",
                "a bot token can do more: remove `webhook_url`",
            );
            None
        }
        (None, None) => {
            let hint = "give `token` (xoxb-…) with `channel`, or `webhook_url`";
            out.add_hinted(fields.at, "how to reach Slack is missing", hint);
            None
        }
        (None, Some(_)) => {
            if let (Some(channel), None) = (fields.key("channel"), fields.key("signing_secret")) {
                let hint = "the webhook posts to its own channel; commands from one need `signing_secret` too";
                out.add_hinted(channel, "`channel` has no effect with `webhook_url`", hint);
            }
            address(fields, "webhook_url", out).map(|url| SlackDoor::Webhook { url })
        }
        (Some(_), None) => {
            let token = required_secret(fields, "token", is_token, "a bot token looks like xoxb-123-abc", out);
            let channel = slack_channel(fields, out);
            token.zip(channel).map(|(token, channel)| SlackDoor::Bot { token, channel })
        }
    };
    let inbound = inbound::slack(fields, door.as_ref(), out);
    Some(Target::Slack { door: door?, api_url: api_url?, inbound: inbound? })
}

fn slack_channel(fields: &Fields<'_>, out: &mut Mistakes) -> Option<String> {
    let scalar = reading::scalar(required(fields, "channel", "the channel's id, C0123456789", out)?, "`channel`", out)?;
    if scalar.text.is_empty() || scalar.text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        out.add(scalar.span, "`channel` must be a channel's id or name, without blanks");
        return None;
    }
    Some(scalar.text.to_owned())
}

fn telegram(fields: &Fields<'_>, out: &mut Mistakes) -> Option<Target> {
    let api_url = api_url(fields, "https://api.telegram.org", out);
    let hint = "a bot's token looks like 123456:ABC-def; BotFather gives it";
    let token = required_secret(fields, "token", is_token, hint, out);
    let chat_id = required(fields, "chat_id", "groups have negative ids, such as -1001234567890", out)
        .and_then(|node| reading::integer(node, "`chat_id`", -MAX_CHAT_ID..=MAX_CHAT_ID, out));
    let thread_id = fields.get("thread_id").and_then(|node| reading::integer(node, "`thread_id`", 1..=i64::MAX, out));
    let webhook = inbound::telegram(fields, out);
    Some(Target::Telegram { token: token?, chat_id: chat_id?, thread_id, api_url: api_url?, webhook: webhook? })
}

fn webhook(fields: &Fields<'_>, out: &mut Mistakes) -> Option<Target> {
    let url = match fields.key("url") {
        Some(_) => address(fields, "url", out),
        None => {
            out.add_hinted(fields.at, "`url` is missing", "where the JSON is posted to");
            None
        }
    };
    let mut headers = BTreeMap::new();
    if let Some(named) = fields.get("headers").and_then(|node| reading::named(node, "`headers`", out)) {
        for (key, node) in named.iter() {
            if reqwest::header::HeaderName::from_bytes(key.text.as_bytes()).is_err() {
                out.add(&key.span, format!("{} is no name of an HTTP header", quote(&key.text)));
            }
            let Some(scalar) = reading::scalar(node, "a header's value", out) else { continue };
            if reqwest::header::HeaderValue::from_str(scalar.text).is_err() {
                out.add(scalar.span, "this header's value has characters that HTTP does not allow");
            }
            headers.insert(key.text.clone(), SecretString::from(scalar.text));
        }
    }
    let template = match fields.get("template") {
        None => None,
        Some(node) => Some(body_template(node, out)?),
    };
    Some(Target::Webhook { url: url?, headers, template })
}

fn body_template(node: &Node, out: &mut Mistakes) -> Option<BodyTemplate> {
    let scalar = reading::scalar(node, "`template`", out)?;
    match BodyTemplate::parse(scalar.text) {
        Ok(template) => Some(template),
        Err(BadBody { at, why }) => {
            let hint = "JSON such as { \"text\": \"{{text}}\" }; without it, the body is pushwatch's own";
            let why = if scalar.is_resolved() { "is no JSON, or asks for what there is not" } else { &why };
            out.add_hinted(
                &reading::place(scalar, at..scalar.text.ceil_char_boundary(at + 1)),
                format!("`template` {why}"),
                hint,
            );
            None
        }
    }
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.')
}

fn required<'n>(fields: &Fields<'n>, key: &str, hint: &str, out: &mut Mistakes) -> Option<&'n Node> {
    if fields.key(key).is_none() {
        out.add_hinted(fields.at, format!("`{key}` is missing"), hint);
    }
    fields.get(key)
}

/// A secret that is not empty and has only characters it can have. Its value is in no message.
fn required_secret(
    fields: &Fields<'_>,
    key: &str,
    legal: fn(char) -> bool,
    hint: &str,
    out: &mut Mistakes,
) -> Option<SecretString> {
    let scalar = reading::scalar(required(fields, key, hint, out)?, &format!("`{key}`"), out)?;
    if scalar.text.is_empty() {
        out.add_hinted(scalar.span, format!("`{key}` is empty"), hint);
        return None;
    }
    if !scalar.text.chars().all(legal) {
        out.add_hinted(scalar.span, format!("`{key}` has characters that no such secret has"), hint);
        return None;
    }
    Some(SecretString::from(scalar.text))
}

/// A web address that is a secret itself.
fn address(fields: &Fields<'_>, key: &str, out: &mut Mistakes) -> Option<SecretString> {
    let scalar = reading::scalar(fields.get(key)?, &format!("`{key}`"), out)?;
    match check_url(scalar.text) {
        Ok(_) => Some(SecretString::from(scalar.text)),
        Err(why) => {
            out.add_hinted(scalar.span, format!("`{key}` {why}"), "addresses look like https://example.com/hook");
            None
        }
    }
}

/// The platform's base address or what stands in its place, without a slash at its end.
fn api_url(fields: &Fields<'_>, default: &str, out: &mut Mistakes) -> Option<String> {
    let Some(node) = fields.get("api_url") else { return Some(default.to_owned()) };
    let scalar = reading::scalar(node, "`api_url`", out)?;
    let why = match check_url(scalar.text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => "must not carry a password",
        Ok(url) if url.query().is_some() || url.fragment().is_some() => "must be a base address, without `?` and `#`",
        Ok(_) => return Some(scalar.text.trim_end_matches('/').to_owned()),
        Err(why) => why,
    };
    out.add_hinted(scalar.span, format!("`api_url` {why}"), format!("without it, it is {default}"));
    None
}

fn check_url(text: &str) -> Result<Url, &'static str> {
    match Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => Err("must begin with https:// or http://"),
        Ok(url) if url.host_str().is_none_or(str::is_empty) => Err("names no host"),
        Ok(url) => Ok(url),
        Err(_) if !text.contains("://") => Err("must begin with https:// or http://"),
        Err(_) => Err("is no web address"),
    }
}

/// Follows the fallbacks of a channel; whoever comes back to where they began goes in a circle.
fn check_fallback(name: &ChannelName, node: &Node, channels: &Channels, out: &mut Mistakes) {
    let mut way = vec![name.as_str()];
    let mut next = channels.compiled.get(name).and_then(|channel| channel.fallback.as_ref());
    while let Some(fallback) = next {
        if fallback == name {
            way.push(name.as_str());
            let at = reading::named(node, "", &mut Mistakes::default()).and_then(|fields| fields.get("fallback"));
            let at = at.map_or(&node.span, |node| &node.span);
            out.add(at, format!("the fallbacks go in a circle: {}", way.join(" → ")));
            return;
        }
        // A circle that this channel only leads into is reported at its members.
        if way.contains(&fallback.as_str()) {
            return;
        }
        way.push(fallback.as_str());
        next = channels.compiled.get(fallback).and_then(|channel| channel.fallback.as_ref());
    }
}
