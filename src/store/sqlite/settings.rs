//! Where the store keeps its files and how much of what.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of [`super::Sqlite`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder; made (mode 0700) if absent.
    pub dir: PathBuf,
    /// How long callbacks, finished notifications and closed incidents are kept.
    pub retention: Duration,
    /// Size of database and log together, in bytes, at which old callbacks go before their time.
    pub max_bytes: u64,
    /// Size in bytes at which the database refuses to grow, whatever for; that is then handled like a full disk.
    pub hard_bytes: Option<u64>,
    /// How long a callback's identity is remembered: the door's `max_validity` + skew + 20 minutes.
    pub dedup_horizon: Duration,
    /// Appends that may wait for the writer; more are refused at once.
    pub queue: usize,
    /// Bytes of bodies that may wait for the writer; more are refused at once.
    pub queue_bytes: usize,
    /// Entries kept in memory for an engine that lags; older ones are read back from disk.
    pub tail: usize,
    /// Estimated bytes of those entries.
    pub tail_bytes: usize,
    /// Size in bytes of a file that is given up when the disk is full, so that pruning can still run.
    pub reserve_bytes: u64,
    /// Size of the write-ahead log, in bytes, at which it is copied into the database. Four times as much is the
    /// most that is let happen before the writer stops and does it itself.
    pub wal_bytes: u64,
}

impl Settings {
    /// The defaults for a folder: 72 hours, 2 GiB, and a horizon that fits the door's defaults.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Settings {
        Settings {
            dir: dir.into(),
            retention: Duration::from_secs(72 * 3600),
            max_bytes: 2 << 30,
            hard_bytes: None,
            dedup_horizon: Duration::from_secs(30 * 60 + 60 + 20 * 60),
            queue: 16_384,
            queue_bytes: 64 << 20,
            tail: 16_384,
            tail_bytes: 16 << 20,
            reserve_bytes: 8 << 20,
            wal_bytes: 16 << 20,
        }
    }

    /// Small numbers for tests.
    #[must_use]
    pub fn for_testing(dir: impl Into<PathBuf>) -> Settings {
        Settings { reserve_bytes: 64 << 10, tail: 64, wal_bytes: 256 << 10, ..Settings::new(dir) }
    }
}
