//! `deliveries` and `retry`: what channels are owed, were told and never got, and sending the last of these anew.

use std::fmt::Write as _;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::args::Output;
use super::client::Server;
use super::exit::{Exit, say};
use super::table::{moment, name, number};
use crate::model::Timestamp;
use crate::render::clean::short;

const LIST_EXAMPLES: &str = "Examples:
  pushwatch deliveries --dead
  pushwatch deliveries --state pending --channel ops
  pushwatch deliveries --dead --output json

Newest first. Exit status: 0 listed, 2 usage, 3 the server can't be reached.";

const RETRY_EXAMPLES: &str = "Examples:
  pushwatch retry 1234
  pushwatch retry --channel ops

Only what was given up (`pushwatch deliveries --dead`) is sent anew, as it is now. Mend the channel first and see with
`pushwatch notify CHANNEL` that it works.
Exit status: 0 on its way, 1 not so, 2 usage, 3 the server can't be reached.";

/// Longest sentence shown, in characters.
const SENTENCE: usize = 240;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum State {
    /// Waits, or is being sent
    Pending,
    /// Has its outcome
    Sent,
    /// Given up
    Dead,
}

/// List what channels are owed and were told, and what was given up
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(super) struct DeliveriesArgs {
    /// Only what was given up
    #[arg(long, env = "PUSHWATCH_DEAD", conflicts_with = "state")]
    dead: bool,
    /// Only those in this state
    #[arg(long, env = "PUSHWATCH_STATE", value_enum, value_name = "STATE")]
    state: Option<State>,
    /// Only those of this channel
    #[arg(long, env = "PUSHWATCH_CHANNEL", value_name = "NAME")]
    channel: Option<String>,
    /// How many
    #[arg(long, env = "PUSHWATCH_LIMIT", value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Those before this number: where the page before ended
    #[arg(long, env = "PUSHWATCH_BEFORE", value_name = "ID")]
    before: Option<u64>,
    #[command(flatten)]
    server: Server,
    /// How to print the list
    #[arg(long, env = "PUSHWATCH_OUTPUT", value_enum, default_value = "text")]
    output: Output,
}

/// Send anew what was given up
#[derive(Debug, Args)]
#[command(after_help = RETRY_EXAMPLES)]
pub(super) struct RetryArgs {
    /// The delivery's number
    #[arg(value_name = "ID", required_unless_present = "channel", conflicts_with = "channel")]
    id: Option<u64>,
    /// All that was given up of this channel
    #[arg(long, env = "PUSHWATCH_CHANNEL", value_name = "NAME")]
    channel: Option<String>,
    #[command(flatten)]
    server: Server,
    /// How to print the answer
    #[arg(long, env = "PUSHWATCH_OUTPUT", value_enum, default_value = "text")]
    output: Output,
}

/// The server's answer, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Item>,
    next: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Item {
    id: u64,
    channel: String,
    state: String,
    outcome: Option<String>,
    news: String,
    severity: String,
    stream: Option<String>,
    #[serde(default)]
    notice: Value,
    /// The number of a digest, for a row about one.
    digest: Option<u64>,
    stands_in: Option<String>,
    at: Timestamp,
    attempts: u32,
    error: Option<String>,
    possible_duplicate: bool,
}

/// Asks and prints.
pub(super) fn list(args: &DeliveriesArgs) -> Exit {
    let state = match (args.dead, args.state) {
        (true, _) | (_, Some(State::Dead)) => Some("dead"),
        (_, Some(State::Pending)) => Some("pending"),
        (_, Some(State::Sent)) => Some("sent"),
        (false, None) => None,
    };
    let (limit, before) = (args.limit.to_string(), args.before.map(|before| before.to_string()));
    let mut query = vec![("limit", limit.as_str())];
    query.extend(state.map(|state| ("state", state)));
    query.extend(args.channel.as_deref().map(|channel| ("channel", channel)));
    query.extend(before.as_deref().map(|before| ("before", before)));
    let answer = match args.server.get("deliveries", &query) {
        Ok(answer) => answer,
        Err(failure) => return failure.exit(),
    };
    let shown = match args.output {
        Output::Json => Ok(format!("{answer}\n")),
        Output::Text => serde_json::from_value(answer).map(|page| text(&page)),
    };
    print(shown.ok())
}

/// Orders and says what is on its way.
pub(super) fn retry(args: &RetryArgs) -> Exit {
    let answer = match (args.id, &args.channel) {
        (Some(id), _) => args.server.post(&format!("deliveries/{id}/retry")),
        (None, Some(channel)) => match plain(channel) {
            true => args.server.post(&format!("channels/{channel}/retry")),
            false => return Exit::usage(no_such_name(channel)),
        },
        (None, None) => return Exit::usage("say which delivery, or --channel NAME"),
    };
    let count = match answer {
        Ok(answer) => answer.get("retried").and_then(Value::as_u64),
        Err(failure) => return failure.exit(),
    };
    print(count.map(|count| match args.output {
        Output::Json => format!("{}\n", json!({ "retried": count })),
        Output::Text => match count {
            0 => "nothing was given up there\n".to_owned(),
            1 => "1 delivery is on its way again\n".to_owned(),
            count => format!("{} deliveries are on their way again\n", number(count)),
        },
    }))
}

/// Whether a text can be a channel's name, and so be written into an address as it is.
pub(super) fn plain(channel: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    // Dots alone are places in an address, not names.
    channel.chars().any(|c| c != '.') && channel.chars().all(is_plain)
}

/// What to say of one that can't.
pub(super) fn no_such_name(channel: &str) -> String {
    format!("{} is no channel's name: those have letters, digits, _ - and . alone", name(channel))
}

/// Prints, unless the answer could not be read.
fn print(shown: Option<String>) -> Exit {
    match shown {
        Some(shown) => {
            // Whoever closed our output knows enough.
            let _ = say(&shown);
            Exit::Fine
        }
        None => Exit::wrong("the server's answer can't be read: it is of another version"),
    }
}

/// For people: two lines a delivery at most.
fn text(page: &Page) -> String {
    let mut text = String::new();
    if page.items.is_empty() {
        text.push_str("none\n");
    }
    for item in &page.items {
        let state = item.outcome.as_deref().unwrap_or(&item.state).replace('_', " ");
        // Writing to a String can't fail.
        let _ = writeln!(
            text,
            "{}  {}  {}  {state}  {} {}  {}",
            item.id,
            moment(item.at),
            name(&item.channel),
            item.severity,
            item.news,
            about(item),
        );
        let mut rest = Vec::new();
        rest.extend(item.stands_in.as_deref().map(|channel| format!("in the place of {}", name(channel))));
        if item.attempts > 0 {
            rest.push(match item.attempts {
                1 => "1 call".to_owned(),
                calls => format!("{} calls", number(u64::from(calls))),
            });
        }
        if item.possible_duplicate {
            rest.push("perhaps told twice".to_owned());
        }
        rest.extend(item.error.as_deref().map(|error| short(error, SENTENCE)));
        if !rest.is_empty() {
            let _ = writeln!(text, "    {}", rest.join("; "));
        }
    }
    if let Some(next) = page.next {
        let _ = writeln!(text, "\nthere may be more: --before {next}");
    }
    text
}

/// The stream, or which notice.
fn about(item: &Item) -> String {
    let notice = match &item.notice {
        Value::String(kind) => Some(kind.as_str()),
        Value::Object(map) => map.keys().next().map(String::as_str),
        _ => None,
    };
    match (&item.stream, notice, item.digest) {
        (Some(stream), ..) => name(stream),
        (None, Some(kind), _) => format!("about pushwatch: {}", name(kind)),
        (None, None, Some(digest)) => format!("digest {digest}"),
        (None, None, None) => "a group that is no longer kept".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let item = |id: u64, state: &str, outcome: Value, more: Value| {
            let mut item = json!({
                "id": id, "channel": "ops", "state": state, "outcome": outcome, "news": "opened",
                "severity": "critical", "stream": "push.example.com/live/cam1\u{1b}[2J", "notice": null,
                "stands_in": null, "at": 1_700_000_000_000i64, "attempts": 0, "error": null,
                "possible_duplicate": false,
            });
            item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            item
        };
        let items = [
            item(1234, "dead", json!("dead"), json!({ "attempts": 12, "error": "Slack says channel_not_found" })),
            item(1233, "done", json!("sent_plain"), json!({ "attempts": 1, "possible_duplicate": true })),
            item(1232, "pending", Value::Null, json!({ "stands_in": "oncall" })),
            item(1231, "pending", Value::Null, json!({ "stream": null, "notice": { "DeadLetters": { "count": 3 } } })),
            item(1230, "done", json!("void"), json!({ "stream": null })),
        ];
        serde_json::from_value(json!({ "items": items, "next": 1230 })).unwrap()
    }

    #[test]
    fn a_list_reads_like_a_list() {
        insta::assert_snapshot!(text(&page()));
        assert_eq!(text(&Page { items: Vec::new(), next: None }), "none\n");
    }

    #[test]
    fn only_plain_names_are_written_into_an_address() {
        assert!(plain("ops-2_a.b"));
        for name in ["", "a/b", "..", "a b", "流", "a?b"] {
            assert!(!plain(name), "{name}");
        }
    }
}
