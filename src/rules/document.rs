//! YAML as a tree in which every key and value knows its place; the only file that knows the YAML library.
//!
//! A tree instead of derived structs, because a derived struct stops at its first mistake and an operator
//! wants to hear of all of them at once.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Location, Spanned};

/// Longest `rules.yaml`, in bytes: thousands of rules fit.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// Deepest nesting; the contract's own shapes need eight.
const MAX_DEPTH: usize = 24;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    /// Bytes of the text.
    pub(super) span: Range<usize>,
    /// What it is.
    pub(super) kind: Kind,
}

/// What a value is. Numbers and booleans stay text: what they mean is for the reader to say.
#[derive(Debug)]
pub(super) enum Kind {
    /// Nothing was written.
    Null,
    /// A scalar.
    Text {
        /// Its value, environment references resolved.
        text: String,
        /// Its value as written; equal to `text` where nothing was resolved.
        written: String,
    },
    /// A list.
    Seq(Vec<Node>),
    /// A mapping, in order; a key may come twice.
    Map(Vec<(Key, Node)>),
    /// Could not be resolved; that was said already.
    Broken,
}

/// A key of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// Its text.
    pub(super) text: String,
    /// Bytes of the text.
    pub(super) span: Range<usize>,
}

/// Why a text is no YAML document.
#[derive(Debug)]
pub(super) struct SyntaxError {
    /// Where the parser gave up.
    pub(super) at: usize,
    /// In its words.
    pub(super) message: String,
    /// What may help.
    pub(super) hint: Option<String>,
}

/// Reads the one document of a text.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut node: Node = serde_saphyr::from_str_with_options(text, options()).map_err(|e| explain(text, &e))?;
    settle(&mut node, text);
    Ok(node)
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        // Sized for MAX_BYTES of real rules; an alias bomb ends in milliseconds.
        budget: serde_saphyr::budget! {
            max_events: 400_000,
            max_nodes: 200_000,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_merge_keys: 1_000,
            max_documents: 1,
            max_recorded_anchor_events: 50_000,
            max_recorded_anchor_bytes: 2 * 1024 * 1024,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 50_000,
            max_replay_stack_depth: MAX_DEPTH,
        },
        // Duplicates are passed on, so that they are reported with everything else.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn explain(text: &str, error: &Error) -> SyntaxError {
    let error = error.without_snippet();
    let at = error.location().map_or(0, |location| offset(text, &location));
    let (message, hint) = match error {
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } | Error::MultipleDocuments { .. } => {
            ("a second document begins here".to_owned(), Some("one file is one document: remove the `---`"))
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            (format!("nested more than {MAX_DEPTH} levels deep"), None)
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => too_much(),
        Error::UnknownAnchor { .. } => (
            "an unquoted `*` refers to an anchor, and there is none of this name".to_owned(),
            Some("quote it, if a glob is meant: \"*.example.com\""),
        ),
        Error::NullIntoString { .. } => ("a key is missing before the `:`".to_owned(), None),
        Error::Unexpected { .. } => ("a key must be a plain word".to_owned(), None),
        _ if text[at..].starts_with(['>', '|']) => {
            ("an unquoted `>` or `|` begins a block of text".to_owned(), Some("quote the comparison: \">= 3s\""))
        }
        other => {
            let said = other.to_string();
            // The place is shown apart; the library appends it.
            let said = said.split(" at line ").next().unwrap_or_default().to_owned();
            match said.as_str() {
                // The same inside of an anchor, where the library only has words for it.
                said if said.starts_with("budget breached") => return at_place(at, too_much()),
                said if said.starts_with("recursion limit") => {
                    return at_place(at, (format!("nested more than {MAX_DEPTH} levels deep"), None));
                }
                said if said.starts_with("recursive references") => {
                    let hint = "name another anchor, or write out what is meant";
                    return at_place(at, ("this anchor would contain itself".to_owned(), Some(hint)));
                }
                _ => {}
            }
            let hint = match said.as_str() {
                said if said.starts_with("unsupported tag") => Some("quote a value that begins with `!`"),
                said if said.starts_with("while parsing a block") => {
                    Some("is a line indented differently from its neighbours?")
                }
                _ => hint_for(text, at),
            };
            (said, hint)
        }
    };
    at_place(at, (message, hint))
}

fn at_place(at: usize, (message, hint): (String, Option<&'static str>)) -> SyntaxError {
    SyntaxError { at, message, hint: hint.map(str::to_owned) }
}

fn too_much() -> (String, Option<&'static str>) {
    (
        "too much of it: more values, or more copies of an anchor, than a rules file may have".to_owned(),
        Some("write the values out, or split the work over several pushwatch processes"),
    )
}

/// What usually lies behind a syntax error, judged by the text at its place.
fn hint_for(text: &str, at: usize) -> Option<&'static str> {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].split('\n').next().unwrap_or_default();
    let indent = &line[..line.len() - line.trim_start().len()];
    if indent.contains('\t') {
        return Some("YAML is indented with spaces alone: replace the tab");
    }
    match text[at..].chars().next() {
        Some('*' | '&' | '!' | '%' | '@' | '`') => Some("quote a value that begins with this sign"),
        Some(':') => {
            Some("a `: ` inside a value needs quotes; or the line is indented differently from its neighbours")
        }
        _ => None,
    }
}

/// Byte offset of a place that the library may give only as line and column.
fn offset(text: &str, location: &Location) -> usize {
    let at = match location.span().byte_offset() {
        Some(at) => usize::try_from(at).unwrap_or(usize::MAX),
        None => {
            let line = usize::try_from(location.line()).unwrap_or(0).saturating_sub(1);
            let column = usize::try_from(location.column()).unwrap_or(0).saturating_sub(1);
            let start = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
            let rest = text.get(start..).unwrap_or_default();
            start + rest.chars().take(column).map(char::len_utf8).sum::<usize>()
        }
    };
    text.floor_char_boundary(at.min(text.len()))
}

fn range(location: &Location) -> Range<usize> {
    let span = location.span();
    let part = |value: Option<u64>| usize::try_from(value.unwrap_or(0)).unwrap_or(0);
    let start = part(span.byte_offset());
    start..start.saturating_add(part(span.byte_len()))
}

/// The library resolves `0x1F`, `1e3` and `true`; the text as it was typed is what rules compare with.
fn settle(node: &mut Node, source: &str) {
    let end = source.floor_char_boundary(node.span.end.min(source.len()));
    let start = source.floor_char_boundary(node.span.start.min(end));
    node.span = start..end;
    match &mut node.kind {
        Kind::Null | Kind::Broken => {}
        Kind::Text { text, written } => {
            if written.is_empty() && !text.is_empty() {
                let typed = source[start..end].trim();
                if !typed.is_empty() {
                    *text = typed.to_owned();
                }
                written.clone_from(text);
            }
        }
        Kind::Seq(items) => items.iter_mut().for_each(|item| settle(item, source)),
        Kind::Map(entries) => {
            for (key, value) in entries {
                let end = source.floor_char_boundary(key.span.end.min(source.len()));
                key.span = source.floor_char_boundary(key.span.start.min(end))..end;
                settle(value, source);
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        let Spanned { value, defined, .. } = Spanned::<Kind>::deserialize(deserializer)?;
        // Of an alias the definition is shown: that is what has to be mended.
        Ok(Node { span: range(&defined), kind: value })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        let Spanned { value, defined, .. } = Spanned::<String>::deserialize(deserializer)?;
        Ok(Key { text: value, span: range(&defined) })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

fn quoted(text: &str) -> Kind {
    Kind::Text { text: text.to_owned(), written: text.to_owned() }
}

/// A value the library has resolved; [`settle`] puts back what was typed.
fn resolved(value: impl fmt::Display) -> Kind {
    Kind::Text { text: value.to_string(), written: String::new() }
}

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(resolved(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(resolved(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(resolved(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        Ok(resolved(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(quoted(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Kind::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Kind::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(node: &Node, out: &mut Vec<(String, usize)>) {
        match &node.kind {
            Kind::Null | Kind::Broken => out.push(("~".to_owned(), node.span.start)),
            Kind::Text { text, .. } => out.push((text.clone(), node.span.start)),
            Kind::Seq(items) => items.iter().for_each(|item| texts(item, out)),
            Kind::Map(entries) => entries.iter().for_each(|(key, value)| {
                out.push((format!("{}:", key.text), key.span.start));
                texts(value, out);
            }),
        }
    }

    fn read(text: &str) -> Vec<String> {
        let mut out = Vec::new();
        texts(&parse(text).unwrap(), &mut out);
        out.into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn scalars_stay_as_typed() {
        let text = "a: [1, 0x1F, 1.50, 007, 1e999, .nan, true, no, \"q\\\"uo\", 99999999999999999999999, ~]";
        let want = ["a:", "1", "0x1F", "1.50", "007", "1e999", ".nan", "true", "no", "q\"uo"];
        let got = read(text);
        assert_eq!(got[..10], want);
        assert_eq!(got[10..], ["99999999999999999999999", "~"]);
    }

    #[test]
    fn places_are_bytes_of_the_text_also_after_wide_characters_and_through_aliases() {
        let text = "# 流\nbase: &b { x: 1 }\nuse: *b\n<<: *b\n";
        let mut out = Vec::new();
        texts(&parse(text).unwrap(), &mut out);
        for (word, at) in out {
            let word = word.trim_end_matches(':');
            assert!(text[at..].starts_with(word), "{word} at {at}");
        }
    }

    #[test]
    fn duplicate_keys_are_passed_on() {
        assert_eq!(read("a: 1\na: 2\n"), ["a:", "1", "a:", "2"]);
    }

    #[test]
    fn syntax_errors_have_a_place_and_a_hint() {
        let cases = [
            ("a:\n\tb: 1\n", 4, "replace the tab"),
            ("a: >= 3\n", 3, "quote the comparison"),
            ("a: *.example.com\n", 3, "quote it, if a glob is meant"),
            ("a: !~ x\n", 6, "quote a value"),
            ("a: b: c\n", 4, "needs quotes"),
            ("a: 1\n---\nb: 2\n", 5, "one document"),
        ];
        for (text, at, hint) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.hint.as_deref().is_some_and(|h| h.contains(hint)), "{text:?}: {error:?}");
            assert_eq!(error.at, at, "{text:?}: {error:?}");
            assert!(!error.message.contains(" at line "), "{error:?}");
        }
    }

    #[test]
    fn bombs_of_every_sort_end_early() {
        let aliases = (1..9).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, i| {
            format!("{text}a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(","))
        });
        let nested: String = (0..5000).map(|i| " ".repeat(i) + "a:\n").collect();
        for bomb in [aliases, "[".repeat(5000), "{a: ".repeat(5000), "- ".repeat(5000), nested, "- a\n".repeat(1 << 18)]
        {
            let error = parse(&bomb).unwrap_err();
            let plain = ["too much of it", "nested more than"];
            assert!(plain.iter().any(|words| error.message.starts_with(words)), "{error:?}");
            assert!(error.hint.is_none_or(|hint| hint.starts_with("write the values out")), "a wrong hint");
        }
        let circle = parse("a: &a { <<: *a }\n").unwrap_err();
        assert_eq!(circle.message, "this anchor would contain itself");
    }
}
