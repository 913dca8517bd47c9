//! The cloud's door: takes callbacks at the public listener, verifies, masks and normalises them, and answers 200
//! only after the journal has them.
//!
//! A body's way is fixed by types: `wire::Callback` (read) → `signature::Verified` (let in) → `mask::Masked`
//! (without secrets) → [`Event`] and the journal's copy. No step can be left out.

mod event;
mod handler;
mod mask;
mod measure;
mod refusal;
mod scan;
mod signature;
mod sound;
mod sources;
mod tally;
mod wire;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{Door, Event, EventId, NewEntry, Timestamp};
use crate::store::{Appended, StoreError};

pub use handler::endpoint;
pub use refusal::Refusal;

/// The door's view of the core: a place where an entry is kept for good.
pub trait Journal: Send + Sync {
    /// Keeps an entry; resolves once it is on disk.
    ///
    /// # Errors
    /// Whatever keeps it from being kept; the caller is then told to come again.
    fn append(&self, entry: NewEntry) -> BoxFuture<'_, Result<Appended, StoreError>>;
}

/// Everything the door needs.
pub struct Ingest {
    door: watch::Receiver<Arc<Door>>,
    journal: Arc<dyn Journal>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    refusals: tally::Refusals,
}

impl Ingest {
    /// A door that leads to this journal. Each callback is judged by the settings as they are when it comes.
    #[must_use]
    pub fn new(
        door: watch::Receiver<Arc<Door>>,
        journal: Arc<dyn Journal>,
        clock: Arc<Clock>,
        metrics: Arc<Metrics>,
    ) -> Ingest {
        Ingest { door, journal, clock, metrics, refusals: tally::Refusals::default() }
    }

    /// The settings in force.
    fn door(&self) -> Arc<Door> {
        Arc::clone(&self.door.borrow())
    }
}

/// What becomes of a body: the event and the journal's copy of it, or the reason why not. Pure; `now` is the wall's time.
///
/// # Errors
/// [`Refusal`], in the order: malformed, unsigned, bad signature, expired.
pub fn admit(door: &Door, body: &[u8], now: Timestamp) -> Result<(Event, Bytes), Refusal> {
    let callback = wire::Callback::parse(body)?;
    let verified = signature::verify(door, callback, now)?;
    let masked = mask::mask(verified);
    Ok((event::read(&masked), masked.into_body()))
}

/// The event of a body from the journal or an export: it was let in and masked once, and is neither again.
///
/// # Errors
/// [`Refusal::Malformed`] if it is no callback.
pub fn recorded(body: &[u8], id: EventId) -> Result<Event, Refusal> {
    let callback = wire::Callback::parse(body)?;
    let fields = callback.fields.iter().map(|field| (field.key.as_ref(), field.raw));
    Ok(event::read_fields(id, callback.kind, fields))
}

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;
