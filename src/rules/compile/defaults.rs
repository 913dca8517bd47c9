//! `defaults`, and the keys that rules share with it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::{Known, SEVERITIES, labels, notify};
use crate::model::{ChannelName, Labels, Severity};
use crate::rules::TimeInterval;
use crate::rules::compiled::{GroupBy, RateLimit};
use crate::rules::diagnostic::{Mistakes, quote};
use crate::rules::document::{Kind, Node};
use crate::rules::duration::Bounds;
use crate::rules::reading::{self, Fields};
use crate::rules::shape;

/// What holds where a rule says nothing.
pub(super) struct Defaults {
    pub(super) notify: Vec<ChannelName>,
    /// Whether `notify` was written, be it with mistakes: then rules need none.
    pub(super) notify_written: bool,
    pub(super) severity: Option<Severity>,
    pub(super) pace: Pace,
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) group_by: GroupBy,
    /// `for`, of rules on what repeats.
    pub(super) lasting: Option<Duration>,
    /// Of rules on the end of a push.
    pub(super) grace: Option<Duration>,
    pub(super) active: Vec<Arc<TimeInterval>>,
    pub(super) labels: Labels,
    pub(super) annotations: Labels,
}

/// How a trouble ends and comes back.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub(super) resolve_after: Duration,
    pub(super) reopen_within: Duration,
    pub(super) repeat_interval: Duration,
}

/// Built in: the cloud itself waits 70 s before it calls a stream ended, hence 90 s.
const PACE: Pace = Pace {
    resolve_after: Duration::from_secs(90),
    reopen_within: Duration::from_secs(10 * 60),
    repeat_interval: Duration::from_secs(60 * 60),
};

/// Built in: three at once for a stream, then one in ten minutes.
const RATE_LIMIT: RateLimit = RateLimit { burst: NonZeroU32::MIN.saturating_add(2), every: Duration::from_secs(600) };

/// Compiles `defaults`.
pub(super) fn compile(top: &Fields<'_>, known: &Known, out: &mut Mistakes) -> Defaults {
    let mut defaults = Defaults {
        notify: Vec::new(),
        notify_written: false,
        severity: None,
        pace: PACE,
        rate_limit: Some(RATE_LIMIT),
        group_by: GroupBy::Stream,
        lasting: None,
        grace: None,
        active: Vec::new(),
        labels: Labels::default(),
        annotations: Labels::default(),
    };
    let Some(fields) = top.get("defaults").and_then(|node| reading::fields(node, &shape::DEFAULTS, out)) else {
        return defaults;
    };
    out.within(Some("`defaults`".to_owned()));
    defaults.notify_written = fields.key("notify").is_some();
    if let Some(node) = fields.get("notify") {
        defaults.notify = notify(node, &known.channels, out);
        if matches!(&node.kind, Kind::Seq(items) if items.is_empty()) && !known.has_routes {
            out.add_hinted(&node.span, "nobody would hear of anything", "name a channel, or write `routes`");
        }
    }
    if let Some(node) = fields.get("severity") {
        defaults.severity = reading::choice(node, "`severity`", &SEVERITIES, out);
    }
    defaults.pace = pace(&fields, PACE, out);
    if let Some(node) = fields.get("rate_limit") {
        defaults.rate_limit = rate_limit(node, out);
    }
    if let Some(node) = fields.get("group_by") {
        defaults.group_by = labels::group_by(node, &known.labels, out);
    }
    let mut wait = |key: &str, bounds: Bounds| {
        let node = fields.get(key)?;
        reading::duration(node, &format!("`{key}`"), bounds, out).filter(|wait| !wait.is_zero())
    };
    defaults.lasting = wait("for", Bounds::LASTING);
    defaults.grace = wait("grace", Bounds::GRACE);
    if let Some(node) = fields.get("active") {
        defaults.active = known.intervals.active(node, out);
    }
    defaults.labels = labels::labels(&fields, &Labels::default(), out);
    defaults.annotations = labels::annotations(&fields, &Labels::default(), out);
    out.within(None);
    defaults
}

/// The durations of a rule or of `defaults`, on top of those that hold otherwise.
pub(super) fn pace(fields: &Fields<'_>, base: Pace, out: &mut Mistakes) -> Pace {
    if let (Some(_), Some(synonym)) = (fields.key("resolve_after"), fields.key("keep_firing_for")) {
        out.add_hinted(synonym, "`keep_firing_for` and `resolve_after` are the same", "keep one of the two");
    }
    let read = |key: &str, bounds: Bounds, out: &mut Mistakes| {
        fields.get(key).and_then(|node| reading::duration(node, &format!("`{key}`"), bounds, out))
    };
    let resolve_after = read("resolve_after", Bounds::WAIT, out);
    let synonym = read("keep_firing_for", Bounds::WAIT, out);
    Pace {
        resolve_after: resolve_after.or(synonym).unwrap_or(base.resolve_after),
        reopen_within: read("reopen_within", Bounds::PAUSE, out).unwrap_or(base.reopen_within),
        repeat_interval: read("repeat_interval", Bounds::INTERVAL, out).unwrap_or(base.repeat_interval),
    }
}

/// A bucket, or `none`. What a bucket leaves out is as built in.
pub(super) fn rate_limit(node: &Node, out: &mut Mistakes) -> Option<RateLimit> {
    if let Kind::Text { text, written } = &node.kind {
        if !matches!(text.as_str(), "none" | "off" | "false") {
            let message = format!("`rate_limit` can't be {}", quote(written));
            out.add_hinted(&node.span, message, "write `{ burst: 3, every: 10m }`, or `none`");
        }
        return None;
    }
    let fields = reading::fields(node, &shape::RATE_LIMIT, out)?;
    let burst = fields.get("burst").and_then(|node| reading::integer(node, "`burst`", 1..=100_000, out));
    let every = fields.get("every").and_then(|node| reading::duration(node, "`every`", Bounds::INTERVAL, out));
    Some(RateLimit {
        burst: burst.and_then(|n| u32::try_from(n).ok()).and_then(NonZeroU32::new).unwrap_or(RATE_LIMIT.burst),
        every: every.unwrap_or(RATE_LIMIT.every),
    })
}
