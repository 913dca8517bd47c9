//! What is read as what, what is refused in which words, and that nothing typed makes it panic.

use std::fmt::Write as _;
use std::time::Duration;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::rules::Matchers;

fn voice(language: Language) -> Voice {
    Voice { language, zone: TimeZone::UTC, prefix: "/" }
}

fn stream(name: &str) -> Target {
    Target::Stream(name.into())
}

fn matchers(text: &str) -> Target {
    Target::Matchers(Matchers::parse(text).unwrap())
}

fn mute(target: Target, secs: u64, reason: &str) -> Command {
    Command::Mute { target, length: Duration::from_secs(secs), reason: reason.to_owned() }
}

#[test]
fn each_command_with_and_without_slash_and_name() {
    for (text, command) in [
        ("mute cam1 2h", mute(stream("cam1"), 7200, "")),
        ("/mute cam1 2h encoder swap", mute(stream("cam1"), 7200, "encoder swap")),
        ("/pushwatch mute cam1 30m", mute(stream("cam1"), 1800, "")),
        ("PushWatch  MUTE cam1 1D12H", mute(stream("cam1"), 129_600, "")),
        ("unmute 12", Command::Unmute(Lift::Id(MuteId(12)))),
        ("unmute #12", Command::Unmute(Lift::Id(MuteId(12)))),
        ("unmute \"12\"", Command::Unmute(Lift::Target(stream("12")))),
        ("unmute cam1", Command::Unmute(Lift::Target(stream("cam1")))),
        ("mutes", Command::Mutes),
        ("incidents", Command::Incidents(None)),
        ("incidents cam1", Command::Incidents(Some(stream("cam1")))),
        ("status push.example.com/live/cam1", Command::Status("push.example.com/live/cam1".into())),
        ("status live?x=1", Command::Status("live?x=1".into())),
        ("ack 7", Command::Ack(IncidentId(7))),
        ("rules", Command::Rules),
        ("help", Command::Help(None)),
        ("/help mute", Command::Help(Some(Verb::Mute))),
        ("help /取消静音", Command::Help(Some(Verb::Unmute))),
        ("confirm 3", Command::Confirm(3)),
        ("", Command::Help(None)),
        ("/pushwatch", Command::Help(None)),
        ("  /  ", Command::Help(None)),
    ] {
        assert_eq!(parse(text), Ok(command), "{text}");
    }
}

#[test]
fn chinese_words_need_no_blank_and_full_width_signs_are_plain_ones() {
    for (text, command) in [
        ("静音 cam1 2h", mute(stream("cam1"), 7200, "")),
        ("静音cam1 2小时 换编码器", mute(stream("cam1"), 7200, "换编码器")),
        ("／静音　ｃａｍ１　２ｈ　检修，请勿打扰。", mute(stream("cam1"), 7200, "检修，请勿打扰。")),
        ("静音：cam1 2h", mute(stream("cam1"), 7200, "")),
        ("静音： cam1 2h", mute(stream("cam1"), 7200, "")),
        ("Mute: cam1 2h", mute(stream("cam1"), 7200, "")),
        ("/\u{200b}mute push.\u{200b}example.\u{200b}com/live/a 2h", mute(stream("push.example.com/live/a"), 7200, "")),
        ("取消静音12", Command::Unmute(Lift::Id(MuteId(12)))),
        ("取消静音 ＃１２", Command::Unmute(Lift::Id(MuteId(12)))),
        ("静音列表", Command::Mutes),
        ("状态cam1", Command::Status("cam1".into())),
        ("状态 push。example。com／live／cam1", Command::Status("push.example.com/live/cam1".into())),
        ("告警", Command::Incidents(None)),
        ("认领 7", Command::Ack(IncidentId(7))),
        ("规则", Command::Rules),
        ("帮助 静音", Command::Help(Some(Verb::Mute))),
        ("确认3", Command::Confirm(3)),
        ("静音 “直播 （一）” 1天12小时", mute(stream("直播 （一）"), 129_600, "")),
        (
            "静音 ｛stream＝～“live_.*”，team＝“运维（一）”｝ 30分钟",
            mute(matchers("stream=~\"live_.*\", team=\"运维（一）\""), 1800, ""),
        ),
    ] {
        assert_eq!(parse(text), Ok(command), "{text}");
    }
}

#[test]
fn targets_are_streams_globs_and_matchers_with_or_without_braces() {
    for (target, read) in [
        ("cam1", stream("cam1")),
        ("push.example.com/live/cam1", stream("push.example.com/live/cam1")),
        ("'cam 1'", stream("cam 1")),
        ("`cam1`", stream("cam1")),
        ("\"cam*\"", stream("cam*")),
        ("2h", stream("2h")),
        ("cam*", matchers("stream=~\"cam.*\"")),
        ("*/live/cam*", matchers("path=\"live\", stream=~\"cam.*\"")),
        ("push.*/a/b/c\\d*", matchers("domain=~\"push\\\\..*\", path=\"a/b\", stream=~\"c\\\\\\\\d.*\"")),
        ("*", matchers("rule!=\"\"")),
        ("*/*/**", matchers("rule!=\"\"")),
        ("*//*", matchers("path=\"\"")),
        ("{stream=~\"live_.*\", rule=\"gop_too_large\"}", matchers("stream=~\"live_.*\",rule=gop_too_large")),
        ("{ stream = \"a } b\" }", matchers("stream=\"a } b\"")),
        ("{stream=\"say \\\"hi\\\" }\"}", matchers("stream=\"say \\\"hi\\\" }\"")),
        ("stream=~\"live_.*\",rule=gop", matchers("stream=~\"live_.*\",rule=gop")),
        ("stream=~\"live_.*\", rule=gop", matchers("stream=~\"live_.*\",rule=gop")),
        ("stream=“live 1”", matchers("stream=\"live 1\"")),
        ("stream=“say \"hi\"”", matchers("stream=\"say \\\"hi\\\"\"")),
        ("severity=critical", matchers("severity=critical")),
    ] {
        assert_eq!(parse(&format!("mute {target} 1h why not")), Ok(mute(read.clone(), 3600, "why not")), "{target}");
        if target != "2h" {
            assert_eq!(parse(&format!("incidents {target}")), Ok(Command::Incidents(Some(read))), "{target}");
        }
    }
}

#[test]
fn a_reason_is_one_clean_line() {
    let reason = |text: &str| match parse(&format!("mute cam1 1h {text}")) {
        Ok(Command::Mute { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason("line one\n  line\ttwo "), "line one line two");
    assert_eq!(reason("a\u{202e}b\u{1b}[2J"), "a⟨U+202E⟩b␛[2J");
    assert_eq!(reason(&"长".repeat(500)).chars().count(), MAX_REASON);
    assert_eq!(reason(&"\u{202e}".repeat(500)).chars().count(), MAX_REASON);
}

const WRONG: [&str; 37] = [
    "mut cam1 2h",
    "静因 cam1",
    "hello there",
    "你好",
    "deploy",
    "mute",
    "mute 2h",
    "mute 2h cam1",
    "mute cam1",
    "mute cam1 soon",
    "mute cam1 30",
    "mute cam1 10s",
    "mute cam1 31d",
    "mute cam1 forever",
    "mute cam1 2h30",
    "mute live/cam* 2h",
    "mute {stream=~\"live_*\"} 1h",
    "mute {stream=\"live_*\"} 1h",
    "mute {stream=\"a\" 1h",
    "mute {stream} 1h",
    "mute stream=\"a 1h",
    "mute {} 1h",
    "unmute",
    "unmute 12 13",
    "unmute live/cam*",
    "mutes cam1",
    "incidents cam1 cam2",
    "incidents {a}",
    "status",
    "status cam1 cam2",
    "ack",
    "ack seven",
    "ack 99999999999999999999999",
    "rules all",
    "help me",
    "confirm",
    "help mute unmute",
];

#[test]
fn what_is_refused_says_what_was_expected_and_shows_an_example() {
    let mut shown = String::new();
    for text in WRONG {
        let mistake = parse(text).expect_err(text);
        for language in Language::ALL {
            writeln!(shown, "> {text}\n{}", mistake.text(&voice(language))).unwrap();
        }
    }
    assert_snapshot!(shown);
    let long = parse(&"x".repeat(MAX_LINE + 1)).unwrap_err();
    assert_eq!(long, Mistake::LongLine);
}

#[test]
fn every_command_has_its_help_in_both_languages() {
    let mut shown = String::new();
    for language in Language::ALL {
        for verb in [None].into_iter().chain(Verb::ALL.map(Some)) {
            writeln!(shown, "{}\n", help::text(verb, &voice(language))).unwrap();
        }
    }
    assert_snapshot!(shown);
}

#[test]
fn every_example_is_a_command_of_its_kind() {
    for verb in Verb::ALL {
        for prefix in ["", "/", "/pushwatch "] {
            let example = help::example(verb, &Voice { prefix, ..voice(Language::En) });
            assert_eq!(parse(&example).unwrap().verb(), verb, "{example}");
        }
        assert_eq!((Verb::of(verb.as_str()), Verb::of(verb.chinese())), (Some(verb), Some(verb)));
    }
}

/// Words of commands, signs and rubbish, so that a random line gets far into the grammar.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "mute",
            "unmute",
            "静音",
            "取消静音",
            "incidents",
            "状态",
            "ack",
            "help",
            "confirm",
            "/",
            "pushwatch",
            "2h",
            "1d12h",
            "30",
            "cam1",
            "cam*",
            "a/b/c",
            "*/live/*",
            "{",
            "}",
            "stream",
            "=",
            "=~",
            "！＝",
            "\"",
            "“",
            "”",
            "'",
            "`",
            "\\",
            ",",
            "，",
            " ",
            "　",
            "\n",
            "#12",
            "rule=\"gop\"",
            "{stream=~\"live_.*\"}",
            "\u{202e}",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
        "[a-z0-9*/{}=~!\"',.# ]{0,12}",
    ]
}

proptest! {
    #[test]
    fn nothing_typed_makes_it_panic_and_mutes_are_always_bounded(
        pieces in prop::collection::vec(piece(), 0..12),
        blank in prop::sample::select(vec!["", " ", "　"]),
    ) {
        let line = pieces.join(blank);
        match parse(&line) {
            Ok(Command::Mute { length, reason, target }) => {
                prop_assert!(length <= LONGEST_MUTE && !length.is_zero());
                prop_assert!(reason.chars().count() <= MAX_REASON && !reason.contains(char::is_control));
                if let Target::Matchers(list) = target {
                    // What is kept must be readable.
                    prop_assert_eq!(Matchers::parse(&list.to_string()).unwrap(), list);
                }
            }
            Ok(_) => {}
            Err(mistake) => for language in Language::ALL {
                let text = mistake.text(&voice(language));
                prop_assert!(text.chars().count() < 1000 && !text.is_empty(), "{}", text);
                prop_assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
            },
        }
    }

    #[test]
    fn a_quoted_name_is_that_name(name in "[^\"\\s][^\"]{0,30}") {
        let name = name.trim();
        prop_assume!(!name.is_empty());
        prop_assert_eq!(parse(&format!("mute \"{name}\" 1h")), Ok(mute(stream(name), 3600, "")));
    }

    #[test]
    fn a_glob_holds_of_what_it_was_made_from(
        domain in "[a-z.\\\\+]{1,8}", path in "[a-z]{1,5}", id in "[a-z0-9_$().\\\\-]{1,10}",
        cut in 0usize..10,
    ) {
        let cut = cut.min(id.len());
        let line = format!("mute {domain}/{path}/{}* 1h", &id[..cut]);
        let Ok(Command::Mute { target: Target::Matchers(list), .. }) = parse(&line) else { panic!("{line}") };
        let label = |name: &str| match name { "domain" => Some(&*domain), "path" => Some(&*path), "stream" => Some(&*id), _ => None };
        prop_assert!(list.hold(label), "{} of {}", list, id);
    }
}
