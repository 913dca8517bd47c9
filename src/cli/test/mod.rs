//! `test`: rule tests, events from a file on a virtual clock through the engine that `serve` runs.

mod form;
mod matching;
mod play;
mod report;

#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::args::Output;
use super::check::read;
use super::exit::{Exit, say};
use crate::config;
use crate::rules::trial::{self, Script};
use crate::rules::{Diagnostic, RuleSet};
use report::{Fault, FileReport, Style, Sums, TestReport};

const EXAMPLES: &str = "Examples:
  pushwatch test tests/rules/*.yaml
  pushwatch test --verbose mine.yaml     # also everything that happened, as lines to copy
  pushwatch test --output json tests/rules/*.yaml

A test file says what happens and what must be decided:
  rules: rules.yaml
  tests:
    - name: one report of a large GOP is enough
      given:
        - { at: 0s, stream: push.example.com/live/cam1, push_error: [gop_too_large] }
      expect:
        - { at: 0s, rule: gop_too_large, is: firing, severity: warning }
        - { at: 90s, rule: gop_too_large, is: resolved }
      until: 10m

No secrets are needed. docs/testing.md explains every key. Exit status: 0 all passed, 1 not all.";

/// Run rule tests: these callbacks must give these incidents, and no others
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TestArgs {
    /// Test files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Also show everything that happened
    #[arg(long, short, env = "PUSHWATCH_VERBOSE")]
    verbose: bool,
    /// How the result is printed
    #[arg(long, env = "PUSHWATCH_OUTPUT", value_enum, default_value = "text")]
    output: Output,
}

/// Runs all files and sums them up.
pub(super) fn run(args: &TestArgs) -> Exit {
    let colours = io::stdout().is_terminal() && config::variable("NO_COLOR").is_none();
    let style = Style { colours, verbose: args.verbose };
    let (mut sums, mut reports) = (Sums::default(), Vec::new());
    for file in &args.files {
        let report = test_file(file, &config::variable);
        sums.add(&report);
        match args.output {
            // Whoever closed our output knows enough; the status tells the rest.
            Output::Text => _ = say(&report::file_text(&report, style)),
            Output::Json => reports.push(report),
        }
    }
    let _ = match args.output {
        Output::Text => say(&report::summary(sums, style)),
        Output::Json => say(&format!("{:#}\n", report::json(&reports, sums))),
    };
    if sums.all_passed() { Exit::Fine } else { Exit::Wrong }
}

/// Runs the tests of one file.
fn test_file(file: &Path, env: &dyn Fn(&str) -> Option<String>) -> FileReport {
    let name = file.display().to_string();
    let (mistakes, tests) = match open(file, &name, env) {
        Ok((tests, rules)) => (Vec::new(), tests.into_iter().map(|trial| judge(trial, &rules)).collect()),
        Err(faults) => (faults, Vec::new()),
    };
    FileReport { file: name, mistakes, tests }
}

/// A file's tests and the rules that they are about, or everything that is wrong with both.
fn open(
    file: &Path,
    name: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(Vec<trial::Trial>, Arc<RuleSet>), Vec<Fault>> {
    let text = read(file).map_err(|why| vec![Fault::Told(format!("{name} {why}"))])?;
    let mut script = Script::read(&text, name).map_err(faults)?;
    let mut found = Vec::new();
    let mut rules = None;
    if let Some(path) = script.rules() {
        let path = file.parent().unwrap_or(Path::new("")).join(path);
        match read(&path) {
            Err(why) => script.refuse_rules(&why),
            Ok(text) => match trial::load_rules(&text, &path.display().to_string(), env) {
                Ok(set) => rules = Some(Arc::new(set)),
                Err(mistakes) => found = faults(mistakes),
            },
        }
    }
    match (script.compile(rules.as_deref()), rules) {
        (Ok(tests), Some(rules)) => Ok((tests, rules)),
        (Ok(_), None) => Err(found),
        (Err(mistakes), _) => Err(faults(mistakes).into_iter().chain(found).collect()),
    }
}

fn faults(mistakes: Vec<Diagnostic>) -> Vec<Fault> {
    mistakes.into_iter().map(|mistake| Fault::Mistake(Box::new(mistake))).collect()
}

fn judge(trial: trial::Trial, rules: &Arc<RuleSet>) -> TestReport {
    let play = play::play(&trial, Arc::clone(rules));
    let matching = matching::match_up(&trial.expect, &play.happened);
    TestReport { trial, play, matching }
}
