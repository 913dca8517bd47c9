//! `check`: rules, templates and channels, without any network.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{Exit, say};
use super::serve::templates_in;
use crate::config;
use crate::render::Renderer;
use crate::rules::{self, RuleSet};

const EXAMPLES: &str = "Example:
  pushwatch check rules.yaml

Every mistake is shown with its place and what to do. References to the environment are resolved as `serve` would
resolve them: a variable that is not set is a mistake.";

/// Most of a file that is read: above the largest that rules may be, so that those can be refused by name.
const MAX_READ: u64 = 2 * 1024 * 1024;

/// Find every mistake in rules.yaml, templates and channels
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckArgs {
    /// The rules
    #[arg(default_value = "rules.yaml")]
    file: PathBuf,
    /// Folder of your own message templates
    #[arg(long, env = "PUSHWATCH_TEMPLATES", value_name = "DIR", default_value = "templates")]
    templates: PathBuf,
}

/// Checks.
pub(super) fn run(args: &CheckArgs) -> Exit {
    let (report, exit) = check(&args.file, templates_in(&args.templates).as_deref(), &config::variable);
    // Whoever closed our output knows enough; the status tells the rest.
    let _ = say(&report);
    exit
}

/// What there is to say, and how the command ends.
fn check(file: &Path, templates: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> (String, Exit) {
    let name = file.display().to_string();
    let rules = read(file).map_err(|why| vec![format!("error: {name} {why}")]).and_then(|text| {
        rules::load(&text, &name, env).map_err(|found| found.iter().map(ToString::to_string).collect())
    });
    let mut mistakes = rules.as_ref().err().cloned().unwrap_or_default();
    mistakes.extend(template_mistakes(templates));
    match rules {
        Ok(rules) if mistakes.is_empty() => (summary(&name, &rules), Exit::Fine),
        _ => {
            let count = plural(mistakes.len(), "mistake");
            (format!("{}\n\n{name}: {count}\n", mistakes.join("\n\n")), Exit::Wrong)
        }
    }
}

/// Mistakes in a folder of templates, ready to be shown.
fn template_mistakes(folder: Option<&Path>) -> Vec<String> {
    let problems = Renderer::load(folder).err().unwrap_or_default();
    problems.iter().map(|problem| format!("error: {problem}")).collect()
}

fn summary(name: &str, rules: &RuleSet) -> String {
    let (count, channels) = (plural(rules.rules.len(), "rule"), plural(rules.channels.len(), "channel"));
    let mut text = format!("{name}: {count}, {channels}: fine\n");
    if rules.door.keys.is_empty() && !rules.door.allow_unsigned {
        text.push_str(
            "note: there is no callback key in `tencent.keys` yet: `serve` will refuse to start without one\n",
        );
    }
    text
}

fn plural(count: usize, word: &str) -> String {
    match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    }
}

/// The text of a file. The error completes "FILE …".
pub(super) fn read(file: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = |bytes: &mut Vec<u8>| -> io::Result<usize> { File::open(file)?.take(MAX_READ).read_to_end(bytes) };
    read(&mut bytes).map_err(|error| format!("can't be read: {error}"))?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(good).filter(|byte| **byte == b'\n').count() + 1;
        format!("is not UTF-8 text: see line {line}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "version: 1
tencent: { keys: [\"${KEY}\"] }
channels: { ops: { type: console } }
defaults: { notify: [ops] }
rules: [ { name: a, on: push_error }, { name: b, on: push_end } ]
";

    fn checked(text: &[u8], env: &dyn Fn(&str) -> Option<String>) -> (String, Exit) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.yaml");
        std::fs::write(&file, text).unwrap();
        let (report, exit) = check(&file, None, env);
        (report.replace(&format!("{}/", folder.path().display()), ""), exit)
    }

    #[test]
    fn a_good_file_is_summed_up() {
        let (report, exit) = checked(GOOD.as_bytes(), &|_| Some("secret".to_owned()));
        assert_eq!((report.as_str(), exit), ("rules.yaml: 2 rules, 1 channel: fine\n", Exit::Fine));
    }

    #[test]
    fn a_missing_key_is_noted() {
        let (report, exit) = checked(GOOD.as_bytes(), &|_| Some(String::new()));
        assert!(report.contains("note: there is no callback key"), "{report}");
        assert_eq!(exit, Exit::Fine);
    }

    #[test]
    fn every_mistake_is_shown_and_counted() {
        let (report, exit) = checked(GOOD.replace("[ops]", "[opps]").as_bytes(), &|_| None);
        insta::assert_snapshot!(report);
        assert_eq!(exit, Exit::Wrong);
    }

    #[test]
    fn templates_are_checked_with_the_rules() {
        let folder = tempfile::tempdir().unwrap();
        let templates = folder.path().join("templates");
        std::fs::create_dir_all(templates.join("en/console")).unwrap();
        std::fs::write(templates.join("en/console/incident.hbs"), "{{#if open}}").unwrap();
        let file = folder.path().join("rules.yaml");
        std::fs::write(&file, GOOD).unwrap();
        let (report, exit) = check(&file, Some(&templates), &|_| Some("secret".to_owned()));
        assert!(report.contains("incident.hbs") && report.ends_with("1 mistake\n"), "{report}");
        assert_eq!(exit, Exit::Wrong);
    }

    #[test]
    fn what_is_no_text_is_said_plainly() {
        let (report, exit) = checked(b"version: 1\nrules: \xff", &|_| None);
        assert!(report.starts_with("error: rules.yaml is not UTF-8 text: see line 2\n"), "{report}");
        assert_eq!(exit, Exit::Wrong);
        let (report, exit) = check(Path::new("/nowhere/rules.yaml"), None, &|_| None);
        assert!(report.starts_with("error: /nowhere/rules.yaml can't be read: "), "{report}");
        assert_eq!(exit, Exit::Wrong);
    }
}
