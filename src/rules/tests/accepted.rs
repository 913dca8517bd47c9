//! What good files are compiled to.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;

use super::{HEAD, fine, load};
use crate::model::{AbnormalType, ChannelName, EventKind, Language, Receivers, Severity, SlackDoor, Target, WecomDoor};
use crate::rules::{Plan, RateLimit, Rule};

fn rule(body: &str) -> Rule {
    let mut rules = fine(&format!("{HEAD}rules:\n  - {{ name: a, on: push_error, {body} }}\n")).rules;
    rules.remove(0)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn the_least_file_has_the_built_in_defaults() {
    let set = fine(&format!("{HEAD}rules: [ {{ name: a, on: push_error }} ]\n"));
    let rule = &set.rules[0];
    assert_eq!((&*rule.name, rule.on, rule.within, rule.grace), ("a", EventKind::PushError, None, None));
    assert_eq!(rule.plan, Plan::Catalogue { count: 1 });
    assert_eq!((rule.resolve_after, rule.reopen_within, rule.repeat_interval), (secs(90), secs(600), secs(3600)));
    assert_eq!(rule.notify, None, "whoever `routes` or `defaults` name");
    assert!(rule.types.is_empty() && rule.conditions.is_empty() && rule.rate_limit.is_none());
    assert_eq!(set.rate_limit, Some(RateLimit { burst: 3.try_into().unwrap(), every: secs(600) }));
    assert_eq!(set.notify, [ChannelName::new("ops")]);
    assert_eq!(set.timezone.iana_name(), Some("UTC"));
    assert_eq!(set.door.max_body, 256 * 1024);
}

#[test]
fn the_hash_is_of_the_text() {
    let text = format!("{HEAD}rules: []\n");
    assert_eq!(fine(&text).hash.len(), 32);
    assert_eq!(fine(&text).hash, fine(&text).hash);
    assert_ne!(fine(&text).hash, fine(&format!("{text}# note\n")).hash);
}

#[test]
fn thresholds_and_severities() {
    let plan = |body: &str| rule(body).plan;
    assert_eq!(plan("severity: info"), Plan::Levels(vec![(1, Severity::Info)]));
    assert_eq!(plan("threshold: { count: 5, within: 1m }"), Plan::Catalogue { count: 5 });
    assert_eq!(plan("threshold: { count: 5 }, severity: critical"), Plan::Levels(vec![(5, Severity::Critical)]));
    assert_eq!(
        plan("threshold: { within: 1m }, severity: { critical: 10, warning: 3 }"),
        Plan::Levels(vec![(3, Severity::Warning), (10, Severity::Critical)])
    );
    assert_eq!(rule("threshold: { within: 72h }").within, Some(secs(72 * 3600)));
    let stop = fine(&format!("{HEAD}rules: [ {{ name: a, on: push_end, grace: 90s }} ]\n")).rules.remove(0);
    assert_eq!((stop.plan, stop.grace), (Plan::Levels(vec![(1, Severity::Warning)]), Some(secs(90))));
    let text = "version: 1\nchannels: { ops: { type: console } }\ndefaults: { notify: ops, severity: info }\n";
    let set = fine(&format!("{text}rules: [ {{ name: a, on: push_error, threshold: {{ count: 2 }} }} ]\n"));
    assert_eq!(set.rules[0].plan, Plan::Levels(vec![(2, Severity::Info)]));
}

#[test]
fn types_by_name_and_number_are_sorted() {
    let types = rule("types: [gop_too_large, 6, 99, \"2\"]").types;
    assert_eq!(types, [2, 6, 16, 99].map(AbnormalType));
    assert_eq!(rule("types: gop_too_large").types, [AbnormalType(16)]);
}

#[test]
fn events_by_name_and_number() {
    let on = |on: &str| fine(&format!("{HEAD}rules: [ {{ name: a, on: {on} }} ]\n")).rules[0].on;
    assert_eq!(on("push_begin"), EventKind::PushBegin);
    assert_eq!(on("314"), EventKind::Relay);
    assert_eq!(on("4711"), EventKind::Unknown(4711));
    for name in EventKind::names() {
        assert_eq!(on(name).name(), name);
    }
}

#[test]
fn disabled_rules_are_left_out_and_the_order_stays() {
    let set = fine(&format!(
        "{HEAD}rules:\n  - {{ name: z, on: push_end }}\n  - {{ name: m, on: push_end, enabled: false }}\n  - {{ name: a, on: push_begin }}\n"
    ));
    assert_eq!(set.rules.iter().map(|rule| &*rule.name).collect::<Vec<_>>(), ["z", "a"]);
}

#[test]
fn pace_and_rate_limits() {
    let rule = rule("keep_firing_for: 5m, reopen_within: 0s, repeat_interval: 1d, rate_limit: { burst: 1, every: 1h }");
    assert_eq!((rule.resolve_after, rule.reopen_within, rule.repeat_interval), (secs(300), secs(0), secs(86_400)));
    assert_eq!(rule.rate_limit, Some(RateLimit { burst: 1.try_into().unwrap(), every: secs(3600) }));
    for none in ["none", "off", "false"] {
        let text = HEAD.replace("notify: ops", &format!("notify: ops, rate_limit: {none}"));
        assert_eq!(fine(&format!("{text}rules: []\n")).rate_limit, None);
    }
}

#[test]
fn channels_of_every_type() {
    let set = fine(
        "version: 1
timezone: Asia/Shanghai
channels:
  bot: { type: slack, token: \"xoxb-${SET}\", channel: C1, fallback: hook, language: zh, timezone: Europe/Berlin }
  hook: { type: slack, webhook_url: 'https://hooks.example.com/services/T/B/x' }
  robot: { type: wecom, key: 0123-abc, api_url: 'http://127.0.0.1:9/', min_severity: critical }
  app: { type: wecom, corp_id: ww1, agent_id: 1000002, secret: \"${SET}\", to: [ann, bob@x.y, 'party:2', 'tag:7'],
    callback_token: abc, encoding_aes_key: 0123456789012345678901234567890123456789abc }
  all: { type: wecom, corp_id: ww1, agent_id: 1000002, secret: abc, to: '@all' }
  tele: { type: telegram, token: '123:abc', chat_id: \"${CHAT}\", thread_id: 4 }
  json: { type: webhook, url: 'http://127.0.0.1/x', headers: { Authorization: 'Bearer x' }, template: '{ \"a\": \"{{text}}\" }' }
  tty: { type: console }
rules: []
",
    );
    let channel = |name: &str| set.channels[&ChannelName::new(name)].clone();
    let bot = channel("bot");
    let Target::Slack { door: SlackDoor::Bot { token, channel: room }, api_url, .. } = &bot.target else { panic!() };
    assert_eq!((token.expose_secret(), room.as_str()), ("xoxb-from-the-environment", "C1"));
    assert_eq!(api_url, "https://slack.com/api");
    assert_eq!((bot.language, bot.fallback.clone()), (Language::Zh, Some(ChannelName::new("hook"))));
    assert_eq!(bot.timezone.iana_name(), Some("Europe/Berlin"));
    assert_eq!(channel("hook").timezone.iana_name(), Some("Asia/Shanghai"));
    let Target::Wecom { door: WecomDoor::Robot { key }, api_url } = &channel("robot").target else { panic!() };
    assert_eq!((key.expose_secret(), api_url.as_str()), ("0123-abc", "http://127.0.0.1:9"));
    assert_eq!(channel("robot").min_severity, Severity::Critical);
    let Target::Wecom { door: WecomDoor::App(app), .. } = &channel("app").target else { panic!() };
    assert_eq!((app.corp_id.as_str(), app.agent_id), ("ww1", 1_000_002));
    let users = vec!["ann".to_owned(), "bob@x.y".to_owned()];
    assert_eq!(app.to, Receivers { users, parties: vec![2], tags: vec![7] });
    assert_eq!(app.callback.as_ref().unwrap().token.expose_secret(), "abc");
    let Target::Wecom { door: WecomDoor::App(app), .. } = &channel("all").target else { panic!() };
    assert_eq!((app.to.users.as_slice(), app.callback.is_none()), (&["@all".to_owned()][..], true));
    let Target::Telegram { chat_id, thread_id, .. } = channel("tele").target else { panic!() };
    assert_eq!((chat_id, thread_id), (-1_001_234, Some(4)));
    let Target::Webhook { headers, template, .. } = &channel("json").target else { panic!() };
    assert!(template.is_some());
    assert_eq!(headers["Authorization"].expose_secret(), "Bearer x");
    assert!(!format!("{set:?}").contains("from-the-environment"), "Debug shows no secret");
}

#[test]
fn the_door() {
    let set = fine(&format!(
        "{HEAD}rules: []
tencent:
  keys: [\"${{EMPTY}}\", \"${{MISSING:-}}\", \"${{EMPTY:-second}}\", third]
  path_secret: \"${{SET}}\"
  unsigned_events: [relay, 343]
  allow_unsigned: true
  clock_skew: 0s
  max_validity: 1h
  max_body: 1 MiB
  sources: [203.0.113.0/24, \"2001:db8::1\"]
"
    ));
    let door = set.door;
    assert_eq!(door.keys.iter().map(|key| key.expose_secret()).collect::<Vec<_>>(), ["second", "third"]);
    assert_eq!(door.path_secret.unwrap().expose_secret(), "from-the-environment");
    assert_eq!((door.unsigned_events, door.allow_unsigned), (vec![314, 343], true));
    assert_eq!((door.clock_skew, door.max_validity, door.max_body), (secs(0), secs(3600), 1024 * 1024));
    let sources: Vec<_> = door.sources.iter().map(ToString::to_string).collect();
    assert_eq!(sources, ["203.0.113.0/24", "2001:db8::1/128"]);
    let empty =
        fine(&format!("{HEAD}rules: []\ntencent: {{ keys: [\"${{MISSING:-}}\"], path_secret: \"${{EMPTY}}\" }}\n"));
    assert!(empty.door.keys.is_empty() && empty.door.path_secret.is_none());
}

#[test]
fn references_are_resolved_everywhere_and_can_be_escaped() {
    let rules =
        fine(&format!("{HEAD}rules: [ {{ name: \"r-${{SET}}\", on: push_end, where: {{ stream: \"$${{a}}\" }} }} ]\n"));
    assert_eq!(&*rules.rules[0].name, "r-from-the-environment");
    assert!(format!("{:?}", rules.rules[0].conditions).contains("${a}"));
}

#[test]
fn anchors_and_merges_save_typing() {
    let set = fine(&format!(
        "{HEAD}rules:\n  - &base {{ name: a, on: push_error, threshold: {{ count: 2 }} }}\n  - {{ <<: *base, name: b, severity: info }}\n"
    ));
    assert_eq!(set.rules[1].plan, Plan::Levels(vec![(2, Severity::Info)]));
}

#[test]
fn the_catalogue_takes_own_words() {
    let set =
        fine(&format!("{HEAD}rules: []\ncatalogue: {{ gop_too_large: {{ name: long GOP, severity: critical }} }}\n"));
    assert_eq!(set.catalogue.severity(AbnormalType(16)), Severity::Critical);
    assert_eq!(set.catalogue.trouble(AbnormalType(16), Language::En).name, "long GOP");
}

#[test]
fn the_shipped_file_loads_with_no_environment_and_covers_every_type() {
    let text = include_str!("../../../rules.yaml");
    let set = load(text, "rules.yaml", &|_| None).unwrap_or_else(|mistakes| panic!("{}", super::show(&mistakes)));
    assert!(set.door.keys.is_empty());
    for number in 1..=16 {
        let kind = AbnormalType(number);
        let listens = |rule: &&Rule| rule.on == EventKind::PushError && rule.types.contains(&kind);
        assert!(set.rules.iter().any(|rule| listens(&rule)), "no rule for {kind}");
    }
    assert!(set.rules.iter().any(|rule| rule.on == EventKind::PushEnd && rule.grace.is_some()));
}

/// What stands in comments of the shipped file is checked as well: people uncomment it.
#[test]
fn the_shipped_examples_are_right() {
    let text = uncommented(include_str!("../../../rules.yaml"));
    let set = |name: &str| match name {
        "SLACK_WEBHOOK_URL" | "ALERT_WEBHOOK_URL" => Some("https://example.com/hook".to_owned()),
        "WECOM_ENCODING_AES_KEY" => Some("a".repeat(43)),
        _ => Some("abc123".to_owned()),
    };
    let set = load(&text, "rules.yaml", &set).unwrap_or_else(|mistakes| panic!("{text}\n{}", super::show(&mistakes)));
    assert_eq!(set.channels.len(), 8, "{:?}", set.channels.keys());
    assert!(set.door.path_secret.is_some() && !set.door.sources.is_empty());
    assert_eq!((set.routes.len(), set.mutes.len()), (2, 2));
    assert!(set.rules.iter().any(|rule| rule.silence.is_some()), "the examples at the end are rules");
    for word in crate::rules::shape::words() {
        let is_key = text
            .match_indices(&format!("{word}:"))
            .any(|(at, _)| !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
        assert!(is_key || SPOKEN_OF.contains(&word) && text.contains(word), "rules.yaml does not show `{word}`");
    }
}

/// Keys that the shipped file only speaks of.
const SPOKEN_OF: [&str; 4] = ["push_duration", "session", "appid", "node"];

/// The file with its examples live: indented ones that look like a key, and what follows a commented key of the top.
fn uncommented(text: &str) -> String {
    let mut lines = String::new();
    let mut in_section = false;
    for line in text.lines() {
        let bare = line.trim_start();
        let indent = &line[..line.len() - bare.len()];
        let code = bare.strip_prefix("# ").unwrap_or_default();
        in_section = indent.is_empty() && (is_section(code) || in_section && code.starts_with("  "));
        let is_example = in_section || !indent.is_empty() && is_entry(code);
        lines += &format!("{indent}{}\n", if is_example { code } else { bare });
    }
    lines
}

fn is_section(code: &str) -> bool {
    code.strip_suffix(':').is_some_and(crate::rules::shape::is_top)
}

fn is_entry(code: &str) -> bool {
    let code = code.trim_start().trim_start_matches("- ");
    code.split_once(':').is_some_and(|(key, rest)| {
        let word = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        (word || key == "Authorization") && (rest.is_empty() || rest.starts_with(' '))
    })
}

#[test]
fn the_example_of_the_guide_is_right_and_the_guide_names_every_key() {
    let guide = include_str!("../../../docs/rules.md");
    let example = guide.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let set = load(example, "docs/rules.md", &|_| Some("abc".to_owned()));
    assert_eq!(set.unwrap_or_else(|mistakes| panic!("{}", super::show(&mistakes))).rules.len(), 2);
    for word in crate::rules::shape::words() {
        assert!(guide.contains(word), "docs/rules.md does not speak of `{word}`");
    }
    for name in AbnormalType::NAMES.into_iter().chain(EventKind::names()) {
        assert!(guide.contains(&format!("`{name}`")), "docs/rules.md does not speak of `{name}`");
    }
}

#[test]
fn two_thousand_rules_are_read_quickly() {
    let mut text = HEAD.to_owned() + "rules:\n";
    for i in 0..2000 {
        text += &format!(
            "  - name: rule_{i}\n    on: push_error\n    types: [video_frames_late]\n    where: {{ stream: \"cam{i}_*\", value: \">= 3s\" }}\n    threshold: {{ within: 1m }}\n    severity: {{ warning: 3, critical: 10 }}\n"
        );
    }
    #[expect(clippy::disallowed_methods, reason = "measures the test itself")]
    let begun = Instant::now();
    assert_eq!(fine(&text).rules.len(), 2000);
    // Unoptimised and on a shared machine; a release build takes a tenth.
    assert!(begun.elapsed() < secs(30), "{:?}", begun.elapsed());
    println!("2000 rules, {} KiB: {:?}", text.len() / 1024, begun.elapsed());
}
