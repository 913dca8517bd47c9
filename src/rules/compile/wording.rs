//! `catalogue`: the operator's own words and severities for abnormal types.

use std::collections::BTreeMap;

use super::{SEVERITIES, abnormal_type};
use crate::model::Catalogue;
use crate::model::catalogue::Override;
use crate::rules::diagnostic::{Mistakes, quote};
use crate::rules::document::Node;
use crate::rules::reading::{self, Fields};
use crate::rules::shape;

/// Longest text of an entry, in characters: a message has six lines.
const MAX_TEXT: usize = 400;

/// Compiles `catalogue`.
pub(super) fn compile(node: &Node, out: &mut Mistakes) -> Catalogue {
    let mut overrides = BTreeMap::new();
    let Some(named) = reading::named(node, "`catalogue`", out) else { return Catalogue::default() };
    for (key, node) in named.iter() {
        out.within(Some(format!("`catalogue` {}", quote(&key.text))));
        let kind = abnormal_type(&key.text, &key.text, &key.span, out);
        let Some(fields) = reading::fields(node, &shape::OVERRIDE, out) else { continue };
        let entry = Override {
            name: text(&fields, "name", out),
            viewers: text(&fields, "viewers", out),
            cause: text(&fields, "cause", out),
            fix: text(&fields, "fix", out),
            severity: fields.get("severity").and_then(|node| reading::choice(node, "`severity`", &SEVERITIES, out)),
        };
        if let Some(kind) = kind
            && overrides.insert(kind, entry).is_some()
        {
            out.add(&key.span, format!("{kind} is here twice, by name and by number"));
        }
    }
    out.within(None);
    Catalogue::new(overrides)
}

fn text(fields: &Fields<'_>, key: &str, out: &mut Mistakes) -> Option<String> {
    let scalar = reading::scalar(fields.get(key)?, &format!("`{key}`"), out)?;
    let text = scalar.text.trim();
    let problem = if text.is_empty() {
        "is empty"
    } else if text.chars().count() > MAX_TEXT {
        "is longer than 400 characters"
    } else if text.chars().any(char::is_control) {
        "must be one line of text"
    } else {
        return Some(text.to_owned());
    };
    out.add(scalar.span, format!("`{key}` {problem}"));
    None
}
