//! A sliding sum for thresholds so high that reports can't be kept one by one: they are added up by slots. Pure.

use std::time::Duration;

use crate::model::Timestamp;

use super::window::{LATENESS, Reading, Width};

/// A window is cut into this many slots. The longest, 72 hours, into slots of half a minute: shorter than what a replay
/// reads beyond the window, so that it finds each slot whole.
pub(super) const SLOTS: u64 = 8_192;

/// Slots kept at most: those of a window, and as many again for reports that are received late.
const MAX_KEPT: usize = 2 * SLOTS as usize;

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Which stretch of the cloud's time, and of ours.
    place: (i64, i64),
    /// The newest time in it.
    time: Timestamp,
    /// The latest reception in it.
    received: Timestamp,
    amount: u64,
    reports: u64,
}

/// Reports of one key, added up where their times and receptions lie in the same slot; by place ascending.
///
/// A slot counts as long as its newest report does: a sum may hold what is older than the window by an 8,192th of it.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    /// None was received earlier than this: before it leaves, there is nothing to forget.
    earliest: Timestamp,
}

impl Default for Slots {
    fn default() -> Slots {
        Slots { slots: Vec::new(), earliest: Timestamp::MAX }
    }
}

impl Slots {
    /// Takes a report in and reads the window that ends at the newest report.
    pub(super) fn observe(&mut self, time: Timestamp, received: Timestamp, amount: u64, width: Width) -> Reading {
        self.forget(received - width.within - LATENESS);
        let newest = self.newest().is_none_or(|newest| time >= newest);
        let length = length(width.within);
        let place = (time.0.div_euclid(length), received.0.div_euclid(length));
        match self.slots.binary_search_by_key(&place, |slot| slot.place) {
            Ok(at) => {
                let slot = &mut self.slots[at];
                slot.time = slot.time.max(time);
                slot.received = slot.received.max(received);
                slot.amount = slot.amount.saturating_add(amount);
                slot.reports += 1;
            }
            Err(at) => {
                self.slots.insert(at, Slot { place, time, received, amount, reports: 1 });
                self.earliest = self.earliest.min(received);
            }
        }
        let reading = self.read(width.within, newest);
        if self.slots.len() > MAX_KEPT {
            self.slots.remove(0);
        }
        reading
    }

    /// Whether nothing is remembered any more.
    #[must_use]
    pub(super) fn is_idle(&self, now: Timestamp, within: Duration) -> bool {
        let horizon = now - within - LATENESS;
        self.slots.iter().all(|slot| slot.received <= horizon)
    }

    fn forget(&mut self, horizon: Timestamp) {
        if self.earliest <= horizon {
            self.slots.retain(|slot| slot.received > horizon);
            self.earliest = self.slots.iter().map(|slot| slot.received).min().unwrap_or(Timestamp::MAX);
        }
    }

    /// The time of the newest report still remembered.
    fn newest(&self) -> Option<Timestamp> {
        let last = self.slots.last()?.place.0;
        self.slots.iter().rev().take_while(|slot| slot.place.0 == last).map(|slot| slot.time).max()
    }

    fn read(&self, within: Duration, newest: bool) -> Reading {
        let end = self.newest().unwrap_or_default();
        let start = end - within;
        let oldest = start.0.div_euclid(length(within));
        let mut reading = Reading { sum: 0, reports: 0, since: end, newest };
        let inside = self.slots.iter().rev().take_while(|slot| slot.place.0 >= oldest);
        let is_in = |slot: &&Slot| slot.time > start || within.is_zero() && slot.time == end;
        for slot in inside.filter(is_in) {
            reading.sum = reading.sum.saturating_add(slot.amount);
            reading.reports += slot.reports;
            reading.since = reading.since.min(slot.time);
        }
        reading
    }
}

/// Milliseconds of a slot.
fn length(within: Duration) -> i64 {
    i64::try_from(within.as_millis() / u128::from(SLOTS)).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WIDTH: Width = Width { within: Duration::from_secs(3600), cap: 100_000 };

    #[test]
    fn any_number_of_reports_is_counted_in_bounded_memory() {
        let mut slots = Slots::default();
        for n in 0..50_000u64 {
            let at = Timestamp(n as i64 * 70);
            let reading = slots.observe(at, at, 2, WIDTH);
            assert_eq!((reading.sum, reading.reports, reading.newest), (2 * (n + 1), n + 1, true));
        }
        assert!(slots.slots.len() <= SLOTS as usize + 2, "{}", slots.slots.len());
        assert!(!slots.is_idle(Timestamp(50_000 * 70), WIDTH.within));
        assert!(slots.is_idle(Timestamp(50_000 * 70 + 3_660_000), WIDTH.within));
    }

    proptest! {
        /// Between the sums of the window and of one that is a slot wider; and a replay of the last stretch goes on
        /// as the slots that have seen everything.
        #[test]
        fn sums_are_those_of_the_window_to_a_slot(
            steps in prop::collection::vec((0i64..20_000, 0i64..90_000, 1u64..4), 1..300), hours in 1u64..72,
        ) {
            let width = Width { within: Duration::from_secs(hours * 60), cap: 100_000 };
            let slot = length(width.within);
            let (mut slots, mut replayed) = (Slots::default(), Slots::default());
            let mut all: Vec<(i64, i64, u64)> = Vec::new();
            let mut now = 10_000_000;
            for (gap, lag, amount) in steps {
                now += gap;
                let (time, within) = (now - lag, width.within.as_millis() as i64);
                let reading = slots.observe(Timestamp(time), Timestamp(now), amount, width);
                all.push((time, now, amount));
                let remembered = |wider: i64| all.iter().filter(move |r| r.1 > now - within - 60_000 - wider);
                let end = |wider: i64| remembered(wider).map(|r| r.0).max().unwrap_or(time);
                let sum = |wider: i64| -> u64 {
                    let start = end(slot - wider) - within - wider;
                    remembered(wider).filter(|r| r.0 > start).map(|r| r.2).sum()
                };
                prop_assert!((sum(0)..=sum(slot)).contains(&reading.sum), "{} {} {}", sum(0), reading.sum, sum(slot));
            }
            let from = now - width.within.as_millis() as i64 - 120_000;
            for (time, received, amount) in all.iter().filter(|r| r.1 >= from) {
                replayed.observe(Timestamp(*time), Timestamp(*received), *amount, width);
            }
            let next = |slots: &mut Slots| slots.observe(Timestamp(now), Timestamp(now + 1), 1, width);
            prop_assert_eq!(next(&mut replayed), next(&mut slots));
        }
    }
}
