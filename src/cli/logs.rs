//! Logs to standard error: text for people, JSON for collectors.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Starts logging; called once. `filter` is a level or a list like `info,pushwatch::deliver=debug`.
///
/// # Errors
/// Says what is wrong with the filter.
pub(super) fn start(format: LogFormat, filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("--log: {error}"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match format {
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
        // Colours only where somebody looks on (and has not set NO_COLOR: the library sees to that).
        LogFormat::Text if !io::stderr().is_terminal() => lines.with_ansi(false).finish().try_init(),
        LogFormat::Text => lines.finish().try_init(),
    };
    started.map_err(|error| error.to_string())
}
