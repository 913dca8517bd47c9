//! The tables, how older ones are brought up to date, and the checks before a database is trusted.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::{Consequence, Fault};
use super::folder::{Found, look};
use super::{OpenError, journal};

/// `pwat` in ASCII.
const APPLICATION: i32 = 0x7077_6174;

/// Each step takes the schema one version up; what has been released is never changed.
const MIGRATIONS: &[&str] = &[V1, V2, V3, V4, V5];

/// Bytes of a page.
pub(super) const PAGE: u64 = 4096;

/// Prepared statements kept per connection: all we have.
const STATEMENTS: usize = 64;

/// Pages that the writer keeps, KiB: it appends, and changes rows that are young.
const WRITER_CACHE_KIB: i64 = 4 * 1024;

/// Pages that a reader keeps, KiB: it reads a little at a time, and there are several.
const READER_CACHE_KIB: i64 = 512;

// Pages given back by pruning are used again before the file grows (no auto_vacuum: its bookkeeping would make
// each commit write more). So the file stays at its high-water mark, which the size cap bounds.
const V1: &str = "
    -- One row per batch. `ids` comes before the large columns, so that reading it leaves their pages alone.
    CREATE TABLE journal (
        first_seq INTEGER PRIMARY KEY,
        count INTEGER NOT NULL,
        at INTEGER NOT NULL,
        codec INTEGER NOT NULL,
        ids BLOB NOT NULL,
        events BLOB NOT NULL,
        bodies BLOB NOT NULL
    ) STRICT;

    CREATE TABLE shards (
        name TEXT PRIMARY KEY,
        seq INTEGER NOT NULL,
        at INTEGER NOT NULL,
        epoch INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- Numbers that must survive the rows they were taken from.
    CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE incidents (
        id INTEGER PRIMARY KEY,
        rule TEXT NOT NULL,
        stream TEXT NOT NULL,
        state TEXT NOT NULL,
        severity TEXT NOT NULL,
        opened_at INTEGER NOT NULL,
        resolved_at INTEGER,
        group_id INTEGER,
        data TEXT NOT NULL
    ) STRICT;
    CREATE INDEX incidents_open ON incidents(state) WHERE state IN ('pending', 'firing');
    CREATE INDEX incidents_of_group ON incidents(group_id) WHERE group_id IS NOT NULL;
    CREATE INDEX incidents_alone ON incidents(resolved_at) WHERE group_id IS NULL AND resolved_at IS NOT NULL;

    CREATE TABLE incident_groups (
        id INTEGER PRIMARY KEY,
        stream TEXT NOT NULL,
        closed_at INTEGER,
        forgotten INTEGER NOT NULL DEFAULT 0,
        data TEXT NOT NULL
    ) STRICT;
    CREATE INDEX groups_living ON incident_groups(forgotten) WHERE forgotten = 0;
    CREATE INDEX groups_over ON incident_groups(closed_at) WHERE forgotten = 1 AND closed_at IS NOT NULL;

    CREATE TABLE keyed (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (kind, key)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        channel TEXT NOT NULL,
        group_id INTEGER NOT NULL,
        reason TEXT NOT NULL,
        severity TEXT NOT NULL,
        at INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'pending',
        attempts INTEGER NOT NULL DEFAULT 0,
        not_before INTEGER NOT NULL DEFAULT 0,
        outcome TEXT,
        error TEXT,
        possible_duplicate INTEGER NOT NULL DEFAULT 0,
        done_at INTEGER
    ) STRICT;
    CREATE INDEX outbox_due ON outbox(channel, id) WHERE state IN ('pending', 'sending');
    CREATE INDEX outbox_of_group ON outbox(group_id) WHERE state IN ('pending', 'sending');
    CREATE INDEX outbox_done ON outbox(done_at) WHERE done_at IS NOT NULL;

    CREATE TABLE messages (
        group_id INTEGER NOT NULL,
        channel TEXT NOT NULL,
        platform_id TEXT,
        place TEXT,
        revision INTEGER NOT NULL,
        posted_at INTEGER NOT NULL,
        PRIMARY KEY (group_id, channel)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE attempts (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, budget TEXT NOT NULL) STRICT;

    CREATE TABLE maps (
        name TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (name, key)
    ) STRICT, WITHOUT ROWID;
";

// What pushwatch says about itself belongs to no group: `group_id` is 0 then, and `notice` holds it as JSON.
const V2: &str = "ALTER TABLE outbox ADD COLUMN notice TEXT;";

// Why a row is owed (of older ones only what follows from how they are told), whom rows and messages stand in for,
// what a channel's delivery remembers, and the way to the rows that were given up.
const V3: &str = "
    ALTER TABLE outbox ADD COLUMN news TEXT NOT NULL DEFAULT 'opened';
    UPDATE outbox SET news = CASE reason
        WHEN 'edit' THEN 'changed' WHEN 'reply' THEN 'escalated' WHEN 'notice' THEN 'notice' ELSE 'opened' END;
    ALTER TABLE outbox ADD COLUMN stands_in TEXT;
    ALTER TABLE messages ADD COLUMN stands_in TEXT;
    CREATE INDEX outbox_dead ON outbox(channel, id) WHERE state = 'dead';
    CREATE TABLE channel_keyed (
        channel TEXT NOT NULL,
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (channel, kind, key)
    ) STRICT, WITHOUT ROWID;
";

// Many groups told by one message: a row may be about a digest (`group_id` is 0 then), and groups have a place in one.
const V4: &str = "
    ALTER TABLE outbox ADD COLUMN digest INTEGER;
    ALTER TABLE messages ADD COLUMN digest INTEGER;
    ALTER TABLE messages ADD COLUMN digest_severity TEXT;
    CREATE INDEX messages_of_digest ON messages(digest, group_id) WHERE digest IS NOT NULL;
";

// The record of commands. Numbers are never given twice: `MOST_RECORDS` back from the last one is the oldest.
const V5: &str = "
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        who TEXT NOT NULL,
        place TEXT NOT NULL,
        what TEXT NOT NULL,
        verdict TEXT NOT NULL,
        answer TEXT NOT NULL
    ) STRICT;
";

/// Opens the database for writing, after checking that it is ours, whole and not newer than this program.
///
/// The checks are cheap, as a full one reads the whole file: what is damaged in the middle is found when it is read.
pub(super) fn open(file: &Path) -> Result<Connection, OpenError> {
    let found = look(file)?;
    let open = || -> Result<Connection, Fault> {
        let conn = Connection::open_with_flags(
            file,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        conn.busy_timeout(Duration::from_secs(5))?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(conn)
    };
    let conn = open().map_err(|fault| refusal(file, &fault))?;
    if found == Found::Database {
        check_owner(&conn, file)?;
    }
    prepare(&conn).and_then(|()| migrate(&conn)).map_err(|fault| refusal(file, &fault))?;
    check_whole(&conn, file)?;
    Ok(conn)
}

/// Opens the database for reading beside a writer, which may be another process.
pub(super) fn open_reader(file: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(file, flags)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(conn)
}

/// Refuses a database that is not ours or is newer than this program.
pub(super) fn check_owner(conn: &Connection, file: &Path) -> Result<(), OpenError> {
    let read = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(Fault::from);
    let version = read("user_version").map_err(|fault| refusal(file, &fault))?;
    let application = read("application_id").map_err(|fault| refusal(file, &fault))?;
    let known = MIGRATIONS.len() as i64;
    match (application as i32, version) {
        // Made by SQLite, and killed before the first migration went through.
        (0, 0) if is_empty(conn).map_err(|fault| refusal(file, &fault))? => Ok(()),
        (APPLICATION, found) if found > known => Err(OpenError::Newer { file: file.to_owned(), found, known }),
        (APPLICATION, _) => Ok(()),
        (found, _) => Err(OpenError::Foreign { file: file.to_owned(), found }),
    }
}

/// The error to show for a fault met while opening.
pub(super) fn refusal(file: &Path, fault: &Fault) -> OpenError {
    let (file, detail) = (file.to_owned(), fault.to_string());
    match fault {
        _ if fault.is_damage() => OpenError::Damaged { file, detail },
        _ if fault.is_disk() => OpenError::Disk { file, detail },
        _ => OpenError::Database { file, detail },
    }
}

fn is_empty(conn: &Connection) -> Result<bool, Fault> {
    Ok(conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))? == 0)
}

/// Full durability: each commit syncs the log. Checkpoints are asked for, never made in the middle of a commit.
fn prepare(conn: &Connection) -> Result<(), Fault> {
    conn.pragma_update(None, "page_size", PAGE as i64)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    conn.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(())
}

fn migrate(conn: &Connection) -> Result<(), Fault> {
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (done, step) in MIGRATIONS.iter().enumerate().skip(usize::try_from(version).unwrap_or(usize::MAX)) {
        let tx = conn.unchecked_transaction()?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "application_id", APPLICATION)?;
        tx.pragma_update(None, "user_version", done as i64 + 1)?;
        tx.commit()?;
    }
    Ok(())
}

/// Cheap signs of damage: a file shorter than its pages, a missing table, small tables or a last row that can't be read.
fn check_whole(conn: &Connection, file: &Path) -> Result<(), OpenError> {
    let damaged = |detail: String| OpenError::Damaged { file: file.to_owned(), detail };
    let check = || -> Result<Option<String>, Fault> {
        // Empties the log, so that the file's length can be held against its number of pages.
        let emptied = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        let busy = match emptied.map_err(Fault::from) {
            // What did not fit is still in the log, where all find it.
            Err(fault) if fault.consequence() == Consequence::Full => 1,
            emptied => emptied?,
        };
        let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let size: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let length = fs::metadata(file).map_or(0, |meta| meta.len());
        if busy == 0 && length < super::error::whole(pages * size) {
            return Ok(Some(format!("it is cut short: {pages} pages of {size} bytes do not fit {length} bytes")));
        }
        for table in ["shards", "marks"] {
            let said: String = conn.query_row(&format!("PRAGMA quick_check({table})"), [], |row| row.get(0))?;
            if said != "ok" {
                return Ok(Some(said));
            }
        }
        for table in [
            "incidents",
            "incident_groups",
            "keyed",
            "outbox",
            "messages",
            "attempts",
            "maps",
            "channel_keyed",
            "audit",
        ] {
            conn.prepare(&format!("SELECT * FROM {table} LIMIT 1"))?.query([])?.next()?;
        }
        journal::check_ends(conn)?;
        Ok(None)
    };
    match check() {
        Ok(None) => Ok(()),
        Ok(Some(detail)) => Err(damaged(detail)),
        // The schema says our version, so a table that is not there is damage, too.
        Err(fault) => Err(match fault.consequence() {
            Consequence::Failed if missing_table(&fault) => damaged(fault.to_string()),
            _ => refusal(file, &fault),
        }),
    }
}

fn missing_table(fault: &Fault) -> bool {
    fault.to_string().contains("no such table")
}

#[cfg(test)]
mod tests {
    use super::super::readers::Readers;
    use super::super::{incidents, loading, outbox};
    use super::*;
    use crate::model::{
        DeliveryId, DeliveryState, EngineChanges, EngineState, Group, GroupId, Incident, News, Severity, Timestamp,
    };
    use crate::store::samples::{group, incident, notice, notification, ops};

    /// A database as the first schema made it, with a row in each table that delivery reads.
    fn first_version(file: &Path) -> (Incident, Group) {
        let conn = Connection::open(file).unwrap();
        prepare(&conn).unwrap();
        conn.execute_batch(V1).unwrap();
        conn.pragma_update(None, "application_id", APPLICATION).unwrap();
        conn.pragma_update(None, "user_version", 1).unwrap();
        let (incident, group) = (incident(1), group(1));
        let data = serde_json::to_string(&incident).unwrap();
        let row = "INSERT INTO incidents VALUES (1, 'gop', 's', 'firing', 'warning', 2, NULL, 1, ?)";
        conn.execute(row, [data]).unwrap();
        let data = serde_json::to_string(&group).unwrap();
        conn.execute("INSERT INTO incident_groups VALUES (1, 's', NULL, 0, ?)", [data]).unwrap();
        conn.execute_batch(
            "INSERT INTO outbox VALUES \
                 (1, 'ops', 1, 'post', 'critical', 5, 'done', 1, 0, 'sent', NULL, 0, 9), \
                 (2, 'ops', 1, 'reply', 'warning', 6, 'sending', 3, 77, NULL, '429 <b>', 1, NULL), \
                 (3, 'ops', 1, 'edit', 'info', 7, 'pending', 0, 0, NULL, NULL, 0, NULL); \
             INSERT INTO messages VALUES (1, 'ops', '17.1', 'C1', 4, 9); \
             INSERT INTO attempts VALUES (1, 9, 'b');",
        )
        .unwrap();
        (incident, group)
    }

    #[test]
    fn a_database_of_the_first_version_goes_on_with_its_rows_and_takes_notices() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("db");
        let (incident, group) = first_version(&file);
        for _ in 0..2 {
            let conn = open(&file).unwrap();
            let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
            assert_eq!(version, MIGRATIONS.len() as i64);
            let mut engine = EngineState::default();
            let mut take = |part: EngineState| {
                engine.groups.extend(part.groups);
                engine.incidents.extend(part.incidents);
                true
            };
            loading::load(&Readers::new(file.clone()), &mut take).unwrap();
            assert_eq!((engine.incidents, engine.groups), (vec![incident.clone()], vec![group.clone()]));
            let state = outbox::load(&conn, &ops(), DeliveryId(3), Timestamp(0)).unwrap();
            let ids: Vec<_> = state.deliveries.iter().map(|row| (row.id.0, row.notification.group())).collect();
            assert_eq!(ids, [(2, Some(GroupId(1))), (3, Some(GroupId(1)))]);
            let unsure = &state.deliveries[0];
            assert_eq!((unsure.state, unsure.attempts), (DeliveryState::Sending, 3));
            assert_eq!((unsure.notification.severity, unsure.possible_duplicate), (Severity::Warning, true));
            let news: Vec<_> = state.deliveries.iter().map(|row| row.notification.news).collect();
            assert_eq!(news, [News::Escalated, News::Changed]);
            assert!(state.deliveries.iter().all(|row| row.notification.stands_in.is_none()));
            assert_eq!((state.messages.len(), state.attempts.len()), (1, 1));
            assert!(state.messages[0].stands_in.is_empty() && state.keyed.is_empty());
        }
        let conn = open(&file).unwrap();
        let owed = vec![notification(&ops(), 1), notice(&ops())];
        let prepared =
            incidents::Prepared::new(EngineChanges { outbox: owed.clone(), ..EngineChanges::default() }).unwrap();
        for (id, (notification, notice)) in (4..).zip(&prepared.outbox) {
            outbox::insert(&conn, DeliveryId(id), notification, notice.as_deref()).unwrap();
        }
        let rows = outbox::read(&conn, &ops(), DeliveryId(3), DeliveryId(9), 9).unwrap();
        assert_eq!(rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>(), owed);
    }
}
