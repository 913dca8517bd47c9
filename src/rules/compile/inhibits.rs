//! `inhibits`: rules whose incidents are part of another's. Names that exist, scopes that fit, no circles.

use std::collections::HashMap;

use super::rule::Draft;
use crate::model::Scope;
use crate::rules::diagnostic::{Mistakes, quote};
use crate::rules::document::Node;
use crate::rules::reading::{self, Fields, Scalar};

/// Most names of a circle that are shown.
const MAX_SHOWN: usize = 20;

/// The names in a rule's `inhibits`.
pub(super) fn read<'n>(fields: &Fields<'n>, out: &mut Mistakes) -> Vec<Scalar<'n>> {
    let Some(node) = fields.get("inhibits") else { return Vec::new() };
    let mut names: Vec<Scalar<'n>> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for item in reading::list(node, "`inhibits`", out) {
        let Some(scalar) = rule_name(item, out) else { continue };
        if !seen.insert(scalar.text) {
            out.add(scalar.span, format!("{} is listed twice", quote(scalar.written)));
        } else {
            names.push(scalar);
        }
    }
    names
}

fn rule_name<'n>(item: &'n Node, out: &mut Mistakes) -> Option<Scalar<'n>> {
    reading::scalar(item, "the name of a rule", out)
}

/// Checks what the rules of the file inhibit, and leaves out what is disabled: it has no incidents.
pub(super) fn check(drafts: &mut [Draft<'_>], out: &mut Mistakes) {
    let places: HashMap<&str, usize> =
        drafts.iter().enumerate().rev().filter_map(|(place, draft)| Some((draft.name?.text, place))).collect();
    let names = || drafts.iter().filter_map(|draft| draft.name).map(|name| name.written);
    let mut edges: Vec<Vec<(usize, Scalar<'_>)>> = Vec::with_capacity(drafts.len());
    for draft in drafts.iter() {
        let Some(name) = draft.name else {
            edges.push(Vec::new());
            continue;
        };
        out.within(Some(format!("rule {}", quote(name.written))));
        let mut targets = Vec::new();
        for scalar in &draft.inhibits {
            match places.get(scalar.text) {
                None => {
                    let message = format!("`inhibits`: there is no rule {}", quote(scalar.written));
                    reading::unknown(*scalar, message, names(), "there are no rules", out);
                }
                Some(_) if scalar.text == name.text => {
                    out.add_hinted(scalar.span, "it can't inhibit itself", "remove its own name");
                }
                Some(place) => {
                    let per = drafts.get(*place).and_then(|target| target.per);
                    targets.extend(check_scopes(draft.per, per, *scalar, out).then_some((*place, *scalar)));
                }
            }
        }
        edges.push(targets);
    }
    check_circles(drafts, &edges, out);
    out.within(None);
    let enabled: Vec<bool> = drafts.iter().map(|draft| draft.enabled).collect();
    for (draft, targets) in drafts.iter_mut().zip(&edges) {
        let Some(rule) = &mut draft.rule else { continue };
        let live = targets.iter().filter(|(place, _)| enabled.get(*place).is_some_and(|enabled| *enabled));
        rule.inhibits = live.map(|(_, scalar)| scalar.text.into()).collect();
    }
}

/// Whether what is part of something wider can lie in it; if not, that is noted.
fn check_scopes(source: Option<Scope>, target: Option<Scope>, scalar: Scalar<'_>, out: &mut Mistakes) -> bool {
    let (Some(source), Some(target)) = (source, target) else { return true };
    if contains(source, target) {
        return true;
    }
    let message = format!(
        "a rule `per: {}` can't inhibit {}, which is `per: {}`",
        source.as_str(),
        quote(scalar.written),
        target.as_str()
    );
    out.add_hinted(scalar.span, message, "the rule that inhibits must be as wide as the other, or wider");
    false
}

/// Whether keys of one scope can contain keys of the other.
fn contains(source: Scope, target: Scope) -> bool {
    use Scope::{All, App, Domain, Session, Stream, UserIp};
    match source {
        All => true,
        Domain => matches!(target, Domain | App | Stream | Session),
        App => matches!(target, App | Stream | Session),
        Stream => matches!(target, Stream | Session),
        Session => target == Session,
        // A push comes from one address; a domain has many.
        UserIp => matches!(target, UserIp | Stream | Session),
    }
}

/// Notes each circle once, where it closes. Goes through the rules without recursion: a file may chain thousands.
fn check_circles(drafts: &[Draft<'_>], edges: &[Vec<(usize, Scalar<'_>)>], out: &mut Mistakes) {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        No,
        /// On the way that is being gone, at this depth.
        OnTheWay(usize),
        Yes,
    }
    let name = |place: usize| drafts.get(place).and_then(|draft| draft.name).map_or("", |name| name.written);
    let mut seen = vec![Seen::No; drafts.len()];
    for start in 0..drafts.len() {
        if seen[start] != Seen::No {
            continue;
        }
        seen[start] = Seen::OnTheWay(0);
        // Each step: a rule, and how many of its targets were looked at.
        let mut way = vec![(start, 0)];
        while let Some((place, next)) = way.last_mut() {
            let (place, step) = (*place, *next);
            *next += 1;
            let Some((target, scalar)) = edges[place].get(step) else {
                seen[place] = Seen::Yes;
                way.pop();
                continue;
            };
            match seen[*target] {
                Seen::Yes => {}
                Seen::No => {
                    seen[*target] = Seen::OnTheWay(way.len());
                    way.push((*target, 0));
                }
                Seen::OnTheWay(depth) => {
                    out.within(Some(format!("rule {}", quote(name(place)))));
                    let mut circle: Vec<&str> = way[depth..].iter().map(|(place, _)| name(*place)).collect();
                    if circle.len() > MAX_SHOWN {
                        circle.truncate(MAX_SHOWN);
                        circle.push("…");
                    }
                    circle.push(name(*target));
                    let message = format!("`inhibits` goes in a circle: {}", circle.join(" → "));
                    out.add_hinted(scalar.span, message, "remove one of these `inhibits`: the widest is part of none");
                }
            }
        }
    }
}
