//! A storm over the real binary: hundreds of streams break at once, and are well again.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bot::{Bot, Keeper, callback, client, sent_on_record, until_told};

const KEY: &str = "stormkey";

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// One number of the database of a running bot.
fn count(data: &Path, sql: &str) -> i64 {
    let read_only = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let conn = rusqlite::Connection::open_with_flags(data.join("pushwatch.db"), read_only).unwrap();
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn digests(told: &[Value]) -> Vec<&Value> {
    told.iter().map(|message| &message["facts"]).filter(|facts| facts["kind"] == "digest").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_streams_that_break_at_once_are_told_by_three_messages_and_closed_once() {
    let (keeper, folder) = (Keeper::start().await, tempfile::tempdir().unwrap());
    let rules = format!(
        "version: 1\ntencent: {{ keys: [{KEY}] }}\n\
         channels: {{ hook: {{ type: webhook, url: \"http://{}/hook\" }} }}\n\
         defaults: {{ notify: [hook], rate_limit: none }}\n\
         rules:\n  - {{ name: gop, on: push_error, types: [gop_too_large], resolve_after: 12s }}\n",
        keeper.address()
    );
    std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
    let (bot, data) = (Bot::start(folder.path()).await, folder.path().join("data"));
    let streams: Vec<String> = (0..300).map(|number| format!("cam{number:03}")).collect();
    let senders: Vec<_> = streams
        .chunks(50)
        .map(|some| {
            let (some, url, client) = (some.to_vec(), bot.callback_url(), client());
            tokio::spawn(async move {
                for stream in some {
                    let sent = client.post(&url).body(callback(KEY, &stream)).send().await.unwrap();
                    assert_eq!(sent.status(), 200);
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    let all: BTreeSet<String> = streams.iter().cloned().collect();
    let told = until_told(&data, &all, PATIENCE).await;
    assert!(told.keys().eq(&all), "{} told", told.len());
    let firing = |message: &Value| !["well", "ended"].contains(&message["facts"]["state"].as_str().unwrap());
    let first: Vec<Value> = keeper.messages(0).await.into_iter().filter(firing).collect();
    assert!((1..=3).contains(&first.len()), "{} messages: {first:#?}", first.len());
    let alone = first.len() - digests(&first).len();

    let start = Instant::now();
    let closed = "SELECT count(*) FROM channel_keyed WHERE kind = 'digest' AND value LIKE '%\"closed_at\":null%'";
    let waiting = "SELECT count(*) FROM outbox WHERE outcome IS NULL";
    let known = "SELECT count(*) FROM incidents WHERE state <> 'resolved'";
    while [closed, waiting, known].iter().any(|sql| count(&data, sql) > 0) && start.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let folded = count(&data, "SELECT count(*) FROM outbox WHERE outcome = 'folded'");
    bot.stop();
    let told = keeper.messages(0).await;
    // The end of one that was told by itself may be told in a digest.
    let ends = digests(&told).into_iter().filter(|facts| facts["firing"] == 0);
    let ended: u64 = ends.map(|facts| facts["well"].as_u64().unwrap()).sum();
    let by_itself = told.iter().filter(|message| message["facts"]["kind"] != "digest" && !firing(message)).count();
    let said: Vec<_> = told.iter().map(|one| (&one["delivery_id"], &one["facts"]["summary"])).collect();
    assert_eq!(ended as usize + by_itself, 300, "the end of each is told once: {said:#?}");
    assert_eq!(folded as usize, 2 * 300 - alone - by_itself, "opened and resolved: {said:#?}");
    assert!(told.len() <= 6, "{} messages: {said:#?}", told.len());
    assert_eq!(told.len(), sent_on_record(&data).len());
}
