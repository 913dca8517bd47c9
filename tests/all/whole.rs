//! The whole bot as its users have it: real process, real ports, real files.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::bot::{Bot, Keeper, callback, client, signature};

/// The callback that the cloud's documentation prints; it lacks a comma.
const SAMPLE: &str = include_str!("../fixtures/push_error_as_printed.json");

const KEY: &str = "wholekey";

fn write_rules(folder: &Path, keeper: &Keeper, rules: &str) {
    let text = format!(
        "version: 1\ntencent: {{ keys: [{KEY}] }}\n\
         channels: {{ hook: {{ type: webhook, url: \"http://{}/hook\" }} }}\n\
         defaults: {{ notify: [hook] }}\nrules:\n{rules}",
        keeper.address()
    );
    std::fs::write(folder.join("rules.yaml"), text).unwrap();
}

async fn post(bot: &Bot, body: String) -> (u16, String) {
    let answer = client().post(bot.callback_url()).body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The sample with its comma, signed now.
fn mended() -> String {
    let (sign, t) = signature(KEY);
    let text = SAMPLE.replace("\"1.1.1.1\"\"data_time\"", "\"1.1.1.1\",\"data_time\"");
    let mut body: Value = serde_json::from_str(&text).unwrap();
    body["sign"] = sign.into();
    body["t"] = t.into();
    body.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_sample_makes_one_alert_that_reads_well() {
    let (keeper, folder) = (Keeper::start().await, tempfile::tempdir().unwrap());
    write_rules(folder.path(), &keeper, "  - { name: stall, on: push_error, types: [6, 7], severity: critical }\n");
    let bot = Bot::start(folder.path()).await;
    let (status, answer) = post(&bot, SAMPLE.to_owned()).await;
    assert_eq!(status, 400);
    assert!(answer.contains("line 1 column 7"), "{answer}");
    assert_eq!(post(&bot, mended()).await, (200, r#"{"code":0}"#.to_owned()));
    let told = keeper.messages(1).await;
    assert_eq!(told[0]["facts"]["stream"]["full"], "example.push.com/live/teststream");
    let text = told[0]["text"].as_str().unwrap();
    assert!(text.contains("teststream") && text.contains("3.0 s"), "{text}");

    // The cloud repeats itself: signed anew, the same content.
    let (sign, _) = signature(KEY);
    assert!(!sign.is_empty());
    assert_eq!(post(&bot, mended()).await.0, 200);
    let metrics = bot.metrics().await;
    assert!(metrics.contains("pushwatch_callbacks_total{outcome=\"duplicate\"} 1"), "{metrics}");
    assert!(metrics.contains("pushwatch_callbacks_total{outcome=\"malformed\"} 1"), "{metrics}");
    assert_eq!(keeper.messages(1).await.len(), 1);
    bot.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trouble_is_told_once_and_closed_once_whatever_the_stream_is_called() {
    let (keeper, folder) = (Keeper::start().await, tempfile::tempdir().unwrap());
    write_rules(folder.path(), &keeper, "  - { name: gop, on: push_error, types: [16], resolve_after: 1s }\n");
    let bot = Bot::start(folder.path()).await;
    let hostile = "<b>cam</b> & <!channel> `x` {{y}} \u{202e}";
    for _ in 0..3 {
        assert_eq!(post(&bot, callback(KEY, hostile)).await.0, 200);
    }
    let told = keeper.messages(2).await;
    let states: Vec<&Value> = told.iter().map(|message| &message["facts"]["state"]).collect();
    assert_eq!(states, ["warning", "well"]);
    assert_eq!(told[1]["facts"]["stream"]["id"], hostile);
    assert_eq!(told[1]["facts"]["incidents"][0]["count"], 3);
    bot.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_and_foreign_requests_get_what_the_contract_says() {
    let (keeper, folder) = (Keeper::start().await, tempfile::tempdir().unwrap());
    write_rules(folder.path(), &keeper, "  - { name: gop, on: push_error, types: [16] }\n");
    let bot = Bot::start(folder.path()).await;
    assert_eq!(post(&bot, callback("otherkey", "cam")).await.0, 403);
    let (status, answer) = post(&bot, r#"{"event_type":321}"#.to_owned()).await;
    assert_eq!(status, 401);
    assert!(answer.contains("callback key"), "{answer}");
    assert_eq!(post(&bot, format!("\"{}\"", "x".repeat(300_000))).await.0, 413);
    let url = bot.callback_url();
    assert_eq!(client().get(&url).send().await.unwrap().status(), 405);
    let other = client().get(url.replace("/callback", "/admin")).send().await.unwrap();
    assert_eq!(other.status(), 404);
    assert!(other.headers().get("server").is_none());
    assert_eq!(bot.admin("/healthz").await.0, 200);
    assert_eq!(bot.admin("/readyz").await.0, 200);
    bot.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_the_log_the_export_or_a_message() {
    let (keeper, folder) = (Keeper::start().await, tempfile::tempdir().unwrap());
    write_rules(folder.path(), &keeper, "  - { name: gop, on: push_error, types: [16] }\n");
    let bot = Bot::start(folder.path()).await;
    assert_eq!(post(&bot, callback(KEY, "cam")).await.0, 200);
    let told = keeper.messages(1).await[0].to_string();
    let exported = bot.export_text();
    bot.stop();
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    for (place, text) in [("message", &told), ("export", &exported), ("log", &log)] {
        assert!(text.contains("cam"), "the {place} speaks of the stream: {text}");
        for secret in [KEY, "hidden", &signature(KEY).0] {
            assert!(!text.contains(secret), "{secret} is in the {place}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_the_same_folder_is_refused() {
    let (keeper, folder) = (Keeper::start().await, tempfile::tempdir().unwrap());
    write_rules(folder.path(), &keeper, "  - { name: gop, on: push_error, types: [16] }\n");
    let bot = Bot::start(folder.path()).await;
    let second = Command::new(env!("CARGO_BIN_EXE_pushwatch"))
        .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--config", "rules.yaml"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("data") && said.contains("another"), "{said}");
    bot.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_rules_at_a_start_leave_the_last_good_ones_in_force() {
    let (keeper, folder) = (Keeper::start().await, tempfile::tempdir().unwrap());
    write_rules(folder.path(), &keeper, "  - { name: gop, on: push_error, types: [16] }\n");
    Bot::start(folder.path()).await.stop();
    std::fs::write(folder.path().join("rules.yaml"), "version: 1\nrulez: []\n").unwrap();
    let bot = Bot::start(folder.path()).await;
    assert_eq!(post(&bot, callback(KEY, "cam")).await.0, 200);
    assert_eq!(keeper.messages(1).await.len(), 1);
    assert!(bot.metrics().await.contains("pushwatch_rules_reload_failures_total 1"));
    bot.stop();
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("rulez") && log.contains("last good"), "{log}");
}
