//! What the wall clock showed at an entry of the journal: calendar things run on it, durations do not. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Seq, Timestamp};

/// From an entry on, the wall clock is this much ahead of the journal's stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Setting {
    seq: Seq,
    at: Timestamp,
    ahead: i64,
}

/// The settings of the wall clock that still matter: a replay has to see each entry by the clock of its time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Wall {
    /// Oldest first.
    settings: Vec<Setting>,
}

impl Wall {
    /// Takes note of a setting, and forgets those that no replay of the last `lookback` needs.
    pub(super) fn set(&mut self, seq: Seq, at: Timestamp, ahead: i64, lookback: Duration) {
        let horizon = at - lookback;
        let needed = self.settings.iter().rposition(|setting| setting.at < horizon).unwrap_or(0);
        self.settings.drain(..needed);
        self.settings.push(Setting { seq, at, ahead });
    }

    /// What it showed when the journal's time was `at`, as set by the entries before `seq`.
    #[must_use]
    pub(super) fn read(&self, seq: Seq, at: Timestamp) -> Timestamp {
        let setting = self.settings.iter().rev().find(|setting| setting.seq <= seq);
        Timestamp(at.0.saturating_add(setting.map_or(0, |setting| setting.ahead)))
    }

    /// The journal's time at which it will show `wall`, as it is set now.
    #[must_use]
    pub(super) fn journal_time(&self, wall: Timestamp) -> Timestamp {
        match wall {
            Timestamp::MAX => Timestamp::MAX,
            wall => Timestamp(wall.0.saturating_sub(self.settings.last().map_or(0, |setting| setting.ahead))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_is_seen_by_the_clock_of_its_time_and_old_settings_are_forgotten() {
        let (hour, mut wall) = (Duration::from_secs(3600), Wall::default());
        assert_eq!(wall.read(Seq(1), Timestamp(50)), Timestamp(50));
        wall.set(Seq(10), Timestamp(1_000), 500, hour);
        wall.set(Seq(20), Timestamp(2_000), -300, hour);
        assert_eq!(wall.read(Seq(9), Timestamp(900)), Timestamp(900));
        assert_eq!(wall.read(Seq(10), Timestamp(1_000)), Timestamp(1_500));
        assert_eq!(wall.read(Seq(25), Timestamp(2_100)), Timestamp(1_800));
        assert_eq!(wall.journal_time(Timestamp(5_000)), Timestamp(5_300));
        assert_eq!(wall.journal_time(Timestamp::MAX), Timestamp::MAX);
        for n in 0..100 {
            wall.set(Seq(30 + n), Timestamp(10_000_000 * (n as i64 + 1)), 0, hour);
        }
        assert!(wall.settings.len() <= 2, "{}", wall.settings.len());
    }
}
