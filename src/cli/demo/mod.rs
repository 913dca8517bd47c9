//! `demo`: the whole bot on built-in settings in a temporary folder, and a show of broken streams played against it.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::args::duration;
use super::exit::{Exit, say};
use super::serve::stop_signal;
use crate::app::{self, App, HangUp, Settings, Templates};
use crate::config;
use crate::metrics::Metrics;

mod rules;
mod show;

const EXAMPLES: &str = "Examples:
  pushwatch demo
  pushwatch demo --for 5m
  SLACK_WEBHOOK_URL=https://hooks.slack.com/services/… pushwatch demo --send

With --send, messages also go to each chat whose secrets are set:
  Slack     SLACK_BOT_TOKEN and SLACK_CHANNEL, or SLACK_WEBHOOK_URL
  WeCom     WECOM_ROBOT_KEY
  Telegram  TELEGRAM_TOKEN and TELEGRAM_CHAT_ID";

/// Show the whole bot at work, with no configuration at all
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DemoArgs {
    /// How long the show lasts
    #[arg(long = "for", env = "PUSHWATCH_FOR", value_name = "DURATION", default_value = "60s", value_parser = duration)]
    length: Duration,
    /// Also send to the chats whose secrets are set in the environment
    #[arg(long, env = "PUSHWATCH_SEND")]
    send: bool,
}

/// Plays the show and sums it up.
pub(super) fn run(args: DemoArgs) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Exit::wrong(format_args!("can't start: {error}")),
    };
    // Gone with everything in it when this function ends.
    let folder = match tempfile::Builder::new().prefix("pushwatch-demo-").tempdir() {
        Ok(folder) => folder,
        Err(error) => return Exit::wrong(format_args!("can't make a temporary folder: {error}")),
    };
    let chats = if args.send { rules::chats(&config::variable) } else { Vec::new() };
    if args.send && chats.is_empty() {
        return Exit::usage("--send, but no chat's secrets are set in the environment: see pushwatch demo --help");
    }
    runtime.block_on(play(&args, folder.path(), &chats))
}

async fn play(args: &DemoArgs, folder: &Path, chats: &[rules::Chat]) -> Exit {
    let key = show::made_up_key();
    let rules_file = folder.join("rules.yaml");
    if let Err(error) = fs::write(&rules_file, rules::text(&key, chats)) {
        return Exit::wrong(format_args!("can't write to the temporary folder: {error}"));
    }
    let stop = match stop_signal() {
        Ok(stop) => stop,
        Err(error) => return Exit::wrong(format_args!("can't listen for signals: {error}")),
    };
    let app = match app::start(settings(folder, rules_file.clone())).await {
        Ok(app) => app,
        Err(error) => return Exit::wrong(error),
    };
    let App { listen, admin, .. } = app;
    let metrics = Arc::clone(&app.metrics);
    if say(&opening(args, listen, admin, chats)).is_err() {
        return Exit::Fine;
    }
    let over = CancellationToken::new();
    let stage = tokio::spawn(show::play(show::Stage { listen, key, length: args.length, over: over.clone() }));
    let outcome = app
        .run_until(async {
            tokio::select! {
                () = stop => {}
                () = tokio::time::sleep(args.length) => {}
            }
            over.cancel();
        })
        .await;
    let sent = stage.await.unwrap_or_default();
    // Nobody may be reading any more, and then nothing is lost.
    let _ = say(&closing(sent, &metrics));
    match outcome {
        Ok(()) if sent.sent > 0 && sent.accepted == sent.sent => Exit::Fine,
        Ok(()) => Exit::wrong("not every callback was accepted"),
        Err(error) => Exit::wrong(error),
    }
}

fn settings(folder: &Path, rules_file: std::path::PathBuf) -> Settings {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Settings {
        rules_file,
        templates: Templates::BuiltIn,
        hang_up: HangUp::Ends,
        data_dir: folder.join("data"),
        listen: any_port,
        admin_listen: any_port,
        admin_token: None,
        retention: Duration::from_secs(3600),
        max_bytes: 256 << 20,
    }
}

fn opening(args: &DemoArgs, listen: SocketAddr, admin: SocketAddr, chats: &[rules::Chat]) -> String {
    let (bold, dim, plain) = dress();
    let also: Vec<&str> = chats.iter().map(|chat| chat.name).collect();
    let also = if also.is_empty() { String::new() } else { format!(", and sends them to {} too", also.join(", ")) };
    format!(
        "{bold}pushwatch demo{plain}: for {} s a made-up cloud posts signed callbacks about broken streams, and the bot\n\
         prints each chat message here as it would look{also}.\n\n\
         {dim}  callbacks  http://{listen}/callback\n  \
         operators  http://{admin}/readyz   http://{admin}/metrics\n  \
         reports come every 5 s; a trouble is over after 8 s of quiet (90 s in earnest){plain}\n",
        args.length.as_secs(),
    )
}

fn closing(sent: show::Sent, metrics: &Metrics) -> String {
    let (bold, dim, plain) = dress();
    format!(
        "\n{bold}The show is over.{plain} {} callbacks sent, {} accepted; {} troubles seen, told in {} messages.\n\
         {dim}Next: copy rules.yaml, put your chat's secrets into the environment, and\n  \
         pushwatch check rules.yaml && pushwatch serve{plain}\n",
        sent.sent,
        sent.accepted,
        // A trouble that had a grace was pending first.
        ["opened", "pending"]
            .map(|outcome| total(metrics, "pushwatch_rule_outcomes_total", &format!("outcome=\"{outcome}\"")))
            .iter()
            .sum::<u64>(),
        total(metrics, "pushwatch_notifications_total", "outcome=\"sent"),
    )
}

/// The sum over all series of a counter that carry a label.
fn total(metrics: &Metrics, family: &str, label: &str) -> u64 {
    let text = metrics.text();
    let series = text.lines().filter(|line| line.starts_with(family) && line.contains(label));
    series.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Bold, dim and plain, where somebody looks on and has not asked for no colour.
fn dress() -> (&'static str, &'static str, &'static str) {
    match io::stdout().is_terminal() && config::variable("NO_COLOR").is_none() {
        true => ("\x1b[1m", "\x1b[2m", "\x1b[0m"),
        false => ("", "", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CallbackOutcome, RuleOutcome};

    #[test]
    fn totals_add_up_the_series_of_a_label() {
        let metrics = Metrics::new();
        metrics.rule_outcome("a", RuleOutcome::Opened).inc_by(2);
        metrics.rule_outcome("b", RuleOutcome::Opened).inc();
        metrics.rule_outcome("b", RuleOutcome::Prolonged).inc_by(7);
        metrics.callback(CallbackOutcome::Accepted, 0.1);
        assert_eq!(total(&metrics, "pushwatch_rule_outcomes_total", "outcome=\"opened\""), 3);
        assert_eq!(total(&metrics, "pushwatch_notifications_total", "outcome=\"sent"), 0);
    }
}
