//! Connections that read beside the writer, each for one short read at a time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;

use super::error::Fault;
use super::queue::lock;
use super::schema;
use crate::store::StoreError;

/// Connections kept open while nobody reads.
const IDLE: usize = 4;

/// A few read-only connections.
#[derive(Debug)]
pub(super) struct Readers {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// None yet.
    pub(super) fn new(file: PathBuf) -> Readers {
        Readers { file, idle: Mutex::default() }
    }

    /// Reads on a thread that may block. All that is read at once is of one moment.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.clone();
        match tokio::task::spawn_blocking(move || readers.read_here(read)).await {
            Ok(result) => result.map_err(StoreError::from),
            Err(error) => Err(StoreError::Failed(error.to_string().into())),
        }
    }

    /// Reads on this thread.
    pub(super) fn read_here<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let idle = lock(&self.idle).pop();
        let conn = match idle {
            Some(conn) => conn,
            None => schema::open_reader(&self.file)?,
        };
        let moment = conn.unchecked_transaction()?;
        let result = read(&moment)?;
        moment.commit()?;
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE {
            idle.push(conn);
        }
        Ok(result)
    }

    /// Closes them all.
    pub(super) fn close(&self) {
        lock(&self.idle).clear();
    }
}
