//! Living messages follow a trouble that goes on: when one is brought up to date although nothing changed but the
//! figures in it. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::{GroupId, IncidentId, Notification, Shown, Timestamp};

use super::Engine;

/// A message is left alone for this long at least: chats count edits too.
const SOONEST: Duration = Duration::from_secs(15);

/// When a message falls behind: once its trouble is twice as old as it was when the message was last brought up to date.
/// So what it shows is never older than about half the trouble's age, and a long trouble costs few edits.
fn behind(shown: Shown) -> Timestamp {
    shown.at + shown.at.since(shown.since).max(SOONEST)
}

impl Engine {
    /// An incident goes on: its message may have fallen behind.
    pub(super) fn keep_up(&mut self, id: IncidentId) {
        // What is part of another incident was told so, and is silent since.
        let Some(incident) = self.incidents.get(&id).filter(|incident| incident.inhibited_by.is_none()) else { return };
        let Some((id, group)) = incident.group.and_then(|id| Some((id, &self.groups.get(&id)?.group))) else { return };
        let is_behind = group.shown.is_some_and(|shown| behind(shown) <= self.now);
        if is_behind && group.told.iter().any(|told| self.can_edit(&told.channel)) {
            self.revise(id);
            self.refresh(id, &[]);
        }
    }

    /// The message of a group is being told, or brought up to date.
    pub(super) fn catch_up(&mut self, id: GroupId) {
        let shown = self.groups.get_mut(&id).and_then(|members| members.group.shown.as_mut());
        if let Some(shown) = shown {
            shown.at = self.now;
            self.dirty_groups.insert(id);
        }
    }

    /// What the messages that are owed will show must be written with them.
    pub(super) fn write_what_is_told(&mut self) {
        let told: BTreeSet<GroupId> = self.outbox.iter().filter_map(Notification::group).collect();
        for members in told.iter().filter_map(|id| self.groups.get(id)) {
            let touched = members.incidents.iter().filter(|id| self.touched_at.contains_key(id));
            self.dirty_incidents.extend(touched);
        }
    }
}
