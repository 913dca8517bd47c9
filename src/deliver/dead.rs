//! What was given up: how many rows, and the word about them, at most once a day. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::retry::DAY;
use crate::model::{ChannelName, Keyed, Notice, Notification, Severity, Timestamp};

/// Its place among what a channel remembers.
const KIND: &str = "dead_word";

/// The word waits for so long after the first: what is given up is rarely given up alone.
const GATHER: Duration = Duration::from_secs(60);

/// What is yet to be said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Unsaid {
    /// Rows given up since the last word.
    count: u64,
    /// When the first of them was.
    first: Timestamp,
    /// The last word.
    said_at: Option<Timestamp>,
}

/// A channel's dead letters.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    channel: ChannelName,
    hearers: Vec<ChannelName>,
    unsaid: Unsaid,
}

impl DeadLetters {
    /// As it was when the channel stopped.
    pub(crate) fn open(
        channel: ChannelName,
        hearers: Vec<ChannelName>,
        keyed: &[(String, String, String)],
    ) -> DeadLetters {
        let kept = keyed.iter().find(|(kind, ..)| kind == KIND);
        let unsaid = kept.and_then(|(.., value)| serde_json::from_str(value).ok()).unwrap_or_default();
        DeadLetters { channel, hearers, unsaid }
    }

    /// So many rows were given up now: what is to be kept of that.
    pub(crate) fn died(&mut self, count: usize, now: Timestamp) -> Option<Keyed> {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        if count == 0 || self.hearers.is_empty() {
            return None;
        }
        if self.unsaid.count == 0 {
            self.unsaid.first = now;
        }
        self.unsaid.count = self.unsaid.count.saturating_add(count);
        Some(self.kept())
    }

    /// When the word is due, if there is any.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        let Unsaid { count, first, said_at } = self.unsaid;
        let next = said_at.map_or(first, |said| said + DAY);
        (count > 0 && !self.hearers.is_empty()).then(|| next.max(first + GATHER))
    }

    /// The word, if it is due, and what is to be kept.
    pub(crate) fn say(&mut self, now: Timestamp) -> Option<(Keyed, Vec<Notification>)> {
        self.due().filter(|due| *due <= now)?;
        let count = self.unsaid.count;
        self.unsaid = Unsaid { count: 0, first: now, said_at: Some(now) };
        let word = |hearer: &ChannelName| {
            let notice = Notice::DeadLetters { channel: self.channel.clone(), count };
            Notification::of_notice(hearer.clone(), notice, Severity::Warning, now)
        };
        Some((self.kept(), self.hearers.iter().map(word).collect()))
    }

    fn kept(&self) -> Keyed {
        // Our own words always have a JSON form.
        Keyed { kind: KIND, key: String::new(), value: serde_json::to_string(&self.unsaid).ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn letters(hearers: &[&str], kept: Option<&Keyed>) -> DeadLetters {
        let keyed = kept.and_then(|kept| Some((kept.kind.to_owned(), kept.key.clone(), kept.value.clone()?)));
        let hearers = hearers.iter().map(|name| ChannelName::new(name)).collect();
        DeadLetters::open(ChannelName::new("ops"), hearers, keyed.as_slice())
    }

    fn said(count: u64) -> Notice {
        Notice::DeadLetters { channel: ChannelName::new("ops"), count }
    }

    #[test]
    fn what_dies_together_is_one_word_and_the_next_comes_a_day_later() {
        let mut ops = letters(&["oncall", "mail"], None);
        assert_eq!(ops.due(), None);
        ops.died(2, NOW).unwrap();
        let kept = ops.died(3, NOW + Duration::from_secs(30)).unwrap();
        let mut ops = letters(&["oncall", "mail"], Some(&kept));
        assert_eq!(ops.due(), Some(NOW + GATHER));
        assert!(ops.say(NOW + Duration::from_secs(59)).is_none());
        let (kept, owed) = ops.say(NOW + GATHER).unwrap();
        let wanted = |name| Notification::of_notice(ChannelName::new(name), said(5), Severity::Warning, NOW + GATHER);
        assert_eq!(owed, [wanted("oncall"), wanted("mail")]);
        let mut ops = letters(&["oncall"], Some(&kept));
        ops.died(1, NOW + GATHER * 2);
        assert_eq!(ops.due(), Some(NOW + GATHER + DAY), "at most one a day, over restarts too");
        ops.died(1, NOW + DAY);
        assert_eq!(ops.say(NOW + GATHER + DAY).unwrap().1.len(), 1);
        assert_eq!(ops.due(), None);
    }

    #[test]
    fn without_anybody_to_hear_it_nothing_is_kept() {
        let mut ops = letters(&[], None);
        assert_eq!((ops.died(3, NOW), ops.due()), (None, None));
    }
}
