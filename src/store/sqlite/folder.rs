//! The data folder: made private, held by one process at a time, with a reserve for a full disk.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::OpenError;

/// Name of the database in the data folder.
pub(super) const DATABASE: &str = "pushwatch.db";
const LOCK: &str = "LOCK";
const RESERVE: &str = "reserve";
const HEADER: &[u8; 16] = b"SQLite format 3\0";

/// A data folder held by this process. Whoever only reads does not hold it.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    /// Held until the process ends, however it ends.
    _lock: File,
}

/// What lies where the database should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing yet.
    Nothing,
    /// A database file.
    Database,
}

impl Folder {
    /// Makes the folder if need be and takes its lock.
    pub(super) fn hold(dir: &Path) -> Result<Folder, OpenError> {
        let failed = |source| OpenError::Folder { dir: dir.to_owned(), source };
        let is_new = !dir.exists();
        private().recursive(true).create(dir).map_err(failed)?;
        if is_new {
            sync(dir.parent().unwrap_or(dir)).map_err(failed)?;
        }
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Folder { dir: dir.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { dir: dir.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Where the database is.
    pub(super) fn database(&self) -> PathBuf {
        self.dir.join(DATABASE)
    }

    /// Size of the write-ahead log, in bytes.
    pub(super) fn wal_bytes(&self) -> u64 {
        fs::metadata(wal(&self.database())).map_or(0, |meta| meta.len())
    }

    /// Makes the entries of new files in the folder durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync(&self.dir)
    }

    /// Writes the reserve unless it is there in full. Fails on a full disk, and then leaves nothing behind.
    pub(super) fn fill_reserve(&self, bytes: u64) -> io::Result<()> {
        let path = self.dir.join(RESERVE);
        if fs::metadata(&path).is_ok_and(|meta| meta.len() == bytes) {
            return Ok(());
        }
        let written = write_zeros(&path, bytes);
        if written.is_err() {
            // Half a reserve would only make the shortage worse.
            let _ = fs::remove_file(&path);
        }
        written
    }

    /// Gives the reserve up. Returns whether there was one.
    pub(super) fn release_reserve(&self) -> io::Result<bool> {
        match fs::remove_file(self.dir.join(RESERVE)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Looks at a database file before SQLite does, which would take an empty file for a new database.
pub(super) fn look(file: &Path) -> Result<Found, OpenError> {
    let damaged = |detail: &str| OpenError::Damaged { file: file.to_owned(), detail: detail.to_owned() };
    let failed = |source| OpenError::Folder { dir: file.parent().unwrap_or(file).to_owned(), source };
    let has_log = fs::metadata(wal(file)).is_ok_and(|meta| meta.len() > 0);
    let mut header = Vec::with_capacity(HEADER.len());
    match File::open(file) {
        Ok(opened) => opened.take(HEADER.len() as u64).read_to_end(&mut header).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(failed(error)),
    };
    match header.as_slice() {
        [] if has_log => Err(damaged("it is missing or empty, but its log is not")),
        [] => Ok(Found::Nothing),
        found if found == HEADER => Ok(Found::Database),
        _ => Err(damaged("it does not begin like a database")),
    }
}

fn wal(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

#[cfg(unix)]
fn private() -> DirBuilder {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

#[cfg(not(unix))]
fn private() -> DirBuilder {
    DirBuilder::new()
}

fn sync(dir: &Path) -> io::Result<()> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir)?.sync_all()
}

fn write_zeros(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    let block = [0_u8; 64 << 10];
    let mut left = bytes;
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        file.write_all(&block[..now])?;
        left -= now as u64;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_and_the_refusal_names_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("a/data");
        let held = Folder::hold(&data).unwrap();
        let refused = Folder::hold(&data).unwrap_err();
        assert!(matches!(refused, OpenError::Locked { .. }));
        assert!(refused.to_string().contains(data.to_str().unwrap()), "{refused}");
        drop(held);
        Folder::hold(&data).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_new_folder_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let _held = Folder::hold(&data).unwrap();
        assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn an_emptied_or_overwritten_file_is_not_taken_for_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(DATABASE);
        assert_eq!(look(&file).unwrap(), Found::Nothing);
        fs::write(&file, b"").unwrap();
        assert_eq!(look(&file).unwrap(), Found::Nothing);
        fs::write(wal(&file), b"log").unwrap();
        assert!(matches!(look(&file), Err(OpenError::Damaged { .. })));
        fs::write(&file, b"SQLite format 3\0....").unwrap();
        assert_eq!(look(&file).unwrap(), Found::Database);
        fs::write(&file, b"SQLite").unwrap();
        assert!(matches!(look(&file), Err(OpenError::Damaged { .. })));
    }

    #[test]
    fn the_reserve_is_really_written_and_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::hold(dir.path()).unwrap();
        folder.fill_reserve(100_000).unwrap();
        assert_eq!(fs::metadata(dir.path().join(RESERVE)).unwrap().len(), 100_000);
        assert!(folder.release_reserve().unwrap());
        assert!(!folder.release_reserve().unwrap());
        assert!(!dir.path().join(RESERVE).exists());
    }
}
