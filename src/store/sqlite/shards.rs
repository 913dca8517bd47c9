//! Small durable numbers and maps: where each shard stands, high-water marks, the shared tables.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::error::{Fault, int, whole};
use crate::model::{ChannelName, Cursor, Seq, Timestamp};
use crate::store::Shard;

/// Where a shard stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Last commit.
    pub(super) cursor: Cursor,
    /// How often it was opened.
    pub(super) epoch: u64,
}

/// Outbox numbers up to this one have been given.
pub(super) const OUTBOX: &str = "outbox";
/// Journal numbers up to this one have been given.
pub(super) const JOURNAL: &str = "journal";
/// How far before the cursor the engine wants to read, in ms.
pub(super) const LOOKBACK: &str = "lookback";

const CHANNEL: &str = "channel:";

/// Every shard that was ever opened.
pub(super) fn load(conn: &Connection) -> Result<HashMap<Shard, Standing>, Fault> {
    let mut statement = conn.prepare("SELECT name, seq, at, epoch FROM shards")?;
    let mut rows = statement.query([])?;
    let mut found = HashMap::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let cursor = Cursor { seq: Seq(whole(row.get(1)?)), at: Timestamp(row.get(2)?) };
        let standing = Standing { cursor, epoch: whole(row.get(3)?) };
        found.insert(shard(&name)?, standing);
    }
    Ok(found)
}

/// Writes where a shard stands.
pub(super) fn save(conn: &Connection, shard: &Shard, standing: Standing) -> Result<(), Fault> {
    conn.prepare_cached("REPLACE INTO shards (name, seq, at, epoch) VALUES (?,?,?,?)")?.execute((
        name(shard),
        int(standing.cursor.seq.0),
        standing.cursor.at.0,
        int(standing.epoch),
    ))?;
    Ok(())
}

/// A mark, 0 if it was never set.
pub(super) fn mark(conn: &Connection, name: &str) -> Result<u64, Fault> {
    let found = conn.query_row("SELECT value FROM marks WHERE name = ?", [name], |row| row.get(0)).optional()?;
    Ok(found.map_or(0, whole))
}

/// Sets a mark.
pub(super) fn set_mark(conn: &Connection, name: &str, value: u64) -> Result<(), Fault> {
    conn.prepare_cached("REPLACE INTO marks (name, value) VALUES (?,?)")?.execute((name, int(value)))?;
    Ok(())
}

/// A value of a shared map.
pub(super) fn get(conn: &Connection, map: &str, key: &str) -> Result<Option<String>, Fault> {
    let mut statement = conn.prepare_cached("SELECT value FROM maps WHERE name = ? AND key = ?")?;
    Ok(statement.query_row((map, key), |row| row.get(0)).optional()?)
}

/// Sets a value of a shared map.
pub(super) fn put(conn: &Connection, map: &str, key: &str, value: &str) -> Result<(), Fault> {
    conn.prepare_cached("REPLACE INTO maps (name, key, value) VALUES (?,?,?)")?.execute((map, key, value))?;
    Ok(())
}

fn name(shard: &Shard) -> String {
    match shard {
        Shard::Engine => "engine".to_owned(),
        Shard::Channel(channel) => format!("{CHANNEL}{channel}"),
    }
}

fn shard(name: &str) -> Result<Shard, Fault> {
    match (name, name.strip_prefix(CHANNEL)) {
        ("engine", _) => Ok(Shard::Engine),
        (_, Some(channel)) => Ok(Shard::Channel(ChannelName::new(channel))),
        _ => Err(Fault::Unreadable(format!("unknown shard {name:?}"))),
    }
}
