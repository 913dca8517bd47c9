//! Lists for people: incidents, mutes, the record of commands. Short reads, page by page; all is as last committed.

use futures_util::future::BoxFuture;
use serde::Serialize;

use super::StoreError;
use crate::model::{AuditRecord, Incident, IncidentId, Mute, State, Timestamp};

/// Which incidents, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// Those in one of these states; all if there is none.
    pub states: Vec<State>,
    /// Those about this: a stream's id or full name, or what else an incident may be about, as it is shown.
    pub stream: Option<String>,
    /// Those of this rule.
    pub rule: Option<String>,
    /// Those before this one.
    pub before: Option<IncidentId>,
    /// So many at most.
    pub most: usize,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sheet<T> {
    /// What is on it; perhaps nothing, although there are more pages.
    pub items: Vec<T>,
    /// Where the next page begins; `None` if this is the last.
    pub next: Option<u64>,
}

/// A notification in an incident's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When it was owed.
    pub at: Timestamp,
    /// To which channel.
    pub channel: String,
    /// `post`, `edit` or `reply`.
    pub reason: String,
    /// How bad it was then.
    pub severity: String,
    /// What became of it, once that is known.
    pub outcome: Option<String>,
    /// When that was known.
    pub done_at: Option<Timestamp>,
}

/// An incident and what was told of it.
pub type History = (Incident, Vec<Told>);

/// Lists for people.
pub trait Lookup: Send + Sync {
    /// A page of incidents.
    fn incidents(&self, wanted: Which) -> BoxFuture<'_, Result<Sheet<Incident>, StoreError>>;

    /// An incident, and what channels were told about its group since it began, oldest first, the last few hundred.
    fn incident(&self, id: IncidentId) -> BoxFuture<'_, Result<Option<History>, StoreError>>;

    /// Mutes that people set, by number; some may be over.
    fn mutes(&self) -> BoxFuture<'_, Result<Vec<Mute>, StoreError>>;

    /// Puts a command on record; the oldest go when there are too many.
    fn record(&self, record: AuditRecord) -> BoxFuture<'_, Result<(), StoreError>>;

    /// A page of the commands on record with their numbers, newest first, `most` at most.
    fn records(&self, before: Option<u64>, most: usize)
    -> BoxFuture<'_, Result<Sheet<(u64, AuditRecord)>, StoreError>>;
}
