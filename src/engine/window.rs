//! A sliding window over the cloud's time whose memory is bounded by the threshold, not by the event rate. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Timestamp;

/// How much later than its time a report may be received and still count: a report is remembered for the
/// window's width and this, by the time of reception. It makes "what is remembered" a function of the journal's
/// last stretch alone, so that a replay of that stretch gives the same window.
pub(super) const LATENESS: Duration = Duration::from_secs(60);

/// Most windows hold one or two reports, and are given no room for more.
const FEW: usize = 4;

/// Reports kept at most, whatever the threshold: beyond it the oldest go.
const MAX_REPORTS: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Report {
    /// The event's time.
    time: Timestamp,
    received: Timestamp,
    amount: u64,
}

/// What a window says after a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Sum over the window that ends at the newest report; exact below the cap the window was asked for, and at
    /// least the cap above it.
    pub(super) sum: u64,
    /// Reports in that sum.
    pub(super) reports: u64,
    /// Time of the oldest report in it.
    pub(super) since: Timestamp,
    /// Whether the report was not older than all before it.
    pub(super) newest: bool,
}

/// Reports of one key, by time ascending.
///
/// Only reports that can still change a decision are kept. A report is dropped as soon as others that are neither
/// older nor received earlier sum up to the cap (the rule's highest level): every later window with it in has
/// those in too, so it can't lift any of them across a level. In order, that leaves at most `cap` reports.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    reports: VecDeque<Report>,
}

impl Window {
    /// Takes a report in and reads the window of width `within` that ends at the newest report.
    pub(super) fn observe(&mut self, time: Timestamp, received: Timestamp, amount: u64, width: Width) -> Reading {
        let newest = self.newest(received, width.within).is_none_or(|newest| time >= newest);
        self.forget(received, width.within);
        let at = self.reports.partition_point(|r| r.time <= time);
        if self.reports.len() < FEW {
            self.reports.reserve_exact(1);
        }
        self.reports.insert(at, Report { time, received, amount });
        self.shrink(width.cap);
        let reading = self.read(width.within, newest);
        if self.reports.len() > MAX_REPORTS {
            self.reports.pop_front();
        }
        reading
    }

    /// The time of the newest report still remembered.
    #[must_use]
    pub(super) fn newest(&self, received: Timestamp, within: Duration) -> Option<Timestamp> {
        let horizon = received - within - LATENESS;
        self.reports.iter().rev().find(|r| r.received > horizon).map(|r| r.time)
    }

    /// Whether nothing is remembered any more.
    #[must_use]
    pub(super) fn is_idle(&self, now: Timestamp, within: Duration) -> bool {
        self.newest(now, within).is_none()
    }

    fn forget(&mut self, received: Timestamp, within: Duration) {
        let horizon = received - within - LATENESS;
        self.reports.retain(|r| r.received > horizon);
    }

    /// Drops what is dominated: walking from the newest, a report goes once those already kept that were not
    /// received earlier reach the cap.
    fn shrink(&mut self, cap: u64) {
        let mut kept_sum: u64 = 0;
        let mut earliest = Timestamp::MAX;
        let mut index = self.reports.len();
        while index > 0 {
            index -= 1;
            let report = self.reports[index];
            if kept_sum >= cap && report.received <= earliest {
                self.reports.remove(index);
                continue;
            }
            if report.received <= earliest {
                earliest = report.received;
                kept_sum = kept_sum.saturating_add(report.amount);
            }
        }
    }

    fn read(&self, within: Duration, newest: bool) -> Reading {
        let end = self.reports.back().map_or(Timestamp(0), |r| r.time);
        let start = end - within;
        let mut reading = Reading { sum: 0, reports: 0, since: end, newest };
        for report in self.reports.iter().rev().take_while(|r| r.time > start || within.is_zero() && r.time == end) {
            reading.sum = reading.sum.saturating_add(report.amount);
            reading.reports += 1;
            reading.since = report.time;
        }
        reading
    }
}

/// How wide a window is, and up to which sum it must be exact.
#[derive(Clone, Copy, Debug)]
pub(super) struct Width {
    /// The window is `(newest - within, newest]`.
    pub(super) within: Duration,
    /// The rule's highest level.
    pub(super) cap: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn observe(window: &mut Window, time: i64, received: i64, amount: u64, within: u64, cap: u64) -> Reading {
        let width = Width { within: secs(within), cap };
        window.observe(Timestamp::from_secs(time), Timestamp::from_secs(received), amount, width)
    }

    #[test]
    fn count_sums_over_the_window_that_ends_at_the_newest_report() {
        let mut window = Window::default();
        assert_eq!(observe(&mut window, 0, 1, 2, 60, 10).sum, 2);
        assert_eq!(observe(&mut window, 59, 60, 3, 60, 10).sum, 5);
        // The first report is exactly `within` old: outside, the window is open at its old end.
        let reading = observe(&mut window, 60, 61, 1, 60, 10);
        assert_eq!((reading.sum, reading.reports, reading.since), (4, 2, Timestamp::from_secs(59)));
    }

    #[test]
    fn an_older_report_counts_but_is_not_newest() {
        let mut window = Window::default();
        observe(&mut window, 50, 50, 1, 60, 10);
        let late = observe(&mut window, 20, 55, 1, 60, 10);
        assert_eq!((late.sum, late.newest), (2, false));
        assert!(observe(&mut window, 50, 56, 1, 60, 10).newest, "as old as the newest is not older");
    }

    #[test]
    fn memory_is_bounded_by_the_threshold_not_by_the_rate() {
        let mut window = Window::default();
        for n in 0..100_000 {
            let at = Timestamp(n);
            let reading = window.observe(at, at, 1, Width { within: secs(600), cap: 5 });
            assert_eq!(reading.sum.min(5), (n as u64 + 1).min(5));
        }
        assert!(window.reports.len() <= 5, "{}", window.reports.len());
    }

    #[test]
    fn nothing_is_remembered_past_the_window_and_the_lateness() {
        let mut window = Window::default();
        observe(&mut window, 0, 0, 1, 60, 10);
        assert!(!window.is_idle(Timestamp::from_secs(119), secs(60)));
        assert!(window.is_idle(Timestamp::from_secs(120), secs(60)));
    }

    proptest! {
        /// Against the definition: remember everything, sum what was received lately and lies in the window.
        #[test]
        fn equals_the_naive_sum_up_to_the_cap(
            steps in prop::collection::vec((0i64..20, 0i64..90, 1u64..4), 1..200),
            within in 1u64..90,
            cap in 1u64..20,
        ) {
            let mut window = Window::default();
            let mut all: Vec<(i64, i64, u64)> = Vec::new();
            let mut now = 1000;
            for (gap, lag, amount) in steps {
                now += gap;
                let time = now - lag;
                let remembered = |r: &&(i64, i64, u64)| r.1 > now - within as i64 - 60;
                let newest_before = all.iter().filter(remembered).map(|r| r.0).max();
                let reading = observe(&mut window, time, now, amount, within, cap);
                all.push((time, now, amount));
                let end = all.iter().filter(remembered).map(|r| r.0).max().unwrap_or(time);
                let sum: u64 = all.iter().filter(remembered).filter(|r| r.0 > end - within as i64).map(|r| r.2).sum();
                prop_assert_eq!(reading.sum.min(cap), sum.min(cap));
                prop_assert_eq!(reading.newest, newest_before.is_none_or(|newest| time >= newest));
            }
        }
    }
}
