//! The engine's lifecycle state in tables: incidents, groups, keyed state.

use rusqlite::{Connection, OptionalExtension};
use serde::de::DeserializeOwned;

use super::error::{Fault, int, whole};
use super::outbox;
use crate::model::{
    About, ChannelName, DigestId, EngineChanges, Group, GroupId, Incident, IncidentId, Keyed, Notification,
};
use crate::store::{Members, Seated};

/// A new outbox row; one that is about pushwatch itself with its text.
pub(super) type Owed = (Notification, Option<String>);

/// An engine commit with everything turned into text already, which is not the writer's work.
#[derive(Debug)]
pub(super) struct Prepared {
    incidents: Vec<(Incident, String)>,
    groups: Vec<(Group, String)>,
    forgotten: Vec<GroupId>,
    keyed: Vec<Keyed>,
    /// New outbox rows.
    pub(super) outbox: Vec<Owed>,
}

impl Prepared {
    /// Turns changes into rows.
    pub(super) fn new(changes: EngineChanges) -> Result<Prepared, Fault> {
        Ok(Prepared {
            incidents: with_text(changes.incidents)?,
            groups: with_text(changes.groups)?,
            forgotten: changes.forgotten,
            keyed: changes.keyed,
            outbox: with_notices(changes.outbox)?,
        })
    }

    /// Writes all but the outbox.
    pub(super) fn write(&self, conn: &Connection) -> Result<(), Fault> {
        for (incident, data) in &self.incidents {
            put_incident(conn, incident, data)?;
        }
        for (group, data) in &self.groups {
            conn.prepare_cached(
                "INSERT INTO incident_groups (id, stream, closed_at, data) VALUES (?1,?2,?3,?4) ON CONFLICT (id) DO UPDATE \
                 SET stream = ?2, closed_at = ?3, forgotten = 0, data = ?4",
            )?
            .execute((int(group.id.0), group.key.to_string(), group.closed_at.map(|at| at.0), data))?;
        }
        for group in &self.forgotten {
            conn.prepare_cached("UPDATE incident_groups SET forgotten = 1 WHERE id = ?")?.execute([int(group.0)])?;
        }
        for keyed in &self.keyed {
            match &keyed.value {
                Some(value) => conn
                    .prepare_cached("REPLACE INTO keyed (kind, key, value) VALUES (?,?,?)")?
                    .execute((keyed.kind, &keyed.key, value))?,
                None => conn
                    .prepare_cached("DELETE FROM keyed WHERE kind = ? AND key = ?")?
                    .execute((keyed.kind, &keyed.key))?,
            };
        }
        Ok(())
    }
}

/// A group and its incidents, by number ascending.
pub(super) fn group(conn: &Connection, id: GroupId) -> Result<Option<Members>, Fault> {
    let data: Option<String> = conn
        .prepare_cached("SELECT data FROM incident_groups WHERE id = ?")?
        .query_row([int(id.0)], |row| row.get(0))
        .optional()?;
    let Some(data) = data else { return Ok(None) };
    let group = parse(&data, "group")?;
    let mut statement = conn.prepare_cached("SELECT data FROM incidents WHERE group_id = ? ORDER BY id")?;
    let mut rows = statement.query([int(id.0)])?;
    let mut incidents = Vec::new();
    while let Some(row) = rows.next()? {
        incidents.push(parse(text(row.get_ref(0)?)?, "incident")?);
    }
    Ok(Some((group, incidents)))
}

/// The members of a digest behind `after`, and their incidents.
pub(super) fn members(
    conn: &Connection,
    channel: &ChannelName,
    digest: DigestId,
    after: GroupId,
    max: usize,
) -> Result<Vec<Seated>, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT m.group_id, m.stands_in, i.data FROM ( \
             SELECT group_id, stands_in FROM messages WHERE digest = ?1 AND group_id > ?2 AND channel = ?3 \
             ORDER BY group_id LIMIT ?4) m \
         LEFT JOIN incidents i ON i.group_id = m.group_id ORDER BY m.group_id, i.id",
    )?;
    let mut rows = statement.query((int(digest.0), int(after.0), channel.as_str(), int(max as u64)))?;
    let mut found: Vec<Seated> = Vec::new();
    while let Some(row) = rows.next()? {
        let group = GroupId(whole(row.get(0)?));
        if found.last().is_none_or(|last| last.group != group) {
            found.push(Seated { group, stands_in: outbox::stands_in(row, 1)?, incidents: Vec::new() });
        }
        let incident = match row.get_ref(2)? {
            rusqlite::types::ValueRef::Null => None,
            data => Some(parse(text(data)?, "incident")?),
        };
        if let Some(member) = found.last_mut() {
            member.incidents.extend(incident);
        }
    }
    Ok(found)
}

/// An incident as it was last written.
pub(super) fn incident(conn: &Connection, id: IncidentId) -> Result<Option<Incident>, Fault> {
    let mut statement = conn.prepare_cached("SELECT data FROM incidents WHERE id = ?")?;
    let data: Option<String> = statement.query_row([int(id.0)], |row| row.get(0)).optional()?;
    data.map(|data| parse(&data, "incident")).transpose()
}

fn put_incident(conn: &Connection, incident: &Incident, data: &str) -> Result<(), Fault> {
    conn.prepare_cached(
        "INSERT INTO incidents (id, rule, stream, state, severity, opened_at, resolved_at, group_id, data) \
         VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9) ON CONFLICT (id) DO UPDATE SET rule = ?2, stream = ?3, state = ?4, \
         severity = ?5, opened_at = ?6, resolved_at = ?7, group_id = ?8, data = ?9",
    )?
    .execute((
        int(incident.id.0),
        &*incident.rule,
        incident.key.to_string(),
        incident.state.as_str(),
        incident.severity.as_str(),
        incident.opened_at.0,
        incident.resolved_at.map(|at| at.0),
        incident.group.map(|group| int(group.0)),
        data,
    ))?;
    Ok(())
}

/// Turns what is owed into rows.
pub(super) fn with_notices(owed: Vec<Notification>) -> Result<Vec<Owed>, Fault> {
    let with_notice = |notification: Notification| {
        let notice = match &notification.about {
            About::Group(_) | About::Digest(_) => None,
            About::Notice(notice) => Some(written(notice)?),
        };
        Ok((notification, notice))
    };
    owed.into_iter().map(with_notice).collect()
}

fn with_text<T: serde::Serialize>(things: Vec<T>) -> Result<Vec<(T, String)>, Fault> {
    things
        .into_iter()
        .map(|thing| {
            let text = written(&thing)?;
            Ok((thing, text))
        })
        .collect()
}

pub(super) fn written(thing: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(thing).map_err(|error| Fault::Unreadable(format!("can't be kept: {error}")))
}

/// A column that holds text.
pub(super) fn text(value: rusqlite::types::ValueRef<'_>) -> Result<&str, Fault> {
    value.as_str().map_err(|error| Fault::Unreadable(error.to_string()))
}

/// A thing as it was written.
pub(super) fn parse<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::Unreadable(format!("stored {what}: {error}")))
}
