//! Conditions on numbers: plain values, comparisons, lists and negations, with or without a unit.

use super::{MAX_DEPTH, check_list, check_no_expression, comparison, expression, negated, text};
use crate::model::catalogue::Unit;
use crate::model::{AbnormalType, Catalogue};
use crate::rules::compile::abnormal_type;
use crate::rules::condition::{Comparison, Dimension, NumberTest, Quantity};
use crate::rules::diagnostic::{Mistakes, quote};
use crate::rules::document::{Kind, Node};
use crate::rules::duration;
use crate::rules::reading::{self, Scalar};

/// What a number condition is on, as far as its numbers are read differently.
pub(super) enum Sort {
    /// Why a push ended.
    Errcode,
    /// How long it lasted.
    PushDuration,
    /// The hour of the day.
    Hour,
    /// An entry's count.
    Count,
    /// An entry's type.
    Type,
    /// A measured value, with the units of the rule's types.
    Value(Vec<Unit>),
}

impl Sort {
    /// Whether it is about the entries of push errors.
    pub(super) fn is_of_entries(&self) -> bool {
        matches!(self, Sort::Count | Sort::Type | Sort::Value(_))
    }

    /// What may be written, for hints.
    fn such_as(&self) -> &'static str {
        match self {
            Sort::Value(_) | Sort::PushDuration => "such as \">= 3s\", \"< 10\" or a list of numbers",
            Sort::Hour => "such as 9, \">= 22\", [22, 23, 0] or { not: [9, 10] }",
            Sort::Errcode | Sort::Count | Sort::Type => "such as 2, \">= 10\", [1, 2] or { not: [1, 2] }",
        }
    }
}

/// The different units in which these types are measured.
pub(super) fn units(types: &[AbnormalType]) -> Vec<Unit> {
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

/// Compiles a condition on a number. `depth` is how deep in lists and negations it stands.
pub(super) fn test(node: &Node, field: &str, sort: &Sort, depth: usize, out: &mut Mistakes) -> Option<NumberTest> {
    if depth > MAX_DEPTH {
        out.add(&node.span, "lists and `not` nest too deep here");
        return None;
    }
    match &node.kind {
        Kind::Seq(items) => {
            check_list(node, items, field, out);
            let tests: Vec<_> = items.iter().map(|item| test(item, field, sort, depth + 1, out)).collect();
            Some(NumberTest::Any(tests.into_iter().collect::<Option<_>>()?))
        }
        Kind::Map(_) => {
            let inner = negated(node, out)?;
            test(inner, field, sort, depth + 1, out).map(|test| NumberTest::Not(Box::new(test)))
        }
        _ => {
            let scalar = reading::scalar(node, &format!("`{field}`"), out)?;
            if !matches!(sort, Sort::Type) {
                check_no_expression(scalar, field, sort.such_as(), out)?;
            }
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
                        Sort::Hour if rest.contains(['-', ':']) => {
                            "write the hours out, [22, 23, 0, 1]; times such as 22:00-07:00 go into `active`"
                        }
                        sort => sort.such_as(),
                    };
                    out.add_hinted(scalar.span, message, hint);
                    None
                }
            }
        }
    }
}

/// A type by name, number or a glob of names: `*_timestamp_*`.
fn type_test(comparison: Comparison, written: &str, scalar: Scalar<'_>, out: &mut Mistakes) -> Option<NumberTest> {
    let exactly =
        |kind: AbnormalType| NumberTest::Compare(comparison, Quantity { number: f64::from(kind.0), dimension: None });
    if let Some((pattern, must_match)) = expression(scalar.text) {
        let pattern = text::like(pattern, scalar, "type", out)?;
        let test = named(|name| pattern.holds(name), scalar, out)?;
        return Some(if must_match { test } else { NumberTest::Not(Box::new(test)) });
    }
    if !written.contains('*') {
        return abnormal_type(written, scalar.written, scalar.span, out).map(exactly);
    }
    let glob = text::glob(written, scalar, "type", out)?;
    let test = named(|name| glob.holds(name), scalar, out)?;
    match comparison {
        Comparison::Equal => Some(test),
        Comparison::Unequal => Some(NumberTest::Not(Box::new(test))),
        _ => {
            out.add(scalar.span, "names have no order: give a name, a glob or a list");
            None
        }
    }
}

/// One of the types with such a name.
fn named(is_meant: impl Fn(&str) -> bool, scalar: Scalar<'_>, out: &mut Mistakes) -> Option<NumberTest> {
    let names = AbnormalType::NAMES.into_iter().filter(|name| is_meant(name));
    let tests: Vec<_> = names
        .filter_map(AbnormalType::from_name)
        .map(|kind| NumberTest::Compare(Comparison::Equal, Quantity { number: f64::from(kind.0), dimension: None }))
        .collect();
    if tests.is_empty() {
        out.add(scalar.span, format!("no abnormal type is called like {}", quote(scalar.written)));
        return None;
    }
    Some(NumberTest::Any(tests))
}

/// Whether the quantity can be compared with the field at all.
fn check_quantity(quantity: Quantity, field: &str, sort: &Sort, scalar: Scalar<'_>, out: &mut Mistakes) -> Option<()> {
    let (problem, hint) = match (sort, quantity.dimension) {
        (Sort::Errcode | Sort::Count | Sort::Type | Sort::Hour, Some(_)) => {
            (format!("`{field}` has no unit"), "write the number alone".to_owned())
        }
        (Sort::Hour, None) if !(0.0..24.0).contains(&quantity.number) || quantity.number.fract() != 0.0 => {
            ("an hour is a whole number from 0 to 23".to_owned(), "midnight is 0, noon is 12".to_owned())
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
