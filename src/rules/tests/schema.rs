//! The JSON Schema against the reader: what the reader takes the schema takes, and no unknown key passes either.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;
use serde_json::Value as Json;

use super::read;
use crate::rules::schema::json;
use crate::rules::shape;

thread_local! {
    static JUDGE: Judge = Judge { schema: json(), patterns: RefCell::default() };
}

/// What the schema has against a file.
pub(super) fn refusals(text: &str) -> Vec<String> {
    refusals_of(&plain(text).unwrap_or_else(|error| panic!("{error}\n{text}")))
}

/// The same of a tree.
pub(super) fn refusals_of(tree: &Json) -> Vec<String> {
    let mut found = Vec::new();
    JUDGE.with(|judge| judge.judge(&judge.schema, tree, "", &mut found));
    found
}

/// A file as the plain tree that editors see.
pub(super) fn plain(text: &str) -> Result<Json, serde_saphyr::Error> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_events: 400_000, max_nodes: 200_000 },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    };
    serde_saphyr::from_str_with_options(text, options)
}

/// A validator for the keywords that our schema uses, and no others.
struct Judge {
    schema: Json,
    patterns: RefCell<HashMap<String, Regex>>,
}

impl Judge {
    fn judge(&self, schema: &Json, value: &Json, place: &str, found: &mut Vec<String>) {
        let Json::Object(keywords) = schema else { panic!("{place}: a schema is an object: {schema}") };
        for (keyword, rule) in keywords {
            let list = || rule.as_array().into_iter().flatten();
            let is_kept = match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" | "examples" => true,
                // Looked at with its `if`.
                "then" => keywords.contains_key("if"),
                "$ref" => {
                    let id = rule.as_str().and_then(|id| id.strip_prefix('#')).unwrap();
                    let target = self.schema.pointer(id).unwrap_or_else(|| panic!("{id} refers to nothing"));
                    self.judge(target, value, place, found);
                    true
                }
                "type" if rule.is_array() => list().any(|kind| is_of_type(value, kind.as_str().unwrap())),
                "type" => is_of_type(value, rule.as_str().unwrap()),
                "enum" => list().any(|one| one == value),
                "const" => rule == value,
                "pattern" => value.as_str().is_none_or(|text| self.fits(rule.as_str().unwrap(), text)),
                "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
                "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
                "required" => list().all(|key| !value.is_object() || value.get(key.as_str().unwrap()).is_some()),
                "anyOf" => list().any(|choice| self.holds(choice, value)),
                "allOf" => {
                    list().for_each(|part| self.judge(part, value, place, found));
                    true
                }
                "if" => {
                    if self.holds(rule, value) {
                        self.judge(&keywords["then"], value, place, found);
                    }
                    true
                }
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.judge(rule, item, &format!("{place}/{index}"), found);
                    }
                    true
                }
                "properties" => {
                    for (key, schema) in rule.as_object().unwrap() {
                        let inner = value.get(key).into_iter();
                        inner.for_each(|inner| self.judge(schema, inner, &format!("{place}/{key}"), found));
                    }
                    true
                }
                "additionalProperties" => {
                    for (key, inner) in value.as_object().into_iter().flatten() {
                        let place = format!("{place}/{key}");
                        match rule {
                            _ if keywords.get("properties").is_some_and(|known| known.get(key).is_some()) => {}
                            Json::Bool(false) => found.push(format!("{place} is unknown")),
                            schema => self.judge(schema, inner, &place, found),
                        }
                    }
                    true
                }
                other => panic!("the schema uses `{other}`, which this test does not know"),
            };
            if !is_kept {
                found.push(format!("{place}: {keyword} {rule} does not hold of {value}"));
            }
        }
    }

    fn holds(&self, schema: &Json, value: &Json) -> bool {
        let mut found = Vec::new();
        self.judge(schema, value, "", &mut found);
        found.is_empty()
    }

    fn fits(&self, pattern: &str, text: &str) -> bool {
        let mut patterns = self.patterns.borrow_mut();
        patterns.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).unwrap()).is_match(text)
    }
}

fn is_of_type(value: &Json, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("the schema uses the type `{other}`"),
    }
}

/// A file in which each key that this version understands is written.
pub(super) const EVERY_KEY: &str = r#"
version: 1
timezone: UTC
tencent:
  keys: [one, { file: "${MISSING:-tests/fixtures/secret.txt}" }]
  path_secret: abc
  allow_unsigned: false
  unsigned_events: [relay, 343]
  clock_skew: 30s
  max_validity: 1h
  max_body: 1MiB
  sources: [203.0.113.0/24]
  trusted_proxies: 127.0.0.1
channels:
  bot: { type: slack, token: xoxb-1, channel: C1, api_url: "http://127.0.0.1:1", signing_secret: abc, allow: [U1, W2] }
  hook: { type: slack, webhook_url: "https://example.com/x", fallback: bot, timezone: Asia/Shanghai }
  robot: { type: wecom, key: abc, language: zh, min_severity: critical }
  app: { type: wecom, corp_id: ww1, agent_id: 1000002, secret: { file: tests/fixtures/secret.txt }, to: [ann, "tag:7"],
    callback_token: abc, encoding_aes_key: "0123456789012345678901234567890123456789abc" }
  tele: { type: telegram, token: "1:a", chat_id: "${CHAT}", thread_id: 3, allow: everyone,
    webhook_secret: abc, public_url: "https://example.com" }
  json: { type: webhook, url: "https://example.com/y", headers: { A: b }, template: '{ "a": "{{text}}" }' }
  tty: { type: console }
defaults:
  notify: [bot, tty]
  severity: warning
  resolve_after: 2m
  reopen_within: 0s
  repeat_interval: 1h
  rate_limit: none
  group_by: [domain, team]
  for: 0s
  grace: 90s
  active: [night, "month_end"]
  labels: { team: av }
  annotations: { runbook: "https://example.com/r" }
time_intervals:
  night: { times: ["22:00-07:00"], weekdays: [mon-fri], timezone: Asia/Shanghai }
  month_end: { days_of_month: [-1], months: [jan, 6], years: [2030, "2031:2032"] }
routes:
  - { match: 'severity="critical"', notify: [bot], continue: true }
  - { notify: hook }
mutes:
  - { match: 'stream=~"test_.*"', active: night, reason: tests }
catalogue:
  gop_too_large: { name: a, viewers: b, cause: c, fix: d, severity: info }
  6: { severity: "${MISSING:-critical}" }
rules:
  - name: all
    on: push_error
    types: [6, audio_frames_late, "99"]
    where:
      value: ">= 3s"
      count: [1, ">= 2"]
      type: { not: 3 }
      stream: "live_*"
      domain: "push.*"
      path: live
      session: { not: ["0", 1] }
      appid: 1250000000
      user_ip: "203.0.113.*"
      node: a
      hour: ">= 8"
      weekday: [mon, tue]
      any: [ { path: a }, { path: b, any: [ { stream: c }, { stream: d } ] } ]
    per: domain
    threshold: { distinct: stream, within: 1m }
    for: 30s
    severity: { info: 2, warning: 3, critical: 10 }
    keep_firing_for: 2m
    reopen_within: 5m
    repeat_interval: 1d
    rate_limit: { burst: 1, every: 1h }
    notify: [bot]
    labels: { team: a }
    annotations: { summary: b }
    group_by: []
    inhibits: [end]
    active: []
    enabled: true
  - name: end
    on: push_end
    where: { errcode: { not: [1, 2] }, push_duration: "> 1h" }
    grace: 1m
    rate_limit: false
  - { name: reports, on: 321, threshold: { reports: 3, within: 1m }, severity: critical }
  - { name: counts, on: push_error, threshold: { count: 3 } }
  - { name: quiet, on: silence, of: 314, within: 10m }
"#;

#[test]
fn the_sample_has_every_key_and_every_key_is_explained() {
    for word in shape::words() {
        assert!(EVERY_KEY.contains(&format!("{word}:")), "the sample has no `{word}`");
    }
    for (_, shape) in shape::sections() {
        for word in shape.words {
            let is_sentence = word.doc.ends_with('.') && word.doc.len() > 10;
            assert!(is_sentence, "`{}` of {} is not explained", word.name, shape.what);
        }
    }
}

#[test]
fn no_unknown_key_passes_in_any_section() {
    super::fine(EVERY_KEY);
    let sample = plain(EVERY_KEY).unwrap();
    let mut places = Vec::new();
    collect(&sample, String::new(), &mut places);
    assert!(places.len() > 35, "{places:?}");
    for place in places {
        let mut tree = sample.clone();
        tree.pointer_mut(&place).and_then(Json::as_object_mut).unwrap().insert("unknown_key".to_owned(), 1.into());
        assert!(!refusals_of(&tree).is_empty(), "the schema takes an unknown key in `{place}`");
        assert!(read(&tree.to_string()).is_err(), "the reader takes an unknown key in `{place}`");
    }
}

/// The places of all mappings but those whose keys are the operator's own.
fn collect(value: &Json, place: String, places: &mut Vec<String>) {
    match value {
        Json::Object(object) => {
            let is_own = ["/labels", "/annotations", "/headers"].iter().any(|own| place.ends_with(own));
            object.iter().for_each(|(key, inner)| collect(inner, format!("{place}/{key}"), places));
            places.extend((!is_own).then_some(place));
        }
        Json::Array(items) => {
            items.iter().enumerate().for_each(|(index, inner)| collect(inner, format!("{place}/{index}"), places));
        }
        _ => {}
    }
}

#[test]
fn what_is_missing_or_of_the_wrong_form_is_refused_by_both() {
    let file = |tail: &str| {
        format!("version: 1\nchannels: {{ tty: {{ type: console }} }}\ndefaults: {{ notify: tty }}\n{tail}")
    };
    for wrong in [
        "rules: {}",
        "rules: [ { on: push_error } ]",
        "rules: [ { name: a } ]",
        "rules: [ { name: a, on: push_errors } ]",
        "rules: [ { name: a, on: push_error, for: 90 } ]",
        "rules: [ { name: a, on: push_error, for: soon } ]",
        "rules: [ { name: a, on: push_error, for: -5m } ]",
        "rules: [ { name: a, on: push_error, per: planet } ]",
        "rules: [ { name: a, on: push_error, severity: bad } ]",
        "rules: [ { name: a, on: push_error, severity: { warning: 0 } } ]",
        "rules: [ { name: a, on: push_error, threshold: { count: many } } ]",
        "rules: [ { name: a, on: push_error, threshold: { count: 1.5 } } ]",
        "rules: [ { name: a, on: push_error, types: [gop] } ]",
        "rules: [ { name: a, on: push_error, enabled: yes } ]",
        "rules: [ { name: a, on: push_error, labels: [a] } ]",
        "rules: [ { name: a, on: push_error, labels: { a: [b] } } ]",
        "rules: [ { name: a, on: push_error, where: { stream: { nt: a } } } ]",
        "rules: [ { name: a, on: push_error, where: { any: { stream: a } } } ]",
        "rules: [ { name: a, on: push_error, rate_limit: fast } ]",
        "rules: []\nroutes: [ { match: 'rule=\"a\"' } ]",
        "rules: []\ntencent: { max_body: large }",
        "rules: []\nversion: 2",
        "",
    ] {
        let text = match wrong.ends_with("version: 2") {
            true => file(wrong).replacen("version: 1\n", "", 1),
            false => file(wrong),
        };
        assert!(!refusals(&text).is_empty(), "the schema takes {wrong}");
        assert!(read(&text).is_err(), "the reader takes {wrong}");
    }
    for channel in ["{ type: email }", "{ language: en }", "{ type: console, token: x }", "{ type: telegram }", "tty"] {
        let text = format!("version: 1\nchannels: {{ a: {channel} }}\nrules: []\n");
        assert!(!refusals(&text).is_empty(), "the schema takes {channel}");
        assert!(read(&text).is_err(), "the reader takes {channel}");
    }
}
