//! What `test` says: a line a test, and for each that failed what was expected beside what happened. Pure.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::form;
use super::matching::{Matching, differences};
use super::play::{Happened, Play};
use crate::rules::Diagnostic;
use crate::rules::trial::{About, Expected, Offset, Trial};

/// Lines that nothing came of, and decisions that nothing expected, shown at most per test.
const MAX_SHOWN: usize = 20;

/// What became of one test file.
#[derive(Debug)]
pub(super) struct FileReport {
    /// Its name as it was given.
    pub(super) file: String,
    /// It can't be used: why, ready to be shown, the mistakes with their places.
    pub(super) mistakes: Vec<Fault>,
    /// Its tests, none where there are mistakes.
    pub(super) tests: Vec<TestReport>,
}

/// Why a file can't be used.
#[derive(Debug)]
pub(super) enum Fault {
    /// A mistake with its place.
    Mistake(Box<Diagnostic>),
    /// In words.
    Told(String),
}

/// What became of one test.
#[derive(Debug)]
pub(super) struct TestReport {
    pub(super) trial: Trial,
    pub(super) play: Play,
    pub(super) matching: Matching,
}

impl TestReport {
    pub(super) fn passed(&self) -> bool {
        let Matching { missing, unexpected } = &self.matching;
        missing.is_empty() && unexpected.is_empty() && self.play.stuck.is_empty() && !self.play.flooded
    }
}

/// How the text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// With colours.
    pub(super) colours: bool,
    /// With everything that happened.
    pub(super) verbose: bool,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        match self.colours {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    fn green(self, text: &str) -> String {
        self.paint("32", text)
    }
}

/// Sums over all files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) files: usize,
    pub(super) passed: usize,
    pub(super) failed: usize,
    /// Files that can't be used.
    pub(super) broken: usize,
}

impl Sums {
    pub(super) fn add(&mut self, report: &FileReport) {
        let passed = report.tests.iter().filter(|test| test.passed()).count();
        self.files += 1;
        self.passed += passed;
        self.failed += report.tests.len() - passed;
        self.broken += usize::from(!report.mistakes.is_empty());
    }

    pub(super) fn all_passed(self) -> bool {
        self.failed == 0 && self.broken == 0
    }
}

/// One file's part of the text.
pub(super) fn file_text(report: &FileReport, style: Style) -> String {
    let mut text = format!("{}\n", report.file);
    for fault in &report.mistakes {
        let told = match fault {
            Fault::Mistake(mistake) => mistake.to_string(),
            Fault::Told(why) => format!("error: {why}"),
        };
        put(&mut text, format_args!("{told}\n\n"));
    }
    for test in &report.tests {
        test_text(&mut text, &report.file, test, style);
    }
    if report.mistakes.is_empty() {
        text.push('\n');
    }
    text
}

/// The last line.
pub(super) fn summary(sums: Sums, style: Style) -> String {
    let tests = sums.passed + sums.failed;
    let mut text = format!("{} in {}: {} passed", plural(tests, "test"), plural(sums.files, "file"), sums.passed);
    if sums.failed > 0 {
        put(&mut text, format_args!(", {} failed", sums.failed));
    }
    if sums.broken > 0 {
        put(&mut text, format_args!("; {} with mistakes", plural(sums.broken, "file")));
    }
    let text = if sums.all_passed() { style.green(&text) } else { style.red(&text) };
    format!("{text}\n")
}

fn test_text(text: &mut String, file: &str, test: &TestReport, style: Style) {
    let name: String = test.trial.name.chars().flat_map(shown).collect();
    match test.passed() {
        true => put(text, format_args!("  {}      {name}\n", style.green("ok"))),
        false => {
            let failed = style.paint("1;31", "FAILED");
            put(text, format_args!("  {failed}  {name}  ({file}:{})\n", test.trial.line));
        }
    }
    for (line, why) in &test.play.stuck {
        put(text, format_args!("    {file}:{line}  {why}\n"));
    }
    let missing = &test.matching.missing;
    for (line, near) in missing.iter().take(MAX_SHOWN) {
        let expected = &test.trial.expect[*line];
        match near {
            Some(at) => otherwise(text, file, expected, &test.play.happened[*at], style),
            None => {
                put(text, format_args!("    {file}:{}  did not happen\n", expected.line));
                put(text, format_args!("      {}\n", style.red(&format!("- {}", form::expected(expected)))));
            }
        }
    }
    if missing.len() > MAX_SHOWN {
        put(text, format_args!("    and {} more lines that did not come true\n", missing.len() - MAX_SHOWN));
    }
    unexpected(text, test, style);
    if test.play.flooded {
        put(text, format_args!("    more than {} things happened: stopped there\n", test.play.happened.len()));
    }
    if style.verbose {
        put(text, format_args!("    what happened until {}:\n", test.trial.until));
        for happened in &test.play.happened {
            put(text, format_args!("      - {}\n", form::happened(happened)));
        }
    }
}

/// A near miss, side by side, and in what they differ.
fn otherwise(text: &mut String, file: &str, expected: &Expected, happened: &Happened, style: Style) {
    let points = form::points(expected, happened, &differences(expected, happened));
    let differ: Vec<String> = points.iter().map(|(wanted, real)| format!("{real}, not {}", value(wanted))).collect();
    put(text, format_args!("    {file}:{}  happened otherwise: {}\n", expected.line, differ.join("; ")));
    put(text, format_args!("      {}\n", style.red(&format!("- {}", form::expected(expected)))));
    put(text, format_args!("      {}\n", style.green(&format!("+ {}", form::happened(happened)))));
}

/// `notify: [ops]` without its key.
fn value(point: &str) -> &str {
    point.split_once(": ").map_or(point, |(_, value)| value)
}

fn unexpected(text: &mut String, test: &TestReport, style: Style) {
    let unexpected = &test.matching.unexpected;
    if unexpected.is_empty() {
        return;
    }
    put(text, format_args!("    happened, and no line expects it\n"));
    for at in unexpected.iter().take(MAX_SHOWN) {
        let line = form::happened(&test.play.happened[*at]);
        put(text, format_args!("      {}\n", style.green(&format!("+ {line}"))));
    }
    if unexpected.len() > MAX_SHOWN {
        put(text, format_args!("      and {} more\n", unexpected.len() - MAX_SHOWN));
    }
}

fn shown(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}

fn plural(count: usize, word: &str) -> String {
    match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    }
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a text can't fail.
    let _ = text.write_fmt(what);
}

/// Everything for machines.
pub(super) fn json(reports: &[FileReport], sums: Sums) -> Value {
    json!({
        "files": reports.iter().map(file_json).collect::<Vec<_>>(),
        "passed": sums.passed,
        "failed": sums.failed,
        "broken": sums.broken,
    })
}

fn file_json(report: &FileReport) -> Value {
    let mistake = |fault: &Fault| match fault {
        Fault::Mistake(mistake) => json!({
            "file": mistake.file(),
            "line": mistake.line(),
            "column": mistake.column(),
            "message": mistake.message(),
            "hint": mistake.hint(),
        }),
        Fault::Told(why) => json!({ "file": report.file, "message": why }),
    };
    json!({
        "file": report.file,
        "mistakes": report.mistakes.iter().map(mistake).collect::<Vec<_>>(),
        "tests": report.tests.iter().map(test_json).collect::<Vec<_>>(),
    })
}

fn test_json(test: &TestReport) -> Value {
    let happened = &test.play.happened;
    let missing = test.matching.missing.iter().map(|(line, near)| {
        let expected = &test.trial.expect[*line];
        let differs = near.map(|at| differences(expected, &happened[at]).into_iter().map(form::word).collect());
        let differs: Vec<&str> = differs.unwrap_or_default();
        json!({
            "line": expected.line,
            "expected": expected_json(expected),
            "happened": near.map(|at| happened_json(&happened[at])),
            "differs": differs,
        })
    });
    json!({
        "name": test.trial.name,
        "line": test.trial.line,
        "passed": test.passed(),
        "missing": missing.collect::<Vec<_>>(),
        "unexpected": test.matching.unexpected.iter().map(|at| happened_json(&happened[*at])).collect::<Vec<_>>(),
        "stuck": test.play.stuck.iter().map(|(line, why)| json!({ "line": line, "message": why })).collect::<Vec<_>>(),
        "flooded": test.play.flooded,
    })
}

fn moment(at: Offset) -> Value {
    json!(at.to_string())
}

fn expected_json(line: &Expected) -> Value {
    let parts = [
        ("at", line.at.map(moment)),
        ("rule", line.rule.as_ref().map(|rule| json!(rule))),
        ("is", line.is.map(|is| json!(is.as_str()))),
        ("severity", line.severity.map(|severity| json!(severity))),
        ("notify", line.notify.as_ref().map(|notify| json!(notify))),
        ("cause", line.cause.map(|cause| json!(form::cause_word(cause)))),
        line.about.as_ref().map_or(("stream", None), |about| match about {
            About::Stream(stream) => ("stream", Some(json!(stream.full()))),
            About::Key(key) => ("key", Some(json!(key))),
        }),
    ];
    parts
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn happened_json(happened: &Happened) -> Value {
    json!({
        "at": moment(happened.at),
        "rule": happened.rule,
        "is": happened.is.as_str(),
        "severity": happened.severity,
        "key": happened.key.to_string(),
        "notify": happened.notify,
        "cause": happened.cause.map(form::cause_word),
    })
}
