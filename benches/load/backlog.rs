//! An outbox that is full because its chat was away: start-up, memory, and how long it takes to tell it all.

use std::time::{Duration, Instant};

use crate::bot::Bot;
use crate::chats::ledger::Ledger;
use crate::chats::{Act, Fake, Kind, Mode};
use crate::{KEY, folder, simulate, status};

/// Longest wait for the rows to be told.
const PATIENCE: Duration = Duration::from_secs(600);

/// Longest start, and most memory, kB, that are fine.
const START_WITHIN: Duration = Duration::from_secs(3);
const MOST_KB: u64 = 200 * 1024;

/// A chat refuses all connections while `rows` streams break; the process is killed, the chat comes back, it starts.
pub(crate) async fn measure(rows: u64, channel: &str) {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == channel).expect("a channel of the list");
    let fake = Fake::start(kind).await;
    fake.be(Mode::Refusing);
    let rules = format!(
        "version: 1\ntencent: {{ keys: [{KEY}] }}\nchannels: {{ {channel}: {} }} }}\n\
         defaults: {{ notify: [{channel}], rate_limit: none }}\n\
         rules:\n  - {{ name: stall, on: push_error, types: [video_frames_late], resolve_after: 2h }}\n",
        kind.rule(fake.address)
    );
    let folder = folder(&rules);
    let bot = Bot::start(folder.path()).await;
    let count = rows.to_string();
    let sent = simulate(&bot.callback_url(), 600, 32, &["--streams", &count, "--count", &count]);
    assert_eq!(sent["accepted"].as_u64(), Some(rows), "{sent}");
    let ledger = Ledger::of(folder.path());
    let since = Instant::now();
    while ledger.rows().values().flat_map(|outcomes| outcomes.values()).sum::<u64>() < rows {
        assert!(since.elapsed() < PATIENCE, "the engine does not catch up");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let building_kb = status(bot.pid(), "VmHWM:");
    bot.kill();
    println!("built, most memory {} MB: {:?}", building_kb / 1024, ledger.rows());

    fake.be(Mode::Well);
    let started = Instant::now();
    let bot = Bot::start(folder.path()).await;
    let open = started.elapsed();
    while bot.admin("/readyz").await.0 != 200 {
        assert!(started.elapsed() < PATIENCE, "not ready in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ready = started.elapsed();
    let ready_kb = status(bot.pid(), "VmRSS:");
    while ledger.pending() > 0 && started.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let told = started.elapsed();
    let most_kb = status(bot.pid(), "VmHWM:");
    bot.stop();
    let chat = fake.chat();
    let first = chat.calls.first().map(|call| call.at.saturating_duration_since(started));
    let of = |sort: fn(&Act) -> bool| chat.calls.iter().filter(|call| sort(&call.act)).count();
    println!(
        "{channel}: door open after {open:.2?}, ready after {ready:.2?}, first message after {first:.2?}, {} rows left \
         after {told:.1?}",
        ledger.pending()
    );
    println!(
        "resident {} MB when ready, {} MB at most; {} posts, {} edits; rows by outcome {:?}",
        ready_kb / 1024,
        most_kb / 1024,
        of(|act| *act != Act::Edit),
        of(|act| *act == Act::Edit),
        ledger.rows()
    );
    assert!(chat.faults.is_empty(), "the chat found fault: {:#?}", chat.faults);
    assert!(ready <= START_WITHIN, "ready after {ready:?}, not within {START_WITHIN:?}");
    assert!(most_kb <= MOST_KB && building_kb <= MOST_KB, "more than {} MB resident", MOST_KB / 1024);
    assert_eq!(ledger.pending(), 0, "rows are left after {told:?}");
}
