//! Which identities have been kept lately, in memory: generations by time, dropped whole past the horizon.

use std::array;
use std::collections::VecDeque;
use std::time::Duration;

use foldhash::HashSet;

use crate::model::{EventId, Timestamp};

/// A generation is split so that growing one part moves few identities at a time and stalls nobody.
const PARTS: usize = 64;

/// Generations within the horizon. Each one more costs a look-up per callback; fewer would be kept longer than need be.
const GENERATIONS: u32 = 6;

/// The identities of the last `horizon`. It never forgets one that is younger than that.
#[derive(Debug)]
pub(super) struct Seen {
    horizon: Duration,
    generations: VecDeque<Generation>,
}

#[derive(Debug)]
struct Generation {
    first: Timestamp,
    last: Timestamp,
    parts: [HashSet<EventId>; PARTS],
}

impl Seen {
    /// Knows nothing yet.
    pub(super) fn new(horizon: Duration) -> Seen {
        Seen { horizon, generations: VecDeque::new() }
    }

    /// Remembers what it knows, and what comes, for at least so long.
    pub(super) fn widen(&mut self, horizon: Duration) {
        self.horizon = self.horizon.max(horizon);
    }

    /// Whether an identity is known.
    pub(super) fn contains(&self, id: &EventId) -> bool {
        self.generations.iter().rev().any(|generation| generation.parts[part(id)].contains(id))
    }

    /// Remembers one kept at `at`, which never goes back, and forgets what is past the horizon.
    pub(super) fn insert(&mut self, at: Timestamp, id: EventId) {
        let span = self.horizon / GENERATIONS;
        match self.generations.back() {
            Some(newest) if at.since(newest.first) <= span => {}
            _ => {
                self.expire(at);
                let parts = array::from_fn(|_| HashSet::default());
                self.generations.push_back(Generation { first: at, last: at, parts });
            }
        }
        if let Some(newest) = self.generations.back_mut() {
            newest.last = newest.last.max(at);
            newest.parts[part(&id)].insert(id);
        }
    }

    /// Forgets generations that are past the horizon as a whole.
    pub(super) fn expire(&mut self, now: Timestamp) {
        let limit = now - self.horizon;
        while self.generations.front().is_some_and(|oldest| oldest.last < limit) {
            self.generations.pop_front();
        }
    }
}

fn part(id: &EventId) -> usize {
    usize::from(id.0[15]) % PARTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> EventId {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        bytes[15] = number as u8;
        EventId(bytes)
    }

    #[test]
    fn an_identity_is_known_for_the_whole_horizon_and_not_much_longer() {
        let mut seen = Seen::new(Duration::from_secs(60));
        for second in 0..200_u32 {
            seen.insert(Timestamp::from_secs(second.into()), id(second));
            for back in 0..=60.min(second) {
                assert!(seen.contains(&id(second - back)), "{second} s: forgot what is {back} s old");
            }
            if second > 90 {
                assert!(!seen.contains(&id(second - 90)), "{second} s: still knows what is 90 s old");
            }
        }
        assert!(seen.generations.len() <= GENERATIONS as usize + 2);
    }

    #[test]
    fn a_horizon_that_grows_keeps_what_is_still_known() {
        let mut seen = Seen::new(Duration::from_secs(60));
        seen.insert(Timestamp::from_secs(0), id(0));
        seen.widen(Duration::from_secs(600));
        seen.widen(Duration::from_secs(1));
        for second in 1..=600_u32 {
            seen.insert(Timestamp::from_secs(second.into()), id(second));
        }
        seen.expire(Timestamp::from_secs(600));
        assert!(seen.contains(&id(0)));
    }
}
