//! The compiled rules: what the engine judges by. Pure.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Condition, Matchers, TimeInterval};
use crate::model::{AbnormalType, Catalogue, Channel, ChannelName, Door, EventKind, Labels, Noun, Scope, Severity};

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

impl Plan {
    /// The sum from which on it fires.
    #[must_use]
    pub fn lowest(&self) -> u64 {
        match self {
            Plan::Catalogue { count } => *count,
            Plan::Levels(levels) => levels.first().map_or(1, |(count, _)| *count),
        }
    }
}

/// One rule, compiled.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its identity.
    pub name: Arc<str>,
    /// The kind of event it listens to; for a rule on silence, the kind it misses.
    pub on: EventKind,
    /// `on: silence`: how long nothing may be heard of a key, after steady callbacks.
    pub silence: Option<Duration>,
    /// The abnormal types it counts, ascending; empty means all. Only for push errors.
    pub types: Vec<AbnormalType>,
    /// What else must hold.
    pub conditions: Vec<Condition>,
    /// What is judged as one, by a window and incidents of its own.
    pub per: Scope,
    /// What the threshold is about.
    pub measure: Measure,
    /// Width of the sliding window; `None` where a single report is enough.
    pub within: Option<Duration>,
    /// When it fires and how bad it is.
    pub plan: Plan,
    /// `for`: how long reports must go on meeting the threshold before it fires.
    pub lasting: Option<Duration>,
    /// For states such as a push's end: how long to wait for a reconnect before it fires.
    pub grace: Option<Duration>,
    /// Quiet time after which a trouble is over.
    pub resolve_after: Duration,
    /// How long after its end a trouble that comes back is the same incident.
    pub reopen_within: Duration,
    /// How often people are reminded while it fires.
    pub repeat_interval: Duration,
    /// A bucket per key for this rule alone, besides the one over all rules.
    pub rate_limit: Option<RateLimit>,
    /// Channels that hear of it; without a word, those of `routes` or of `defaults`.
    pub notify: Option<Vec<ChannelName>>,
    /// Own labels: for routes, mutes and `group_by`.
    pub labels: Labels,
    /// Own words for the message.
    pub annotations: Labels,
    /// Which incidents share a message.
    pub group_by: GroupBy,
    /// Rules whose incidents are part of this one's, where its key contains theirs.
    pub inhibits: Vec<Arc<str>>,
    /// When it may open something; empty means always.
    pub active: Vec<Arc<TimeInterval>>,
}

/// What is counted against a threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// The sum of the matching entries' counts.
    #[default]
    Count,
    /// Callbacks that match.
    Reports,
    /// Different values of this.
    Distinct(Noun),
}

/// Which incidents share a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GroupBy {
    /// `[stream]`: those of one stream; an incident of something wider stands alone.
    #[default]
    Stream,
    /// Those with the same values of these labels.
    Labels(Vec<Box<str>>),
}

/// One of `routes`.
#[derive(Clone, Debug)]
pub struct Route {
    /// Which incidents.
    pub matchers: Matchers,
    /// Who hears of them.
    pub notify: Vec<ChannelName>,
    /// Whether the routes after it are asked too.
    pub goes_on: bool,
}

/// One of `mutes`: it stands in the file and can't be lifted from a chat.
#[derive(Clone, Debug)]
pub struct StandingMute {
    /// Which incidents.
    pub matchers: Matchers,
    /// When; empty means always.
    pub active: Vec<Arc<TimeInterval>>,
    /// Why.
    pub reason: String,
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
    /// Who hears of what no rule and no route sends elsewhere, and about pushwatch itself.
    pub notify: Vec<ChannelName>,
    /// Who hears of what, by its labels; asked in order for rules without a `notify`.
    pub routes: Vec<Route>,
    /// Mutes that stand in the file.
    pub mutes: Vec<StandingMute>,
}

impl RuleSet {
    /// The longest time over which any rule must look back: windows, silences and `for`. Zero without any.
    #[must_use]
    pub fn longest_window(&self) -> Duration {
        let spans = self.rules.iter().flat_map(|rule| [rule.within, rule.silence, rule.lasting]);
        spans.flatten().max().unwrap_or_default()
    }
}
