//! Which bots are looked after: those of the rules in force. One that is no longer needed, or needed in another way, is
//! let go before another is taken up, so nobody asks twice for one bot.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::api::Bot;
use super::poll;
use crate::chat::Chat;
use crate::model::{Allow, Channel, Target};

/// How a bot's updates come.
#[derive(Clone, Debug)]
pub(super) enum Mode {
    /// They are asked for.
    Poll,
    /// They are brought.
    Webhook {
        /// Where to, if Telegram is to be told by us.
        url: Option<String>,
        /// What they show.
        secret: SecretString,
    },
}

impl Mode {
    fn is(&self, other: &Mode) -> bool {
        match (self, other) {
            (Mode::Poll, Mode::Poll) => true,
            (Mode::Webhook { url: one, secret: mine }, Mode::Webhook { url: another, secret: theirs }) => {
                one == another && mine.expose_secret() == theirs.expose_secret()
            }
            (Mode::Poll, Mode::Webhook { .. }) | (Mode::Webhook { .. }, Mode::Poll) => false,
        }
    }
}

/// A bot that is looked after.
struct Post {
    bot: Bot,
    mode: Mode,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Looks after the bots of the rules in force until `stop`.
pub(in crate::chat) async fn listen(chat: Arc<Chat>, stop: CancellationToken) {
    let mut changes = chat.rules.changes();
    let mut posts: Vec<Post> = Vec::new();
    loop {
        let wanted = wanted(chat.rules.current().channels.values().map(|channel| &**channel));
        let is_kept = |post: &Post| wanted.iter().any(|(bot, mode)| bot.is(&post.bot) && mode.is(&post.mode));
        let (kept, gone): (Vec<Post>, Vec<Post>) = posts.into_iter().partition(is_kept);
        posts = kept;
        for post in gone {
            post.stop.cancel();
            // It has nothing to say at its end.
            let _ = post.task.await;
        }
        for (bot, mode) in wanted {
            if !posts.iter().any(|post| post.bot.is(&bot)) {
                let stop = stop.child_token();
                let task = tokio::spawn(poll::tend(Arc::clone(&chat), bot.clone(), mode.clone(), stop.clone()));
                posts.push(Post { bot, mode, stop, task });
            }
        }
        if !matches!(stop.run_until_cancelled(changes.changed()).await, Some(Ok(()))) {
            break;
        }
    }
    chat.finish().await;
}

/// The bots to be looked after, each once, and how. Pure.
///
/// A bot is only asked for updates where a channel says who may command, be it nobody yet: whoever asks takes the
/// updates away from any other program that uses the same bot.
fn wanted<'c>(channels: impl Iterator<Item = &'c Channel> + Clone) -> Vec<(Bot, Mode)> {
    let mut bots: Vec<Bot> = Vec::new();
    for bot in channels.clone().filter_map(Bot::of) {
        if !bots.iter().any(|known| known.has_token_of(&bot)) {
            bots.push(bot);
        }
    }
    let mode = |bot: &Bot| {
        let own = channels.clone().filter(|channel| bot.speaks_in(channel));
        let brought = own.clone().filter_map(webhook);
        // The one of which Telegram is to be told, before others.
        let brought = brought.min_by_key(|(url, _)| url.is_none());
        match brought {
            Some((url, secret)) => Some(Mode::Webhook { url, secret }),
            None => own.clone().any(|channel| channel.allow != Allow::Nobody).then_some(Mode::Poll),
        }
    };
    bots.into_iter().filter_map(|bot| mode(&bot).map(|mode| (bot, mode))).collect()
}

fn webhook(channel: &Channel) -> Option<(Option<String>, SecretString)> {
    let Target::Telegram { webhook: Some(webhook), .. } = &channel.target else { return None };
    let url = webhook.public_url.as_ref().map(|base| format!("{base}/chat/telegram/{}", channel.name));
    Some((url, webhook.secret.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted_of(channels: &str) -> Vec<String> {
        let text = format!(
            "version: 1\ntencent: {{ allow_unsigned: true }}\nchannels: {{ c: {{ type: console }}, {channels} }}\n\
             defaults: {{ notify: [c] }}\nrules: [ {{ name: gop, on: push_error }} ]\n"
        );
        let rules = crate::rules::load(&text, "rules.yaml", &|_| None).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        let wanted = wanted(rules.channels.values().map(|channel| &**channel));
        let show = |(bot, mode): (Bot, Mode)| match mode {
            Mode::Poll => format!("{} asked", bot.id),
            Mode::Webhook { url, secret } => format!("{} brought {url:?} {}", bot.id, secret.expose_secret()),
        };
        wanted.into_iter().map(show).collect()
    }

    const A: &str = "type: telegram, token: '1:a', chat_id: -5";
    const B: &str = "type: telegram, token: '2:b', chat_id: -6";

    #[test]
    fn a_bot_is_asked_where_a_channel_says_who_may_be_it_nobody_yet() {
        assert_eq!(wanted_of(&format!("t: {{ {A} }}")), [""; 0]);
        assert_eq!(wanted_of(&format!("t: {{ {A}, allow: [] }}")), ["1 asked"]);
        assert_eq!(
            wanted_of(&format!("t: {{ {A}, allow: [7] }}, u: {{ {B}, allow: everyone }}")),
            ["1 asked", "2 asked"]
        );
        assert_eq!(wanted_of(&format!("t: {{ {A} }}, u: {{ {A}, allow: [7] }}, v: {{ {B} }}")), ["1 asked"], "once");
    }

    #[test]
    fn a_webhook_of_any_channel_is_the_bots_and_it_is_not_asked_then() {
        let secret = "webhook_secret: s1";
        assert_eq!(wanted_of(&format!("t: {{ {A}, {secret} }}, u: {{ {A}, allow: [7] }}")), ["1 brought None s1"]);
        let told = "webhook_secret: s2, public_url: 'https://p.example/'";
        assert_eq!(
            wanted_of(&format!("t: {{ {A}, {secret} }}, u: {{ {A}, {told} }}")),
            ["1 brought Some(\"https://p.example/chat/telegram/u\") s2"]
        );
    }
}
