//! `simulate`: a signed, lifelike source of callbacks for any server of yours, and the load to measure it with.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum as _};
use secrecy::SecretString;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::args::{Output, duration};
use super::exit::{Exit, say};
use crate::clock::Clock;

pub(crate) mod callback;
pub(crate) mod record;
pub(crate) mod scenario;
pub(crate) mod sender;
pub(crate) mod signer;
pub(crate) mod stories;
pub(crate) mod tally;
pub(crate) mod wire;

use record::Record;
use scenario::Scenario;
use sender::{Pace, Run, RunError};
use tally::Tally;
use wire::{Reach, Target};

const EXAMPLES: &str = "Examples:
  Three encoders with bad clocks, for a minute, in their own time:
    pushwatch simulate --url http://127.0.0.1:8080/callback --key KEY --scenario bad-encoder
  As much as the server can take, over 10,000 streams:
    pushwatch simulate --url http://127.0.0.1:8080/callback --key KEY --streams 10000 --connections 64
  What can be played:
    pushwatch simulate --list

Exit status: 0 all accepted, 1 something was refused, 2 usage, 3 the server can't be reached.";

/// Post signed, lifelike callbacks to a server, or put a load on it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SimulateArgs {
    /// Where to: the callback address of a server of yours
    #[arg(long, env = "PUSHWATCH_URL", hide_env_values = true, required_unless_present = "list")]
    url: Option<String>,
    /// The callback key to sign with; without one, callbacks go unsigned
    #[arg(long, env = "PUSHWATCH_KEY", hide_env_values = true)]
    key: Option<SecretString>,
    /// What to play
    #[arg(long, env = "PUSHWATCH_SCENARIO", value_enum, default_value = "steady")]
    scenario: Scenario,
    /// How many streams [default: as the scenario likes, 1000 for steady]
    #[arg(long, env = "PUSHWATCH_STREAMS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    streams: Option<u32>,
    /// Callbacks a second [default: steady as fast as the server answers, the others in their own time]
    #[arg(long, env = "PUSHWATCH_RATE", value_parser = rate)]
    rate: Option<f64>,
    /// For how long
    #[arg(long, env = "PUSHWATCH_DURATION", default_value = "60s", value_parser = duration)]
    duration: Duration,
    /// How many callbacks at most
    #[arg(long, env = "PUSHWATCH_COUNT")]
    count: Option<u64>,
    /// The same seed plays the same story
    #[arg(long, env = "PUSHWATCH_SEED", default_value_t = 1)]
    seed: u64,
    /// Connections kept open
    #[arg(long, env = "PUSHWATCH_CONNECTIONS", default_value_t = 8, value_parser = connections)]
    connections: usize,
    /// Write what was sent to this file, one JSON object a line, and behind it the truth about each incident
    #[arg(long, env = "PUSHWATCH_OUT", value_name = "FILE.jsonl")]
    out: Option<PathBuf>,
    /// The server is on another machine, and mine
    #[arg(long, env = "PUSHWATCH_ALLOW_REMOTE")]
    allow_remote: bool,
    /// Say what can be played, and play nothing
    #[arg(long, env = "PUSHWATCH_LIST")]
    list: bool,
    /// How to print the result
    #[arg(long, env = "PUSHWATCH_OUTPUT", value_enum, default_value = "text")]
    output: Output,
}

/// Plays and reports.
pub(crate) fn run(args: SimulateArgs) -> Exit {
    if args.list {
        return list();
    }
    // One thread: it leaves the other cores to the server, and a connection's turn needs no waking across threads.
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(play(args)),
        Err(error) => Exit::wrong(format_args!("can't start: {error}")),
    }
}

async fn play(args: SimulateArgs) -> Exit {
    let reach = if args.allow_remote { Reach::Anywhere } else { Reach::ThisMachine };
    let url = args.url.as_deref().unwrap_or_default();
    let target = match Target::find(url, reach).await {
        Ok(target) => target,
        Err(error @ wire::BadTarget::Unknown(_)) => return Exit::unreachable(error),
        Err(error) => return Exit::usage(error),
    };
    let record = match args.out.as_deref().map(Record::create).transpose() {
        Ok(record) => record,
        Err(error) => return Exit::usage(format_args!("can't write to the file of --out: {error}")),
    };
    let host = target.host().to_owned();
    let streams = args.streams.unwrap_or_else(|| args.scenario.usual_streams());
    let run = Run {
        target,
        cast: args.scenario.cast(),
        plan: scenario::plan(args.scenario, args.seed, streams, args.duration),
        pace: match (args.rate, args.scenario) {
            (Some(rate), _) => Pace::Rate(rate),
            (None, Scenario::Steady) => Pace::Unbounded,
            (None, _) => Pace::Own,
        },
        duration: args.duration,
        count: args.count.unwrap_or(u64::MAX),
        connections: args.connections,
        key: args.key.clone(),
        record,
        stop: CancellationToken::new(),
    };
    let stop = run.stop.clone();
    let (clock, tally) = (Arc::new(Clock::start()), Arc::new(Tally::default()));
    let interrupted = async {
        // Without a handler for the signal the run just can't be ended early.
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
        std::future::pending().await
    };
    let outcome = tokio::select! {
        outcome = sender::send(run, clock, Arc::clone(&tally)) => outcome,
        () = show_progress(&tally) => Ok(()),
        () = interrupted => Ok(()),
    };
    report(&args, &host, streams, &tally, outcome)
}

/// A line a second where somebody looks on; never ends.
async fn show_progress(tally: &Tally) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.tick().await;
    let mut before = 0;
    loop {
        second.tick().await;
        if std::io::stderr().is_terminal() {
            let counts = tally.lock().clone();
            let answered = counts.accepted + counts.refusals();
            let line = format!(
                "\r\x1b[Ksent {}   accepted {}   refused {}   failed {}   {} a second ",
                counts.sent,
                counts.accepted,
                counts.refusals(),
                counts.failed,
                answered - before
            );
            before = answered;
            // A terminal that is gone is no reason to stop.
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
}

fn report(args: &SimulateArgs, host: &str, streams: u32, tally: &Tally, outcome: Result<(), RunError>) -> Exit {
    let counts = tally.lock().clone();
    if std::io::stderr().is_terminal() {
        let _ = std::io::stderr().write_all(b"\r\x1b[K");
    }
    let name = name(args.scenario);
    let said = match args.output {
        _ if counts.sent == 0 => Ok(()),
        Output::Text => {
            say(&format!("scenario  {name} to {host} (streams: {streams}, seed: {})\n{}", args.seed, counts.text()))
        }
        Output::Json => {
            let mut result = counts.json();
            result["scenario"] = json!(name);
            result["seed"] = json!(args.seed);
            result["streams"] = json!(streams);
            say(&format!("{result}\n"))
        }
    };
    match outcome {
        _ if said.is_err() => Exit::Wrong,
        Err(error @ RunError::Record(_)) => Exit::wrong(error),
        Err(RunError::Unreachable(error)) => Exit::unreachable(format_args!("{host}: {error}")),
        Ok(()) if counts.refusals() > 0 => Exit::Wrong,
        Ok(()) if counts.failed > 0 => Exit::unreachable(format_args!("{host}: {} got no answer", counts.failed)),
        Ok(()) => Exit::Fine,
    }
}

fn list() -> Exit {
    let mut text = String::new();
    for scenario in Scenario::value_variants() {
        let value = scenario.to_possible_value();
        let about = value.as_ref().and_then(|value| value.get_help()).map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!("{:<13} {about}\n", name(*scenario)));
    }
    match say(&text) {
        Ok(()) => Exit::Fine,
        Err(_) => Exit::Wrong,
    }
}

fn name(scenario: Scenario) -> String {
    scenario.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 1e7 => Ok(rate),
        _ => Err("a rate is a number above 0, callbacks a second".to_owned()),
    }
}

fn connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(connections @ 1..=10_000) => Ok(connections),
        _ => Err("connections are a number from 1 to 10000".to_owned()),
    }
}

#[cfg(test)]
mod tests;
