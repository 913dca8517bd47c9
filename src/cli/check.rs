//! `check`: rules, templates and channels, without any network.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::args::Output;
use super::exit::{Exit, say};
use super::serve::templates_in;
use crate::config;
use crate::render::{Renderer, TemplateProblem};
use crate::rules::{self, Diagnostic, RuleSet};

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
    /// How the result is printed
    #[arg(long, env = "PUSHWATCH_OUTPUT", value_enum, default_value = "text")]
    output: Output,
}

/// Checks.
pub(super) fn run(args: &CheckArgs) -> Exit {
    let checked = check(&args.file, templates_in(&args.templates).as_deref(), &config::variable);
    // Whoever closed our output knows enough; the status tells the rest.
    let _ = match args.output {
        Output::Text => say(&checked.text()),
        Output::Json => say(&format!("{:#}\n", checked.json())),
    };
    if checked.mistakes.is_empty() { Exit::Fine } else { Exit::Wrong }
}

/// What there is to say of a file.
struct Checked {
    name: String,
    mistakes: Vec<Mistake>,
    /// (rules, channels) and notes, if it is fine.
    sums: (usize, usize),
    notes: Vec<&'static str>,
}

/// One mistake, as drawn for people and as told to machines.
struct Mistake {
    drawn: String,
    told: Value,
    /// How many it stands for.
    count: usize,
}

impl Checked {
    fn text(&self) -> String {
        if !self.mistakes.is_empty() {
            let drawn: Vec<&str> = self.mistakes.iter().map(|mistake| mistake.drawn.as_str()).collect();
            let count = plural(self.count(), "mistake");
            return format!("{}\n\n{}: {count}\n", drawn.join("\n\n"), self.name);
        }
        let (count, channels) = (plural(self.sums.0, "rule"), plural(self.sums.1, "channel"));
        let notes: String = self.notes.iter().map(|note| format!("note: {note}\n")).collect();
        format!("{}: {count}, {channels}: fine\n{notes}", self.name)
    }

    fn json(&self) -> Value {
        let mistakes: Vec<&Value> = self.mistakes.iter().map(|mistake| &mistake.told).collect();
        json!({
            "file": self.name,
            "fine": mistakes.is_empty(),
            "rules": self.sums.0,
            "channels": self.sums.1,
            "count": self.count(),
            "mistakes": mistakes,
            "notes": self.notes,
        })
    }

    fn count(&self) -> usize {
        self.mistakes.iter().map(|mistake| mistake.count).sum()
    }
}

/// Looks at everything.
fn check(file: &Path, templates: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> Checked {
    let name = file.display().to_string();
    let rules = read(file).map_err(|why| vec![whole(&name, &why)]).and_then(|text| {
        rules::load(&text, &name, env).map_err(|found| found.iter().map(of_rules).collect::<Vec<Mistake>>())
    });
    let (rules, mut mistakes) = match rules {
        Ok(rules) => (Some(rules), Vec::new()),
        Err(mistakes) => (None, mistakes),
    };
    mistakes.extend(of_templates(templates));
    let sums = rules.as_ref().map_or((0, 0), |rules| (rules.rules.len(), rules.channels.len()));
    let notes = rules.as_ref().filter(|_| mistakes.is_empty()).map(notes).unwrap_or_default();
    Checked { name, mistakes, sums, notes }
}

/// What is no mistake, but good to know.
fn notes(rules: &RuleSet) -> Vec<&'static str> {
    let no_keys = rules.door.keys.is_empty() && !rules.door.allow_unsigned;
    let note = "there is no callback key in `tencent.keys` yet: `serve` will refuse to start without one";
    no_keys.then_some(note).into_iter().collect()
}

/// A file that could not even be read.
fn whole(name: &str, why: &str) -> Mistake {
    let told = json!({ "file": name, "line": 1, "column": 1, "message": why, "hint": null });
    Mistake { drawn: format!("error: {name} {why}"), told, count: 1 }
}

fn of_rules(found: &Diagnostic) -> Mistake {
    let told = json!({
        "file": found.file(),
        "line": found.line(),
        "column": found.column(),
        "message": found.message(),
        "hint": found.hint(),
    });
    Mistake { drawn: found.to_string(), told, count: found.mistakes() }
}

/// Mistakes in a folder of templates.
fn of_templates(folder: Option<&Path>) -> Vec<Mistake> {
    let problems = Renderer::load(folder).err().unwrap_or_default();
    let mistake = |problem: &TemplateProblem| {
        let (file, message) = (problem.file.display().to_string(), &problem.message);
        let told = json!({
            "file": file, "line": problem.line, "column": problem.column, "message": message, "hint": null,
        });
        Mistake { drawn: format!("error: {problem}"), told, count: 1 }
    };
    problems.iter().map(mistake).collect()
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

    fn said(checked: &Checked) -> (String, Exit) {
        (checked.text(), if checked.mistakes.is_empty() { Exit::Fine } else { Exit::Wrong })
    }

    fn checked(text: &[u8], env: &dyn Fn(&str) -> Option<String>) -> (String, Exit) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.yaml");
        std::fs::write(&file, text).unwrap();
        let (report, exit) = said(&check(&file, None, env));
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
        let (report, exit) = said(&check(&file, Some(&templates), &|_| Some("secret".to_owned())));
        assert!(report.contains("incident.hbs") && report.ends_with("1 mistake\n"), "{report}");
        assert_eq!(exit, Exit::Wrong);
    }

    #[test]
    fn what_is_no_text_is_said_plainly() {
        let (report, exit) = checked(b"version: 1\nrules: \xff", &|_| None);
        assert!(report.starts_with("error: rules.yaml is not UTF-8 text: see line 2\n"), "{report}");
        assert_eq!(exit, Exit::Wrong);
        let (report, exit) = said(&check(Path::new("/nowhere/rules.yaml"), None, &|_| None));
        assert!(report.starts_with("error: /nowhere/rules.yaml can't be read: "), "{report}");
        assert_eq!(exit, Exit::Wrong);
    }

    #[test]
    fn all_mistakes_are_counted_also_those_that_are_not_shown_and_machines_get_them_with_their_places() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.yaml");
        let flood: String = (0..250).map(|n| format!("wrong{n}: 1\n")).collect();
        std::fs::write(&file, format!("{GOOD}{flood}")).unwrap();
        let checked = check(&file, None, &|_| Some("secret".to_owned()));
        assert!(checked.text().ends_with("rules.yaml: 250 mistakes\n"), "{}", checked.text());
        let told = checked.json();
        assert_eq!((&told["fine"], &told["count"]), (&json!(false), &json!(250)));
        assert_eq!(told["mistakes"][0]["line"], 6);
        assert!(told["mistakes"][0]["hint"].is_string(), "{told}");
        std::fs::write(&file, GOOD).unwrap();
        let told = check(&file, None, &|_| Some("secret".to_owned())).json();
        assert_eq!((&told["fine"], &told["rules"], &told["mistakes"]), (&json!(true), &json!(2), &json!([])));
    }
}
