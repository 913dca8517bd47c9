//! The compiled rules: what the engine judges by. Pure.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::Condition;
use crate::model::{AbnormalType, Catalogue, Channel, ChannelName, Door, EventKind, Severity};

/// A token bucket: `burst` at once, one more every `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Tokens when full.
    pub burst: NonZeroU32,
    /// Time in which one token comes back.
    pub every: Duration,
}

/// From which sum on a rule fires, and how bad that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Fires at `count`; as severe as the worst of the matched types is by the catalogue.
    Catalogue {
        /// The firing threshold, at least 1.
        count: u64,
    },
    /// Levels by ascending sum, at least one; the first is the firing threshold.
    Levels(Vec<(u64, Severity)>),
}

/// One rule, compiled.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its identity.
    pub name: Arc<str>,
    /// The kind of event it listens to.
    pub on: EventKind,
    /// The abnormal types it counts, ascending; empty means all. Only for push errors.
    pub types: Vec<AbnormalType>,
    /// What else must hold.
    pub conditions: Vec<Condition>,
    /// Width of the sliding window; `None` where a single report is enough.
    pub within: Option<Duration>,
    /// When it fires and how bad it is.
    pub plan: Plan,
    /// For states such as a push's end: how long to wait for a reconnect before it fires.
    pub grace: Option<Duration>,
    /// Quiet time after which a trouble is over.
    pub resolve_after: Duration,
    /// How long after its end a trouble that comes back is the same incident.
    pub reopen_within: Duration,
    /// How often people are reminded while it fires.
    pub repeat_interval: Duration,
    /// A bucket per stream for this rule alone, besides the one over all rules.
    pub rate_limit: Option<RateLimit>,
    /// Channels that hear of it.
    pub notify: Vec<ChannelName>,
}

/// Everything `rules.yaml` says, compiled and checked.
#[derive(Clone, Debug)]
pub struct RuleSet {
    /// Hash of the text it was made from, hex.
    pub hash: String,
    /// The rules in the order of the file; disabled ones are left out.
    pub rules: Vec<Rule>,
    /// The channels by name.
    pub channels: BTreeMap<ChannelName, Arc<Channel>>,
    /// The callback door.
    pub door: Door,
    /// What to say about troubles.
    pub catalogue: Arc<Catalogue>,
    /// One bucket per stream over all rules; `None` for no limit.
    pub rate_limit: Option<RateLimit>,
    /// Zone for channels that name none.
    pub timezone: TimeZone,
    /// Channels that hear about pushwatch itself.
    pub notify: Vec<ChannelName>,
}
