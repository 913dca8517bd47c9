//! `on: silence`: a callback that stays away after steady ones.

use std::time::Duration;

use super::door::event_kind;
use crate::model::EventKind;
use crate::rules::diagnostic::Mistakes;
use crate::rules::duration::Bounds;
use crate::rules::reading::{self, Fields};

/// Keys that are about what a callback says or how often it comes, and what to say of each.
const MEANINGLESS: [(&str, &str); 6] = [
    ("types", "`types` are those of push errors"),
    ("threshold", "it fires when nothing comes: there is nothing to count"),
    ("for", "`within` says how long nothing may be heard"),
    ("grace", "`within` says how long nothing may be heard"),
    ("resolve_after", "it is over as soon as one is heard again"),
    ("keep_firing_for", "it is over as soon as one is heard again"),
];

/// What a rule on silence listens for and how long it waits; `None` for what is missing or wrong.
pub(super) fn compile(fields: &Fields<'_>, out: &mut Mistakes) -> (Option<EventKind>, Option<Duration>) {
    for (key, why) in MEANINGLESS {
        if let Some(at) = fields.key(key) {
            out.add_hinted(at, format!("`{key}` has no meaning on silence"), format!("{why}; remove the line"));
        }
    }
    for (key, hint) in
        [("of", "which callback is missed? `of: relay`"), ("within", "how long may nothing be heard? `within: 10m`")]
    {
        if fields.key(key).is_none() {
            out.add_hinted(fields.at, format!("`{key}` is missing: `on: silence` needs it"), hint);
        }
    }
    let within = fields.get("within").and_then(|node| reading::duration(node, "`within`", Bounds::WINDOW, out));
    (of(fields, out), within)
}

/// Notes the keys that belong to rules on silence alone.
pub(super) fn check_absent(fields: &Fields<'_>, out: &mut Mistakes) {
    if let Some(at) = fields.key("of") {
        out.add_hinted(at, "`of` goes with `on: silence` alone", "the callback that a rule listens to is `on`");
    }
    if let Some(at) = fields.key("within") {
        out.add_hinted(
            at,
            "`within` of a rule goes with `on: silence` alone",
            "a window is `threshold: { within: 1m }`",
        );
    }
}

fn of(fields: &Fields<'_>, out: &mut Mistakes) -> Option<EventKind> {
    let scalar = reading::scalar(fields.get("of")?, "`of`", out)?;
    let kind = event_kind(scalar, out)?;
    if kind == EventKind::PushError {
        let hint = "a stream that stops is `on: push_end`";
        out.add_hinted(scalar.span, "no push errors is health: their silence is no trouble", hint);
        return None;
    }
    Some(kind)
}
