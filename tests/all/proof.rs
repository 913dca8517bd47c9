//! Proof before a change, beside a running server: what rules would have said, and what the rules in force said.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::bot::{Bot, callback, client};

const KEY: &str = "proofkey";

const RULES: &str = "version: 1\ntencent: { keys: [proofkey] }\nchannels: { screen: { type: console } }\n\
    defaults: { notify: [screen] }\nrules:\n\
    \x20 - { name: gop, on: push_error, types: [16], threshold: { count: 2, within: 10m }, severity: warning }\n\
    \x20 - { name: down, on: push_end, severity: critical }\n";

async fn post(bot: &Bot, body: String) {
    let answer = client().post(bot.callback_url()).body(body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
}

async fn pushwatch(folder: &Path, line: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pushwatch"));
    command.args(line).current_dir(folder).env_remove("PUSHWATCH_ADMIN_TOKEN");
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn bot(folder: &Path) -> Bot {
    std::fs::write(folder.join("rules.yaml"), RULES).unwrap();
    let bot = Bot::start(folder).await;
    let mut sent = Vec::new();
    for stream in ["cam1", "cam2", "cam1", "cam1"] {
        // Of the same millisecond it would be a repeat.
        let body = std::iter::repeat_with(|| callback(KEY, stream)).find(|body| !sent.contains(body)).unwrap();
        sent.push(body.clone());
        post(&bot, body).await;
    }
    bot
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_says_of_real_callbacks_what_each_rule_made_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let bot = bot(folder.path()).await;
    let (status, body) = bot.admin("/api/v1/explain?stream=cam1").await;
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    let outcome = |at: usize| body["callbacks"][at]["rules"][0]["outcome"].as_str().unwrap().to_owned();
    assert_eq!((outcome(0), outcome(1), outcome(2)), ("counted".into(), "opened".into(), "prolonged".into()));
    assert_eq!(body["callbacks"][0]["others"], serde_json::json!(["down"]));
    assert_eq!(bot.admin("/api/v1/explain?stream=cam3").await.0, 404);
    assert_eq!(bot.admin("/api/v1/explain").await.0, 400);

    let server = ["--server", bot.admin_url()];
    let said = pushwatch(folder.path(), &[&["explain", "push.example.com/live/cam1"], &server[..]].concat()).await;
    let out = text(&said.stdout);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    assert!(out.starts_with("push.example.com/live/cam1: its last 3 callbacks\n"), "{out}");
    assert!(out.contains("gop: opened – ") && out.contains("1 × gop_too_large"), "{out}");
    assert!(out.contains("down: listens to other callbacks"), "{out}");
    let unknown = pushwatch(folder.path(), &[&["explain", "cam3"], &server[..]].concat()).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("no callback of this stream"), "{}", text(&unknown.stderr));
    let url = bot.admin_url().to_owned();
    bot.stop();
    let gone = pushwatch(folder.path(), &["explain", "cam1", "--server", &url]).await;
    assert_eq!(gone.status.code(), Some(3), "{}", text(&gone.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backtest_holds_new_rules_against_those_in_force_beside_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let bot = bot(folder.path()).await;
    std::fs::write(folder.path().join("new.yaml"), RULES.replace("count: 2", "count: 1")).unwrap();
    let line = ["backtest", "--rules", "new.yaml", "--output", "json"];
    let journal = pushwatch(folder.path(), &[&line[..], &["--data-dir", "data", "--since", "1h"]].concat()).await;
    assert_eq!(journal.status.code(), Some(0), "{}", text(&journal.stderr));
    assert_eq!(text(&journal.stderr), "", "no progress bar where nobody looks on");
    let report: Value = serde_json::from_slice(&journal.stdout).unwrap();
    assert_eq!(report["callbacks"], 4);
    let incidents = |side: &str| report["rules"][0][side]["incidents"].as_u64();
    assert_eq!(
        (report["rules"][0]["rule"].as_str(), incidents("in_force"), incidents("new")),
        (Some("gop"), Some(1), Some(2))
    );
    assert_eq!(report["streams"][0]["stream"], "push.example.com/live/cam2");

    // What is exported says the same, on any machine.
    std::fs::write(folder.path().join("out.jsonl"), bot.export_text()).unwrap();
    let lines =
        pushwatch(folder.path(), &[&line[..], &["--input", "out.jsonl", "--config", "rules.yaml"]].concat()).await;
    let lines: Value = serde_json::from_slice(&lines.stdout).unwrap();
    assert_eq!((&lines["rules"], &lines["streams"]), (&report["rules"], &report["streams"]));
    bot.stop();
    let shown = pushwatch(folder.path(), &["backtest", "--rules", "new.yaml"]).await;
    let shown = text(&shown.stdout);
    assert!(shown.starts_with("4 callbacks from ") && shown.contains("Streams (1 of 1 that differ)"), "{shown}");
}
