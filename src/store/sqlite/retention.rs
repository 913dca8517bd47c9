//! What is deleted when it is old or the folder is full: in small steps, and never what is still needed.

use std::time::Duration;

use rusqlite::Connection;

use super::error::{Fault, int, whole};
use super::journal::{self, Span};
use super::schema::PAGE;
use super::shards;
use crate::model::{Seq, Timestamp};

/// Journal rows deleted per step: each is a batch, and may have a few hundred pages to be given back.
const ROWS: usize = 16;
/// Other rows of each table deleted per step.
const OTHERS: i64 = 128;
/// Budgets look back an hour.
pub(super) const ATTEMPTS: Duration = Duration::from_secs(3600);

/// What must stay in the journal whatever its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Needed {
    /// The engine has not taken in what comes after this.
    pub(super) cursor: Seq,
    /// Windows and the memory of duplicates are rebuilt from what was received since.
    pub(super) since: Timestamp,
}

/// What one step is to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) needed: Needed,
    /// What was over before this is old.
    pub(super) old: Timestamp,
    /// Calls before this are no longer counted against a budget.
    pub(super) attempts: Timestamp,
    /// Delete what is not needed even if it is not old.
    pub(super) is_over: bool,
    /// The last outbox number given, to be remembered when its row goes.
    pub(super) last_outbox: u64,
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// Journal entries up to here are gone.
    pub(super) pruned_to: Option<Seq>,
    /// There is more to delete.
    pub(super) more: bool,
    /// The oldest entry that is left is needed.
    pub(super) is_blocked: bool,
}

/// Room that the database takes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// Used by data.
    pub(super) used: u64,
    /// Free within the file, to be used again.
    pub(super) free: u64,
}

/// How much room the database takes.
pub(super) fn room(conn: &Connection) -> Result<Room, Fault> {
    let read = |sql| conn.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0));
    let (pages, free) = (whole(read("PRAGMA page_count")?), whole(read("PRAGMA freelist_count")?));
    Ok(Room { used: pages.saturating_sub(free) * PAGE, free: free * PAGE })
}

/// Deletes a little.
pub(super) fn step(conn: &Connection, plan: Plan) -> Result<Step, Fault> {
    let mut step = prune_journal(conn, plan)?;
    step.more |= prune_outbox(conn, plan)?;
    step.more |= prune_groups(conn, plan.old)?;
    let alone = "DELETE FROM incidents WHERE id IN (SELECT id FROM incidents WHERE group_id IS NULL AND \
                 resolved_at IS NOT NULL AND resolved_at < ?1 LIMIT ?2)";
    step.more |= delete(conn, alone, plan.old)?;
    let attempts = "DELETE FROM attempts WHERE id IN (SELECT id FROM attempts ORDER BY id LIMIT ?2) AND at < ?1";
    step.more |= delete(conn, attempts, plan.attempts)?;
    Ok(step)
}

fn prune_journal(conn: &Connection, plan: Plan) -> Result<Step, Fault> {
    let oldest = journal::oldest(conn, ROWS)?;
    let goes = oldest.iter().take_while(|span| may_go(span, plan)).count();
    let is_blocked = oldest.get(goes).is_some_and(|span| is_needed(span, plan.needed));
    let Some(last) = goes.checked_sub(1).and_then(|last| oldest.get(last)) else {
        return Ok(Step { is_blocked, ..Step::default() });
    };
    journal::delete_to(conn, last.first)?;
    shards::set_mark(conn, shards::JOURNAL, last.last.0)?;
    Ok(Step { pruned_to: Some(last.last), more: goes == ROWS, is_blocked })
}

fn may_go(span: &Span, plan: Plan) -> bool {
    !is_needed(span, plan.needed) && (plan.is_over || span.at < plan.old)
}

fn is_needed(span: &Span, needed: Needed) -> bool {
    span.last > needed.cursor || span.at >= needed.since
}

fn prune_outbox(conn: &Connection, plan: Plan) -> Result<bool, Fault> {
    let sql =
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE done_at IS NOT NULL AND done_at < ?1 LIMIT ?2)";
    let gone = conn.prepare_cached(sql)?.execute((plan.old.0, OTHERS))?;
    if gone > 0 {
        shards::set_mark(conn, shards::OUTBOX, plan.last_outbox)?;
    }
    Ok(int(gone as u64) == OTHERS)
}

/// Groups that are over and owe nobody anything, with their incidents and messages.
fn prune_groups(conn: &Connection, old: Timestamp) -> Result<bool, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT id FROM incident_groups g WHERE forgotten = 1 AND closed_at IS NOT NULL AND closed_at < ?1 AND NOT EXISTS \
         (SELECT 1 FROM outbox o WHERE o.group_id = g.id AND o.state IN ('pending', 'sending')) LIMIT ?2",
    )?;
    let groups = statement.query_map((old.0, OTHERS), |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
    for group in &groups {
        conn.prepare_cached("DELETE FROM messages WHERE group_id = ?")?.execute([group])?;
        conn.prepare_cached("DELETE FROM incidents WHERE group_id = ?")?.execute([group])?;
        conn.prepare_cached("DELETE FROM incident_groups WHERE id = ?")?.execute([group])?;
    }
    Ok(int(groups.len() as u64) == OTHERS)
}

fn delete(conn: &Connection, sql: &str, before: Timestamp) -> Result<bool, Fault> {
    Ok(int(conn.prepare_cached(sql)?.execute((before.0, OTHERS))? as u64) == OTHERS)
}
