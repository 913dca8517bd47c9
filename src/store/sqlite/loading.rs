//! What the engine goes on from, read part by part at its pace, and never held open for it.
//!
//! Each part is read in a moment of its own: a reader that stayed in one for as long as the whole takes would keep the log
//! from beginning anew. All of it is of one state even so, as whoever reads it is the only one who may change it.

use rusqlite::{Params, Row};

use super::error::Fault;
use super::incidents::{parse, text};
use super::readers::Readers;
use crate::model::{EngineState, Group, Incident};

/// Records of a part at most.
const PART: usize = 512;

const KEYED: &str = "SELECT kind, key, value FROM keyed WHERE (kind, key) > (?1, ?2) ORDER BY kind, key";

const GROUPS: &str = "SELECT id, data FROM incident_groups WHERE forgotten = 0 AND id > ?1 ORDER BY id";

/// The incidents: what is open by the index of what is, so both conditions; and from the groups that are not forgotten to
/// what is over of them, never through the incidents of all times.
const INCIDENTS: [&str; 3] = [
    "SELECT 0, id, data FROM incidents WHERE state IN ('pending', 'firing') AND state = 'firing' AND id > ?2 AND ?1 = 0 \
     ORDER BY id",
    "SELECT 0, id, data FROM incidents WHERE state IN ('pending', 'firing') AND state = 'pending' AND id > ?2 AND ?1 = 0 \
     ORDER BY id",
    "SELECT g.id, i.id, i.data FROM incident_groups g CROSS JOIN incidents i ON i.group_id = g.id \
     WHERE g.forgotten = 0 AND g.id >= ?1 AND i.state = 'resolved' AND (g.id > ?1 OR i.id > ?2) ORDER BY g.id, i.id",
];

/// All of it, for as long as `take` wants more.
pub(super) fn load(readers: &Readers, take: &mut dyn FnMut(EngineState) -> bool) -> Result<(), Fault> {
    let keyed = |row: &Row<'_>| {
        let (kind, key): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(((kind.clone(), key.clone()), (kind, key, row.get(2)?)))
    };
    let group = |row: &Row<'_>| Ok(([row.get::<_, i64>(0)?], parse::<Group>(text(row.get_ref(1)?)?, "group")?));
    let incident = |row: &Row<'_>| {
        Ok(([row.get::<_, i64>(0)?, row.get(1)?], parse::<Incident>(text(row.get_ref(2)?)?, "incident")?))
    };
    let goes_on = in_parts(readers, KEYED, keyed, |keyed| take(EngineState { keyed, ..EngineState::default() }))?
        && in_parts(readers, GROUPS, group, |groups| take(EngineState { groups, ..EngineState::default() }))?;
    for sql in INCIDENTS.iter().take_while(|_| goes_on) {
        let more = |incidents| take(EngineState { incidents, ..EngineState::default() });
        if !in_parts(readers, sql, incident, more)? {
            break;
        }
    }
    Ok(())
}

/// Reads rows and gives them away part by part; `false` if no more are wanted. What is read of a row says where it stands:
/// the next part is what comes behind the last.
fn in_parts<K: Clone + Default + Params, T>(
    readers: &Readers,
    sql: &str,
    read: impl Fn(&Row<'_>) -> Result<(K, T), Fault>,
    mut take: impl FnMut(Vec<T>) -> bool,
) -> Result<bool, Fault> {
    let (sql, mut last) = (format!("{sql} LIMIT {PART}"), K::default());
    loop {
        let mut part = Vec::with_capacity(PART);
        readers.read_here(|conn| {
            let mut statement = conn.prepare_cached(&sql)?;
            let mut rows = statement.query(last.clone())?;
            while let Some(row) = rows.next()? {
                let (place, record) = read(row)?;
                last = place;
                part.push(record);
            }
            Ok(())
        })?;
        let is_all = part.len() < PART;
        if (!part.is_empty() && !take(part)) || is_all {
            return Ok(is_all);
        }
    }
}
