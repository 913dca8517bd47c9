//! `check`: rules, templates and channels, without any network.

use std::path::PathBuf;

use clap::Args;

use super::exit::Exit;

/// Find every mistake in rules.yaml, templates and channels
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pushwatch check rules.yaml")]
pub(super) struct CheckArgs {
    /// The rules
    #[arg(default_value = "rules.yaml")]
    file: PathBuf,
}

/// Checks.
pub(super) fn run(args: &CheckArgs) -> Exit {
    Exit::wrong(format_args!("{} can't be checked yet", args.file.display()))
}
