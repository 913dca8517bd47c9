//! Values that may be spelled in several ways: numbers as strings, strings as numbers. Pure.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::model::Timestamp;

/// A value inside a nested object, whatever its type: reading one never fails because of its type.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::ingest) enum Loose<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// A fraction, or a whole number beyond 64 bits.
    Float(f64),
    Text(Cow<'a, str>),
    /// An array or an object.
    Nested,
}

impl Loose<'_> {
    /// A whole number; `None` where there is nothing to read.
    pub(in crate::ingest) fn int(&self) -> Result<Option<i64>, &'static str> {
        match self {
            Loose::Null => Ok(None),
            Loose::Int(n) => Ok(Some(*n)),
            Loose::Float(n) => whole(*n).map(Some),
            Loose::Text(text) => digits(text),
            Loose::Bool(_) | Loose::Nested => Err("not a number"),
        }
    }

    /// Text that is more than blanks.
    pub(in crate::ingest) fn words(&self) -> Option<&str> {
        match self {
            Loose::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }
}

/// A whole number from a value as written; `None` for `null` and empty text. Beyond 64 bits it saturates.
pub(in crate::ingest) fn int(raw: &str) -> Result<Option<i64>, &'static str> {
    match raw.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => number(raw).map(Some),
        Some(b'"') => digits(&unquote(raw)?),
        Some(b'n') => Ok(None),
        _ => Err("not a number"),
    }
}

/// Text from a value as written: a number or a truth value is taken as it stands; `None` for `null`.
pub(in crate::ingest) fn text(raw: &str) -> Result<Option<Cow<'_, str>>, &'static str> {
    match raw.as_bytes().first() {
        Some(b'"') => unquote(raw).map(Some),
        Some(b'-' | b'0'..=b'9' | b't' | b'f') => Ok(Some(Cow::Borrowed(raw))),
        Some(b'n') => Ok(None),
        _ => Err("not text"),
    }
}

/// The content of a JSON string as written, quotes and all; borrowed where it has no escapes.
pub(in crate::ingest) fn unquote(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) if !inner.as_bytes().contains(&b'\\') => Ok(Cow::Borrowed(inner)),
        _ => serde_json::from_str::<String>(raw).map(Cow::Owned).map_err(|_| "not valid text"),
    }
}

/// A point in time from a number of the cloud's: seconds or milliseconds, told apart by size. Whole seconds count as
/// their last millisecond, so that the end of a push is not older than an error of its last second.
pub(in crate::ingest) fn moment(n: i64) -> Option<Timestamp> {
    /// As milliseconds this is March 1973, as seconds the year 5138: no callback lies near it.
    const FIRST_MILLISECONDS: i64 = 100_000_000_000;
    match n {
        ..=0 => None,
        seconds @ 1..FIRST_MILLISECONDS => Some(Timestamp(seconds * 1000 + 999)),
        milliseconds => Some(Timestamp(milliseconds)),
    }
}

/// As much of a text as is kept, cut at a character.
pub(in crate::ingest) fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

fn digits(text: &str) -> Result<Option<i64>, &'static str> {
    match text.trim() {
        "" => Ok(None),
        text => number(text).map(Some),
    }
}

fn number(text: &str) -> Result<i64, &'static str> {
    match text.parse::<i64>() {
        Ok(n) => Ok(n),
        // `inf`, `nan` and the like are numbers to the parser, not to us.
        Err(_) if text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) => {
            text.parse::<f64>().map_err(|_| "not a number").and_then(whole)
        }
        Err(_) => Err("not a number"),
    }
}

/// Casting saturates, which is what we want of absurd numbers.
fn whole(n: f64) -> Result<i64, &'static str> {
    match n.fract() == 0.0 || n.is_infinite() {
        true => Ok(n as i64),
        false => Err("not a whole number"),
    }
}

impl<'de> Deserialize<'de> for Loose<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Loose<'de>, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Loose<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Loose<'de>, E> {
        Ok(Loose::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Loose<'de>, E> {
        Ok(Loose::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Loose<'de>, E> {
        Ok(Loose::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Loose<'de>, E> {
        Ok(i64::try_from(value).map_or(Loose::Float(value as f64), Loose::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Loose<'de>, E> {
        Ok(Loose::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Loose<'de>, E> {
        Ok(Loose::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Loose<'de>, E> {
        Ok(Loose::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Loose<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Nested)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose::Nested)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_in_every_spelling() {
        for (raw, expected) in [
            ("5", Ok(Some(5))),
            ("-5", Ok(Some(-5))),
            ("5.0", Ok(Some(5))),
            ("5e3", Ok(Some(5000))),
            (r#""5""#, Ok(Some(5))),
            (r#"" 5 ""#, Ok(Some(5))),
            (r#""\u0035""#, Ok(Some(5))),
            (r#""5.0""#, Ok(Some(5))),
            ("null", Ok(None)),
            (r#""""#, Ok(None)),
            ("1e400", Ok(Some(i64::MAX))),
            ("99999999999999999999", Ok(Some(i64::MAX))),
            ("-99999999999999999999", Ok(Some(i64::MIN))),
            ("5.5", Err("not a whole number")),
            (r#""x""#, Err("not a number")),
            (r#""inf""#, Err("not a number")),
            (r#""nan""#, Err("not a number")),
            ("true", Err("not a number")),
            ("[5]", Err("not a number")),
            ("{}", Err("not a number")),
            (r#""\ud800""#, Err("not valid text")),
        ] {
            assert_eq!(int(raw), expected, "{raw}");
        }
    }

    #[test]
    fn text_from_strings_numbers_and_truth_values() {
        assert_eq!(text(r#""a\"b""#).unwrap().unwrap(), "a\"b");
        assert_eq!(text("2210464508206756938").unwrap().unwrap(), "2210464508206756938");
        assert_eq!(text("22104645082067569380000000").unwrap().unwrap(), "22104645082067569380000000");
        assert_eq!(text("true").unwrap().unwrap(), "true");
        assert_eq!(text("null").unwrap(), None);
        assert_eq!(text("[]"), Err("not text"));
        assert_eq!(text(r#""\udc00""#), Err("not valid text"));
        assert!(matches!(text(r#""plain""#), Ok(Some(Cow::Borrowed("plain")))));
    }

    #[test]
    fn nested_values_are_taken_whatever_their_type() {
        let read = |raw| serde_json::from_str::<Loose<'_>>(raw).unwrap();
        assert_eq!(read("18446744073709551615").int(), Ok(Some(i64::MAX)));
        assert_eq!(read("2.0").int(), Ok(Some(2)));
        assert_eq!(read(r#""7""#).int(), Ok(Some(7)));
        assert_eq!(read("null").int(), Ok(None));
        assert_eq!(read("[[1],{}]"), Loose::Nested);
        assert_eq!(read(r#"{"a":[1]}"#).int(), Err("not a number"));
        assert_eq!(read(r#"" \t ""#).words(), None);
        assert_eq!(read(r#"" a ""#).words(), Some("a"));
        assert_eq!(read("false"), Loose::Bool(false));
    }

    #[test]
    fn seconds_and_milliseconds_are_told_apart_and_seconds_count_as_their_end() {
        assert_eq!(moment(1_703_731_478), Some(Timestamp(1_703_731_478_999)));
        assert_eq!(moment(1_670_588_074_971), Some(Timestamp(1_670_588_074_971)));
        assert_eq!(moment(0), None);
        assert_eq!(moment(-1), None);
        assert_eq!(moment(i64::MAX), Some(Timestamp::MAX));
    }
}
