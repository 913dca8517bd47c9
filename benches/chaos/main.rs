//! The real binary in a storm, before chats that misbehave, killed three times: is every incident's last state told on
//! every channel, within every limit, never earlier than asked, and twice only where that is on record?
//!
//! ```text
//! cargo bench --bench chaos [STREAMS] [SEED] [SECONDS]
//! ```
//!
//! 10,000 streams break within a second and get well by and by; some grow worse. For 65 s all chats behave. Then come
//! ten scripted minutes (`script.rs`), each of SECONDS (60; 10 makes a run of five minutes in all): one chat refuses
//! connections, one says 429 for minutes, one drops connections after it took the message, one is dead for all ten
//! of them; a group becomes a supergroup, people delete messages; the process is killed with -9 three times. Then all
//! behave again. The last lines say what holds; the exit status is 1 if something does not.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that can not go on shall fail")]
#![expect(clippy::disallowed_methods, reason = "it measures from outside, with a clock of its own")]

#[path = "../../tests/all/bot.rs"]
#[expect(dead_code, reason = "shared with the tests, which need more of it")]
mod bot;
#[path = "../chats/mod.rs"]
#[expect(dead_code, reason = "shared with the load bench, which needs more of it")]
mod chats;
mod script;
mod verdict;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bot::{Bot, callback, client};
use chats::{Fake, Kind};
use script::Event;
use verdict::Run;

/// The key that callbacks are signed with.
const KEY: &str = "chaoskey";

/// How long a stream is quiet before it is well.
const RESOLVE_AFTER: Duration = Duration::from_secs(20);

/// How long all may take to be told once everything behaves again.
const PATIENCE: Duration = Duration::from_secs(300);

/// Names that would do something in a chat, if they got there as they are; a number like the storm's is put behind.
const HOSTILE: [&str; 8] = [
    "<!channel> all",
    "<@U0123> you",
    "<b>bold",
    "a & b < c",
    "`code` *bold* _it_",
    "@all @everyone",
    "<font color=\"warning\">w</font>",
    "{{sign}} \u{202e}live",
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let number = |place: usize, usual: u64| words.get(place).and_then(|word| word.parse().ok()).unwrap_or(usual);
    let (streams, seed, minute) = (number(0, 10_000), number(1, 1), Duration::from_secs(number(2, 60)));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if !runtime.block_on(run(streams, seed, minute)) {
        std::process::exit(1);
    }
}

async fn run(streams: u64, seed: u64, minute: Duration) -> bool {
    let mut fakes = Vec::new();
    for kind in Kind::ALL {
        fakes.push(Fake::start(kind).await);
    }
    let fakes = Arc::new(fakes);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rules.yaml"), rules(&fakes)).expect("writes");
    // Its port outlives it.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").to_string();
    let mut bot = Bot::start_at(folder.path(), &port).await;

    let start = Instant::now();
    let storm = script::storm(minute);
    let mut simulation = simulate(&bot.callback_url(), streams, seed, storm);
    tokio::spawn(play(Arc::clone(&fakes), minute, start));
    tokio::spawn(push_hostile(bot.callback_url(), start + storm.mul_f64(0.75)));
    let mut most_kb = 0;
    for (number, at) in script::kills(minute, seed).into_iter().enumerate() {
        tokio::time::sleep_until((start + at).into()).await;
        most_kb = most_kb.max(peak(bot.pid()));
        bot.kill();
        let log = folder.path().join("log");
        std::fs::rename(&log, log.with_extension(number.to_string())).expect("a log");
        bot = Bot::start_at(folder.path(), &port).await;
        println!("{:6.1} s: killed, and back", start.elapsed().as_secs_f64());
    }
    let calm = start + script::CALM + minute.mul_f64(script::MINUTES).max(storm - script::CALM);
    tokio::time::sleep_until((calm + RESOLVE_AFTER).into()).await;
    println!("{:6.1} s: all chats behave, all streams are well", start.elapsed().as_secs_f64());
    let told_after = settle(&bot).await;
    most_kb = most_kb.max(peak(bot.pid()));
    let sent = simulation.wait().expect("the simulation ends");
    bot.stop();
    let run = Run { folder: folder.path(), start, total: streams + HOSTILE.len() as u64, told_after, most_kb };
    println!("{:6.1} s: the simulation ended with {sent}", start.elapsed().as_secs_f64());
    let good = run.judge(&fakes);
    if !good {
        println!("the data folder and the logs are kept in {}", folder.keep().display());
    }
    good
}

fn rules(fakes: &[Fake]) -> String {
    let fallback = |kind: Kind| match kind {
        Kind::SlackBot | Kind::Telegram => "",
        Kind::SlackHook | Kind::Wecom | Kind::WecomApp => ", fallback: telegram",
        Kind::Webhook => ", fallback: slack",
    };
    let channel =
        |fake: &Fake| format!("  {}: {}{} }}\n", fake.kind.name(), fake.kind.rule(fake.address), fallback(fake.kind));
    let channels: String = fakes.iter().map(channel).collect();
    let names: Vec<&str> = fakes.iter().map(|fake| fake.kind.name()).collect();
    format!(
        "version: 1\ntencent: {{ keys: [{KEY}] }}\nchannels:\n{channels}\
         defaults: {{ notify: [{}], rate_limit: none, resolve_after: {}s }}\n\
         rules:\n\
         \x20 - {{ name: undecodable, on: push_error, types: [video_header_missing], severity: critical }}\n\
         \x20 - {{ name: gop, on: push_error, types: [gop_too_large], severity: warning }}\n\
         \x20 - name: stall\n    on: push_error\n    types: [video_frames_late, audio_frames_late]\n\
         \x20   threshold: {{ within: 1m }}\n    severity: {{ warning: 1, critical: 100 }}\n",
        names.join(", "),
        RESOLVE_AFTER.as_secs()
    )
}

/// The storm, in its own time.
fn simulate(url: &str, streams: u64, seed: u64, storm: Duration) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pushwatch"));
    command.args(["simulate", "--url", url, "--key", KEY, "--scenario", "storm", "--connections", "32"]);
    command.args(["--streams", &streams.to_string(), "--seed", &seed.to_string()]);
    command.args(["--duration", &format!("{}s", storm.as_secs())]);
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit()).spawn().expect("simulates")
}

async fn play(fakes: Arc<Vec<Fake>>, minute: Duration, start: Instant) {
    for (at, kind, event) in script::script(minute) {
        tokio::time::sleep_until((start + at).into()).await;
        let fake = fakes.iter().find(|fake| fake.kind == kind).expect("every kind is there");
        match event {
            Event::Be(mode) => fake.be(mode),
            Event::DeleteAll => fake.delete_all(),
            Event::Migrate => fake.migrate(),
            Event::Expire => fake.expire(),
        }
        println!("{:6.1} s: {} {event:?}", start.elapsed().as_secs_f64(), kind.name());
    }
}

/// Streams of hostile names are broken from the start until `end`; what a restart loses comes again.
async fn push_hostile(url: String, end: Instant) {
    let client = client();
    let mut every = tokio::time::interval(Duration::from_secs(5));
    while Instant::now() < end {
        every.tick().await;
        for (number, name) in HOSTILE.iter().enumerate() {
            let name = format!("{name} storm-90000{number}");
            let _ = client.post(&url).body(callback(KEY, &name)).send().await;
        }
    }
}

/// Waits until nothing fires and nothing is owed, or patience ends; says how long that took.
async fn settle(bot: &Bot) -> Option<Duration> {
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        let metrics = bot.metrics().await;
        let owed = sum(&metrics, "pushwatch_outbox_rows", &["pending", "sending"]);
        let firing = sum(&metrics, "pushwatch_incidents", &["firing"]);
        if owed == 0.0 && firing == 0.0 {
            return Some(since.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    None
}

fn sum(metrics: &str, name: &str, states: &[&str]) -> f64 {
    let of =
        |line: &&str| line.starts_with(name) && states.iter().any(|state| line.contains(&format!("state=\"{state}\"")));
    metrics.lines().filter(of).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Most memory that a process ever held, kB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}
