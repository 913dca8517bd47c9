//! `incidents` and `ack`: what is wrong, and "I have it".

use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::answer::{items, print, show, time, word};
use super::args::{Author, Output};
use super::client::Server;
use super::exit::Exit;
use super::table::{Table, name, number};

const INCIDENTS: &str = "Examples:
  pushwatch incidents
  pushwatch incidents --state all --stream cam1 --limit 20 --output json

Exit status: 0 answered, 1 refused, 2 usage, 3 the server can't be reached.";

const ACK: &str = "Examples:
  pushwatch ack 12
  pushwatch ack 12 --author ann

Exit status: 0 done, 1 no such incident or over already, 2 usage, 3 the server can't be reached.";

/// List incidents, newest first: what fires now, unless another state is asked for
#[derive(Debug, Args)]
#[command(after_help = INCIDENTS)]
pub(super) struct IncidentsArgs {
    /// Those in this state
    #[arg(long, env = "PUSHWATCH_STATE", value_enum, default_value = "firing")]
    state: States,
    /// Those of this stream: its id, or its full name DOMAIN/PATH/STREAM
    #[arg(long, env = "PUSHWATCH_STREAM", value_name = "STREAM")]
    stream: Option<String>,
    /// Those of this rule
    #[arg(long, env = "PUSHWATCH_RULE", value_name = "NAME")]
    rule: Option<String>,
    /// Those before this number: the next page
    #[arg(long, env = "PUSHWATCH_BEFORE", value_name = "ID")]
    before: Option<u64>,
    /// How many
    #[arg(long, env = "PUSHWATCH_LIMIT", value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    #[command(flatten)]
    server: Server,
    /// How to print the answer
    #[arg(long, env = "PUSHWATCH_OUTPUT", value_enum, default_value = "text")]
    output: Output,
}

/// States to choose from.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum States {
    Firing,
    Pending,
    Resolved,
    /// Pending and firing
    Open,
    All,
}

/// Say that you have an incident in hand: no more reminders until it is over or grows worse
#[derive(Debug, Args)]
#[command(after_help = ACK)]
pub(super) struct AckArgs {
    /// The incident's number
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
pub(super) fn run(args: &IncidentsArgs) -> Exit {
    let (limit, before) = (args.limit.to_string(), args.before.map(|id| id.to_string()));
    let state = args.state.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let mut query = vec![("state", state.as_str()), ("limit", limit.as_str())];
    let more = [("stream", &args.stream), ("rule", &args.rule), ("before", &before)];
    query.extend(more.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
    match args.server.get("incidents", &query) {
        Ok(answer) => print(args.output, &answer, text),
        Err(failure) => failure.exit(),
    }
}

/// Orders and prints.
pub(super) fn ack(args: &AckArgs) -> Exit {
    let page = format!("incidents/{}/ack", args.id);
    show(args.server.order(Method::POST, &page, Some(&json!({ "author": args.author.name() }))), args.output)
}

fn text(answer: &Value) -> String {
    let items = items(answer);
    let mut table = Table::default();
    for item in items {
        let resolved = time(item, "resolved_at").map(|at| format!("over {at}"));
        let held = [("ack", "has it"), ("muted_until", "muted")].into_iter().find_map(|(key, word)| match key {
            "ack" => item.get(key)?.get("by")?.as_str().map(|who| format!("{} {word}", name(who))),
            _ => item.get(key).map(|_| word.to_owned()),
        });
        table.row([
            format!("#{}", item["id"]),
            word(item, "severity"),
            word(item, "state"),
            word(item, "stream"),
            word(item, "rule"),
            time(item, "since").unwrap_or_default(),
            format!("× {}", number(item["count"].as_u64().unwrap_or(0))),
            resolved.or(held).unwrap_or_default(),
        ]);
    }
    let mut text = if items.is_empty() { "nothing found\n".to_owned() } else { table.text() };
    if let Some(next) = answer["next"].as_u64() {
        text.push_str(&format!("there may be more: --before {next}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incidents_are_shown_in_columns_and_hostile_names_do_not_act() {
        let item = |id: u64, more: Value| {
            let mut item = json!({
                "id": id, "severity": "critical", "state": "firing", "stream": "d/live/cam1\u{1b}[2J", "rule": "gop",
                "since": 1_700_000_000_000i64, "count": 1234, "resolved_at": null,
            });
            for (key, value) in more.as_object().unwrap() {
                item[key] = value.clone();
            }
            item
        };
        let items = [
            item(12, json!({ "ack": { "by": "ann\n", "at": 1 } })),
            item(9, json!({ "state": "resolved", "resolved_at": 1_700_000_090_000i64 })),
        ];
        let shown = text(&json!({ "items": items, "next": 9 }));
        insta::assert_snapshot!(shown);
        assert_eq!(text(&json!({ "items": [], "next": null })), "nothing found\n");
    }
}
