//! What channels are owed and have been told, in tables: outbox rows, messages, attempts.

use rusqlite::{Connection, Row};

use super::error::{Fault, int, whole};
use super::incidents;
use crate::model::{
    About, Attempt, ChannelName, Delivery, DeliveryId, DeliveryOutcome, DeliveryState, DigestId, Folded, GroupId,
    Message, News, Notification, Reason, Severity, Timestamp,
};
use crate::store::{ChannelChanges, ChannelState, DIGEST};

/// Stands in the column of rows that are about no group; groups count from 1.
const NO_GROUP: GroupId = GroupId(0);

const SEVERITIES: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

/// What [`delivery`] reads, and how many columns that are.
pub(super) const COLUMNS: &str = "id, channel, group_id, reason, severity, at, state, attempts, not_before, outcome, error, \
                       possible_duplicate, done_at, notice, news, stands_in, digest";
pub(super) const WIDTH: usize = 17;

/// Adds a row that waits to be sent; `notice` is the text of what it says about pushwatch itself.
pub(super) fn insert(
    conn: &Connection,
    id: DeliveryId,
    notification: &Notification,
    notice: Option<&str>,
) -> Result<(), Fault> {
    conn.prepare_cached(
        "INSERT INTO outbox (id, channel, group_id, reason, severity, at, notice, news, stands_in, digest) \
         VALUES (?,?,?,?,?,?,?,?,?,?)",
    )?
    .execute((
        int(id.0),
        notification.channel.as_str(),
        int(notification.group().unwrap_or(NO_GROUP).0),
        notification.reason.as_str(),
        notification.severity.as_str(),
        notification.at.0,
        notice,
        notification.news.as_str(),
        notification.stands_in.as_ref().map(ChannelName::as_str),
        digest_of(notification).map(|digest| int(digest.0)),
    ))?;
    Ok(())
}

/// Writes what a channel changes, but for what is owed. A row or a group that has been pruned meanwhile stays so.
pub(super) fn write(conn: &Connection, channel: &ChannelName, changes: &ChannelChanges) -> Result<(), Fault> {
    for delivery in &changes.deliveries {
        conn.prepare_cached(
            "UPDATE outbox SET state = ?2, attempts = ?3, not_before = ?4, outcome = ?5, error = ?6, \
             possible_duplicate = ?7, done_at = ?8 WHERE id = ?1",
        )?
        .execute((
            int(delivery.id.0),
            delivery.state.as_str(),
            delivery.attempts,
            delivery.not_before.0,
            delivery.outcome.map(DeliveryOutcome::as_str),
            &delivery.error,
            delivery.possible_duplicate,
            delivery.done_at.map(|at| at.0),
        ))?;
    }
    for message in &changes.messages {
        conn.prepare_cached(
            "REPLACE INTO messages (group_id, channel, platform_id, place, revision, posted_at, stands_in, digest, \
             digest_severity) VALUES (?,?,?,?,?,?,?,?,?)",
        )?
        .execute((
            int(message.group.0),
            message.channel.as_str(),
            &message.platform_id,
            &message.place,
            int(message.revision),
            message.posted_at.0,
            stood_for(&message.stands_in)?,
            message.folded.map(|folded| int(folded.digest.0)),
            message.folded.map(|folded| folded.severity.as_str()),
        ))?;
    }
    for attempt in &changes.attempts {
        conn.prepare_cached("INSERT INTO attempts (at, budget) VALUES (?,?)")?
            .execute((attempt.at.0, &attempt.budget))?;
    }
    for keyed in &changes.keyed {
        match &keyed.value {
            Some(value) => conn
                .prepare_cached("REPLACE INTO channel_keyed (channel, kind, key, value) VALUES (?,?,?,?)")?
                .execute((channel.as_str(), keyed.kind, &keyed.key, value))?,
            None => conn
                .prepare_cached("DELETE FROM channel_keyed WHERE channel = ? AND kind = ? AND key = ?")?
                .execute((channel.as_str(), keyed.kind, &keyed.key))?,
        };
    }
    Ok(())
}

/// What a channel goes on from: its unfinished rows up to `until`, its messages, everybody's calls since `since`.
pub(super) fn load(
    conn: &Connection,
    channel: &ChannelName,
    until: DeliveryId,
    since: Timestamp,
) -> Result<ChannelState, Fault> {
    let deliveries = unfinished(conn, channel, DeliveryId(0), until, usize::MAX)?;
    let mut statement = conn.prepare(
        "SELECT m.group_id, m.channel, m.platform_id, m.place, m.revision, m.posted_at, m.stands_in, m.digest, \
             m.digest_severity \
         FROM messages m WHERE m.channel = ?1 AND (m.group_id IN ( \
             SELECT id FROM incident_groups WHERE forgotten = 0 \
             UNION SELECT group_id FROM outbox WHERE channel = ?1 AND state IN ('pending', 'sending')) \
         OR m.digest IN (SELECT CAST(key AS INTEGER) FROM channel_keyed WHERE channel = ?1 AND kind = ?2))",
    )?;
    let mut rows = statement.query((channel.as_str(), DIGEST))?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        messages.push(message(row)?);
    }
    let mut statement = conn.prepare("SELECT at, budget FROM attempts WHERE at >= ? ORDER BY id")?;
    let attempts =
        statement.query_map([since.0], |row| Ok(Attempt { at: Timestamp(row.get(0)?), budget: row.get(1)? }))?;
    let attempts = attempts.collect::<Result<_, _>>()?;
    let mut statement =
        conn.prepare("SELECT kind, key, value FROM channel_keyed WHERE channel = ? ORDER BY kind, key")?;
    let keyed = statement.query_map([channel.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(ChannelState { deliveries, messages, attempts, keyed: keyed.collect::<Result<_, _>>()? })
}

/// New rows of a channel behind `after`, up to `until`.
pub(super) fn read(
    conn: &Connection,
    channel: &ChannelName,
    after: DeliveryId,
    until: DeliveryId,
    max: usize,
) -> Result<Vec<(DeliveryId, Notification)>, Fault> {
    let rows = unfinished(conn, channel, after, until, max)?;
    Ok(rows.into_iter().map(|row| (row.id, row.notification)).collect())
}

/// The highest number given so far, as far as rows are left.
pub(super) fn last_id(conn: &Connection) -> Result<DeliveryId, Fault> {
    let last: Option<i64> = conn.query_row("SELECT max(id) FROM outbox", [], |row| row.get(0))?;
    Ok(DeliveryId(last.map_or(0, whole)))
}

/// Channels with rows that have no outcome yet.
pub(super) fn channels(conn: &Connection) -> Result<Vec<ChannelName>, Fault> {
    // Steps from one channel to the next by the index, however many rows each has.
    let mut statement = conn.prepare(
        "WITH RECURSIVE found(name) AS ( \
             SELECT min(channel) FROM outbox WHERE state IN ('pending', 'sending') \
             UNION ALL \
             SELECT (SELECT min(channel) FROM outbox WHERE state IN ('pending', 'sending') AND channel > found.name) \
             FROM found WHERE found.name IS NOT NULL) \
         SELECT name FROM found WHERE name IS NOT NULL",
    )?;
    let names = statement.query_map([], |row| Ok(ChannelName::new(row.get_ref(0)?.as_str()?)))?;
    Ok(names.collect::<Result<_, _>>()?)
}

fn unfinished(
    conn: &Connection,
    channel: &ChannelName,
    after: DeliveryId,
    until: DeliveryId,
    max: usize,
) -> Result<Vec<Delivery>, Fault> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE channel = ? AND id > ? AND id <= ? AND state IN ('pending', 'sending') \
         ORDER BY id LIMIT ?",
    ))?;
    let mut rows = statement.query((channel.as_str(), int(after.0), int(until.0), int(max as u64)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(delivery(row, channel)?);
    }
    Ok(found)
}

fn message(row: &Row<'_>) -> Result<Message, Fault> {
    Ok(Message {
        group: GroupId(whole(row.get(0)?)),
        channel: ChannelName::new(row.get_ref(1)?.as_str().map_err(|error| Fault::Unreadable(error.to_string()))?),
        platform_id: row.get(2)?,
        place: row.get(3)?,
        revision: whole(row.get(4)?),
        posted_at: Timestamp(row.get(5)?),
        stands_in: stands_in(row, 6)?,
        folded: match row.get::<_, Option<i64>>(7)? {
            None => None,
            Some(digest) => Some(Folded {
                digest: DigestId(whole(digest)),
                severity: word(row, 8, &SEVERITIES, |severity| severity.as_str())?,
            }),
        },
    })
}

/// The channels that a message stands in for.
pub(super) fn stands_in(row: &Row<'_>, column: usize) -> Result<Vec<ChannelName>, Fault> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(Vec::new()),
        names => incidents::parse(incidents::text(names)?, "channels that a message stands in for"),
    }
}

fn digest_of(notification: &Notification) -> Option<DigestId> {
    match notification.about {
        About::Digest(digest) => Some(digest),
        About::Group(_) | About::Notice(_) => None,
    }
}

/// The names as JSON; none for most messages.
fn stood_for(names: &[ChannelName]) -> Result<Option<String>, Fault> {
    match names {
        [] => Ok(None),
        names => incidents::written(&names).map(Some),
    }
}

/// The row that begins with [`COLUMNS`].
pub(super) fn delivery(row: &Row<'_>, channel: &ChannelName) -> Result<Delivery, Fault> {
    let outcome = match row.get_ref(9)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(word(row, 9, DeliveryOutcome::ALL, |outcome| outcome.as_str())?),
    };
    let about = match (row.get_ref(13)?, row.get::<_, Option<i64>>(16)?) {
        (rusqlite::types::ValueRef::Null, None) => About::Group(GroupId(whole(row.get(2)?))),
        (rusqlite::types::ValueRef::Null, Some(digest)) => About::Digest(DigestId(whole(digest))),
        (notice, _) => About::Notice(Box::new(incidents::parse(incidents::text(notice)?, "notice")?)),
    };
    let reasons = [Reason::Edit, Reason::Reply, Reason::Post, Reason::Notice];
    let states = [DeliveryState::Pending, DeliveryState::Sending, DeliveryState::Done, DeliveryState::Dead];
    Ok(Delivery {
        id: DeliveryId(whole(row.get(0)?)),
        notification: Notification {
            channel: channel.clone(),
            about,
            reason: word(row, 3, &reasons, |reason| reason.as_str())?,
            severity: word(row, 4, &SEVERITIES, |severity| severity.as_str())?,
            at: Timestamp(row.get(5)?),
            news: word(row, 14, &News::ALL, |news| news.as_str())?,
            stands_in: row.get::<_, Option<String>>(15)?.map(|name| ChannelName::new(&name)),
        },
        state: word(row, 6, &states, |state| state.as_str())?,
        attempts: row.get(7)?,
        not_before: Timestamp(row.get(8)?),
        outcome,
        error: row.get(10)?,
        possible_duplicate: row.get(11)?,
        done_at: row.get::<_, Option<i64>>(12)?.map(Timestamp),
    })
}

/// The value whose word stands in a column.
fn word<T: Copy>(row: &Row<'_>, column: usize, all: &[T], spell: impl Fn(&T) -> &'static str) -> Result<T, Fault> {
    let found = row.get_ref(column)?.as_str().map_err(|error| Fault::Unreadable(error.to_string()))?;
    let known = all.iter().find(|value| spell(value) == found);
    known.copied().ok_or_else(|| Fault::Unreadable(format!("outbox column {column} says {found:?}")))
}
