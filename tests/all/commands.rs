//! Mutes, acknowledgements and the record of commands, by the real binary from a terminal and over HTTP.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::bot::{Bot, Keeper, callback, client};

const KEY: &str = "commandkey";

/// A keeper, a folder with rules that report a GOP at once, and the bot on it.
async fn house() -> (Keeper, tempfile::TempDir, Bot) {
    house_with("").await
}

/// The same with more in the rule.
async fn house_with(more: &str) -> (Keeper, tempfile::TempDir, Bot) {
    let (keeper, folder) = (Keeper::start().await, tempfile::tempdir().unwrap());
    let rules = format!(
        "version: 1\ntencent: {{ keys: [{KEY}] }}\nchannels: {{ hook: {{ type: webhook, url: \"http://{}/\" }} }}\n\
         defaults: {{ notify: [hook] }}\nrules:\n  - {{ name: gop, on: push_error, types: [16], severity: critical{more} }}\n\
         mutes:\n  - {{ match: 'path=\"test\"', reason: tests }}\n",
        keeper.address()
    );
    std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
    let bot = Bot::start(folder.path()).await;
    (keeper, folder, bot)
}

async fn report(bot: &Bot, stream: &str) {
    let answer = client().post(bot.callback_url()).body(callback(KEY, stream)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
}

/// What a command of the binary prints.
async fn run(bot: &Bot, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pushwatch"));
    command.args(args).args(["--server", bot.admin_url()]).env("USER", "ann").stdin(std::process::Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

async fn get(bot: &Bot, page: &str) -> Value {
    let (status, text) = bot.admin(&format!("/api/v1/{page}")).await;
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

async fn order(bot: &Bot, method: reqwest::Method, page: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/api/v1/{page}", bot.admin_url());
    let answer = client().request(method, url).json(&body).send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_muted_from_a_terminal_stays_so_over_a_restart_and_is_told_when_the_mute_is_lifted() {
    let (keeper, folder, bot) = house().await;
    let (code, text) = said(&run(&bot, &["mute", "cam2", "2h", "encoder", "swap"]).await);
    assert!(code == Some(0) && text.contains("#1") && text.contains("Nothing was heard of such a stream"), "{text}");
    report(&bot, "cam2").await;
    report(&bot, "cam1").await;
    assert_eq!(keeper.messages(1).await[0]["facts"]["stream"]["id"], "cam1");
    bot.kill();

    let bot = Bot::start(folder.path()).await;
    let (code, text) = said(&run(&bot, &["mutes"]).await);
    assert!(
        code == Some(0) && text.contains("cam2") && text.contains("ann") && text.contains("encoder swap"),
        "{text}"
    );
    assert!(text.contains("rules.yaml"), "standing ones are listed: {text}");
    report(&bot, "cam2").await;
    let (code, text) = said(&run(&bot, &["incidents", "--stream", "cam2"]).await);
    assert!(code == Some(0) && text.contains("push.example.com/live/cam2") && text.contains("muted"), "{text}");
    let (code, text) = said(&run(&bot, &["unmute", "1"]).await);
    assert!(code == Some(0) && text.contains("lifted"), "{text}");
    // What was being noted when the bot was killed may have come twice.
    let mut told = keeper.messages(2).await;
    if told[1]["facts"]["stream"]["id"] == "cam1" {
        told = keeper.messages(3).await;
    }
    assert_eq!(told.last().unwrap()["facts"]["stream"]["id"], "cam2", "{told:?}");
    let (code, text) = said(&run(&bot, &["unmute", "1"]).await);
    assert!(code == Some(1) && text.contains("no mute #1"), "{code:?} {text}");
    let (code, text) = said(&run(&bot, &["audit", "--output", "json"]).await);
    let record: Value = serde_json::from_str(&text).unwrap();
    let items = record["items"].as_array().unwrap();
    let whats: Vec<&str> = items.iter().map(|item| item["what"].as_str().unwrap()).collect();
    assert_eq!((code, whats), (Some(0), vec!["unmute 1", "unmute 1", "mute cam2 2h encoder swap"]));
    assert!(items.iter().all(|item| item["who"] == "ann" && item["place"] == "api"), "{text}");
    assert_eq!(items[0]["verdict"], "refused");
    bot.stop();
}

/// Waits until so many incidents of a stream are over, as far as is committed.
async fn until_over(bot: &Bot, stream: &str, count: usize) {
    let page = format!("incidents?state=resolved&stream={stream}");
    let over = async {
        while get(bot, &page).await["items"].as_array().unwrap().len() < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), over).await.expect("it is over in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_mute_kept_back_survives_kill_9_and_is_told_once_when_the_mute_is_over() {
    let (keeper, folder, bot) = house_with(", resolve_after: 1s").await;
    let mute = json!({ "matchers": "stream=~\"cam[12]\"", "duration": "3h", "reason": "swap", "author": "eve" });
    assert_eq!(order(&bot, reqwest::Method::POST, "mutes", mute).await.0, 200);
    report(&bot, "cam1").await;
    until_over(&bot, "cam1", 1).await;
    bot.kill();

    let bot = Bot::start(folder.path()).await;
    report(&bot, "cam2").await;
    until_over(&bot, "cam2", 1).await;
    assert_eq!(keeper.messages(0).await.len(), 0, "nothing was told so far");
    assert_eq!(order(&bot, reqwest::Method::DELETE, "mutes/1?author=eve", Value::Null).await.0, 200);
    let told = keeper.messages(1).await;
    let facts = &told[0]["facts"];
    assert_eq!(
        (&facts["kind"], &facts["mute"]["id"], &facts["mute"]["lifted"]),
        (&json!("notice"), &json!(1), &json!(true))
    );
    assert_eq!((&facts["mute"]["over"], &facts["mute"]["firing"]), (&json!(2), &json!(0)), "{facts}");
    let mut named: Vec<&str> =
        facts["mute"]["worst"].as_array().unwrap().iter().map(|one| one["stream"]["id"].as_str().unwrap()).collect();
    named.sort_unstable();
    assert_eq!(named, ["cam1", "cam2"]);
    let text = told[0]["text"].as_str().unwrap();
    assert!(text.contains("2 troubles were kept back and are over") && text.contains("eve"), "{text}");
    // What comes next is news again.
    report(&bot, "cam1").await;
    assert_eq!(keeper.messages(2).await[1]["facts"]["stream"]["id"], "cam1");
    bot.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_what_was_told_before_a_mute_is_told_under_it() {
    let (keeper, _folder, bot) = house_with(", resolve_after: 2s").await;
    report(&bot, "cam1").await;
    let told = keeper.messages(1).await;
    assert_eq!(told[0]["facts"]["state"], "critical");
    let mute = json!({ "matchers": "rule!=\"\"", "duration": "1h" });
    assert_eq!(order(&bot, reqwest::Method::POST, "mutes", mute).await.0, 200);
    let told = keeper.messages(2).await;
    assert_eq!((&told[1]["facts"]["state"], &told[1]["facts"]["stream"]["id"]), (&json!("well"), &json!("cam1")));
    assert_eq!(order(&bot, reqwest::Method::DELETE, "mutes/1", Value::Null).await.0, 200);
    report(&bot, "cam2").await;
    let told = keeper.messages(3).await;
    assert_eq!(told[2]["facts"]["stream"]["id"], "cam2", "nothing was said of the mute: {told:?}");
    bot.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_sets_lists_and_lifts_mutes_and_acknowledges_incidents() {
    let (keeper, _folder, bot) = house().await;
    report(&bot, "live_1").await;
    keeper.messages(1).await;
    let mute = json!({ "matchers": "stream=\"live_1\"", "duration": "1h", "reason": "works", "author": "eve" });
    let (status, set) = order(&bot, reqwest::Method::POST, "mutes", mute.clone()).await;
    assert_eq!((status, &set["covers"]["streams"], &set["covers"]["firing"]), (200, &json!(1), &json!(1)), "{set}");
    assert_eq!((&set["id"], &set["author"], &set["news"]), (&json!(1), &json!("eve"), &json!("set")));
    let (_, again) = order(&bot, reqwest::Method::POST, "mutes", mute).await;
    assert_eq!((&again["id"], &again["news"]), (&json!(1), &json!("nothing")));
    let listed = get(&bot, "mutes").await;
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["next"]), (1, &Value::Null));
    assert_eq!(listed["standing"][0]["reason"], "tests");

    let incidents = get(&bot, "incidents?state=firing").await;
    let id = incidents["items"][0]["id"].as_u64().unwrap();
    assert_eq!(incidents["items"][0]["stream"], "push.example.com/live/live_1");
    let page = format!("incidents/{id}");
    let (status, acked) = order(&bot, reqwest::Method::POST, &format!("{page}/ack"), json!({ "author": "bob" })).await;
    assert_eq!((status, &acked["ack"]["by"]), (200, &json!("bob")), "{acked}");
    let timeline = get(&bot, &page).await["timeline"].clone();
    let whats: Vec<&str> = timeline.as_array().unwrap().iter().map(|event| event["what"].as_str().unwrap()).collect();
    for what in ["first_report", "opened", "told", "acknowledged"] {
        assert!(whats.contains(&what), "{timeline}");
    }
    let again = order(&bot, reqwest::Method::POST, &format!("{page}/ack"), json!({ "author": "eve" })).await;
    assert_eq!((again.0, &again.1["before"]), (200, &json!("bob")));
    order(&bot, reqwest::Method::POST, &format!("incidents/{}/ack", id + 1), json!({ "author": "mallory" })).await;
    let timeline = get(&bot, &page).await["timeline"].clone();
    let commands = timeline.as_array().unwrap().iter().filter(|event| event["what"] == "command");
    let commands: Vec<[&Value; 4]> =
        commands.map(|event| ["by", "place", "typed", "verdict"].map(|field| &event[field])).collect();
    let typed = json!(format!("ack {id}"));
    let of = |who: &str| [json!(who), json!("api"), typed.clone(), json!("done")];
    assert_eq!(commands, [of("bob").each_ref(), of("eve").each_ref()], "those about this incident: {timeline}");

    let (status, lifted) = order(&bot, reqwest::Method::DELETE, "mutes/1?author=eve", Value::Null).await;
    assert_eq!((status, &lifted["items"][0]["id"]), (200, &json!(1)));
    for (method, page, body, status) in [
        (reqwest::Method::DELETE, "mutes/1", Value::Null, 404),
        (reqwest::Method::POST, "incidents/999/ack", json!({}), 404),
        (reqwest::Method::POST, "mutes", json!({ "matchers": "stream=\"a\"", "duration": "31d" }), 400),
        (reqwest::Method::POST, "mutes", json!({ "matchers": "stream=\"a\"", "duration": "forever" }), 400),
        (reqwest::Method::POST, "mutes", json!({ "matchers": "stream=", "duration": "1h" }), 400),
    ] {
        let (found, answer) = order(&bot, method, page, body).await;
        assert!(found == status && answer["error"].as_str().is_some_and(|why| !why.is_empty()), "{page}: {answer}");
    }
    assert_eq!(bot.admin("/api/v1/incidents/999").await.0, 404);
    bot.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wide_mute_from_a_terminal_wants_a_word_and_nobody_there_is_another_status() {
    let (_keeper, _folder, bot) = house().await;
    for n in 0..21 {
        report(&bot, &format!("cam{n}")).await;
    }
    let (code, text) = said(&run(&bot, &["mute", "cam*", "1h"]).await);
    assert!(code == Some(1) && text.contains("21 streams") && text.contains("--yes"), "{code:?} {text}");
    let (code, text) = said(&run(&bot, &["mute", "cam*", "1h", "--yes"]).await);
    assert!(code == Some(0) && text.contains("Covers now: 21 streams"), "{code:?} {text}");
    let (code, text) = said(&run(&bot, &["mute", "cam1", "soon"]).await);
    assert!(code == Some(1) && text.contains("no duration") && text.contains("Example"), "{code:?} {text}");
    let (code, text) = said(&run(&bot, &["ack", "999"]).await);
    assert!(code == Some(1) && text.contains("no incident #999"), "{code:?} {text}");
    let address = bot.admin_url().to_owned();
    bot.stop();
    let output = Command::new(env!("CARGO_BIN_EXE_pushwatch")).args(["mutes", "--server", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
}
