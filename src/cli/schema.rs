//! `schema`: the JSON Schema of rules.yaml, for editors.

use clap::Args;

use super::exit::{Exit, say};
use crate::rules::schema;

const EXAMPLES: &str = "Example:
  pushwatch schema > docs/rules.schema.json

With this as the first line of rules.yaml, editors that know YAML complete and explain its keys:
  # yaml-language-server: $schema=docs/rules.schema.json";

/// Print the JSON Schema of rules.yaml, with which editors complete and explain its keys
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SchemaArgs {}

/// Prints it.
pub(super) fn run(_args: &SchemaArgs) -> Exit {
    // Whoever closed our output knows enough.
    let _ = say(&format!("{:#}\n", schema::json()));
    Exit::Fine
}
