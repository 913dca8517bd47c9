//! Lists of outbox rows, newest first: each read is a short one.

use rusqlite::{Connection, OptionalExtension, Row};

use super::error::{Fault, int, whole};
use super::outbox;
use super::readers::Readers;
use crate::model::{ChannelName, Delivery, DeliveryId};
use crate::store::StoreError;
use crate::store::listing::{Fate, Listed, Page, Wanted};
use std::sync::Arc;

/// Rows looked at in one read, where no index leads to those that are wanted.
const STRETCH: u64 = 20_000;

/// Reads for one page; then whoever asked gets what was found, and where to go on.
const MOST_READS: usize = 50;

/// A page.
pub(super) async fn page(readers: &Arc<Readers>, wanted: Wanted) -> Result<Page, StoreError> {
    let mut before = match wanted.before {
        Some(before) => before,
        None => DeliveryId(readers.read(|conn| Ok(outbox::last_id(conn)?.0 + 1)).await?),
    };
    let mut page = Page::default();
    for _ in 0..MOST_READS {
        let most = wanted.most.saturating_sub(page.items.len());
        let ask = Wanted { before: Some(before), most, ..wanted.clone() };
        let found = readers.read(move |conn| stretch(conn, &ask)).await?;
        page.items.extend(found.items);
        page.next = found.next;
        match found.next {
            Some(next) if page.items.len() < wanted.most => before = next,
            _ => break,
        }
    }
    Ok(page)
}

/// A row.
pub(super) fn one(conn: &Connection, id: DeliveryId) -> Result<Option<Delivery>, Fault> {
    let sql = format!("SELECT {}, NULL FROM outbox o WHERE o.id = ?", outbox::COLUMNS);
    let row = conn.prepare_cached(&sql)?.query_row([int(id.0)], |row| Ok(listed(row))).optional()?;
    Ok(row.transpose()?.map(|listed| listed.delivery))
}

/// How many rows of a channel were given up and are kept.
pub(super) fn dead(conn: &Connection, channel: &ChannelName) -> Result<u64, Fault> {
    let sql = "SELECT count(*) FROM outbox INDEXED BY outbox_dead WHERE state = 'dead' AND channel = ?";
    Ok(whole(conn.prepare_cached(sql)?.query_row([channel.as_str()], |row| row.get(0))?))
}

fn stretch(conn: &Connection, wanted: &Wanted) -> Result<Page, Fault> {
    let before = wanted.before.unwrap_or_default().0;
    // Where an index holds nothing else, all of it may be looked at.
    let (index, which, floor) = match wanted.fate {
        Some(Fate::Pending) => ("INDEXED BY outbox_due", "state IN ('pending', 'sending')", 0),
        Some(Fate::Dead) => ("INDEXED BY outbox_dead", "state = 'dead'", 0),
        Some(Fate::Sent) => ("NOT INDEXED", "state = 'done'", before.saturating_sub(STRETCH)),
        None => ("NOT INDEXED", "TRUE", before.saturating_sub(STRETCH)),
    };
    let sql = format!(
        "SELECT {}, (SELECT stream FROM incident_groups g WHERE g.id = o.group_id) FROM outbox o WHERE o.id IN ( \
             SELECT id FROM outbox {index} WHERE {which} AND (?1 IS NULL OR channel = ?1) AND id < ?2 AND id >= ?3 \
             ORDER BY id DESC LIMIT ?4) \
         ORDER BY o.id DESC",
        outbox::COLUMNS,
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let channel = wanted.channel.as_ref().map(ChannelName::as_str);
    let mut rows = statement.query((channel, int(before), int(floor), int(wanted.most as u64)))?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(listed(row)?);
    }
    let next = match items.last() {
        Some(last) if items.len() >= wanted.most => Some(last.delivery.id),
        // Nothing below the floor was looked at.
        _ => Some(DeliveryId(floor)).filter(|floor| floor.0 > 1),
    };
    Ok(Page { items, next })
}

fn listed(row: &Row<'_>) -> Result<Listed, Fault> {
    let channel = row.get_ref(1)?.as_str().map_err(|error| Fault::Unreadable(error.to_string()))?;
    let delivery = outbox::delivery(row, &ChannelName::new(channel))?;
    Ok(Listed { delivery, key: row.get(outbox::WIDTH)? })
}
