//! How other rooms hand inputs to the core, and learn that they are judged and kept.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use super::Roster;
use crate::model::{Input, NewEntry, Seq};
use crate::store::{Appended, Shard, Store, StoreError};

/// Longest wait until the engine has come to an input: a chat waits three seconds for its answer.
const PATIENCE: Duration = Duration::from_millis(2500);

/// A way to the core. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(super) store: Arc<dyn Store>,
    pub(super) judged: watch::Receiver<Seq>,
    pub(super) caught_up: watch::Receiver<bool>,
    pub(super) roster: Arc<Roster>,
}

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// It is in force, and what came of it is committed.
    InForce,
    /// It is in the journal and will come into force; the engine has not come to it yet.
    Kept,
}

impl Handle {
    /// Journals an input and waits until what came of it is committed, for as long as a chat would wait.
    ///
    /// # Errors
    /// [`StoreError`]: it is not kept, and will not come into force.
    pub async fn give(&self, input: Input) -> Result<Given, StoreError> {
        let entry = NewEntry { input, body: Bytes::new() };
        let seq = match self.store.append(&Shard::Engine, entry).await? {
            Appended::New(seq) => seq,
            Appended::Duplicate => {
                return Err(StoreError::Failed("an input of our own passes for a repeat".into()));
            }
        };
        let mut judged = self.judged.clone();
        match tokio::time::timeout(PATIENCE, judged.wait_for(|at| *at >= seq)).await {
            Ok(Ok(_)) => Ok(Given::InForce),
            // Late, or the core is stopping: the next start comes to it.
            Ok(Err(_)) | Err(_) => Ok(Given::Kept),
        }
    }

    /// Whether the engine has come to the end of what was kept, perhaps within the time that a chat would wait.
    pub async fn has_caught_up(&self) -> bool {
        let mut caught_up = self.caught_up.clone();
        tokio::time::timeout(PATIENCE, caught_up.wait_for(|yes| *yes)).await.is_ok_and(|came| came.is_ok())
    }

    /// The streams that are heard of.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.roster
    }
}
