//! References in values: `${VAR}` and `${VAR:-default}` from the environment, `{ file: PATH }` from a secret file.
//!
//! The environment comes in as a lookup; reading a named secret file is the only I/O of the rules.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::diagnostic::{Mistakes, quote};
use super::document::{Kind, Node};

/// Largest secret file or resolved value, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// Where references are looked up.
pub(super) struct Sources<'e> {
    /// The environment.
    pub(super) variable: &'e dyn Fn(&str) -> Option<String>,
    /// The folder that relative secret files are looked for in: that of the rules file.
    pub(super) folder: &'e Path,
}

/// Resolves every reference below a node; what can't be resolved is noted and left [`Kind::Broken`].
pub(super) fn resolve(node: &mut Node, sources: &Sources<'_>, out: &mut Mistakes) {
    if let Some(path) = secret_file(node) {
        let written = path.to_owned();
        // A path may name a folder by variable: `${CREDENTIALS_DIRECTORY}/callback_key`.
        node.kind = match expand(path, &node.span, sources.variable, out) {
            None => Kind::Broken,
            Some(path) => match read_secret(&sources.folder.join(&path)) {
                Ok(text) => Kind::Text { text, written },
                Err(why) => {
                    out.add(&node.span, format!("the secret file {} {why}", quote(&written)));
                    Kind::Broken
                }
            },
        };
        return;
    }
    match &mut node.kind {
        Kind::Null | Kind::Broken => {}
        Kind::Seq(items) => items.iter_mut().for_each(|item| resolve(item, sources, out)),
        Kind::Map(entries) => entries.iter_mut().for_each(|(_, value)| resolve(value, sources, out)),
        Kind::Text { text, .. } if !text.contains('$') => {}
        Kind::Text { text, .. } => match expand(text, &node.span, sources.variable, out) {
            Some(expanded) => *text = expanded,
            None => node.kind = Kind::Broken,
        },
    }
}

/// Adds the secret files that a node and what is below it refer to; a path that can't be told is left out.
pub(super) fn secret_files(node: &Node, sources: &Sources<'_>, files: &mut Vec<PathBuf>) {
    if let Some(path) = secret_file(node) {
        let path = expand(path, &node.span, sources.variable, &mut Mistakes::default());
        files.extend(path.map(|path| sources.folder.join(path)));
        return;
    }
    match &node.kind {
        Kind::Null | Kind::Broken | Kind::Text { .. } => {}
        Kind::Seq(items) => items.iter().for_each(|item| secret_files(item, sources, files)),
        Kind::Map(entries) => entries.iter().for_each(|(_, value)| secret_files(value, sources, files)),
    }
}

/// The path of `{ file: PATH }`: a mapping of this one key alone.
fn secret_file(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Map(entries) => match entries.as_slice() {
            [(key, Node { kind: Kind::Text { text, .. }, .. })] if key.text == "file" => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn expand(
    text: &str,
    span: &Range<usize>,
    variable: &dyn Fn(&str) -> Option<String>,
    out: &mut Mistakes,
) -> Option<String> {
    let mut expanded = String::with_capacity(text.len());
    let mut whole = true;
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, tail) = rest.split_at(at);
        expanded.push_str(before);
        if let Some(after) = tail.strip_prefix("$${") {
            expanded.push_str("${");
            rest = after;
            continue;
        }
        let Some(after) = tail.strip_prefix("${") else {
            expanded.push('$');
            rest = &tail[1..];
            continue;
        };
        let Some(end) = after.find('}') else {
            out.add_hinted(span, "a `${` is never closed", "write `${NAME}`; a literal `${` is written `$${`");
            return None;
        };
        let (name, default) = match after[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&after[..end], None),
        };
        match lookup(name, default, variable) {
            Ok(value) => expanded.push_str(&value),
            Err(Missing::Name) => {
                let hint = "a name has letters, digits and `_`; a literal `${` is written `$${`";
                out.add_hinted(span, "this is no name of an environment variable", hint);
                whole = false;
            }
            Err(Missing::Value) => {
                let hint = format!("set it, or give a default: `${{{name}:-…}}`");
                out.add_hinted(span, format!("the environment variable {name} is not set, or empty"), hint);
                whole = false;
            }
        }
        rest = &after[end + 1..];
    }
    expanded.push_str(rest);
    if expanded.len() as u64 > MAX_FILE {
        out.add(span, format!("its value is larger than {} KiB", MAX_FILE / 1024));
        return None;
    }
    whole.then_some(expanded)
}

enum Missing {
    Name,
    Value,
}

fn lookup(name: &str, default: Option<&str>, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, Missing> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.bytes().all(legal) {
        return Err(Missing::Name);
    }
    match (variable(name), default) {
        // As in a shell, `:-` also stands in for an empty value.
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Missing::Value),
    }
}

/// The text of a secret file without the newline at its end. The error completes "the secret file …".
fn read_secret(path: &Path) -> Result<String, String> {
    let told = |error: std::io::Error| format!("can't be read: {error}");
    // Before opening: a pipe would block and a device never end.
    if !path.metadata().map_err(told)?.is_file() {
        return Err("is no regular file".to_owned());
    }
    let mut text = String::new();
    File::open(path).map_err(told)?.take(MAX_FILE + 1).read_to_string(&mut text).map_err(told)?;
    if text.len() as u64 > MAX_FILE {
        return Err(format!("is larger than {} KiB", MAX_FILE / 1024));
    }
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
