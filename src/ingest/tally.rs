//! Sees to it that every request at the callback door ends in exactly one counted outcome, and that a flood of
//! refusals does not become a flood of log lines.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::metrics::Metrics;
use crate::model::CallbackOutcome;

/// A request that has no outcome yet. If it is dropped (the caller went away, or a panic), it is counted as what it
/// was about to become.
pub(super) struct Tally<'a> {
    metrics: &'a Metrics,
    started: Instant,
    outcome: CallbackOutcome,
}

impl<'a> Tally<'a> {
    /// Begins with a request's arrival, when all there is to wait for is its body.
    pub(super) fn begin(metrics: &'a Metrics, started: Instant) -> Tally<'a> {
        Tally { metrics, started, outcome: CallbackOutcome::Slow }
    }

    /// From here on the journal is waited for.
    pub(super) fn appending(&mut self) {
        self.outcome = CallbackOutcome::Overloaded;
    }

    /// The outcome is known.
    pub(super) fn end(mut self, outcome: CallbackOutcome) {
        self.outcome = outcome;
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        self.metrics.callback(self.outcome, self.started.elapsed().as_secs_f64());
    }
}

/// How often requests were refused, by outcome.
#[derive(Debug, Default)]
pub(super) struct Refusals([AtomicU64; CallbackOutcome::ALL.len()]);

impl Refusals {
    /// Counts one; gives the number if it is worth a line that operators see: the 1st, 2nd, 4th, 8th, …
    pub(super) fn count(&self, outcome: CallbackOutcome) -> Option<u64> {
        let count = self.0.get(outcome as usize)?.fetch_add(1, Ordering::Relaxed) + 1;
        count.is_power_of_two().then_some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn counted(metrics: &Metrics, outcome: &str) -> bool {
        metrics.text().contains(&format!("pushwatch_callbacks_total{{outcome=\"{outcome}\"}} 1"))
    }

    #[test]
    fn a_dropped_request_is_counted_as_what_it_was_about_to_become() {
        let (metrics, clock) = (Metrics::new(), Clock::start());
        drop(Tally::begin(&metrics, clock.stopwatch()));
        assert!(counted(&metrics, "slow"));
        let mut tally = Tally::begin(&metrics, clock.stopwatch());
        tally.appending();
        drop(tally);
        assert!(counted(&metrics, "overloaded"));
        Tally::begin(&metrics, clock.stopwatch()).end(CallbackOutcome::Accepted);
        assert!(counted(&metrics, "accepted") && counted(&metrics, "slow") && counted(&metrics, "overloaded"));
    }

    #[test]
    fn refusals_are_told_ever_more_rarely() {
        let refusals = Refusals::default();
        let told: Vec<_> = (0..100).filter_map(|_| refusals.count(CallbackOutcome::Foreign)).collect();
        assert_eq!(told, [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(refusals.count(CallbackOutcome::Expired), Some(1));
    }
}
