//! A data folder read beside its server: no lock, and no read longer than a page. Entries come decoded, oldest first
//! ([`Entries`]) or from the end backwards ([`Archive::before`]).

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::error::{Fault, int, whole};
use super::folder::{DATABASE, Found, look};
use super::journal::{self, Span};
use super::packed::{CODEC, unpack_all_ids, unpack_bodies, unpack_events};
use super::{OpenError, incidents, schema, shards};
use crate::model::{Entry, Event, EventId, Incident, IncidentId, Input, Seq, Timestamp};
use crate::store::StoreError;

/// Journal rows copied out in one read; the log of a running server is held no longer than that takes.
const PAGE: i64 = 64;

/// Bytes after which a page is full.
const PAGE_BYTES: usize = 4 << 20;

/// Makes the event of a recorded body again, where the decoded form beside it is one of another version.
pub type ReadBody = fn(&[u8], EventId) -> Option<Event>;

/// A data folder opened for reading.
#[derive(Debug)]
pub struct Archive {
    conn: Connection,
    file: PathBuf,
}

/// Where in the journal to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With the oldest entry.
    Start,
    /// With the first that was received at this time or later.
    Time(Timestamp),
    /// With the first row of entries that are none before this one.
    Entry(Seq),
}

/// The columns of a row, taken out so that they are decoded after the read.
#[derive(Debug)]
struct RawRow {
    span: Span,
    codec: i64,
    count: usize,
    ids: Vec<u8>,
    events: Vec<u8>,
    /// Only where the events can't be decoded.
    bodies: Vec<u8>,
}

impl Archive {
    /// Opens the folder beside whoever writes it.
    ///
    /// # Errors
    /// [`OpenError`] if there is no database in the folder or it can't be read.
    pub fn open(dir: &Path) -> Result<Archive, OpenError> {
        let file = dir.join(DATABASE);
        if look(&file)? == Found::Nothing {
            return Err(OpenError::Missing { file });
        }
        let conn = schema::open_reader(&file).map_err(|fault| schema::refusal(&file, &fault))?;
        schema::check_owner(&conn, &file)?;
        Ok(Archive { conn, file })
    }

    /// The value of a key in one of the shared maps (see [`crate::store::Store::table`]).
    ///
    /// # Errors
    /// [`StoreError`] if the database can't be read.
    pub fn value(&self, map: &str, key: &str) -> Result<Option<String>, StoreError> {
        Ok(shards::get(&self.conn, map, key)?)
    }

    /// An incident as it was last written.
    ///
    /// # Errors
    /// [`StoreError`] if the database can't be read.
    pub fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        Ok(incidents::incident(&self.conn, id)?)
    }

    /// The last entry kept so far.
    ///
    /// # Errors
    /// [`StoreError`] if the database can't be read.
    pub fn head(&self) -> Result<Option<Seq>, StoreError> {
        Ok(journal::head(&self.conn)?.map(|span| span.last))
    }

    /// The last stretch of entries that lies whole before `seq`, ascending; empty at the journal's beginning.
    ///
    /// # Errors
    /// [`StoreError`] if the database can't be read.
    pub fn before(&self, seq: Seq, read: ReadBody) -> Result<Vec<Entry>, StoreError> {
        let sql = "SELECT first_seq, count, at, codec, ids, events FROM journal WHERE first_seq < ?1 \
                   ORDER BY first_seq DESC LIMIT ?2";
        let mut rows = self.rows(sql, seq)?;
        rows.reverse();
        let mut entries = Vec::new();
        for row in rows {
            entries.extend(row.decode(read)?.0);
        }
        Ok(entries)
    }

    /// Everything from a point on, up to the last entry kept so far.
    ///
    /// # Errors
    /// [`StoreError`] if the database can't be read.
    pub fn entries(self, from: Begin, read: ReadBody) -> Result<Entries, StoreError> {
        let first = match from {
            Begin::Time(since) => journal::first_since(&self.conn, since)?,
            Begin::Start => journal::tail(&self.conn)?,
            Begin::Entry(seq) => journal::row_from(&self.conn, seq)?,
        };
        let last = journal::head(&self.conn)?;
        let (first, last) = first.zip(last).map_or((Seq(1), Seq(0)), |(first, last)| (first.first, last.last));
        Ok(Entries {
            archive: self,
            read,
            first,
            last,
            next: first,
            page: Vec::new().into_iter(),
            row: Vec::new().into_iter(),
            unreadable: 0,
        })
    }

    /// The connection and the file's name, for a reading of another kind.
    pub(super) fn into_parts(self) -> (Connection, PathBuf) {
        (self.conn, self.file)
    }

    /// Copies rows out, at least one, until the page is full.
    fn rows(&self, sql: &str, seq: Seq) -> Result<Vec<RawRow>, Fault> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query((int(seq.0), PAGE))?;
        let (mut found, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let mut row = RawRow::copy(row)?;
            if row.codec != CODEC {
                row.bodies = self.bodies(row.span.first)?;
            }
            bytes += row.events.len() + row.bodies.len();
            found.push(row);
            if bytes >= PAGE_BYTES {
                break;
            }
        }
        Ok(found)
    }

    fn bodies(&self, first: Seq) -> Result<Vec<u8>, Fault> {
        let mut statement = self.conn.prepare_cached("SELECT bodies FROM journal WHERE first_seq = ?")?;
        Ok(statement.query_row([int(first.0)], |row| row.get(0)).optional()?.unwrap_or_default())
    }
}

impl RawRow {
    fn copy(row: &Row<'_>) -> Result<RawRow, Fault> {
        Ok(RawRow {
            span: journal::span(row)?,
            count: usize::try_from(whole(row.get(1)?)).unwrap_or(0),
            codec: row.get(3)?,
            ids: journal::blob(row, 4)?.to_vec(),
            events: journal::blob(row, 5)?.to_vec(),
            bodies: Vec::new(),
        })
    }

    /// Its entries, and how many there were that nobody can read any more.
    fn decode(self, read: ReadBody) -> Result<(Vec<Entry>, u64), Fault> {
        let (first, received_at) = (self.span.first.0, self.span.at);
        let entry = |(seq, input): (u64, Input)| Entry { seq: Seq(seq), received_at, input };
        if self.codec == CODEC {
            let inputs = unpack_events(self.codec, self.count, &self.ids, &self.events)?;
            return Ok(((first..).zip(inputs).map(entry).collect(), 0));
        }
        // Of another version: callbacks are made from their bodies again, what has none is lost.
        let bodies = unpack_bodies(&self.bodies)?;
        let events = unpack_all_ids(&self.ids).zip(bodies).map(|(id, body)| read(&body, id));
        let inputs = events.map(|event| event.map(|event| Input::Callback(Box::new(event))));
        let read: Vec<Entry> = (first..).zip(inputs).filter_map(|(seq, input)| Some(entry((seq, input?)))).collect();
        let lost = (self.count as u64).saturating_sub(read.len() as u64);
        Ok((read, lost))
    }
}

/// Goes through the decoded entries of a data folder, oldest first.
#[derive(Debug)]
pub struct Entries {
    archive: Archive,
    read: ReadBody,
    first: Seq,
    /// Where the journal ended when this began: a busy server must not keep it going for ever.
    last: Seq,
    next: Seq,
    page: std::vec::IntoIter<RawRow>,
    row: std::vec::IntoIter<Entry>,
    unreadable: u64,
}

impl Entries {
    /// How many there are in all: numbers are given without gaps, but for entries that were refused.
    #[must_use]
    pub fn total(&self) -> u64 {
        (self.last.0 + 1).saturating_sub(self.first.0)
    }

    /// The place of an entry among [`Entries::total`], from 1.
    #[must_use]
    pub fn place(&self, seq: Seq) -> u64 {
        (seq.0 + 1).saturating_sub(self.first.0)
    }

    /// The last of them.
    #[must_use]
    pub fn end(&self) -> Seq {
        self.last
    }

    /// Entries passed over, as they are of another version of pushwatch and have no body to be read from again.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// The folder that they are from.
    #[must_use]
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// The entries of the next row; `None` at the end.
    fn next_row(&mut self) -> Result<Option<Vec<Entry>>, Fault> {
        loop {
            if let Some(row) = self.page.next() {
                let (entries, unreadable) = row.decode(self.read)?;
                self.unreadable += unreadable;
                return Ok(Some(entries));
            }
            if self.next > self.last {
                return Ok(None);
            }
            let sql = "SELECT first_seq, count, at, codec, ids, events FROM journal WHERE first_seq >= ?1 \
                       ORDER BY first_seq LIMIT ?2";
            let page = self.archive.rows(sql, self.next)?;
            self.next = page.last().map_or(Seq(u64::MAX), |row| Seq(row.span.last.0 + 1));
            let last = self.last;
            self.page = page.into_iter().filter(|row| row.span.first <= last).collect::<Vec<_>>().into_iter();
        }
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.row.next() {
                return Some(Ok(entry));
            }
            match self.next_row() {
                Ok(Some(row)) => self.row = row.into_iter(),
                Ok(None) => return None,
                Err(fault) => {
                    // What is damaged is not tried again.
                    (self.next, self.page) = (Seq(u64::MAX), Vec::new().into_iter());
                    return Some(Err(fault.into()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
