//! Read-only walk through the journal, beside a running server.

use std::path::Path;

use bytes::Bytes;

use super::StoreError;
use crate::model::{Seq, Timestamp};

/// Entries in order.
#[derive(Debug)]
pub struct Scan(());

impl Scan {
    /// Opens the data folder for reading.
    ///
    /// # Errors
    /// There is no journal in it.
    pub fn open(dir: &Path, since: Option<Timestamp>) -> Result<Scan, StoreError> {
        let _ = since;
        Err(StoreError::Failed(format!("{} can't be read yet", dir.display()).into()))
    }
}

impl Iterator for Scan {
    type Item = Result<(Seq, Timestamp, Bytes), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}
