//! `explain`: why there was an alert about a stream, or none: its last callbacks and what each rule said of each.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::args::Output;
use super::client::{Failure, Server};
use super::exit::{Exit, say};
use super::table::name;
use crate::model::Timestamp;
use crate::render::clean::short;

const EXAMPLES: &str = "Examples:
  pushwatch explain push.example.com/live/cam1
  pushwatch explain cam1 --last 5

A stream's id is enough where no other stream has it too.
Exit status: 0 explained, 1 no such stream, 2 usage, 3 the server can't be reached.";

/// Longest sentence shown, in characters.
const SENTENCE: usize = 240;

/// Say of the last callbacks of a stream what each rule made of them, and why
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExplainArgs {
    /// Its id, or its full name DOMAIN/PATH/STREAM
    #[arg(value_name = "STREAM")]
    stream: String,
    /// How many of its callbacks
    #[arg(long, env = "PUSHWATCH_LAST", value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u8).range(1..=100))]
    last: u8,
    #[command(flatten)]
    server: Server,
    /// How to print the answer
    #[arg(long, env = "PUSHWATCH_OUTPUT", value_enum, default_value = "text")]
    output: Output,
}

/// The server's answer, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Answer {
    stream: String,
    callbacks: Vec<Callback>,
    note: String,
}

#[derive(Debug, Deserialize)]
struct Callback {
    received_at: Timestamp,
    kind: String,
    summary: String,
    rules: Vec<Said>,
    others: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Said {
    rule: String,
    outcome: String,
    because: String,
}

/// Asks and prints.
pub(super) fn run(args: &ExplainArgs) -> Exit {
    let last = args.last.to_string();
    let answer = match args.server.get("explain", &[("stream", &args.stream), ("last", &last)]) {
        Ok(answer) => answer,
        Err(failure) => return refused(&failure),
    };
    let shown = match args.output {
        Output::Json => Ok(format!("{answer}\n")),
        Output::Text => serde_json::from_value(answer).map(|answer| text(&answer)),
    };
    match shown {
        Ok(shown) => {
            // Whoever closed our output knows enough.
            let _ = say(&shown);
            Exit::Fine
        }
        Err(_) => Exit::wrong("the server's answer can't be read: it is of another version"),
    }
}

/// Says why there is no answer, with the names to choose from where there are several.
fn refused(failure: &Failure) -> Exit {
    let Failure::Refused { body, why } = failure else { return failure.exit() };
    match body.get("candidates").and_then(Value::as_array) {
        Some(candidates) => {
            let names: Vec<String> =
                candidates.iter().filter_map(Value::as_str).map(|stream| format!("\n  {}", name(stream))).collect();
            Exit::wrong(format!("{why}:{}", names.concat()))
        }
        None => failure.exit(),
    }
}

/// For people: callback by callback, oldest first; what is said of all of them alike stands once, at the end.
fn text(answer: &Answer) -> String {
    let callbacks = &answer.callbacks;
    let mut text = match callbacks.len() {
        1 => format!("{}: its last callback\n", name(&answer.stream)),
        count => format!("{}: its last {count} callbacks\n", name(&answer.stream)),
    };
    let alike = if callbacks.len() > 1 { alike(callbacks) } else { BTreeMap::new() };
    for callback in callbacks {
        let Callback { received_at, kind, summary, .. } = callback;
        let summary = short(summary, SENTENCE);
        // Writing to a String can't fail.
        let _ = writeln!(text, "\n{}  {}  {summary}", super::table::moment(*received_at), name(kind));
        let own: Vec<(&str, String)> = sentences(callback).filter(|(rule, _)| !alike.contains_key(rule)).collect();
        for (rules, sentence) in condensed(own) {
            let _ = writeln!(text, "  {rules}: {sentence}");
        }
    }
    if !alike.is_empty() {
        text.push_str("\nof each of them\n");
        for (rules, sentence) in condensed(alike.into_iter().collect()) {
            let _ = writeln!(text, "  {rules}: {sentence}");
        }
    }
    let _ = writeln!(text, "\n{}", short(&answer.note, SENTENCE * 4));
    text
}

/// What each rule said, as it is shown.
fn sentences(callback: &Callback) -> impl Iterator<Item = (&str, String)> {
    let rules = callback.rules.iter().map(|Said { rule, outcome, because }| {
        let outcome = outcome.replace('_', " ");
        let sentence = if because.is_empty() { outcome } else { format!("{outcome} – {because}") };
        (rule.as_str(), short(&sentence, SENTENCE))
    });
    let others = callback.others.iter().map(|rule| (rule.as_str(), "listens to other callbacks".to_owned()));
    rules.chain(others)
}

/// Rules that said the same of every callback, with what they said.
fn alike(callbacks: &[Callback]) -> BTreeMap<&str, String> {
    let mut said: BTreeMap<&str, (usize, Option<String>)> = BTreeMap::new();
    for (rule, sentence) in callbacks.iter().flat_map(sentences) {
        let (times, first) = said.entry(rule).or_insert((0, Some(sentence.clone())));
        *times += 1;
        if first.as_ref() != Some(&sentence) {
            *first = None;
        }
    }
    let always = said.into_iter().filter(|(_, (times, _))| *times == callbacks.len());
    always.filter_map(|(rule, (_, first))| Some((rule, first?))).collect()
}

/// One line for all rules that say the same, in the order of the first.
fn condensed(said: Vec<(&str, String)>) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = Vec::new();
    for (rule, sentence) in said {
        match lines.iter_mut().find(|(_, known)| *known == sentence) {
            Some((rules, _)) => rules.extend([", ", &name(rule)]),
            None => lines.push((name(rule), sentence)),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn callback(at: i64, count: u64, stall: &str) -> Value {
        json!({
            "seq": 7, "received_at": 1_700_000_000_000i64 + at, "happened_at": null, "kind": "push_error",
            "summary": format!("{count} × video_frames_late (3046 ms)\u{1b}[2J"),
            "rules": [
                { "rule": "stall", "outcome": stall, "because": format!("{count} counted within 1m, the rule fires at 3") },
                { "rule": "gop", "outcome": "no_match", "because": "none of its types is in it" },
                { "rule": "codec", "outcome": "no_match", "because": "none of its types is in it" },
            ],
            "others": ["down", "push_refused"],
        })
    }

    fn answer(callbacks: &[Value]) -> Answer {
        let answer = json!({ "stream": "push.example.com/live/cam1", "callbacks": callbacks, "note": "Judged anew." });
        serde_json::from_value(answer).unwrap()
    }

    #[test]
    fn what_is_said_of_all_alike_stands_once() {
        let callbacks = [callback(0, 1, "counted"), callback(5000, 2, "counted"), callback(10_000, 4, "opened")];
        insta::assert_snapshot!(text(&answer(&callbacks)));
    }

    #[test]
    fn of_one_callback_everything_is_said_at_its_place() {
        insta::assert_snapshot!(text(&answer(&[callback(0, 1, "counted")])));
    }

    #[test]
    fn no_callbacks_are_no_trouble() {
        assert_eq!(text(&answer(&[])), "push.example.com/live/cam1: its last 0 callbacks\n\nJudged anew.\n");
    }
}
