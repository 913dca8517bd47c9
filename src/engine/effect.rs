//! What the engine decided, in words that tests, logs and backtests share. Plain data.

use std::sync::Arc;

use crate::model::{Cause, ChannelName, GroupId, IncidentId, Key, News, Severity, Timestamp};

/// What happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    /// It opened.
    Opened,
    /// It came back within `reopen_within`.
    Reopened,
    /// It grew worse.
    Escalated,
    /// It goes on, and people are reminded.
    Repeated,
    /// It is over.
    Resolved(Cause),
    /// People were not notified: the rate limit holds the news back until a token frees.
    Suppressed,
    /// The rate limit lets the held news go.
    Released,
}

impl Transition {
    /// What it is to those who are notified of it.
    pub(super) fn news(self) -> News {
        match self {
            Transition::Opened => News::Opened,
            Transition::Reopened => News::Reopened,
            Transition::Escalated => News::Escalated,
            Transition::Repeated => News::Repeated,
            Transition::Resolved(_) => News::Resolved,
            Transition::Suppressed | Transition::Released => News::Released,
        }
    }
}

/// One decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// When (the engine's time).
    pub at: Timestamp,
    /// What.
    pub is: Transition,
    /// Which incident.
    pub incident: IncidentId,
    /// The group whose message tells it.
    pub group: GroupId,
    /// By which rule.
    pub rule: Arc<str>,
    /// About what.
    pub key: Key,
    /// How bad.
    pub severity: Severity,
    /// The channels in which people are notified of it.
    pub notify: Vec<ChannelName>,
}
