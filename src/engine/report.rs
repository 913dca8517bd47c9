//! A callback as the verdicts see it, and what a rule found in it. Plain data.

use std::ops::Range;

use crate::model::{Event, Key, Timestamp};

use super::sessions::Standing;
use super::window::Reading;

/// An event with everything about its reception that the verdicts need.
pub(super) struct Report<'a> {
    pub(super) event: &'a Event,
    /// Its stream.
    pub(super) key: Key,
    /// The event's time: the earlier of the cloud's and ours.
    pub(super) time: Timestamp,
    pub(super) received: Timestamp,
    pub(super) standing: Standing,
    /// For the end of a push: another session of the stream goes on.
    pub(super) other_live: bool,
}

/// What one rule found in an event, before anything is decided.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// The rule's place.
    pub(super) place: u32,
    /// What the window says now.
    pub(super) reading: Reading,
    /// Occurrences this event adds.
    pub(super) amount: u64,
    /// Where its (abnormal entry, amount) pairs stand in the scratch space.
    pub(super) matched: Range<usize>,
}
