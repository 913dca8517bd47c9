//! What came a short while ago, so that the same again changes nothing: signed calls that somebody plays back, and clicks
//! of a hand that clicks twice. Pure but for its lock; bounded.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::signature::{Verified, WINDOW};
use crate::model::Timestamp;

/// Signed calls remembered at most: 80 a second for as long as any is good. More is not people's doing.
const MOST_CALLS: usize = 50_000;

/// The same click of the same person this soon after is the same.
const DOUBLE: Duration = Duration::from_secs(3);

/// Clicks remembered at most; the oldest go.
const MOST_CLICKS: usize = 1_000;

/// A click as far as it can be doubled: who, on which message, what.
pub(super) type Click = (Box<str>, Box<str>, crate::model::Press);

/// Slack's times are whole seconds.
const COARSE: Duration = Duration::from_secs(1);

/// What became of a signed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// For the first time.
    First,
    /// It came before, or is so old that it may have come before pushwatch was started anew. Slack calls once.
    Again,
    /// More came than can be remembered.
    Full,
}

/// What is remembered.
#[derive(Debug)]
pub(in crate::chat) struct Seen {
    /// Since when, by the steady clock.
    began: Timestamp,
    most_calls: usize,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    marks: HashSet<[u8; 32], foldhash::fast::RandomState>,
    /// In the order in which they came.
    calls: VecDeque<Remembered>,
    clicks: VecDeque<(Click, Timestamp)>,
}

#[derive(Debug)]
struct Remembered {
    mark: [u8; 32],
    /// When it was signed, by the wall clock,
    at: Timestamp,
    /// and when it came, by the steady one.
    came: Timestamp,
}

impl Seen {
    /// Nothing yet; `now` is steady time.
    pub(in crate::chat) fn new(now: Timestamp) -> Seen {
        Seen { began: now, most_calls: MOST_CALLS, memory: Mutex::default() }
    }

    /// Takes note of a signed call, at these times by the wall clock and the steady one. It is remembered for as long as
    /// either could have it believed again, so a wall clock that is set back does not let it in twice.
    pub(super) fn call(&self, call: &Verified<'_>, wall: Timestamp, steady: Timestamp) -> Came {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = &mut *memory;
        let is_over = |call: &Remembered| wall.since(call.at) > WINDOW && steady.since(call.came) > 2 * WINDOW;
        while let Some(oldest) = memory.calls.front().filter(|oldest| is_over(oldest)) {
            memory.marks.remove(&oldest.mark);
            memory.calls.pop_front();
        }
        let is_older_than_we = wall.since(call.at()) > steady.since(self.began) + COARSE;
        let is_known = is_older_than_we || memory.marks.contains(&call.mark());
        match (is_known, memory.calls.len() >= self.most_calls) {
            (true, _) => Came::Again,
            (false, true) => Came::Full,
            (false, false) => {
                memory.marks.insert(call.mark());
                memory.calls.push_back(Remembered { mark: call.mark(), at: call.at(), came: steady });
                Came::First
            }
        }
    }

    /// Takes note of a click; whether it is the first of its kind for a while. `now` is steady time.
    pub(super) fn click(&self, click: Click, now: Timestamp) -> bool {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.clicks.retain(|(_, at)| now.since(*at) < DOUBLE);
        let is_first = memory.clicks.iter().all(|(known, _)| *known != click);
        if is_first {
            if memory.clicks.len() >= MOST_CLICKS {
                memory.clicks.pop_front();
            }
            memory.clicks.push_back((click, now));
        }
        is_first
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::super::signature::{Claimed, sign, verify};
    use super::*;
    use crate::model::{GroupId, Press};

    const AT: i64 = 1_700_000_000;

    fn secs(secs: i64) -> Timestamp {
        Timestamp::from_secs(AT + secs)
    }

    /// A call with this body comes, signed at `signed`, when the clocks show these.
    fn call(seen: &Seen, body: &str, signed: i64, (wall, steady): (i64, i64)) -> Option<Came> {
        let secret = SecretString::from("secret");
        let (at, signature) = ((AT + signed).to_string(), sign("secret", AT + signed, body));
        let claimed = Claimed { at: Some(&at), signature: Some(&signature), body: body.as_bytes() };
        let verified = verify(claimed, &[&secret], secs(wall)).ok()?;
        Some(seen.call(&verified, secs(wall), secs(steady)))
    }

    #[test]
    fn a_call_comes_once_for_as_long_as_it_is_good() {
        let seen = Seen::new(secs(0));
        assert_eq!(call(&seen, "a", 0, (0, 0)), Some(Came::First));
        assert_eq!(call(&seen, "b", 0, (0, 0)), Some(Came::First));
        assert_eq!(call(&seen, "a", 1, (1, 1)), Some(Came::First), "typed again");
        for now in [0, 1, 299, 300] {
            assert_eq!(call(&seen, "a", 0, (now, now)), Some(Came::Again));
        }
        assert_eq!(call(&seen, "a", 0, (301, 301)), None);
        let memory = |seen: &Seen| seen.memory.lock().unwrap().calls.len();
        assert_eq!(memory(&seen), 3);
        assert_eq!(call(&seen, "c", 900, (900, 900)), Some(Came::First));
        assert_eq!((memory(&seen), seen.memory.lock().unwrap().marks.len()), (1, 1), "the others can't come again");
    }

    #[test]
    fn what_may_have_come_before_a_restart_is_not_let_in_again() {
        let seen = Seen::new(secs(0));
        assert_eq!(call(&seen, "a", -2, (0, 0)), Some(Came::Again));
        assert_eq!(call(&seen, "b", -1, (0, 0)), Some(Came::First));
        assert_eq!(call(&seen, "c", -2, (100, 100)), Some(Came::Again));
        assert_eq!(call(&seen, "d", 0, (200, 200)), Some(Came::First), "a slow one");
        assert_eq!(call(&seen, "e", 90, (0, 0)), Some(Came::First), "a clock behind Slack's");
        assert_eq!(call(&seen, "f", -3600, (-3600, 10)), Some(Came::First), "a wall clock that was set back");
    }

    #[test]
    fn a_wall_clock_that_is_set_lets_nothing_in_twice() {
        let seen = Seen::new(secs(0));
        assert_eq!(call(&seen, "a", 0, (0, 0)), Some(Came::First));
        assert_eq!(call(&seen, "b", 7200, (7200, 1)), Some(Came::First), "two hours ahead");
        assert_eq!(call(&seen, "a", 0, (2, 2)), Some(Came::Again), "and back");
        assert_eq!(call(&seen, "b", 7200, (7200, 3000)), Some(Came::Again));
    }

    #[test]
    fn more_than_can_be_remembered_is_not_taken() {
        let seen = Seen { most_calls: 50, ..Seen::new(secs(0)) };
        for n in 0..50 {
            assert_eq!(call(&seen, &n.to_string(), 0, (0, 0)), Some(Came::First));
        }
        assert_eq!(call(&seen, "one more", 0, (0, 0)), Some(Came::Full));
        assert_eq!(call(&seen, "1", 0, (0, 0)), Some(Came::Again));
        assert_eq!(call(&seen, "later", 700, (700, 700)), Some(Came::First));
    }

    #[test]
    fn a_double_click_is_one() {
        let seen = Seen::new(secs(0));
        let click = |who: &str, on: &str, id| (who.into(), on.into(), Press::Ack(GroupId(id)));
        assert!(seen.click(click("U1", "1.2", 7), secs(0)));
        assert!(!seen.click(click("U1", "1.2", 7), secs(1)));
        assert!(seen.click(click("U2", "1.2", 7), secs(1)) && seen.click(click("U1", "1.3", 7), secs(1)));
        assert!(seen.click(click("U1", "1.2", 8), secs(1)));
        assert!(seen.click(click("U1", "1.2", 7), secs(3)));
        for n in 0..2 * MOST_CLICKS as u64 {
            seen.click(click("U1", "1.2", n), secs(3));
        }
        assert_eq!(seen.memory.lock().unwrap().clicks.len(), MOST_CLICKS);
    }
}
