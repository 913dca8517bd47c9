//! Whether a channel's calls come to anything, and how long to leave it alone if not. Pure.

use super::retry;
use crate::model::Timestamp;

/// Failures in a row after which a success means that an outage is over.
const OUTAGE: u32 = 3;

/// How a channel does.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// No call of the channel before then.
    pub(crate) held_until: Timestamp,
    streak: u32,
    refusing: bool,
}

impl Health {
    /// A call succeeded. True if an outage or a refusal ends with it.
    pub(crate) fn well(&mut self) -> bool {
        let back = self.refusing || self.streak >= OUTAGE;
        *self = Health::default();
        back
    }

    /// The chat answered, though not with a yes.
    pub(crate) fn answered(&mut self) {
        self.streak = 0;
    }

    /// A call came to nothing.
    pub(crate) fn failed(&mut self, now: Timestamp, dice: f64) {
        self.streak = self.streak.saturating_add(1);
        self.held_until = self.held_until.max(now + retry::pause(self.streak, dice));
    }

    /// The target refuses everything; probed at `until`. True if that is news.
    pub(crate) fn refused(&mut self, until: Timestamp) -> bool {
        self.held_until = self.held_until.max(until);
        !std::mem::replace(&mut self.refusing, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn an_outage_ends_with_a_success_and_a_single_failure_is_none() {
        let mut health = Health::default();
        health.failed(NOW, 1.0);
        assert_eq!(health.held_until, NOW);
        assert!(!health.well());
        for _ in 0..OUTAGE {
            health.failed(NOW, 1.0);
        }
        assert!(health.held_until > NOW);
        assert!(health.well());
        assert_eq!(health.held_until, Timestamp::default());
        assert!(!health.well());
    }

    #[test]
    fn an_answer_between_failures_means_the_chat_is_there() {
        let mut health = Health::default();
        for _ in 0..9 {
            health.failed(NOW, 1.0);
            health.answered();
        }
        assert_eq!(health.held_until, NOW);
    }

    #[test]
    fn a_refusal_is_news_once_and_over_with_a_success() {
        let mut health = Health::default();
        assert!(health.refused(Timestamp(2_000_000)));
        assert!(!health.refused(Timestamp(3_000_000)));
        assert_eq!(health.held_until, Timestamp(3_000_000));
        assert!(health.well());
        assert!(health.refused(Timestamp(4_000_000)));
    }
}
