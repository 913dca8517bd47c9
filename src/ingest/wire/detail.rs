//! `detail` of an abnormal entry: the occurrences, with the measured value and the time of each. Pure.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Key;
use super::loose::{Loose, moment};
use super::otherwise::otherwise;
use crate::ingest::measure::{self, Measure};
use crate::model::{AbnormalType, Catalogue, Detail, Timestamp};

/// Occurrences kept of one entry; its `count` tells the truth all the same.
const MAX_DETAILS: usize = 256;

/// The occurrences listed under an entry, before the type and so the unit of their values is known.
#[derive(Debug, Default)]
pub(super) struct Details {
    found: Vec<Found>,
    /// How many were listed, kept or not.
    pub(super) listed: i64,
    /// The first thing that could not be read.
    pub(super) problem: Option<&'static str>,
}

impl Details {
    /// With values in the unit of this type.
    pub(super) fn of(self, kind: AbnormalType) -> Vec<Detail> {
        let unit = Catalogue::unit(kind);
        let value = |measure: Option<Measure>| measure.zip(unit).and_then(|(measure, unit)| measure.in_unit(unit));
        self.found.into_iter().map(|found| Detail { at: found.at, value: value(found.measure) }).collect()
    }

    fn unreadable(problem: &'static str) -> Details {
        Details { problem: Some(problem), ..Details::default() }
    }

    fn take(&mut self, found: Found) {
        self.listed += 1;
        self.problem = self.problem.or(found.problem);
        if self.found.len() < MAX_DETAILS {
            self.found.push(found);
        }
    }
}

impl<'de> Deserialize<'de> for Details {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Details, D::Error> {
        deserializer.deserialize_any(ListedDetails)
    }
}

struct ListedDetails;

impl<'de> Visitor<'de> for ListedDetails {
    type Value = Details;

    otherwise!(Details, Details::unreadable("abnormal_event.detail: not a list"));

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Details, A::Error> {
        let mut details = Details { found: Vec::with_capacity(2), ..Details::default() };
        while let Some(found) = seq.next_element()? {
            details.take(found);
        }
        Ok(details)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Details, A::Error> {
        let mut details = Details::default();
        details.take(Found::deserialize(MapAccessDeserializer::new(map))?);
        Ok(details)
    }

    /// JSON of a list or an object; other words can only be the description itself.
    fn visit_str<E>(self, text: &str) -> Result<Details, E> {
        match text.trim() {
            "" => Ok(Details::default()),
            text if text.starts_with(['[', '{']) => {
                Ok(serde_json::from_str(text).unwrap_or(Details::unreadable("abnormal_event.detail: not readable")))
            }
            words => {
                let mut details = Details::default();
                details.take(Found { measure: measure::find(words), ..Found::default() });
                Ok(details)
            }
        }
    }
}

#[derive(Debug, Default)]
struct Found {
    at: Option<Timestamp>,
    measure: Option<Measure>,
    problem: Option<&'static str>,
}

impl Found {
    fn unreadable() -> Found {
        Found { problem: Some("abnormal_event.detail: an entry is not an object"), ..Found::default() }
    }
}

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(OneDetail)
    }
}

struct OneDetail;

impl<'de> Visitor<'de> for OneDetail {
    type Value = Found;

    otherwise!(Found, Found::unreadable());

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Found, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Found::unreadable())
    }

    fn visit_str<E>(self, text: &str) -> Result<Found, E> {
        match text.trim_start().starts_with('{') {
            true => Ok(serde_json::from_str(text).unwrap_or_else(|_| Found::unreadable())),
            false => Ok(Found { measure: measure::find(text), ..Found::default() }),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let mut found = Found::default();
        while let Some(key) = map.next_key_seed(Key)? {
            match key.as_ref() {
                "desc" => match map.next_value()? {
                    Loose::Text(text) => found.measure = measure::find(&text),
                    _ => found.measure = None,
                },
                "occur_time" | "occurTime" => match map.next_value::<Loose<'_>>()?.int() {
                    Ok(time) => found.at = time.and_then(moment),
                    Err(_) => found.problem = Some("abnormal_event.detail.occur_time: not a number"),
                },
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}
