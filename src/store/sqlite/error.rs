//! What can go wrong on disk, sorted by what is to be done about it.

use std::io;
use std::path::PathBuf;

use rusqlite::ffi;

use crate::store::StoreError;

/// Why a data folder can't be used. The text names the file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder can't be made, read or written.
    #[error("data folder {}: {source}", dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process runs on it.
    #[error("data folder {} is in use by another pushwatch; stop that one or give this one its own --data-dir", dir.display())]
    Locked {
        /// The folder.
        dir: PathBuf,
    },
    /// There is no database in it, and none is to be made.
    #[error("{} does not exist: no pushwatch has run on this data folder", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// The file is a database of some other program.
    #[error("{} is not pushwatch's (application id {found:#x}); choose another data folder", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
        /// Its application id.
        found: i32,
    },
    /// A newer pushwatch has written it.
    #[error(
        "{} was written by a newer pushwatch (schema {found}, this one knows up to {known}); run that version or restore a copy",
        file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// It can't be read as what it should be.
    #[error("{} is damaged: {detail}; restore a copy, or move it away to start anew", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What was found.
        detail: String,
    },
    /// It can't be read or written, as the disk is full or failing.
    #[error("{}: {detail}; is there room on the disk?", file.display())]
    Disk {
        /// The file.
        file: PathBuf,
        /// What the database said.
        detail: String,
    },
    /// The database said no.
    #[error("{}: {detail}", file.display())]
    Database {
        /// The file.
        file: PathBuf,
        /// What it said.
        detail: String,
    },
}

/// Why something stored could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The database said no.
    #[error("database: {0}")]
    Sql(#[from] rusqlite::Error),
    /// What is stored makes no sense.
    #[error("unreadable: {0}")]
    Unreadable(String),
}

/// What follows from a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// No room: refuse and make some.
    Full,
    /// A sync failed: what the system calls written may not be. The process must end.
    Fatal,
    /// The operation failed, no more.
    Failed,
}

impl Fault {
    /// What is to be done about it.
    pub(super) fn consequence(&self) -> Consequence {
        let Fault::Sql(error) = self else { return Consequence::Failed };
        match error.sqlite_error().map(|e| e.extended_code) {
            Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => Consequence::Fatal,
            // The log's shared index could not grow: the same full disk under another name.
            Some(ffi::SQLITE_FULL | ffi::SQLITE_IOERR_SHMSIZE) => Consequence::Full,
            _ => Consequence::Failed,
        }
    }

    /// Whether the disk is full or failing. With a full one a file may not even open, as its log can't be made.
    pub(super) fn is_disk(&self) -> bool {
        let Fault::Sql(error) = self else { return false };
        let code = error.sqlite_error().map(|e| e.extended_code & 0xff);
        matches!(code, Some(ffi::SQLITE_FULL | ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN))
    }

    /// Whether the file itself is not what it should be.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Fault::Unreadable(_) => true,
            Fault::Sql(error) => match error.sqlite_error().map(|e| e.extended_code & 0xff) {
                Some(code) => matches!(code, ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB),
                None => false,
            },
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> StoreError {
        StoreError::Failed(fault.to_string().into())
    }
}

/// A `u64` as SQLite keeps it. Our numbers count up from 1 and stay far below the limit.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Back from SQLite; a negative number, which we never write, reads as 0.
pub(super) fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(code: i32) -> Fault {
        Fault::Sql(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }

    #[test]
    fn a_failed_sync_is_fatal_a_full_disk_is_not_and_the_rest_just_fails() {
        assert_eq!(sqlite(ffi::SQLITE_IOERR_FSYNC).consequence(), Consequence::Fatal);
        assert_eq!(sqlite(ffi::SQLITE_IOERR_DIR_FSYNC).consequence(), Consequence::Fatal);
        assert_eq!(sqlite(ffi::SQLITE_FULL).consequence(), Consequence::Full);
        assert_eq!(sqlite(ffi::SQLITE_IOERR_SHMSIZE).consequence(), Consequence::Full);
        assert_eq!(sqlite(ffi::SQLITE_IOERR_WRITE).consequence(), Consequence::Failed);
        assert_eq!(Fault::Unreadable("x".to_owned()).consequence(), Consequence::Failed);
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_CANTOPEN] {
            assert!(sqlite(code).is_disk() && !sqlite(code).is_damage());
        }
        assert!(!sqlite(ffi::SQLITE_BUSY).is_disk() && !sqlite(ffi::SQLITE_CORRUPT).is_disk());
        assert!(sqlite(ffi::SQLITE_NOTADB).is_damage() && !sqlite(ffi::SQLITE_BUSY).is_damage());
    }
}
