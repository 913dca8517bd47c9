//! The command line: one file a subcommand.
//!
//! Every flag has an environment variable `PUSHWATCH_<FLAG>`. Results go to standard output, logs to standard error.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod answer;
pub mod args;
mod audit;
mod backtest;
mod check;
mod client;
mod completions;
mod deliveries;
mod demo;
pub mod exit;
mod explain;
mod export;
mod incidents;
mod logs;
mod mutes;
mod notify;
mod preview;
mod schema;
mod serve;
mod simulate;
mod table;
mod test;

use exit::Exit;
use logs::LogFormat;

const EXAMPLES: &str = "Examples:
  See it work, with no configuration at all:
    pushwatch demo
  Run it:
    pushwatch check rules.yaml && pushwatch serve --config rules.yaml --data-dir /var/lib/pushwatch
  Send it what the cloud would send:
    pushwatch simulate --url http://127.0.0.1:8080/callback --key KEY --scenario gop";

/// Real-time alerts for live streams: Tencent Cloud's callbacks in, Slack, WeCom and Telegram messages out
#[derive(Debug, Parser)]
#[command(name = "pushwatch", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    /// How log lines are written to standard error
    #[arg(
        long,
        env = "PUSHWATCH_LOG_FORMAT",
        value_enum,
        default_value = "text",
        global = true,
        help_heading = "Logging"
    )]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug, trace, or a list like info,pushwatch::deliver=debug
    #[arg(
        long,
        visible_alias = "log-level",
        env = "PUSHWATCH_LOG",
        value_name = "FILTER",
        global = true,
        help_heading = "Logging"
    )]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Check(check::CheckArgs),
    Test(test::TestArgs),
    Backtest(backtest::BacktestArgs),
    Demo(demo::DemoArgs),
    Preview(preview::PreviewArgs),
    Simulate(simulate::SimulateArgs),
    Export(export::ExportArgs),
    Explain(explain::ExplainArgs),
    Notify(notify::NotifyArgs),
    Deliveries(deliveries::DeliveriesArgs),
    Retry(deliveries::RetryArgs),
    Incidents(incidents::IncidentsArgs),
    Ack(incidents::AckArgs),
    Mutes(mutes::MutesArgs),
    Mute(mutes::MuteArgs),
    Unmute(mutes::UnmuteArgs),
    Audit(audit::AuditArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
}

impl Command {
    /// A server tells what it does; a command is quiet unless something is odd.
    fn usual_log(&self) -> &'static str {
        match self {
            Command::Serve(_) => "info",
            _ => "warn",
        }
    }

    fn run(self) -> Exit {
        match self {
            Command::Serve(args) => serve::run(args),
            Command::Check(args) => check::run(&args),
            Command::Test(args) => test::run(&args),
            Command::Backtest(args) => backtest::run(&args),
            Command::Demo(args) => demo::run(args),
            Command::Preview(args) => preview::run(&args),
            Command::Simulate(args) => simulate::run(args),
            Command::Export(args) => export::run(&args),
            Command::Explain(args) => explain::run(&args),
            Command::Notify(args) => notify::run(&args),
            Command::Deliveries(args) => deliveries::list(&args),
            Command::Retry(args) => deliveries::retry(&args),
            Command::Incidents(args) => incidents::run(&args),
            Command::Ack(args) => incidents::ack(&args),
            Command::Mutes(args) => mutes::run(&args),
            Command::Mute(args) => mutes::mute(&args),
            Command::Unmute(args) => mutes::unmute(&args),
            Command::Audit(args) => audit::run(&args),
            Command::Schema(args) => schema::run(&args),
            Command::Completions(args) => completions::run(&args),
        }
    }
}

/// Reads the command line and does what it says.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let filter = cli.log.as_deref().unwrap_or(cli.command.usual_log());
    let exit = match logs::start(cli.log_format, filter) {
        Ok(()) => cli.command.run(),
        Err(error) => Exit::usage(error),
    };
    exit.into()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// All commands, with the path to each.
    fn commands(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
        found.push((path.to_owned(), command.clone()));
        for below in command.get_subcommands() {
            commands(below, &format!("{path} {}", below.get_name()), found);
        }
    }

    fn all() -> Vec<(String, clap::Command)> {
        let mut root = Cli::command();
        root.build();
        let mut found = Vec::new();
        commands(&root, "pushwatch", &mut found);
        found.retain(|(path, _)| !path.contains(" help"));
        found
    }

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_its_variable_and_secrets_are_not_shown_in_help() {
        for (path, command) in all() {
            for arg in command.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())) {
                let Some(flag) = arg.get_long() else { continue };
                let variable = format!("PUSHWATCH_{}", flag.to_uppercase().replace('-', "_"));
                assert_eq!(arg.get_env().and_then(|env| env.to_str()), Some(variable.as_str()), "{path} --{flag}");
                let is_secret = ["key", "url", "admin-token"].contains(&flag);
                assert_eq!(arg.is_hide_env_values_set(), is_secret, "{path} --{flag}");
            }
        }
    }

    #[test]
    fn help_on_each_level_says_what_it_is_for_with_an_example() {
        for (path, mut command) in all() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{path} --help has no example:\n{help}");
            assert!(help.contains(&path), "{path}'s examples are of another command");
            assert!(command.get_about().is_some(), "{path} does not say what it is for");
        }
    }
}
