//! `labels`, `annotations` and `group_by`: what incidents of a rule are called, sent and grouped by.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use crate::model::Labels;
use crate::rules::compiled::GroupBy;
use crate::rules::diagnostic::{Mistakes, quote};
use crate::rules::document::{Kind, Node};
use crate::rules::reading::{self, Fields, Scalar};
use crate::rules::shape::BUILT_IN_LABELS;

/// Most labels, and most annotations, of a rule: each incident carries them.
const MAX_ENTRIES: usize = 16;

/// Longest name of a label or annotation, in characters.
const MAX_NAME: usize = 64;

/// Longest value of a label, and of an annotation, in characters: a message shows them.
const MAX_LABEL: usize = 128;
const MAX_ANNOTATION: usize = 400;

/// The labels that can be asked for: the built-in ones and those that any rule gives.
pub(super) struct LabelNames(BTreeSet<String>);

impl LabelNames {
    /// Looks through the whole file; mistakes are for those who read the labels themselves.
    pub(super) fn collect(top: &Fields<'_>) -> LabelNames {
        let mut names: BTreeSet<String> = BUILT_IN_LABELS.map(str::to_owned).into();
        let mut take = |section: &Node| {
            let Kind::Map(entries) = &section.kind else { return };
            for (_, labels) in entries.iter().filter(|(key, _)| key.text == "labels") {
                let Kind::Map(labels) = &labels.kind else { continue };
                let legal = labels.iter().filter(|(name, _)| is_name(&name.text));
                names.extend(legal.map(|(name, _)| name.text.clone()));
            }
        };
        top.get("defaults").into_iter().for_each(&mut take);
        if let Some(Node { kind: Kind::Seq(rules), .. }) = top.get("rules") {
            rules.iter().for_each(&mut take);
        }
        LabelNames(names)
    }

    /// Whether there is such a label; if not, that is noted.
    pub(super) fn check(&self, scalar: Scalar<'_>, name: &str, at: &Range<usize>, out: &mut Mistakes) -> bool {
        if self.0.contains(name) {
            return true;
        }
        if scalar.is_resolved() && scalar.text != name {
            let message = "with the values of the environment this asks for a label that no rule gives";
            out.add_hinted(scalar.span, message, "see what the variable holds: it is not shown here");
            return false;
        }
        let written = Scalar { text: name, written: if scalar.text == name { scalar.written } else { name }, span: at };
        let message = format!("no rule gives a label {}", quote(written.written));
        reading::unknown(written, message, self.0.iter().map(String::as_str), "", out);
        false
    }
}

/// The `labels` of a rule or of `defaults`, on top of those that hold otherwise. An empty one takes one away.
pub(super) fn labels(fields: &Fields<'_>, base: &Labels, out: &mut Mistakes) -> Labels {
    texts(fields, "labels", base, MAX_LABEL, out)
}

/// The same for `annotations`.
pub(super) fn annotations(fields: &Fields<'_>, base: &Labels, out: &mut Mistakes) -> Labels {
    texts(fields, "annotations", base, MAX_ANNOTATION, out)
}

fn texts(fields: &Fields<'_>, section: &str, base: &Labels, longest: usize, out: &mut Mistakes) -> Labels {
    let what = format!("`{section}`");
    let Some(node) = fields.get(section) else { return Arc::clone(base) };
    let Some(named) = reading::named(node, &what, out) else { return Arc::clone(base) };
    let mut texts: BTreeMap<Box<str>, Box<str>> = BTreeMap::clone(base);
    for (key, node) in named.iter() {
        if !check_name(&key.text, &key.span, section, out) {
            continue;
        }
        let name = quote(&key.text);
        let Some(scalar) = reading::scalar(node, &name, out) else { continue };
        let text = scalar.text.trim();
        if text.is_empty() {
            texts.remove(key.text.as_str());
        } else if text.chars().count() > longest {
            out.add(scalar.span, format!("{name} is longer than {longest} characters"));
        } else if text.chars().any(char::is_control) {
            out.add(scalar.span, format!("{name} must be one line of text"));
        } else {
            texts.insert(key.text.as_str().into(), text.into());
        }
    }
    if texts.len() > MAX_ENTRIES {
        let at = fields.key(section).unwrap_or(&node.span);
        out.add(at, format!("{what}: there may be {MAX_ENTRIES} at most, with those of `defaults`"));
    }
    Arc::new(texts)
}

fn check_name(name: &str, at: &Range<usize>, section: &str, out: &mut Mistakes) -> bool {
    if !is_name(name) {
        let message = format!("{} can't be a name in `{section}`", quote(name));
        out.add_hinted(at, message, "names have up to 64 letters, digits and `_`, and begin with no digit");
        return false;
    }
    if section == "labels" && BUILT_IN_LABELS.contains(&name) {
        let message = format!("every incident has a label `{name}` already");
        out.add_hinted(at, message, "give it another name");
        return false;
    }
    true
}

fn is_name(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && name.len() <= MAX_NAME
}

/// `group_by`: which incidents share a message.
pub(super) fn group_by(node: &Node, known: &LabelNames, out: &mut Mistakes) -> GroupBy {
    let mut names: Vec<Box<str>> = Vec::new();
    for item in reading::list(node, "`group_by`", out) {
        let Some(scalar) = reading::scalar(item, "a label", out) else { continue };
        if !known.check(scalar, scalar.text, scalar.span, out) {
            continue;
        }
        if names.iter().any(|name| **name == *scalar.text) {
            out.add(scalar.span, format!("{} is listed twice", quote(scalar.written)));
        } else {
            names.push(scalar.text.into());
        }
    }
    match names.as_slice() {
        [one] if **one == *"stream" => GroupBy::Stream,
        _ => GroupBy::Labels(names),
    }
}
