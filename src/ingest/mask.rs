//! Takes the secrets out of a callback before anything else sees it, and writes the journal's copy. Pure.
//!
//! The copy is one line of JSON: the callback's members in the order of their names, without `t` and `sign`, the
//! values of `stream_param` and of every `txSecret=` blanked. So a retry, which is signed anew, has the same copy.
//! Everyone can read it: what the letter of JSON allows but readers choke on is kept as text.

use std::borrow::Cow;

use bytes::Bytes;
use md5::{Digest, Md5};

use super::scan::{self, BLANK};
use super::signature::Verified;
use super::sound;
use super::wire::{Field, loose};
use crate::model::EventId;

/// A verified callback without its secrets: all that the rest of the program ever sees.
#[derive(Debug)]
pub(super) struct Masked<'a> {
    kind: i64,
    /// By name.
    fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    body: Vec<u8>,
}

impl Masked<'_> {
    /// The `event_type`.
    pub(super) fn kind(&self) -> i64 {
        self.kind
    }

    /// Name and value, as written, of every member but `t` and `sign`.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(key, raw)| (key.as_ref(), raw.as_ref()))
    }

    /// The event's identity: the MD5 of the journal's copy.
    pub(super) fn id(&self) -> EventId {
        EventId(Md5::digest(&self.body).into())
    }

    /// The journal's copy.
    pub(super) fn into_body(self) -> Bytes {
        self.body.into()
    }
}

/// Masks a verified callback.
pub(super) fn mask(verified: Verified<'_>) -> Masked<'_> {
    let kind = verified.kind();
    let mut body = Vec::with_capacity(verified.len());
    let fields: Vec<_> = verified.into_fields().into_iter().map(member).collect();
    for (at, (key, raw)) in fields.iter().enumerate() {
        body.push(if at == 0 { b'{' } else { b',' });
        write_text(&mut body, key);
        body.push(b':');
        body.extend_from_slice(raw.as_bytes());
    }
    if fields.is_empty() {
        body.push(b'{');
    }
    body.push(b'}');
    Masked { kind, fields, body }
}

fn member(field: Field<'_>) -> (Cow<'_, str>, Cow<'_, str>) {
    let value = match field.key.as_ref() {
        "stream_param" | "streamParam" => Cow::Owned(query(field.raw)),
        key if scan::is_secret_name(key) => Cow::Owned(quoted(BLANK)),
        _ => readable(one_line(scan::blank(field.raw))),
    };
    let key = match scan::blank(&field.key) {
        Cow::Borrowed(_) => field.key,
        Cow::Owned(blanked) => Cow::Owned(blanked),
    };
    (key, value)
}

/// A query with its values blanked: `txSecret=***&txTime=***`. A part that has no name is blanked whole.
fn query(raw: &str) -> String {
    let Ok(Some(query)) = loose::text(raw) else { return quoted(BLANK) };
    let mut out = String::with_capacity(query.len());
    for (at, part) in query.split('&').enumerate() {
        if at > 0 {
            out.push('&');
        }
        match part.split_once('=') {
            Some((name, _)) => {
                out.push_str(&scan::blank(name));
                out.push('=');
                out.push_str(BLANK);
            }
            None if part.is_empty() => {}
            None => out.push_str(BLANK),
        }
    }
    quoted(&out)
}

fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_text(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}

/// Line breaks between the tokens of a value become blanks; inside of strings JSON has none.
fn one_line(raw: Cow<'_, str>) -> Cow<'_, str> {
    match raw.contains(['\n', '\r']) {
        true => Cow::Owned(raw.replace(['\n', '\r'], " ")),
        false => raw,
    }
}

/// A value that would break readers of the copy is kept as text.
fn readable(raw: Cow<'_, str>) -> Cow<'_, str> {
    match sound::is_sound(&raw) {
        true => raw,
        false => Cow::Owned(quoted(&raw)),
    }
}

/// As a JSON string.
fn write_text(out: &mut Vec<u8>, text: &str) {
    match text.bytes().any(|b| b < 0x20 || b == b'"' || b == b'\\') {
        // Writing text to memory can't fail.
        true => serde_json::to_writer(out, text).unwrap_or_default(),
        false => {
            out.push(b'"');
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ingest::{signature, wire};
    use crate::model::{Door, Timestamp};

    fn masked(body: &str) -> (String, EventId) {
        let open = Door { allow_unsigned: true, ..Door::default() };
        let callback = wire::Callback::parse(body.as_bytes()).unwrap();
        let masked = mask(signature::verify(&open, callback, Timestamp(0)).unwrap());
        let id = masked.id();
        (String::from_utf8(masked.into_body().to_vec()).unwrap(), id)
    }

    #[test]
    fn the_copy_lacks_t_and_sign_and_the_values_of_stream_param() {
        let body = r#"{"t":1,"stream_param":"txSecret=f5828cd4&txTime=665982e4&flag","event_type":1,"sign":"ab"}"#;
        assert_eq!(masked(body).0, r#"{"event_type":1,"stream_param":"txSecret=***&txTime=***&***"}"#);
    }

    #[test]
    fn stream_param_in_every_spelling() {
        for (raw, expected) in [
            (r#""""#, r#""""#),
            (r#""token""#, r#""***""#),
            (r#""a=1=2&&b=""#, r#""a=***&&b=***""#),
            (r#""a\u003dx\u0026txSecret\u003dy""#, r#""a=***&txSecret=***""#),
            (r#""txSecret%3Dabc%26k=v""#, r#""txSecret%3D***%26k=***""#),
            (r#""\"=v""#, r#""\"=***""#),
            (r#"{"txSecret":"abc"}"#, r#""***""#),
            (r#"["abc"]"#, r#""***""#),
            ("null", r#""***""#),
            ("12345", r#""***""#),
            (r#""\ud800=abc""#, r#""***""#),
        ] {
            let expected = format!(r#"{{"event_type":1,"stream_param":{expected}}}"#);
            assert_eq!(masked(&format!(r#"{{"event_type":1,"stream_param":{raw}}}"#)).0, expected, "{raw}");
        }
        assert_eq!(masked(r#"{"event_type":1,"streamParam":"k=v"}"#).0, r#"{"event_type":1,"streamParam":"k=***"}"#);
    }

    #[test]
    fn secrets_elsewhere_go_too_in_names_as_in_values() {
        let body = r#"{"errmsg":"rtmp://h/l/s?txSecret=abc refused","event_type":0,"txSecret":77,"u?txSecret=abc":[{"x":"txSecret%3Dabc"}]}"#;
        let expected = r#"{"errmsg":"rtmp://h/l/s?txSecret=*** refused","event_type":0,"txSecret":"***","u?txSecret=***":[{"x":"txSecret%3D***"}]}"#;
        assert_eq!(masked(body).0, expected);
    }

    #[test]
    fn a_retry_has_the_same_identity_and_another_content_another() {
        let first = masked(r#"{"event_type":0,"stream_id":"a","event_time":5,"t":1,"sign":"aa"}"#);
        assert_eq!(first, masked(r#"{"sign":"bb","event_type":0,"event_time":5,"stream_id":"a","t":600}"#));
        assert_eq!(first, masked(" {\"event_type\" : 0,\n\"event_time\":5 , \"stream_id\":\"a\" }"));
        assert_ne!(first.1, masked(r#"{"event_type":0,"stream_id":"a","event_time":6}"#).1);
        assert_ne!(first.1, masked(r#"{"event_type":1,"stream_id":"a","event_time":5}"#).1);
    }

    #[test]
    fn the_copy_is_one_line_of_the_same_json() {
        let (body, _) = masked("{\r\n \"event_type\": 0, \"a\": {\r\n  \"b\": [1,\n 2], \"c\": \"x\\ny\"\r\n }\r\n}");
        assert!(!body.contains(['\n', '\r']));
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(value, serde_json::json!({"event_type": 0, "a": {"b": [1, 2], "c": "x\ny"}}));
    }

    #[test]
    fn what_readers_choke_on_is_kept_as_text() {
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        let (body, _) = masked(&format!(r#"{{"event_type":1,"a":1e999,"b":{deep},"c":"\ud800"}}"#));
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(value, serde_json::json!({"event_type": 1, "a": "1e999", "b": deep, "c": "\"\\ud800\""}));
    }

    proptest! {
        #[test]
        fn the_copy_is_json_and_holds_no_secret(name in "[a-zA-Z_\"\\\\ %]{0,12}", value in ".{0,20}", param in "[a-z=&%\"]{0,20}") {
            let body = serde_json::json!({
                "event_type": 1, "sign": "5ecre7", "t": 1,
                "stream_param": format!("{param}=5ecre7&txSecret=5ecre7"),
                format!("k{name}"): format!("{value} txSecret=5ecre7"),
            });
            let (copy, _) = masked(&body.to_string());
            prop_assert!(!copy.contains("5ecre7"), "{}", copy);
            prop_assert!(serde_json::from_str::<serde_json::Value>(&copy).is_ok(), "{}", copy);
        }
    }
}
