//! Updates that Telegram brings itself: `POST /chat/telegram/CHANNEL` with the channel's secret in a header.

use std::sync::Arc;
use std::time::Duration;

use poem::Response;
use poem::http::{StatusCode, header};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::api::Bot;
use super::take::{Arrival, GAP, Taken, take_in};
use super::wire::{self, What};
use crate::chat::Chat;
use crate::chat::door::{Call, within};
use crate::model::{Channel, ChannelKind, ChannelName, ChatOutcome, Target, Timestamp};

/// What Telegram shows in each call.
const SECRET: &str = "x-telegram-bot-api-secret-token";

/// Telegram waits about a minute for its answer; what takes longer goes on, and is asked for again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whatever waits for its answer longer comes again after so long.
const GOING_ON: Duration = Duration::from_secs(2);

/// For so long after we could not be reached, what comes may have waited: Telegram tries again within two minutes.
const CATCHING_UP: Duration = Duration::from_secs(180);

/// Time for asking Telegram whether it could reach us.
const LOOK: Duration = Duration::from_secs(3);

/// A call that was shown to come from Telegram, for this bot.
struct Verified(Bot);

impl Verified {
    /// Compares the secrets in constant time.
    fn check(channel: &Channel, call: &Call) -> Option<Verified> {
        let Target::Telegram { webhook: Some(webhook), .. } = &channel.target else { return None };
        let shown = call.header(SECRET)?.as_bytes();
        let is_it = bool::from(shown.ct_eq(webhook.secret.expose_secret().as_bytes()));
        if is_it { Bot::of(channel).map(Verified) } else { None }
    }
}

/// Whether Telegram brings updates for this channel.
pub(in crate::chat) fn is_there(chat: &Chat, channel: &str) -> bool {
    find(chat, channel).is_some()
}

fn find(chat: &Chat, channel: &str) -> Option<Arc<Channel>> {
    let found = chat.rules.current().channels.get(&ChannelName::new(channel)).cloned();
    found.filter(|channel| matches!(&channel.target, Target::Telegram { webhook: Some(_), .. }))
}

/// Takes an update in. 200 says that it need not come again.
pub(in crate::chat) async fn update(chat: &Arc<Chat>, channel: &str, call: &Call) -> Response {
    // It was there when the door was looked for.
    let Some(channel) = find(chat, channel) else { return StatusCode::NOT_FOUND.into() };
    let Some(Verified(bot)) = Verified::check(&channel, call) else {
        chat.count(ChannelKind::Telegram, ChatOutcome::Forged);
        return StatusCode::FORBIDDEN.into();
    };
    let Some(update) = wire::update(&call.body) else {
        // Telegram would bring it again and again.
        chat.count(ChannelKind::Telegram, ChatOutcome::Ignored);
        return StatusCode::OK.into();
    };
    let me = chat.telegram.name(&bot.id);
    let shared = Arc::clone(chat);
    let taken = within(PATIENCE, async move {
        let arrival = match update.what {
            What::Clicked(_) => arrival(&shared, &bot).await,
            // It says itself when it was, or needs no date.
            What::Said(_) | What::Moved { .. } | What::Nothing => Arrival::Prompt,
        };
        take_in(&shared, &bot, me.as_deref(), update, arrival).await
    });
    let pause = match taken.await {
        Ok(Taken::Done) => return StatusCode::OK.into(),
        Ok(Taken::NotNow(pause)) => pause,
        Err(_) => GOING_ON,
    };
    let seconds = pause.as_secs().to_string();
    Response::builder().status(StatusCode::SERVICE_UNAVAILABLE).header(header::RETRY_AFTER, seconds).finish()
}

/// Whether a click that is brought now may have waited: one that has was not to be brought shortly before.
async fn arrival(chat: &Chat, bot: &Bot) -> Arrival {
    let now = chat.clock.steady();
    if let Some(arrival) = chat.telegram.looked(&bot.id).holds(now) {
        return arrival;
    }
    let info = bot.call(&chat.http, "getWebhookInfo", &json!({}), LOOK).await;
    match info.map(|info| serde_json::from_str(info.get())) {
        Ok(Ok(Info { last_error_date })) => {
            let looked = Looked::new(now, last_error_date, chat.clock.wall());
            chat.telegram.looks(&bot.id, looked);
            looked.arrival
        }
        Ok(Err(_)) => Arrival::Belated,
        Err(trouble) => {
            tracing::warn!(bot = &*bot.id, %trouble, "it can't be looked up whether clicks came late");
            Arrival::Belated
        }
    }
}

#[derive(Deserialize)]
struct Info {
    /// When Telegram could not bring something last, in seconds since 1970.
    last_error_date: Option<i64>,
}

/// What Telegram said about how it could bring updates, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looked {
    at: Timestamp,
    arrival: Arrival,
}

impl Looked {
    /// At a start: what comes first has waited until then.
    pub(super) fn at_start(now: Timestamp) -> Looked {
        Looked { at: now, arrival: Arrival::Belated }
    }

    /// Telegram said that it could not bring something at `failed_at`, in seconds since 1970; `at` is steady time, `wall`
    /// what the wall clock shows then.
    fn new(at: Timestamp, failed_at: Option<i64>, wall: Timestamp) -> Looked {
        let failed = failed_at.map(|seconds| Timestamp(seconds.saturating_mul(1000)));
        let has_waited = failed.is_some_and(|failed| wall.since(failed) < CATCHING_UP);
        Looked { at, arrival: if has_waited { Arrival::Belated } else { Arrival::Prompt } }
    }

    /// What it says of clicks that come `now`, if it still says anything.
    fn holds(self, now: Timestamp) -> Option<Arrival> {
        let length = match self.arrival {
            Arrival::Belated => CATCHING_UP,
            Arrival::Prompt => GAP,
        };
        (now.since(self.at) < length).then_some(self.arrival)
    }
}
