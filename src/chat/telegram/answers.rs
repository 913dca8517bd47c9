//! Answers on their way out: within the chat's budget, for a bounded while, and not again and again.

use std::sync::Arc;
use std::time::Duration;

use super::api::{Bot, SOON, Trouble};
use super::decide;
use super::say::{self, Loudness};
use super::wire::Spot;
use crate::chat::{Answer, Chat};
use crate::model::{Channel, Timestamp};

/// Nobody waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls made for one answer at most: one more after Telegram asked to wait, or the chat moved.
const MOST_CALLS: u32 = 3;

/// Something to be said.
#[derive(Clone, Debug)]
pub(super) enum Say {
    /// Below a message, for all to read.
    Message {
        /// The channel whose chat it is.
        channel: Arc<Channel>,
        /// The message.
        to: Spot,
        /// What.
        answer: Answer,
    },
    /// To the one who clicked.
    Toast {
        /// The click.
        query: String,
        /// What; nothing only ends the waiting.
        text: String,
        /// How.
        loudness: Loudness,
    },
}

/// Sends it beside whatever else is done. Where too much is on its way already, it is left out, and the log says so.
pub(super) fn send_soon(chat: &Arc<Chat>, bot: &Bot, say: Say) {
    let Ok(permit) = Arc::clone(&chat.telegram.room).try_acquire_owned() else {
        tracing::warn!(bot = &*bot.id, "too many answers are on their way; one is left out");
        return;
    };
    let (shared, bot) = (Arc::clone(chat), bot.clone());
    chat.later.spawn(async move {
        let _permit = permit;
        match say {
            Say::Toast { query, text, loudness } => toast(&shared, &bot, &query, (&text, loudness)).await,
            Say::Message { channel, to, answer } => message(&shared, &bot, &channel, (to, &answer)).await,
        }
    });
}

/// A click's answer is none of the chat's messages and costs nothing of its budget.
async fn toast(chat: &Chat, bot: &Bot, query: &str, (text, loudness): (&str, Loudness)) {
    let body = say::toast(query, text, loudness);
    match bot.call(&chat.http, "answerCallbackQuery", &body, SOON).await {
        Ok(_) => {}
        // "query is too old": whoever clicked looks elsewhere by now.
        Err(Trouble::Refused { code: 400, .. }) => {}
        Err(trouble) => tracing::warn!(bot = &*bot.id, %trouble, "a click could not be answered"),
    }
}

async fn message(chat: &Chat, bot: &Bot, channel: &Channel, (to, answer): (Spot, &Answer)) {
    let deadline = chat.clock.steady() + PATIENCE;
    let mut place = to.chat;
    let mut why = "the chat's budget is spent".to_owned();
    for _ in 0..MOST_CALLS {
        if !wait_for_budget(chat, channel, deadline).await {
            break;
        }
        let body = say::message(place, decide::thread(channel, to), to, &answer.text, &answer.buttons);
        match bot.call(&chat.http, "sendMessage", &body, SOON).await {
            Ok(_) => return,
            Err(trouble) => {
                why = trouble.to_string();
                match trouble {
                    Trouble::Limited { after } => chat.telegram.delivery.hold(channel, after).await,
                    Trouble::Refused { moved: Some(new), .. } if new != place => {
                        chat.telegram.delivery.moved(channel, place, new).await;
                        place = new;
                    }
                    Trouble::Unreachable(_) => {}
                    // It may have been sent, or never will be.
                    Trouble::Unknown(_) | Trouble::Refused { .. } => break,
                }
            }
        }
    }
    tracing::warn!(channel = %channel.name, why, "an answer to a command was not sent; the command itself was dealt with");
}

/// Spends one call; `false` if that is not possible in time.
async fn wait_for_budget(chat: &Chat, channel: &Channel, deadline: Timestamp) -> bool {
    while let Err(until) = chat.telegram.delivery.spend(channel) {
        if until > deadline {
            return false;
        }
        let pause = until.since(chat.clock.steady()).max(Duration::from_millis(1));
        let stopped = chat.telegram.stopping.run_until_cancelled(tokio::time::sleep(pause)).await.is_none();
        if stopped {
            return false;
        }
    }
    true
}
