//! `audit`: the commands on record, with who gave them, where, and what came of them.

use clap::Args;
use serde_json::Value;

use super::answer::{items, print, time, word};
use super::args::Output;
use super::client::Server;
use super::exit::Exit;

const EXAMPLES: &str = "Examples:
  pushwatch audit
  pushwatch audit --limit 20 --before 118 --output json

Exit status: 0 answered, 2 usage, 3 the server can't be reached.";

/// List the commands given in chats, by terminals and by programs, newest first
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct AuditArgs {
    /// Those before this number: the next page
    #[arg(long, env = "PUSHWATCH_BEFORE", value_name = "ID")]
    before: Option<u64>,
    /// How many
    #[arg(long, env = "PUSHWATCH_LIMIT", value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    #[command(flatten)]
    server: Server,
    /// How to print the answer
    #[arg(long, env = "PUSHWATCH_OUTPUT", value_enum, default_value = "text")]
    output: Output,
}

/// Asks and prints.
pub(super) fn run(args: &AuditArgs) -> Exit {
    let (limit, before) = (args.limit.to_string(), args.before.map(|id| id.to_string()));
    let mut query = vec![("limit", limit.as_str())];
    query.extend(before.as_deref().map(|before| ("before", before)));
    match args.server.get("audit", &query) {
        Ok(answer) => print(args.output, &answer, text),
        Err(failure) => failure.exit(),
    }
}

/// Two lines a command: what was asked for, and what was answered.
fn text(answer: &Value) -> String {
    let mut text = String::new();
    for item in items(answer) {
        let (at, who, place) = (time(item, "at").unwrap_or_default(), word(item, "who"), word(item, "place"));
        let (what, verdict) =
            (crate::render::clean::short(item["what"].as_str().unwrap_or_default(), 200), word(item, "verdict"));
        let said = crate::render::clean::short(item["answer"].as_str().unwrap_or_default(), 200);
        text.push_str(&format!("{at}  {who} in {place}: {what}\n  {verdict}: {said}\n"));
    }
    match answer["next"].as_u64() {
        _ if text.is_empty() => "no command was given yet\n".to_owned(),
        Some(next) => format!("{text}there is more: --before {next}\n"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn commands_are_shown_with_who_where_what_and_result() {
        let item = json!({
            "id": 3, "at": 1_700_000_000_000i64, "who": "U1 ann\u{202e}", "place": "ops", "what": "mute cam1 2h",
            "verdict": "done", "answer": "Muted until 12:00:00␤Covers now: 1 stream",
        });
        insta::assert_snapshot!(text(&json!({ "items": [item], "next": 3 })));
        assert_eq!(text(&json!({ "items": [], "next": null })), "no command was given yet\n");
    }
}
