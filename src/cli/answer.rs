//! What a running server answered, printed: as it is, or in words in which nothing acts on the terminal.

use serde_json::Value;

use super::args::Output;
use super::client::Failure;
use super::exit::{Exit, say};
use super::table;
use crate::model::Timestamp;
use crate::render::clean::{clean, short};

/// Prints an answer as it is, or in words.
pub(super) fn print(output: Output, answer: &Value, text: impl FnOnce(&Value) -> String) -> Exit {
    let shown = match output {
        Output::Json => format!("{answer}\n"),
        Output::Text => text(answer),
    };
    // Whoever closed our output knows enough.
    let _ = say(&shown);
    Exit::Fine
}

/// Prints what an order was answered; where several streams may be meant, their names.
pub(super) fn show(answer: Result<Value, Failure>, output: Output) -> Exit {
    match answer {
        Ok(answer) => {
            print(output, &answer, |answer| format!("{}\n", lines(answer["text"].as_str().unwrap_or("done"))))
        }
        Err(failure) => failure.exit(),
    }
}

/// The things of a list.
pub(super) fn items(answer: &Value) -> &[Value] {
    answer["items"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A field of text, harmless.
pub(super) fn word(item: &Value, field: &str) -> String {
    short(item[field].as_str().unwrap_or_default(), 80)
}

/// A field that is a time.
pub(super) fn time(item: &Value, field: &str) -> Option<String> {
    item[field].as_i64().map(|at| table::moment(Timestamp(at)))
}

/// Several lines, each harmless: the server may be anybody's.
fn lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}
