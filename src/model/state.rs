//! The engine's lifecycle state on its way to and from the disk. Windows are not in it: replay rebuilds them.

use super::{Group, GroupId, Incident, Notification};

/// Durable state that the engine, or a channel's delivery, keeps per key and the store does not look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyed {
    /// What kind of thing, `stream` for example.
    pub kind: &'static str,
    /// Its key.
    pub key: String,
    /// JSON, or `None` to forget it.
    pub value: Option<String>,
}

/// What an opened engine shard goes on from.
#[derive(Clone, Debug, Default)]
pub struct EngineState {
    /// Incidents that are pending or firing, and the resolved ones of groups listed here.
    pub incidents: Vec<Incident>,
    /// Groups not yet forgotten.
    pub groups: Vec<Group>,
    /// Keyed state: (kind, key, JSON).
    pub keyed: Vec<(String, String, String)>,
}

/// What an engine commit changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineChanges {
    /// Incidents as they are now.
    pub incidents: Vec<Incident>,
    /// Groups as they are now.
    pub groups: Vec<Group>,
    /// Groups whose members need not be loaded any more; they stay readable.
    pub forgotten: Vec<GroupId>,
    /// Keyed state.
    pub keyed: Vec<Keyed>,
    /// New outbox rows.
    pub outbox: Vec<Notification>,
}

impl EngineChanges {
    /// Whether there is nothing to keep but the cursor.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.incidents.is_empty()
            && self.groups.is_empty()
            && self.forgotten.is_empty()
            && self.keyed.is_empty()
            && self.outbox.is_empty()
    }
}
