//! What pushwatch has to say about itself: a test, a channel that fails, rules that were refused, a time without ears,
//! a mute that ends.

use serde::{Deserialize, Serialize};

use super::{ChannelName, Missed, Mute, Timestamp};

/// Lines of mistakes kept; a chat shows eight at most.
const MOST_PROBLEMS: usize = 20;

/// Characters kept of each foreign text; a chat shows 300 at most.
const MOST_CHARACTERS: usize = 400;

/// A message about pushwatch itself. Stored: append variants only, never reorder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Notice {
    /// `pushwatch notify CHANNEL`: does this channel work?
    Test {
        /// The channel under test.
        channel: ChannelName,
    },
    /// Another channel can't be reached; told to its fallback.
    ChannelFailing {
        /// Which.
        channel: ChannelName,
        /// What its chat said; holds no secret.
        error: String,
        /// Notifications that wait for it.
        waiting: u64,
    },
    /// Another channel works again.
    ChannelRecovered {
        /// Which.
        channel: ChannelName,
    },
    /// A changed `rules.yaml` or template was refused; the old set stays in force.
    RulesRefused {
        /// The mistakes, one a line.
        problems: Vec<String>,
    },
    /// `rules.yaml` is broken at start; the last good text runs.
    LastGoodRules {
        /// The mistakes, one a line.
        problems: Vec<String>,
    },
    /// Callbacks could not be taken from `from` to `to`.
    Deaf {
        /// Last moment that callbacks were taken.
        from: Timestamp,
        /// When they were taken again.
        to: Timestamp,
    },
    /// Notifications were given up.
    DeadLetters {
        /// The channel they were for.
        channel: ChannelName,
        /// How many.
        count: u64,
    },
    /// Push errors come, but no begin or end of any push: those callbacks are not subscribed.
    OnlyPushErrors {
        /// Push errors taken so far.
        reports: u64,
    },
    /// Callbacks come late: half of them later than this.
    LateCallbacks {
        /// The median of received minus happened, ms.
        median: u64,
    },
    /// A mute that a person set ends soon.
    MuteEnds {
        /// The mute as it is.
        mute: Box<Mute>,
        /// Troubles that fire under it now, as far as they concern the channel.
        firing: u64,
    },
    /// A mute is over, and what it kept from the channel is told. The engine's word alone: never journaled.
    MuteOver(Box<Missed>),
}

impl Notice {
    /// The same, its foreign words cut to what a chat could show of them: it waits in memory and on disk.
    #[must_use]
    pub fn bounded(mut self) -> Notice {
        match &mut self {
            Notice::ChannelFailing { error, .. } => cut(error),
            Notice::RulesRefused { problems } | Notice::LastGoodRules { problems } => {
                if problems.len() > MOST_PROBLEMS {
                    let more = problems.len() - (MOST_PROBLEMS - 1);
                    problems.truncate(MOST_PROBLEMS - 1);
                    problems.push(format!("… {more} more"));
                }
                problems.iter_mut().for_each(cut);
                problems.shrink_to_fit();
            }
            Notice::MuteEnds { mute, .. } => mute.reason = short(&mute.reason),
            Notice::MuteOver(missed) => missed.reason = short(&missed.reason),
            Notice::Test { .. }
            | Notice::ChannelRecovered { .. }
            | Notice::Deaf { .. }
            | Notice::DeadLetters { .. }
            | Notice::OnlyPushErrors { .. }
            | Notice::LateCallbacks { .. } => {}
        }
        self
    }
}

fn short(text: &str) -> Box<str> {
    let mut text = text.to_owned();
    cut(&mut text);
    text.into()
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MOST_CHARACTERS) {
        text.truncate(end);
        text.push('…');
        text.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_of_any_length_is_cut_and_says_so() {
        let problems: Vec<String> = (0..80).map(|line| format!("{line} {}", "流".repeat(2_000))).collect();
        let Notice::RulesRefused { problems } = (Notice::RulesRefused { problems }).bounded() else { panic!() };
        assert_eq!((problems.len(), problems[19].as_str()), (20, "… 61 more"));
        assert!(problems[..19].iter().all(|one| one.chars().count() == MOST_CHARACTERS + 1 && one.ends_with('…')));
        let few = Notice::LastGoodRules { problems: vec!["rules.yaml:1:1: no".to_owned(); MOST_PROBLEMS] };
        assert_eq!(few.clone().bounded(), few);
    }
}
