//! Why a rule does not match an event, in a sentence for people. Pure; for looking things up, not for the hot path.

use super::Rule;
use super::condition::{Condition, EntryField, Judged, NumberField, Reach, Sight, Test, local};
use super::diagnostic::{code, quote};
use super::matching::{Matching, sights};
use crate::model::catalogue::Unit;
use crate::model::{Catalogue, Event, EventKind, Timestamp};

/// Most things of one sort that are listed.
const MAX_LISTED: usize = 6;

/// Most alternatives that are explained one by one.
const MAX_ALTERNATIVES: usize = 3;

/// Longest sentence, in characters.
const MAX_SENTENCE: usize = 500;

impl Rule {
    /// Why the rule does not match this event, in one plain sentence with the condition as it was written and the value
    /// that was found; `None` if it matches. `wall` is what the wall clock showed when the event came.
    ///
    /// Values are what a stranger sent: they are quoted and cut.
    #[must_use]
    pub fn refusal(&self, event: &Event, wall: Timestamp) -> Option<String> {
        if self.matches(event, wall, &mut Vec::new()) == Matching::Yes {
            return None;
        }
        let reason = self.reason(event, wall);
        Some(match reason.char_indices().nth(MAX_SENTENCE) {
            Some((end, _)) => format!("{}…", &reason[..end]),
            None => reason,
        })
    }

    fn reason(&self, event: &Event, wall: Timestamp) -> String {
        if event.kind != self.on {
            let kind = match self.on {
                EventKind::Unknown(code) => format!("event {code}"),
                kind => kind.name().to_owned(),
            };
            let how = if self.silence.is_some() { "waits for the silence of" } else { "listens to" };
            return format!("it {how} {kind}");
        }
        let whole = Sight { event, wall, entry: None, value: None };
        if self.on != EventKind::PushError {
            return reason(&self.conditions, &[whole]);
        }
        if event.abnormal.is_empty() {
            return "the callback lists no trouble".to_owned();
        }
        let reach = self.conditions.iter().map(Condition::reach).max().unwrap_or(Reach::Event);
        let entries = event.abnormal.iter().filter(|entry| self.lists(entry));
        let all: Vec<Sight<'_>> = entries.flat_map(|entry| sights(&whole, entry, reach)).collect();
        if all.is_empty() {
            let types = list(self.types.iter().map(ToString::to_string));
            return match self.types.as_slice() {
                [_] => format!("types: {types} is not in it"),
                _ => format!("types: none of {types} is in it"),
            };
        }
        reason(&self.conditions, &all)
    }
}

/// Why these conditions do not hold together of anything that was seen.
fn reason(conditions: &[Condition], seen: &[Sight<'_>]) -> String {
    let fails = |condition: &&Condition| !seen.iter().any(|sight| condition.judge(sight) == Judged::Holds);
    if let Some(condition) = conditions.iter().find(fails) {
        return sentence(condition, seen);
    }
    let narrower = conditions.iter().filter(|condition| condition.reach() > Reach::Event);
    let asked = narrower.map(|condition| match condition.test() {
        Test::Any(_) => "`any`".to_owned(),
        _ => format!("{} {}", condition.field(), code(condition.written())),
    });
    format!("no single trouble in it has all at once: {}", list(asked))
}

/// Why a condition holds of nothing that was seen.
fn sentence(condition: &Condition, seen: &[Sight<'_>]) -> String {
    let (field, written) = (condition.field(), condition.written());
    let Some(first) = seen.first() else { return format!("the callback carries no {field}") };
    let found = match condition.test() {
        Test::Any(alternatives) => {
            let reasons = alternatives.iter().take(MAX_ALTERNATIVES).map(|conditions| reason(conditions, seen));
            let reasons: Vec<String> = reasons.collect();
            return match alternatives.len() - reasons.len() {
                0 => format!("no alternative of `any` holds: {}", reasons.join("; ")),
                more => format!("no alternative of `any` holds: {}; and {more} more", reasons.join("; ")),
            };
        }
        Test::Text { field: of, .. } => match of.of(first.event) {
            Some(text) if is_plain(written) => return format!("{field} {} is not {}", quote(text), code(written)),
            Some(text) => Some(quote(text)),
            None => None,
        },
        Test::Number { field: NumberField::Errcode, .. } => first.event.errcode.map(|code| code.to_string()),
        Test::Number { field: NumberField::PushDuration, .. } => {
            first.event.push_duration.map(|ms| measured(ms as f64, Some(Unit::Milliseconds)))
        }
        Test::Hour { zone, .. } => {
            local(first.wall, zone).map(|local| format!("{} in {}", local.hour(), zone.iana_name().unwrap_or("UTC")))
        }
        Test::Weekday { zone, .. } => local(first.wall, zone).map(|local| {
            const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
            let day = DAYS.get(usize::from(local.weekday().to_monday_zero_offset().unsigned_abs()));
            format!("{} in {}", day.copied().unwrap_or_default(), zone.iana_name().unwrap_or("UTC"))
        }),
        Test::Entry { field: of, .. } => {
            let found = seen.iter().filter_map(|sight| {
                let entry = sight.entry?;
                match of {
                    EntryField::Count => Some(entry.count.to_string()),
                    EntryField::Type => Some(entry.kind.to_string()),
                    EntryField::Value => Some(measured(sight.value?, Catalogue::unit(entry.kind))),
                }
            });
            Some(list(found)).filter(|found| !found.is_empty())
        }
    };
    match found {
        Some(found) => format!("{field}: {found}, the rule asks for {}", code(written)),
        None => format!("the callback carries no {field}"),
    }
}

/// Whether a condition is a plain value or a glob, of which it can be said that something is not it.
fn is_plain(written: &str) -> bool {
    !written.starts_with(['=', '!', '<', '>', '[', '{', ' '])
}

/// A number with its unit; absurd ones in few digits.
fn measured(number: f64, unit: Option<Unit>) -> String {
    let number = match number.abs() {
        0.0 | 1e-3..1e15 => number.to_string(),
        _ => format!("{number:e}"),
    };
    match unit {
        Some(Unit::Milliseconds) => format!("{number} ms"),
        Some(Unit::Seconds) => format!("{number} s"),
        Some(Unit::Fps) => format!("{number} fps"),
        Some(Unit::Bytes) => format!("{number} bytes"),
        None => number,
    }
}

/// Some things in a row without repeats, and whether some are left out.
fn list(all: impl Iterator<Item = String>) -> String {
    let mut listed: Vec<String> = Vec::new();
    for thing in all {
        if listed.contains(&thing) {
            continue;
        }
        if listed.len() == MAX_LISTED {
            return format!("{} and more", listed.join(", "));
        }
        listed.push(thing);
    }
    listed.join(", ")
}
