//! When a row that was not sent is tried again, and when it is given up. Pure: `now` and the dice are arguments.

use std::time::Duration;

use super::verdict::Verdict;
use crate::model::Timestamp;

/// A row is given up when it fails after so long.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// First back-off, before jitter.
const FIRST: Duration = Duration::from_secs(1);

/// Longest back-off, before jitter.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// Calls that a row gets even if it is older than a day, having waited for a server that was down.
const LEAST_ATTEMPTS: u32 = 10;

/// Between two probes of a target that refuses everything; jitter adds up to a tenth.
const PROBE: Duration = Duration::from_secs(60 * 60);

/// Longest rate limit that is obeyed. A proxy that says ten years must not silence a channel for ever.
const LONGEST_LIMIT: Duration = DAY;

/// Added at random to what a chat asks to wait, so that channels do not come back together. Never taken from it.
const SPREAD: Duration = Duration::from_millis(500);

/// Longest pause of a whole channel whose calls fail one after the other.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The row's past.
#[derive(Clone, Copy, Debug)]
pub struct Tried {
    /// Calls begun so far, the failed one included.
    pub attempts: u32,
    /// When the row fell due.
    pub since: Timestamp,
}

/// What to do with a row that was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Not before then.
    At(Timestamp),
    /// Give it up.
    Dead,
}

/// What to do after `verdict`; `dice` in `0.0..1.0`.
///
/// Failures back off exponentially with full jitter, from 1 s to 10 min, for a day. A rate limit of up to a day is
/// obeyed in full, a longer one for a day, and none kills a row; a target that refuses is probed once an hour.
#[must_use]
pub fn after(tried: Tried, verdict: &Verdict, now: Timestamp, dice: f64) -> Next {
    let old = now.since(tried.since) >= DAY;
    match verdict {
        Verdict::Retry { .. } | Verdict::Unknown { .. } | Verdict::Unrecognised { .. } => {
            match old && tried.attempts >= LEAST_ATTEMPTS {
                true => Next::Dead,
                false => Next::At(now + back_off(tried.attempts).mul_f64(dice)),
            }
        }
        Verdict::PermanentTarget { .. } if old => Next::Dead,
        Verdict::PermanentTarget { .. } => Next::At(now + PROBE + PROBE.mul_f64(dice / 10.0)),
        Verdict::RateLimited { after } => Next::At(now + (*after).min(LONGEST_LIMIT) + SPREAD.mul_f64(dice)),
        // These are followed at once by another kind of call.
        Verdict::Sent { .. }
        | Verdict::NotModified
        | Verdict::PermanentMessage { .. }
        | Verdict::Migrated { .. }
        | Verdict::Gone { .. } => Next::At(now),
    }
}

/// Whether a rate limit is longer than we obey: somebody should know.
#[must_use]
pub fn is_capped(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::RateLimited { after } if *after > LONGEST_LIMIT)
}

/// How long a whole channel pauses after `streak` calls in a row, of whichever rows, came to nothing: a chat that is
/// down is asked now and then, not once for each row that waits. A single failure pauses nothing, so a row that
/// always fails does not hold up the others.
#[must_use]
pub fn pause(streak: u32, dice: f64) -> Duration {
    match streak.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => {
            FIRST.saturating_mul(1 << doublings.min(16)).min(LONGEST_PAUSE).mul_f64(0.5 + dice.clamp(0.0, 1.0) / 2.0)
        }
    }
}

fn back_off(attempts: u32) -> Duration {
    FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn retry() -> Verdict {
        Verdict::Retry { why: String::new() }
    }

    fn at(attempts: u32, verdict: &Verdict, dice: f64) -> Duration {
        match after(Tried { attempts, since: NOW }, verdict, NOW, dice) {
            Next::At(at) => at.since(NOW),
            Next::Dead => panic!("dead"),
        }
    }

    #[test]
    fn back_off_doubles_from_a_second_to_ten_minutes_under_full_jitter() {
        assert_eq!(at(1, &retry(), 1.0), Duration::from_secs(1));
        assert_eq!(at(4, &retry(), 1.0), Duration::from_secs(8));
        assert_eq!(at(4, &retry(), 0.25), Duration::from_secs(2));
        assert_eq!(at(4, &retry(), 0.0), Duration::ZERO);
        assert_eq!(at(11, &retry(), 1.0), Duration::from_secs(600));
        assert_eq!(at(u32::MAX, &retry(), 1.0), Duration::from_secs(600));
    }

    #[test]
    fn a_row_that_failed_for_a_day_is_dead_but_one_that_waited_for_us_gets_its_tries() {
        let since = NOW - DAY;
        let old = |attempts| after(Tried { attempts, since }, &retry(), NOW, 0.5);
        assert_eq!(old(LEAST_ATTEMPTS), Next::Dead);
        assert!(matches!(old(LEAST_ATTEMPTS - 1), Next::At(_)));
        let younger = Tried { attempts: 999, since: since + Duration::from_millis(1) };
        assert!(matches!(after(younger, &retry(), NOW, 0.5), Next::At(_)));
    }

    #[test]
    fn a_refusing_target_is_probed_once_an_hour_for_a_day() {
        let refused = Verdict::PermanentTarget { why: String::new() };
        assert_eq!(at(1, &refused, 0.0), Duration::from_secs(3600));
        assert_eq!(at(9, &refused, 1.0), Duration::from_secs(3960));
        assert_eq!(after(Tried { attempts: 1, since: NOW - DAY }, &refused, NOW, 0.0), Next::Dead);
    }

    #[test]
    fn a_rate_limit_beyond_a_day_is_obeyed_for_a_day_and_known_for_what_it_is() {
        for secs in [86_401, 10 * 365 * 86_400, u64::MAX] {
            let limited = Verdict::RateLimited { after: Duration::from_secs(secs) };
            assert_eq!(at(1, &limited, 0.0), DAY, "{secs}");
            assert!(is_capped(&limited), "{secs}");
        }
        assert!(!is_capped(&retry()));
    }

    #[test]
    fn a_channel_pauses_longer_with_every_failure_in_a_row_but_not_at_the_first() {
        let pauses: Vec<u64> = [0, 1, 2, 3, 4, 8, 9, u32::MAX].map(|n| pause(n, 1.0).as_secs()).into();
        assert_eq!(pauses, [0, 0, 1, 2, 4, 60, 60, 60]);
        assert_eq!(pause(2, 0.0), Duration::from_millis(500));
    }

    proptest! {
        #[test]
        fn a_rate_limit_of_up_to_a_day_is_never_shortened_and_kills_no_row(
            secs in 0u64..=86_400, dice in 0.0f64..1.0, attempts: u32, age in 0u64..400_000,
        ) {
            let asked = Duration::from_secs(secs);
            let tried = Tried { attempts, since: NOW - Duration::from_secs(age) };
            let limited = Verdict::RateLimited { after: asked };
            let next = after(tried, &limited, NOW, dice);
            prop_assert!(!is_capped(&limited));
            prop_assert!(matches!(next, Next::At(at) if at >= NOW + asked && at <= NOW + asked + SPREAD));
        }
    }
}
