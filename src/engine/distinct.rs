//! A sliding window that counts different values, with memory bounded by the threshold. Pure.

use std::collections::HashSet;

use crate::model::Timestamp;

use super::window::{LATENESS, Reading, Width};

/// Values counted exactly even if the threshold is lower, so that a message can say how many there are.
pub(super) const SHOWN: u64 = 1_000;

/// Values kept at most, whatever the threshold.
const MAX_VALUES: u64 = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sight {
    time: Timestamp,
    received: Timestamp,
    /// Hash of the value: 64 bits tell some thousand values apart.
    value: u64,
}

/// Sights of values, by time ascending.
///
/// A sight is dropped when the same value is seen again, neither older nor received earlier; and when so many other
/// values are, that this one can't matter any more. Usually that leaves one sight a value.
#[derive(Clone, Debug, Default)]
pub(super) struct Distinct {
    sights: Vec<Sight>,
    /// Sights of values that have more than one: seen again, but with an older time.
    repeats: usize,
    /// None was received earlier than this: before it leaves, there is nothing to forget.
    earliest: Timestamp,
}

impl Distinct {
    /// Takes a sight of a value in and reads the window that ends at the newest one: `sum` is the number of
    /// different values, up to the cap.
    pub(super) fn observe(&mut self, time: Timestamp, received: Timestamp, value: u64, width: Width) -> Reading {
        self.forget(received - width.within - LATENESS);
        let newest = self.sights.last().is_none_or(|last| time >= last.time);
        let at = self.sights.partition_point(|sight| sight.time <= time);
        let again = self.sights[at..].iter().any(|sight| sight.value == value);
        let at = match self.sights[..at].iter().rposition(|sight| sight.value == value) {
            // The value moves up: what lies between moves down by one.
            Some(old) => {
                self.sights[old..at].rotate_left(1);
                at - 1
            }
            None => {
                self.sights.insert(at, Sight { time, received, value });
                at
            }
        };
        self.sights[at] = Sight { time, received, value };
        self.earliest = self.earliest.min(received);
        let cap = width.cap.min(MAX_VALUES);
        if again || self.repeats > 0 {
            self.settle(at, value);
        }
        // Now and then: it looks at all of them.
        if self.repeats > 0 || self.sights.len() as u64 > cap + cap / 4 {
            self.shrink(cap);
        }
        self.read(width, newest)
    }

    /// Older sights of the same value than the one just taken in are dominated by it, however many there are.
    fn settle(&mut self, at: usize, value: u64) {
        let mut place = 0;
        self.sights.retain(|sight| {
            let keep = place >= at || sight.value != value;
            place += 1;
            keep
        });
        self.repeats = self.sights.len() - self.count_from(0);
    }

    fn forget(&mut self, horizon: Timestamp) {
        if self.sights.is_empty() || self.earliest <= horizon {
            self.sights.retain(|sight| sight.received > horizon);
            self.earliest = self.sights.iter().map(|sight| sight.received).min().unwrap_or(Timestamp::MAX);
            self.repeats = if self.repeats > 0 { self.sights.len() - self.count_from(0) } else { 0 };
        }
    }

    /// Whether nothing is remembered any more.
    #[must_use]
    pub(super) fn is_idle(&self, now: Timestamp, within: std::time::Duration) -> bool {
        let horizon = now - within - LATENESS;
        self.sights.iter().all(|sight| sight.received <= horizon)
    }

    fn read(&self, width: Width, newest: bool) -> Reading {
        let end = self.sights.last().map_or(Timestamp(0), |sight| sight.time);
        let start = end - width.within;
        let from = match width.within.is_zero() {
            true => self.sights.partition_point(|sight| sight.time < end),
            false => self.sights.partition_point(|sight| sight.time <= start),
        };
        // What is beyond the cap may be there still or not: nothing is read from it.
        let cap = usize::try_from(width.cap.min(MAX_VALUES)).unwrap_or(usize::MAX);
        let from = from.max(self.sights.len().saturating_sub(cap + self.repeats));
        let sum = match self.repeats {
            0 => self.sights.len() - from,
            _ => self.count_from(from).min(cap),
        } as u64;
        Reading { sum, reports: sum, since: self.sights.get(from).map_or(end, |sight| sight.time), newest }
    }

    /// How many different values there are from a place on.
    fn count_from(&self, from: usize) -> usize {
        self.sights[from..].iter().map(|sight| sight.value).collect::<HashSet<u64, foldhash::fast::FixedState>>().len()
    }

    /// Drops what is dominated: walking from the newest, a sight goes once there are `cap` other values among those
    /// kept that were not received earlier.
    fn shrink(&mut self, cap: u64) {
        let mut kept: HashSet<u64, foldhash::fast::FixedState> = HashSet::default();
        let mut earliest = Timestamp::MAX;
        let mut keep = vec![true; self.sights.len()];
        for (sight, keep) in self.sights.iter().zip(&mut keep).rev() {
            if kept.len() as u64 >= cap && sight.received <= earliest {
                *keep = false;
            } else if sight.received <= earliest {
                earliest = sight.received;
                kept.insert(sight.value);
            }
        }
        let mut keep = keep.into_iter();
        self.sights.retain(|_| keep.next().unwrap_or(true));
        let excess = self.sights.len().saturating_sub(2 * MAX_VALUES as usize);
        self.sights.drain(..excess);
        self.repeats = if self.repeats > 0 { self.sights.len() - self.count_from(0) } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn observe(window: &mut Distinct, time: i64, received: i64, value: u64, within: u64) -> Reading {
        let width = Width { within: Duration::from_secs(within), cap: 4 };
        window.observe(Timestamp::from_secs(time), Timestamp::from_secs(received), value, width)
    }

    #[test]
    fn distinct_counts_the_different_values_with_a_match_in_the_window() {
        let mut window = Distinct::default();
        assert_eq!(observe(&mut window, 0, 0, 7, 60).sum, 1);
        assert_eq!(observe(&mut window, 5, 5, 7, 60).sum, 1, "the same again is not another");
        assert_eq!(observe(&mut window, 10, 10, 8, 60).sum, 2);
        assert_eq!(observe(&mut window, 66, 66, 8, 60).sum, 1, "7 was last seen 61 s before");
    }

    #[test]
    fn memory_is_bounded_whatever_the_number_of_values() {
        let mut window = Distinct::default();
        for n in 0..5_000u64 {
            let at = Timestamp(n as i64);
            let width = Width { within: Duration::from_secs(600), cap: SHOWN };
            assert_eq!(window.observe(at, at, n, width).sum.min(SHOWN), (n + 1).min(SHOWN));
        }
        assert!(window.sights.len() as u64 <= SHOWN * 5 / 4, "{}", window.sights.len());
    }

    proptest! {
        /// Against the definition: remember every report, count the values of those received lately and in the window.
        #[test]
        fn equals_the_naive_count(
            steps in prop::collection::vec((0i64..20, 0i64..90, 0u64..9), 1..200), within in 1u64..90,
        ) {
            let mut window = Distinct::default();
            let mut all: Vec<(i64, i64, u64)> = Vec::new();
            let mut now = 1000;
            for (gap, lag, value) in steps {
                now += gap;
                let time = now - lag;
                let remembered = |r: &&(i64, i64, u64)| r.1 > now - within as i64 - 60;
                let newest_before = all.iter().filter(remembered).map(|r| r.0).max();
                let reading = observe(&mut window, time, now, value, within);
                all.push((time, now, value));
                let end = all.iter().filter(remembered).map(|r| r.0).max().unwrap_or(time);
                let values: HashSet<u64> =
                    all.iter().filter(remembered).filter(|r| r.0 > end - within as i64).map(|r| r.2).collect();
                prop_assert_eq!(reading.sum.min(4), values.len().min(4) as u64);
                prop_assert_eq!(reading.newest, newest_before.is_none_or(|newest| time >= newest));
            }
        }
    }
}
