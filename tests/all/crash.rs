//! The promise itself: the real binary is killed with -9 under load, and every callback that got 200 is kept and
//! every incident is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use crate::bot::{Bot, Keeper, callback, client, sent_on_record, until_told};

/// Callbacks sent at once.
const CONNECTIONS: u64 = 8;

/// How long a round's load runs before the kill, at most, in callbacks.
const CALLBACKS_PER_ROUND: u64 = 150;

/// How long the bot may take to catch up after the last start.
const PATIENCE: Duration = Duration::from_secs(60);

fn rounds() -> u64 {
    std::env::var("PUSHWATCH_CRASH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_every_200_is_kept_and_every_incident_is_told() {
    let keeper = Keeper::start().await;
    let folder = tempfile::tempdir().unwrap();
    let rules = format!(
        "version: 1\n\
         tencent: {{ keys: [crashkey] }}\n\
         channels: {{ hook: {{ type: webhook, url: \"http://{}/hook\" }} }}\n\
         defaults: {{ notify: [hook], rate_limit: none }}\n\
         rules:\n  - {{ name: gop, on: push_error, types: [gop_too_large], resolve_after: 1h }}\n",
        keeper.address()
    );
    std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
    let accepted = Arc::new(Mutex::new(BTreeSet::new()));
    let next = Arc::new(AtomicU64::new(0));
    for round in 0..rounds() {
        let bot = Bot::start(folder.path()).await;
        let dead = Arc::new(AtomicBool::new(false));
        // Each round dies elsewhere: after the first answers, in the middle, or with the outbox full.
        let last = next.load(Ordering::Relaxed) + 20 + (round * 53) % CALLBACKS_PER_ROUND;
        let now = Arc::new(Notify::new());
        let workers: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                let (next, accepted, dead) = (Arc::clone(&next), Arc::clone(&accepted), Arc::clone(&dead));
                let url = bot.callback_url();
                let now = Arc::clone(&now);
                tokio::spawn(async move {
                    let client = client();
                    while !dead.load(Ordering::Relaxed) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number == last {
                            now.notify_one();
                        }
                        let stream = format!("cam{number}");
                        let body = callback("crashkey", &stream);
                        match client.post(&url).body(body).send().await {
                            Ok(answer) if answer.status() == 200 => _ = accepted.lock().unwrap().insert(stream),
                            Ok(_) | Err(_) => break,
                        }
                    }
                })
            })
            .collect();
        tokio::time::timeout(PATIENCE, now.notified()).await.expect("the load runs");
        bot.kill();
        dead.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.await.unwrap();
        }
    }

    let accepted = accepted.lock().unwrap().clone();
    assert!(accepted.len() as u64 >= rounds() * 10, "only {} callbacks got 200", accepted.len());
    let bot = Bot::start(folder.path()).await;
    // Many at once are told by digests, which name the worst alone: who is told by which is on record.
    let data = folder.path().join("data");
    let told = until_told(&data, &accepted, PATIENCE).await;
    let kept: BTreeSet<String> = bot.export().into_iter().collect();
    bot.stop();
    let lost: Vec<_> = accepted.difference(&kept).collect();
    assert!(lost.is_empty(), "answered 200 and not in the journal: {lost:?}");
    let untold: Vec<_> = accepted.iter().filter(|stream| !told.contains_key(*stream)).collect();
    assert!(untold.is_empty(), "answered 200 and never told: {untold:?}");
    let bodies = keeper.messages(0).await;
    let heard: BTreeSet<u64> = bodies.iter().filter_map(|body| body["delivery_id"].as_u64()).collect();
    let unheard: Vec<_> = sent_on_record(&data).difference(&heard).copied().collect();
    assert!(unheard.is_empty(), "sent by the record, and nobody heard of it: {unheard:?}");
    // A message may come twice only where a crash fell between the call and its mark; at most one call a round
    // and connection was in flight then.
    let mut calls: BTreeMap<u64, usize> = BTreeMap::new();
    for delivery in bodies.iter().filter_map(|body| body["delivery_id"].as_u64()) {
        *calls.entry(delivery).or_default() += 1;
    }
    let twice: BTreeMap<_, _> = calls.iter().filter(|(_, calls)| **calls > 1).collect();
    println!("{} accepted, {} kept, {} told, {} twice", accepted.len(), kept.len(), told.len(), twice.len());
    assert!(twice.len() as u64 <= rounds() * 4, "told twice: {twice:?}");
    let doubted = doubted(&folder.path().join("data/pushwatch.db"));
    assert!(doubted >= twice.len(), "{} came twice, only {doubted} are on record as possible duplicates", twice.len());
}

/// Rows whose message may have got through before it was sent again.
fn doubted(database: &Path) -> usize {
    let conn = rusqlite::Connection::open_with_flags(database, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let count: i64 =
        conn.query_row("SELECT count(*) FROM outbox WHERE possible_duplicate", [], |row| row.get(0)).unwrap();
    count.try_into().unwrap()
}
