//! What is for us, and from which channel. Pure.

use std::sync::Arc;
use std::time::Duration;

use super::wire::{Order, Spot, Topic};
use crate::chat::Author;
use crate::command::Verb;
use crate::model::{Channel, Target, Timestamp};

/// What was written longer ago than this is no longer followed: a mute from yesterday is not today's wish.
const STALE: Duration = Duration::from_secs(5 * 60);

/// The line to follow; `None` if it is not for us. `me` is our bot's name.
///
/// A group may have several bots: a word that is none of our commands is only ours if it names us.
pub(super) fn line(order: &Order, me: &str, is_private: bool) -> Option<String> {
    let is_ours = match &order.bot {
        Some(bot) if !bot.eq_ignore_ascii_case(me) => return None,
        Some(_) => true,
        None => is_private,
    };
    let is_known = Verb::of(&order.word).is_some() || order.word.eq_ignore_ascii_case("pushwatch");
    match &*order.word {
        // What follows it comes from a link, not from a person.
        word if word.eq_ignore_ascii_case("start") => Some("help".to_owned()),
        "" if is_ours => Some(order.rest.clone()),
        word if is_known || is_ours => Some(format!("{word} {}", order.rest).trim_end().to_owned()),
        _ => None,
    }
}

/// Whether a channel tells this part of a chat; `home` is where its chat is now.
pub(super) fn is_at(channel: &Channel, home: i64, spot: Spot) -> bool {
    let Target::Telegram { thread_id, .. } = &channel.target else { return false };
    home == spot.chat
        && match (thread_id, spot.topic) {
            (None, _) | (Some(_), Topic::Unknown) => true,
            (Some(thread), Topic::Thread(topic)) => *thread == topic,
            (Some(_), Topic::Main) => false,
        }
}

/// The topic that an answer to somebody in a channel goes to.
pub(super) fn thread(channel: &Channel, spot: Spot) -> Option<i64> {
    match (spot.topic, &channel.target) {
        (Topic::Thread(thread), _) => Some(thread),
        (Topic::Unknown, Target::Telegram { thread_id, .. }) => *thread_id,
        (Topic::Unknown | Topic::Main, _) => None,
    }
}

/// In which of the channels that tell a part of a chat somebody speaks: one that tells no more than this part before
/// others, one that lets them before others, and then by name.
pub(super) fn choose(channels: &[Arc<Channel>], author: &Author) -> Option<Arc<Channel>> {
    let rank = |channel: &&Arc<Channel>| {
        let is_wide = matches!(channel.target, Target::Telegram { thread_id: None, .. });
        (!channel.allow.holds(&author.id), is_wide, channel.name.clone())
    };
    channels.iter().min_by_key(rank).cloned()
}

/// How long ago it was written, if that is too long; `now` by the wall clock.
pub(super) fn stale(at: Timestamp, now: Timestamp) -> Option<Duration> {
    let age = now.since(at);
    (age > STALE).then_some(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(word: &str, bot: Option<&str>, rest: &str) -> Order {
        Order { word: word.into(), bot: bot.map(Into::into), rest: rest.into() }
    }

    #[test]
    fn our_commands_are_ours_unless_they_name_another_bot() {
        let group = |word, bot| line(&order(word, bot, "cam1 1h"), "Alert_bot", false);
        assert_eq!(group("mute", None).as_deref(), Some("mute cam1 1h"));
        assert_eq!(group("MUTE", Some("alert_BOT")).as_deref(), Some("MUTE cam1 1h"));
        assert_eq!(group("mute", Some("other_bot")), None);
        assert_eq!(group("pushwatch", None).as_deref(), Some("pushwatch cam1 1h"));
    }

    #[test]
    fn a_word_that_is_none_of_ours_is_left_to_other_bots_unless_it_names_us() {
        assert_eq!(line(&order("weather", None, ""), "alert_bot", false), None);
        assert!(line(&order("weather", Some("alert_bot"), ""), "alert_bot", false).is_some());
        assert!(line(&order("weather", None, ""), "alert_bot", true).is_some());
        assert_eq!(line(&order("weather", Some("other_bot"), ""), "alert_bot", true), None);
    }

    #[test]
    fn start_is_a_cry_for_help_whatever_link_it_comes_from() {
        for bot in [None, Some("alert_bot")] {
            assert_eq!(line(&order("start", bot, "x-payload"), "alert_bot", false).as_deref(), Some("help"));
        }
    }

    #[test]
    fn alone_with_us_a_slash_is_not_needed() {
        assert_eq!(line(&order("", None, "静音 cam1 1h"), "alert_bot", true).as_deref(), Some("静音 cam1 1h"));
    }

    #[test]
    fn what_is_older_than_five_minutes_is_stale_and_what_comes_from_the_future_is_not() {
        let now = Timestamp(1_700_000_000_000);
        assert_eq!(stale(now - Duration::from_secs(300), now), None);
        assert_eq!(stale(now - Duration::from_secs(301), now), Some(Duration::from_secs(301)));
        assert_eq!(stale(now + Duration::from_secs(60), now), None);
    }
}
