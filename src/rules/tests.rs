//! Tests of rules.yaml as a whole: what is refused with which words, what is accepted as what, what it matches.

mod accepted;
mod conditions;
mod fuzz;
mod matching;
mod mistakes;
mod naive;
mod refusal;

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

fn fine(text: &str) -> RuleSet {
    read(text).unwrap_or_else(|mistakes| panic!("{}", show(&mistakes)))
}

/// All mistakes of a file, drawn.
fn mistakes(text: &str) -> String {
    show(&read(text).expect_err("this file has mistakes"))
}

fn show(mistakes: &[Diagnostic]) -> String {
    mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
}
