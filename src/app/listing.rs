//! The rules in force as `GET rules` lists them: each with what it listens to and when it fires. Shows no secret.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::model::{ChannelName, Severity, Timestamp};
use crate::rules::{Measure, Noun, Plan, Rule, RuleSet};

/// The whole answer.
pub(super) fn list(rules: &RuleSet, file: &Path, loaded_at: Timestamp) -> Value {
    let items: Vec<Value> = rules.rules.iter().map(|rule| item(rule, rules)).collect();
    json!({
        "items": items,
        "next": null,
        "hash": rules.hash,
        "loaded_at": loaded_at.0,
        "file": file.display().to_string(),
        "channels": names(rules.channels.keys()),
    })
}

fn item(rule: &Rule, rules: &RuleSet) -> Value {
    let mut item = Map::new();
    let mut set = |key: &str, value: Value| _ = item.insert(key.to_owned(), value);
    set("name", json!(&*rule.name));
    set("on", json!(rule.on.name()));
    if let Some(within) = rule.silence {
        set("silence", json!(words(within)));
    }
    if !rule.types.is_empty() {
        set("types", rule.types.iter().map(ToString::to_string).collect());
    }
    if !rule.conditions.is_empty() {
        // As it stands in the file: what came from the environment is a reference still.
        let conditions = rule.conditions.iter().map(|one| (one.field().to_owned(), json!(one.written())));
        set("where", Value::Object(conditions.collect()));
    }
    set("per", json!(rule.per.as_str()));
    set("threshold", threshold(rule));
    set("severity", severity(&rule.plan));
    let durations = [
        ("for", rule.lasting),
        ("grace", rule.grace),
        ("resolve_after", Some(rule.resolve_after)),
        ("reopen_within", Some(rule.reopen_within)),
        ("repeat_interval", Some(rule.repeat_interval)),
    ];
    for (key, duration) in durations {
        if let Some(duration) = duration {
            set(key, json!(words(duration)));
        }
    }
    if let Some(limit) = rule.rate_limit {
        set("rate_limit", json!({ "burst": limit.burst, "every": words(limit.every) }));
    }
    if !rule.active.is_empty() {
        set("active", rule.active.iter().map(|interval| json!(&*interval.name)).collect());
    }
    // A rule without its own word goes by the routes first; `defaults.notify` is what remains.
    set("notify", names(rule.notify.as_ref().unwrap_or(&rules.notify)));
    set("routed", json!(rule.notify.is_none() && !rules.routes.is_empty()));
    if !rule.inhibits.is_empty() {
        set("inhibits", rule.inhibits.iter().map(|name| json!(&**name)).collect());
    }
    Value::Object(item)
}

fn threshold(rule: &Rule) -> Value {
    let level = match &rule.plan {
        Plan::Catalogue { count } => *count,
        Plan::Levels(levels) => levels.first().map_or(1, |(level, _)| *level),
    };
    let measure = match rule.measure {
        Measure::Count => "count",
        Measure::Reports => "reports",
        Measure::Distinct(Noun::Stream) => "distinct streams",
        Measure::Distinct(Noun::Session) => "distinct sessions",
        Measure::Distinct(Noun::UserIp) => "distinct addresses",
    };
    json!({ "count": level, "of": measure, "within": rule.within.map(words) })
}

/// A word, or the level of each.
fn severity(plan: &Plan) -> Value {
    match plan {
        Plan::Catalogue { .. } => json!("by type"),
        Plan::Levels(levels) => match levels.as_slice() {
            [(_, only)] => json!(only.as_str()),
            levels => {
                let level = |(level, severity): &(u64, Severity)| (severity.as_str().to_owned(), json!(level));
                Value::Object(levels.iter().map(level).collect())
            }
        },
    }
}

fn names<'a>(names: impl IntoIterator<Item = &'a ChannelName>) -> Value {
    names.into_iter().map(|name| json!(name.as_str())).collect()
}

/// As one would write it in the rules: `1h30m`.
fn words(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut written = String::new();
    for (unit, millis) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if rest >= millis {
            written.push_str(&format!("{}{unit}", rest / millis));
            rest %= millis;
        }
    }
    if written.is_empty() { "0s".to_owned() } else { written }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_as_it_was_written_and_shows_no_secret() {
        let text = "version: 1\ntencent: { keys: [hunter2hunter2] }\nchannels: { c: { type: webhook, url: \"http://hunter2.example/h\" } }\n\
                    defaults: { notify: [c] }\nrules:\n\
                    - { name: stall, on: push_error, types: [video_frames_late, 7], threshold: { within: 90s }, \
                    severity: { warning: 3, critical: 10 } }\n\
                    - { name: gop, on: push_error, types: [16], severity: info, \
                    where: { stream: \"live_*\", node: \"=~ ${NODE}\" }, rate_limit: { burst: 1, every: 1h } }\n";
        let rules = crate::rules::load(text, "rules.yaml", &|_| Some("hunter2.*".to_owned())).unwrap();
        let listed = list(&rules, Path::new("rules.yaml"), Timestamp(5));
        assert_eq!(listed["items"][0]["types"], json!(["video_frames_late", "audio_frames_late"]));
        assert_eq!(listed["items"][0]["threshold"], json!({ "count": 3, "of": "count", "within": "1m30s" }));
        assert_eq!(listed["items"][0]["severity"], json!({ "warning": 3, "critical": 10 }));
        assert_eq!(listed["items"][1]["severity"], "info");
        assert_eq!(listed["items"][1]["where"], json!({ "stream": "live_*", "node": "=~ ${NODE}" }));
        assert_eq!(listed["items"][1]["rate_limit"], json!({ "burst": 1, "every": "1h" }));
        assert_eq!(listed["items"][1]["notify"], json!(["c"]));
        assert_eq!(
            (&listed["next"], &listed["loaded_at"], &listed["hash"]),
            (&Value::Null, &json!(5), &json!(rules.hash))
        );
        assert!(!listed.to_string().contains("hunter2"));
    }

    #[test]
    fn durations_are_written_as_in_the_rules() {
        let shown = [0, 1, 90_000, 3_600_000, 129_600_500].map(|millis| words(Duration::from_millis(millis)));
        assert_eq!(shown, ["0s", "1ms", "1m30s", "1h", "1d12h500ms"]);
    }
}
