//! The only reader of time: a wall clock for calendars and signatures, and a steady one for durations.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::model::Timestamp;

/// Two readings of the same hand. The steady one starts at the wall's time (or later, see [`Clock::not_before`])
/// and then follows the monotonic clock, so a step of the wall clock moves no deadline.
pub struct Clock {
    started: Instant,
    base: AtomicI64,
    wall: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Clock {
    /// A clock whose steady time starts at the wall's.
    #[must_use]
    pub fn start() -> Clock {
        Clock::with_wall(wall)
    }

    /// The same with another wall clock: one that a test steps, for example.
    #[must_use]
    pub fn with_wall(wall: impl Fn() -> Timestamp + Send + Sync + 'static) -> Clock {
        Clock { started: instant(), base: AtomicI64::new(wall().0), wall: Box::new(wall) }
    }

    /// Steady time; goes on at the pace of the monotonic clock and never back.
    #[must_use]
    pub fn steady(&self) -> Timestamp {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.base.load(Ordering::Relaxed).saturating_add(elapsed))
    }

    /// What the wall clock shows, steps and all.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        (self.wall)()
    }

    /// How far the wall clock is ahead of steady time, in ms; changes by as much as the wall clock is set.
    #[must_use]
    pub fn ahead(&self) -> i64 {
        self.wall().0.saturating_sub(self.steady().0)
    }

    /// A start to measure from, finer than a millisecond. It tells how long something takes, never what time it is.
    #[must_use]
    pub fn stopwatch(&self) -> Instant {
        instant()
    }

    /// Moves the steady time up to `at` if it is behind: called once at start with the journal's last time, so
    /// that time goes on where it was even if the wall clock has been set back since.
    pub fn not_before(&self, at: Timestamp) {
        let behind = at.0.saturating_sub(self.steady().0);
        if behind > 0 {
            self.base.fetch_add(behind, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("steady", &self.steady()).field("wall", &self.wall()).finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one room that reads the clock")]
fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "this is the one room that reads the clock")]
fn instant() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn steady_time_catches_up_with_the_journal_and_never_goes_back() {
        let clock = Clock::start();
        let ahead = Timestamp(clock.steady().0 + 3_600_000);
        clock.not_before(ahead);
        let first = clock.steady();
        assert!(first >= ahead);
        clock.not_before(Timestamp(0));
        assert!(clock.steady() >= first);
    }

    #[test]
    fn durations_run_on_a_monotonic_clock_and_a_step_of_the_wall_clock_shows_only_in_how_far_it_is_ahead() {
        let hand = Arc::new(AtomicI64::new(1_000_000));
        let shown = Arc::clone(&hand);
        let clock = Clock::with_wall(move || Timestamp(shown.load(Ordering::Relaxed)));
        let before = clock.steady();
        hand.fetch_add(3_600_000, Ordering::Relaxed);
        assert!(clock.steady().since(before) < std::time::Duration::from_secs(60), "no deadline moves");
        let ahead = clock.ahead();
        assert!((3_540_000..=3_600_000).contains(&ahead), "{ahead}");
        hand.fetch_sub(7_200_000, Ordering::Relaxed);
        assert!(clock.steady() >= before && clock.ahead() < -3_500_000);
    }
}
