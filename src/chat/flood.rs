//! How many commands somebody may give: governor's buckets, on the caller's time. Pure but for their locks.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::model::{ChannelName, Timestamp};

/// Commands of one person in one channel: so many at once, then one every so often.
const COMMANDS: (u32, Duration) = (10, Duration::from_secs(3));

/// Answers "you may not" in one channel, to all strangers together: they cost the chat's budget.
const STRANGERS: (u32, Duration) = (5, Duration::from_secs(30));

/// Words to somebody who goes too fast: one, and again after a while.
const WARNINGS: (u32, Duration) = (1, Duration::from_secs(60));

/// People remembered before those who rest are forgotten.
const REMEMBERED: usize = 10_000;

type Buckets =
    RateLimiter<(ChannelName, Box<str>), DashMapStateStore<(ChannelName, Box<str>)>, Hand, NoOpMiddleware<Nanos>>;

/// What to do about one more command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Follow it.
    Go,
    /// Say that it is too much.
    Warn,
    /// Do nothing, say nothing.
    Silent,
}

/// Who gave how many commands of late.
pub(super) struct Flood {
    hand: Hand,
    commands: Buckets,
    warnings: Buckets,
    strangers: Buckets,
}

/// A hand that is set before each question.
#[derive(Clone, Debug, Default)]
struct Hand(Arc<AtomicU64>);

impl Clock for Hand {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.load(Ordering::Relaxed))
    }
}

impl Flood {
    /// Nobody yet.
    pub(super) fn new() -> Flood {
        let hand = Hand::default();
        let buckets = |limit| RateLimiter::new(quota(limit), DashMapStateStore::default(), hand.clone());
        Flood {
            commands: buckets(COMMANDS),
            warnings: buckets(WARNINGS),
            strangers: buckets(STRANGERS),
            hand: hand.clone(),
        }
    }

    /// One more command of somebody who may give them; `now` is steady time.
    pub(super) fn command(&self, channel: &ChannelName, author: &str, now: Timestamp) -> Pace {
        self.set(now);
        let key = (channel.clone(), Box::from(author));
        match self.commands.check_key(&key) {
            Ok(()) => Pace::Go,
            Err(_) if self.warnings.check_key(&key).is_ok() => Pace::Warn,
            Err(_) => Pace::Silent,
        }
    }

    /// One more word of somebody who may not.
    pub(super) fn stranger(&self, channel: &ChannelName, now: Timestamp) -> Pace {
        self.set(now);
        match self.strangers.check_key(&(channel.clone(), Box::default())) {
            Ok(()) => Pace::Go,
            Err(_) => Pace::Silent,
        }
    }

    fn set(&self, now: Timestamp) {
        let millis = u64::try_from(now.0).unwrap_or(0);
        self.hand.0.fetch_max(millis.saturating_mul(1_000_000), Ordering::Relaxed);
        for buckets in [&self.commands, &self.warnings] {
            if buckets.len() > REMEMBERED {
                buckets.retain_recent();
            }
        }
    }
}

fn quota((burst, every): (u32, Duration)) -> Quota {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    // None of the periods is zero.
    Quota::with_period(every).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn somebody_who_goes_too_fast_is_told_once_and_then_ignored_and_nobody_else_is() {
        let (flood, ops) = (Flood::new(), ChannelName::new("ops"));
        let paces: Vec<Pace> = (0..13).map(|_| flood.command(&ops, "ann", START)).collect();
        assert_eq!(paces[..10], [Pace::Go; 10]);
        assert_eq!(paces[10..], [Pace::Warn, Pace::Silent, Pace::Silent]);
        assert_eq!(flood.command(&ops, "bob", START), Pace::Go);
        assert_eq!(flood.command(&ChannelName::new("acme"), "ann", START), Pace::Go);
        assert_eq!(flood.command(&ops, "ann", START + Duration::from_secs(3)), Pace::Go);
        assert_eq!(flood.command(&ops, "ann", START + Duration::from_secs(3)), Pace::Silent);
        assert_eq!(flood.command(&ops, "ann", START + Duration::from_secs(63)), Pace::Go);
    }

    #[test]
    fn strangers_share_what_they_are_told() {
        let (flood, ops) = (Flood::new(), ChannelName::new("ops"));
        let paces: Vec<Pace> = (0..7).map(|_| flood.stranger(&ops, START)).collect();
        assert_eq!(paces[..5], [Pace::Go; 5]);
        assert_eq!(paces[5..], [Pace::Silent; 2]);
        assert_eq!(flood.stranger(&ops, START + Duration::from_secs(30)), Pace::Go);
    }

    #[test]
    fn people_who_rest_are_forgotten() {
        let (flood, ops) = (Flood::new(), ChannelName::new("ops"));
        for n in 0..REMEMBERED + 1 {
            flood.command(&ops, &n.to_string(), START);
        }
        flood.command(&ops, "ann", START + Duration::from_secs(3600));
        assert!(flood.commands.len() < 10, "{}", flood.commands.len());
    }
}
