//! Updates that Telegram brings itself: `POST /chat/telegram/CHANNEL` with the channel's secret in a header.

use std::sync::Arc;
use std::time::Duration;

use poem::Response;
use poem::http::{StatusCode, header};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use super::api::Bot;
use super::take::{Arrival, Taken, take_in};
use super::wire;
use crate::chat::Chat;
use crate::chat::door::{Call, within};
use crate::model::{Channel, ChannelKind, ChannelName, ChatOutcome, Target};

/// What Telegram shows in each call.
const SECRET: &str = "x-telegram-bot-api-secret-token";

/// Telegram waits about a minute for its answer; what takes longer goes on, and is asked for again.
const PATIENCE: Duration = Duration::from_secs(10);

/// For so long after the start, what comes may have waited for us: Telegram tries again within two minutes.
const CATCHING_UP: Duration = Duration::from_secs(180);

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
    let is_early = chat.clock.steady().since(chat.telegram.since) < CATCHING_UP;
    let arrival = if is_early { Arrival::Belated } else { Arrival::Prompt };
    let me = chat.telegram.name(&bot.id);
    let shared = Arc::clone(chat);
    let taken = within(PATIENCE, async move { take_in(&shared, &bot, me.as_deref(), update, arrival).await }).await;
    match taken {
        Ok(Taken::Done) => StatusCode::OK.into(),
        Ok(Taken::NotNow) | Err(_) => {
            Response::builder().status(StatusCode::SERVICE_UNAVAILABLE).header(header::RETRY_AFTER, "2").finish()
        }
    }
}
