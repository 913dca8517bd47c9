//! Random files built from the key tables: mostly of the right form, with a little of everything else.

use fastrand::Rng;
use serde_json::{Map, Value as Json, json};

use crate::model::{AbnormalType, EventKind, Scope};
use crate::rules::shape::{self, Shape, Value, Word};

/// Names that the file may define and refer to.
const NAMES: [&str; 6] = ["a", "b", "c", "night", "ops", "team"];

/// Texts that mean something somewhere.
const TEXTS: [&str; 16] = [
    "UTC",
    "Asia/Shanghai",
    "22:00-07:00",
    "mon-fri",
    "5",
    "2027:2029",
    "stream=~\"live_.*\"",
    "{severity=\"critical\", team!=\"a\"}",
    "live_*",
    ">= 3s",
    "=~ a|b",
    "10.0.0.0/8",
    "https://example.com/x",
    "",
    "流",
    "${EMPTY}",
];

/// What may stand anywhere and is hardly ever right.
fn rubbish(rng: &mut Rng) -> Json {
    match rng.u8(0..9) {
        0 => Json::Null,
        1 => json!(i64::MIN),
        2 => json!(1e300),
        3 => json!([]),
        4 => json!({}),
        5 => json!([[["deep"]]]),
        6 => json!({ "file": "nowhere" }),
        7 => json!("${MISSING}"),
        _ => json!("x".repeat(rng.usize(0..300))),
    }
}

/// A file by its number; the same number is the same file.
pub(super) fn file(seed: u64) -> String {
    let mut rng = Rng::with_seed(seed);
    let mut trees = Trees {
        fill: f64::from(rng.u8(1..40)) / 100.0,
        wrong: if rng.bool() { 0.0 } else { f64::from(rng.u8(1..10)) / 100.0 },
        rng,
    };
    let mut tree = trees.section(&shape::TOP, 0);
    // Most files are to get past their first lines.
    if let (Json::Object(top), true) = (&mut tree, trees.rng.u8(0..10) > 0) {
        top.insert("version".to_owned(), json!(1));
        top.insert("channels".to_owned(), json!({ "ops": { "type": "console" }, "a": { "type": "console" } }));
        top.entry("defaults").or_insert_with(|| json!({ "notify": "ops" }));
    }
    if trees.rng.bool() { format!("{tree:#}") } else { tree.to_string() }
}

struct Trees {
    rng: Rng,
    /// How likely a key is written.
    fill: f64,
    /// How likely anything is rubbish.
    wrong: f64,
}

impl Trees {
    fn is(&mut self, likely: f64) -> bool {
        self.rng.f64() < likely
    }

    fn section(&mut self, shape: &Shape, depth: u8) -> Json {
        self.mapping(shape.words, depth)
    }

    fn mapping(&mut self, words: &'static [Word], depth: u8) -> Json {
        let mut map = Map::new();
        for word in words {
            let likely = if word.needed { 1.0 - self.wrong } else { self.fill };
            if self.is(likely) {
                let value = self.value(&word.value, depth + 1);
                map.insert(word.name.to_owned(), value);
            }
        }
        if self.is(self.wrong / 4.0) {
            map.insert(self.pick(&TEXTS), json!(1));
        }
        Json::Object(map)
    }

    fn pick(&mut self, words: &[&str]) -> String {
        words[self.rng.usize(..words.len())].to_owned()
    }

    fn value(&mut self, value: &Value, depth: u8) -> Json {
        if depth > 8 || self.is(self.wrong) {
            return rubbish(&mut self.rng);
        }
        match value {
            Value::Text | Value::Secret => match self.rng.u8(0..10) {
                0..=6 => json!(self.pick(&NAMES)),
                7..=8 => json!(self.pick(&TEXTS)),
                _ => json!(self.rng.i8(..)),
            },
            Value::Boolean => json!(self.rng.bool()),
            Value::Integer(low, high) => match self.rng.u8(0..6) {
                0 => json!(*low),
                1 => json!(*high),
                2 => json!(self.rng.i64(*low..=*high).to_string()),
                _ => json!(self.rng.i64(1..30)),
            },
            Value::Duration => json!(format!("{}{}", self.rng.u8(0..100), self.pick(&["s", "m", "s", " m", "h", "d"]))),
            Value::Size => json!(format!("{}{}", self.rng.u16(..), self.pick(&["", "KiB", "MB", " k"]))),
            Value::OneOf(words) => json!(self.pick(words)),
            Value::Event => self.named_number(&EventKind::names().collect::<Vec<_>>()),
            Value::AbnormalType => self.named_number(&AbnormalType::NAMES),
            Value::Scope => json!(self.pick(&Scope::ALL.map(Scope::as_str))),
            Value::List(item) if self.rng.bool() => self.value(item, depth),
            Value::List(item) => (0..self.rng.u8(0..4)).map(|_| self.value(item, depth)).collect(),
            Value::Section(shape) => self.section(shape, depth),
            Value::Rows(shape) => (0..self.rng.u8(0..4)).map(|_| self.section(shape, depth)).collect(),
            Value::Named(inner) => {
                let names = (0..self.rng.u8(0..3)).map(|_| self.pick(&NAMES)).collect::<Vec<_>>();
                names.into_iter().map(|name| (name, self.value(inner, depth))).collect()
            }
            Value::Either(one, _) if self.rng.bool() => self.value(one, depth),
            Value::Either(_, other) => self.value(other, depth),
            Value::Condition => self.condition(depth),
            Value::Channel => {
                let (kind, words) = shape::CHANNEL_TYPES[self.rng.usize(..shape::CHANNEL_TYPES.len())];
                let mut channel = self.mapping(words, depth);
                if let (Json::Object(own), Json::Object(common)) = (&mut channel, self.mapping(shape::CHANNEL, depth)) {
                    own.extend(common);
                    own.insert("type".to_owned(), json!(kind));
                }
                channel
            }
        }
    }

    fn named_number(&mut self, names: &[&str]) -> Json {
        match self.rng.u8(0..8) {
            0 => json!(self.rng.i64(0..400)),
            1 => json!(self.rng.u8(..).to_string()),
            _ => json!(self.pick(names)),
        }
    }

    fn condition(&mut self, depth: u8) -> Json {
        match self.rng.u8(0..8) {
            0 => (0..self.rng.u8(0..3)).map(|_| self.value(&Value::Condition, depth + 1)).collect(),
            1 => json!({ "not": self.value(&Value::Condition, depth + 1) }),
            2 => json!(self.pick(&["mon", "sat-sun", "8", ">= 18", "=~ a+", "!~ [", "gop_too_large", "*_late"])),
            3 => json!(self.rng.u8(0..24)),
            _ => self.value(&Value::Text, depth),
        }
    }
}
