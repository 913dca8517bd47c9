//! What pushwatch itself has on record, read from its database once it has stopped or beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

/// A data folder's database.
pub(crate) struct Ledger {
    file: PathBuf,
}

/// An incident that fired.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The stream's full name, or of whatever the rule goes by.
    pub(crate) stream: String,
    /// Which rule.
    pub(crate) rule: String,
    /// When the rule became true, ms since 1970: the time at which the callback was taken that made it so.
    pub(crate) at: i64,
}

impl Ledger {
    /// Of the bot that ran in this folder.
    pub(crate) fn of(folder: &Path) -> Ledger {
        Ledger { file: folder.join("data/pushwatch.db") }
    }

    /// How many rows of the outbox a channel has of each outcome; of those without one, by their state.
    pub(crate) fn rows(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let sql = "SELECT channel, coalesce(outcome, state), count(*) FROM outbox GROUP BY 1, 2";
        let mut rows: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for (channel, outcome, count) in
            self.all(sql, |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs())))
        {
            rows.entry(channel).or_default().insert(outcome, count);
        }
        rows
    }

    /// How many rows nobody has told yet.
    pub(crate) fn pending(&self) -> u64 {
        let rows = self.rows();
        rows.values()
            .flatten()
            .filter(|(outcome, _)| ["pending", "sending"].contains(&outcome.as_str()))
            .map(|(_, n)| n)
            .sum()
    }

    /// How many messages each channel may have been sent twice.
    pub(crate) fn doubted(&self) -> BTreeMap<String, u64> {
        let sql = "SELECT channel, count(*) FROM outbox WHERE possible_duplicate GROUP BY 1";
        self.all(sql, |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))).into_iter().collect()
    }

    /// Every incident that ever fired.
    pub(crate) fn opened(&self) -> Vec<Opened> {
        let sql = "SELECT stream, rule, opened_at FROM incidents WHERE state <> 'pending'";
        self.all(sql, |row| Ok(Opened { stream: row.get(0)?, rule: row.get(1)?, at: row.get(2)? }))
    }

    /// The streams that a channel was told of in a digest, each with when it became one of it, ms since 1970.
    pub(crate) fn folded(&self, channel: &str) -> BTreeMap<String, i64> {
        let sql = "SELECT channel, stream, done_at FROM outbox JOIN incident_groups ON incident_groups.id = group_id \
                   WHERE outcome = 'folded' AND done_at IS NOT NULL ORDER BY done_at DESC";
        let rows: Vec<(String, String, i64)> = self.all(sql, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        rows.into_iter().filter(|(of, ..)| of == channel).map(|(_, stream, at)| (stream, at)).collect()
    }

    fn all<T>(&self, sql: &str, read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        let conn = Connection::open_with_flags(&self.file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a database");
        let mut statement = conn.prepare(sql).expect("a statement");
        let rows = statement.query_map([], |row| read(row)).expect("rows");
        rows.collect::<Result<_, _>>().expect("rows that can be read")
    }
}
