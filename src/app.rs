//! Composition root: builds the rooms, starts them, stops them in reverse order.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::metrics::Metrics;

/// What `serve` and `demo` start the bot with.
#[derive(Debug)]
pub struct Settings {
    /// rules.yaml.
    pub rules_file: PathBuf,
    /// Folder of the operator's own templates.
    pub templates: Option<PathBuf>,
    /// Folder for everything that must survive a restart.
    pub data_dir: PathBuf,
    /// The callback door.
    pub listen: SocketAddr,
    /// The operators' door.
    pub admin_listen: SocketAddr,
    /// What operators must show.
    pub admin_token: Option<SecretString>,
    /// How long callbacks are kept.
    pub retention: Duration,
    /// How large the journal may grow.
    pub max_bytes: u64,
}

/// Why the bot could not start, or had to end.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AppError(String);

/// The running bot.
#[derive(Debug)]
pub struct App {
    /// Where callbacks come in.
    pub listen: SocketAddr,
    /// Where operators come in.
    pub admin: SocketAddr,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Starts the bot.
///
/// # Errors
/// Says what is missing.
pub async fn start(settings: Settings) -> Result<App, AppError> {
    Err(AppError(format!("{} can't be served yet", settings.rules_file.display())))
}

impl App {
    /// Serves until `stop` resolves.
    ///
    /// # Errors
    /// Says what broke.
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send) -> Result<(), AppError> {
        stop.await;
        Ok(())
    }
}
