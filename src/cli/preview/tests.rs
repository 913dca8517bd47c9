//! What `preview` prints: snapshots of pages, filters, mistakes.

use std::fs;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: PreviewArgs,
}

/// The arguments of a command line. The crate's own folder of templates holds the built-in ones.
fn args(line: &[&str]) -> PreviewArgs {
    Line::parse_from(["preview"].iter().chain(line)).args
}

fn page(line: &[&str], width: usize) -> String {
    preview(&args(line), width, Ink::Plain).unwrap_or_else(|why| panic!("{why}"))
}

#[test]
fn languages_stand_side_by_side() {
    insta::assert_snapshot!(page(&["--channel", "telegram", "--message", "incident"], 140));
}

#[test]
fn platforms_stand_side_by_side() {
    insta::assert_snapshot!(page(&["--lang", "zh", "--message", "note"], 200));
}

#[test]
fn a_wecom_app_shows_cards_with_buttons_beside_what_a_robot_says() {
    insta::assert_snapshot!(page(&["--channel", "wecom", "--message", "incident"], 140));
    let page = page(&["--channel", "wecom", "--message", "note"], 140);
    assert!(!page.contains("wecom app"), "only what is about incidents is a card: {page}");
}

#[test]
fn a_narrow_terminal_shows_one_below_the_other() {
    insta::assert_snapshot!(page(&["--lang", "en", "--channel", "slack", "--message", "digest"], 60));
}

#[test]
fn a_terminal_sees_colours() {
    let page = preview(&args(&["--lang", "en", "--message", "note"]), 60, Ink::Ansi).unwrap();
    insta::assert_snapshot!(page.replace('\u{1b}', "␛"));
}

#[test]
fn a_rule_speaks_in_its_own_words() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.yaml");
    fs::write(
        &file,
        "version: 1
timezone: Asia/Shanghai
tencent: { keys: [\"${KEY}\"] }
channels: { ops: { type: slack, token: \"${TOKEN}\", channel: C1 } }
defaults: { notify: [ops] }
catalogue: { 16: { name: keyframes too rare } }
rules:
  - { name: gop, on: push_error, types: [gop_too_large], severity: critical, annotations: { runbook_url: \"https://h.example/gop\" } }
  - { name: down, on: push_end, severity: warning }
  - { name: quiet, on: silence, of: relay, within: 5m, severity: info }
  - { name: site, on: push_error, per: domain, threshold: { distinct: stream, count: 20, within: 1m } }
",
    )
    .unwrap();
    let config = file.display().to_string();
    let shown = |rule: &str| page(&["--config", &config, "--rule", rule, "--lang", "en", "--channel", "console"], 120);
    let gop = shown("gop");
    assert!(
        gop.contains("keyframes too rare, longest interval") && gop.contains("Runbook: https://h.example/gop"),
        "{gop}"
    );
    assert!(shown("down").contains("live again after"));
    assert!(shown("quiet").contains("no relay callbacks for 5 min") && shown("quiet").contains("heard again"));
    assert!(shown("site").contains("20 streams in trouble"));
    let why = preview(&args(&["--config", &config, "--rule", "gopp"]), 80, Ink::Plain).unwrap_err();
    assert_eq!(why, "there is no rule `gopp`; there are gop, down, quiet, site");
}

#[test]
fn machines_get_the_raw_texts() {
    let page = page(&["--output", "json", "--message", "notice", "--lang", "en"], 80);
    let page: Value = serde_json::from_str(&page).unwrap();
    let items = page["items"].as_array().unwrap();
    let telegram = items.iter().find(|item| item["channel"] == "telegram").unwrap();
    assert!(telegram["text"].as_str().unwrap().contains("<b>pushwatch</b>"), "{telegram}");
    assert_eq!((&telegram["message"], &telegram["state"]), (&"notice".into(), &"info".into()));
    assert!(items.iter().all(|item| item["template_error"].is_null()));
    assert!(items.iter().any(|item| item["channel"] == "webhook"));
}

#[test]
fn a_wrong_template_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("en/slack")).unwrap();
    fs::write(folder.path().join("en/slack/note.hbs"), "{{sign}}\n{{streem}}").unwrap();
    let templates = folder.path().display().to_string();
    let why = preview(&args(&["--templates", &templates]), 80, Ink::Plain).unwrap_err();
    assert!(why.ends_with("en/slack/note.hbs:2:1: unknown field `streem` (did you mean `stream`?)"), "{why}");
}
