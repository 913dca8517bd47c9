//! What pushwatch has to say about itself: a test, a channel that fails, rules that were refused, a time without ears.

use serde::{Deserialize, Serialize};

use super::{ChannelName, Timestamp};

/// A message about pushwatch itself. Stored: append variants only, never reorder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}
