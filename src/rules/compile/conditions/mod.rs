//! `where`: conditions as written to typed ones.

use jiff::tz::TimeZone;

use self::number::Sort;
use crate::model::{AbnormalType, EventKind};
use crate::rules::condition::{Comparison, Condition, EntryField, NumberField, Test, TextField};
use crate::rules::diagnostic::Mistakes;
use crate::rules::document::{Key, Kind, Node};
use crate::rules::reading::{self, Scalar};
use crate::rules::shape;

mod clock;
mod number;
mod text;

/// How deep lists and negations may nest, and alternatives.
const MAX_DEPTH: usize = 4;

/// Most alternatives of one `any`.
const MAX_ALTERNATIVES: usize = 64;

/// What the conditions of a rule stand on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground<'r> {
    /// The kind of event that the rule listens to.
    pub(super) on: EventKind,
    /// Its abnormal types; none means all.
    pub(super) types: &'r [AbnormalType],
    /// Where the clock for `hour` and `weekday` hangs.
    pub(super) zone: &'r TimeZone,
}

/// Compiles the conditions of a rule.
pub(super) fn compile(node: &Node, ground: &Ground<'_>, out: &mut Mistakes) -> Vec<Condition> {
    all(node, ground, 0, out)
}

fn all(node: &Node, ground: &Ground<'_>, depth: usize, out: &mut Mistakes) -> Vec<Condition> {
    let Some(fields) = reading::fields(node, &shape::WHERE, out) else { return Vec::new() };
    fields.iter().filter_map(|(key, node)| condition(key, node, ground, depth, out)).collect()
}

fn condition(key: &Key, node: &Node, ground: &Ground<'_>, depth: usize, out: &mut Mistakes) -> Option<Condition> {
    // Unknown ones were noted with the other keys.
    let field = shape::WHERE.words.iter().map(|word| word.name).find(|name| *name == key.text)?;
    let zone = || ground.zone.clone();
    let text = match field {
        "stream" => Some(TextField::Stream),
        "domain" => Some(TextField::Domain),
        "path" => Some(TextField::Path),
        "session" => Some(TextField::Session),
        "appid" => Some(TextField::Appid),
        "user_ip" => Some(TextField::UserIp),
        "node" => Some(TextField::Node),
        _ => None,
    };
    let test = match (text, field) {
        (Some(of), _) => Test::Text { field: of, test: text::test(node, field, 0, out)? },
        (None, "any") => Test::Any(alternatives(node, ground, depth, out)?),
        (None, "hour") => Test::Hour { hours: clock::hours(node, out)?, zone: zone() },
        (None, "weekday") => Test::Weekday { days: clock::weekdays(node, out)?, zone: zone() },
        (None, _) => on_number(key, node, ground, out)?,
    };
    if depth == 0 {
        check_types(&test, node, ground, out);
    }
    Some(Condition::new(field, source(node), test))
}

/// Notes a condition on `type` that none of the rule's own types satisfies.
fn check_types(test: &Test, node: &Node, ground: &Ground<'_>, out: &mut Mistakes) {
    let Test::Entry { field: EntryField::Type, test } = test else { return };
    if !ground.types.is_empty() && !ground.types.iter().any(|kind| test.holds(f64::from(kind.0), None)) {
        let hint = "say the types once: in `types`, or here";
        out.add_hinted(&node.span, "it can never hold: none of the rule's `types` is like that", hint);
    }
}

fn on_number(key: &Key, node: &Node, ground: &Ground<'_>, out: &mut Mistakes) -> Option<Test> {
    let sort = match key.text.as_str() {
        "errcode" => Sort::Errcode,
        "push_duration" => Sort::PushDuration,
        "count" => Sort::Count,
        "type" => Sort::Type,
        "value" => Sort::Value(number::units(ground.types)),
        _ => return None,
    };
    if sort.is_of_entries() != (ground.on == EventKind::PushError) {
        let (message, hint) = match sort.is_of_entries() {
            true => (format!("`{}` is there in push errors only", key.text), "it goes with `on: push_error`"),
            false => (format!("push errors carry no `{}`", key.text), "it goes with `on: push_end`"),
        };
        out.add_hinted(&key.span, message, hint);
        return None;
    }
    let test = number::test(node, &key.text, &sort, 0, out)?;
    Some(match sort {
        Sort::PushDuration => Test::Number { field: NumberField::PushDuration, test },
        Sort::Count => Test::Entry { field: EntryField::Count, test },
        Sort::Type => Test::Entry { field: EntryField::Type, test },
        Sort::Value(_) => Test::Entry { field: EntryField::Value, test },
        Sort::Errcode | Sort::Hour => Test::Number { field: NumberField::Errcode, test },
    })
}

/// `any`: a list of mappings, each with conditions of its own.
fn alternatives(node: &Node, ground: &Ground<'_>, depth: usize, out: &mut Mistakes) -> Option<Vec<Vec<Condition>>> {
    const SUCH_AS: &str = "such as `any: [ { stream: \"live_*\" }, { domain: a.example.com, errcode: 2 } ]`";
    let items = match &node.kind {
        Kind::Seq(items) => items,
        Kind::Broken => return None,
        _ => {
            out.add_hinted(&node.span, "`any` must be a list of alternatives", SUCH_AS);
            return None;
        }
    };
    let problem = match items.len() {
        _ if depth >= MAX_DEPTH => "alternatives nest too deep here".to_owned(),
        0 => "`any`: an empty list never holds".to_owned(),
        1..=MAX_ALTERNATIVES => {
            let mut compiled = Vec::new();
            for item in items {
                if matches!(&item.kind, Kind::Map(entries) if entries.is_empty()) {
                    out.add(&item.span, "an alternative without a condition always holds");
                }
                if matches!(item.kind, Kind::Map(_) | Kind::Broken) {
                    compiled.push(all(item, ground, depth + 1, out));
                } else {
                    out.add_hinted(&item.span, "an alternative is a mapping of conditions", SUCH_AS);
                }
            }
            return Some(compiled);
        }
        many => format!("`any` has at most {MAX_ALTERNATIVES} alternatives, this one has {many}"),
    };
    out.add(&node.span, problem);
    None
}

/// A condition as one could write it on one line. What came from the environment stays a reference.
fn source(node: &Node) -> String {
    match &node.kind {
        Kind::Text { written, .. } => written.trim().to_owned(),
        Kind::Seq(items) => format!("[{}]", items.iter().map(source).collect::<Vec<_>>().join(", ")),
        Kind::Map(entries) => {
            let entries = entries.iter().map(|(key, node)| format!("{}: {}", key.text, source(node)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Kind::Null | Kind::Broken => String::new(),
    }
}

fn negated<'n>(node: &'n Node, out: &mut Mistakes) -> Option<&'n Node> {
    let fields = reading::fields(node, &shape::NOT, out)?;
    if fields.iter().next().is_none() {
        out.add_hinted(&node.span, "an empty condition", "a negation is `{ not: … }`");
    }
    fields.get("not")
}

fn check_list(node: &Node, items: &[Node], field: &str, out: &mut Mistakes) {
    if items.is_empty() {
        out.add(&node.span, format!("`{field}`: no value is one of an empty list"));
    }
}

/// The expression behind `=~` or `!~`, and whether it must match.
fn expression(text: &str) -> Option<(&str, bool)> {
    let text = text.trim();
    let like = text.strip_prefix("=~").map(|rest| (rest.trim(), true));
    like.or_else(|| text.strip_prefix("!~").map(|rest| (rest.trim(), false)))
}

/// Notes a regular expression where there is no text for it.
fn check_no_expression(scalar: Scalar<'_>, field: &str, hint: &str, out: &mut Mistakes) -> Option<()> {
    if expression(scalar.text).is_some() {
        out.add_hinted(scalar.span, format!("`{field}` is no text: it takes no regular expression"), hint);
        return None;
    }
    Some(())
}

/// The sign that a condition begins with, and the rest. No sign means equal.
fn comparison(text: &str) -> (Comparison, &str) {
    const SIGNS: [(&str, Comparison); 7] = [
        (">=", Comparison::AtLeast),
        ("<=", Comparison::AtMost),
        ("==", Comparison::Equal),
        ("!=", Comparison::Unequal),
        (">", Comparison::More),
        ("<", Comparison::Less),
        ("=", Comparison::Equal),
    ];
    let text = text.trim();
    let sign = SIGNS.iter().find_map(|(sign, comparison)| Some((*comparison, text.strip_prefix(sign)?.trim_start())));
    sign.unwrap_or((Comparison::Equal, text))
}
