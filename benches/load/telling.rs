//! How often and how soon people are told, over all scenarios of `simulate`, with the shipped rules.
//!
//! Who was in trouble is the simulation's own truth. When a rule became true is on record: the time at which the
//! callback was taken that made it so. What people read is what the chats were sent: a message about the stream, one
//! about its whole domain, or a digest that it is part of. The time runs from the callback to the message.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::bot::Bot;
use crate::chats::ledger::{Ledger, Opened};
use crate::chats::reading::{Subject, streams, subject};
use crate::chats::{Act, Call, Fake, Kind};
use crate::{KEY, folder, shipped};

/// All streams break at once in these: other promises hold for them.
const STORMS: [&str; 3] = ["steady", "site-down", "storm"];

/// Streams of the storm here; the chaos bench has more.
const STORM_STREAMS: &str = "2000";

/// The rules take 90 s to call a stream well.
const RESOLVES: Duration = Duration::from_secs(95);

/// Longest wait for what is owed after that.
const PATIENCE: Duration = Duration::from_secs(60);

/// Messages that notify, per stream in trouble, where the chat can edit.
const MOST_POSTS: f64 = 1.5;

/// Of all first mentions so many come within so long.
const SHARE: f64 = 0.95;
const SOON: Duration = Duration::from_secs(2);

/// What one channel was told in one scenario.
struct Told {
    scenario: String,
    kind: Kind,
    /// Streams that were in trouble.
    troubled: usize,
    /// Of these, those that a rule was true for.
    ruled: usize,
    posts: usize,
    quiet: usize,
    edits: usize,
    /// From the callback to the first mention, ms, sorted.
    delays: Vec<i64>,
    /// Streams that a rule was true for and that were never mentioned.
    untold: Vec<String>,
}

/// Plays each scenario (or `only` one) for so many seconds: the quiet ones side by side, the storms one by one.
pub(crate) async fn measure(seconds: u64, only: Option<&str>) {
    let listed = Command::new(env!("CARGO_BIN_EXE_pushwatch")).args(["simulate", "--list"]).output().expect("lists");
    let listed = String::from_utf8(listed.stdout).expect("text");
    let names = listed.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned);
    let names: Vec<String> = names.filter(|name| only.is_none_or(|only| only == name)).collect();
    let (storms, quiet): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| STORMS.contains(&name.as_str()));
    println!(
        "{:<13} {:<11} {:>8} {:>7} {:>6} {:>6} {:>6} {:>11} {:>8} {:>8} {:>8} {:>7}",
        "scenario",
        "channel",
        "troubled",
        "ruled",
        "posts",
        "quiet",
        "edits",
        "posts each",
        "p50 ms",
        "p95 ms",
        "max ms",
        "untold"
    );
    let mut told = Vec::new();
    let side_by_side: Vec<_> = quiet.into_iter().map(|name| tokio::spawn(play(name, seconds))).collect();
    for played in side_by_side {
        told.extend(show(played.await.expect("plays")));
    }
    for name in storms {
        told.extend(show(play(name, seconds).await));
    }
    judge(&told);
}

async fn play(scenario: String, seconds: u64) -> Vec<Told> {
    let mut fakes = Vec::new();
    for kind in Kind::ALL {
        fakes.push(Fake::start(kind).await);
    }
    let (wall, start) = (SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970"), Instant::now());
    let wall = i64::try_from(wall.as_millis()).expect("a time");
    let folder = folder(&rules(&fakes));
    let bot = Bot::start(folder.path()).await;
    let out = folder.path().join("sent.jsonl");
    let (url, name, file) = (bot.callback_url(), scenario.clone(), out.clone());
    let simulation = tokio::task::spawn_blocking(move || simulate(&url, &name, seconds, &file));
    simulation.await.expect("simulates");
    tokio::time::sleep(RESOLVES).await;
    let ledger = Ledger::of(folder.path());
    let since = Instant::now();
    while ledger.pending() > 0 && since.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bot.stop();
    let (troubled, opened) = (troubled(&out), ledger.opened());
    let at =
        |call: &Call| wall + i64::try_from(call.at.saturating_duration_since(start).as_millis()).unwrap_or(i64::MAX);
    let told = fakes.iter().map(|fake| tell(&scenario, fake, (&troubled, &opened), &ledger, at));
    told.collect()
}

/// The shipped rules, telling all the chats.
fn rules(fakes: &[Fake]) -> String {
    let channels: String =
        fakes.iter().map(|fake| format!("  {}: {} }}\n", fake.kind.name(), fake.kind.rule(fake.address))).collect();
    let names: Vec<&str> = fakes.iter().map(|fake| fake.kind.name()).collect();
    let rules = shipped().replace("  console: { type: console }\n", &channels);
    rules.replace("  notify: [console]\n", &format!("  notify: [{}]\n", names.join(", ")))
}

fn simulate(url: &str, scenario: &str, seconds: u64, out: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pushwatch"));
    command.args(["simulate", "--url", url, "--key", KEY, "--scenario", scenario, "--output", "json"]);
    command.args(["--duration", &format!("{seconds}s"), "--out"]).arg(out);
    match scenario {
        // As a load it would be measured elsewhere.
        "steady" => _ = command.args(["--streams", "200", "--rate", "40"]),
        "storm" => _ = command.args(["--streams", STORM_STREAMS, "--connections", "32"]),
        _ => {}
    }
    let output = command.output().expect("runs");
    assert!(output.status.success(), "{scenario}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The streams that were in trouble, by their full names.
fn troubled(out: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(out).expect("what was sent");
    let truths = text.lines().filter(|line| line.starts_with("{\"truth\"")).map(|line| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["truth"].clone()
    });
    let bad = truths.filter(|truth| truth["clean"] != true);
    bad.filter_map(|truth| truth["stream"].as_str().map(str::to_owned)).collect()
}

fn tell(
    scenario: &str,
    fake: &Fake,
    (troubled, opened): (&BTreeSet<String>, &[Opened]),
    ledger: &Ledger,
    at: impl Fn(&Call) -> i64,
) -> Told {
    let (chat, folded) = (fake.chat(), ledger.folded(fake.kind.name()));
    let mentions = mentions(&chat.calls, troubled, &at);
    let (mut delays, mut untold, mut ruled) = (Vec::new(), Vec::new(), 0);
    for stream in troubled {
        let (domain, short) =
            (stream.split('/').next().unwrap_or_default(), stream.rsplit('/').next().unwrap_or_default());
        let concerns = |one: &&Opened| one.stream == *stream || one.stream == domain;
        let Some(since) = opened.iter().filter(concerns).map(|one| one.at).min() else { continue };
        ruled += 1;
        let own = [short, domain].into_iter().filter_map(|name| mentions.named.get(name)).flatten();
        let joined = folded.get(stream).or_else(|| folded.get(domain));
        let digest = joined.and_then(|joined| mentions.digests.iter().find(|told| *told >= joined));
        match own.chain(digest).copied().filter(|told| *told >= since).min() {
            Some(told) => delays.push(told - since),
            None => untold.push(stream.clone()),
        }
    }
    delays.sort_unstable();
    let of = |sort: fn(&Act) -> bool| chat.calls.iter().filter(|call| sort(&call.act)).count();
    for (sort, (times, first)) in &chat.faults {
        println!("{scenario} {}: {sort}, {times} times: {first:#?}", fake.kind.name());
    }
    Told {
        scenario: scenario.to_owned(),
        kind: fake.kind,
        troubled: troubled.len(),
        ruled,
        posts: of(|act| matches!(act, Act::Post | Act::Note { loud: true })),
        quiet: of(|act| *act == Act::Note { loud: false }),
        edits: of(|act| *act == Act::Edit),
        delays,
        untold,
    }
}

/// When whom was mentioned, ms since 1970.
#[derive(Default)]
struct Mentions {
    /// By the stream's id, or the domain.
    named: BTreeMap<String, Vec<i64>>,
    /// Every call of a digest, in order.
    digests: Vec<i64>,
}

fn mentions(calls: &[Call], troubled: &BTreeSet<String>, at: &impl Fn(&Call) -> i64) -> Mentions {
    let domains: BTreeSet<&str> = troubled.iter().filter_map(|stream| stream.split('/').next()).collect();
    let ids = troubled.iter().filter_map(|stream| stream.rsplit('/').next());
    let (plain, numbered): (BTreeSet<&str>, BTreeSet<&str>) =
        ids.map(|id| id.trim_end_matches(|c: char| c.is_ascii_digit())).partition(|prefix| !prefix.ends_with('-'));
    let mut mentions = Mentions::default();
    for call in calls {
        let mut note = |name: String| mentions.named.entry(name).or_default().push(at(call));
        let named = numbered.iter().flat_map(|prefix| streams(&call.text, prefix));
        named.for_each(&mut note);
        plain.iter().filter(|id| call.text.contains(**id)).for_each(|id| note((*id).to_owned()));
        let first = call.text.lines().next().unwrap_or_default();
        let about = |prefix: &&str| subject(&call.text, prefix);
        match numbered.iter().map(about).find(|about| *about != Subject::Other) {
            Some(Subject::Many(_)) => mentions.digests.push(at(call)),
            Some(Subject::Stream(_) | Subject::Other) => {}
            None => domains.iter().filter(|domain| first.contains(**domain)).for_each(|name| note((*name).to_owned())),
        }
    }
    mentions
}

fn show(told: Vec<Told>) -> Vec<Told> {
    for one in &told {
        let each = one.posts as f64 / one.troubled.max(1) as f64;
        println!(
            "{:<13} {:<11} {:>8} {:>7} {:>6} {:>6} {:>6} {each:>11.2} {:>8} {:>8} {:>8} {:>7}",
            one.scenario,
            one.kind.name(),
            one.troubled,
            one.ruled,
            one.posts,
            one.quiet,
            one.edits,
            quantile(&one.delays, 0.5),
            quantile(&one.delays, 0.95),
            quantile(&one.delays, 1.0),
            one.untold.len(),
        );
    }
    told
}

fn quantile(sorted: &[i64], share: f64) -> String {
    sorted.get(((sorted.len().max(1) - 1) as f64 * share).ceil() as usize).map_or("-".to_owned(), i64::to_string)
}

fn judge(told: &[Told]) {
    let mut broken = Vec::new();
    let calm: Vec<&Told> = told.iter().filter(|one| !STORMS.contains(&one.scenario.as_str())).collect();
    for kind in Kind::ALL.into_iter().filter(|kind| kind.edits()) {
        let of = |count: fn(&Told) -> usize| -> usize {
            calm.iter().filter(|one| one.kind == kind).map(|one| count(one)).sum()
        };
        let (posts, troubled) = (of(|one| one.posts), of(|one| one.troubled));
        let each = posts as f64 / troubled.max(1) as f64;
        println!(
            "outside the storms {}: {posts} posts about {troubled} streams in trouble, {each:.2} each",
            kind.name()
        );
        if each > MOST_POSTS {
            broken.push(format!("{}: {each:.2} posts per stream in trouble, not {MOST_POSTS}", kind.name()));
        }
    }
    for one in told.iter().filter(|one| !one.untold.is_empty()) {
        let (many, first) = (one.untold.len(), one.untold.first());
        broken.push(format!("{} on {}: {many} streams never mentioned, as {first:?}", one.scenario, one.kind.name()));
    }
    for one in told.iter().filter(|one| one.troubled == 0 && one.posts > 0) {
        broken.push(format!("{} on {}: {} posts about nothing", one.scenario, one.kind.name(), one.posts));
    }
    let delays: Vec<i64> = calm.iter().flat_map(|one| one.delays.iter().copied()).collect();
    let soon = delays.iter().filter(|delay| **delay <= SOON.as_millis() as i64).count();
    let share = soon as f64 / delays.len().max(1) as f64;
    println!("outside the storms {soon} of {} first mentions within {SOON:?}: {:.1} %", delays.len(), share * 100.0);
    if share < SHARE {
        broken.push(format!("only {:.1} % of first mentions within {SOON:?}", share * 100.0));
    }
    match broken.is_empty() {
        true => println!("HOLDS: at most {MOST_POSTS} posts per stream in trouble where the chat edits, told in time"),
        false => {
            println!("DOES NOT HOLD:\n- {}", broken.join("\n- "));
            std::process::exit(1);
        }
    }
}
