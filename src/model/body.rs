//! The body of a webhook as its operator wants it: JSON in whose strings `{{name}}` stands for what is to be told. Pure.
//!
//! Values are put into strings that were read as JSON before, so whatever a stream is called, JSON comes out. A string
//! that is one `{{name}}` and nothing else becomes the value itself: a number, a list, an object.

use std::fmt;

use serde_json::{Map, Value};

/// Longest template, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// What the first part of a name can be; what `facts` holds differs from message to message.
const NAMES: [&str; 6] = ["version", "reason", "delivery_id", "summary", "text", "facts"];

/// A body, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct BodyTemplate(Part);

/// Why a text is no template of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadBody {
    /// The byte of the template where it goes wrong.
    pub at: usize,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for BadBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// `null`, a number, `true` or `false`.
    Fixed(Value),
    /// The value itself.
    Whole(Name),
    Text(Vec<Piece>),
    List(Vec<Part>),
    Object(Vec<(String, Part)>),
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Literal(String),
    Value(Name),
}

/// `facts.stream.id`, taken apart.
type Name = Vec<String>;

impl BodyTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// Where it is no JSON, or what it asks for is not to be had.
    pub fn parse(text: &str) -> Result<BodyTemplate, BadBody> {
        if text.len() > MAX_BYTES {
            return Err(BadBody { at: 0, why: format!("is longer than {MAX_BYTES} bytes") });
        }
        let value: Value = serde_json::from_str(text).map_err(|error| syntax(text, &error))?;
        if !matches!(value, Value::Object(_) | Value::Array(_)) {
            return Err(BadBody { at: 0, why: "must be a JSON object or list".to_owned() });
        }
        let part = part(value).map_err(|(written, why)| BadBody { at: text.find(&written).unwrap_or(0), why })?;
        Ok(BodyTemplate(part))
    }

    /// The body with these values. What is not among them is `null`, and nothing inside a text.
    #[must_use]
    pub fn fill(&self, values: &Value) -> Value {
        fill(&self.0, values)
    }
}

fn syntax(text: &str, error: &serde_json::Error) -> BadBody {
    let line = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
    let at = text.floor_char_boundary((line + error.column().saturating_sub(1)).min(text.len()));
    BadBody { at, why: format!("is not JSON: {error}") }
}

/// What is written wrongly, and why it is wrong.
type Wrong = (String, String);

fn part(value: Value) -> Result<Part, Wrong> {
    Ok(match value {
        Value::String(text) => match pieces(&text)?.as_mut_slice() {
            [Piece::Value(name)] => Part::Whole(std::mem::take(name)),
            pieces => Part::Text(pieces.to_vec()),
        },
        Value::Array(items) => Part::List(items.into_iter().map(part).collect::<Result<_, _>>()?),
        Value::Object(entries) => {
            let entries = entries.into_iter().map(|(key, value)| Ok((key, part(value)?)));
            Part::Object(entries.collect::<Result<_, Wrong>>()?)
        }
        fixed @ (Value::Null | Value::Bool(_) | Value::Number(_)) => Part::Fixed(fixed),
    })
}

fn pieces(text: &str) -> Result<Vec<Piece>, Wrong> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, tail)) = after.split_once("}}") else {
            return Err(("{{".to_owned(), "has a `{{` without its `}}`".to_owned()));
        };
        if !before.is_empty() {
            pieces.push(Piece::Literal(before.to_owned()));
        }
        pieces.push(Piece::Value(parse_name(name)?));
        rest = tail;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest.to_owned()));
    }
    Ok(pieces)
}

fn parse_name(written: &str) -> Result<Name, Wrong> {
    let name: Name = written.trim().split('.').map(str::to_owned).collect();
    let is_word = |word: &String| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let known = name.first().is_some_and(|first| NAMES.contains(&first.as_str()));
    match known && name.iter().all(is_word) {
        true => Ok(name),
        false => {
            let why = format!("knows no `{{{{{written}}}}}`; there are {}, and facts.NAME", NAMES.join(", "));
            Err((format!("{{{{{written}}}}}"), why))
        }
    }
}

fn fill(part: &Part, values: &Value) -> Value {
    match part {
        Part::Fixed(value) => value.clone(),
        Part::Whole(name) => find(name, values).cloned().unwrap_or_default(),
        Part::Text(pieces) => Value::String(pieces.iter().map(|piece| say(piece, values)).collect()),
        Part::List(items) => items.iter().map(|item| fill(item, values)).collect(),
        Part::Object(entries) => {
            Value::Object(entries.iter().map(|(key, part)| (key.clone(), fill(part, values))).collect::<Map<_, _>>())
        }
    }
}

fn say(piece: &Piece, values: &Value) -> String {
    match piece {
        Piece::Literal(text) => text.clone(),
        Piece::Value(name) => match find(name, values) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        },
    }
}

/// A part of a name is a key, or a place in a list from 0.
fn find<'v>(name: &[String], values: &'v Value) -> Option<&'v Value> {
    name.iter().try_fold(values, |value, part| match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        value => value.get(part),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn filled(template: &str, values: &Value) -> Value {
        BodyTemplate::parse(template).unwrap().fill(values)
    }

    #[test]
    fn a_string_takes_values_and_one_that_is_a_name_alone_becomes_the_value() {
        let values = json!({ "text": "late \"now\"\n", "delivery_id": 7, "facts": { "incidents": [ { "id": 3 } ] } });
        let template = r##"{ "msgtype": "text", "text": { "content": "[live] {{ text }}" }, "n": 5, "on": true,
            "id": "{{delivery_id}}", "first": "#{{facts.incidents.0.id}} {{facts.none}}", "all": ["{{facts}}", null],
            "none": "{{facts.none}}", "braces": "{ } }}" }"##;
        let want = json!({ "msgtype": "text", "text": { "content": "[live] late \"now\"\n" }, "n": 5, "on": true,
            "id": 7, "first": "#3 ", "all": [{ "incidents": [ { "id": 3 } ] }, null], "none": null, "braces": "{ } }}" });
        assert_eq!(filled(template, &values), want);
    }

    #[test]
    fn a_mistake_says_where_and_what() {
        let wrong = |template: &str| BodyTemplate::parse(template).map_err(|bad| (bad.at, bad.why)).unwrap_err();
        let (at, why) = wrong("{\n  \"a\": 1\n  \"b\": 2\n}");
        assert!(at == 13 && why.starts_with("is not JSON: expected `,` or `}`"), "{at} {why}");
        let (at, why) = wrong(r#"{ "a": "x {{txt}}" }"#);
        assert!(at == 10 && why.contains("no `{{txt}}`") && why.contains("summary, text, facts"), "{at} {why}");
        assert_eq!(wrong(r#"{ "a": "{{text" }"#).0, 8);
        assert!(wrong("\"{{text}}\"").1.contains("object or list"));
        assert!(wrong(r#"{ "a": "{{facts.}}" }"#).1.contains("knows no"));
        assert!(wrong(&format!("[{}1]", "1,".repeat(MAX_BYTES))).1.contains("longer"));
        assert!(wrong(&"[".repeat(10_000)).1.contains("not JSON"));
    }

    proptest! {
        #[test]
        fn no_value_breaks_out_of_its_string(text in ".*") {
            let body = filled(r#"{ "a": "<{{text}}>", "b": "{{text}}" }"#, &json!({ "text": text }));
            let want = json!({ "a": format!("<{text}>"), "b": text });
            prop_assert_eq!(serde_json::from_str::<Value>(&body.to_string()).unwrap(), want);
        }

        #[test]
        fn no_template_panics(template in r#"[\[\]{}:,"a. 1n\n]*"#) {
            let _ = BodyTemplate::parse(&template);
        }
    }
}
