//! Rule tests as read: every mistake as it is drawn, what a line means, what is made up, and no text makes it panic.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::reader::START;
use super::*;
use crate::model::{Event, EventKind, MuteId, SlackDoor, Target};
use crate::rules::Matchers;

const RULES: &str = "version: 1
channels: { ops: { type: console }, wecom: { type: wecom, key: k } }
defaults: { notify: ops }
rules:
  - { name: gop_too_large, on: push_error, types: [gop_too_large] }
  - { name: stream_down, on: push_end, grace: 90s }
  - { name: off, on: push_end, enabled: false }
";

fn rules() -> RuleSet {
    crate::rules::load(RULES, "rules.yaml", &|_| None).unwrap()
}

fn compile(text: &str) -> Result<Vec<Trial>, Vec<Diagnostic>> {
    Script::read(text, "test.yaml")?.compile(Some(&rules()))
}

fn mistakes(text: &str) -> String {
    let mistakes = compile(text).expect_err("this file has mistakes");
    mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
}

/// One test of these lines.
fn trial(given: &str, expect: &str) -> Trial {
    let text = format!("rules: rules.yaml\ntests:\n- name: a\n  given:\n{given}  expect:\n{expect}  until: 1d\n");
    let mut trials = compile(&text).unwrap_or_else(|mistakes| {
        panic!("{}", mistakes.iter().map(|mistake| format!("{mistake}\n")).collect::<String>())
    });
    trials.remove(0)
}

fn events(trial: &Trial) -> Vec<(u64, &Event)> {
    let mut found = Vec::new();
    for step in &trial.steps {
        if let Action::Take(input) = &step.action
            && let Input::Callback(event) = input.as_ref()
        {
            found.push((step.received.0.as_secs(), event.as_ref()));
        }
    }
    found
}

fn sessions(trial: &Trial) -> Vec<&str> {
    events(trial).into_iter().map(|(_, event)| event.session.as_deref().unwrap()).collect()
}

const NOTHING: &str = "  - { at: 0s }\n";

#[test]
fn at_the_top() {
    assert_snapshot!("empty", mistakes(""));
    assert_snapshot!(mistakes(
        "rule: rules.yaml
tests:
  - nam: a
    given: []
    expect: {}
    until: 10
  - name: b
    start: yesterday
    expect: []
  - name: b
    start: 1999-12-31T00:00:00Z
    given: []
    expect: []
  - name: c
    given: [ { at: 5m, stream: a/b/c, push_begin: } ]
    expect: [ { at: 6m } ]
    until: 5m
"
    ));
    assert_snapshot!("no_tests", mistakes("rules: [a]\ntests: []\n"));
}

#[test]
fn in_given_lines() {
    assert_snapshot!(mistakes(
        "rules: rules.yaml
tests:
  - name: a
    given:
      - { at: 5, stream: a/b/c, push_begin: {} }
      - { stream: a/b/c, push_begin: {} }
      - { at: 10s, received: 5s, stream: a/b/c, push_begin: {} }
      - { at: 10s, push_begin: {} }
      - { at: 10s, stream: cam1, push_begin: {} }
      - { at: 10s, stream: a/b/c }
      - { at: 10s, stream: a/b/c, push_begin: {}, push_end: {} }
      - { at: 10s, stream: a/b/c, pushbegin: {}, colour: red }
      - { at: 10s, stream: a/b/c, push_error: }
      - { at: 10s, stream: a/b/c, push_error: [] }
      - { at: 10s, stream: a/b/c, push_error: [ gop_to_large, { type: 0 }, { count: 0, type: 16 } ] }
      - { at: 10s, stream: a/b/c, push_error: [ { typ: 16 }, { type: 16, value: big }, { type: 15, value: 3s } ] }
      - { at: 10s, stream: a/b/c, push_error: [ { type: 6, value: 1s, values: [1s] } ] }
      - { at: 10s, stream: a/b/c, push_end: { errcode: clean, code: 1, push_duration: 90 } }
      - { at: 10s, every: 5s, stream: a/b/c, push_begin: {} }
      - { at: 10s, times: 5, stream: a/b/c, push_begin: {} }
      - { at: 10s, every: 300d, times: 3, stream: a/b/c, push_begin: {} }
      - { at: 10s, every: 5s, times: 0, stream: a/b/c, push_begin: {} }
      - { at: 10s, stream: a/b/c, mute: { matchers: 'stream=\"a\"', duration: 1h } }
      - { at: 10s, mute: { matchers: 'rule=\"a\"', duration: 90d } }
      - { at: 10s, mute: {} }
      - { at: 10s, ack: { rule: gop } }
      - { at: 10s, ack: { rule: gop_too_large, stream: a/b/c, key: x } }
      - nothing
    expect: [ { at: 0s } ]
"
    ));
}

#[test]
fn matchers_are_read_as_the_rules_read_theirs() {
    let text = "rules: r\ntests:\n- { name: a, given: [ { at: 0s, mute: { matchers: nonsense, duration: 1h } } ], expect: [] }\n";
    let why = Matchers::parse("nonsense").unwrap_err().to_string();
    let mistakes = compile(text).unwrap_err();
    let told = mistakes.iter().find(|mistake| mistake.message().contains(&why)).unwrap();
    assert_eq!((told.line(), told.column()), (3, 51));
}

#[test]
fn in_expect_lines() {
    assert_snapshot!(mistakes(
        "rules: rules.yaml
tests:
  - name: a
    given: []
    expect:
      - {}
      - { at: 1 m x, rule: gop_to_large, is: fired, severity: warn }
      - { at: 1m, rule: 'off', is: firing, notify: [opps, wecom, wecom] }
      - { at: 1m, is: firing, cause: quiet }
      - { at: 1m, is: resolved, cause: silence }
      - { at: 1m, stream: cam1, kez: x }
      - { every: 1m, times: 2 }
      - { at: 1m, every: 1s, times: 5000 }
      - at: 1m
        at: 2m
"
    ));
}

#[test]
fn what_a_test_can_not_be() {
    assert_snapshot!(
        "unmute",
        mistakes(
            "rules: rules.yaml
tests:
  - name: a
    given:
      - { at: 5s, unmute: 1 }
      - { at: 10s, mute: { matchers: 'stream=\"a\"', duration: 1h } }
      - { at: 20s, unmute: 'stream=\"b\"' }
    expect: [ { at: 0s } ]
"
        )
    );
    assert_snapshot!("too_much", mistakes(
        "rules: rules.yaml
tests:
  - name: a
    given: [ { at: 0s, every: 1ms, times: 60000, stream: a/b/c, push_begin: }, { at: 0s, every: 1ms, times: 60000, stream: a/b/c, push_begin: } ]
    expect: [ { at: 0s } ]
"
    ));
    assert_snapshot!("tab", mistakes("rules: rules.yaml\ntests:\n\t- name: a\n"));
    let huge = format!("# {}", "x".repeat(document::MAX_BYTES));
    assert_snapshot!("huge", mistakes(&huge));
}

#[test]
fn a_rules_file_that_can_not_be_read_is_a_mistake_at_its_name() {
    let mut script = Script::read("rules: rules.yml\ntests: [ { name: a } ]\n", "test.yaml").unwrap();
    assert_eq!(script.rules(), Some("rules.yml"));
    script.refuse_rules("can't be read: no such file");
    let mistakes = script.compile(None).unwrap_err();
    let drawn: Vec<String> = mistakes.iter().map(|m| format!("{}:{} {}", m.line(), m.column(), m.message())).collect();
    let want = "1:8 the rules file `rules.yml` can't be read: no such file";
    assert!(drawn.contains(&want.to_owned()) && drawn.len() == 3, "{drawn:?}");
}

#[test]
fn names_are_not_checked_against_rules_that_could_not_be_loaded() {
    let text = "rules: r\ntests: [ { name: a, given: [], expect: [ { at: 0s, rule: b, notify: [c] } ] } ]\n";
    assert_eq!(Script::read(text, "test.yaml").unwrap().compile(None).unwrap().len(), 1);
}

#[test]
fn a_callback_carries_what_its_line_says() {
    let trial = trial(
        "  - at: 1m
    stream: push.example.com/live/a/b
    session: s
    user_ip: 203.0.113.7
    appid: 1250000000
    node: n
    report_interval: 10s
    push_error: [ 17, { type: video_frames_late, values: [1500, 2s] }, { type: gop_too_large, count: 3, value: 12 } ]
  - { at: 2m, stream: d/p/s, push_end: { errcode: -1, errmsg: 'bye', push_duration: 1h } }
  - { at: 3m, stream: d/p/s, relay: }
  - { at: 4m, stream: d/p/s, 999: {} }
",
        NOTHING,
    );
    let events = events(&trial);
    let (received, error) = events[0];
    assert_eq!((received, error.kind), (60, EventKind::PushError));
    assert_eq!(error.happened_at, Some(START + Duration::from_secs(60)));
    assert_eq!((error.stream.path(), error.stream.stream()), ("live", "a/b"));
    let texts = [&error.session, &error.user_ip, &error.appid, &error.node].map(|text| text.as_deref().unwrap());
    assert_eq!(texts, ["s", "203.0.113.7", "1250000000", "n"]);
    assert_eq!(error.report_interval, Some(10_000));
    let entries: Vec<(u32, u32, Vec<Option<f64>>)> =
        error.abnormal.iter().map(|a| (a.kind.0, a.count, a.details.iter().map(|d| d.value).collect())).collect();
    let want = [(17, 1, vec![None]), (6, 2, vec![Some(1500.0), Some(2000.0)]), (16, 3, vec![Some(12.0)])];
    assert_eq!(entries, want);
    assert!(error.abnormal.iter().flat_map(|a| &a.details).all(|detail| detail.at == error.happened_at));
    let end = events[1].1;
    assert_eq!((end.kind, end.errcode, end.errmsg.as_deref()), (EventKind::PushEnd, Some(-1), Some("bye")));
    assert_eq!((end.push_duration, end.report_interval), (Some(3_600_000), None));
    assert_eq!((events[2].1.kind, events[3].1.kind), (EventKind::Relay, EventKind::Unknown(999)));
    assert_ne!(events[2].1.id, events[3].1.id);
}

#[test]
fn steps_come_in_the_order_in_which_they_are_received() {
    let trial = trial(
        "  - { at: 10s, received: 30s, stream: d/p/late, push_begin: }
  - { at: 20s, every: 10s, times: 3, stream: d/p/steady, push_begin: }
  - { at: 30s, stream: d/p/last, push_begin: }
",
        NOTHING,
    );
    let order: Vec<(u64, &str)> = events(&trial).iter().map(|(at, event)| (*at, event.stream.stream())).collect();
    assert_eq!(order, [(20, "steady"), (30, "late"), (30, "steady"), (30, "last"), (40, "steady")]);
    assert_eq!(events(&trial)[1].1.happened_at, Some(START + Duration::from_secs(10)));
}

#[test]
fn a_begin_begins_another_session_and_what_comes_late_is_of_its_own_time() {
    let trial = trial(
        "  - { at: 0s, stream: d/p/s, push_begin: }
  - { at: 10s, stream: d/p/s, push_error: [16] }
  - { at: 20s, stream: d/p/s, push_end: {} }
  - { at: 30s, stream: d/p/s, push_begin: }
  - { at: 15s, received: 40s, stream: d/p/s, push_error: [16] }
  - { at: 50s, stream: d/p/s, push_error: [16] }
  - { at: 60s, stream: d/p/s, session: other, push_begin: }
  - { at: 70s, stream: d/p/s, push_error: [16] }
  - { at: 80s, stream: d/p/second, push_error: [16] }
  - { at: 90s, stream: d/p/second, push_begin: }
",
        NOTHING,
    );
    assert_eq!(sessions(&trial), ["1", "1", "1", "2", "1", "2", "other", "2", "1", "2"]);
}

#[test]
fn mutes_are_numbered_and_lifted_by_number_or_by_their_matchers() {
    let trial = trial(
        "  - { at: 10s, mute: { matchers: 'rule=\"a\"', duration: 1h, reason: why, author: ann } }
  - { at: 20s, mute: { matchers: 'rule=\"b\"', duration: 1h } }
  - { at: 30s, unmute: 'rule=\"a\"' }
  - { at: 40s, unmute: 2 }
  - { at: 50s, ack: { rule: stream_down, key: '*' } }
",
        NOTHING,
    );
    let lifted: Vec<MuteId> = trial
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Take(input) => match input.as_ref() {
                Input::Unmuted { id } => Some(*id),
                _ => None,
            },
            Action::Acknowledge { .. } => None,
        })
        .collect();
    assert_eq!(lifted, [MuteId(1), MuteId(2)]);
    let Action::Take(first) = &trial.steps[0].action else { panic!("a mute") };
    let Input::Muted(mute) = first.as_ref() else { panic!("a mute") };
    assert_eq!(mute.until, START + Duration::from_secs(3610));
    assert_eq!((&*mute.matchers, &*mute.reason, &*mute.author), ("rule=\"a\"", "why", "ann"));
    assert!(matches!(&trial.steps[4].action, Action::Acknowledge { about: About::Key(key), .. } if key == "*"));
}

#[test]
fn an_expect_line_compares_what_it_says_and_is_repeated() {
    let trial = trial(
        "  - { at: 0s, stream: d/p/s, push_begin: }\n",
        "  - { at: 1m, every: 1h, times: 3, rule: stream_down, is: repeated, notify: [wecom, ops], severity: info }
  - { is: resolved, cause: no_word, stream: d/p/s }
",
    );
    let times: Vec<String> = trial.expect.iter().filter_map(|line| line.at).map(|at| at.to_string()).collect();
    assert_eq!(times, ["1m", "1h1m", "2h1m"]);
    let first = &trial.expect[0];
    assert_eq!((first.line, first.is, first.severity), (7, Some(Turn::Repeated), Some(Severity::Info)));
    assert_eq!(first.notify, Some(vec![ChannelName::new("ops"), ChannelName::new("wecom")]));
    let last = &trial.expect[3];
    assert_eq!((last.at, last.rule.as_ref(), last.cause), (None, None, Some(Cause::NoWord)));
    assert!(last.about.as_ref().unwrap().is(&Key::Stream(StreamName::new("d", "p", "s"))));
}

#[test]
fn a_range_in_a_name_is_a_line_for_each_stream() {
    let trial = trial(
        "  - { at: 1s, every: 1s, times: 2, stream: 'd/p/cam{08..10}', push_begin: }
  - { at: 9s, stream: 'd/p{0..0}/{not}', push_begin: }
",
        "  - { at: 1s, every: 1s, times: 2, stream: 'd/p/cam{1..3}', is: firing }\n",
    );
    let streams: Vec<&str> = events(&trial).iter().map(|(_, event)| event.stream.full()).collect();
    let cams = ["d/p/cam08", "d/p/cam09", "d/p/cam10"];
    assert_eq!(streams, [&cams[..], &cams[..], &["d/p0/{not}"][..]].concat());
    assert_eq!(sessions(&trial), ["1", "1", "1", "2", "2", "2", "1"]);
    let expected: Vec<(String, bool)> = trial
        .expect
        .iter()
        .map(|line| {
            (line.at.unwrap().to_string(), line.about == Some(About::Stream(StreamName::new("d", "p", "cam3"))))
        })
        .collect();
    let of = |at: &str| [(at.to_owned(), false), (at.to_owned(), false), (at.to_owned(), true)];
    assert_eq!(expected, [of("1s"), of("2s")].concat());
}

#[test]
fn a_range_is_bounded_and_for_callbacks_and_expectations() {
    let wrong = |line: &str, at: &str| {
        let text =
            format!("rules: r\ntests:\n- name: a\n  given:\n  - {{ at: 0s, {line} }}\n  expect: [ {{ at: 0s }} ]\n");
        let drawn = mistakes(&text);
        assert!(drawn.contains(at), "{drawn}");
    };
    for numbers in ["2..1", "1..1001", "a..b", "1..99999999999", "..", "1...3"] {
        wrong(&format!("stream: 'd/p/{{{numbers}}}', push_begin:"), "is no range of numbers");
    }
    wrong("ack: { rule: gop_too_large, stream: 'd/p/{1..2}' }", "one stream is meant here");
    wrong("stream: 'd/p/{1..1000}', every: 1s, times: 101, push_begin:", "at most 100000 steps");
}

#[test]
fn a_test_ends_with_its_last_line_unless_it_says_when() {
    let text = "rules: r
tests:
  - { name: a, given: [ { at: 1m, every: 1m, times: 3, stream: a/b/c, push_begin: } ], expect: [ { at: 30s } ] }
  - { name: b, given: [ { at: 1m, stream: a/b/c, push_begin: } ], expect: [ { at: 5m } ] }
  - { name: c, given: [], expect: [], until: 1h, start: '2026-03-29T01:30:00+01:00' }
";
    let trials = compile(text).unwrap();
    let ends: Vec<String> = trials.iter().map(|trial| trial.until.to_string()).collect();
    assert_eq!(ends, ["3m", "5m", "1h"]);
    assert_eq!((trials[0].start.to_string(), trials[0].line), ("2026-01-05T09:00:00Z".to_owned(), 3));
    assert_eq!(trials[2].start.to_string(), "2026-03-29T00:30:00Z");
}

#[test]
fn secrets_and_addresses_are_made_up_and_what_decides_is_not() {
    let text = "version: 1
tencent: { keys: ['${KEY}', { file: /nowhere/key }], path_secret: '${PATH_SECRET}', sources: ['${NET}'] }
channels:
  slack: { type: slack, token: '${A}', channel: '${B}', fallback: hook }
  slack2: { type: slack, webhook_url: { file: hook.txt } }
  wecom: { type: wecom, key: '${C:-x}' }
  app: { type: wecom, corp_id: '${C}', agent_id: '${C}', secret: '${C}', to: ['${C}'], callback_token: '${C}', encoding_aes_key: '${C}' }
  telegram: { type: telegram, token: '${D}', chat_id: '${E}', thread_id: '${F}', api_url: 'https://${G}/x' }
  hook: { type: webhook, url: '${H}', headers: { Authorization: 'Bearer ${I}' } }
defaults: { notify: [slack, wecom], resolve_after: '${QUIET:-90s}' }
rules: [ { name: a, on: push_error, enabled: '${ON}' } ]
";
    let asked = std::cell::RefCell::new(Vec::new());
    let env = |name: &str| {
        asked.borrow_mut().push(name.to_owned());
        None
    };
    let mistakes = load_rules(text, "rules.yaml", &env).unwrap_err();
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert!(mistakes[0].message().contains("environment variable ON is not set"), "{mistakes:?}");
    assert_eq!(*asked.borrow(), ["QUIET", "ON"]);
    let rules = load_rules(text, "rules.yaml", &|name| (name == "ON").then(|| "true".to_owned())).unwrap();
    let target = |name: &str| &rules.channels[&ChannelName::new(name)].target;
    assert!(matches!(target("slack"), Target::Slack { door: SlackDoor::Bot { .. }, .. }));
    assert!(matches!(target("telegram"), Target::Telegram { chat_id: 1, thread_id: Some(1), .. }));
}

#[test]
fn a_mistake_of_the_rules_is_shown_without_their_secrets() {
    let text = "version: 1\nchannels: { a: { type: wecom, key: 'secret!' } }\nrules: []\n";
    let mistakes = load_rules(text, "rules.yaml", &|_| None).unwrap_err();
    let drawn: String = mistakes.iter().map(ToString::to_string).collect();
    assert!(!mistakes.is_empty() && !drawn.contains("secret!"), "{drawn}");
}

const EXAMPLES: [&str; 4] = [
    include_str!("../../../tests/rules/people.yaml"),
    include_str!("../../../tests/rules/push_errors.yaml"),
    include_str!("../../../tests/rules/stops.yaml"),
    include_str!("../../../tests/rules/times.yaml"),
];

fn check(text: &str) {
    let Err(mistakes) = compile(text) else { return };
    assert!(!mistakes.is_empty());
    for mistake in &mistakes {
        assert!((1..=text.split('\n').count()).contains(&mistake.line()), "{mistake:?}");
        assert!(!mistake.to_string().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}|[-:{}\\[\\]\"'&*#|>,!%@`$~ \t\n\ra-c0-9]{0,200}") {
        check(&text);
        check(&format!("rules: r\ntests:\n- name: a\n  given:\n  - {text}\n  expect:\n  - {text}\n"));
    }

    #[test]
    fn nor_a_good_file_with_a_piece_cut_out_and_another_put_in(
        which in 0..EXAMPLES.len(),
        from in 0usize..8000,
        length in 0usize..60,
        piece in "[-:{}\\[\\]\"'&*#>!$ \t\na-z0-9]{0,12}|流|\u{feff}|: \\{\\}|- - |\"\"|null|&a \\*a|9e999|366d|100000|unmute: 7",
    ) {
        let text = EXAMPLES[which];
        let from = text.floor_char_boundary(from.min(text.len()));
        let to = text.floor_char_boundary((from + length).min(text.len()));
        check(&format!("{}{piece}{}", &text[..from], &text[to..]));
    }

    #[test]
    fn nor_any_line_of_legal_keys(
        keys in proptest::collection::vec(0usize..17, 0..6),
        values in proptest::collection::vec("\\PC{0,8}|[0-9]{1,20}[smhd]?|a/b/c|\\{\\}|\\[[0-9]{0,2}\\]|-?[0-9]{1,9}", 6),
    ) {
        let words: Vec<&str> = shape::WHEN.into_iter().chain(shape::SENDER).chain(shape::DEEDS)
            .chain(["push_error", "push_end", "321", "-9"]).collect();
        let line: Vec<String> = keys.iter().zip(&values).map(|(key, value)| format!("{}: {value}", words[*key])).collect();
        check(&format!("rules: r\ntests:\n- name: a\n  given:\n  - {{ {} }}\n  expect: [ {{ at: 0s }} ]\n", line.join(", ")));
    }
}
