//! One bot, asked for its updates for as long as it is to be: long questions, one after the other.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::api::{Bot, SOON, Trouble};
use super::bots::Mode;
use super::mood::{Line, Mood};
use super::say;
use super::take::{Arrival, GAP, Taken, take_in};
use super::wire::{self, Update};
use crate::chat::Chat;
use crate::model::{Language, Timestamp};

/// How long Telegram keeps a question open, and how long its answer may take then.
const OPEN: Duration = Duration::from_secs(25);
const PATIENCE: Duration = Duration::from_secs(40);

/// Updates in one answer at most.
const MOST: usize = 50;

/// What was there when it was asked for comes at once; what comes later has just happened.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Looks after a bot until `stop`.
pub(super) async fn tend(chat: Arc<Chat>, bot: Bot, mode: Mode, stop: CancellationToken) {
    let work = async {
        let me = insist(&chat, &bot, "getMe", &json!({})).await;
        let name = serde_json::from_str::<Me>(me.get()).map(|me| me.username).unwrap_or_default();
        chat.telegram.is_called(&bot.id, &name);
        for language in Language::ALL {
            let menu = bot.call(&chat.http, "setMyCommands", &say::menu(language), SOON).await;
            if let Err(trouble) = menu {
                tracing::warn!(bot = &*bot.id, %trouble, "the menu of commands could not be set");
            }
        }
        match mode {
            Mode::Poll => ask(&chat, &bot, &name, &stop).await,
            Mode::Webhook { url: Some(url), secret } => {
                insist(&chat, &bot, "setWebhook", &say::webhook(&url, &secret)).await;
                tracing::info!(bot = &*bot.id, "Telegram brings commands to public_url");
            }
            Mode::Webhook { url: None, .. } => {}
        }
    };
    stop.run_until_cancelled(work).await;
}

#[derive(Deserialize)]
struct Me {
    username: String,
}

/// Makes a call until it goes through.
async fn insist(chat: &Chat, bot: &Bot, method: &str, body: &Value) -> Box<serde_json::value::RawValue> {
    let mut mood = Mood::default();
    loop {
        match bot.call(&chat.http, method, body, SOON).await {
            Ok(result) => return result,
            Err(trouble) => pause(chat, bot, &mut mood, &trouble).await,
        }
    }
}

async fn pause(chat: &Chat, bot: &Bot, mood: &mut Mood, trouble: &Trouble) {
    let (line, pause) = mood.trouble(trouble, chat.clock.steady(), fastrand::f64());
    if let Some(Line::Deaf(kind)) = line {
        tracing::warn!(bot = &*bot.id, %trouble, "commands are not heard from Telegram: {}", kind.advice());
    }
    tokio::time::sleep(pause).await;
}

/// Asks, and takes in what comes. What was followed is on record, so the next start does not follow it again even if
/// Telegram was not told any more that it came.
async fn ask(chat: &Arc<Chat>, bot: &Bot, me: &str, stop: &CancellationToken) {
    let (mut mood, mut next): (Mood, Option<i64>) = (Mood::default(), None);
    let mut heard_at: Option<Timestamp> = None;
    loop {
        // Without a number, Telegram gives all that it was not told to forget: its numbers may begin anew.
        let mut body = json!({ "timeout": OPEN.as_secs(), "limit": MOST, "allowed_updates": wire::KINDS });
        if let Some(next) = next {
            body["offset"] = json!(next);
        }
        let asked_at = chat.clock.steady();
        let updates = match bot.call(&chat.http, "getUpdates", &body, PATIENCE).await.map(|list| read(&list)) {
            Ok(Ok(updates)) => updates,
            Ok(Err(trouble)) | Err(trouble) => {
                pause(chat, bot, &mut mood, &trouble).await;
                continue;
            }
        };
        if let Some(Line::Well) = mood.well(chat.clock.steady()) {
            tracing::info!(bot = &*bot.id, "commands are heard from Telegram again");
        }
        let answered_at = chat.clock.steady();
        let is_late = heard_at.is_none_or(|at| asked_at.since(at) > GAP) && answered_at.since(asked_at) < AT_ONCE;
        // What filled the answer has piled up; more of it may come.
        let is_all = !is_late || updates.len() < MOST;
        let arrival = if is_late { Arrival::Belated } else { Arrival::Prompt };
        next = updates.iter().map(|update| update.id + 1).max();
        match take_all(chat, bot, me, (updates, arrival), stop).await {
            Taken::Done if is_all => heard_at = Some(answered_at),
            Taken::Done => {}
            // It comes again as late as it came now.
            Taken::NotNow(pause) => {
                next = None;
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Takes updates in, in order, as far as none has to come again.
async fn take_all(
    chat: &Arc<Chat>,
    bot: &Bot,
    me: &str,
    (updates, arrival): (Vec<Update>, Arrival),
    stop: &CancellationToken,
) -> Taken {
    for update in updates {
        if stop.is_cancelled() {
            return Taken::NotNow(Duration::ZERO);
        }
        if let Taken::NotNow(pause) = take_in(chat, bot, Some(me), update, arrival).await {
            return Taken::NotNow(pause);
        }
    }
    Taken::Done
}

/// The updates of an answer; one without any number in it could never be acknowledged.
fn read(list: &serde_json::value::RawValue) -> Result<Vec<Update>, Trouble> {
    let unreadable = || Trouble::Unknown("updates that can't be read".to_owned());
    let updates = wire::updates(list.get()).ok_or_else(unreadable)?;
    match updates.is_empty() && !matches!(list.get().trim(), "[]") && list.get().contains('{') {
        true => Err(unreadable()),
        false => Ok(updates),
    }
}
