//! Lists for people, read from the tables page by page.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, params};

use super::Sqlite;
use super::error::{Fault, int, whole};
use super::incidents::{incident, parse, text};
use super::queue::Op;
use crate::model::{AuditRecord, Incident, IncidentId, Mute, State, Timestamp, Verdict};
use crate::store::lookup::History;
use crate::store::{Lookup, Sheet, StoreError, Told, Which};

/// Incidents looked at for a page, at most: what is rare is found on a later one.
const LOOKED_AT: u64 = 20_000;

/// Notifications of a group shown, at most.
const MOST_TOLD: i64 = 500;

/// Commands kept on record.
const MOST_RECORDS: i64 = 100_000;

impl Lookup for Sqlite {
    fn incidents(&self, wanted: Which) -> BoxFuture<'_, Result<Sheet<Incident>, StoreError>> {
        async move { self.readers.read(move |conn| incidents(conn, &wanted)).await }.boxed()
    }

    fn incident(&self, id: IncidentId) -> BoxFuture<'_, Result<Option<History>, StoreError>> {
        let read = move |conn: &Connection| match incident(conn, id)? {
            Some(incident) => {
                let told = told(conn, &incident)?;
                Ok(Some((incident, told)))
            }
            None => Ok(None),
        };
        async move { self.readers.read(read).await }.boxed()
    }

    fn mutes(&self) -> BoxFuture<'_, Result<Vec<Mute>, StoreError>> {
        async move { self.readers.read(mutes).await }.boxed()
    }

    fn record(&self, record: AuditRecord) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.ask(|answer| Op::Record { record, answer }).await }.boxed()
    }

    fn records(
        &self,
        before: Option<u64>,
        most: usize,
    ) -> BoxFuture<'_, Result<Sheet<(u64, AuditRecord)>, StoreError>> {
        async move { self.readers.read(move |conn| records(conn, before, most)).await }.boxed()
    }
}

fn incidents(conn: &Connection, wanted: &Which) -> Result<Sheet<Incident>, Fault> {
    let last = conn.query_row("SELECT coalesce(max(id), 0) FROM incidents", [], |row| row.get(0)).map(whole)?;
    let before = wanted.before.map_or(last + 1, |id| id.0.min(last + 1));
    let from = before.saturating_sub(LOOKED_AT);
    let is_open = !wanted.states.is_empty() && !wanted.states.contains(&State::Resolved);
    // What is open is found by its index, however far back it lies.
    let (range, from) = if is_open { ("state IN ('pending', 'firing') AND id >= ?2", 0) } else { ("id >= ?2", from) };
    let is_wanted = |state: State| wanted.states.is_empty() || wanted.states.contains(&state);
    let sql = format!(
        "SELECT id, data FROM incidents WHERE id < ?1 AND {range} AND (?3 IS NULL OR rule = ?3) AND (?4 IS NULL OR \
         stream = ?4 OR substr(stream, -length(?4) - 1) = '/' || ?4 OR substr(stream, 1, length(?4) + 1) = ?4 || '#') \
         AND ((?5 AND state = 'pending') OR (?6 AND state = 'firing') OR (?7 AND state = 'resolved')) \
         ORDER BY id DESC LIMIT ?8"
    );
    let most = wanted.most.max(1);
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![
        int(before),
        int(from),
        wanted.rule,
        wanted.stream,
        is_wanted(State::Pending),
        is_wanted(State::Firing),
        is_wanted(State::Resolved),
        int(most as u64 + 1),
    ])?;
    let mut items: Vec<Incident> = Vec::new();
    while let Some(row) = rows.next()? {
        if items.len() == most {
            return Ok(Sheet { next: items.last().map(|incident| incident.id.0), items });
        }
        items.push(parse(text(row.get_ref(1)?)?, "incident")?);
    }
    Ok(Sheet { items, next: (from > 1).then_some(from) })
}

fn told(conn: &Connection, incident: &Incident) -> Result<Vec<Told>, Fault> {
    let Some(group) = incident.group else { return Ok(Vec::new()) };
    let mut statement = conn.prepare_cached(
        "SELECT at, channel, reason, severity, outcome, done_at FROM outbox WHERE group_id = ?1 AND at >= ?2 \
         ORDER BY id DESC LIMIT ?3",
    )?;
    let told = statement.query_map((int(group.0), incident.opened_at.0, MOST_TOLD), |row| {
        Ok(Told {
            at: Timestamp(row.get(0)?),
            channel: row.get(1)?,
            reason: row.get(2)?,
            severity: row.get(3)?,
            outcome: row.get(4)?,
            done_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
        })
    })?;
    let mut told = told.collect::<Result<Vec<_>, _>>()?;
    told.reverse();
    Ok(told)
}

fn mutes(conn: &Connection) -> Result<Vec<Mute>, Fault> {
    let mut statement = conn.prepare_cached("SELECT value FROM keyed WHERE kind = 'mute'")?;
    let mut rows = statement.query([])?;
    let mut mutes: Vec<Mute> = Vec::new();
    while let Some(row) = rows.next()? {
        mutes.push(parse(text(row.get_ref(0)?)?, "mute")?);
    }
    mutes.sort_by_key(|mute| mute.id);
    Ok(mutes)
}

/// Puts a command on record, within the turn's transaction.
pub(super) fn insert(conn: &Connection, record: &AuditRecord) -> Result<(), Fault> {
    let AuditRecord { at, who, place, what, verdict, answer } = record;
    conn.prepare_cached("INSERT INTO audit (at, who, place, what, verdict, answer) VALUES (?,?,?,?,?,?)")?
        .execute(params![at.0, who, place, what, verdict.as_str(), answer])?;
    let oldest = conn.last_insert_rowid().saturating_sub(MOST_RECORDS);
    conn.prepare_cached("DELETE FROM audit WHERE id <= ?")?.execute([oldest])?;
    Ok(())
}

fn records(conn: &Connection, before: Option<u64>, most: usize) -> Result<Sheet<(u64, AuditRecord)>, Fault> {
    let most = most.max(1);
    let mut statement = conn.prepare_cached(
        "SELECT id, at, who, place, what, verdict, answer FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let rows = statement.query_map((before.map_or(i64::MAX, int), int(most as u64 + 1)), |row| {
        let verdict: String = row.get(5)?;
        let record = AuditRecord {
            at: Timestamp(row.get(1)?),
            who: row.get(2)?,
            place: row.get(3)?,
            what: row.get(4)?,
            // One of a later version, if it is none of these.
            verdict: Verdict::ALL.into_iter().find(|known| known.as_str() == verdict).unwrap_or(Verdict::Done),
            answer: row.get(6)?,
        };
        Ok((whole(row.get(0)?), record))
    })?;
    let mut items = rows.collect::<Result<Vec<_>, _>>()?;
    let has_more = items.len() > most;
    items.truncate(most);
    Ok(Sheet { next: items.last().filter(|_| has_more).map(|(id, _)| *id), items })
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, schema};
    use super::*;
    use crate::model::EngineChanges;
    use crate::store::samples;

    fn database() -> (tempfile::TempDir, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let conn = schema::open(&dir.path().join("db")).unwrap();
        (dir, conn)
    }

    fn put(conn: &Connection, incidents: Vec<Incident>) {
        let changes = EngineChanges { incidents, ..EngineChanges::default() };
        super::super::incidents::Prepared::new(changes).unwrap().write(conn).unwrap();
    }

    fn ids(page: &Sheet<Incident>) -> Vec<u64> {
        page.items.iter().map(|incident| incident.id.0).collect()
    }

    #[test]
    fn incidents_are_listed_newest_first_by_state_rule_and_stream() {
        let (_dir, conn) = database();
        let rules = ["gop", "stall"];
        let made = (1..=9).map(|n| {
            let mut incident = samples::incident(n);
            incident.rule = rules[n as usize % 2].into();
            incident.key = crate::model::Key::Stream(crate::model::StreamName::new("d", "p", &format!("cam{}", n % 3)));
            incident.state = [State::Firing, State::Resolved, State::Pending][n as usize % 3];
            incident
        });
        put(&conn, made.collect());
        let list = |wanted: Which| ids(&incidents(&conn, &Which { most: 100, ..wanted }).unwrap());
        assert_eq!(list(Which::default()), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(list(Which { states: vec![State::Firing], ..Which::default() }), [9, 6, 3]);
        assert_eq!(list(Which { states: vec![State::Firing, State::Pending], ..Which::default() }), [9, 8, 6, 5, 3, 2]);
        assert_eq!(list(Which { rule: Some("stall".to_owned()), ..Which::default() }), [9, 7, 5, 3, 1]);
        assert_eq!(list(Which { stream: Some("cam1".to_owned()), ..Which::default() }), [7, 4, 1]);
        assert_eq!(list(Which { stream: Some("d/p/cam1".to_owned()), ..Which::default() }), [7, 4, 1]);
        assert_eq!(list(Which { stream: Some("am1".to_owned()), ..Which::default() }), [0; 0]);
        assert_eq!(list(Which { before: Some(IncidentId(4)), ..Which::default() }), [3, 2, 1]);
    }

    #[test]
    fn pages_follow_each_other_and_look_at_a_bounded_number() {
        let (_dir, conn) = database();
        put(&conn, (1..=7).map(samples::incident).collect());
        let (mut before, mut seen) = (None, Vec::new());
        loop {
            let page = incidents(&conn, &Which { before, most: 3, ..Which::default() }).unwrap();
            assert!(page.items.len() <= 3);
            seen.extend(ids(&page));
            match page.next {
                Some(next) => before = Some(IncidentId(next)),
                None => break,
            }
        }
        assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
        // One far back: found on a later page, unless it is open.
        put(&conn, vec![samples::incident(3 * LOOKED_AT)]);
        let rare = |states| Which { states, before: Some(IncidentId(3 * LOOKED_AT)), most: 9, ..Which::default() };
        let page = incidents(&conn, &rare(Vec::new())).unwrap();
        assert_eq!((ids(&page), page.next), (vec![], Some(2 * LOOKED_AT)));
        let open = incidents(&conn, &rare(vec![State::Firing])).unwrap();
        assert_eq!((ids(&open), open.next), (vec![7, 6, 5, 4, 3, 2, 1], None));
    }

    #[test]
    fn a_stream_with_signs_of_sql_in_its_name_is_a_name() {
        let (_dir, conn) = database();
        let mut incident = samples::incident(1);
        incident.key = crate::model::Key::Stream(crate::model::StreamName::new("d", "p", "%_'x"));
        put(&conn, vec![incident, samples::incident(2)]);
        let wanted = |stream: &str| Which { stream: Some(stream.to_owned()), most: 9, ..Which::default() };
        assert_eq!(ids(&incidents(&conn, &wanted("%_'x")).unwrap()), [1]);
        assert_eq!(ids(&incidents(&conn, &wanted("%")).unwrap()), [0; 0]);
    }

    #[tokio::test]
    async fn commands_on_record_survive_and_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let clock = std::sync::Arc::new(crate::clock::Clock::start());
            let metrics = std::sync::Arc::new(crate::metrics::Metrics::new());
            Sqlite::open(Settings::for_testing(dir.path()), clock, metrics).unwrap()
        };
        let record = |n: i64| AuditRecord {
            at: Timestamp(n),
            who: "U1 ann".into(),
            place: "ops".into(),
            what: "mute cam1 2h".into(),
            verdict: Verdict::ALL[n as usize % 4],
            answer: "muted".into(),
        };
        let store = open();
        for n in 1..=5 {
            store.record(record(n)).await.unwrap();
        }
        store.close().await;
        let store = open();
        let page = store.records(None, 3).await.unwrap();
        assert_eq!(page.items, [5, 4, 3].map(|n| (n as u64, record(n))));
        let page = store.records(page.next, 3).await.unwrap();
        assert_eq!((page.items, page.next), (vec![(2, record(2)), (1, record(1))], None));
        store.close().await;
        let (_dir, conn) = database();
        insert(&conn, &record(1)).unwrap();
        conn.execute("UPDATE audit SET id = ?", [MOST_RECORDS]).unwrap();
        insert(&conn, &record(2)).unwrap();
        insert(&conn, &record(3)).unwrap();
        let left: i64 = conn.query_row("SELECT min(id) FROM audit", [], |row| row.get(0)).unwrap();
        assert_eq!(left, MOST_RECORDS);
    }
}
