//! A channel that refuses everything is parked: it is left alone but for a probe an hour, and its fallback is told
//! once. Pure; what it says is kept with the rows.

use serde::{Deserialize, Serialize};

use crate::model::{ChannelName, Keyed, Notice, Notification, Severity, Timestamp};

/// Its place among what a channel remembers.
const KIND: &str = "parked";

/// Since when, why, and who knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Parked {
    since: Timestamp,
    /// What the chat said; holds no secret.
    why: String,
    /// The fallback that was told.
    told: Option<ChannelName>,
}

/// Whether a channel is parked.
#[derive(Debug)]
pub(crate) struct Park {
    channel: ChannelName,
    fallback: Option<ChannelName>,
    parked: Option<Parked>,
}

/// What is to be kept, and what somebody is owed.
#[derive(Debug, PartialEq)]
pub(crate) struct Word {
    pub(crate) keyed: Keyed,
    pub(crate) owed: Option<Notification>,
}

impl Park {
    /// As it was when the channel stopped.
    pub(crate) fn open(
        channel: ChannelName,
        fallback: Option<ChannelName>,
        keyed: &[(String, String, String)],
    ) -> Park {
        let kept = keyed.iter().find(|(kind, ..)| kind == KIND);
        // What can't be read is of another version: the chat will say it again.
        let parked = kept.and_then(|(.., value)| serde_json::from_str(value).ok());
        Park { channel, fallback, parked }
    }

    /// The chat refuses everything; so many rows wait.
    pub(crate) fn refused(&mut self, why: &str, waiting: usize, now: Timestamp) -> Option<Word> {
        let before = self.parked.take();
        let (since, knows) = match &before {
            Some(before) => (before.since, before.told.clone()),
            None => (now, None),
        };
        let parked = Parked { since, why: why.to_owned(), told: self.fallback.clone() };
        let is_news = before.as_ref() != Some(&parked);
        let keyed = keyed(Some(&parked));
        self.parked = Some(parked);
        let owed = self.fallback.clone().filter(|fallback| knows.as_ref() != Some(fallback)).map(|fallback| {
            let waiting = u64::try_from(waiting).unwrap_or(u64::MAX);
            let notice = Notice::ChannelFailing { channel: self.channel.clone(), error: why.to_owned(), waiting };
            Notification::of_notice(fallback, notice, Severity::Critical, now)
        });
        is_news.then_some(Word { keyed, owed })
    }

    /// The chat took a message.
    pub(crate) fn well(&mut self, now: Timestamp) -> Option<Word> {
        let parked = self.parked.take()?;
        let owed = parked.told.map(|told| {
            let notice = Notice::ChannelRecovered { channel: self.channel.clone() };
            Notification::of_notice(told, notice, Severity::Info, now)
        });
        Some(Word { keyed: keyed(None), owed })
    }

    /// What operators should know; `None` where all is well.
    pub(crate) fn shown(&self) -> Option<String> {
        let parked = self.parked.as_ref()?;
        Some(format!("refuses every message since {}: {}", parked.since, parked.why))
    }
}

fn keyed(parked: Option<&Parked>) -> Keyed {
    // Our own words always have a JSON form.
    let value = parked.and_then(|parked| serde_json::to_string(parked).ok());
    Keyed { kind: KIND, key: String::new(), value }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn park(fallback: Option<&str>, kept: Option<&Keyed>) -> Park {
        let keyed = kept.and_then(|kept| Some((kept.kind.to_owned(), kept.key.clone(), kept.value.clone()?)));
        Park::open(ChannelName::new("ops"), fallback.map(ChannelName::new), keyed.as_slice())
    }

    fn to(word: &Word) -> Option<&str> {
        word.owed.as_ref().map(|owed| owed.channel.as_str())
    }

    #[test]
    fn the_fallback_is_told_once_whatever_happens_in_between_and_again_when_it_is_over() {
        let mut ops = park(Some("oncall"), None);
        let word = ops.refused("Slack says is_archived", 3, NOW).unwrap();
        assert_eq!(to(&word), Some("oncall"));
        assert!(ops.shown().unwrap().ends_with("Slack says is_archived"));
        assert_eq!(ops.refused("Slack says is_archived", 4, NOW), None, "nothing new");
        let mut restarted = park(Some("oncall"), Some(&word.keyed));
        let other = restarted.refused("Slack says channel_not_found", 4, NOW).unwrap();
        assert_eq!(to(&other), None, "it says something else, and that is kept");
        let mut restarted = park(Some("oncall"), Some(&other.keyed));
        let well = restarted.well(NOW).unwrap();
        assert_eq!((to(&well), well.keyed.value.as_deref()), (Some("oncall"), None));
        assert!(restarted.shown().is_none() && restarted.well(NOW).is_none());
    }

    #[test]
    fn another_fallback_is_told_anew_and_without_one_nobody_is() {
        let mut ops = park(None, None);
        let word = ops.refused("no", 0, NOW).unwrap();
        assert_eq!(to(&word), None);
        let mut reloaded = park(Some("oncall"), Some(&word.keyed));
        assert_eq!(to(&reloaded.refused("no", 0, NOW).unwrap()), Some("oncall"));
        let mut ops = park(None, None);
        ops.refused("no", 0, NOW);
        assert_eq!(to(&ops.well(NOW).unwrap()), None, "who was not told of it is not told of its end");
    }
}
