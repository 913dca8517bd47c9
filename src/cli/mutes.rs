//! `mutes`, `mute` and `unmute`: what is kept still, from a terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::answer::{items, print, show, time, word};
use super::args::{Author, Output};
use super::client::{Failure, Server};
use super::exit::Exit;
use super::table::{Table, name};

const MUTES: &str = "Example:
  pushwatch mutes

Exit status: 0 answered, 2 usage, 3 the server can't be reached.";

const MUTE: &str = "Examples:
  pushwatch mute cam1 2h encoder is being replaced
  pushwatch mute 'push.example.com/live/cam*' 30m
  pushwatch mute '{stream=~\"live_.*\", rule=\"gop_too_large\"}' 1d12h --yes

What covers more than 20 streams is asked back; --yes says that it is meant.
Exit status: 0 muted, 1 refused, 2 usage, 3 the server can't be reached.";

const UNMUTE: &str = "Example:
  pushwatch unmute 12

Exit status: 0 lifted, 1 no such mute, 2 usage, 3 the server can't be reached.";

/// List the mutes in force, those that stand in the rules among them
#[derive(Debug, Args)]
#[command(after_help = MUTES)]
pub(super) struct MutesArgs {
    #[command(flatten)]
    server: Server,
    /// How to print the answer
    #[arg(long, env = "PUSHWATCH_OUTPUT", value_enum, default_value = "text")]
    output: Output,
}

/// Keep still about a stream, or many, for a while
#[derive(Debug, Args)]
#[command(after_help = MUTE)]
pub(super) struct MuteArgs {
    /// A stream's id, its full name with * for any text, or matchers
    #[arg(value_name = "TARGET")]
    target: String,
    /// For how long: 30m, 2h, 1d12h; at most 30d
    #[arg(value_name = "DURATION")]
    duration: String,
    /// Why
    #[arg(value_name = "REASON")]
    reason: Vec<String>,
    /// It is meant, however many streams it covers
    #[arg(long, env = "PUSHWATCH_YES")]
    yes: bool,
    #[command(flatten)]
    author: Author,
    #[command(flatten)]
    server: Server,
    /// How to print the answer
    #[arg(long, env = "PUSHWATCH_OUTPUT", value_enum, default_value = "text")]
    output: Output,
}

/// Lift a mute
#[derive(Debug, Args)]
#[command(after_help = UNMUTE)]
pub(super) struct UnmuteArgs {
    /// The mute's number
    #[arg(value_name = "ID")]
    id: u64,
    #[command(flatten)]
    author: Author,
    #[command(flatten)]
    server: Server,
    /// How to print the answer
    #[arg(long, env = "PUSHWATCH_OUTPUT", value_enum, default_value = "text")]
    output: Output,
}

/// Asks and prints.
pub(super) fn run(args: &MutesArgs) -> Exit {
    match args.server.get("mutes", &[]) {
        Ok(answer) => print(args.output, &answer, text),
        Err(failure) => failure.exit(),
    }
}

/// Orders, asks back where that is due, and prints.
pub(super) fn mute(args: &MuteArgs) -> Exit {
    let reason = args.reason.join(" ");
    let order = |confirm: bool| {
        let body = json!({
            "target": args.target, "duration": args.duration, "reason": reason, "author": args.author.name(),
            "confirm": confirm,
        });
        args.server.order(Method::POST, "mutes", Some(&body))
    };
    let answer = match order(args.yes) {
        Err(Failure::Refused { body, .. }) if body["confirm"] == json!(true) => match is_meant(&body) {
            Some(true) => order(true),
            Some(false) => return Exit::wrong("nothing was muted"),
            None => return Exit::wrong(format!("{}\nIf it is meant, say --yes", covers(&body))),
        },
        answer => answer,
    };
    show(answer, args.output)
}

/// Orders and prints.
pub(super) fn unmute(args: &UnmuteArgs) -> Exit {
    let author = args.author.name().unwrap_or_default();
    let mut page = reqwest::Url::parse("http://localhost/").ok();
    let query = page.as_mut().map(|url| {
        url.query_pairs_mut().append_pair("author", &author);
        url.query().unwrap_or_default().to_owned()
    });
    let page = format!("mutes/{}?{}", args.id, query.unwrap_or_default());
    show(args.server.order(Method::DELETE, &page, None), args.output)
}

/// Whether a wide mute is meant; `None` if nobody is there to be asked.
fn is_meant(body: &Value) -> Option<bool> {
    if !io::stdin().is_terminal() {
        return None;
    }
    // Nobody to ask when standard error itself is gone.
    write!(io::stderr(), "{}\nMute them? [y/N] ", covers(body)).ok()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).ok()?;
    Some(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

fn covers(body: &Value) -> String {
    let covers = &body["covers"];
    let some: Vec<String> =
        covers["some"].as_array().into_iter().flatten().filter_map(Value::as_str).map(name).collect();
    format!("This covers {} streams, {} firing: {}, …", covers["streams"], covers["firing"], some.join(", "))
}

fn text(answer: &Value) -> String {
    let mut table = Table::default();
    for item in items(answer) {
        table.row([
            format!("#{}", item["id"]),
            word(item, "matchers"),
            format!("until {}", time(item, "until").unwrap_or_default()),
            word(item, "author"),
            word(item, "reason"),
        ]);
    }
    let standing = answer["standing"].as_array().map(Vec::as_slice).unwrap_or_default();
    for item in standing {
        let until = if item["at_times"] == json!(true) { "at times" } else { "always" };
        let (matchers, reason) = (word(item, "matchers"), word(item, "reason"));
        table.row(["-".to_owned(), matchers, until.to_owned(), "rules.yaml".to_owned(), reason]);
    }
    match (items(answer), standing) {
        ([], []) => "nothing is muted\n".to_owned(),
        _ => table.text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutes_are_shown_in_columns() {
        let answer = json!({
            "items": [{ "id": 7, "matchers": "stream=\"cam1\"", "until": 1_700_000_000_000i64, "author": "ann\u{1b}",
                        "reason": "encoder" }],
            "standing": [{ "matchers": "path=\"test\"", "reason": "tests", "at_times": true }],
        });
        insta::assert_snapshot!(text(&answer));
        assert_eq!(text(&json!({ "items": [], "standing": [] })), "nothing is muted\n");
    }
}
