//! How an `expect` line and a decision are written: as a line of a test file, ready to be copied into one. Pure.

use super::matching::Point;
use super::play::Happened;
use crate::model::{Cause, ChannelName, Key};
use crate::rules::trial::{About, CAUSES, Expected};

/// A line as it was meant.
pub(super) fn expected(line: &Expected) -> String {
    flow(&expected_parts(line))
}

/// A decision as the line that expects it.
pub(super) fn happened(happened: &Happened) -> String {
    flow(&happened_parts(happened))
}

/// One point of both, `at: 1m35s`, for each in which they differ: (expected, happened).
pub(super) fn points(line: &Expected, happened: &Happened, points: &[Point]) -> Vec<(String, String)> {
    let (expected, real) = (expected_parts(line), happened_parts(happened));
    let part = |parts: &[(Point, String)], point: Point| {
        let found = parts.iter().find(|(p, _)| *p == point).map(|(_, text)| text.clone());
        found.unwrap_or_else(|| format!("no {}", word(point)))
    };
    points.iter().map(|point| (part(&expected, *point), part(&real, *point))).collect()
}

/// The key of a point.
pub(super) fn word(point: Point) -> &'static str {
    match point {
        Point::At => "at",
        Point::Rule => "rule",
        Point::Is => "is",
        Point::Severity => "severity",
        Point::About => "stream",
        Point::Notify => "notify",
        Point::Cause => "cause",
    }
}

/// The word of a cause.
pub(super) fn cause_word(cause: Cause) -> &'static str {
    CAUSES.iter().find(|(_, known)| *known == cause).map_or("", |(word, _)| word)
}

fn expected_parts(line: &Expected) -> Vec<(Point, String)> {
    let about = line.about.as_ref().map(|about| match about {
        About::Stream(stream) => format!("stream: {}", scalar(stream.full())),
        About::Key(key) => format!("key: {}", scalar(key)),
    });
    let parts = [
        (Point::At, line.at.map(|at| format!("at: {at}"))),
        (Point::Rule, line.rule.as_ref().map(|rule| format!("rule: {}", scalar(rule)))),
        (Point::Is, line.is.map(|is| format!("is: {}", is.as_str()))),
        (Point::Severity, line.severity.map(|severity| format!("severity: {severity}"))),
        (Point::About, about),
        (Point::Notify, line.notify.as_deref().map(channels)),
        (Point::Cause, line.cause.map(|cause| format!("cause: {}", cause_word(cause)))),
    ];
    parts.into_iter().filter_map(|(point, text)| Some((point, text?))).collect()
}

fn happened_parts(happened: &Happened) -> Vec<(Point, String)> {
    let about = match &happened.key {
        Key::Stream(stream) => format!("stream: {}", scalar(stream.full())),
        key => format!("key: {}", scalar(&key.to_string())),
    };
    let cause = happened.cause.map(|cause| (Point::Cause, format!("cause: {}", cause_word(cause))));
    let parts = [
        (Point::At, format!("at: {}", happened.at)),
        (Point::Rule, format!("rule: {}", scalar(&happened.rule))),
        (Point::Is, format!("is: {}", happened.is.as_str())),
        (Point::Severity, format!("severity: {}", happened.severity)),
        (Point::About, about),
        (Point::Notify, channels(&happened.notify)),
    ];
    parts.into_iter().chain(cause).collect()
}

fn channels(names: &[ChannelName]) -> String {
    let names: Vec<String> = names.iter().map(|name| scalar(name.as_str())).collect();
    format!("notify: [{}]", names.join(", "))
}

fn flow(parts: &[(Point, String)]) -> String {
    let parts: Vec<&str> = parts.iter().map(|(_, text)| text.as_str()).collect();
    format!("{{ {} }}", parts.join(", "))
}

/// A value as YAML has it inside braces; quoted unless it is plain beyond doubt. So no control character gets out.
pub(super) fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    match begins && text.chars().all(plain) {
        true => text.to_owned(),
        false => {
            let text: String = text
                .chars()
                .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
                .collect();
            serde_json::Value::from(text).to_string()
        }
    }
}
