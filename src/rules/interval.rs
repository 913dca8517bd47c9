//! Times of the week at which something holds: `time_intervals` of rules.yaml, by the wall clock of a zone. Pure.

use crate::model::Timestamp;

/// One named interval, compiled.
#[derive(Clone, Debug)]
pub struct TimeInterval {
    /// Its name in `time_intervals`.
    pub name: Box<str>,
}

impl TimeInterval {
    /// Whether it holds at a moment of the wall clock.
    #[must_use]
    pub fn holds(&self, _wall: Timestamp) -> bool {
        true
    }

    /// The next moment after `wall` at which [`TimeInterval::holds`] changes; [`Timestamp::MAX`] if it never does.
    #[must_use]
    pub fn next_change(&self, _wall: Timestamp) -> Timestamp {
        Timestamp::MAX
    }
}
