//! `abnormal_event` and its `detail`: an array, one object, or a JSON string of either. Pure.
//!
//! Reading never fails as a whole: what can't be read is left out and named.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Key;
use super::detail::Details;
use super::halves;
use super::loose::{Loose, cut};
use super::otherwise::otherwise;
use crate::model::{Abnormal, AbnormalType};

/// Abnormal entries kept of one report. There are 16 types, so more is not the cloud's doing.
const MAX_ENTRIES: usize = 64;
/// Bytes of the cloud's words kept for a type we have none for.
const MAX_TEXT: usize = 256;

/// What could be read.
#[derive(Debug, Default)]
pub(in crate::ingest) struct Report {
    pub(in crate::ingest) entries: Vec<Abnormal>,
    /// The first thing that could not be read.
    pub(in crate::ingest) problem: Option<&'static str>,
}

impl Report {
    fn unreadable(problem: &'static str) -> Report {
        Report { entries: Vec::new(), problem: Some(problem) }
    }

    fn take(&mut self, entry: Entry) {
        self.problem = self.problem.or(entry.problem);
        match entry.abnormal {
            Some(_) if self.entries.len() == MAX_ENTRIES => {
                self.problem = self.problem.or(Some("abnormal_event: more than 64 entries"));
            }
            Some(abnormal) => self.entries.push(abnormal),
            None => {}
        }
    }
}

/// Reads `abnormal_event` as written.
pub(in crate::ingest) fn read(raw: &str) -> Report {
    serde_json::from_str(raw)
        .ok()
        .or_else(|| without_halves(raw))
        .unwrap_or_else(|| Report::unreadable("abnormal_event: not readable"))
}

/// A broken character in a description must not hide the trouble it describes.
fn without_halves(raw: &str) -> Option<Report> {
    let report: Report = serde_json::from_str(&halves::replaced(raw)?).ok()?;
    let problem = report.problem.or(Some("abnormal_event: half a character"));
    Some(Report { problem, ..report })
}

impl<'de> Deserialize<'de> for Report {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Report, D::Error> {
        deserializer.deserialize_any(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Report;

    otherwise!(Report, Report::unreadable("abnormal_event: not a list"));

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Report, A::Error> {
        let mut report = Report { entries: Vec::with_capacity(2), problem: None };
        while let Some(entry) = seq.next_element::<Entry>()? {
            report.take(entry);
        }
        Ok(report)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Report, A::Error> {
        let mut report = Report::default();
        report.take(Entry::deserialize(MapAccessDeserializer::new(map))?);
        Ok(report)
    }

    fn visit_str<E>(self, text: &str) -> Result<Report, E> {
        match text.trim() {
            "" => Ok(Report::default()),
            text => Ok(read(text)),
        }
    }
}

/// One abnormal entry as far as it could be read.
#[derive(Debug, Default)]
struct Entry {
    abnormal: Option<Abnormal>,
    problem: Option<&'static str>,
}

impl Entry {
    fn unreadable(problem: &'static str) -> Entry {
        Entry { abnormal: None, problem: Some(problem) }
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entry, D::Error> {
        deserializer.deserialize_any(OneEntry)
    }
}

struct OneEntry;

impl<'de> Visitor<'de> for OneEntry {
    type Value = Entry;

    otherwise!(Entry, Entry::unreadable("abnormal_event: an entry is not an object"));

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entry, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Entry::unreadable("abnormal_event: an entry is not an object"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Entry, E> {
        let entry = serde_json::from_str(text);
        Ok(entry.unwrap_or_else(|_| Entry::unreadable("abnormal_event: an entry is not an object")))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let (mut kind, mut count, mut details) = (Loose::Null, Loose::Null, Details::default());
        let (mut english, mut chinese, mut supplement) = (Loose::Null, Loose::Null, Loose::Null);
        while let Some(key) = map.next_key_seed(Key)? {
            match key.as_ref() {
                "type" => kind = map.next_value()?,
                "count" => count = map.next_value()?,
                "detail" | "details" => details = map.next_value()?,
                "type_desc_en" => english = map.next_value()?,
                "type_desc_cn" => chinese = map.next_value()?,
                "event_key" => supplement = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let kind = match kind.int() {
            Ok(Some(n)) => match u32::try_from(n) {
                Ok(n) => AbnormalType(n),
                Err(_) => return Ok(Entry::unreadable("abnormal_event.type: out of range")),
            },
            Ok(None) => return Ok(Entry::unreadable("abnormal_event.type: missing")),
            Err(_) => return Ok(Entry::unreadable("abnormal_event.type: not a number")),
        };
        let (count, problem) = match count.int() {
            Ok(Some(n)) => (n, None),
            Ok(None) => (details.listed, None),
            Err(_) => (details.listed, Some("abnormal_event.count: not a number")),
        };
        let text = match kind.name() {
            Some(_) => None,
            None => english.words().or(chinese.words()).or(supplement.words()).map(|words| cut(words, MAX_TEXT).into()),
        };
        let problem = problem.or(details.problem);
        let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        Ok(Entry { abnormal: Some(Abnormal { kind, count, details: details.of(kind), text }), problem })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    const ONE: &str = r#"{"type":6,"count":2,"detail":[{"desc":"interval=3046(msec)","occur_time":1670588070569},
        {"desc":"interval=2953(msec)","occur_time":"1670588073522"}]}"#;

    fn values(report: &Report) -> Vec<(u32, u32, Vec<Option<f64>>)> {
        let of = |entry: &Abnormal| (entry.kind.0, entry.count, entry.details.iter().map(|d| d.value).collect());
        report.entries.iter().map(of).collect()
    }

    #[test]
    fn an_array_an_object_and_a_string_of_either_say_the_same() {
        let array = format!("[{ONE}]");
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        let elements = format!("[{}]", quoted(ONE));
        for raw in [ONE.to_owned(), array.clone(), quoted(ONE), quoted(&array), quoted(&quoted(&array)), elements] {
            let report = read(&raw);
            assert_eq!(report.problem, None, "{raw}");
            assert_eq!(values(&report), [(6, 2, vec![Some(3046.0), Some(2953.0)])], "{raw}");
            assert_eq!(report.entries[0].details[1].at, Some(Timestamp(1_670_588_073_522)));
        }
    }

    #[test]
    fn detail_may_be_an_object_a_string_or_plain_words() {
        for detail in [
            r#"{"desc":"interval=7(ms)","occurTime":1670588070}"#,
            r#""{\"desc\":\"interval=7(ms)\"}""#,
            r#""[{\"desc\":\"interval=7(ms)\"}]""#,
            r#"["{\"desc\":\"interval=7(ms)\"}"]"#,
            r#"["late, interval=7(ms)"]"#,
            r#""late, interval=7(ms)""#,
        ] {
            let report = read(&format!(r#"{{"detail":{detail},"type":"6"}}"#));
            assert_eq!(report.problem, None, "{detail}");
            assert_eq!(values(&report), [(6, 1, vec![Some(7.0)])], "{detail}");
        }
    }

    #[test]
    fn half_a_character_in_a_description_is_named_and_the_trouble_counts() {
        let report =
            read(r#"[{"type":6,"count":2,"detail":[{"desc":"\ud83d interval=7(ms)"}],"type_desc_cn":"\udc00"}]"#);
        assert_eq!(report.problem, Some("abnormal_event: half a character"));
        assert_eq!(values(&report), [(6, 2, vec![Some(7.0)])]);
    }

    #[test]
    fn nothing_is_normal() {
        for raw in ["null", r#""""#, "[]", r#""[]""#, r#"" ""#] {
            let report = read(raw);
            assert!(report.entries.is_empty() && report.problem.is_none(), "{raw}");
        }
        for detail in ["null", r#""""#, "[]"] {
            assert_eq!(values(&read(&format!(r#"[{{"type":1,"detail":{detail}}}]"#))), [(1, 1, vec![])], "{detail}");
        }
    }

    #[test]
    fn count_may_be_absent_wrong_or_absurd() {
        let details = r#""detail":[{},{},{}]"#;
        for (count, expected, problem) in [
            ("", 3, None),
            (r#""count":null,"#, 3, None),
            (r#""count":7,"#, 7, None),
            (r#""count":"7","#, 7, None),
            (r#""count":7.0,"#, 7, None),
            (r#""count":0,"#, 1, None),
            (r#""count":-3,"#, 1, None),
            (r#""count":99999999999,"#, u32::MAX, None),
            (r#""count":1e30,"#, u32::MAX, None),
            (r#""count":"many","#, 3, Some("abnormal_event.count: not a number")),
            (r#""count":[],"#, 3, Some("abnormal_event.count: not a number")),
        ] {
            let report = read(&format!(r#"[{{{count}{details},"type":1}}]"#));
            assert_eq!((report.entries[0].count, report.problem), (expected, problem), "{count}");
        }
    }

    #[test]
    fn unreadable_parts_are_named_and_the_rest_still_counts() {
        for (raw, kept, problem) in [
            ("5", 0, "abnormal_event: not a list"),
            ("true", 0, "abnormal_event: not a list"),
            (r#""words""#, 0, "abnormal_event: not readable"),
            (r#"[5,{"type":1}]"#, 1, "abnormal_event: an entry is not an object"),
            (r#"[[1],{"type":1}]"#, 1, "abnormal_event: an entry is not an object"),
            (r#"["x",{"type":1}]"#, 1, "abnormal_event: an entry is not an object"),
            (r#"[{"count":1},{"type":1}]"#, 1, "abnormal_event.type: missing"),
            (r#"[{"type":"x"},{"type":1}]"#, 1, "abnormal_event.type: not a number"),
            (r#"[{"type":-1},{"type":1}]"#, 1, "abnormal_event.type: out of range"),
            (r#"[{"type":4294967296},{"type":1}]"#, 1, "abnormal_event.type: out of range"),
            (r#"[{"type":1,"detail":7}]"#, 1, "abnormal_event.detail: not a list"),
            (r#"[{"type":1,"detail":"[{"}]"#, 1, "abnormal_event.detail: not readable"),
            (r#"[{"type":1,"detail":[7]}]"#, 1, "abnormal_event.detail: an entry is not an object"),
            (r#"[{"type":1,"detail":[{"occur_time":"noon"}]}]"#, 1, "abnormal_event.detail.occur_time: not a number"),
        ] {
            let report = read(raw);
            assert_eq!((report.entries.len(), report.problem), (kept, Some(problem)), "{raw}");
        }
    }

    #[test]
    fn unknown_types_keep_the_clouds_words_and_known_ones_need_none() {
        let long = "x".repeat(1000);
        for (raw, expected) in [
            (r#"{"type":17,"type_desc_en":" new trouble ","type_desc_cn":"新"}"#.to_owned(), Some("new trouble")),
            (r#"{"type":17,"type_desc_en":" ","type_desc_cn":"新故障"}"#.to_owned(), Some("新故障")),
            (r#"{"type":17,"type_desc_cn":" ","event_key":"key"}"#.to_owned(), Some("key")),
            (r#"{"type":0,"type_desc_en":7}"#.to_owned(), None),
            (r#"{"type":6,"type_desc_en":"known"}"#.to_owned(), None),
            (format!(r#"{{"type":99,"type_desc_en":"{long}"}}"#), Some(&long[..MAX_TEXT])),
        ] {
            assert_eq!(read(&raw).entries[0].text.as_deref(), expected, "{raw}");
        }
    }

    #[test]
    fn a_value_needs_a_type_that_is_measured() {
        assert_eq!(values(&read(r#"{"type":8,"detail":{"desc":"codec=7"}}"#)), [(8, 1, vec![None])]);
        assert_eq!(values(&read(r#"{"type":16,"detail":{"desc":"gop=12500(ms)"}}"#)), [(16, 1, vec![Some(12.5)])]);
    }

    #[test]
    fn floods_are_cut_but_count_keeps_the_truth() {
        let details = vec!["{}"; 1000].join(",");
        let report = read(&format!(r#"[{{"type":1,"detail":[{details}]}}]"#));
        assert_eq!((report.entries[0].count, report.entries[0].details.len()), (1000, 256));
        let report = read(&format!("[{}]", vec![r#"{"type":1}"#; 100].join(",")));
        assert_eq!(report.entries.len(), MAX_ENTRIES);
        assert_eq!(report.problem, Some("abnormal_event: more than 64 entries"));
    }
}
