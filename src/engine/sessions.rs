//! Which pushes of a stream are live and which have ended: main and backup may push at once. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// How long an ended session is known as ended: a late report of it opens nothing.
pub(super) const ENDED_MEMORY: Duration = Duration::from_secs(30 * 60);

/// How long an ended session is known to have been there, where rules judge each push by itself: what such a rule told of
/// its end is over with any newer push, and is closed after a day without one.
pub(super) const PUSH_MEMORY: Duration = Duration::from_secs(48 * 3600);

/// A session of which nothing was heard for this long is no longer taken for live: its end got lost.
pub(super) const LIVE_MEMORY: Duration = Duration::from_secs(24 * 3600);

/// The time a session was last heard of is kept in steps of this, so that it need not be written at each report.
const SEEN_STEP: Duration = Duration::from_secs(3600);

/// Kept this much longer than they matter, so that a replay of the last stretch finds what the first run found.
const SLACK: Duration = Duration::from_secs(300);

/// Sessions remembered per stream; the oldest go first. A stream has one or two, a flapping one more.
const MAX_SESSIONS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    Live,
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    id: Box<str>,
    phase: Phase,
    /// Live: last heard of, in steps. Ended: when the end was received.
    at: Timestamp,
}

/// What a report's session was before the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Live, or not heard of before, or the callback names none.
    Open,
    /// Ended already: whatever is still said of it is late.
    Ended,
}

/// The sessions of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Sessions {
    list: Vec<Session>,
}

impl Sessions {
    /// A begin or a push error of this session was received. Returns its standing and whether this changed
    /// anything that must be kept.
    pub(super) fn heard(&mut self, id: Option<&str>, now: Timestamp) -> (Standing, bool) {
        let Some(id) = id else { return (Standing::Open, false) };
        match self.list.iter_mut().find(|s| *s.id == *id) {
            Some(session) if session.phase == Phase::Ended => {
                let standing = if now < session.at + ENDED_MEMORY { Standing::Ended } else { Standing::Open };
                match standing {
                    Standing::Ended => (Standing::Ended, false),
                    Standing::Open => {
                        *session = Session { id: id.into(), phase: Phase::Live, at: now };
                        (Standing::Open, true)
                    }
                }
            }
            Some(session) => {
                let step = now >= session.at + SEEN_STEP;
                if step {
                    session.at = now;
                }
                (Standing::Open, step)
            }
            None => {
                self.push(Session { id: id.into(), phase: Phase::Live, at: now });
                (Standing::Open, true)
            }
        }
    }

    /// What a session is now, without taking note of it: for a replay.
    #[must_use]
    pub(super) fn standing(&self, id: Option<&str>, now: Timestamp) -> Standing {
        let ended = |s: &&Session| s.phase == Phase::Ended && now >= s.at && now < s.at + ENDED_MEMORY;
        match id.and_then(|id| self.list.iter().find(|s| *s.id == *id)).filter(ended) {
            Some(_) => Standing::Ended,
            None => Standing::Open,
        }
    }

    /// The end of this session was received; an end that names no session ends all. Returns its standing before.
    pub(super) fn ended(&mut self, id: Option<&str>, now: Timestamp) -> Standing {
        let Some(id) = id else {
            for session in &mut self.list {
                if session.phase == Phase::Live {
                    *session = Session { phase: Phase::Ended, at: now, id: std::mem::take(&mut session.id) };
                }
            }
            return Standing::Open;
        };
        match self.list.iter_mut().find(|s| *s.id == *id) {
            Some(session) if session.phase == Phase::Ended && now < session.at + ENDED_MEMORY => Standing::Ended,
            Some(session) => {
                *session = Session { id: id.into(), phase: Phase::Ended, at: now };
                Standing::Open
            }
            None => {
                self.push(Session { id: id.into(), phase: Phase::Ended, at: now });
                Standing::Open
            }
        }
    }

    /// The sessions that are known, live or ended, by name: when they were last pruned has no bearing on it.
    pub(super) fn ids(&self, now: Timestamp) -> Vec<&str> {
        let known = |session: &&Session| match session.phase {
            Phase::Live => now < session.at + LIVE_MEMORY,
            Phase::Ended => now < session.at + PUSH_MEMORY,
        };
        let mut ids: Vec<&str> = self.list.iter().filter(known).map(|session| &*session.id).collect();
        ids.sort_unstable();
        ids
    }

    /// Whether any session is live now.
    #[must_use]
    pub(super) fn any_live(&self, now: Timestamp) -> bool {
        self.list.iter().any(|s| s.phase == Phase::Live && now < s.at + LIVE_MEMORY)
    }

    /// Forgets what has no bearing any more, the ended ones after `memory`; returns whether anything went.
    pub(super) fn prune(&mut self, now: Timestamp, memory: Duration) -> bool {
        let before = self.list.len();
        self.list.retain(|s| match s.phase {
            Phase::Live => now < s.at + LIVE_MEMORY + SLACK,
            Phase::Ended => now < s.at + memory + SLACK,
        });
        self.shrink();
        self.list.len() != before
    }

    /// Gives back room that is not needed.
    pub(super) fn shrink(&mut self) {
        self.list.shrink_to_fit();
    }

    /// Whether nothing is known.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn push(&mut self, session: Session) {
        if self.list.len() >= MAX_SESSIONS {
            // What may have been pruned goes first, so that it makes no difference whether it was.
            let oldest = (0..self.list.len()).min_by_key(|at| (self.list[*at].at, &self.list[*at].id));
            oldest.map(|at| self.list.remove(at));
        }
        if self.list.is_empty() {
            self.list.reserve_exact(1);
        }
        self.list.push(session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn a_session_is_live_after_its_begin_or_any_push_error_until_its_end() {
        let mut sessions = Sessions::default();
        assert!(!sessions.any_live(T0));
        assert_eq!(sessions.heard(Some("a"), T0), (Standing::Open, true));
        assert_eq!(sessions.heard(Some("a"), T0), (Standing::Open, false));
        assert!(sessions.any_live(T0));
        assert_eq!(sessions.ended(Some("a"), T0), Standing::Open);
        assert!(!sessions.any_live(T0));
    }

    #[test]
    fn main_and_backup_are_two_sessions() {
        let mut sessions = Sessions::default();
        sessions.heard(Some("main"), T0);
        sessions.heard(Some("backup"), T0);
        sessions.ended(Some("main"), T0);
        assert!(sessions.any_live(T0));
        sessions.ended(None, T0);
        assert!(!sessions.any_live(T0));
    }

    #[test]
    fn an_ended_session_is_remembered_for_thirty_minutes() {
        let mut sessions = Sessions::default();
        sessions.ended(Some("a"), T0);
        let later = T0 + ENDED_MEMORY;
        assert_eq!(sessions.heard(Some("a"), later - Duration::from_millis(1)), (Standing::Ended, false));
        assert_eq!(sessions.ended(Some("a"), T0), Standing::Ended);
        assert_eq!(sessions.heard(Some("a"), later), (Standing::Open, true));
    }

    #[test]
    fn a_lost_end_is_believed_after_a_day_of_silence() {
        let mut sessions = Sessions::default();
        sessions.heard(Some("a"), T0);
        assert!(sessions.any_live(T0 + LIVE_MEMORY - Duration::from_millis(1)));
        assert!(!sessions.any_live(T0 + LIVE_MEMORY));
        assert!(!sessions.prune(T0 + LIVE_MEMORY, ENDED_MEMORY));
        assert!(sessions.prune(T0 + LIVE_MEMORY + SLACK, ENDED_MEMORY));
        assert!(sessions.is_empty());
    }

    #[test]
    fn sessions_of_one_stream_are_bounded() {
        let mut sessions = Sessions::default();
        for n in 0..1000 {
            sessions.heard(Some(&n.to_string()), T0);
        }
        assert_eq!(sessions.list.len(), MAX_SESSIONS);
    }
}
