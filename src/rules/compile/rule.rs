//! `rules`: what is trouble, from when on, and who hears of it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::conditions::Ground;
use super::defaults::{self, Defaults};
use super::door::event_kind;
use super::threshold;
use super::{Known, abnormal_type, check_name, conditions, inhibits, labels, notify, repeats, silence};
use crate::model::{AbnormalType, ChannelName, EventKind, Scope};
use crate::rules::compiled::Rule;
use crate::rules::diagnostic::{Mistakes, quote};
use crate::rules::document::{Kind, Node};
use crate::rules::duration::Bounds;
use crate::rules::reading::{self, Fields, Scalar};
use crate::rules::shape;

/// A rule while the others are being read: what checks across rules need of it.
pub(super) struct Draft<'n> {
    /// As it was written.
    pub(super) node: &'n Node,
    /// Its name, and where to point.
    pub(super) name: Option<Scalar<'n>>,
    pub(super) at: &'n Range<usize>,
    pub(super) enabled: bool,
    /// Whether no mistake was found in it by itself.
    pub(super) is_clean: bool,
    /// `None` if it has a mistake.
    pub(super) per: Option<Scope>,
    /// Names of rules, not yet looked up.
    pub(super) inhibits: Vec<Scalar<'n>>,
    /// What it compiled to, without `inhibits`; `None` after a mistake that leaves nothing to compile.
    pub(super) rule: Option<Rule>,
}

/// Compiles all rules; disabled ones are checked like the others and left out.
pub(super) fn compile_all(top: &Fields<'_>, known: &Known, defaults: &Defaults, out: &mut Mistakes) -> Vec<Rule> {
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
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    let mut names: HashMap<&str, usize> = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        out.within(Some(format!("rule {}", index + 1)));
        let Some(fields) = reading::fields(item, &shape::RULE, &mut Mistakes::default()) else {
            reading::fields(item, &shape::RULE, out);
            continue;
        };
        let name = name(&fields, out);
        if let Some(name) = name {
            out.within(Some(format!("rule {}", quote(name.written))));
            if let Some(first) = names.insert(name.text, index) {
                out.add_hinted(
                    name.span,
                    "another rule has this name",
                    format!("it is rule {} of the file", first + 1),
                );
            }
        }
        // Again, now that the mistakes can name the rule.
        let before = out.count();
        reading::fields(item, &shape::RULE, out);
        let draft = draft(item, &fields, name, (known, defaults), out);
        drafts.push(Draft { is_clean: out.count() == before, ..draft });
    }
    out.within(None);
    inhibits::check(&mut drafts, out);
    repeats::check(&drafts, out);
    drafts.into_iter().filter(|draft| draft.enabled).filter_map(|draft| draft.rule).collect()
}

fn name<'n>(fields: &Fields<'n>, out: &mut Mistakes) -> Option<Scalar<'n>> {
    let Some(node) = fields.get("name") else {
        if fields.key("name").is_none() {
            out.add_hinted(fields.at, "`name` is missing", "a rule is known by its name");
        }
        return None;
    };
    let scalar = reading::scalar(node, "`name`", out)?;
    check_name(scalar.text, "`name`", scalar.span, out).then_some(scalar)
}

fn draft<'n>(
    node: &'n Node,
    fields: &Fields<'n>,
    name: Option<Scalar<'n>>,
    (known, defaults): (&Known, &Defaults),
    out: &mut Mistakes,
) -> Draft<'n> {
    let enabled = fields.get("enabled").and_then(|node| reading::boolean(node, "`enabled`", out)).unwrap_or(true);
    let per = match fields.get("per") {
        Some(node) => reading::choice(node, "`per`", &Scope::ALL.map(|scope| (scope.as_str(), scope)), out),
        None => Some(Scope::default()),
    };
    Draft {
        node,
        name,
        at: name.map_or(fields.at, |name| name.span),
        enabled,
        is_clean: true,
        per,
        inhibits: inhibits::read(fields, out),
        rule: rule(fields, name, per, (known, defaults), out),
    }
}

fn rule(
    fields: &Fields<'_>,
    name: Option<Scalar<'_>>,
    per: Option<Scope>,
    (known, defaults): (&Known, &Defaults),
    out: &mut Mistakes,
) -> Option<Rule> {
    let listening = listening(fields, out);
    let (on, is_silence) = (listening.on, listening.is_silence);
    let types = if is_silence { Vec::new() } else { types(fields, on, out) };
    let conditions = match (fields.get("where"), on) {
        (Some(node), Some(on)) => conditions::compile(node, &Ground { on, types: &types, zone: &known.timezone }, out),
        _ => Vec::new(),
    };
    let firing = if is_silence {
        threshold::of_silence(fields, defaults, out)
    } else {
        threshold::firing(fields, threshold::Ground { on, per }, defaults, out)
    };
    let (lasting, grace) = match is_silence {
        true => (None, None),
        false => (lasting(fields, on, defaults, out), grace(fields, on, per, defaults, out)),
    };
    if let (Some(kind), false) = (on, is_silence) {
        check_quiet(fields, kind, per, out);
    }
    let pace = defaults::pace(fields, defaults.pace, out);
    let rate_limit = fields.get("rate_limit").and_then(|node| defaults::rate_limit(node, out));
    let notify = listeners(fields, known, defaults, out);
    let labels = labels::labels(fields, &defaults.labels, out);
    let annotations = labels::annotations(fields, &defaults.annotations, out);
    let group_by = fields.get("group_by").map(|node| labels::group_by(node, &known.labels, out));
    let active = fields.get("active").map(|node| known.intervals.active(node, out));
    Some(Rule {
        name: Arc::from(name?.text),
        on: on?,
        silence: listening.silence,
        types,
        conditions,
        per: per?,
        measure: firing.measure,
        within: firing.within,
        plan: firing.plan?,
        lasting,
        grace,
        resolve_after: pace.resolve_after,
        reopen_within: pace.reopen_within,
        repeat_interval: pace.repeat_interval,
        rate_limit,
        notify,
        labels,
        annotations,
        group_by: group_by.unwrap_or_else(|| defaults.group_by.clone()),
        inhibits: Vec::new(),
        active: active.unwrap_or_else(|| defaults.active.clone()),
    })
}

/// What a rule listens to.
struct Listening {
    /// The kind of event; `None` after a mistake.
    on: Option<EventKind>,
    /// How long nothing may be heard of it.
    silence: Option<Duration>,
    is_silence: bool,
}

fn listening(fields: &Fields<'_>, out: &mut Mistakes) -> Listening {
    let scalar = match fields.get("on") {
        Some(node) => reading::scalar(node, "`on`", out),
        None => {
            if fields.key("on").is_none() {
                out.add_hinted(fields.at, "`on` is missing: which event?", "push errors are `on: push_error`");
            }
            None
        }
    };
    match scalar {
        None => Listening { on: None, silence: None, is_silence: false },
        Some(scalar) if scalar.text == "silence" => {
            let (on, silence) = silence::compile(fields, out);
            // Without its length it is no rule on silence, and it must not become one on what it misses.
            Listening { on: on.filter(|_| silence.is_some()), silence, is_silence: true }
        }
        Some(scalar) => {
            silence::check_absent(fields, out);
            Listening { on: event_kind(scalar, out), silence: None, is_silence: false }
        }
    }
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

/// Whether a rule judges single streams, or pushes of them.
fn is_narrow(per: Option<Scope>) -> bool {
    matches!(per, None | Some(Scope::Stream | Scope::Session))
}

/// A push that ended, and what was told of one stream as a state, is not over because nothing more is told.
fn check_quiet(fields: &Fields<'_>, on: EventKind, per: Option<Scope>, out: &mut Mistakes) {
    let Some(at) = fields.key("resolve_after").or(fields.key("keep_firing_for")) else { return };
    let message = match on {
        EventKind::PushEnd => "a push that ended does not get well by silence".to_owned(),
        kind if kind.is_state() && is_narrow(per) => format!("what {} says does not get well by silence", kind.name()),
        _ => return,
    };
    out.add_hinted(at, message, "it is over when the stream is pushed again; remove the line");
}

/// `for`: how long reports must go on.
fn lasting(fields: &Fields<'_>, on: Option<EventKind>, defaults: &Defaults, out: &mut Mistakes) -> Option<Duration> {
    let is_state = on.is_some_and(|kind| kind.is_state() || kind == EventKind::PushBegin);
    let Some(node) = fields.get("for") else { return defaults.lasting.filter(|_| !is_state) };
    if let (true, Some(kind), Some(at)) = (is_state, on, fields.key("for")) {
        let hint = if kind == EventKind::PushEnd { "`grace` waits for a reconnect" } else { "remove the line" };
        out.add_hinted(at, format!("`for` has no meaning on {}: it is not repeated while it lasts", kind.name()), hint);
        return None;
    }
    reading::duration(node, "`for`", Bounds::LASTING, out).filter(|lasting| !lasting.is_zero())
}

fn grace(
    fields: &Fields<'_>,
    on: Option<EventKind>,
    per: Option<Scope>,
    defaults: &Defaults,
    out: &mut Mistakes,
) -> Option<Duration> {
    // What comes back is a stream, not a site.
    let is_narrow = is_narrow(per);
    let Some(node) = fields.get("grace") else {
        return defaults.grace.filter(|_| on == Some(EventKind::PushEnd) && is_narrow);
    };
    let at = fields.key("grace").unwrap_or(&node.span);
    if let Some(kind) = on.filter(|kind| !kind.is_state()) {
        let hint = "`grace` waits for a reconnect after `push_end`; elsewhere use `threshold`";
        out.add_hinted(at, format!("`grace` has no meaning on {}", kind.name()), hint);
        return None;
    }
    if !is_narrow {
        let scope = per.map_or("", Scope::as_str);
        let hint = "it goes with `per: stream`; for something wider use `threshold`";
        out.add_hinted(at, format!("`grace` has no meaning per {scope}: what reconnects is a stream"), hint);
        return None;
    }
    reading::duration(node, "`grace`", Bounds::GRACE, out).filter(|grace| !grace.is_zero())
}

/// A rule's own `notify`.
fn listeners(fields: &Fields<'_>, known: &Known, defaults: &Defaults, out: &mut Mistakes) -> Option<Vec<ChannelName>> {
    let hint = "name a channel here or in `defaults.notify`";
    let Some(at) = fields.key("notify") else {
        if defaults.notify.is_empty() && !defaults.notify_written && !known.has_routes {
            out.add_hinted(fields.at, "nobody would hear of it", hint);
        }
        return None;
    };
    let node = fields.get("notify")?;
    if matches!(&node.kind, Kind::Seq(items) if items.is_empty()) {
        out.add_hinted(at, "nobody would hear of it", hint);
    }
    Some(notify(node, &known.channels, out))
}
