//! `routes` and `mutes`: who hears of what, and when nobody does, by labels.

use super::{Known, intervals, notify};
use crate::model::ChannelName;
use crate::rules::compiled::{Route, StandingMute};
use crate::rules::diagnostic::Mistakes;
use crate::rules::document::{Kind, Node};
use crate::rules::matcher::{MatcherError, Matchers};
use crate::rules::reading::{self, Fields, Scalar};
use crate::rules::shape;

/// Most routes, and most mutes: each incident is held against all of them.
const MAX_ROWS: usize = 500;

/// Longest reason of a mute, in characters: messages show it.
const MAX_REASON: usize = 200;

/// Compiles `routes`.
pub(super) fn routes(top: &Fields<'_>, known: &Known, out: &mut Mistakes) -> Vec<Route> {
    let mut routes = Vec::new();
    // What earlier routes take for themselves, with their places.
    let mut taken: Vec<(usize, Matchers)> = Vec::new();
    for (index, item) in rows(top, "routes", out).iter().enumerate() {
        out.within(Some(format!("route {}", index + 1)));
        let Some(fields) = reading::fields(item, &shape::ROUTE, out) else { continue };
        let goes_on = fields.get("continue").and_then(|node| reading::boolean(node, "`continue`", out));
        let goes_on = goes_on.unwrap_or(false);
        let notify = hearers(&fields, known, out);
        let Some(matchers) = matchers(&fields, known, out) else { continue };
        if let Some((earlier, _)) = taken.iter().find(|(_, earlier)| takes_all(earlier) || *earlier == matchers) {
            let hint =
                format!("route {earlier} takes all that it matches; give that one `continue: true`, or move it down");
            out.add_hinted(fields.at, "it is never asked", hint);
        }
        if !goes_on {
            taken.push((index + 1, matchers.clone()));
        }
        routes.push(Route { matchers, notify, goes_on });
    }
    out.within(None);
    routes
}

/// Compiles `mutes`.
pub(super) fn mutes(top: &Fields<'_>, known: &Known, out: &mut Mistakes) -> Vec<StandingMute> {
    let mut mutes = Vec::new();
    for (index, item) in rows(top, "mutes", out).iter().enumerate() {
        out.within(Some(format!("mute {}", index + 1)));
        let Some(fields) = reading::fields(item, &shape::MUTE, out) else { continue };
        let matchers = matchers(&fields, known, out);
        let active = fields.get("active").map(|node| known.intervals.active(node, out)).unwrap_or_default();
        let is_always = match fields.get("active") {
            // Empty because of a mistake that was noted.
            Some(node) if active.is_empty() => matches!(&node.kind, Kind::Seq(items) if items.is_empty()),
            Some(_) => intervals::hold_always(&active),
            None => fields.key("active").is_none(),
        };
        if is_always && matchers.as_ref().is_some_and(takes_all) {
            let hint = "give it a `match`, or `active` time intervals";
            out.add_hinted(fields.at, "it mutes everything always: nobody would hear of anything", hint);
        }
        let reason = reason(&fields, out);
        mutes.extend(matchers.map(|matchers| StandingMute { matchers, active, reason }));
    }
    out.within(None);
    mutes
}

/// The items of a list of mappings.
fn rows<'n>(top: &Fields<'n>, key: &str, out: &mut Mistakes) -> &'n [Node] {
    let Some(node) = top.get(key) else { return &[] };
    match &node.kind {
        Kind::Seq(items) if items.len() > MAX_ROWS => {
            out.add(top.key(key).unwrap_or(&node.span), format!("`{key}` may list {MAX_ROWS} at most"));
            &[]
        }
        Kind::Seq(items) => items,
        _ => {
            out.add_hinted(&node.span, format!("`{key}` must be a list"), "begin each item with `- match:`");
            &[]
        }
    }
}

/// The `match` of a route or mute; without the key it is everything.
fn matchers(fields: &Fields<'_>, known: &Known, out: &mut Mistakes) -> Option<Matchers> {
    if fields.key("match").is_none() {
        return Some(Matchers::default());
    }
    let scalar = reading::scalar(fields.get("match")?, "`match`", out)?;
    let matchers = match Matchers::parse(scalar.text) {
        Ok(matchers) => matchers,
        Err(error) => {
            note(error, scalar, out);
            return None;
        }
    };
    if let Some(doubt) = matchers.doubt() {
        note(doubt, scalar, out);
    }
    for name in matchers.labels() {
        let at = scalar.text.find(name).unwrap_or(0);
        known.labels.check(scalar, name, &reading::place(scalar, at..at + name.len()), out);
    }
    Some(matchers)
}

fn note(error: MatcherError, scalar: Scalar<'_>, out: &mut Mistakes) {
    if scalar.is_resolved() {
        let hint = "see what the variable holds: it is not shown here";
        return out.add_hinted(
            scalar.span,
            "`match`: with the values of the environment this is no list of matchers",
            hint,
        );
    }
    let (at, message) = (reading::place(scalar, error.at..scalar.text.len()), format!("`match`: {}", error.message));
    match error.hint {
        Some(hint) => out.add_hinted(&at, message, hint),
        None => out.add(&at, message),
    }
}

fn takes_all(matchers: &Matchers) -> bool {
    *matchers == Matchers::default()
}

/// The `notify` of a route.
fn hearers(fields: &Fields<'_>, known: &Known, out: &mut Mistakes) -> Vec<ChannelName> {
    let hint = "name channels; what nobody should hear of belongs in `mutes`";
    let Some(node) = fields.get("notify") else {
        if fields.key("notify").is_none() {
            out.add_hinted(fields.at, "`notify` is missing", hint);
        }
        return Vec::new();
    };
    if matches!(&node.kind, Kind::Seq(items) if items.is_empty()) {
        out.add_hinted(&node.span, "nobody would hear of it", hint);
    }
    notify(node, &known.channels, out)
}

/// The `reason` of a mute.
fn reason(fields: &Fields<'_>, out: &mut Mistakes) -> String {
    let scalar = fields.get("reason").and_then(|node| reading::scalar(node, "`reason`", out));
    let Some(scalar) = scalar else { return String::new() };
    let text = scalar.text.trim();
    if text.chars().count() > MAX_REASON || text.chars().any(char::is_control) {
        out.add(scalar.span, format!("`reason` must be one line of {MAX_REASON} characters at most"));
    }
    text.to_owned()
}
