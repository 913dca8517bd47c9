//! Every kind of mistake once, as it is drawn.

use insta::assert_snapshot;

use super::{HEAD, mistakes, read};

#[test]
fn at_the_top() {
    assert_snapshot!(mistakes(
        "verion: 1
timezone: Asia/Shangai
routes: []
channels:
rules: {}
rules: []
"
    ));
    assert_snapshot!("empty", mistakes(""));
    assert_snapshot!("only_comments", mistakes("# nothing yet\n"));
    assert_snapshot!("not_a_mapping", mistakes("- version: 1\n"));
    assert_snapshot!("bare", mistakes("version: 2\ntimezone: shanghai\n"));
}

#[test]
fn in_the_door() {
    assert_snapshot!(mistakes(
        "version: 1
channels: {}
rules: []
tencent:
  keys: [\"two words\", \"${MISSING}\"]
  path_secret: a/b
  allow_unsigned: yes
  unsigned_events: [relayed, 314]
  clock_skew: 60
  max_validity: 5m
  max_body: 1GB
  sources: [203.0.113.0/33, 10.0.0.1]
  trusted_proxies: { a: b }
  key: literal-secret
"
    ));
    assert_snapshot!(
        "unsigned_without_path",
        mistakes(&format!("{HEAD}rules: []\ntencent: {{ unsigned_events: [343] }}\n"))
    );
}

#[test]
fn in_channels() {
    assert_snapshot!(mistakes(
        "version: 1
channels:
  'bad name': { type: console }
  slack1: { type: slack, token: xoxb-literal, webhook_url: https://hooks.example.com/literal, channel: C1 }
  slack2: { type: slack }
  slack3: { type: slack, token: 'xoxb literal', channel: '' }
  slack4: { type: slack, webhook_url: ftp://literal, channel: C1 }
  wecom: { type: wecom, key: 'https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=literal', language: cn }
  wecom2: { type: wecom }
  wecom3: { type: wecom, key: abc, corp_id: ww1 }
  wecom4: { type: wecom, agent_id: x, secret: 'a b', callback_token: abc }
  wecom5: { type: wecom, corp_id: 'a b', agent_id: 1, secret: abc, to: ['@all', ann], encoding_aes_key: abc }
  wecom6: { type: wecom, corp_id: ww1, agent_id: 1, secret: abc, to: ['party:x', 'ann smith'], callback_token: abc, encoding_aes_key: literal }
  wecom7: { type: wecom, corp_id: ww1, agent_id: 1, secret: abc, to: [] }
  tele: { type: telegram, token: '', chat_id: '@ops', thread_id: 0, fallback: tele }
  tele2: { type: telegram, tokn: 123:literal, chat_id: 5 }
  hook: { type: webhook, url: 'example.com/literal', headers: { 'a b': literal, X: \"li\\nteral\" } }
  hook2: { type: webhook, template: x, api_url: http://a }
  hook3: { type: webhook, url: 'http://a/', template: '{ \"a\": \"{{txt}}\" }' }
  hook4:
    type: webhook
    url: 'http://a/'
    template: |
      { \"a\": 1
        \"b\": 2 }
  mail: { type: email, password: literal }
  none: { language: en }
  flat: literal
  c1: { type: console, fallback: c2, min_severity: warn }
  c2: { type: console, fallback: c1, allow: everyone }
  c5: { type: slack, token: xoxb-1, channel: C1, allow: [U1, everyone] }
  c6: { type: slack, webhook_url: 'https://example.com/x', signing_secret: abc }
  c7: { type: slack, token: xoxb-1, channel: C1, signing_secret: 'a literal', allow: ['', 'a b', U1, U1] }
  c8: { type: telegram, token: '1:a', chat_id: -5, allow: ['@ann', 77], public_url: 'https://example.com' }
  c9: { type: telegram, token: '1:a', chat_id: -5, webhook_secret: 'a:literal', public_url: 'http://example.com/?x' }
  c10: { type: wecom, key: abc, allow: [ann] }
  c11: { type: wecom, corp_id: ww1, agent_id: 1, secret: abc, to: [ann], allow: [ann] }
  c3: { type: console, fallback: c4, timezone: Mars }
  base: { type: slack, token: \"${SET}\", channel: C1, api_url: 'https://user:pw@proxy.example.com' }
rules: []
"
    ));
}

#[test]
fn in_defaults() {
    assert_snapshot!(mistakes(
        "version: 1
channels: { ops: { type: console } }
defaults:
  notify: [opps, ops, ops, ops]
  resolve_after: 0s
  keep_firing_for: 2d
  repeat_interval: 3600
  reopen_within: -5m
  rate_limit: { burst: 0, every: soon, brust: 1 }
  severity: { warning: 3 }
  grace: 90s
rules: []
catalogue:
  gop: { name: '' }
  16: { sevrity: info }
  gop_too_large: { fix: \"a\\nb\" }
"
    ));
}

#[test]
fn in_rules() {
    assert_snapshot!(mistakes(
        "version: 1
channels: { ops: { type: console } }
rules:
  - on: push_error
    notify: ops
  - name: a
    on: push_errors
    notify: ops
  - name: a
    on: push_error
    types: [gop_to_large, 0, 16, gop_too_large]
    notify: []
  - { name: b, on: push_end, types: [1], resolve_after: 2m, notify: ops }
  - { name: c, on: push_error, grace: 90s, notify: ops }
  - { name: d, on: push_error, threshold: { count: 0, within: 4d }, severity: bad, notify: ops }
  - { name: e, on: push_error, severity: { warning: 3, critical: 3 }, notify: ops }
  - { name: f, on: push_error, threshold: { count: 2, within: 1m }, severity: { warning: 3 }, notify: ops }
  - { name: g, on: push_error, per: domain, for: 5m, inhibits: [a], notify: ops }
  - { name: h, on: push_error, treshold: { count: 2 } }
  - { name: i, on: silence, of: push_begin, within: 1m, notify: ops, per: streams }
  - { name: 'no good', on: 7, enabled: maybe, severity: {}, threshold: { reports: 3, distinct: stream }, notify: ops }
  - just words
  - { name: j, on: push_error, types: [], resolve_after: 90s, keep_firing_for: 90s, rate_limit: fast, notify: ops }
"
    ));
}

#[test]
fn in_disabled_rules() {
    let text = format!("{HEAD}rules: [ {{ name: a, on: push_error, enabled: false, threshold: {{ count: x }} }} ]\n");
    assert_snapshot!(mistakes(&text));
}

#[test]
fn in_conditions() {
    assert_snapshot!(mistakes(&format!(
        "{HEAD}rules:
  - {{ name: a, on: push_error, where: {{ errcode: 1, push_duration: \"> 3s\", colour: red, any: [] }} }}
  - {{ name: b, on: push_end, where: {{ value: 3, count: 1, type: 6, errcode: {{ nt: 1 }}, path: {{ not: }} }} }}
  - {{ name: c, on: push_error, types: [6, 7], where: {{ value: \">= 3 fps\", count: \"> 3s\", stream: \">= 3\" }} }}
  - {{ name: d, on: push_error, types: [6, 16], where: {{ value: \">= 3000\" }} }}
  - {{ name: e, on: push_error, types: [8], where: {{ value: \">= 3\" }} }}
  - {{ name: f, on: push_error, where: {{ type: frames, domain: \"=~ push.*\", session: \"[a\", node: [], value: fast }} }}
  - {{ name: g, on: push_error, where: {{ type: \"*sound*\", stream: {{ not: {{ not: {{ not: {{ not: {{ not: a }} }} }} }} }} }} }}
"
    )));
}

#[test]
fn in_patterns_alternatives_and_on_the_clock() {
    assert_snapshot!(mistakes(&format!(
        "{HEAD}rules:
  - {{ name: a, on: push_end, where: {{ stream: \"=~ live_*\", domain: \"!~ [a\", path: \"=~ live\", node: \"=~\" }} }}
  - {{ name: b, on: push_end, where: {{ stream: [a, \"=~ a)|(b\"], session: \"=~ (a{{99}}){{99}}\", errcode: \"=~ 1.\" }} }}
  - {{ name: c, on: push_end, where: {{ hour: 24, weekday: Monday }} }}
  - {{ name: d, on: push_end, where: {{ hour: 22-7, weekday: [mon-fry, 6] }} }}
  - {{ name: e, on: push_end, where: {{ hour: \"> 23\", weekday: \"> fri\" }} }}
  - {{ name: f, on: push_end, where: {{ hour: 3h, weekday: {{ not: mon-sun }} }} }}
  - {{ name: g, on: push_end, where: {{ hour: 2.5, weekday: \"=~ s.*\" }} }}
  - {{ name: h, on: push_end, where: {{ hour: \"22:00-07:00\", weekday: [] }} }}
  - {{ name: i, on: push_end, where: {{ any: {{ stream: a }} }} }}
  - {{ name: j, on: push_end, where: {{ any: [ a, {{}}, {{ colour: red }}, {{ value: 3 }}, [ {{ stream: a }} ] ] }} }}
  - {{ name: k, on: push_end, where: {{ any: [] }} }}
  - {{ name: l, on: push_error, where: {{ any: [ {{ errcode: 2 }}, {{ value: 3 }} ], type: \"=~ nothing.*\" }} }}
  - {{ name: m, on: push_end, where: {{ any: [ {{ any: [ {{ any: [ {{ any: [ {{ any: [ {{ path: a }} ] }} ] }} ] }} ] }} ] }} }}
"
    )));
    let many = "{ stream: a }, ".repeat(65);
    let text = format!("{HEAD}rules: [ {{ name: a, on: push_end, where: {{ any: [ {many} ] }} }} ]\n");
    assert!(mistakes(&text).contains("`any` has at most 64 alternatives, this one has 65"));
}

#[test]
fn in_the_syntax() {
    let texts = [
        ("tab", "version: 1\nchannels:\n\tops: { type: console }\n"),
        ("comparison_unquoted", "rules:\n  - where: { value: 3 }\n  - where:\n      value: >= 3000\n"),
        ("glob_unquoted", "rules:\n  - where:\n      domain: *.example.com\n"),
        ("duplicate", "version: 1\nversion: 1\nchannels: { a: { type: console, type: console } }\nrules: []\n"),
        ("indentation", "version: 1\nchannels:\n  ops:\n    type: slack\n   token: xoxb-literal\n"),
        ("unclosed", "tencent:\n  keys:\n    - \"literal\n"),
        ("two_documents", "version: 1\n---\nversion: 1\n"),
        ("unclosed_reference", "version: ${ONE\nchannels: { a: { type: \"${not a name}\" } }\nrules: []\n"),
    ];
    for (name, text) in texts {
        assert_snapshot!(name, mistakes(text));
    }
}

#[test]
fn secret_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yaml");
    std::fs::write(folder.path().join("key"), "from-a-file\n").unwrap();
    let load = |path: &str| {
        let text = format!("{HEAD}rules: []\ntencent: {{ keys: [{{ file: {path} }}] }}\n");
        super::load(&text, file.to_str().unwrap(), &super::environment)
    };
    use secrecy::ExposeSecret;
    assert_eq!(load("key").unwrap().door.keys[0].expose_secret(), "from-a-file");
    assert_eq!(load("\"${DIR:-.}/key\"").unwrap().door.keys[0].expose_secret(), "from-a-file");
    let message = |path: &str| load(path).unwrap_err()[0].message().to_owned();
    assert!(message("absent").starts_with("the secret file `absent` can't be read"));
    assert_eq!(message("/dev/zero"), "the secret file `/dev/zero` is no regular file");
    std::fs::write(folder.path().join("large"), vec![b'x'; 70_000]).unwrap();
    assert_eq!(message("large"), "the secret file `large` is larger than 64 KiB");
}

#[test]
fn a_huge_file_is_refused_by_its_size_and_a_flood_of_mistakes_is_cut() {
    let huge = "# comment\n".repeat(110_000);
    assert_eq!(read(&huge).unwrap_err()[0].message(), "the file is larger than 1024 KiB");
    let flood: String = (0..20_000).map(|i| format!("wrong{i}: 1\n")).collect();
    let mistakes = read(&flood).unwrap_err();
    assert_eq!(mistakes.len(), 101);
    assert!(mistakes[100].message().ends_with("more mistakes"), "{}", mistakes[100].message());
}

#[test]
fn a_mistake_in_front_of_a_wide_character_is_drawn_whole() {
    let text = "version: 1\nchannels:\n  a: { type: webhook, url: 'https://a.example/', template: 流 }\nrules: []\n";
    let drawn = mistakes(text);
    assert!(drawn.contains("`template`") && drawn.contains('流'), "{drawn}");
}

/// No secret that was typed into a file is in any mistake about it, whichever line is wrong.
#[test]
fn secrets_are_never_shown() {
    const SECRET: &str = "s3cr3t-literal";
    let lines = [
        format!("  keys: [{SECRET}, 'x y']"),
        format!("  keys: ['{SECRET} y']"),
        format!("  keys:\n    - '{SECRET} y'"),
        format!("  keys: \"${{X:-{SECRET} y}}\""),
        format!("  path_secret: {SECRET}/"),
        format!("  kyes: [{SECRET}]"),
        format!("  {SECRET}:"),
        format!("  keys: &anchor ['{SECRET} y']\n  sources: *anchor"),
        format!("  keys: [{SECRET}\n  max_body: 1"),
        format!("  keys:\n\t- {SECRET}"),
        format!("  password: \"{SECRET}"),
    ];
    for line in &lines {
        let shown = mistakes(&format!("version: 1\nchannels: {{}}\nrules: []\ntencent:\n{line}\n"));
        let is_key = line.ends_with(':');
        assert!(is_key || !shown.contains(SECRET), "{line}\n{shown}");
    }
    for top in [
        format!("token: {SECRET}"),
        format!("slack: {{ token: {SECRET} }}"),
        format!("secrets: [{SECRET}]"),
        format!("rules: [ {{ token: {SECRET} }} ]"),
        format!("channels: [ {{ name: a, token: {SECRET} }} ]"),
        format!("channels: {{ a: token:{SECRET} }}"),
        format!("channels:\n  a:\n    token:{SECRET}\n  b"),
        format!("channels: {SECRET}"),
        format!("- {SECRET}"),
    ] {
        let shown = mistakes(&format!("{top}\n"));
        assert!(!shown.contains(SECRET), "{top}\n{shown}");
    }
    let channels = [
        format!("slack, token: '{SECRET} x', channel: C1"),
        format!("slack, webhook_url: 'x://{SECRET}'"),
        format!("webhook, url: '{SECRET}'"),
        format!("webhook, url: 'http://x', headers: {{ A: \"{SECRET}\\n\" }}"),
        format!("wecom, key: '{SECRET}?'"),
        format!("wecom, corp_id: ww1, agent_id: 1, to: ann, secret: '{SECRET}?'"),
        format!("wecom, corp_id: ww1, agent_id: 1, to: ann, secret: a, callback_token: '{SECRET}'"),
        format!("wecom, corp_id: w, agent_id: 1, to: a, secret: a, callback_token: a, encoding_aes_key: {SECRET}"),
        format!("telegram, token: {SECRET}, chat_id: x"),
        format!("telegram, tokne: {SECRET}, chat_id: 1"),
        format!("slack, token: {SECRET}, channel: C1, api_url: 'x://{SECRET}@b'"),
        format!("email, password: {SECRET}"),
        format!("slack, token: {SECRET}, channel: [C1"),
    ];
    for channel in &channels {
        let shown = mistakes(&format!("version: 1\nchannels: {{ a: {{ type: {channel} }} }}\nrules: []\n"));
        assert!(!shown.contains(SECRET), "{channel}\n{shown}");
    }
}

#[test]
fn what_the_environment_gave_is_not_shown_by_whoever_can_not_read_it() {
    let env = |_: &str| Some("hunter2(".to_owned());
    for rule in [
        "where: { stream: \"=~ ${S}\" }",
        "where: { weekday: \"${S}\" }",
        "where: { value: \"${S}\" }, labels: { \"a\": \"${S}\" }",
    ] {
        let text = format!("{}rules:\n  - {{ name: a, on: push_error, {rule} }}\n", super::HEAD);
        let shown: String = crate::rules::load(&text, "rules.yaml", &env)
            .unwrap_err()
            .iter()
            .map(|mistake| format!("{mistake}\n"))
            .collect();
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("rules.yaml:"), "{shown}");
    }
    for rest in [
        "routes: [ { match: 'stream=~\"${S}\"', notify: [ops] } ]\nrules: []\n",
        "routes: [ { match: '${W}=\"a\"', notify: [ops] } ]\nrules: []\n",
        "time_intervals: { a: { times: [\"${S}\"] } }\nrules: []\n",
        "time_intervals: { a: { weekdays: \"${S}\", months: \"${S}\", years: \"${S}\", days_of_month: [\"${S}\"] } }\nrules: []\n",
        "rules: [ { name: \"${W}\", on: push_error, inhibits: [x] } ]\n",
        "rules: [ { name: \"${W}\", on: push_error, inhibits: [\"${W}\"] } ]\n",
        "rules: [ { name: \"${W}\", on: push_error }, { name: b, on: push_error } ]\n",
        "rules: [ { name: \"${W}\", on: push_error, inhibits: [b] }, { name: b, on: push_error, types: 1, inhibits: [\"${W}\"] } ]\n",
        "rules: [ { name: \"${W}\", on: push_error, per: stream, inhibits: [b] }, { name: b, on: push_error, per: all } ]\n",
    ] {
        let env = |name: &str| Some(if name == "W" { "hunter2".to_owned() } else { "hunter2(".to_owned() });
        let mistakes = crate::rules::load(&format!("{}{rest}", super::HEAD), "rules.yaml", &env).unwrap_err();
        for shown in mistakes.iter().map(ToString::to_string) {
            assert!(!shown.contains("hunter2"), "{rest}{shown}");
        }
    }
}
