//! The JSON Schema of rules.yaml, for editors, from the tables that the reader goes by. Pure.
//!
//! It never refuses what the reader takes. The other way round it is milder: what only `check` can know (whether a
//! channel exists, what a condition can be compared with) is left to `check`.

use serde_json::{Map, Value as Json, json};

use super::shape::{self, Shape, Value, Word};
use crate::model::{AbnormalType, EventKind, Scope};

/// A reference to the environment, with which any value may come: what it will be is not known here.
const REFERENCE: &str = r"\$\{";

/// The JSON Schema (draft 2020-12) of rules.yaml.
#[must_use]
pub fn json() -> Json {
    let mut defs = Map::new();
    for (id, shape) in shape::sections() {
        defs.insert(id.to_owned(), mapping(shape.words.iter()));
    }
    defs.insert("channel".to_owned(), channel());
    defs.insert("condition".to_owned(), condition());
    defs.insert("reference".to_owned(), json!({ "type": "string", "pattern": REFERENCE }));
    defs.insert("secret".to_owned(), secret());
    defs.insert("duration".to_owned(), duration());
    defs.insert("event".to_owned(), named_number(EventKind::names()));
    defs.insert("abnormal_type".to_owned(), named_number(AbnormalType::NAMES.into_iter()));
    let mut schema = match defs.remove(id(&shape::TOP)) {
        Some(Json::Object(top)) => top,
        _ => Map::new(),
    };
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!("pushwatch rules.yaml"));
    schema.insert("$defs".to_owned(), Json::Object(defs));
    Json::Object(schema)
}

/// What the schema calls a section.
fn id(section: &Shape) -> &'static str {
    shape::sections().into_iter().find(|(_, shape)| shape.what == section.what).map_or("", |(id, _)| id)
}

/// A mapping with these keys and no others.
fn mapping<'w>(words: impl Iterator<Item = &'w Word> + Clone) -> Json {
    let properties: Map<_, _> = words.clone().map(|word| (word.name.to_owned(), property(word))).collect();
    let mut needed: Vec<&str> = words.filter(|word| word.needed).map(|word| word.name).collect();
    needed.sort_unstable();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if let (Json::Object(schema), false) = (&mut schema, needed.is_empty()) {
        schema.insert("required".to_owned(), json!(needed));
    }
    schema
}

fn property(word: &Word) -> Json {
    let mut schema = value(&word.value);
    if let Json::Object(schema) = &mut schema {
        schema.insert("description".to_owned(), json!(word.doc));
    }
    schema
}

fn value(value: &Value) -> Json {
    match value {
        Value::Text => json!({ "type": ["string", "number", "boolean"] }),
        Value::Secret => reference_to("secret"),
        Value::Boolean => json!({ "type": ["boolean", "string"], "pattern": format!("^(true|false)$|{REFERENCE}") }),
        Value::Integer(low, high) => {
            let mut schema = json!({ "type": ["integer", "string"], "pattern": format!(r"^[-+]?[0-9]+$|{REFERENCE}"), "minimum": low });
            if let (Json::Object(schema), true) = (&mut schema, *high < i64::MAX) {
                schema.insert("maximum".to_owned(), json!(high));
            }
            schema
        }
        Value::Duration => reference_to("duration"),
        Value::Size => json!({
            "type": ["integer", "string"],
            "minimum": 0,
            "pattern": format!(r"^\s*[0-9]+\s*([kKmM]?[bB]|[kKmM]|[kKmM][iI][bB])?\s*$|{REFERENCE}"),
        }),
        Value::OneOf(words) => any([one_of(words), reference_to("reference")]),
        Value::Event => reference_to("event"),
        Value::AbnormalType => reference_to("abnormal_type"),
        Value::Scope => any([one_of(&Scope::ALL.map(Scope::as_str)), reference_to("reference")]),
        Value::List(item) => {
            let item = self::value(item);
            any([json!({ "type": "array", "items": item.clone() }), item])
        }
        Value::Section(shape) => reference_to(id(shape)),
        Value::Rows(shape) => json!({ "type": "array", "items": reference_to(id(shape)) }),
        Value::Named(inner) => json!({ "type": "object", "additionalProperties": self::value(inner) }),
        Value::Either(one, other) => any([self::value(one), self::value(other)]),
        Value::Condition => reference_to("condition"),
        Value::Channel => reference_to("channel"),
    }
}

/// Any of some schemas; those that are a choice themselves are taken apart, so that editors show one list.
fn any<const N: usize>(schemas: [Json; N]) -> Json {
    let mut choices: Vec<Json> = Vec::new();
    for schema in schemas {
        let inner = match &schema {
            Json::Object(object) if object.len() == 1 => object.get("anyOf").and_then(Json::as_array).cloned(),
            _ => None,
        };
        for choice in inner.unwrap_or_else(|| vec![schema]) {
            if !choices.contains(&choice) {
                choices.push(choice);
            }
        }
    }
    json!({ "anyOf": choices })
}

/// One of some words, as YAML reads them: `false` and `1` need no quotes.
fn one_of(words: &[&str]) -> Json {
    let mut all: Vec<Json> = Vec::new();
    for word in words {
        // First the form that editors are to offer.
        let plain = word.parse::<i64>().map(Json::from).or_else(|_| word.parse::<bool>().map(Json::from));
        all.extend(plain.ok());
        all.push(json!(word));
    }
    json!({ "enum": all })
}

/// A name, or a number in digits.
fn named_number<'n>(names: impl Iterator<Item = &'n str>) -> Json {
    let names: Vec<&str> = names.collect();
    any([
        json!({ "enum": names }),
        json!({ "type": ["integer", "string"], "pattern": format!(r"^[-+]?[0-9]+$|{REFERENCE}") }),
    ])
}

fn duration() -> Json {
    json!({
        "type": "string",
        "pattern": format!(r"^\s*[0-9.,]+\s*[a-zA-Zµμ:]|{REFERENCE}"),
        "examples": ["90s", "10m", "1h", "1d12h"],
    })
}

fn secret() -> Json {
    any([
        value(&Value::Text),
        json!({
            "type": "object",
            "properties": { "file": { "type": "string", "description": "The file that the secret stands in." } },
            "required": ["file"],
            "additionalProperties": false,
        }),
    ])
}

/// A condition: one value with or without a sign, a list of which one must hold, or a negation.
fn condition() -> Json {
    any([
        value(&Value::Text),
        json!({ "type": "array", "items": reference_to("condition"), "minItems": 1 }),
        reference_to(id(&shape::NOT)),
    ])
}

/// A channel: which keys it has goes by its `type`.
fn channel() -> Json {
    let types: Vec<Json> = shape::CHANNEL_TYPES
        .iter()
        .map(|(kind, words)| {
            let keys = mapping(words.iter().chain(shape::CHANNEL));
            json!({ "if": { "properties": { "type": { "const": kind } }, "required": ["type"] }, "then": keys })
        })
        .collect();
    let kind = shape::CHANNEL.iter().find(|word| word.name == "type").map(property);
    json!({ "type": "object", "properties": { "type": kind }, "required": ["type"], "allOf": types })
}

fn reference_to(id: &str) -> Json {
    json!({ "$ref": format!("#/$defs/{id}") })
}
