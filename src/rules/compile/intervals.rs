//! `time_intervals`, and the names of them in `active`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::{check_name, zone};
use crate::model::Timestamp;
use crate::rules::diagnostic::{Mistakes, quote};
use crate::rules::document::{Kind, Node};
use crate::rules::interval::{self, PartError, Parts, TimeInterval};
use crate::rules::reading::{self, Fields, Scalar};
use crate::rules::shape;

/// Most intervals of a file: each is looked through for years to see that it ever holds.
const MAX_INTERVALS: usize = 100;

/// Most parts of one sort in an interval.
const MAX_PARTS: usize = 100;

/// The intervals of the file.
pub(super) struct Intervals {
    /// By name; `None` for those with a mistake, so that it is not also reported by whoever refers to them.
    named: BTreeMap<String, Option<Arc<TimeInterval>>>,
}

/// Compiles `time_intervals`. `timezone` is the file's.
pub(super) fn compile(top: &Fields<'_>, timezone: &TimeZone, out: &mut Mistakes) -> Intervals {
    let mut named = BTreeMap::new();
    let section = top.get("time_intervals").and_then(|node| reading::named(node, "`time_intervals`", out));
    for (place, (key, node)) in section.iter().flat_map(Fields::iter).enumerate() {
        if place == MAX_INTERVALS {
            out.within(None);
            out.add(&key.span, format!("there may be {MAX_INTERVALS} time intervals at most"));
            break;
        }
        out.within(Some(format!("time interval {}", quote(&key.text))));
        check_name(&key.text, "its name", &key.span, out);
        let compiled = interval(&key.text, node, timezone, out);
        if compiled.as_ref().is_some_and(|interval| !ever_holds(interval, node)) {
            let hint = "look at its days and months together: there is no 31st of February";
            out.add_hinted(&key.span, "it never holds: what refers to it would do nothing", hint);
        }
        named.insert(key.text.clone(), compiled.map(Arc::new));
    }
    out.within(None);
    Intervals { named }
}

impl Intervals {
    /// The intervals that `active` names; what there is none of is noted.
    pub(super) fn active(&self, node: &Node, out: &mut Mistakes) -> Vec<Arc<TimeInterval>> {
        let mut active: Vec<Arc<TimeInterval>> = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for item in reading::list(node, "`active`", out) {
            let Some(scalar) = reading::scalar(item, "the name of a time interval", out) else { continue };
            if seen.contains(&scalar.text) {
                out.add(scalar.span, format!("{} is listed twice", quote(scalar.written)));
                continue;
            }
            seen.push(scalar.text);
            match self.named.get(scalar.text) {
                Some(interval) => active.extend(interval.clone()),
                None => {
                    let message = format!("there is no time interval {}", quote(scalar.written));
                    let none = "define it: `time_intervals: { night: { times: [\"22:00-07:00\"] } }`";
                    reading::unknown(scalar, message, self.named.keys().map(String::as_str), none, out);
                }
            }
        }
        active
    }
}

/// Whether one of these holds at every moment.
pub(super) fn hold_always(active: &[Arc<TimeInterval>]) -> bool {
    let begin = Timestamp(0);
    active.iter().any(|interval| interval.holds(begin) && interval.next_change(begin) == Timestamp::MAX)
}

fn interval(name: &str, node: &Node, timezone: &TimeZone, out: &mut Mistakes) -> Option<TimeInterval> {
    let fields = reading::fields(node, &shape::INTERVAL, out)?;
    let zone = match fields.get("timezone") {
        Some(node) => zone(node, out),
        None => Some(timezone.clone()),
    };
    let weekdays = parts(&fields, "weekdays", interval::parse_weekdays, out);
    let months = parts(&fields, "months", interval::parse_months, out);
    let parts = Parts {
        times: parts(&fields, "times", interval::parse_times, out),
        weekdays: weekdays.into_iter().reduce(interval::Weekdays::and).unwrap_or_default(),
        days_of_month: parts(&fields, "days_of_month", interval::parse_days_of_month, out),
        months: months.into_iter().reduce(interval::Months::and).unwrap_or_default(),
        years: parts(&fields, "years", interval::parse_years, out),
    };
    if ["times", "weekdays", "days_of_month", "months", "years"].iter().all(|key| fields.key(key).is_none()) {
        out.add_hinted(fields.at, "it says no time", "such as `times: [\"22:00-07:00\"]` or `weekdays: [mon-fri]`");
        return None;
    }
    Some(TimeInterval::new(name, parts, zone?))
}

fn parts<T>(
    fields: &Fields<'_>,
    key: &str,
    parse: impl Fn(&str) -> Result<T, PartError>,
    out: &mut Mistakes,
) -> Vec<T> {
    let Some(node) = fields.get(key) else { return Vec::new() };
    let items = reading::list(node, &format!("`{key}`"), out);
    if items.is_empty() && matches!(node.kind, Kind::Seq(_)) {
        out.add_hinted(&node.span, format!("`{key}` is empty"), "remove it if every one will do");
    }
    if items.len() > MAX_PARTS {
        out.add(&node.span, format!("`{key}` may list {MAX_PARTS} at most"));
        return Vec::new();
    }
    let mut parsed = Vec::new();
    for item in items {
        let Some(scalar) = reading::scalar(item, &format!("one of `{key}`"), out) else { continue };
        match parse(scalar.text) {
            Ok(part) => parsed.push(part),
            Err(error) => note(key, error, scalar, out),
        }
    }
    parsed
}

fn note(key: &str, error: PartError, scalar: Scalar<'_>, out: &mut Mistakes) {
    if scalar.is_resolved() {
        let message = format!("`{key}`: with the values of the environment this can't be read");
        return out.add_hinted(scalar.span, message, "see what the variable holds: it is not shown here");
    }
    let message = format!("`{key}`: {}", error.message);
    match error.hint {
        Some(hint) => out.add_hinted(scalar.span, message, hint),
        None => out.add(scalar.span, message),
    }
}

/// Whether there is a moment at which it holds. Only its dates can exclude each other, and they are the same again
/// after years that [`TimeInterval::next_change`] looks through.
fn ever_holds(interval: &TimeInterval, node: &Node) -> bool {
    let probe = |wall: Timestamp| interval.holds(wall) || interval.next_change(wall) != Timestamp::MAX;
    // With years it holds in these alone: they are looked through from their beginnings, a day early for every zone.
    let years = reading::named(node, "", &mut Mistakes::default()).and_then(|fields| fields.get("years"));
    match years {
        None => probe(Timestamp(0)),
        Some(years) => reading::list(years, "", &mut Mistakes::default()).iter().any(|item| {
            let scalar = reading::scalar(item, "", &mut Mistakes::default());
            let first = scalar.and_then(|scalar| scalar.text.trim().get(..4)?.parse::<i16>().ok());
            let begin = first.and_then(|year| jiff::civil::Date::new(year, 1, 1).ok());
            let begin = begin.and_then(|date| date.to_zoned(TimeZone::UTC).ok());
            begin.is_none_or(|begin| probe(Timestamp(begin.timestamp().as_millisecond() - 86_400_000)))
        }),
    }
}
