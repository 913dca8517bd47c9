//! Conditions on the wall clock: the hour and the day of the week.

use super::number::{self, Sort};
use super::{MAX_DEPTH, check_list, check_no_expression, comparison, negated};
use crate::rules::condition::{Comparison, Hours};
use crate::rules::diagnostic::{Mistakes, quote};
use crate::rules::document::{Kind, Node};
use crate::rules::interval::{Weekdays, parse_weekdays};
use crate::rules::reading;

/// Compiles `hour`: what any number takes.
pub(super) fn hours(node: &Node, out: &mut Mistakes) -> Option<Hours> {
    let test = number::test(node, "hour", &Sort::Hour, 0, out)?;
    let hours = Hours::those(|hour| test.holds(f64::from(hour), None));
    if hours.is_empty() {
        out.add_hinted(&node.span, "`hour`: no hour is like that", "hours go from 0 to 23");
        return None;
    }
    Some(hours)
}

/// Compiles `weekday`: a day, a range of days, a list of both, or what is not one of them.
pub(super) fn weekdays(node: &Node, out: &mut Mistakes) -> Option<Weekdays> {
    let days = some_days(node, 0, out)?;
    if days.is_empty() {
        // Of an empty list that was said.
        if matches!(&node.kind, Kind::Seq(items) if items.is_empty()) {
            return None;
        }
        out.add(&node.span, "`weekday`: no day is like that");
        return None;
    }
    Some(days)
}

fn some_days(node: &Node, depth: usize, out: &mut Mistakes) -> Option<Weekdays> {
    if depth > MAX_DEPTH {
        out.add(&node.span, "lists and `not` nest too deep here");
        return None;
    }
    match &node.kind {
        Kind::Seq(items) => {
            check_list(node, items, "weekday", out);
            let days: Vec<_> = items.iter().map(|item| some_days(item, depth + 1, out)).collect();
            days.into_iter().try_fold(Weekdays::default(), |all, days| Some(all.and(days?)))
        }
        Kind::Map(_) => some_days(negated(node, out)?, depth + 1, out).map(Weekdays::others),
        _ => {
            let scalar = reading::scalar(node, "`weekday`", out)?;
            check_no_expression(scalar, "weekday", "such as sat, mon-fri, [mon, wed] or { not: [sat, sun] }", out)?;
            let (comparison, rest) = comparison(scalar.text);
            match (comparison, parse_weekdays(rest)) {
                (Comparison::Equal, Ok(days)) => Some(days),
                (Comparison::Unequal, Ok(days)) => Some(days.others()),
                (_, Ok(_)) => {
                    let message = format!("`weekday` can't be compared with {}", quote(scalar.written));
                    out.add_hinted(scalar.span, message, "the days of the week have no order; a range is mon-fri");
                    None
                }
                (_, Err(_)) if scalar.is_resolved() => {
                    let message = format!("`weekday`: {} names no days", quote(scalar.written));
                    out.add_hinted(scalar.span, message, "see what the variable holds: it is not shown here");
                    None
                }
                (_, Err(error)) => {
                    let message = format!("`weekday`: {}", error.message);
                    out.add_hinted(scalar.span, message, error.hint.unwrap_or_default());
                    None
                }
            }
        }
    }
}
