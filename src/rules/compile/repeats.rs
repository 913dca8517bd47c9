//! Rules that say the same as an earlier one: people would hear everything twice.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::rule::Draft;
use crate::rules::compiled::Rule;
use crate::rules::diagnostic::{Mistakes, quote};
use crate::rules::document::{Kind, Node};
use crate::rules::reading;

/// Notes each enabled rule that fires exactly when an earlier one does, and tells the same people.
pub(super) fn check(drafts: &[Draft<'_>], out: &mut Mistakes) {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for draft in drafts.iter().filter(|draft| draft.enabled && draft.is_clean) {
        let (Some(rule), Some(name)) = (&draft.rule, draft.name) else { continue };
        let substance = substance(rule, draft.node);
        if let Some(first) = seen.get(&substance) {
            out.within(Some(format!("rule {}", quote(name.written))));
            let message = format!("it is the same as rule {}: everything would be told twice", quote(first));
            out.add_hinted(draft.at, message, "remove one of the two, or say what is different");
        } else {
            seen.insert(substance, name.written);
        }
    }
    out.within(None);
}

/// Everything that decides when a rule fires and who hears of it, as a text. The conditions go as they are written.
fn substance(rule: &Rule, node: &Node) -> String {
    let Rule { on, silence, types, per, measure, within, plan, lasting, grace, notify, labels, .. } = rule;
    let active: Vec<&str> = rule.active.iter().map(|interval| &*interval.name).collect();
    let mut text = format!(
        "{on:?} {silence:?} {types:?} {per:?} {measure:?} {within:?} {plan:?} {lasting:?} {grace:?} {notify:?} \
         {labels:?} {active:?} "
    );
    let conditions = reading::named(node, "", &mut Mistakes::default()).and_then(|fields| fields.get("where"));
    if let Some(conditions) = conditions {
        spell(conditions, &mut text);
    }
    text
}

/// A tree as a text that is the same for any order of its keys.
fn spell(node: &Node, text: &mut String) {
    let written = match &node.kind {
        Kind::Null | Kind::Broken => write!(text, "~"),
        Kind::Text { text: value, .. } => write!(text, "{value:?}"),
        Kind::Seq(items) => {
            text.push('[');
            items.iter().for_each(|item| {
                spell(item, text);
                text.push(',');
            });
            write!(text, "]")
        }
        Kind::Map(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|(one, _), (other, _)| one.text.cmp(&other.text));
            text.push('{');
            for (key, value) in entries {
                text.push_str(&key.text);
                text.push(':');
                spell(value, text);
                text.push(',');
            }
            write!(text, "}}")
        }
    };
    // Writing to a text can't fail.
    written.unwrap_or_default();
}
