//! Slack: slash commands and buttons, signed with the app's secret.
//!
//! A call's way: its signature → whether it came before → what it says → the channel that it comes from → the answer, at
//! once or, where that takes longer than Slack waits, by a call of our own.

mod later;
mod say;
mod seen;
mod signature;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use poem::Response;
use poem::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::door::{self, Call};
use super::{Answer, Asked, Audience, Author, Chat};
use crate::model::{Channel, ChannelKind, ChannelName, ChatOutcome, Press, SlackInbound, Target};
use later::Address;
use say::Manner;
use seen::Came;
pub(super) use seen::Seen;
use signature::Claimed;
use wire::{Clicked, Malformed, Place, Typed};

/// What stands before a command.
const PREFIX: &str = "/pushwatch ";

/// How long an answer may take before Slack is told that it comes later: Slack waits for three seconds.
const AT_ONCE: Duration = Duration::from_millis(2_300);

/// Whether any channel takes commands from Slack.
pub(super) fn is_there(chat: &Chat) -> bool {
    inbound(&chat.rules.current().channels).next().is_some()
}

/// A slash command.
pub(super) async fn command(chat: &Arc<Chat>, call: &Call) -> Response {
    let rules = chat.rules.current();
    let secrets = secrets(&rules.channels);
    let (Typed { place, author, text, answer_at }, app) = match admit(chat, call, &secrets, wire::typed) {
        Ok(admitted) => admitted,
        Err(status) => return status.into(),
    };
    let Some(channel) = choose(&rooms(&rules.channels, secrets[app], &place), &author) else {
        return ignored(chat).into();
    };
    let address = address(answer_at, &channel);
    let (name, language) = (author.name.clone(), channel.language);
    let hearing = Arc::clone(chat);
    let work = async move { hearing.hear(&channel, &author, Asked::Line(&text), PREFIX).await };
    match door::within(AT_ONCE, work).await {
        Ok(None) => StatusCode::OK.into(),
        Ok(Some(answer)) => json(&say::message(&answer, manner(&answer, &name))),
        Err(late) => {
            let http = chat.http.clone();
            chat.later.spawn(async move {
                match (late.done().await.flatten(), address) {
                    (Some(answer), Some(address)) => {
                        later::post(&http, &address, &say::message(&answer, manner(&answer, &name))).await;
                    }
                    (Some(_), None) => tracing::warn!("Slack gave no address of its own for a late answer"),
                    (None, _) => {}
                }
            });
            json(&say::wait(language))
        }
    }
}

/// A click on a button.
pub(super) async fn action(chat: &Arc<Chat>, call: &Call) -> Response {
    let rules = chat.rules.current();
    let secrets = secrets(&rules.channels);
    let (clicked, app) = match admit(chat, call, &secrets, wire::clicked) {
        Ok(admitted) => admitted,
        Err(status) => return status.into(),
    };
    let Some(Clicked { place, author, message, press, answer_at }) = clicked else { return ignored(chat).into() };
    let rooms = chat.meant(rooms(&rules.channels, secrets[app], &place), &author, press).await;
    let Some(channel) = choose(&rooms, &author) else { return ignored(chat).into() };
    if !chat.slack.click((author.id.clone(), message, press), chat.clock.steady()) {
        return ignored(chat).into();
    }
    let address = address(answer_at, &channel);
    let hearing = Arc::clone(chat);
    let work = async move {
        let Some(answer) = hearing.hear(&channel, &author, Asked::Press(press), PREFIX).await else { return };
        let Some(address) = address else {
            return tracing::warn!("Slack gave no address of its own for the answer to a click");
        };
        let (messages, http) = (answers(press, &answer, &author.name), hearing.http.clone());
        // Not waited for: Slack wants its 200 first.
        hearing.later.spawn(async move {
            for message in messages {
                later::post(&http, &address, &message).await;
            }
        });
    };
    if let Err(late) = door::within(AT_ONCE, work).await {
        // It goes on by itself, and is waited for at the end.
        chat.later.spawn(late.done());
    }
    StatusCode::OK.into()
}

/// What is answered to a click. The message that was clicked shows by itself what became of it; a question is replaced.
fn answers(press: Press, answer: &Answer, who: &str) -> Vec<Value> {
    match (press, answer.audience) {
        (Press::Confirm(_), Audience::Author) => vec![say::message(answer, Manner::InItsPlace)],
        (Press::Confirm(_), Audience::Everybody) => {
            vec![say::message(answer, Manner::InItsPlace), say::message(answer, Manner::Aloud(who))]
        }
        (Press::Mute(_) | Press::Ack(_) | Press::Details(_), _) => vec![say::message(answer, Manner::Privately)],
    }
}

fn manner<'w>(answer: &Answer, who: &'w str) -> Manner<'w> {
    match answer.audience {
        Audience::Author => Manner::Privately,
        Audience::Everybody => Manner::Aloud(who),
    }
}

/// Lets a call in, once, if one of the secrets signed it, and reads it; with the place of the secret. Whoever is kept out
/// learns nothing of why.
fn admit<'c, T>(
    chat: &Chat,
    call: &'c Call,
    secrets: &[&SecretString],
    read: impl FnOnce(&'c [u8]) -> Result<T, Malformed>,
) -> Result<(T, usize), StatusCode> {
    if wire::is_check(&call.body) {
        return Err(StatusCode::OK);
    }
    let refuse = |outcome, status: StatusCode, why: &str| {
        tracing::debug!(why, "a call to Slack's door is refused");
        chat.count(ChannelKind::Slack, outcome);
        status
    };
    let (wall, steady) = (chat.clock.wall(), chat.clock.steady());
    let (at, signature) = (call.header("x-slack-request-timestamp"), call.header("x-slack-signature"));
    let verified = signature::verify(Claimed { at, signature, body: &call.body }, secrets, wall)
        .map_err(|forgery| refuse(ChatOutcome::Forged, StatusCode::FORBIDDEN, forgery.why()))?;
    match chat.slack.call(&verified, wall, steady) {
        Came::First => {}
        Came::Again => return Err(refuse(ChatOutcome::Forged, StatusCode::FORBIDDEN, "it came before")),
        Came::Full => {
            let why = "more come than can be remembered";
            return Err(refuse(ChatOutcome::Flooded, StatusCode::SERVICE_UNAVAILABLE, why));
        }
    }
    let kind = call.header("content-type").and_then(|kind| kind.split(';').next()).unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case(FORM) {
        return Err(refuse(ChatOutcome::Ignored, StatusCode::UNSUPPORTED_MEDIA_TYPE, "it is no form"));
    }
    let read = read(verified.body());
    let read = read.map_err(|Malformed(why)| refuse(ChatOutcome::Ignored, StatusCode::BAD_REQUEST, why))?;
    Ok((read, verified.app()))
}

/// How Slack writes its calls.
const FORM: &str = "application/x-www-form-urlencoded";

/// Nothing for us, or from where nothing is heard: silence.
fn ignored(chat: &Chat) -> StatusCode {
    chat.count(ChannelKind::Slack, ChatOutcome::Ignored);
    StatusCode::OK
}

/// All channels, by name.
type Channels = BTreeMap<ChannelName, Arc<Channel>>;

/// Those that take commands.
fn inbound(channels: &Channels) -> impl Iterator<Item = (&Arc<Channel>, &SlackInbound)> {
    channels.values().filter_map(|channel| match &channel.target {
        Target::Slack { inbound: Some(inbound), .. } => Some((channel, inbound)),
        _ => None,
    })
}

/// The signing secrets of all apps, each once.
fn secrets(channels: &Channels) -> Vec<&SecretString> {
    let mut secrets: Vec<&SecretString> = inbound(channels).map(|(_, inbound)| &inbound.signing_secret).collect();
    secrets.sort_by(|a, b| a.expose_secret().cmp(b.expose_secret()));
    secrets.dedup_by(|a, b| a.expose_secret() == b.expose_secret());
    secrets
}

/// The channels of a chat whose app signed a call from there.
fn rooms(channels: &Channels, secret: &SecretString, place: &Place) -> Vec<Arc<Channel>> {
    let is_meant = |inbound: &SlackInbound| {
        inbound.signing_secret.expose_secret() == secret.expose_secret() && place.is(&inbound.channel)
    };
    inbound(channels).filter(|(_, inbound)| is_meant(inbound)).map(|(channel, _)| Arc::clone(channel)).collect()
}

/// The one of a chat's channels in which somebody speaks: the first that they may command, else the first.
fn choose(rooms: &[Arc<Channel>], author: &Author) -> Option<Arc<Channel>> {
    rooms.iter().find(|channel| channel.allow.holds(&author.id)).or(rooms.first()).cloned()
}

/// Where the answer goes that a call asks for, by its own word.
fn address(text: Option<String>, channel: &Channel) -> Option<Address> {
    let Target::Slack { api_url, .. } = &channel.target else { return None };
    text.and_then(|text| Address::of(&text, api_url))
}

fn json(message: &Value) -> Response {
    Response::builder().content_type("application/json; charset=utf-8").body(message.to_string())
}

#[cfg(test)]
mod tests;
