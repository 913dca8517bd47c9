//! Live reload as operators meet it: real process, real files changed under it, real signals.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use pushwatch::clock::Clock;
use pushwatch::metrics::Metrics;
use pushwatch::model::{Input, Notice};
use pushwatch::store::{Items, Settings, Shard, Sqlite, Store as _};
use serde_json::{Value, json};

use crate::bot::{Bot, Keeper, callback, client, sent_on_record, until_told};

const KEY: &str = "reloadkey";

/// Longer than a reload takes, with its polling as the last resort.
const PATIENCE: Duration = Duration::from_secs(30);

const GOP: &str = "  - { name: gop, on: push_error, types: [16] }\n";

fn text(keeper: &Keeper, rules: &str) -> String {
    format!(
        "version: 1\ntencent: {{ keys: [{{ file: key }}] }}\n\
         channels: {{ hook: {{ type: webhook, url: \"http://{}/hook\" }} }}\n\
         defaults: {{ notify: [hook] }}\nrules:\n{rules}",
        keeper.address()
    )
}

/// A keeper, a folder with rules and their key, and the bot on it.
async fn house(rules: &str) -> (Keeper, tempfile::TempDir, Bot) {
    let (keeper, folder) = (Keeper::start().await, tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("key"), KEY).unwrap();
    std::fs::write(folder.path().join("rules.yaml"), text(&keeper, rules)).unwrap();
    let bot = Bot::start(folder.path()).await;
    (keeper, folder, bot)
}

fn save(folder: &Path, text: &str) {
    std::fs::write(folder.join("rules.yaml"), text).unwrap();
}

/// As editors do that never leave half a file behind.
fn save_by_rename(folder: &Path, text: &str) {
    std::fs::write(folder.join("rules.yaml.new"), text).unwrap();
    std::fs::rename(folder.join("rules.yaml.new"), folder.join("rules.yaml")).unwrap();
}

async fn report(bot: &Bot, key: &str, stream: &str) -> u16 {
    let answer = client().post(bot.callback_url()).body(callback(key, stream)).send().await.unwrap();
    answer.status().as_u16()
}

/// Asks again and again until the answer is as wanted, or patience ends.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut again = tokio::time::interval(Duration::from_millis(20));
    let asking = async {
        loop {
            again.tick().await;
            if let Some(found) = ask().await {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("never came to pass: {what}"))
}

async fn rules(bot: &Bot) -> Value {
    serde_json::from_str(&bot.admin("/api/v1/rules").await.1).unwrap()
}

async fn until_rule(bot: &Bot, name: &str) {
    until(name, async || rules(bot).await["items"].as_array()?.iter().find(|rule| rule["name"] == name).map(drop))
        .await;
}

async fn banner(bot: &Bot) -> Option<String> {
    let (status, body) = bot.admin("/readyz").await;
    assert_eq!(status, 200, "callbacks are taken and judged all the while: {body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    body["warnings"]["rules_refused"].as_str().map(str::to_owned)
}

/// The notices in the journal of a bot that has ended.
async fn notices(folder: &Path) -> Vec<Notice> {
    let settings = Settings::new(folder.join("data"));
    let store = Sqlite::open(settings, Arc::new(Clock::start()), Arc::new(Metrics::new())).unwrap();
    let opened = store.open(Shard::Engine, Duration::from_secs(3600)).await.unwrap();
    let mut found = Vec::new();
    loop {
        let batch = store.next(&opened.lease, 1000, Duration::ZERO).await.unwrap();
        let Items::Journal(entries) = batch.items else { panic!("no journal") };
        found.extend(entries.into_iter().filter_map(|entry| match entry.input {
            Input::Noticed(notice) => Some(*notice),
            _ => None,
        }));
        if batch.at_head {
            store.close().await;
            return found;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn saved_rules_are_in_force_at_once_and_broken_ones_are_refused_whole() {
    let (keeper, folder, bot) = house(GOP).await;
    assert_eq!(banner(&bot).await, None);
    save(folder.path(), &text(&keeper, "  - { name: in_place, on: push_error, types: [16] }\n"));
    until_rule(&bot, "in_place").await;
    save_by_rename(folder.path(), &text(&keeper, "  - { name: renamed, on: push_error, types: [16] }\n"));
    until_rule(&bot, "renamed").await;

    // The first rule is fine, the second is not: neither comes.
    let broken = "  - { name: fine, on: push_error }\n  - { name: bad, on: push_eror }\n";
    save(folder.path(), &text(&keeper, broken));
    let shown = until("a banner", async || banner(&bot).await).await;
    assert!(shown.starts_with("refused for 1 mistake at ") && shown.contains("rules.yaml:7:"), "{shown}");
    let metrics = bot.metrics().await;
    assert!(metrics.contains("pushwatch_rules_reload_failures_total 1\n"), "{metrics}");
    assert_eq!(rules(&bot).await["items"][0]["name"], "renamed");
    let notice = keeper.messages(1).await[0]["text"].as_str().unwrap().to_owned();
    assert!(notice.contains("refused") && notice.contains("rules.yaml:7:"), "{notice}");
    assert_eq!(report(&bot, KEY, "cam").await, 200);
    assert_eq!(keeper.messages(2).await[1]["facts"]["incidents"][0]["rule"], "renamed");

    save(folder.path(), &text(&keeper, GOP));
    until("no banner", async || banner(&bot).await.is_none().then_some(())).await;
    until_rule(&bot, "gop").await;
    bot.stop();
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("The reload is refused") && log.contains("push_eror") && !log.contains(KEY), "{log}");
    let told = notices(folder.path()).await;
    assert!(matches!(&told[..], [Notice::RulesRefused { problems }] if problems[0].contains("push_eror")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_and_sighup_reload_and_the_api_says_how_it_went() {
    let (keeper, folder, bot) = house(GOP).await;
    let (status, answer) = bot.order("/api/v1/reload").await;
    assert_eq!((status, &answer["rules"], &answer["changed"]), (200, &json!(1), &json!(false)), "{answer}");
    save(folder.path(), &text(&keeper, "  - { name: other, on: push_error }\n  - { name: more, on: push_end }\n"));
    let (status, answer) = bot.order("/api/v1/reload").await;
    assert_eq!((status, &answer["rules"]), (200, &json!(2)), "{answer}");
    let listed = rules(&bot).await;
    assert_eq!((&listed["hash"], &listed["next"]), (&answer["hash"], &Value::Null));
    assert_eq!(listed["items"][1]["on"], "push_end");

    std::fs::create_dir_all(folder.path().join("templates/en/webhook")).unwrap();
    std::fs::write(folder.path().join("templates/en/webhook/incident.hbs"), "one\n{{#if").unwrap();
    save(folder.path(), &text(&keeper, "  - { name: bad, on: push_eror }\n"));
    let (status, answer) = bot.order("/api/v1/reload").await;
    assert_eq!(status, 422, "{answer}");
    let mistakes = answer["mistakes"].as_array().unwrap();
    assert_eq!(mistakes.len(), 2, "{answer}");
    assert_eq!((&mistakes[0]["line"], &mistakes[1]["line"]), (&json!(6), &json!(2)), "{answer}");
    assert!(mistakes[0]["hint"].as_str().unwrap().contains("push_error"), "{answer}");
    assert!(mistakes[1]["file"].as_str().unwrap().ends_with("incident.hbs"), "{answer}");
    assert_eq!(rules(&bot).await, listed);

    // A signal reloads what is as it was, too: each try is counted.
    let failures = async || {
        let metrics = bot.metrics().await;
        let line = metrics.lines().find_map(|line| line.strip_prefix("pushwatch_rules_reload_failures_total "));
        line.unwrap().parse::<u64>().unwrap()
    };
    let before = failures().await;
    assert!(Command::new("kill").args(["-HUP", &bot.pid().to_string()]).status().unwrap().success());
    until("one more failure", async || (failures().await > before).then_some(())).await;
    std::fs::remove_dir_all(folder.path().join("templates")).unwrap();
    save(folder.path(), &text(&keeper, GOP));
    assert!(Command::new("kill").args(["-HUP", &bot.pid().to_string()]).status().unwrap().success());
    until_rule(&bot, "gop").await;
    bot.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_template_words_the_next_message() {
    let (keeper, folder, bot) = house(GOP).await;
    std::fs::create_dir_all(folder.path().join("templates/en/webhook")).unwrap();
    std::fs::write(folder.path().join("templates/en/webhook/incident.hbs"), "in our own words\n").unwrap();
    until("the template is read", async || {
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
        log.contains("reloaded").then_some(())
    })
    .await;
    assert_eq!(report(&bot, KEY, "cam").await, 200);
    let told = keeper.messages(1).await;
    assert!(told[0]["text"].as_str().unwrap().contains("in our own words"), "{told:?}");
    bot.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_rule_resolves_its_incident_and_a_changed_threshold_uses_the_kept_window() {
    let five = "  - { name: often, on: push_error, threshold: { count: 5, within: 10m } }\n";
    let (keeper, folder, bot) = house(&format!("{GOP}{five}")).await;
    for _ in 0..3 {
        // Each differs in its time, or it would be a repeat.
        until("a callback of its own", async || {
            let before = accepted(&bot).await;
            report(&bot, KEY, "cam").await;
            (accepted(&bot).await > before).then_some(())
        })
        .await;
    }
    assert_eq!(keeper.messages(1).await.len(), 1);
    save(folder.path(), &text(&keeper, five));
    assert_eq!(bot.order("/api/v1/reload").await.0, 200);
    let told = keeper.messages(2).await;
    assert_eq!(told[1]["facts"]["incidents"][0]["rule"], "gop");
    assert_eq!(told[1]["facts"]["incidents"][0]["ended_by"], "rule_removed", "{told:?}");

    save(folder.path(), &text(&keeper, &five.replace('5', "4")));
    assert_eq!(bot.order("/api/v1/reload").await.0, 200);
    assert_eq!(report(&bot, KEY, "cam").await, 200);
    let told = keeper.messages(3).await;
    assert_eq!(told[2]["facts"]["incidents"].as_array().unwrap().last().unwrap()["rule"], "often", "{told:?}");
    bot.stop();
}

async fn accepted(bot: &Bot) -> u64 {
    let metrics = bot.metrics().await;
    let line = metrics.lines().find_map(|line| line.strip_prefix("pushwatch_callbacks_total{outcome=\"accepted\"} "));
    line.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_rotated_in_its_file_without_a_restart() {
    let (_keeper, folder, bot) = house(GOP).await;
    assert_eq!(report(&bot, KEY, "a").await, 200);
    assert_eq!(report(&bot, "nextkey", "b").await, 403);
    std::fs::write(folder.path().join("key"), "nextkey").unwrap();
    until("the new key", async || (report(&bot, "nextkey", "b").await == 200).then_some(())).await;
    assert_eq!(report(&bot, KEY, "c").await, 403);
    bot.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_come_change_and_go_and_no_message_is_lost_or_doubled() {
    let (one, folder, bot) = house(GOP).await;
    let (two, three) = (Keeper::start().await, Keeper::start().await);
    let with = |channels: &[(&str, &Keeper)]| {
        let list: Vec<String> = channels
            .iter()
            .map(|(name, keeper)| format!("{name}: {{ type: webhook, url: \"http://{}/\" }}", keeper.address()))
            .collect();
        let names: Vec<&str> = channels.iter().map(|(name, _)| *name).collect();
        text(&one, GOP)
            .lines()
            .map(|line| match line {
                line if line.starts_with("channels:") => format!("channels: {{ {} }}\n", list.join(", ")),
                line if line.starts_with("defaults:") => format!("defaults: {{ notify: [{}] }}\n", names.join(", ")),
                line => format!("{line}\n"),
            })
            .collect::<String>()
    };
    let reload = async |channels: &[(&str, &Keeper)]| {
        save(folder.path(), &with(channels));
        let (status, answer) = bot.order("/api/v1/reload").await;
        assert_eq!((status, &answer["channels"]), (200, &json!(channels.len())), "{answer}");
    };
    let heard = async |keeper: &Keeper, streams: &[&str]| {
        let wanted = streams.iter().map(|stream| (*stream).to_owned()).collect();
        let heard = keeper.wait_for(&wanted, PATIENCE).await;
        assert!(heard.keys().eq(wanted.iter()), "{heard:?} instead of {streams:?}");
        assert!(heard.values().all(|times| *times == 1), "{heard:?}");
    };
    report(&bot, KEY, "a").await;
    reload(&[("hook", &one), ("added", &two)]).await;
    report(&bot, KEY, "b").await;
    heard(&one, &["a", "b"]).await;
    reload(&[("hook", &three), ("added", &two)]).await;
    report(&bot, KEY, "c").await;
    heard(&three, &["c"]).await;
    reload(&[("added", &two)]).await;
    report(&bot, KEY, "d").await;
    heard(&two, &["b", "c", "d"]).await;
    bot.stop();
    heard(&one, &["a", "b"]).await;
    heard(&three, &["c"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_in_the_middle_of_sending_lose_no_row_and_send_none_twice() {
    let (keeper, folder, bot) = house(GOP).await;
    let streams: Vec<String> = (0..24).map(|number| format!("cam{number:02}")).collect();
    for (number, stream) in streams.iter().enumerate() {
        assert_eq!(report(&bot, KEY, stream).await, 200);
        if number % 3 == 0 {
            let changed = GOP.replace("types: [16]", &format!("types: [16], resolve_after: {}s", 100 + number));
            save(folder.path(), &text(&keeper, &changed));
            assert_eq!(bot.order("/api/v1/reload").await.0, 200);
        }
    }
    // Some of them may be told together; who is told by which message is on record.
    let data = folder.path().join("data");
    let told = until_told(&data, &streams.iter().cloned().collect(), PATIENCE).await;
    assert!(told.keys().eq(&streams), "{told:?}");
    bot.stop();
    assert!(told.values().all(|times| *times == 1), "{told:?}");
    let heard: Vec<u64> =
        keeper.messages(0).await.iter().filter_map(|message| message["delivery_id"].as_u64()).collect();
    let once: BTreeSet<u64> = heard.iter().copied().collect();
    assert_eq!((once.len(), once), (heard.len(), sent_on_record(&data)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_rules_at_the_start_leave_the_last_good_ones_in_force_until_they_are_mended() {
    let (keeper, folder, bot) = house(GOP).await;
    bot.stop();
    save(folder.path(), "version: 1\nrules: [\n");
    let bot = Bot::start(folder.path()).await;
    assert_eq!(rules(&bot).await["items"][0]["name"], "gop");
    assert!(banner(&bot).await.is_some());
    let notice = keeper.messages(1).await[0]["text"].as_str().unwrap().to_owned();
    assert!(notice.contains("last good"), "{notice}");
    assert_eq!(report(&bot, KEY, "cam").await, 200);
    assert_eq!(keeper.messages(2).await[1]["facts"]["incidents"][0]["rule"], "gop");
    save(folder.path(), &text(&keeper, "  - { name: mended, on: push_error }\n"));
    until_rule(&bot, "mended").await;
    assert_eq!(banner(&bot).await, None);
    bot.stop();
    let told = notices(folder.path()).await;
    assert!(matches!(&told[..], [Notice::LastGoodRules { problems }] if !problems.is_empty()), "{told:?}");
}
