//! Which bytes of rules.yaml are secrets, and how a line of it is shown without them.

use std::ops::Range;

use super::document::{Kind, Node};
use super::shape;

/// What stands in a secret's place.
const MASK: &str = "***";

/// The secrets of a parsed text: values of the keys that hold them, wherever these are written, and every
/// value of `tencent` and `channels` under a key that is not known to be harmless (a misspelt `tokn:`).
pub(super) fn find(root: &Node) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    match &root.kind {
        Kind::Map(entries) => {
            for (key, value) in entries {
                match (key.text.as_str(), &value.kind) {
                    ("channels", Kind::Map(channels)) => {
                        channels.iter().for_each(|(_, channel)| walk(channel, true, &mut secrets));
                    }
                    ("channels" | "tencent", _) => walk(value, true, &mut secrets),
                    (top, _) if shape::is_top(top) => walk(value, false, &mut secrets),
                    _ => hide(value, &mut secrets),
                }
            }
        }
        _ => hide(root, &mut secrets),
    }
    secrets.sort_by_key(|range| range.start);
    secrets
}

/// Takes the secrets out of what messages quote, also where an alias carries one to another place.
pub(super) fn veil(node: &mut Node, secrets: &[Range<usize>]) {
    let is_secret = |span: &Range<usize>| {
        let after = secrets.partition_point(|secret| secret.start <= span.start);
        after.checked_sub(1).and_then(|at| secrets.get(at)).is_some_and(|secret| span.start < secret.end)
    };
    match &mut node.kind {
        Kind::Text { written, .. } if is_secret(&node.span) => MASK.clone_into(written),
        Kind::Seq(items) => items.iter_mut().for_each(|item| veil(item, secrets)),
        Kind::Map(entries) => entries.iter_mut().for_each(|(_, value)| veil(value, secrets)),
        Kind::Null | Kind::Text { .. } | Kind::Broken => {}
    }
}

/// The secrets of a text that could not be parsed, judged line by line and rather too much than too little.
pub(super) fn guess(text: &str) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    let mut inherited = false;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let code = line.trim_end();
        match first_unsafe_value(code) {
            Keys::None if inherited => secrets.push(start + indent(code)..start + code.len()),
            Keys::None | Keys::Comment => {}
            Keys::Harmless => inherited = false,
            Keys::Unsafe(at) => {
                inherited = true;
                secrets.push(start + at..start + code.len());
            }
        }
        start += line.len();
    }
    secrets.retain(|range| !is_reference(&text[range.clone()]));
    secrets
}

/// A line with its secrets masked, and where its marked bytes are then.
pub(super) fn show(
    text: &str,
    line: &Range<usize>,
    marked: &Range<usize>,
    secrets: &[Range<usize>],
) -> (String, Range<usize>) {
    let mut shown = String::with_capacity(line.len());
    let mut at = line.start;
    let (mut from, mut to) = (None, None);
    let hidden = secrets.iter().filter(|range| range.start < line.end && range.end > line.start);
    for secret in hidden {
        let secret = secret.start.max(line.start)..secret.end.min(line.end);
        if secret.end <= at {
            continue;
        }
        copy(text, at..secret.start.max(at), marked, &mut shown, (&mut from, &mut to));
        if secret.contains(&marked.start) {
            from = Some(shown.len());
        }
        shown.push_str(MASK);
        if secret.contains(&marked.end) || secret.end == marked.end {
            to = Some(shown.len());
        }
        at = secret.end;
    }
    copy(text, at..line.end, marked, &mut shown, (&mut from, &mut to));
    let from = from.unwrap_or(shown.len());
    let to = to.unwrap_or(shown.len()).max(from);
    (shown, from..to)
}

fn copy(
    text: &str,
    part: Range<usize>,
    marked: &Range<usize>,
    shown: &mut String,
    (from, to): (&mut Option<usize>, &mut Option<usize>),
) {
    if part.contains(&marked.start) {
        *from = Some(shown.len() + marked.start - part.start);
    }
    if part.contains(&marked.end) {
        *to = Some(shown.len() + marked.end - part.start);
    }
    shown.push_str(&text[part]);
}

fn walk(node: &Node, strict: bool, secrets: &mut Vec<Range<usize>>) {
    match &node.kind {
        Kind::Map(entries) => {
            for (key, value) in entries {
                match shape::is_secret(&key.text) || (strict && !shape::is_harmless(&key.text)) {
                    true => hide(value, secrets),
                    false => walk(value, false, secrets),
                }
            }
        }
        _ if strict => hide(node, secrets),
        Kind::Seq(items) => items.iter().for_each(|item| walk(item, false, secrets)),
        Kind::Null | Kind::Text { .. } | Kind::Broken => {}
    }
}

/// Hides every value below, apart from references to the environment and to secret files.
fn hide(node: &Node, secrets: &mut Vec<Range<usize>>) {
    match &node.kind {
        Kind::Null | Kind::Broken => {}
        Kind::Text { written, .. } if is_reference(written) => {}
        Kind::Text { .. } => secrets.push(node.span.clone()),
        Kind::Seq(items) => items.iter().for_each(|item| hide(item, secrets)),
        Kind::Map(entries) => {
            let is_file = entries.len() == 1 && entries.iter().all(|(key, _)| key.text == "file");
            if !is_file {
                entries.iter().for_each(|(_, value)| hide(value, secrets));
            }
        }
    }
}

/// Whether a value is nothing but `${NAME}`, so that showing it tells no secret.
fn is_reference(written: &str) -> bool {
    let inner = written.trim().trim_matches(['"', '\'']).strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|name| {
        let name = name.strip_suffix(":-").unwrap_or(name);
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

enum Keys {
    None,
    Comment,
    Harmless,
    /// Byte in the line at which the value of the first key that may hold a secret begins.
    Unsafe(usize),
}

fn first_unsafe_value(line: &str) -> Keys {
    if line.trim_start().starts_with('#') {
        return Keys::Comment;
    }
    let mut found = Keys::None;
    for (colon, _) in line.match_indices(':') {
        let rest = &line[colon + 1..];
        let before = line[..colon].trim_end().trim_end_matches(['"', '\'']);
        let word_start = before
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let word = &before[word_start..];
        if word.is_empty() || shape::is_secret(word) || !shape::is_known(word) {
            return Keys::Unsafe(colon + 1 + indent(rest));
        }
        found = Keys::Harmless;
    }
    found
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
