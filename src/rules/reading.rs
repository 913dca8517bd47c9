//! Typed reading of the tree: takes what is there, notes what is wrong with it and goes on.

use std::collections::HashSet;
use std::ops::Range;
use std::time::Duration;

use super::diagnostic::{Mistakes, nearest, quote};
use super::document::{Key, Kind, Node};
use super::duration::{self, Bounds};
use super::shape::{Shape, Word};

/// Most names among which the nearest is looked for: more takes longer than a hint is worth.
const MAX_NEAR: usize = 1_000;

/// A scalar to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scalar<'n> {
    /// Its value; may hold a secret from the environment, so it is not for messages.
    pub(super) text: &'n str,
    /// As it stands in the file: for messages.
    pub(super) written: &'n str,
    /// Where.
    pub(super) span: &'n Range<usize>,
}

impl Scalar<'_> {
    /// Whether the environment or a file has a part in its value: what parsers say of such a text is not shown.
    pub(super) fn is_resolved(&self) -> bool {
        self.text != self.written
    }
}

/// A mapping whose keys are checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'n> {
    entries: &'n [(Key, Node)],
    /// Where to point if a key is missing.
    pub(super) at: &'n Range<usize>,
}

impl<'n> Fields<'n> {
    /// The value of a key, unless it is absent, empty or could not be resolved.
    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        let (_, node) = self.entries.iter().find(|(key, _)| key.text == name)?;
        (!matches!(node.kind, Kind::Null | Kind::Broken)).then_some(node)
    }

    /// Where a key stands, if it is there, whatever its value.
    pub(super) fn key(&self, name: &str) -> Option<&'n Range<usize>> {
        self.entries.iter().find(|(key, _)| key.text == name).map(|(key, _)| &key.span)
    }

    /// All keys and values, without the empty and the unresolved.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'n Key, &'n Node)> {
        let whole = self.entries.iter().filter(|(_, node)| !matches!(node.kind, Kind::Null | Kind::Broken));
        whole.map(|(key, node)| (key, node))
    }
}

/// A mapping with the keys of `shape`; unknown, doubled and empty ones are noted.
pub(super) fn fields<'n>(node: &'n Node, shape: &Shape, out: &mut Mistakes) -> Option<Fields<'n>> {
    fields_of(node, shape.what, &[shape.words], out)
}

/// The same for keys from several tables.
pub(super) fn fields_of<'n>(
    node: &'n Node,
    what: &str,
    tables: &[&'static [Word]],
    out: &mut Mistakes,
) -> Option<Fields<'n>> {
    let fields = named(node, what, out)?;
    for (key, _) in fields.entries {
        let mut words = tables.iter().copied().flatten();
        match words.clone().find(|word| word.name == key.text) {
            Some(_) => {}
            None => {
                let message = format!("{what} has no key {}", quote(&key.text));
                if out.is_flooded() {
                    out.add(&key.span, message);
                    continue;
                }
                let known = words.by_ref().map(|word| word.name);
                match nearest(&key.text, tables.iter().copied().flatten().map(|word| word.name)) {
                    Some(word) => out.add_hinted(&key.span, message, format!("did you mean `{word}`?")),
                    None => out.add_hinted(&key.span, message, format!("it has: {}", join(known))),
                }
            }
        }
    }
    Some(fields)
}

/// A mapping whose keys are names of the operator's own; doubled and empty ones are noted.
pub(super) fn named<'n>(node: &'n Node, what: &str, out: &mut Mistakes) -> Option<Fields<'n>> {
    let entries = match &node.kind {
        Kind::Map(entries) => entries,
        Kind::Broken => return None,
        _ => {
            out.add(&node.span, format!("{what} must be keys with values (`key: value`), this is {}", sort(node)));
            return None;
        }
    };
    let mut seen = HashSet::new();
    for (key, value) in entries {
        if !seen.insert(key.text.as_str()) {
            out.add_hinted(&key.span, format!("{} comes twice", quote(&key.text)), "remove one of the two");
        } else if matches!(value.kind, Kind::Null) {
            out.add_hinted(&key.span, format!("{} has no value", quote(&key.text)), "give it one, or remove the line");
        }
    }
    let at = entries.first().map_or(&node.span, |(key, _)| &key.span);
    Some(Fields { entries, at })
}

/// A single value.
pub(super) fn scalar<'n>(node: &'n Node, what: &str, out: &mut Mistakes) -> Option<Scalar<'n>> {
    match &node.kind {
        Kind::Text { text, written } => Some(Scalar { text, written, span: &node.span }),
        Kind::Broken => None,
        _ => {
            out.add(&node.span, format!("{what} must be a single value, this is {}", sort(node)));
            None
        }
    }
}

/// A list; a single value is a list of one.
pub(super) fn list<'n>(node: &'n Node, what: &str, out: &mut Mistakes) -> &'n [Node] {
    match &node.kind {
        Kind::Seq(items) => items,
        Kind::Text { .. } => std::slice::from_ref(node),
        Kind::Broken => &[],
        Kind::Null | Kind::Map(_) => {
            out.add(&node.span, format!("{what} must be a list (`[a, b]`), this is {}", sort(node)));
            &[]
        }
    }
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node, what: &str, out: &mut Mistakes) -> Option<bool> {
    let scalar = scalar(node, what, out)?;
    match scalar.text {
        "true" => Some(true),
        "false" => Some(false),
        _ => {
            out.add(scalar.span, format!("{what} must be true or false, not {}", quote(scalar.written)));
            None
        }
    }
}

/// A whole number within bounds.
pub(super) fn integer(
    node: &Node,
    what: &str,
    bounds: std::ops::RangeInclusive<i64>,
    out: &mut Mistakes,
) -> Option<i64> {
    let scalar = scalar(node, what, out)?;
    let (low, high) = (bounds.start(), bounds.end());
    match scalar.text.parse::<i64>() {
        Ok(number) if bounds.contains(&number) => Some(number),
        Ok(_) if *high == i64::MAX => {
            out.add(scalar.span, format!("{what} must be at least {low}, not {}", quote(scalar.written)));
            None
        }
        Ok(_) => {
            out.add(scalar.span, format!("{what} must be between {low} and {high}, not {}", quote(scalar.written)));
            None
        }
        Err(_) => {
            out.add(scalar.span, format!("{what} must be a whole number, not {}", quote(scalar.written)));
            None
        }
    }
}

/// A duration within bounds.
pub(super) fn duration(node: &Node, what: &str, bounds: Bounds, out: &mut Mistakes) -> Option<Duration> {
    let scalar = scalar(node, what, out)?;
    match duration::parse(scalar.text).and_then(|duration| bounds.check(duration)) {
        Ok(duration) => Some(duration),
        Err(error) => {
            out.add_hinted(
                scalar.span,
                format!("{what}: {} {error}", quote(scalar.written)),
                bounds.hint(&error, scalar.written),
            );
            None
        }
    }
}

/// One of some words.
pub(super) fn choice<T: Copy>(node: &Node, what: &str, words: &[(&str, T)], out: &mut Mistakes) -> Option<T> {
    let scalar = scalar(node, what, out)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == scalar.text) {
        return Some(*value);
    }
    let message = format!("{what} can't be {}", quote(scalar.written));
    match nearest(scalar.written, words.iter().map(|(word, _)| *word)) {
        Some(word) => out.add_hinted(scalar.span, message, format!("did you mean `{word}`?")),
        None => out.add_hinted(scalar.span, message, format!("it is one of: {}", join(words.iter().map(|(w, _)| *w)))),
    }
    None
}

/// Notes that a name is of nothing that exists, with the nearest one that is; `none` is the hint if there is none at all.
pub(super) fn unknown<'a>(
    scalar: Scalar<'_>,
    message: String,
    known: impl Iterator<Item = &'a str> + Clone,
    none: &str,
    out: &mut Mistakes,
) {
    if out.is_flooded() {
        return out.add(scalar.span, message);
    }
    let hint = match nearest(scalar.written, known.clone().take(MAX_NEAR)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.clone().next().is_none() => none.to_owned(),
        None => {
            let more = if known.clone().nth(20).is_some() { ", …" } else { "" };
            format!("there are: {}{more}", join(known.take(20)))
        }
    };
    out.add_hinted(scalar.span, message, hint);
}

/// Where in the file a part of a scalar's value stands; the whole scalar if it is not written as it is meant (escapes,
/// references, several lines).
pub(super) fn place(scalar: Scalar<'_>, part: Range<usize>) -> Range<usize> {
    let (span, length) = (scalar.span, scalar.text.len());
    // Quotes are one byte at each end.
    let quote = match span.len().checked_sub(length) {
        Some(0) => 0,
        Some(2) => 1,
        _ => return span.clone(),
    };
    if scalar.text != scalar.written || part.end > length {
        return span.clone();
    }
    let start = span.start + quote;
    start + part.start.min(part.end)..start + part.end
}

/// Names in a row for a hint.
pub(super) fn join<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn sort(node: &Node) -> &'static str {
    match node.kind {
        Kind::Null => "empty",
        Kind::Text { .. } | Kind::Broken => "a single value",
        Kind::Seq(_) => "a list",
        Kind::Map(_) => "a mapping",
    }
}
