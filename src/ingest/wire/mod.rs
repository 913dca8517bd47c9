//! The callback as the cloud writes it: the envelope, and readers that take each of its spellings. Pure.

pub(super) mod abnormal;
mod detail;
mod halves;
pub(super) mod loose;
mod otherwise;

use std::borrow::Cow;
use std::fmt;
use std::mem;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::refusal::Refusal;

/// One member of the callback's object: its name, decoded, and its value as it was written.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) raw: &'a str,
}

/// A callback that was read but not verified.
#[derive(Debug)]
pub(super) struct Callback<'a> {
    /// `t`, as received: the signature is over this very text.
    pub(super) t: Option<Cow<'a, str>>,
    /// `sign`, as received.
    pub(super) sign: Option<Cow<'a, str>>,
    /// `event_type`.
    pub(super) kind: i64,
    /// Everything but `t` and `sign`, by name; of a repeated name the last.
    pub(super) fields: Vec<Field<'a>>,
    /// Length of the body, to size buffers by.
    pub(super) len: usize,
}

impl<'a> Callback<'a> {
    /// Reads the top level of a body; the values stay as they are.
    pub(super) fn parse(body: &'a [u8]) -> Result<Callback<'a>, Refusal> {
        let text = std::str::from_utf8(body)
            .map_err(|error| malformed(&format!("not UTF-8 at byte {}", error.valid_up_to() + 1)))?;
        let mut fields = top_level(text)?;
        fields.sort_by(|a, b| a.key.cmp(&b.key));
        fields.dedup_by(|later, earlier| {
            let same = later.key == earlier.key;
            if same {
                mem::swap(later, earlier);
            }
            same
        });
        let (mut t, mut sign, mut kind) = (None, None, None);
        fields.retain(|field| match field.key.as_ref() {
            "t" => {
                t = Some(field.raw);
                false
            }
            "sign" => {
                sign = Some(field.raw);
                false
            }
            "event_type" | "eventType" => {
                kind = Some(field.raw);
                true
            }
            _ => true,
        });
        Ok(Callback {
            t: t.map(time).transpose()?.flatten(),
            sign: sign.map(signature).transpose()?.flatten(),
            kind: kind_of(kind)?,
            fields,
            len: body.len(),
        })
    }
}

fn malformed(why: &str) -> Refusal {
    Refusal::Malformed(why.to_owned())
}

/// Serde's words for syntax errors name line and column; those for a wrong type may repeat the value, so they are ours.
fn top_level(text: &str) -> Result<Vec<Field<'_>>, Refusal> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = deserializer.deserialize_map(Members).and_then(|fields| deserializer.end().map(|()| fields));
    read.map_err(|error| match error.classify() {
        serde_json::error::Category::Data => malformed("the body is not a JSON object"),
        _ => Refusal::Malformed(format!("not JSON: {error}")),
    })
}

/// Decimal digits in a number or a string; `null` counts as absent.
fn time(raw: &str) -> Result<Option<Cow<'_, str>>, Refusal> {
    let wrong = || malformed("t is not a Unix time in seconds");
    let Some(text) = loose::text(raw).map_err(|_| wrong())? else { return Ok(None) };
    let digits = text.strip_prefix('-').unwrap_or(&text);
    match !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && text.parse::<i64>().is_ok() {
        true => Ok(Some(text)),
        false => Err(wrong()),
    }
}

fn signature(raw: &str) -> Result<Option<Cow<'_, str>>, Refusal> {
    match raw.as_bytes().first() {
        Some(b't' | b'f') => Err(malformed("sign is not text")),
        _ => loose::text(raw).map_err(|_| malformed("sign is not text")),
    }
}

fn kind_of(raw: Option<&str>) -> Result<i64, Refusal> {
    let raw = raw.ok_or_else(|| malformed("event_type is missing"))?;
    match loose::int(raw) {
        Ok(Some(kind)) => Ok(kind),
        Ok(None) => Err(malformed("event_type is empty")),
        Err(_) => Err(malformed("event_type is not a whole number")),
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<Field<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::with_capacity(24);
        while let Some(key) = map.next_key_seed(Key)? {
            fields.push(Field { key, raw: map.next_value::<&RawValue>()?.get() });
        }
        Ok(fields)
    }
}

/// A name, borrowed wherever it has no escapes; serde's own `Cow` always copies.
pub(super) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(body: &str) -> String {
        match Callback::parse(body.as_bytes()) {
            Err(Refusal::Malformed(why)) => why,
            other => panic!("{body} gave {other:?}"),
        }
    }

    #[test]
    fn the_envelope_comes_out_and_the_rest_is_sorted() {
        let callback =
            Callback::parse(br#" {"z":[1], "t":"0175","sign":"AB","event_type":"321","a":{"b":1}} "#).unwrap();
        assert_eq!(callback.t.as_deref(), Some("0175"), "the text as received is what was signed");
        assert_eq!(callback.sign.as_deref(), Some("AB"));
        assert_eq!(callback.kind, 321);
        let fields: Vec<_> = callback.fields.iter().map(|f| (f.key.as_ref(), f.raw)).collect();
        assert_eq!(fields, [("a", r#"{"b":1}"#), ("event_type", r#""321""#), ("z", "[1]")]);
    }

    #[test]
    fn of_repeated_names_the_last_counts_even_when_one_is_escaped() {
        let callback =
            Callback::parse(br#"{"t":1,"sign":"a","event_type":0,"x":1,"\u0074":2,"x":2,"sign":"b","event_type":1}"#)
                .unwrap();
        assert_eq!((callback.t.as_deref(), callback.sign.as_deref(), callback.kind), (Some("2"), Some("b"), 1));
        assert_eq!(callback.fields.iter().find(|f| f.key == "x").unwrap().raw, "2");
        assert_eq!(callback.fields.len(), 2);
    }

    #[test]
    fn null_counts_as_absent_and_sign_may_be_digits() {
        let callback = Callback::parse(br#"{"t":null,"sign":12,"event_type":0}"#).unwrap();
        assert_eq!((callback.t, callback.sign.as_deref()), (None, Some("12")));
    }

    #[test]
    fn impossible_envelopes_are_named() {
        for (body, expected) in [
            ("", "not JSON: EOF while parsing a value at line 1 column 0"),
            ("{\"a\":1\n,,", "not JSON: key must be a string at line 2 column 2"),
            ("{} x", "not JSON: trailing characters at line 1 column 4"),
            ("[1]", "the body is not a JSON object"),
            ("\"text\"", "the body is not a JSON object"),
            ("null", "the body is not a JSON object"),
            (r#"{"t":1.5,"event_type":0}"#, "t is not a Unix time in seconds"),
            (r#"{"t":"","event_type":0}"#, "t is not a Unix time in seconds"),
            (r#"{"t":"-","event_type":0}"#, "t is not a Unix time in seconds"),
            (r#"{"t":{},"event_type":0}"#, "t is not a Unix time in seconds"),
            (r#"{"t":99999999999999999999,"event_type":0}"#, "t is not a Unix time in seconds"),
            (r#"{"sign":[],"event_type":0}"#, "sign is not text"),
            (r#"{"sign":true,"event_type":0}"#, "sign is not text"),
            ("{}", "event_type is missing"),
            (r#"{"event_type":null}"#, "event_type is empty"),
            (r#"{"event_type":"x"}"#, "event_type is not a whole number"),
            (r#"{"event_type":1.5}"#, "event_type is not a whole number"),
            (r#"{"event_type":true}"#, "event_type is not a whole number"),
        ] {
            assert_eq!(why(body), expected, "{body}");
        }
        assert!(
            matches!(Callback::parse(b"{\"\xff\":1}"), Err(Refusal::Malformed(why)) if why == "not UTF-8 at byte 3")
        );
    }

    #[test]
    fn a_nesting_bomb_is_skipped_or_refused_but_never_overflows() {
        let deep = format!(r#"{{"event_type":1,"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(Callback::parse(deep.as_bytes()).unwrap().kind, 1);
        let open = "[".repeat(100_000);
        assert_eq!(why(&open), "the body is not a JSON object");
        let open = format!(r#"{{"x":{}"#, "{\"a\":".repeat(50_000));
        assert!(why(&open).starts_with("not JSON: EOF"));
    }
}
