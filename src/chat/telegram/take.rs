//! One update's way: is it new, is it for us, in which channel, by whom; followed, put on record, answered.

use std::sync::Arc;
use std::time::Duration;

use super::answers::{self, Say};
use super::api::{Bot, SOON, Trouble};
use super::decide;
use super::say::{self, Loudness};
use super::seen::Known;
use super::wire::{Click, Said, Spot, Topic, Update, What};
use crate::chat::{Answer, Asked, Chat};
use crate::model::{Channel, ChannelKind, ChatOutcome, Press, Target, Verdict};

/// What stands before a command on Telegram.
const PREFIX: &str = "/";

/// Who was not heard for so long may have clicked long ago.
pub(super) const GAP: Duration = Duration::from_secs(60);

/// Whether a click may have been made long ago: Telegram does not say when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It comes as it was made.
    Prompt,
    /// It may have waited for us.
    Belated,
}

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It needs not come again.
    Done,
    /// It should come again after so long.
    NotNow(Duration),
}

/// After so long an update comes again that can't be taken in.
const PAUSE: Duration = Duration::from_secs(1);

/// Follows an update, once, and has it answered. `me` is the bot's name, if it is known. What was begun is brought to its
/// end even if the caller goes away.
pub(super) async fn take_in(chat: &Arc<Chat>, bot: &Bot, me: Option<&str>, update: Update, arrival: Arrival) -> Taken {
    let (shared, ours, me, id) = (Arc::clone(chat), bot.clone(), me.map(str::to_owned), update.id);
    let work = async move { take(&shared, &ours, me.as_deref(), update, arrival).await };
    match chat.later.spawn(work).await {
        Ok(taken) => taken,
        Err(error) => {
            // It would break off again, and whatever comes after it would wait for ever.
            tracing::error!(bot = &*bot.id, update = id, %error, "following a command broke off");
            put_on_record(chat, bot, id).await;
            Taken::Done
        }
    }
}

async fn take(chat: &Arc<Chat>, bot: &Bot, me: Option<&str>, update: Update, arrival: Arrival) -> Taken {
    let (telegram, id) = (&chat.telegram, update.id);
    if let (What::Said(Said { order, .. }), None) = (&update.what, me)
        && order.bot.is_some()
    {
        return Taken::NotNow(PAUSE);
    }
    match telegram.seen.begin(&bot.id, id).await {
        Ok(Known::New) => {}
        Ok(Known::Begun) => return Taken::NotNow(PAUSE),
        Ok(Known::Followed) => return Taken::Done,
        Err(error) => {
            tracing::warn!(bot = &*bot.id, %error, "it can't be looked up which commands were followed; trying again");
            return Taken::NotNow(PAUSE);
        }
    }
    let says = match update.what {
        What::Said(said) => hear(chat, bot, me.unwrap_or_default(), said).await,
        What::Clicked(click) => match press(chat, bot, click, arrival).await {
            Ok(says) => says,
            Err(NotKnown { pause }) => {
                telegram.seen.put_off(&bot.id, id).await;
                return Taken::NotNow(pause);
            }
        },
        What::Moved { from, to } => {
            for channel in rooms(chat, bot, Spot { chat: from, topic: Topic::Unknown, message: 0 }).await {
                telegram.delivery.moved(&channel, from, to).await;
            }
            Vec::new()
        }
        What::Nothing => {
            chat.count(ChannelKind::Telegram, ChatOutcome::Ignored);
            Vec::new()
        }
    };
    put_on_record(chat, bot, id).await;
    for say in says {
        answers::send_soon(chat, bot, say);
    }
    Taken::Done
}

async fn put_on_record(chat: &Chat, bot: &Bot, id: i64) {
    if let Err(error) = chat.telegram.seen.end(&bot.id, id).await {
        tracing::error!(
            bot = &*bot.id,
            %error,
            "a followed command is not on record: after a restart it may be followed again"
        );
    }
}

async fn hear(chat: &Arc<Chat>, bot: &Bot, me: &str, said: Said) -> Vec<Say> {
    let line = decide::line(&said.order, me, said.is_private);
    let channel = match &line {
        Some(_) => decide::choose(&rooms(chat, bot, said.spot).await, &said.author),
        None => None,
    };
    let (Some(line), Some(channel)) = (line, channel) else {
        chat.count(ChannelKind::Telegram, ChatOutcome::Ignored);
        return Vec::new();
    };
    let answer = match decide::stale(said.at, chat.clock.wall()) {
        None => chat.hear(&channel, &said.author, Asked::Line(&line), PREFIX).await,
        Some(age) => {
            let answer = chat.hear(&channel, &said.author, Asked::Late { line: &line, age }, PREFIX).await;
            // One word about all that has piled up.
            answer.filter(|_| chat.telegram.may_tell_of_delay(&channel.name, chat.clock.steady()))
        }
    };
    answer.map(|answer| Say::Message { channel, to: said.spot, answer }).into_iter().collect()
}

/// Whether a click is too old could not be found out; it may be tried again after a pause.
struct NotKnown {
    pause: Duration,
}

async fn press(chat: &Arc<Chat>, bot: &Bot, click: Click, arrival: Arrival) -> Result<Vec<Say>, NotKnown> {
    let Click { query, spot, author, press } = click;
    let rooms = rooms(chat, bot, spot).await;
    let rooms = match press {
        Some(press) => chat.meant(rooms, &author, press).await,
        None => rooms,
    };
    let Some(channel) = decide::choose(&rooms, &author) else {
        chat.count(ChannelKind::Telegram, ChatOutcome::Ignored);
        return Ok(Vec::new());
    };
    let quiet = |query| Say::Toast { query, text: String::new(), loudness: Loudness::Quiet };
    let Some(press) = press else {
        chat.count(ChannelKind::Telegram, ChatOutcome::Ignored);
        return Ok(vec![quiet(query)]);
    };
    // Whether a click that may have waited is old is known by whether Telegram still takes an answer to it.
    let is_answered = match arrival {
        Arrival::Prompt => false,
        Arrival::Belated => match close(chat, bot, &query).await {
            Ok(_) => true,
            Err(trouble @ Trouble::Refused { code: 400, .. }) => {
                tracing::info!(bot = &*bot.id, %trouble, "a click came too late to be followed");
                chat.count(ChannelKind::Telegram, ChatOutcome::Ignored);
                return Ok(Vec::new());
            }
            Err(trouble) => {
                tracing::warn!(bot = &*bot.id, %trouble, "it can't be told how old a click is; trying again");
                let pause = if let Trouble::Limited { after } = trouble { after } else { PAUSE };
                return Err(NotKnown { pause });
            }
        },
    };
    let answer = chat.hear(&channel, &author, Asked::Press(press), PREFIX).await;
    let Some(answer) = answer else {
        return Ok(if is_answered { Vec::new() } else { vec![quiet(query)] });
    };
    let first = answer.text.lines().next().unwrap_or_default().to_owned();
    let is_message = wants_message(press, &answer) || is_answered && answer.verdict != Verdict::Done;
    let toast = match (is_answered, answer.verdict) {
        (true, _) => None,
        (false, Verdict::Done) if is_message => Some(quiet(query)),
        (false, Verdict::Done | Verdict::Asked) => Some(Say::Toast { query, text: first, loudness: Loudness::Quiet }),
        (false, Verdict::Refused | Verdict::Failed) => {
            Some(Say::Toast { query, text: answer.text.clone(), loudness: Loudness::Loud })
        }
    };
    let message = is_message.then_some(Say::Message { channel, to: spot, answer });
    Ok(toast.into_iter().chain(message).collect())
}

/// Whether the answer to a click is for all to read: a mute and an acknowledgement show in the message itself.
fn wants_message(press: Press, answer: &Answer) -> bool {
    match (press, answer.verdict) {
        (_, Verdict::Refused | Verdict::Failed) => !say::fits_toast(&answer.text),
        (_, Verdict::Asked) => true,
        (Press::Details(_) | Press::Confirm(_), Verdict::Done) => true,
        (Press::Mute(_) | Press::Ack(_), Verdict::Done) => false,
    }
}

async fn close(chat: &Chat, bot: &Bot, query: &str) -> Result<(), Trouble> {
    let body = say::toast(query, "", Loudness::Quiet);
    bot.call(&chat.http, "answerCallbackQuery", &body, SOON).await.map(|_| ())
}

/// The bot's channels that tell this part of a chat, by the rules in force.
async fn rooms(chat: &Chat, bot: &Bot, spot: Spot) -> Vec<Arc<Channel>> {
    let rules = chat.rules.current();
    let mut found = Vec::new();
    for channel in rules.channels.values().filter(|channel| bot.speaks_in(channel)) {
        let Target::Telegram { chat_id, .. } = channel.target else { continue };
        // Only groups move.
        let home = match chat_id == spot.chat || chat_id > 0 || spot.chat > 0 {
            true => chat_id,
            false => chat.telegram.delivery.home(channel).await.unwrap_or(chat_id),
        };
        if decide::is_at(channel, home, spot) {
            found.push(Arc::clone(channel));
        }
    }
    found
}
