//! `threshold` and `severity`: what is counted, from which number on it fires, and how bad that is.

use std::time::Duration;

use super::SEVERITIES;
use super::defaults::Defaults;
use crate::model::{EventKind, Noun, Scope, Severity};
use crate::rules::compiled::{Measure, Plan};
use crate::rules::diagnostic::Mistakes;
use crate::rules::document::{Kind, Node};
use crate::rules::duration::{self, Bounds};
use crate::rules::reading::{self, Fields};
use crate::rules::shape;

const NOUNS: [(&str, Noun); 3] = [("stream", Noun::Stream), ("session", Noun::Session), ("user_ip", Noun::UserIp)];

/// What a rule counts and when it fires.
pub(super) struct Firing {
    pub(super) measure: Measure,
    pub(super) within: Option<Duration>,
    pub(super) plan: Option<Plan>,
}

/// What is known of a rule before its threshold is read; `None` for what has a mistake.
#[derive(Clone, Copy)]
pub(super) struct Ground {
    pub(super) on: Option<EventKind>,
    pub(super) per: Option<Scope>,
}

/// Reads `threshold` and `severity` of a rule.
pub(super) fn firing(fields: &Fields<'_>, ground: Ground, defaults: &Defaults, out: &mut Mistakes) -> Firing {
    let threshold = fields.get("threshold").and_then(|node| reading::fields(node, &shape::THRESHOLD, out));
    let threshold = threshold.map(|fields| read(&fields, ground, out)).unwrap_or_default();
    let severity = fields.get("severity");
    let is_map = severity.is_some_and(|node| matches!(node.kind, Kind::Map(_)));
    if threshold.has_distinct && !threshold.has_count && !is_map {
        let hint = "from how many on? `{ distinct: stream, count: 20, within: 1m }`";
        let at = fields.key("threshold").unwrap_or(fields.at);
        out.add_hinted(at, "`distinct` needs `count`", hint);
    }
    let plan = plan(severity, &threshold, ground, defaults, out);
    Firing { measure: threshold.measure, within: threshold.within, plan }
}

/// Reads `severity` of a rule on silence, which counts nothing.
pub(super) fn of_silence(fields: &Fields<'_>, defaults: &Defaults, out: &mut Mistakes) -> Firing {
    let severity = match fields.get("severity") {
        Some(node) if matches!(node.kind, Kind::Map(_)) => {
            out.add_hinted(&node.span, "silence has no levels", "give one severity: info, warning or critical");
            None
        }
        Some(node) => reading::choice(node, "`severity`", &SEVERITIES, out),
        None => Some(defaults.severity.unwrap_or(Severity::Warning)),
    };
    let plan = severity.map(|severity| Plan::Levels(vec![(1, severity)]));
    Firing { measure: Measure::Count, within: None, plan }
}

#[derive(Default)]
struct Threshold<'n> {
    measure: Measure,
    /// The number that was written, and where.
    count: Option<(u64, &'n Node)>,
    /// Whether each was written, be it with a mistake; `count` by either name.
    has_reports: bool,
    within: Option<Duration>,
    has_count: bool,
    has_distinct: bool,
    has_within: bool,
}

fn read<'n>(threshold: &Fields<'n>, ground: Ground, out: &mut Mistakes) -> Threshold<'n> {
    let has = |key: &str| threshold.key(key).is_some();
    for (one, other, hint) in [
        (
            "count",
            "reports",
            "`count` sums what the reports counted, `reports` counts the reports: keep one of the two",
        ),
        ("distinct", "reports", "how many different values is `count`: remove `reports`"),
    ] {
        if let (true, Some(at)) = (has(one), threshold.key(other)) {
            out.add_hinted(at, format!("`{one}` and `{other}` exclude each other"), hint);
        }
    }
    let noun = threshold.get("distinct").and_then(|node| reading::choice(node, "`distinct`", &NOUNS, out));
    if let (Some(noun), Some(per), Some(node)) = (noun, ground.per, threshold.get("distinct")) {
        check_noun(noun, per, node, out);
    }
    let measure = match noun {
        Some(noun) => Measure::Distinct(noun),
        None if has("reports") => Measure::Reports,
        None => Measure::Count,
    };
    let mut number = |key: &str| {
        let node = threshold.get(key)?;
        count(node, &format!("`{key}`"), out).map(|count| (count, node))
    };
    let count = number("reports").or(number("count"));
    let within = threshold.get("within").and_then(|node| reading::duration(node, "`within`", Bounds::WINDOW, out));
    if let (true, false, Some(at)) = (has("distinct"), has("within"), threshold.key("distinct")) {
        let hint = "add `within: 1m`: a single report has one value alone";
        out.add_hinted(at, "`distinct` needs `within`", hint);
    }
    let has_count = has("count") || has("reports");
    Threshold {
        measure,
        count,
        within,
        has_reports: has("reports"),
        has_count,
        has_distinct: has("distinct"),
        has_within: has("within"),
    }
}

/// Of what is judged as one there must be several.
fn check_noun(noun: Noun, per: Scope, node: &Node, out: &mut Mistakes) {
    let (is_finer, hint) = match noun {
        Noun::Stream => {
            (!matches!(per, Scope::Stream | Scope::Session), "count streams `per: app`, `domain`, `user_ip` or `all`")
        }
        Noun::Session => (per != Scope::Session, "count sessions `per: stream` or wider"),
        Noun::UserIp => {
            (!matches!(per, Scope::UserIp | Scope::Session), "count addresses `per: stream`, `app`, `domain` or `all`")
        }
    };
    if !is_finer {
        let noun = NOUNS.iter().find(|(_, known)| *known == noun).map_or("", |(word, _)| word);
        let message = format!("there is one `{noun}` per {} alone: it could never be two", per.as_str());
        out.add_hinted(&node.span, message, hint);
    }
}

fn count(node: &Node, what: &str, out: &mut Mistakes) -> Option<u64> {
    reading::integer(node, what, 1..=shape::MAX_COUNT, out).and_then(|count| u64::try_from(count).ok())
}

fn plan(
    severity: Option<&Node>,
    threshold: &Threshold<'_>,
    ground: Ground,
    defaults: &Defaults,
    out: &mut Mistakes,
) -> Option<Plan> {
    let first = threshold.count.map_or(1, |(count, _)| count);
    if let Some((count, node)) = threshold.count {
        check_reachable(count, node, threshold, ground, out);
    }
    let Some(node) = severity else {
        return Some(match (defaults.severity, ground.on?) {
            (Some(severity), _) => Plan::Levels(vec![(first, severity)]),
            (None, EventKind::PushError) => Plan::Catalogue { count: first },
            (None, _) => Plan::Levels(vec![(first, Severity::Warning)]),
        });
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
        let key = if threshold.has_reports { "reports" } else { "count" };
        let hint = "remove it: the map's lowest level is where the rule fires";
        out.add_hinted(&node.span, format!("a `severity` map and `threshold.{key}` exclude each other"), hint);
    }
    levels(node, threshold, ground, out)
}

fn levels(node: &Node, threshold: &Threshold<'_>, ground: Ground, out: &mut Mistakes) -> Option<Plan> {
    let fields = reading::fields(node, &shape::LEVELS, out)?;
    let mut levels: Vec<(u64, Severity)> = Vec::new();
    for (word, severity) in SEVERITIES {
        let Some(node) = fields.get(word) else { continue };
        let Some(level) = count(node, &format!("the level of `{word}`"), out) else { continue };
        match levels.last() {
            Some((lower, _)) if *lower >= level => {
                out.add(&node.span, format!("the level of `{word}` must be above the one before it, {lower}"));
            }
            _ => {
                check_reachable(level, node, threshold, ground, out);
                levels.push((level, severity));
            }
        }
    }
    if levels.is_empty() {
        if fields.iter().next().is_none() {
            out.add_hinted(&node.span, "a `severity` map needs a level", "such as `{ warning: 3, critical: 20 }`");
        }
        return None;
    }
    Some(Plan::Levels(levels))
}

/// Notes a number that can never be reached: more callbacks than come at once, or than one push is ever the subject of.
fn check_reachable(count: u64, node: &Node, threshold: &Threshold<'_>, ground: Ground, out: &mut Mistakes) {
    if threshold.has_distinct && count > shape::MAX_DISTINCT {
        let message = format!("it can never be reached: up to {} different values are told apart", shape::MAX_DISTINCT);
        return out.add_hinted(&node.span, message, "lower the number, or judge `per` something narrower");
    }
    let Some(on) = ground.on else { return };
    // A single report of push errors may count any number of them; everything else counts callbacks.
    if on == EventKind::PushError && threshold.measure == Measure::Count {
        return;
    }
    let Some(within) = threshold.within else {
        if count > 1 && !threshold.has_within && !threshold.has_distinct {
            let hint = "add `within: 1m`: without it a single callback has to reach the number";
            out.add_hinted(&node.span, "it can never be reached: a callback counts as one", hint);
        }
        return;
    };
    // The cloud reports a push every five seconds, and a stream has few pushes: one a second is more than there is.
    let is_of_pushes = matches!(on, EventKind::PushError | EventKind::PushBegin | EventKind::PushEnd);
    let is_narrow = matches!(ground.per, Some(Scope::Stream | Scope::Session));
    let most = within.as_secs().saturating_add(1);
    if is_of_pushes && is_narrow && count > most {
        let window = duration::show(within);
        let message = format!("it can never be reached: even one callback a second makes {most} in {window}");
        let hint = "the cloud reports every 5 s; lower the number, widen `within`, or judge `per` something wider";
        out.add_hinted(&node.span, message, hint);
    }
}
