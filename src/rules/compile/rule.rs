//! `rules`: what is trouble, from when on, and who hears of it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::conditions::Ground;
use super::defaults::{self, Defaults};
use super::door::event_kind;
use super::{Channels, SEVERITIES, abnormal_type, check_name, conditions, notify};
use crate::model::{AbnormalType, ChannelName, EventKind, Labels, Scope, Severity};
use crate::rules::compiled::{GroupBy, Measure, Plan, Rule};
use crate::rules::diagnostic::{Mistakes, nearest, quote};
use crate::rules::document::{Kind, Node};
use crate::rules::duration::Bounds;
use crate::rules::reading::{self, Fields};
use crate::rules::shape::{self, Since};

/// The widest window: the journal keeps 72 hours by default, and a window is rebuilt from the journal.
const WINDOW: Bounds = Bounds::secs(1, 72 * 60 * 60);

/// Highest count of a threshold: far above what any window holds, small enough for every sum.
const MAX_COUNT: i64 = 1_000_000_000;

/// Compiles all rules; disabled ones are checked like the others and left out.
pub(super) fn compile_all(
    top: &Fields<'_>,
    channels: &Channels,
    defaults: &Defaults,
    zone: &TimeZone,
    out: &mut Mistakes,
) -> Vec<Rule> {
    let Some(node) = top.get("rules") else {
        if top.key("rules").is_none() {
            out.add_hinted(
                top.at,
                "`rules` is missing: nothing would ever be told",
                "write `rules: []` if that is meant",
            );
        }
        return Vec::new();
    };
    let Kind::Seq(items) = &node.kind else {
        out.add_hinted(&node.span, "`rules` must be a list", "begin each rule with `- name:`");
        return Vec::new();
    };
    let mut rules = Vec::new();
    let mut names: HashMap<&str, usize> = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        out.within(Some(format!("rule {}", index + 1)));
        let Some(fields) = reading::fields(item, &shape::RULE, &mut Mistakes::default()) else {
            reading::fields(item, &shape::RULE, out);
            continue;
        };
        let name = name(&fields, out);
        if let Some((name, at)) = name {
            out.within(Some(format!("rule {}", quote(name))));
            if let Some(first) = names.insert(name, index) {
                out.add_hinted(at, "another rule has this name", format!("it is rule {} of the file", first + 1));
            }
        }
        // Again, now that the mistakes can name the rule.
        reading::fields(item, &shape::RULE, out);
        let enabled = fields.get("enabled").and_then(|node| reading::boolean(node, "`enabled`", out)).unwrap_or(true);
        let rule = rule(&fields, name.map(|(name, _)| name), channels, defaults, zone, out);
        rules.extend(rule.filter(|_| enabled));
    }
    out.within(None);
    rules
}

fn name<'n>(fields: &Fields<'n>, out: &mut Mistakes) -> Option<(&'n str, &'n Range<usize>)> {
    let Some(node) = fields.get("name") else {
        if fields.key("name").is_none() {
            out.add_hinted(fields.at, "`name` is missing", "a rule is known by its name");
        }
        return None;
    };
    let scalar = reading::scalar(node, "`name`", out)?;
    check_name(scalar.text, "`name`", scalar.span, out).then_some((scalar.text, scalar.span))
}

fn rule(
    fields: &Fields<'_>,
    name: Option<&str>,
    channels: &Channels,
    defaults: &Defaults,
    zone: &TimeZone,
    out: &mut Mistakes,
) -> Option<Rule> {
    let on = on(fields, out);
    let types = types(fields, on, out);
    let conditions = match (fields.get("where"), on) {
        (Some(node), Some(on)) => conditions::compile(node, &Ground { on, types: &types, zone }, out),
        _ => Vec::new(),
    };
    check_scope(fields, out);
    let threshold = threshold(fields, out);
    let plan = plan(fields, on, threshold, defaults, out);
    let grace = grace(fields, on, out);
    if on == Some(EventKind::PushEnd)
        && let Some(at) = fields.key("resolve_after").or(fields.key("keep_firing_for"))
    {
        let hint = "it is over when the stream is pushed again; remove the line";
        out.add_hinted(at, "a push that ended does not get well by silence", hint);
    }
    let pace = defaults::pace(fields, defaults.pace, out);
    let rate_limit = fields.get("rate_limit").and_then(|node| defaults::rate_limit(node, out));
    let notify = listeners(fields, channels, defaults, out);
    Some(Rule {
        name: Arc::from(name?),
        on: on?,
        silence: None,
        types,
        conditions,
        per: Scope::Stream,
        measure: Measure::Count,
        within: threshold.within,
        plan: plan?,
        lasting: None,
        grace,
        resolve_after: pace.resolve_after,
        reopen_within: pace.reopen_within,
        repeat_interval: pace.repeat_interval,
        rate_limit,
        notify: fields.key("notify").is_some().then_some(notify),
        labels: Labels::default(),
        annotations: Labels::default(),
        group_by: GroupBy::Stream,
        inhibits: Vec::new(),
        active: Vec::new(),
    })
}

fn on(fields: &Fields<'_>, out: &mut Mistakes) -> Option<EventKind> {
    let Some(node) = fields.get("on") else {
        if fields.key("on").is_none() {
            out.add_hinted(fields.at, "`on` is missing: which event?", "push errors are `on: push_error`");
        }
        return None;
    };
    let scalar = reading::scalar(node, "`on`", out)?;
    if scalar.text == "silence" {
        reading::not_yet(scalar.span, "silence", out);
        return None;
    }
    event_kind(scalar, out)
}

fn types(fields: &Fields<'_>, on: Option<EventKind>, out: &mut Mistakes) -> Vec<AbnormalType> {
    let Some(node) = fields.get("types") else { return Vec::new() };
    if let (Some(on), Some(at)) = (on, fields.key("types"))
        && on != EventKind::PushError
    {
        out.add_hinted(at, "`types` are those of push errors", "it goes with `on: push_error` alone");
        return Vec::new();
    }
    let mut types = Vec::new();
    let items = reading::list(node, "`types`", out);
    if items.is_empty() && matches!(node.kind, Kind::Seq(_)) {
        out.add_hinted(&node.span, "`types` is empty", "remove it to listen to all types");
    }
    for item in items {
        let Some(scalar) = reading::scalar(item, "a type", out) else { continue };
        let Some(kind) = abnormal_type(scalar.text, scalar.written, scalar.span, out) else { continue };
        if types.contains(&kind) {
            out.add(scalar.span, format!("{kind} is listed twice"));
        } else {
            types.push(kind);
        }
    }
    types.sort_unstable();
    types
}

fn check_scope(fields: &Fields<'_>, out: &mut Mistakes) {
    let Some(scalar) = fields.get("per").and_then(|node| reading::scalar(node, "`per`", out)) else { return };
    match shape::SCOPES.iter().find(|word| word.name == scalar.text) {
        Some(word) if word.since == Since::Now => {}
        Some(word) => {
            let message = format!("`per: {}` is not in this version yet", word.name);
            out.add_hinted(scalar.span, message, "for now all rules are `per: stream`");
        }
        None => {
            let message = format!("`per` can't be {}", quote(scalar.written));
            match nearest(scalar.written, shape::SCOPES.iter().map(|word| word.name)) {
                Some(near) => out.add_hinted(scalar.span, message, format!("did you mean `{near}`?")),
                None => out.add_hinted(scalar.span, message, "it is `stream`"),
            }
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Threshold {
    count: Option<u64>,
    within: Option<Duration>,
    /// Whether each was written, be it with a mistake.
    has_count: bool,
    has_within: bool,
}

fn threshold(fields: &Fields<'_>, out: &mut Mistakes) -> Threshold {
    let threshold = fields.get("threshold").and_then(|node| reading::fields(node, &shape::THRESHOLD, out));
    let Some(threshold) = threshold else { return Threshold::default() };
    Threshold {
        count: threshold.get("count").and_then(|node| count(node, "`count`", out)),
        within: threshold.get("within").and_then(|node| reading::duration(node, "`within`", WINDOW, out)),
        has_count: threshold.key("count").is_some(),
        has_within: threshold.key("within").is_some(),
    }
}

fn count(node: &Node, what: &str, out: &mut Mistakes) -> Option<u64> {
    reading::integer(node, what, 1..=MAX_COUNT, out).and_then(|count| u64::try_from(count).ok())
}

fn plan(
    fields: &Fields<'_>,
    on: Option<EventKind>,
    threshold: Threshold,
    defaults: &Defaults,
    out: &mut Mistakes,
) -> Option<Plan> {
    let first = threshold.count.unwrap_or(1);
    let node = match fields.get("severity") {
        Some(node) => node,
        None => {
            let plan = match (defaults.severity, on?) {
                (Some(severity), _) => Plan::Levels(vec![(first, severity)]),
                (None, EventKind::PushError) => Plan::Catalogue { count: first },
                (None, _) => Plan::Levels(vec![(first, Severity::Warning)]),
            };
            return Some(plan);
        }
    };
    if !matches!(node.kind, Kind::Map(_)) {
        let severity = reading::choice(node, "`severity`", &SEVERITIES, out)?;
        return Some(Plan::Levels(vec![(first, severity)]));
    }
    if !threshold.has_within {
        let hint = "add `threshold: { within: 1m }`: the levels are sums within it";
        out.add_hinted(&node.span, "a `severity` map needs `threshold.within`", hint);
    }
    if threshold.has_count {
        let hint = "remove it: the map's lowest level is where the rule fires";
        out.add_hinted(&node.span, "a `severity` map and `threshold.count` exclude each other", hint);
    }
    levels(node, out)
}

fn levels(node: &Node, out: &mut Mistakes) -> Option<Plan> {
    let fields = reading::fields(node, &shape::LEVELS, out)?;
    let mut levels: Vec<(u64, Severity)> = Vec::new();
    for (word, severity) in SEVERITIES {
        let Some(node) = fields.get(word) else { continue };
        let Some(level) = count(node, &format!("the level of `{word}`"), out) else { continue };
        match levels.last() {
            Some((lower, _)) if *lower >= level => {
                out.add(&node.span, format!("the level of `{word}` must be above the one before it, {lower}"));
            }
            _ => levels.push((level, severity)),
        }
    }
    if levels.is_empty() {
        if fields.iter().next().is_none() {
            out.add_hinted(&node.span, "a `severity` map needs a level", "such as `{ warning: 3, critical: 10 }`");
        }
        return None;
    }
    Some(Plan::Levels(levels))
}

fn grace(fields: &Fields<'_>, on: Option<EventKind>, out: &mut Mistakes) -> Option<Duration> {
    let node = fields.get("grace")?;
    if let (Some(kind @ (EventKind::PushError | EventKind::PushBegin)), Some(at)) = (on, fields.key("grace")) {
        let hint = "`grace` waits for a reconnect after `push_end`; for push errors use `threshold`";
        out.add_hinted(at, format!("`grace` has no meaning on {}", kind.name()), hint);
        return None;
    }
    reading::duration(node, "`grace`", Bounds::WAIT, out)
}

fn listeners(fields: &Fields<'_>, channels: &Channels, defaults: &Defaults, out: &mut Mistakes) -> Vec<ChannelName> {
    let hint = "name a channel here or in `defaults.notify`";
    match (fields.get("notify"), fields.key("notify")) {
        (Some(node), at) => {
            let before = matches!(&node.kind, Kind::Seq(items) if items.is_empty());
            if before {
                out.add_hinted(at.unwrap_or(&node.span), "nobody would hear of it", hint);
            }
            notify(node, channels, out)
        }
        (None, Some(_)) => Vec::new(),
        (None, None) => {
            if defaults.notify.is_empty() && !defaults.notify_written {
                out.add_hinted(fields.at, "nobody would hear of it", hint);
            }
            defaults.notify.clone()
        }
    }
}
