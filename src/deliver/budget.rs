//! Pacing below each platform's published limit. Pure but for its lock: `now` is an argument.
//!
//! A budget has two gates. governor's bucket sets the pace: a few calls at once, then one every so often. A bucket alone
//! lets a burst and the refill into the same minute, so a second gate keeps the times of the last minute's calls
//! and counts them: that one is exact, and being a list of times it survives a restart as the attempts on record.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::model::{Attempt, Timestamp};

/// A quota's shape: `burst` calls at once, then one every `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Calls at once, after a rest.
    pub(crate) burst: u32,
    /// One more after so long.
    pub(crate) every: Duration,
}

/// At most `calls` in any stretch of length `within`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cap {
    /// How many.
    pub(crate) calls: usize,
    /// In how long.
    pub(crate) within: Duration,
}

/// A budget's name and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lane {
    /// Kind and a hash of what it belongs to; holds no secret.
    pub(crate) key: String,
    /// The pace, if there is one.
    pub(crate) pace: Option<Pace>,
    /// The exact bound, if there is one.
    pub(crate) cap: Option<Cap>,
}

impl Lane {
    /// Whether calls on it have to be put on record: without limits only a chat's own "wait" holds it.
    pub(crate) fn is_limited(&self) -> bool {
        self.pace.is_some() || self.cap.is_some()
    }
}

/// All budgets of the process: channels of one robot share one.
#[derive(Debug, Default)]
pub struct Budgets {
    inner: Mutex<HashMap<String, Budget>>,
}

impl Budgets {
    /// None spent yet.
    #[must_use]
    pub fn new() -> Budgets {
        Budgets::default()
    }

    /// Makes a budget known, spent as far as the calls on record say. One that is known already stays as it is: it
    /// has seen those calls itself.
    pub(crate) fn open(&self, lane: &Lane, record: &[Attempt], held_until: Option<Timestamp>, now: Timestamp) {
        let mut budgets = self.lock();
        if !budgets.contains_key(&lane.key) {
            let times = record.iter().filter(|attempt| attempt.budget == lane.key).map(|attempt| attempt.at.min(now));
            let mut budget = Budget::new(lane, times.collect());
            budget.held_until = held_until.unwrap_or_default();
            budgets.insert(lane.key.clone(), budget);
        }
    }

    /// The earliest time at which a call on this budget may be worth asking for; in the past if now.
    pub(crate) fn ready_at(&self, key: &str, now: Timestamp) -> Timestamp {
        self.lock().get_mut(key).map_or(now, |budget| budget.ready_at(now))
    }

    /// Spends a call on each of the budgets, or on none.
    ///
    /// # Errors
    /// Which budget says no, and until when.
    pub(crate) fn take<'a>(&self, keys: &[&'a str], now: Timestamp) -> Result<(), (&'a str, Timestamp)> {
        let mut budgets = self.lock();
        for &key in keys {
            let ready = budgets.get_mut(key).map_or(now, |budget| budget.ready_at(now));
            if ready > now {
                return Err((key, ready));
            }
        }
        // Of the lanes of one call at most one has a bucket, so nothing is taken from it in vain.
        for &key in keys {
            if let Some(Err(until)) = budgets.get_mut(key).map(|budget| budget.spend(now)) {
                return Err((key, until));
            }
        }
        Ok(())
    }

    /// The chat asked for no calls before `until`.
    pub(crate) fn hold(&self, key: &str, until: Timestamp) {
        if let Some(budget) = self.lock().get_mut(key) {
            budget.held_until = budget.held_until.max(until);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Budget>> {
        // Nothing in here can panic half-way through a change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, Hand, NoOpMiddleware<Nanos>>;

/// A hand that is set before each question, so that the bucket runs on the caller's time.
#[derive(Clone, Debug, Default)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn set(&self, at: Timestamp) {
        let millis = u64::try_from(at.0).unwrap_or(0);
        self.0.store(millis.saturating_mul(1_000_000), Ordering::Relaxed);
    }
}

impl Clock for Hand {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.load(Ordering::Relaxed))
    }
}

#[derive(Debug)]
struct Budget {
    hand: Hand,
    bucket: Option<Bucket>,
    cap: Option<Cap>,
    recent: VecDeque<Timestamp>,
    /// The chat said so.
    held_until: Timestamp,
    /// The bucket said so when it was last asked.
    dry_until: Timestamp,
}

impl Budget {
    fn new(lane: &Lane, mut times: Vec<Timestamp>) -> Budget {
        times.sort_unstable();
        let hand = Hand::default();
        if let Some(&first) = times.first() {
            hand.set(first);
        }
        let quota = lane.pace.and_then(|pace| {
            let burst = NonZeroU32::new(pace.burst)?;
            Quota::with_period(pace.every).map(|quota| quota.allow_burst(burst))
        });
        let bucket = quota.map(|quota| RateLimiter::direct_with_clock(quota, hand.clone()));
        let recent = VecDeque::new();
        let mut budget = Budget {
            hand,
            bucket,
            cap: lane.cap,
            recent,
            held_until: Timestamp::default(),
            dry_until: Timestamp::default(),
        };
        for at in times {
            if budget.spend(at).is_err() {
                // The call was made, whatever the limits say today.
                budget.recent.extend(budget.cap.map(|_| at));
            }
        }
        budget.dry_until = Timestamp::default();
        budget
    }

    fn ready_at(&mut self, now: Timestamp) -> Timestamp {
        let full_until = match self.cap {
            None => now,
            Some(cap) => {
                self.forget(now - cap.within);
                // The call after the last `calls` of them may follow once the first of those is out of the window.
                match self.recent.len().checked_sub(cap.calls).and_then(|oldest| self.recent.get(oldest)) {
                    None => now,
                    Some(&oldest) => oldest + cap.within + Duration::from_millis(1),
                }
            }
        };
        full_until.max(self.held_until).max(self.dry_until)
    }

    fn spend(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        let verdict = match &self.bucket {
            None => Ok(()),
            Some(bucket) => {
                self.hand.set(now);
                bucket.check().map_err(|no| {
                    let millis = no.earliest_possible().as_u64().div_ceil(1_000_000);
                    Timestamp(i64::try_from(millis).unwrap_or(i64::MAX))
                })
            }
        };
        match verdict {
            Ok(()) => self.recent.extend(self.cap.map(|_| now)),
            Err(until) => self.dry_until = until,
        }
        verdict
    }

    fn forget(&mut self, before: Timestamp) {
        while self.recent.front().is_some_and(|&at| at < before) {
            self.recent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp(1_700_000_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn lane(pace: Option<(u32, u64)>, cap: Option<usize>) -> Lane {
        Lane {
            key: "k".into(),
            pace: pace.map(|(burst, every)| Pace { burst, every: Duration::from_millis(every) }),
            cap: cap.map(|calls| Cap { calls, within: MINUTE }),
        }
    }

    fn opened(lane: &Lane, record: &[Attempt], now: Timestamp) -> Budgets {
        let budgets = Budgets::new();
        budgets.open(lane, record, None, now);
        budgets
    }

    /// Takes calls as early as allowed.
    fn drain(budgets: &Budgets, calls: usize, mut now: Timestamp) -> Vec<Timestamp> {
        let mut times = Vec::new();
        while times.len() < calls {
            match budgets.take(&["k"], now) {
                Ok(()) => times.push(now),
                Err((_, until)) => {
                    assert!(until > now, "the budget says no without a later time");
                    now = until;
                }
            }
        }
        times
    }

    fn worst_minute(times: &[Timestamp]) -> usize {
        let within = |from: &Timestamp| times.iter().filter(|&at| at >= from && at.since(*from) <= MINUTE).count();
        times.iter().map(within).max().unwrap_or(0)
    }

    #[test]
    fn a_burst_then_the_pace_then_the_cap() {
        let budgets = opened(&lane(Some((2, 1000)), Some(4)), &[], START);
        let times: Vec<u64> = drain(&budgets, 6, START).iter().map(|at| at.since(START).as_millis() as u64).collect();
        assert_eq!(times, [0, 0, 1000, 2000, 60_001, 60_001]);
    }

    #[test]
    fn a_restart_spends_nothing_twice() {
        let lane = lane(Some((6, 3_334)), Some(18));
        let before = drain(&opened(&lane, &[], START), 18, START);
        let record: Vec<Attempt> = before.iter().map(|&at| Attempt { budget: "k".into(), at }).collect();
        let restart = before[17] + Duration::from_secs(1);
        let mut times = before.clone();
        times.extend(drain(&opened(&lane, &record, restart), 40, restart));
        assert!(worst_minute(&times) <= 18, "{} calls in a minute", worst_minute(&times));
    }

    #[test]
    fn calls_recorded_by_a_clock_that_ran_ahead_count_as_now() {
        let ahead = Attempt { budget: "k".into(), at: START + Duration::from_secs(3600) };
        let budgets = opened(&lane(None, Some(1)), &[ahead], START);
        assert_eq!(budgets.ready_at("k", START), START + MINUTE + Duration::from_millis(1));
    }

    #[test]
    fn a_hold_stops_every_channel_of_the_budget_and_is_never_shortened() {
        let budgets = opened(&lane(None, None), &[], START);
        let until = START + Duration::from_secs(300);
        budgets.hold("k", until);
        budgets.hold("k", START + Duration::from_secs(5));
        budgets.open(&lane(None, None), &[], None, START);
        assert_eq!(budgets.take(&["k"], START), Err(("k", until)));
        assert_eq!(budgets.take(&["k"], until), Ok(()));
    }

    #[test]
    fn a_call_that_one_budget_refuses_costs_the_other_nothing() {
        let budgets = Budgets::new();
        let edits = Lane { key: "edits".into(), ..lane(None, None) };
        budgets.open(&lane(Some((1, 1000)), None), &[], None, START);
        budgets.open(&edits, &[], None, START);
        budgets.hold("edits", START + MINUTE);
        assert!(matches!(budgets.take(&["k", "edits"], START), Err(("edits", _))));
        assert_eq!(budgets.take(&["k"], START), Ok(()));
    }

    proptest! {
        #[test]
        fn no_minute_exceeds_the_cap_whenever_it_restarts(
            gaps in prop::collection::vec(0u64..20_000, 1..80),
            restarts in prop::collection::vec(any::<bool>(), 80),
        ) {
            let lane = lane(Some((6, 3_334)), Some(18));
            let (mut now, mut times) = (START, Vec::new());
            let mut budgets = opened(&lane, &[], now);
            for (gap, restart) in gaps.into_iter().zip(restarts) {
                now = now + Duration::from_millis(gap);
                if restart {
                    let record: Vec<Attempt> =
                        times.iter().map(|&at| Attempt { budget: "k".into(), at }).collect();
                    budgets = opened(&lane, &record, now);
                }
                let more = drain(&budgets, 2, now);
                now = more[1];
                times.extend(more);
            }
            prop_assert!(worst_minute(&times) <= 18);
        }
    }
}
