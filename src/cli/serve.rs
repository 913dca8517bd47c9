//! `serve`: the bot, from its arguments to the line that says it is ready, until a signal ends it.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};

use super::args::{duration, size};
use super::exit::{Exit, say};
use crate::admin;
use crate::app::{self, App, HangUp, Settings, Templates};

const EXAMPLES: &str = "Examples:
  pushwatch serve --config rules.yaml --data-dir /var/lib/pushwatch
  PUSHWATCH_ADMIN_TOKEN=… pushwatch serve --config rules.yaml --admin-listen 0.0.0.0:8081

When it is ready it prints one line: ready listen=http://IP:PORT admin=http://IP:PORT
Saving rules.yaml or a template, SIGHUP and POST /api/v1/reload put the files in force without a restart.
SIGTERM and SIGINT end it: what is being sent is finished, the rest is kept for the next start.";

/// Take callbacks, judge them by rules.yaml, and tell people
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServeArgs {
    /// The rules: who is told what, when
    #[arg(long, env = "PUSHWATCH_CONFIG", value_name = "FILE", default_value = "rules.yaml")]
    config: PathBuf,
    /// Folder of your own message templates; the built-in ones serve what is not in it
    #[arg(long, env = "PUSHWATCH_TEMPLATES", value_name = "DIR", default_value = "templates")]
    templates: PathBuf,
    /// Folder for everything that must survive a restart
    #[arg(long, env = "PUSHWATCH_DATA_DIR", value_name = "DIR", default_value = "data")]
    data_dir: PathBuf,
    /// Where callbacks come in; port 0 takes a free one
    #[arg(long, env = "PUSHWATCH_LISTEN", value_name = "IP:PORT", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Where operators come in; needs a token unless it is a loopback address
    #[arg(long, env = "PUSHWATCH_ADMIN_LISTEN", value_name = "IP:PORT", default_value = "127.0.0.1:8081")]
    admin_listen: SocketAddr,
    /// What operators must show as `Authorization: Bearer …`; better given by the variable than here
    #[arg(long, env = "PUSHWATCH_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    admin_token: Option<SecretString>,
    /// How long callbacks are kept
    #[arg(long, env = "PUSHWATCH_RETENTION", value_name = "DURATION", default_value = "72h", value_parser = duration)]
    retention: Duration,
    /// How large the journal of callbacks may grow
    #[arg(long, env = "PUSHWATCH_RETENTION_SIZE", value_name = "SIZE", default_value = "2GiB", value_parser = size)]
    retention_size: u64,
}

impl ServeArgs {
    fn into_settings(self) -> Settings {
        Settings {
            rules_file: self.config,
            templates: templates_of(self.templates),
            hang_up: HangUp::Reloads,
            data_dir: self.data_dir,
            listen: self.listen,
            admin_listen: self.admin_listen,
            admin_token: self.admin_token,
            retention: self.retention,
            max_bytes: self.retention_size,
        }
    }
}

/// The usual folder need not be there: then the built-in templates serve alone. One that was asked for must be.
fn templates_of(folder: PathBuf) -> Templates {
    match folder == Path::new("templates") {
        true => Templates::PerhapsIn(folder),
        false => Templates::In(folder),
    }
}

/// The folder from which templates are to be read now, if any.
pub(super) fn templates_in(folder: &Path) -> Option<PathBuf> {
    templates_of(folder.to_owned()).folder().map(Path::to_owned)
}

/// Serves until a signal.
pub(super) fn run(args: ServeArgs) -> Exit {
    if let Err(open) = admin::guard(args.admin_listen, args.admin_token.as_ref()) {
        return Exit::usage(open);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Exit::wrong(format_args!("can't start: {error}")),
    };
    runtime.block_on(async {
        // Before anything is started: a signal in the middle of the start must not be lost.
        let stop = match stop_signal() {
            Ok(stop) => stop,
            Err(error) => return Exit::wrong(format_args!("can't listen for signals: {error}")),
        };
        match app::start(args.into_settings()).await {
            Ok(app) => serve(app, stop).await,
            Err(error) => Exit::wrong(error),
        }
    })
}

async fn serve(app: App, stop: impl Future<Output = ()> + Send) -> Exit {
    // Whoever started us may not care to read it.
    let _ = say(&ready_line(app.listen, app.admin));
    match app.run_until(stop).await {
        Ok(()) => Exit::Fine,
        Err(error) => Exit::wrong(error),
    }
}

fn ready_line(listen: SocketAddr, admin: SocketAddr) -> String {
    format!("ready listen=http://{listen} admin=http://{admin}\n")
}

/// Resolves at the first SIGTERM or SIGINT. A second one ends the process at once.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "stopping; once more ends at once");
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(130);
        });
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ServeArgs,
    }

    fn settings(line: &[&str]) -> Settings {
        Line::parse_from([&["serve"], line].concat()).args.into_settings()
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let settings = settings(&[]);
        assert_eq!(settings.rules_file, Path::new("rules.yaml"));
        assert_eq!(settings.data_dir, Path::new("data"));
        assert_eq!(settings.listen.to_string(), "0.0.0.0:8080");
        assert_eq!(settings.admin_listen.to_string(), "127.0.0.1:8081");
        assert_eq!(settings.retention, Duration::from_secs(72 * 3600));
        assert_eq!(settings.max_bytes, 2 << 30);
        assert!(settings.admin_token.is_none());
    }

    #[test]
    fn a_missing_folder_is_fine_only_where_nobody_asked_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let (there, missing) = (folder.path().to_owned(), folder.path().join("none"));
        assert_eq!(templates_in(&there), Some(there));
        assert_eq!(templates_in(&missing), Some(missing), "the start must fail and say so");
        assert_eq!(templates_in(Path::new("templates")).is_some(), Path::new("templates").exists());
    }

    #[test]
    fn the_ready_line_is_exact() {
        let line = ready_line("127.0.0.1:40001".parse().unwrap(), "[::1]:40002".parse().unwrap());
        assert_eq!(line, "ready listen=http://127.0.0.1:40001 admin=http://[::1]:40002\n");
    }

    #[test]
    fn a_token_is_not_shown_in_debug() {
        let args = Line::parse_from(["serve", "--admin-token", "s3cret"]).args;
        assert!(!format!("{args:?}").contains("s3cret"));
    }
}
