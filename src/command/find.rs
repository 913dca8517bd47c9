//! Which streams are meant, among those that are heard of. Pure, but for the roster's locks.

use crate::core::Roster;
use crate::model::{Incident, StreamName, Timestamp};
use crate::rules::Matchers;

/// Names shown where there are several.
const CANDIDATES: usize = 10;

/// Names compared with one that is not known, and the longest that is: a slip is looked for, not any likeness.
const COMPARED: usize = 20_000;
const LONGEST: usize = 64;

/// What a name stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// This stream.
    One(StreamName),
    /// Any of these.
    Several(Vec<String>),
    /// None that is known; ids that read like it.
    None(Vec<String>),
}

/// The stream of an id or a full name.
pub(super) fn stream(roster: &Roster, now: Timestamp, name: &str, sees: impl Fn(&StreamName) -> bool) -> Found {
    let (mut full, mut ids) = (Vec::new(), Vec::new());
    roster.each(now, |stream, _| {
        if stream.full() == name {
            full.push(stream.clone());
        } else if stream.stream() == name {
            ids.push(stream.clone());
        }
    });
    full.retain(&sees);
    ids.retain(&sees);
    let mut found = if full.is_empty() { ids } else { full };
    found.sort();
    match found.as_slice() {
        [] => Found::None(near(roster, now, name, sees)),
        [only] => Found::One(only.clone()),
        several => Found::Several(several.iter().take(CANDIDATES).map(|stream| stream.full().to_owned()).collect()),
    }
}

/// How many streams are covered, and the names of some.
pub(super) fn covered(roster: &Roster, now: Timestamp, covers: impl Fn(&StreamName) -> bool) -> (usize, Vec<String>) {
    let (mut count, mut some) = (0, Vec::new());
    roster.each(now, |stream, _| {
        if covers(stream) {
            count += 1;
            if some.len() < CANDIDATES {
                some.push(stream.full().to_owned());
            }
        }
    });
    some.sort();
    (count, some)
}

/// Matchers for one stream; `None` if its name is too long for them.
pub(super) fn exactly(stream: &StreamName) -> Option<Matchers> {
    let (domain, path, id) = (quoted(stream.domain()), quoted(stream.path()), quoted(stream.stream()));
    Matchers::parse(&format!("stream={id}, domain={domain}, path={path}")).ok()
}

/// The one stream that matchers name in full, whatever else they ask.
pub(super) fn only(matchers: &Matchers) -> Option<StreamName> {
    let [domain, path, id] = ["domain", "path", "stream"].map(|label| matchers.exactly(label));
    Some(StreamName::new(domain?, path?, id?))
}

/// Matchers for what a message's incidents are about: their stream, or what else they share and by which rules; `None` if
/// that is too long for them.
pub(super) fn about(incidents: &[Incident]) -> Option<Matchers> {
    let first = incidents.first()?;
    let shared = |label: &str| {
        let value = first.label(label).filter(|value| !value.is_empty())?;
        incidents.iter().all(|incident| incident.label(label) == Some(value)).then(|| (label.to_owned(), value))
    };
    if let Some(stream) = first.key.stream()
        && incidents.iter().all(|incident| incident.key.stream() == Some(stream))
    {
        return exactly(stream);
    }
    let mut rules: Vec<String> = incidents.iter().map(|incident| regex::escape(&incident.rule)).collect();
    rules.sort();
    rules.dedup();
    let mut text = format!("rule=~{}", quoted(&rules.join("|")));
    for (label, value) in ["domain", "path", "user_ip"].into_iter().filter_map(shared) {
        text.push_str(&format!(", {label}={}", quoted(value)));
    }
    Matchers::parse(&text).ok()
}

/// Matchers for whatever is called so: a full name where it reads like one, else an id.
pub(super) fn by_name(name: &str) -> Option<Matchers> {
    let parts = name.split_once('/').and_then(|(domain, rest)| Some((domain, rest.rsplit_once('/')?)));
    match parts {
        Some((domain, (path, id))) => exactly(&StreamName::new(domain, path, id)),
        None => Matchers::parse(&format!("stream={}", quoted(name))).ok(),
    }
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn near(roster: &Roster, now: Timestamp, name: &str, sees: impl Fn(&StreamName) -> bool) -> Vec<String> {
    let length = name.chars().count();
    if !(3..=LONGEST).contains(&length) {
        return Vec::new();
    }
    let (mut left, mut found) = (COMPARED, Vec::new());
    roster.each(now, |stream, _| {
        let known = if name.contains('/') { stream.full() } else { stream.stream() };
        if left == 0 || known.len() > 4 * LONGEST || known.chars().count().abs_diff(length) > 2 {
            return;
        }
        left -= 1;
        let far = strsim::damerau_levenshtein(name, known);
        if far <= 2 && sees(stream) {
            found.push((far, known.to_owned()));
        }
    });
    found.sort();
    found.dedup();
    found.into_iter().take(3).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_for_one_stream_hold_of_it_whatever_its_name() {
        for (domain, path, id) in [("d", "p", "cam1"), ("d\\", "a/b", "say \"hi\"\n"), ("", "", ""), ("流", "*", "{}")]
        {
            let stream = StreamName::new(domain, path, id);
            let matchers = exactly(&stream).unwrap();
            let holds = |stream: &StreamName| {
                matchers.hold(|label| match label {
                    "stream" => Some(stream.stream()),
                    "domain" => Some(stream.domain()),
                    "path" => Some(stream.path()),
                    _ => None,
                })
            };
            assert!(holds(&stream) && !holds(&StreamName::new(domain, path, "other")), "{stream}");
            let is_whole = ![domain, path, id].contains(&"");
            assert_eq!(only(&matchers), is_whole.then_some(stream));
        }
        assert_eq!(exactly(&StreamName::new(&"\\".repeat(1024), &"\\".repeat(1024), &"\\".repeat(1024))), None);
    }

    #[test]
    fn a_name_with_two_slashes_is_a_full_one() {
        let text = |name: &str| by_name(name).unwrap().to_string();
        assert_eq!(text("d/a/b/cam1"), "stream=\"cam1\", domain=\"d\", path=\"a/b\"");
        assert_eq!(text("cam/1"), "stream=\"cam/1\"");
    }
}
