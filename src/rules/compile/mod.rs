//! The tree of rules.yaml to the compiled set: every section in turn, all mistakes at once. Pure.

mod channels;
mod conditions;
mod defaults;
mod door;
mod inhibits;
mod intervals;
mod labels;
mod repeats;
mod routing;
mod rule;
mod silence;
mod threshold;
mod wording;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::compiled::RuleSet;
use super::diagnostic::{Mistakes, nearest, quote};
use super::document::{Kind, Node};
use super::reading::{self, Fields};
use super::shape;
use intervals::Intervals;
use labels::LabelNames;

use crate::model::{AbnormalType, Catalogue, Channel, ChannelName, Door, Severity};

/// Longest name of a rule or a channel, in characters.
const MAX_NAME: usize = 64;

/// Compiles a document; `None` if any mistake was noted.
pub(super) fn compile(root: &Node, hash: String, out: &mut Mistakes) -> Option<RuleSet> {
    if matches!(root.kind, Kind::Null) {
        out.add_hinted(&root.span, "the file says nothing", "it needs `version: 1`, `channels` and `rules`");
        return None;
    }
    let top = reading::fields(root, &shape::TOP, out)?;
    check_version(&top, out);
    let timezone = top.get("timezone").and_then(|node| zone(node, out)).unwrap_or(TimeZone::UTC);
    let channels = channels::compile(&top, &timezone, out);
    let known = Known {
        intervals: intervals::compile(&top, &timezone, out),
        labels: LabelNames::collect(&top),
        has_routes: top.get("routes").is_some_and(|node| !matches!(&node.kind, Kind::Seq(items) if items.is_empty())),
        channels,
        timezone,
    };
    let defaults = defaults::compile(&top, &known, out);
    let door = top.get("tencent").map_or_else(Door::default, |node| door::compile(node, out));
    let catalogue = top.get("catalogue").map_or_else(Catalogue::default, |node| wording::compile(node, out));
    let rules = rule::compile_all(&top, &known, &defaults, out);
    let routes = routing::routes(&top, &known, out);
    let mutes = routing::mutes(&top, &known, out);
    out.is_empty().then(|| RuleSet {
        hash,
        rules,
        channels: known.channels.compiled,
        door,
        catalogue: Arc::new(catalogue),
        rate_limit: defaults.rate_limit,
        timezone: known.timezone,
        notify: defaults.notify,
        routes,
        mutes,
    })
}

/// What rules, routes and mutes refer to.
struct Known {
    channels: Channels,
    intervals: Intervals,
    labels: LabelNames,
    /// Whether there are routes, be it with mistakes: then rules and `defaults` need not say who hears of them.
    has_routes: bool,
    /// The file's.
    timezone: TimeZone,
}

/// The channels of the file.
struct Channels {
    /// Those without a mistake.
    compiled: BTreeMap<ChannelName, Arc<Channel>>,
    /// All that were written, so that a mistake inside one is not also reported by whoever refers to it.
    written: BTreeSet<String>,
}

fn check_version(top: &Fields<'_>, out: &mut Mistakes) {
    match top.get("version") {
        Some(node) => {
            if let Some(scalar) = reading::scalar(node, "`version`", out)
                && scalar.text != "1"
            {
                out.add(scalar.span, format!("`version` must be 1, not {}", quote(scalar.written)));
            }
        }
        None if top.key("version").is_some() => {}
        None => out.add_hinted(top.at, "`version` is missing", "begin the file with `version: 1`"),
    }
}

/// A time zone by its IANA name, from the built-in database alone, so that every machine agrees.
fn zone(node: &Node, out: &mut Mistakes) -> Option<TimeZone> {
    let scalar = reading::scalar(node, "`timezone`", out)?;
    let database = TimeZoneDatabase::bundled();
    if let Ok(zone) = database.get(scalar.text) {
        return Some(zone);
    }
    let names: Vec<String> = database.available().map(|name| name.as_str().to_owned()).collect();
    let written = scalar.written;
    // People write the city alone.
    let by_city =
        names.iter().find(|name| name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(written)));
    let lower: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let near =
        || nearest(written, lower.iter().map(String::as_str)).and_then(|near| lower.iter().position(|l| l == near));
    let hint = match by_city.or_else(|| near().and_then(|at| names.get(at))) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "zones have names like Asia/Shanghai, Europe/Berlin or UTC".to_owned(),
    };
    out.add_hinted(scalar.span, format!("there is no time zone {}", quote(written)), hint);
    None
}

/// A list of channels that exist, each once.
fn notify(node: &Node, channels: &Channels, out: &mut Mistakes) -> Vec<ChannelName> {
    let mut names: Vec<ChannelName> = Vec::new();
    for item in reading::list(node, "`notify`", out) {
        let Some(name) = channel_name(item, channels, out) else { continue };
        if names.contains(&name) {
            out.add(&item.span, format!("{} is listed twice", quote(name.as_str())));
        } else {
            names.push(name);
        }
    }
    names
}

/// The name of a channel that exists.
fn channel_name(node: &Node, channels: &Channels, out: &mut Mistakes) -> Option<ChannelName> {
    let scalar = reading::scalar(node, "the name of a channel", out)?;
    if channels.written.contains(scalar.text) {
        return Some(ChannelName::new(scalar.text));
    }
    let message = format!("there is no channel {}", quote(scalar.written));
    match nearest(scalar.written, channels.written.iter().map(String::as_str)) {
        Some(near) => out.add_hinted(scalar.span, message, format!("did you mean `{near}`?")),
        None if channels.written.is_empty() => out.add_hinted(scalar.span, message, "`channels` defines none"),
        None => {
            let known = reading::join(channels.written.iter().take(20).map(String::as_str));
            out.add_hinted(scalar.span, message, format!("`channels` defines: {known}"));
        }
    }
    None
}

/// Whether a text will do as the name of a rule or a channel; what is wrong is noted.
fn check_name(name: &str, what: &str, at: &Range<usize>, out: &mut Mistakes) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let problem = if name.is_empty() {
        "is empty"
    } else if name.len() > MAX_NAME {
        "is longer than 64 characters"
    } else if !name.chars().all(legal) {
        "may have letters, digits, `_`, `-` and `.` only"
    } else {
        return true;
    };
    out.add(at, format!("{what} {problem}"));
    false
}

/// An abnormal type by name or number.
fn abnormal_type(text: &str, written: &str, at: &Range<usize>, out: &mut Mistakes) -> Option<AbnormalType> {
    match (text.parse::<u32>(), AbnormalType::from_name(text)) {
        (Ok(number), _) if number > 0 => Some(AbnormalType(number)),
        (_, Some(kind)) => Some(kind),
        _ => {
            let message = format!("there is no abnormal type {}", quote(written));
            match nearest(written, AbnormalType::NAMES) {
                Some(near) => out.add_hinted(at, message, format!("did you mean `{near}`?")),
                None => {
                    out.add_hinted(at, message, format!("they are: {}", reading::join(AbnormalType::NAMES.into_iter())))
                }
            }
            None
        }
    }
}

const SEVERITIES: [(&str, Severity); 3] =
    [("info", Severity::Info), ("warning", Severity::Warning), ("critical", Severity::Critical)];
