//! Recorded callbacks read in order beside a running server, for `export`: no lock, and no read longer than a page.

use std::collections::VecDeque;
use std::path::Path;

use bytes::Bytes;
use rusqlite::Connection;

use super::error::{Fault, int};
use super::packed::unpack_bodies;
use super::{Archive, OpenError, journal, schema};
use crate::model::{Seq, Timestamp};
use crate::store::StoreError;

/// Journal rows read at once; the log of a running server is held no longer than that takes.
const PAGE: i64 = 16;

/// A callback as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its place in the journal.
    pub seq: Seq,
    /// When it was kept.
    pub received_at: Timestamp,
    /// Its body: JSON without `t` and `sign`, secrets masked.
    pub body: Bytes,
}

/// Goes through recorded callbacks, oldest first, up to those kept while it runs.
#[derive(Debug)]
pub struct Scan {
    conn: Connection,
    /// The row to begin with and everything after.
    next: Seq,
    page: VecDeque<Recorded>,
    is_done: bool,
}

impl Scan {
    /// Begins with what was received at `since` or later; with everything for `None`.
    ///
    /// # Errors
    /// [`OpenError`] if there is no database in the folder or it can't be read.
    pub fn open(dir: &Path, since: Option<Timestamp>) -> Result<Scan, OpenError> {
        let (conn, file) = Archive::open(dir)?.into_parts();
        let first = match since {
            Some(since) => journal::first_since(&conn, since),
            None => journal::tail(&conn),
        };
        let first = first.map_err(|fault| schema::refusal(&file, &fault))?;
        let next = first.map_or(Seq(0), |span| span.first);
        Ok(Scan { conn, next, page: VecDeque::new(), is_done: first.is_none() })
    }

    fn read(&mut self) -> Result<(), Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT first_seq, count, at, bodies FROM journal WHERE first_seq >= ? ORDER BY first_seq LIMIT ?",
        )?;
        let mut rows = statement.query((int(self.next.0), PAGE))?;
        let mut read = 0;
        while let Some(row) = rows.next()? {
            let span = journal::span(row)?;
            let bodies = unpack_bodies(journal::blob(row, 3)?)?;
            let recorded = (span.first.0..).zip(bodies).filter(|(_, body)| !body.is_empty());
            let recorded = recorded.map(|(seq, body)| Recorded { seq: Seq(seq), received_at: span.at, body });
            self.page.extend(recorded);
            self.next = Seq(span.last.0 + 1);
            read += 1;
        }
        self.is_done = read < PAGE;
        Ok(())
    }
}

impl Iterator for Scan {
    type Item = Result<Recorded, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.page.is_empty() && !self.is_done {
            if let Err(fault) = self.read() {
                self.is_done = true;
                return Some(Err(fault.into()));
            }
        }
        self.page.pop_front().map(Ok)
    }
}
