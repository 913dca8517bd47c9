//! `where`: conditions as written to typed ones.

use globset::GlobBuilder;

use super::abnormal_type;
use crate::model::catalogue::Unit;
use crate::model::{AbnormalType, Catalogue, EventKind};
use crate::rules::condition::{
    Comparison, Condition, Dimension, EntryField, NumberField, NumberTest, Quantity, TextField, TextTest,
};
use crate::rules::diagnostic::{Mistakes, quote};
use crate::rules::document::{Key, Kind, Node};
use crate::rules::duration;
use crate::rules::reading::{self, Scalar};
use crate::rules::shape;

/// Longest glob, in bytes: its matcher's size grows with it.
const MAX_GLOB: usize = 256;

/// How deep lists and negations may nest.
const MAX_DEPTH: usize = 4;

/// Compiles the conditions of a rule on this kind of event and these types (none means all).
pub(super) fn compile(node: &Node, on: EventKind, types: &[AbnormalType], out: &mut Mistakes) -> Vec<Condition> {
    let Some(fields) = reading::fields(node, &shape::WHERE, out) else { return Vec::new() };
    fields.iter().filter_map(|(key, node)| condition(key, node, on, types, out)).collect()
}

fn condition(key: &Key, node: &Node, on: EventKind, types: &[AbnormalType], out: &mut Mistakes) -> Option<Condition> {
    let text = |field| Some((field, key.text.as_str()));
    let text = match key.text.as_str() {
        "stream" => text(TextField::Stream),
        "domain" => text(TextField::Domain),
        "path" => text(TextField::Path),
        "session" => text(TextField::Session),
        "appid" => text(TextField::Appid),
        "user_ip" => text(TextField::UserIp),
        "node" => text(TextField::Node),
        _ => None,
    };
    if let Some((field, name)) = text {
        return text_test(node, name, 0, out).map(|test| Condition::Text { field, test });
    }
    let sort = match key.text.as_str() {
        "errcode" => Sort::Errcode,
        "push_duration" => Sort::PushDuration,
        "count" => Sort::Count,
        "type" => Sort::Type,
        "value" => Sort::Value(units(types)),
        // Unknown ones were noted with the other keys.
        _ => return None,
    };
    if sort.is_of_entries() != (on == EventKind::PushError) {
        let (message, hint) = match sort.is_of_entries() {
            true => (format!("`{}` is there in push errors only", key.text), "it goes with `on: push_error`"),
            false => (format!("push errors carry no `{}`", key.text), "it goes with `on: push_end`"),
        };
        out.add_hinted(&key.span, message, hint);
        return None;
    }
    let test = number_test(node, &key.text, &sort, 0, out)?;
    Some(match sort {
        Sort::Errcode => Condition::Number { field: NumberField::Errcode, test },
        Sort::PushDuration => Condition::Number { field: NumberField::PushDuration, test },
        Sort::Count => Condition::Entry { field: EntryField::Count, test },
        Sort::Type => Condition::Entry { field: EntryField::Type, test },
        Sort::Value(_) => Condition::Entry { field: EntryField::Value, test },
    })
}

/// What a number condition is on, as far as its numbers are read differently.
enum Sort {
    Errcode,
    PushDuration,
    Count,
    Type,
    /// With the units of the rule's types.
    Value(Vec<Unit>),
}

impl Sort {
    fn is_of_entries(&self) -> bool {
        matches!(self, Sort::Count | Sort::Type | Sort::Value(_))
    }
}

/// The different units in which these types are measured.
fn units(types: &[AbnormalType]) -> Vec<Unit> {
    let all = || (1..=AbnormalType::NAMES.len() as u32).map(AbnormalType);
    let mut units = Vec::new();
    let mut take = |kind| match Catalogue::unit(kind) {
        Some(unit) if !units.contains(&unit) => units.push(unit),
        _ => {}
    };
    match types {
        [] => all().for_each(&mut take),
        some => some.iter().copied().for_each(&mut take),
    }
    units
}

fn text_test(node: &Node, field: &str, depth: usize, out: &mut Mistakes) -> Option<TextTest> {
    if depth > MAX_DEPTH {
        out.add(&node.span, "lists and `not` nest too deep here");
        return None;
    }
    match &node.kind {
        Kind::Seq(items) => {
            check_list(node, items, field, out);
            let tests: Vec<_> = items.iter().map(|item| text_test(item, field, depth + 1, out)).collect();
            Some(TextTest::Any(tests.into_iter().collect::<Option<_>>()?))
        }
        Kind::Map(_) => {
            let inner = negated(node, out)?;
            text_test(inner, field, depth + 1, out).map(|test| TextTest::Not(Box::new(test)))
        }
        _ => {
            let scalar = reading::scalar(node, &format!("`{field}`"), out)?;
            check_pattern_words(scalar, field, out)?;
            match comparison(scalar.text) {
                (Comparison::Equal, rest) => glob(rest, scalar, field, out),
                (Comparison::Unequal, rest) => glob(rest, scalar, field, out).map(|test| TextTest::Not(Box::new(test))),
                _ => {
                    let message = format!("`{field}` is a text and can't be compared with {}", quote(scalar.written));
                    out.add_hinted(scalar.span, message, "give a value, a glob (`live_*`) or a list");
                    None
                }
            }
        }
    }
}

fn glob(pattern: &str, scalar: Scalar<'_>, field: &str, out: &mut Mistakes) -> Option<TextTest> {
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

fn number_test(node: &Node, field: &str, sort: &Sort, depth: usize, out: &mut Mistakes) -> Option<NumberTest> {
    if depth > MAX_DEPTH {
        out.add(&node.span, "lists and `not` nest too deep here");
        return None;
    }
    match &node.kind {
        Kind::Seq(items) => {
            check_list(node, items, field, out);
            let tests: Vec<_> = items.iter().map(|item| number_test(item, field, sort, depth + 1, out)).collect();
            Some(NumberTest::Any(tests.into_iter().collect::<Option<_>>()?))
        }
        Kind::Map(_) => {
            let inner = negated(node, out)?;
            number_test(inner, field, sort, depth + 1, out).map(|test| NumberTest::Not(Box::new(test)))
        }
        _ => {
            let scalar = reading::scalar(node, &format!("`{field}`"), out)?;
            check_pattern_words(scalar, field, out)?;
            let (comparison, rest) = comparison(scalar.text);
            let quantity = match sort {
                Sort::Type => return type_test(comparison, rest, scalar, out),
                _ => quantity(rest),
            };
            match quantity {
                Some(quantity) => {
                    check_quantity(quantity, field, sort, scalar, out)?;
                    Some(NumberTest::Compare(comparison, quantity))
                }
                None => {
                    let message = format!("`{field}` is a number, {} is none", quote(scalar.written));
                    let hint = match sort {
                        Sort::Value(_) | Sort::PushDuration => "such as \">= 3s\", \"< 10\" or a list of numbers",
                        _ => "such as 2, \">= 10\", [1, 2] or { not: [1, 2] }",
                    };
                    out.add_hinted(scalar.span, message, hint);
                    None
                }
            }
        }
    }
}

/// A type by name, number or a glob of names: `*_timestamp_*`.
fn type_test(comparison: Comparison, text: &str, scalar: Scalar<'_>, out: &mut Mistakes) -> Option<NumberTest> {
    let exactly =
        |kind: AbnormalType| NumberTest::Compare(comparison, Quantity { number: f64::from(kind.0), dimension: None });
    if !text.contains('*') {
        return abnormal_type(text, scalar.written, scalar.span, out).map(exactly);
    }
    let test = glob(text, scalar, "type", out)?;
    let named = AbnormalType::NAMES.into_iter().filter(|name| test.holds(name)).filter_map(AbnormalType::from_name);
    let tests: Vec<_> = named
        .map(|kind| NumberTest::Compare(Comparison::Equal, Quantity { number: f64::from(kind.0), dimension: None }))
        .collect();
    match (tests.is_empty(), comparison) {
        (true, _) => {
            out.add(scalar.span, format!("no abnormal type is called like {}", quote(scalar.written)));
            None
        }
        (false, Comparison::Equal) => Some(NumberTest::Any(tests)),
        (false, Comparison::Unequal) => Some(NumberTest::Not(Box::new(NumberTest::Any(tests)))),
        (false, _) => {
            out.add(scalar.span, "names have no order: give a name, a glob or a list");
            None
        }
    }
}

/// Whether the quantity can be compared with the field at all.
fn check_quantity(quantity: Quantity, field: &str, sort: &Sort, scalar: Scalar<'_>, out: &mut Mistakes) -> Option<()> {
    let (problem, hint) = match (sort, quantity.dimension) {
        (Sort::Errcode | Sort::Count | Sort::Type, Some(_)) => {
            (format!("`{field}` has no unit"), "write the number alone".to_owned())
        }
        (Sort::PushDuration, Some(Dimension::Rate | Dimension::Size)) => {
            (format!("`{field}` is a time"), "such as \">= 3s\"".to_owned())
        }
        (Sort::Value(units), _) if units.is_empty() => {
            let hint = "remove the condition, or count reports with `threshold`".to_owned();
            ("no value is measured for these types".to_owned(), hint)
        }
        (Sort::Value(units), None) if units.len() > 1 => {
            let hint = format!("these types are measured in {}: write the unit, as in \">= 3s\"", name_units(units));
            ("a bare number means something else for each of these types".to_owned(), hint)
        }
        (Sort::Value(units), Some(dimension)) if !units.iter().any(|unit| Dimension::of(*unit).0 == dimension) => {
            let hint = format!("they are measured in {}", name_units(units));
            (format!("{} can't be compared with the values of these types", quote(scalar.written)), hint)
        }
        _ => return Some(()),
    };
    out.add_hinted(scalar.span, problem, hint);
    None
}

fn name_units(units: &[Unit]) -> String {
    reading::join(units.iter().map(|unit| match unit {
        Unit::Milliseconds => "milliseconds",
        Unit::Seconds => "seconds",
        Unit::Fps => "frames per second",
        Unit::Bytes => "bytes",
    }))
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

/// Regular expressions are a word of the contract that this version has yet to learn.
fn check_pattern_words(scalar: Scalar<'_>, field: &str, out: &mut Mistakes) -> Option<()> {
    let text = scalar.text.trim_start();
    if text.starts_with("=~") || text.starts_with("!~") {
        let message = format!("`{field}`: regular expressions are not in this version yet");
        out.add_hinted(scalar.span, message, "a glob may do: `live_*`, `cam[0-9]`, `{a,b}`");
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

/// A number with or without a unit: `3000`, `3s`, `1m30s`, `15 fps`, `8KiB`.
fn quantity(text: &str) -> Option<Quantity> {
    if let Ok(number) = text.parse::<f64>() {
        return number.is_finite().then_some(Quantity { number, dimension: None });
    }
    let (number, unit) = text.split_at(text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len()));
    let unit = unit.trim().to_ascii_lowercase();
    let scaled = |factor: f64, dimension: Dimension| {
        let number = number.trim().parse::<f64>().ok().filter(|number| number.is_finite())?;
        Some(Quantity { number: number * factor, dimension: Some(dimension) })
    };
    match unit.as_str() {
        "fps" => scaled(1.0, Dimension::Rate),
        "b" | "byte" | "bytes" => scaled(1.0, Dimension::Size),
        "kb" | "kib" => scaled(1024.0, Dimension::Size),
        "mb" | "mib" => scaled(1024.0 * 1024.0, Dimension::Size),
        _ => {
            let time = duration::parse(text).ok()?;
            Some(Quantity { number: time.as_secs_f64() * 1000.0, dimension: Some(Dimension::Time) })
        }
    }
}
