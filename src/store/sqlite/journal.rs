//! The journal's rows: written a batch at a time, read in pages, found by number or by time.

use rusqlite::{Connection, OptionalExtension, Row};

use super::error::{Fault, int, whole};
use super::packed::{CODEC, Packed, unpack_events, unpack_ids};
use crate::model::{Entry, EventId, Seq, Timestamp};

/// What a row covers, without its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Number of its first entry.
    pub(super) first: Seq,
    /// Number of its last entry.
    pub(super) last: Seq,
    /// When all of it was received.
    pub(super) at: Timestamp,
}

/// Adds a row.
pub(super) fn insert(conn: &Connection, span: Span, packed: &Packed) -> Result<(), Fault> {
    conn.prepare_cached(
        "INSERT INTO journal (first_seq, count, at, codec, ids, events, bodies) VALUES (?,?,?,?,?,?,?)",
    )?
    .execute((
        int(span.first.0),
        int(span.last.0.saturating_sub(span.first.0)) + 1,
        span.at.0,
        CODEC,
        &packed.ids,
        &packed.events,
        &packed.bodies,
    ))?;
    Ok(())
}

/// Entries from `from` to `until`, whole rows at a time until there are `enough`.
pub(super) fn read(conn: &Connection, from: Seq, until: Seq, enough: usize) -> Result<Vec<Entry>, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT first_seq, count, at, codec, ids, events FROM journal WHERE first_seq >= ?1 AND first_seq <= ?2 \
         ORDER BY first_seq",
    )?;
    let start = row_with(conn, from)?.map_or(from, |span| span.first);
    let mut rows = statement.query((int(start.0), int(until.0)))?;
    let mut entries = Vec::with_capacity(enough);
    while let Some(row) = rows.next()? {
        let span = span(row)?;
        let count = usize::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
        let inputs = unpack_events(row.get(3)?, count, blob(row, 4)?, blob(row, 5)?)?;
        for (seq, input) in (span.first.0..).map(Seq).zip(inputs) {
            if seq >= from && seq <= until {
                entries.push(Entry { seq, received_at: span.at, input });
            }
        }
        if entries.len() >= enough {
            break;
        }
    }
    Ok(entries)
}

/// The last row, if any.
pub(super) fn head(conn: &Connection) -> Result<Option<Span>, Fault> {
    one(conn, "SELECT first_seq, count, at FROM journal ORDER BY first_seq DESC LIMIT 1", None)
}

/// The oldest row, if any.
pub(super) fn tail(conn: &Connection) -> Result<Option<Span>, Fault> {
    one(conn, "SELECT first_seq, count, at FROM journal ORDER BY first_seq LIMIT 1", None)
}

/// The first row received at `at` or later, found by halving, as time goes up with the numbers.
pub(super) fn first_since(conn: &Connection, at: Timestamp) -> Result<Option<Span>, Fault> {
    let (Some(oldest), Some(newest)) = (tail(conn)?, head(conn)?) else { return Ok(None) };
    if newest.at < at {
        return Ok(None);
    }
    let (mut low, mut found) = (oldest.first.0, newest);
    // Everything below `low` is too old; `found` is not.
    while low < found.first.0 {
        let middle = Seq(low + (found.first.0 - low) / 2);
        match row_with(conn, middle)? {
            Some(span) if span.at >= at => found = span,
            Some(span) => low = span.last.0.max(middle.0) + 1,
            None => low = middle.0 + 1,
        }
    }
    Ok(Some(found))
}

/// The first row that begins at `seq` or later.
pub(super) fn row_from(conn: &Connection, seq: Seq) -> Result<Option<Span>, Fault> {
    let sql = "SELECT first_seq, count, at FROM journal WHERE first_seq >= ? ORDER BY first_seq LIMIT 1";
    one(conn, sql, Some(seq))
}

/// The oldest rows, up to `limit`.
pub(super) fn oldest(conn: &Connection, limit: usize) -> Result<Vec<Span>, Fault> {
    let mut statement = conn.prepare_cached("SELECT first_seq, count, at FROM journal ORDER BY first_seq LIMIT ?")?;
    let mut rows = statement.query([int(limit as u64)])?;
    let mut spans = Vec::new();
    while let Some(row) = rows.next()? {
        spans.push(span(row)?);
    }
    Ok(spans)
}

/// Forgets every row that begins at or before `seq`.
pub(super) fn delete_to(conn: &Connection, seq: Seq) -> Result<usize, Fault> {
    Ok(conn.prepare_cached("DELETE FROM journal WHERE first_seq <= ?")?.execute([int(seq.0)])?)
}

/// Hands the identities of each row from `from` on to `take`, with the row's time.
pub(super) fn ids_from(
    conn: &Connection,
    from: Seq,
    mut take: impl FnMut(Timestamp, &mut dyn Iterator<Item = EventId>),
) -> Result<(), Fault> {
    let mut statement = conn.prepare("SELECT at, ids FROM journal WHERE first_seq >= ? ORDER BY first_seq")?;
    let mut rows = statement.query([int(from.0)])?;
    while let Some(row) = rows.next()? {
        take(Timestamp(row.get(0)?), &mut unpack_ids(blob(row, 1)?));
    }
    Ok(())
}

/// Reads the oldest row and the newest: if the file is damaged at an end, it shows.
pub(super) fn check_ends(conn: &Connection) -> Result<(), Fault> {
    for end in [tail(conn)?, head(conn)?].into_iter().flatten() {
        let row = "SELECT codec, count, ids, events FROM journal WHERE first_seq = ?";
        conn.query_row(row, [int(end.first.0)], |row| {
            let count = usize::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
            Ok(match row.get::<_, i64>(0)? {
                // Another codec is somebody else's to read.
                codec if codec != CODEC => Ok(()),
                codec => unpack_events(codec, count, row.get_ref(2)?.as_blob()?, row.get_ref(3)?.as_blob()?).map(drop),
            })
        })??;
    }
    Ok(())
}

fn row_with(conn: &Connection, seq: Seq) -> Result<Option<Span>, Fault> {
    let sql = "SELECT first_seq, count, at FROM journal WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1";
    one(conn, sql, Some(seq))
}

fn one(conn: &Connection, sql: &str, seq: Option<Seq>) -> Result<Option<Span>, Fault> {
    let mut statement = conn.prepare_cached(sql)?;
    let found = match seq {
        Some(seq) => statement.query_row([int(seq.0)], span),
        None => statement.query_row([], span),
    };
    Ok(found.optional()?)
}

/// The span of a row that begins with `first_seq, count, at`.
pub(super) fn span(row: &Row<'_>) -> rusqlite::Result<Span> {
    let first = whole(row.get(0)?);
    let count = whole(row.get(1)?);
    Ok(Span { first: Seq(first), last: Seq((first + count).saturating_sub(1)), at: Timestamp(row.get(2)?) })
}

/// A column of bytes.
pub(super) fn blob<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a [u8], Fault> {
    row.get_ref(column)?.as_blob().map_err(|error| Fault::Unreadable(format!("journal column {column}: {error}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{packed, schema};
    use super::*;
    use crate::store::samples;

    fn journal(rows: &[(u64, i64)]) -> (tempfile::TempDir, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let conn = schema::open(&dir.path().join("db")).unwrap();
        conn.pragma_update(None, "synchronous", "OFF").unwrap();
        let mut first = 1;
        for (count, at) in rows {
            let mut entries: Vec<_> = (first..first + count).map(samples::callback).collect();
            let span = Span { first: Seq(first), last: Seq(first + count - 1), at: Timestamp(*at) };
            insert(&conn, span, &packed::pack(&mut entries).unwrap()).unwrap();
            first += count;
        }
        (dir, conn)
    }

    #[test]
    fn reading_begins_and_ends_in_the_middle_of_a_row() {
        let (_dir, conn) = journal(&[(3, 10), (4, 20), (2, 30)]);
        let seqs = |from, until, enough| {
            let entries = read(&conn, Seq(from), Seq(until), enough).unwrap();
            entries.iter().map(|entry| (entry.seq.0, entry.received_at.0)).collect::<Vec<_>>()
        };
        assert_eq!(seqs(2, 4, 100), [(2, 10), (3, 10), (4, 20)]);
        assert_eq!(seqs(6, 9, 1), [(6, 20), (7, 20)], "a row is read whole");
        assert_eq!(seqs(10, 20, 10), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_first_row_since_a_time_is_found(counts in proptest::collection::vec((1_u64..5, 0_i64..4), 1..14), at in 0_i64..40, pruned in 0_usize..5) {
            let mut now = 0;
            let rows: Vec<(u64, i64)> = counts.iter().map(|(count, step)| { now += step; (*count, now) }).collect();
            let (_dir, conn) = journal(&rows);
            if let Some(span) = oldest(&conn, pruned).unwrap().last() {
                delete_to(&conn, span.first).unwrap();
            }
            let want = oldest(&conn, 100).unwrap().into_iter().find(|span| span.at >= Timestamp(at));
            prop_assert_eq!(first_since(&conn, Timestamp(at)).unwrap(), want);
        }
    }
}
