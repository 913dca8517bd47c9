//! Tests of rules.yaml as a whole: what is refused with which words, what is accepted as what, what it matches.

mod accepted;
mod checks;
mod conditions;
mod fuzz;
mod language;
mod matching;
mod mistakes;
mod naive;
mod refusal;
mod schema;
mod trees;

use super::{Diagnostic, RuleSet, load};

/// The least that a file needs around rules.
const HEAD: &str = "version: 1\nchannels: { ops: { type: console } }\ndefaults: { notify: ops }\n";

fn environment(name: &str) -> Option<String> {
    match name {
        "SET" => Some("from-the-environment".to_owned()),
        "CHAT" => Some("-1001234".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn read(text: &str) -> Result<RuleSet, Vec<Diagnostic>> {
    load(text, "rules.yaml", &environment)
}

/// What a good file compiles to. The JSON Schema has nothing against it either.
fn fine(text: &str) -> RuleSet {
    let set = read(text).unwrap_or_else(|mistakes| panic!("{text}\n{}", show(&mistakes)));
    let refusals = schema::refusals(text);
    assert!(refusals.is_empty(), "the schema refuses what the reader takes: {refusals:#?}\n{text}");
    set
}

/// All mistakes of a file, drawn.
fn mistakes(text: &str) -> String {
    show(&read(text).expect_err("this file has mistakes"))
}

fn show(mistakes: &[Diagnostic]) -> String {
    mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
}
