//! Conditions on texts: plain values, globs, regular expressions, lists and negations.

use globset::GlobBuilder;

use super::{MAX_DEPTH, check_list, comparison, expression, negated};
use crate::rules::condition::{Comparison, TextTest};
use crate::rules::diagnostic::{Mistakes, quote};
use crate::rules::document::{Kind, Node};
use crate::rules::pattern::{self, Pattern};
use crate::rules::reading::{self, Scalar};

/// Longest glob, in bytes: its matcher's size grows with it.
const MAX_GLOB: usize = 256;

/// Compiles a condition on a text. `depth` is how deep in lists and negations it stands.
pub(super) fn test(node: &Node, field: &str, depth: usize, out: &mut Mistakes) -> Option<TextTest> {
    if depth > MAX_DEPTH {
        out.add(&node.span, "lists and `not` nest too deep here");
        return None;
    }
    match &node.kind {
        Kind::Seq(items) => {
            check_list(node, items, field, out);
            let tests: Vec<_> = items.iter().map(|item| test(item, field, depth + 1, out)).collect();
            Some(TextTest::Any(tests.into_iter().collect::<Option<_>>()?))
        }
        Kind::Map(_) => {
            let inner = negated(node, out)?;
            test(inner, field, depth + 1, out).map(|test| TextTest::Not(Box::new(test)))
        }
        _ => {
            let scalar = reading::scalar(node, &format!("`{field}`"), out)?;
            if let Some((pattern, must_match)) = expression(scalar.text) {
                let test = TextTest::Like(like(pattern, scalar, field, out)?);
                return Some(if must_match { test } else { TextTest::Not(Box::new(test)) });
            }
            match comparison(scalar.text) {
                (Comparison::Equal, rest) => glob(rest, scalar, field, out),
                (Comparison::Unequal, rest) => glob(rest, scalar, field, out).map(|test| TextTest::Not(Box::new(test))),
                _ => {
                    let message = format!("`{field}` is a text and can't be compared with {}", quote(scalar.written));
                    out.add_hinted(
                        scalar.span,
                        message,
                        "give a value, a glob (`live_*`), a list or `=~` and a regular expression",
                    );
                    None
                }
            }
        }
    }
}

/// A plain value or a glob.
pub(super) fn glob(pattern: &str, scalar: Scalar<'_>, field: &str, out: &mut Mistakes) -> Option<TextTest> {
    const SPECIAL: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];
    if pattern.is_empty() {
        out.add(scalar.span, format!("`{field}` is empty"));
        return None;
    }
    if !pattern.contains(SPECIAL) {
        return Some(TextTest::Is(pattern.into()));
    }
    match (pattern.strip_suffix('*'), pattern.strip_prefix('*')) {
        (Some(prefix), _) if !prefix.contains(SPECIAL) => return Some(TextTest::Prefix(prefix.into())),
        (_, Some(suffix)) if !suffix.contains(SPECIAL) => return Some(TextTest::Suffix(suffix.into())),
        _ => {}
    }
    if pattern.len() > MAX_GLOB {
        out.add(scalar.span, format!("`{field}`: a glob has at most {MAX_GLOB} bytes"));
        return None;
    }
    match GlobBuilder::new(pattern).backslash_escape(true).build() {
        Ok(glob) => Some(TextTest::Glob(Box::new(glob.compile_matcher()))),
        Err(error) => {
            let message = format!("`{field}`: {} is no glob: {}", quote(scalar.written), error.kind());
            out.add_hinted(
                scalar.span,
                message,
                "`*` any text, `?` one character, `[ab]` one of these, `{a,b}` either",
            );
            None
        }
    }
}

/// A regular expression, which must match the whole text.
pub(super) fn like(pattern: &str, scalar: Scalar<'_>, field: &str, out: &mut Mistakes) -> Option<Pattern> {
    // One without any sign is taken for a search by those who write it, and would match nothing but itself.
    const SIGNS: [char; 14] = ['.', '*', '+', '?', '(', ')', '[', ']', '{', '}', '|', '\\', '^', '$'];
    if pattern.is_empty() {
        out.add_hinted(scalar.span, format!("`{field}`: there is no regular expression"), "such as `=~ live_.*`");
        return None;
    }
    if !pattern.contains(SIGNS) && scalar.is_resolved() {
        let message = format!("`{field}`: with the values of the environment it would match one text alone");
        out.add_hinted(scalar.span, message, "for a text with it in the middle, write `.*` at both ends");
        return None;
    }
    if !pattern.contains(SIGNS) {
        let hint =
            format!("for any text with it in the middle, write `=~ .*{pattern}.*`; for itself, leave out the sign");
        out.add_hinted(scalar.span, format!("`{field}`: {} would match itself alone", quote(pattern)), hint);
        return None;
    }
    match Pattern::new(pattern) {
        Ok(pattern) => Some(pattern),
        Err(_) if scalar.is_resolved() => {
            let message = format!("`{field}`: with the values of the environment this is no regular expression");
            out.add_hinted(scalar.span, message, "see what the variable holds: it is not shown here");
            None
        }
        Err(error) => {
            let message = format!("`{field}`: {}", error.message);
            let hint = error.hint.map(|hint| match pattern::is_glob(pattern) {
                true => format!("{hint}; a glob stands without the sign"),
                false => hint,
            });
            match hint {
                Some(hint) => out.add_hinted(scalar.span, message, hint),
                None => out.add(scalar.span, message),
            }
            None
        }
    }
}
