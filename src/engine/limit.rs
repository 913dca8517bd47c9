//! The rate limit per key, which is governor's, on the engine's own clock. Pure: time is what the engine says.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::model::{Key, Timestamp};
use crate::rules::RateLimit;

/// The engine's clock as governor wants it: nanoseconds since the epoch, moved by hand.
#[derive(Clone, Debug, Default)]
struct HandClock(Arc<AtomicU64>);

impl HandClock {
    fn set(&self, now: Timestamp) {
        self.0.store(nanos(now), Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.load(Ordering::Relaxed))
    }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.0).unwrap_or(0).saturating_mul(1_000_000)
}

type Limiter = RateLimiter<Key, HashMapStateStore<Key>, HandClock, NoOpMiddleware<Nanos>>;

/// Token buckets by stream, all of one shape.
///
/// governor's state can't be written down, so [`Buckets::take`] also says when the bucket will be full again. That
/// time is all there is to a bucket: [`Buckets::refill`] puts it back after a restart.
#[derive(Debug)]
pub(super) struct Buckets {
    limit: RateLimit,
    clock: HandClock,
    limiter: Limiter,
}

impl Buckets {
    /// Full buckets.
    #[must_use]
    pub(super) fn new(limit: RateLimit) -> Buckets {
        // A period of zero would mean no limit at all; a millisecond is the engine's resolution.
        let every = limit.every.max(std::time::Duration::from_millis(1));
        let limit = RateLimit { every, ..limit };
        let quota = Quota::with_period(every).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(limit.burst);
        let clock = HandClock::default();
        // The clock stands at 0 here: governor counts from a limiter's birth, which makes its times absolute.
        let limiter = RateLimiter::new(quota, HashMapStateStore::default(), clock.clone());
        Buckets { limit, clock, limiter }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// Without one: when the next will be there.
    pub(super) fn take(&self, key: &Key, now: Timestamp) -> Result<(), Timestamp> {
        self.clock.set(now);
        self.limiter.check_key(key).map_err(|not_until| {
            let wait = not_until.wait_time_from(Nanos::from(nanos(now)));
            // Rounded up: a millisecond early there would still be none.
            let millis = wait.as_nanos().div_ceil(1_000_000);
            Timestamp(now.0.saturating_add(i64::try_from(millis).unwrap_or(i64::MAX)))
        })
    }

    /// When a bucket is full again after a token was taken `now`, if it was going to be full at `full_at` before.
    #[must_use]
    pub(super) fn full_again(&self, full_at: Timestamp, now: Timestamp) -> Timestamp {
        full_at.max(now) + self.limit.every
    }

    /// Makes the bucket of `key` be full at `full_at`, as it was before the restart.
    pub(super) fn refill(&self, key: &Key, full_at: Timestamp, now: Timestamp) {
        let every = self.limit.every;
        let missing = full_at.since(now).as_millis().div_ceil(every.as_millis());
        let tokens = u32::try_from(missing).unwrap_or(u32::MAX).min(self.limit.burst.get());
        // Taking n tokens at T leaves the bucket full at T + n * every.
        self.clock.set(full_at - every.saturating_mul(tokens));
        for _ in 0..tokens {
            // Enough are there: at most `burst`, from a full bucket.
            let _ = self.limiter.check_key(key);
        }
    }

    /// Gives back the memory of full buckets.
    pub(super) fn shrink(&self, now: Timestamp) {
        self.clock.set(now);
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use crate::model::StreamName;

    use super::*;

    const T0: Timestamp = Timestamp(1_700_000_000_000);

    fn buckets(burst: u32, every: u64) -> Buckets {
        Buckets::new(RateLimit { burst: NonZeroU32::new(burst).unwrap(), every: Duration::from_secs(every) })
    }

    fn stream(name: &str) -> Key {
        Key::Stream(StreamName::new("d", "p", name))
    }

    #[test]
    fn a_burst_then_one_every_period_and_streams_do_not_share() {
        let buckets = buckets(3, 600);
        for _ in 0..3 {
            assert_eq!(buckets.take(&stream("a"), T0), Ok(()));
        }
        assert_eq!(buckets.take(&stream("a"), T0), Err(T0 + Duration::from_secs(600)));
        assert_eq!(buckets.take(&stream("b"), T0), Ok(()));
        let almost = T0 + Duration::from_millis(599_999);
        assert_eq!(buckets.take(&stream("a"), almost), Err(T0 + Duration::from_secs(600)));
        assert_eq!(buckets.take(&stream("a"), T0 + Duration::from_secs(600)), Ok(()));
    }

    #[test]
    fn idle_streams_cost_nothing_after_a_while() {
        let buckets = buckets(1, 60);
        for n in 0..1000 {
            assert_eq!(buckets.take(&stream(&n.to_string()), T0), Ok(()));
        }
        assert_eq!(buckets.limiter.len(), 1000);
        // governor keeps a bucket for one period past being full.
        buckets.shrink(T0 + Duration::from_secs(121));
        assert!(buckets.limiter.is_empty());
    }

    proptest! {
        /// A limiter that is rebuilt from `full_at` at any moment decides as one that was never interrupted.
        #[test]
        fn a_refilled_bucket_decides_like_the_old_one(
            burst in 1u32..5, every in 1u64..100, gaps in prop::collection::vec(0u64..200, 1..40), restart in 0usize..40,
        ) {
            let steady = buckets(burst, every);
            let mut restarted = buckets(burst, every);
            let (mut full_at, mut now) = (Timestamp(0), T0);
            for (n, gap) in gaps.into_iter().enumerate() {
                if n == restart {
                    restarted = buckets(burst, every);
                    restarted.refill(&stream("a"), full_at, now);
                }
                now = now + Duration::from_secs(gap);
                let expected = steady.take(&stream("a"), now);
                prop_assert_eq!(restarted.take(&stream("a"), now), expected);
                if expected.is_ok() {
                    full_at = steady.full_again(full_at, now);
                }
            }
        }
    }
}
