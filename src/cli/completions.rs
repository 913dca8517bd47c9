//! `completions`: what a shell needs to complete our commands and flags.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;
use super::exit::{Exit, say};

const EXAMPLES: &str = "Examples:
  pushwatch completions bash > /etc/bash_completion.d/pushwatch
  pushwatch completions zsh > \"${fpath[1]}/_pushwatch\"
  pushwatch completions fish > ~/.config/fish/completions/pushwatch.fish";

/// Print completions of commands and flags for a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints them.
pub(super) fn run(args: &CompletionsArgs) -> Exit {
    // Whoever closed our output knows enough.
    let _ = say(&script(args.shell));
    Exit::Fine
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pushwatch", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_gets_all_commands_and_their_flags() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
            assert!(script.contains("admin-listen"), "{shell}");
        }
    }
}
