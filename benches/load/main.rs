//! The whole binary under load, on one machine: throughput against a bare endpoint, callback to chat, memory, restart,
//! a full outbox, how often and how soon people are told, and how soon a command is followed.
//!
//! ```text
//! cargo bench --bench load -- throughput [SECONDS] [CONNECTIONS] [ROUNDS]
//! cargo bench --bench load -- latency [SECONDS]
//! cargo bench --bench load -- memory [STREAMS]
//! cargo bench --bench load -- restart [CALLBACKS]
//! cargo bench --bench load -- backlog [ROWS] [slack|slack_hook|telegram|wecom|webhook]
//! cargo bench --bench load -- telling [SECONDS] [SCENARIO]
//! cargo bench --bench load -- answering [SECONDS] [CALLBACKS A SECOND, 0 FOR ALL THAT GO]
//! ```

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that can not go on shall fail")]
#![expect(clippy::disallowed_methods, reason = "it measures from outside, with a clock of its own")]

mod answering;
mod backlog;
#[path = "../../tests/all/bot.rs"]
#[expect(dead_code, reason = "shared with the tests, which need more of it")]
mod bot;
#[path = "../chats/mod.rs"]
#[expect(dead_code, reason = "shared with the chaos bench, which needs more of it")]
mod chats;
mod telling;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bot::{Bot, Keeper, callback, client};
use poem::listener::TcpListener;
use poem::{Route, Server, handler, post};
use serde_json::Value;

/// The key that the load is signed with.
const KEY: &str = "loadkey";

/// Streams that the throughput's callbacks are spread over.
const STREAMS: &str = "10000";

/// How long the engine may take to catch up, and a restart to be ready.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let number = |place: usize, usual: u64| words.get(place).and_then(|word| word.parse().ok()).unwrap_or(usual);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        match words.first().map(String::as_str) {
            Some("bare") => bare(&words[1]).await,
            Some("throughput") => throughput(number(1, 60), number(2, 64), number(3, 3)).await,
            Some("latency") => latency(number(1, 30)).await,
            Some("memory") => memory(number(1, 100_000)).await,
            Some("restart") => restart(number(1, 1_000_000)).await,
            Some("backlog") => {
                backlog::measure(number(1, 100_000), words.get(2).map_or("telegram", String::as_str)).await
            }
            Some("telling") => telling::measure(number(1, 60), words.get(2).map(String::as_str)).await,
            Some("answering") => answering::measure(number(1, 30), number(2, 1_000)).await,
            _ => println!("say what to measure: throughput, latency, memory, restart, backlog, telling or answering"),
        }
    });
}

/// What a callback server can do at the very most here: reads the body, answers 200, keeps nothing.
async fn bare(address: &str) {
    #[handler]
    async fn take(body: poem::Body) -> &'static str {
        let _ = body.into_bytes().await;
        r#"{"code":0}"#
    }
    let app = Route::new().at("/callback", post(take));
    Server::new(TcpListener::bind(address.to_owned())).run(app).await.expect("serves");
}

async fn throughput(seconds: u64, connections: u64, rounds: u64) {
    let mut ratios = Vec::new();
    for round in 1..=rounds {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
        let mut other = Command::new(std::env::current_exe().expect("this program"))
            .args(["bare", &port.to_string()])
            .spawn()
            .expect("starts");
        while std::net::TcpStream::connect(port).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let plain = simulate(&format!("http://{port}/callback"), seconds, connections, &[]);
        kill(&mut other);

        let folder = folder(&shipped());
        let bot = Bot::start(folder.path()).await;
        let kept = simulate(&bot.callback_url(), seconds, connections, &[]);
        let ended = Instant::now();
        let metrics = caught_up(&bot, kept["accepted"].as_u64().unwrap_or_default()).await;
        let behind = ended.elapsed();
        let commits = sum(&metrics, "pushwatch_store_commits_total");
        let used = usage(bot.pid());
        bot.stop();
        let bytes = size_of(&folder.path().join("data")) as f64 / kept["accepted"].as_f64().unwrap_or(1.0);
        let ratio = rate(&kept) / rate(&plain);
        ratios.push(ratio);
        println!("round {round}: bare {plain}");
        println!("round {round}: kept {kept}");
        println!(
            "round {round}: ratio {ratio:.3}, engine caught up {behind:?} after the end, {:.0} commits/s, \
             {bytes:.0} bytes/callback on disk, {used}",
            commits / seconds as f64,
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio over {rounds} rounds at {connections} connections: {:.3}", ratios[ratios.len() / 2]);
}

async fn latency(seconds: u64) {
    let keeper = Keeper::start().await;
    let rules = format!(
        "version: 1\ntencent: {{ keys: [{KEY}] }}\n\
         channels: {{ hook: {{ type: webhook, url: \"http://{}/hook\" }} }}\n\
         defaults: {{ notify: [hook], rate_limit: none }}\n\
         rules:\n  - {{ name: gop, on: push_error, types: [gop_too_large], resolve_after: 1h }}\n",
        keeper.address()
    );
    let folder = folder(&rules);
    let bot = Bot::start(folder.path()).await;
    let (client, url) = (client(), bot.callback_url());
    let mut answered = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    for number in 0..seconds * 50 {
        tick.tick().await;
        let stream = format!("cam{number}");
        let answer = client.post(&url).body(callback(KEY, &stream)).send().await.expect("answers");
        assert_eq!(answer.status(), 200);
        answered.push((stream, Instant::now()));
    }
    let all: BTreeSet<String> = answered.iter().map(|(stream, _)| stream.clone()).collect();
    keeper.wait_for(&all, PATIENCE).await;
    let arrived = keeper.arrivals();
    let mut delays: Vec<Duration> =
        answered.iter().map(|(stream, at)| arrived[stream].saturating_duration_since(*at)).collect();
    delays.sort();
    let quantile = |q: f64| delays[((delays.len() - 1) as f64 * q) as usize];
    bot.stop();
    println!(
        "{} callbacks at 50/s, from the 200 to the webhook's request: p50 {:?}, p90 {:?}, p99 {:?}, max {:?}",
        delays.len(),
        quantile(0.5),
        quantile(0.9),
        quantile(0.99),
        quantile(1.0)
    );
}

async fn memory(streams: u64) {
    let folder = folder(&shipped());
    let bot = Bot::start(folder.path()).await;
    // The allocator, connections and the store's caches are warm before the growth is taken.
    let warm = simulate(&bot.callback_url(), 60, 16, &["--streams", "1", "--count", "20000"]);
    caught_up(&bot, warm["accepted"].as_u64().unwrap_or_default()).await;
    let before = resident(bot.pid());
    let count = streams.to_string();
    let sent = simulate(&bot.callback_url(), 600, 16, &["--streams", &count, "--count", &count, "--seed", "2"]);
    caught_up(&bot, 20_000 + sent["accepted"].as_u64().unwrap_or_default()).await;
    let after = resident(bot.pid());
    bot.stop();
    let each = after.saturating_sub(before) * 1024 / streams;
    println!("{streams} streams, one report each: resident {before} kB before, {after} kB after, {each} bytes/stream");
}

async fn restart(callbacks: u64) {
    // A window as long as the test: all of it is replayed.
    let rules = shipped().replace("within: 1m", "within: 12h");
    let folder = folder(&rules);
    let bot = Bot::start(folder.path()).await;
    let count = callbacks.to_string();
    let sent = simulate(&bot.callback_url(), 600, 64, &["--streams", STREAMS, "--count", &count]);
    caught_up(&bot, sent["accepted"].as_u64().unwrap_or_default()).await;
    bot.stop();
    let started = Instant::now();
    let bot = Bot::start(folder.path()).await;
    let open = started.elapsed();
    while bot.admin("/readyz").await.0 != 200 {
        assert!(started.elapsed() < PATIENCE, "not ready in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ready = started.elapsed();
    let used = usage(bot.pid());
    bot.stop();
    println!("{} callbacks in the window: door open after {open:?}, ready after {ready:?}, {used}", sent["accepted"]);
}

/// The shipped rules with the load's key; on the console, which goes nowhere.
fn shipped() -> String {
    include_str!("../../rules.yaml").replace("${TENCENT_CALLBACK_KEY:-}", KEY)
}

fn folder(rules: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rules.yaml"), rules).expect("writes");
    folder
}

/// Runs the load generator and returns what it says.
fn simulate(url: &str, seconds: u64, connections: u64, more: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pushwatch"));
    command.args(["simulate", "--url", url, "--key", KEY, "--output", "json", "--duration", &format!("{seconds}s")]);
    command.args(["--connections", &connections.to_string()]);
    if !more.contains(&"--streams") {
        command.args(["--streams", STREAMS]);
    }
    let output = command.args(more).stderr(Stdio::inherit()).output().expect("runs");
    serde_json::from_slice(&output.stdout).expect("prints JSON")
}

fn rate(result: &Value) -> f64 {
    result["accepted"].as_f64().unwrap_or_default() / result["seconds"].as_f64().unwrap_or(1.0)
}

/// Waits until one rule has judged as many reports as were accepted: each report has types that it listens to.
async fn caught_up(bot: &Bot, accepted: u64) -> String {
    let started = Instant::now();
    loop {
        let metrics = bot.metrics().await;
        let judged = sum(&metrics, "pushwatch_rule_outcomes_total{rule=\"video_stall\"");
        if judged as u64 >= accepted || started.elapsed() > PATIENCE {
            return metrics;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn sum(metrics: &str, prefix: &str) -> f64 {
    let lines = metrics.lines().filter(|line| line.starts_with(prefix));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

fn kill(child: &mut Child) {
    child.kill().expect("ends");
    child.wait().expect("has ended");
}

/// Bytes of all files in a folder.
fn size_of(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).expect("a folder");
    files.filter_map(|file| file.ok()?.metadata().ok()).map(|file| file.len()).sum()
}

/// Resident memory of a process, kB.
fn resident(pid: u32) -> u64 {
    status(pid, "VmRSS:")
}

/// A line of a process's memory, kB: `VmRSS:` what it holds now, `VmHWM:` the most it ever held.
fn status(pid: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("runs");
    let line = status.lines().find(|text| text.starts_with(line)).expect("has memory");
    line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number")
}

/// CPU seconds and memory of a process.
fn usage(pid: u32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("runs");
    let after: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |place: usize| after.get(place).and_then(|word| word.parse::<f64>().ok()).unwrap_or_default() / 100.0;
    format!("server CPU {:.1} s user + {:.1} s system, {} MB resident", ticks(11), ticks(12), resident(pid) / 1000)
}
