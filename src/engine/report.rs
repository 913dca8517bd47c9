//! A callback as the verdicts see it, and what a rule found in it. Plain data.

use std::ops::Range;

use crate::model::{Event, Key, Scope, Timestamp};

use super::sessions::Standing;
use super::window::Reading;

/// An event with everything about its reception that the verdicts need.
pub(super) struct Report<'a> {
    pub(super) event: &'a Event,
    /// Its stream.
    pub(super) stream: Key,
    /// The event's time: the earlier of the cloud's and ours.
    pub(super) time: Timestamp,
    pub(super) received: Timestamp,
    /// What the wall clock showed when it was received.
    pub(super) wall: Timestamp,
    pub(super) standing: Standing,
    /// For the end of a push: another session of the stream goes on.
    pub(super) other_live: bool,
}

impl Report<'_> {
    /// The key it belongs to in a scope; `None` where the callback does not carry what that takes.
    pub(super) fn key(&self, scope: Scope) -> Option<Key> {
        match scope {
            Scope::Stream => Some(self.stream.clone()),
            scope => Key::of(self.event, scope),
        }
    }
}

/// What one rule found in an event, before anything is decided.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// The rule's place.
    pub(super) place: u32,
    /// What the rule judges as one here.
    pub(super) key: Key,
    /// What it adds to the rule's window.
    pub(super) of: u64,
    /// What the window says now.
    pub(super) reading: Reading,
    /// Occurrences this event adds.
    pub(super) amount: u64,
    /// Where its (abnormal entry, amount) pairs stand in the scratch space.
    pub(super) matched: Range<usize>,
}
