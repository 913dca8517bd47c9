//! What lets people answer in a channel: who may, and how what comes in is known to be the platform's.

use std::collections::BTreeSet;

use super::{check_url, required_secret, slack_channel};
use crate::model::{Allow, SlackDoor, SlackInbound, Target, TelegramWebhook, WecomDoor};
use crate::rules::diagnostic::{Mistakes, quote};
use crate::rules::reading::{self, Fields};

/// Longest user id that passes for one, in bytes.
const MOST_ID: usize = 64;

/// Most ids in an `allow`.
const MOST_ALLOWED: usize = 1_000;

/// The word for anybody in the chat.
const EVERYONE: &str = "everyone";

/// Longest secret that Telegram takes for a webhook, in characters: they are letters, digits, `_` and `-`.
const MOST_SECRET: usize = 256;

/// Who may give commands; a channel that hears none needs nobody.
pub(super) fn allow(fields: &Fields<'_>, target: Option<&Target>, out: &mut Mistakes) -> Option<Allow> {
    let node = fields.get("allow")?;
    if let (Some(hint), Some(at)) = (target.and_then(why_deaf), fields.key("allow")) {
        out.add_hinted(at, "`allow` has no effect: no commands can come from this channel", hint);
        return None;
    }
    let hint = match target {
        Some(Target::Telegram { .. }) => "user ids of Telegram are numbers, such as 123456789",
        Some(Target::Slack { .. }) => "user ids of Slack look like U0123456789",
        _ => "it is a list of user ids, or `everyone`",
    };
    let numbers = matches!(target, Some(Target::Telegram { .. }));
    let fine = |text: &str| match numbers {
        true => text.parse::<i64>().is_ok_and(|id| id.to_string() == text),
        false => (1..=MOST_ID).contains(&text.len()) && !text.chars().any(|c| c.is_whitespace() || c.is_control()),
    };
    let (mut ids, mut everyone) = (BTreeSet::new(), None);
    for item in reading::list(node, "`allow`", out) {
        let Some(scalar) = reading::scalar(item, "a user id in `allow`", out) else { continue };
        if scalar.text == EVERYONE {
            everyone = Some(scalar.span);
        } else if !fine(scalar.text) {
            out.add_hinted(scalar.span, format!("nobody's id is {}", quote(scalar.written)), hint);
        } else if !ids.insert(scalar.text.into()) {
            out.add(scalar.span, format!("{} is listed twice", quote(scalar.written)));
        }
    }
    match (everyone, ids.len()) {
        (Some(_), 0) => Some(Allow::Everyone),
        (Some(at), _) => {
            out.add(at, "`everyone` stands alone: it is all the others too");
            None
        }
        (None, many) if many > MOST_ALLOWED => {
            out.add(&node.span, format!("`allow` lists more than {MOST_ALLOWED} user ids"));
            None
        }
        (None, _) => Some(Allow::These(ids)),
    }
}

/// Why nothing can be heard from a channel.
fn why_deaf(target: &Target) -> Option<&'static str> {
    match target {
        Target::Slack { inbound: None, .. } => Some("give the Slack app's `signing_secret` too, or leave it out"),
        Target::Wecom { door: WecomDoor::App(app), .. } if app.callback.is_none() => {
            Some("give the app's `callback_token` and `encoding_aes_key` too, or leave it out")
        }
        Target::Wecom { door: WecomDoor::Robot { .. }, .. } => {
            Some("a group robot only speaks; commands need a WeCom app")
        }
        Target::Webhook { .. } | Target::Console => Some("commands come from Slack, Telegram and WeCom apps"),
        Target::Slack { .. } | Target::Wecom { .. } | Target::Telegram { .. } => None,
    }
}

/// How Slack's calls are known; the outer `None` is a mistake.
pub(super) fn slack(fields: &Fields<'_>, door: Option<&SlackDoor>, out: &mut Mistakes) -> Option<Option<SlackInbound>> {
    if fields.key("signing_secret").is_none() {
        return Some(None);
    }
    let hint = "the app's page shows it under \"Basic Information\", \"App Credentials\"";
    let secret = required_secret(fields, "signing_secret", |c| c.is_ascii_alphanumeric(), hint, out);
    let channel = match door {
        Some(SlackDoor::Bot { channel, .. }) => Some(channel.clone()),
        Some(SlackDoor::Webhook { .. }) => slack_channel(fields, out),
        // Its mistake is noted already.
        None => None,
    };
    Some(Some(SlackInbound { signing_secret: secret?, channel: channel? }))
}

/// How Telegram's calls are known, if it is to call; the outer `None` is a mistake.
pub(super) fn telegram(fields: &Fields<'_>, out: &mut Mistakes) -> Option<Option<TelegramWebhook>> {
    if fields.key("webhook_secret").is_none() {
        let Some(at) = fields.key("public_url") else { return Some(None) };
        let hint = "give `webhook_secret` too; without both, pushwatch asks Telegram, which needs no public address";
        out.add_hinted(at, "`public_url` is nothing without `webhook_secret`", hint);
        return None;
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let hint = "1 to 256 letters, digits, `_` and `-` of your own choice, long and random";
    let secret = required_secret(fields, "webhook_secret", legal, hint, out);
    if let (Some(_), Some(node)) = (&secret, fields.get("webhook_secret"))
        && reading::scalar(node, "`webhook_secret`", out)?.text.len() > MOST_SECRET
    {
        out.add_hinted(&node.span, "`webhook_secret` is too long", hint);
        return None;
    }
    let public_url = public_url(fields, out);
    Some(Some(TelegramWebhook { secret: secret?, public_url: public_url? }))
}

/// The outer `None` is a mistake.
fn public_url(fields: &Fields<'_>, out: &mut Mistakes) -> Option<Option<String>> {
    let Some(node) = fields.get("public_url") else { return Some(None) };
    let scalar = reading::scalar(node, "`public_url`", out)?;
    let why = match check_url(scalar.text) {
        Ok(url) if url.scheme() != "https" => "must begin with https://: Telegram calls no other",
        Ok(url) if !url.username().is_empty() || url.password().is_some() => "must not carry a password",
        Ok(url) if url.query().is_some() || url.fragment().is_some() => "must be a base address, without `?` and `#`",
        Ok(_) => return Some(Some(scalar.text.trim_end_matches('/').to_owned())),
        Err(why) => why,
    };
    out.add_hinted(
        scalar.span,
        format!("`public_url` {why}"),
        "where pushwatch is reached, https://pushwatch.example.com",
    );
    None
}
