//! `notify`: one real test message through a channel, by the running server or else straight from the rules.

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::args::Output;
use super::client::{Failure, Server};
use super::deliveries::{no_such_name, plain};
use super::exit::{Exit, say};
use super::serve::templates_in;
use super::table::name;
use crate::clock::Clock;
use crate::config;
use crate::deliver::{self, Console};
use crate::model::ChannelName;
use crate::render::Renderer;
use crate::render::clean::short;
use crate::rules;

const EXAMPLES: &str = "Examples:
  pushwatch notify ops
  pushwatch notify ops --config rules.yaml

The running server sends it, the way an alert goes; a channel that was parked is taken up again if it goes through.
Where no server can be reached, the message is sent from here, by the rules of --config.
Exit status: 0 the platform took it, 1 it did not, 2 usage, 3 no server and no rules.";

/// Longest sentence shown, in characters.
const SENTENCE: usize = 600;

/// Send one real test message, and say what the platform answered and what to do
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct NotifyArgs {
    /// The channel's name in rules.yaml
    #[arg(value_name = "CHANNEL")]
    channel: String,
    /// The rules, for when no server can be reached
    #[arg(long, env = "PUSHWATCH_CONFIG", value_name = "FILE", default_value = "rules.yaml")]
    config: PathBuf,
    /// Folder of your own message templates, likewise
    #[arg(long, env = "PUSHWATCH_TEMPLATES", value_name = "DIR", default_value = "templates")]
    templates: PathBuf,
    #[command(flatten)]
    server: Server,
    /// How to print the answer
    #[arg(long, env = "PUSHWATCH_OUTPUT", value_enum, default_value = "text")]
    output: Output,
}

/// What came of it.
#[derive(Debug, Deserialize)]
struct Tested {
    sent: bool,
    said: String,
    advice: String,
}

/// Sends and says.
pub(super) fn run(args: &NotifyArgs) -> Exit {
    if !plain(&args.channel) {
        return Exit::usage(no_such_name(&args.channel));
    }
    let (by, answer) = match args.server.post(&format!("channels/{}/test", args.channel)) {
        Ok(answer) => ("the server", answer),
        Err(failure @ Failure::Unreachable { .. }) if args.config.exists() => match straight(args) {
            Ok(answer) => ("this command; no server could be reached", answer),
            Err(why) => return Exit::wrong(format!("{failure}\nSo it was to be sent from here, but: {why}")),
        },
        Err(failure) => return failure.exit(),
    };
    let Ok(tested) = serde_json::from_value::<Tested>(answer.clone()) else {
        return Exit::wrong("the server's answer can't be read: it is of another version");
    };
    // Whoever closed our output knows enough.
    let _ = say(&match args.output {
        Output::Json => format!("{answer}\n"),
        Output::Text => text(&args.channel, by, &tested),
    });
    if tested.sent { Exit::Fine } else { Exit::Wrong }
}

/// Sends from here. The error says why nothing was sent.
fn straight(args: &NotifyArgs) -> Result<Value, String> {
    let file = args.config.display().to_string();
    let text = super::check::read(&args.config).map_err(|why| format!("{file} {why}"))?;
    let lines = |found: Vec<String>| found.join("\n");
    let rules = rules::load(&text, &file, &config::variable)
        .map_err(|found| lines(found.iter().map(ToString::to_string).collect()))?;
    let renderer = Renderer::load(templates_in(&args.templates).as_deref())
        .map_err(|found| lines(found.iter().map(ToString::to_string).collect()))?;
    let Some(channel) = rules.channels.get(&ChannelName::new(&args.channel)) else {
        let mut names: Vec<&str> = rules.channels.keys().map(ChannelName::as_str).collect();
        names.sort_unstable();
        return Err(format!("{file} has no channel of this name; it has: {}", names.join(", ")));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let (console, clock) = (Console::stdout(), Clock::start());
    let tested = runtime.block_on(deliver::try_once(channel, &renderer, &console, &clock));
    Ok(json!(tested))
}

fn text(channel: &str, by: &str, tested: &Tested) -> String {
    let headline = match tested.sent {
        true => "the message was sent",
        false => "the message was not sent",
    };
    format!(
        "{}: {headline} (by {by})\n  The platform said: {}\n  {}\n",
        name(channel),
        short(&tested.said, SENTENCE),
        short(&tested.advice, SENTENCE),
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: NotifyArgs,
    }

    fn run_with(rules: Option<&str>, channel: &str) -> (Exit, Result<Value, String>) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.yaml");
        if let Some(rules) = rules {
            std::fs::write(&file, rules).unwrap();
        }
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
        let (file, server) = (file.display().to_string(), format!("http://{nobody}"));
        let args = Line::parse_from(["notify", channel, "--config", &file, "--server", &server]).args;
        (run(&args), straight(&args))
    }

    const RULES: &str = "version: 1
tencent: { keys: [hunter2hunter2] }
channels: { here: { type: console }, gone: { type: webhook, url: \"http://127.0.0.1:1/hunter2\" } }
defaults: { notify: [here] }
rules: [ { name: a, on: push_error } ]
";

    #[test]
    fn without_a_server_it_is_sent_by_the_rules_and_without_these_nobody_is_reached() {
        assert_eq!(run_with(Some(RULES), "here").0, Exit::Fine);
        let (exit, answer) = run_with(Some(RULES), "gone");
        let answer = answer.unwrap();
        assert_eq!((exit, &answer["sent"], &answer["answer"]), (Exit::Wrong, &json!(false), &json!("retry")));
        assert!(!answer.to_string().contains("hunter2"), "{answer}");
        let (exit, why) = run_with(Some(RULES), "opps");
        assert_eq!(exit, Exit::Wrong);
        assert!(why.unwrap_err().ends_with("it has: gone, here"));
        assert_eq!(run_with(None, "here").0, Exit::Unreachable);
        assert_eq!(run_with(Some(RULES), "../rules").0, Exit::Usage);
    }

    #[test]
    fn what_came_of_it_stands_in_three_lines() {
        let tested = Tested { sent: false, said: "Slack says \u{1b}[2J".into(), advice: "Invite the bot.".into() };
        let shown = text("ops", "the server", &tested);
        assert_eq!(
            shown,
            "ops: the message was not sent (by the server)\n  The platform said: Slack says ␛[2J\n  Invite the bot.\n"
        );
    }
}
