//! Where recorded callbacks come from: the journal of a data folder, or JSON lines.

use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lines::{self, Faults, Lines};
use crate::ingest;
use crate::model::{Entry, Event, EventId, IncidentId, Key, Timestamp};
use crate::store::{Archive, Begin, Entries};

/// What is gone through, in order.
#[derive(Debug)]
pub(super) enum Source {
    /// A data folder, also beside its server.
    Journal(Box<Entries>),
    /// A file, and its length.
    Lines(Box<Lines<BufReader<File>>>, u64),
}

/// Which recording, and from when on.
#[derive(Clone, Debug)]
pub(super) enum Recording {
    /// The journal in this data folder.
    Folder(PathBuf),
    /// JSON lines.
    File(PathBuf),
}

/// The stretch that counts, and where it is gone into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// What happens from here on counts; `None` for all of it.
    pub(super) since: Option<Timestamp>,
    /// Entries are read from here on, to fill the windows.
    pub(super) from: Option<Timestamp>,
}

impl Stretch {
    /// From `since` on, after one longest window.
    pub(super) fn new(since: Option<Timestamp>, lookback: Duration) -> Stretch {
        Stretch { since, from: since.map(|since| since - lookback) }
    }
}

impl Recording {
    /// The moment from which on `length` is counted back: now for a journal, its newest line for a file.
    ///
    /// # Errors
    /// In words, if the file can't be read.
    pub(super) fn end(&self, now: Timestamp) -> Result<Timestamp, String> {
        match self {
            Recording::Folder(_) => Ok(now),
            Recording::File(file) => {
                let newest = lines::newest(file).map_err(|error| cannot_read(file, &error))?;
                Ok(newest.unwrap_or(now))
            }
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// In words, if it can't be read.
    pub(super) fn open(&self, from: Option<Timestamp>) -> Result<Source, String> {
        match self {
            Recording::Folder(dir) => {
                let archive = Archive::open(dir).map_err(|error| error.to_string())?;
                let entries = archive
                    .entries(from.map_or(Begin::Start, Begin::Time), read_body)
                    .map_err(|error| error.to_string())?;
                Ok(Source::Journal(Box::new(entries)))
            }
            Recording::File(file) => {
                let opened = Lines::open(file, from).map_err(|error| cannot_read(file, &error))?;
                let length = file.metadata().map_or(0, |meta| meta.len());
                Ok(Source::Lines(Box::new(opened), length))
            }
        }
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        match self {
            Recording::Folder(path) => format!("the journal in {}", path.display()),
            Recording::File(path) => path.display().to_string(),
        }
    }
}

fn cannot_read(file: &Path, error: &std::io::Error) -> String {
    let hint = match error.kind() {
        ErrorKind::NotFound => "; `pushwatch export > FILE` writes one",
        ErrorKind::NotSeekable => "; to count --since back it must be a file, not a pipe",
        _ => "",
    };
    format!("{} can't be read: {error}{hint}", file.display())
}

fn read_body(body: &[u8], id: EventId) -> Option<Event> {
    ingest::recorded(body, id).ok()
}

impl Source {
    /// The next entry.
    ///
    /// # Errors
    /// In words, if the recording can't be read any further.
    pub(super) fn next(&mut self) -> Option<Result<Entry, String>> {
        match self {
            Source::Journal(entries) => entries.next().map(|entry| entry.map_err(|error| error.to_string())),
            Source::Lines(lines, _) => lines.next().map(|entry| entry.map_err(|error| error.to_string())),
        }
    }

    /// How much there is: entries of a journal, bytes of a file.
    pub(super) fn total(&self) -> u64 {
        match self {
            Source::Journal(entries) => entries.total(),
            Source::Lines(_, length) => *length,
        }
    }

    /// How much of it is done, once this entry is.
    pub(super) fn done(&self, entry: &Entry) -> u64 {
        match self {
            Source::Journal(entries) => entries.place(entry.seq),
            Source::Lines(lines, _) => lines.bytes(),
        }
    }

    /// What a number of an acknowledged incident stood for: its rule and what it was about.
    pub(super) fn incident(&self, id: IncidentId) -> Option<(std::sync::Arc<str>, Key)> {
        let Source::Journal(entries) = self else { return None };
        let incident = entries.archive().incident(id).ok()??;
        Some((incident.rule, incident.key))
    }

    /// Entries of a journal that nobody can read any more.
    pub(super) fn unreadable(&self) -> u64 {
        match self {
            Source::Journal(entries) => entries.unreadable(),
            Source::Lines(..) => 0,
        }
    }

    /// What was wrong with a file.
    pub(super) fn faults(&self) -> Option<&Faults> {
        match self {
            Source::Journal(_) => None,
            Source::Lines(lines, _) => Some(lines.faults()),
        }
    }
}
