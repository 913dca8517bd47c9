//! When to look after the size of the database and the reserve, and when to refuse callbacks. Pure.

use std::time::Duration;

use super::retention::{Room, Step};
use crate::model::Timestamp;

/// With work coming in, the size is looked at this often.
const BUSY: Duration = Duration::from_secs(1);
/// Without, this often.
const QUIET: Duration = Duration::from_secs(60);

/// Why callbacks are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no room on the disk.
    Full,
    /// `max_bytes` is reached with what is still needed.
    Capped,
}

impl Refusal {
    /// What callers and logs are told.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Refusal::Full => "the disk is full",
            Refusal::Capped => "the journal has reached its size cap with callbacks that are still needed",
        }
    }
}

/// What the writer knows about room and age.
#[derive(Debug)]
pub(super) struct Upkeep {
    max_bytes: u64,
    /// Free bytes to be made after the disk was full.
    wanted: u64,
    next_look: Timestamp,
    /// A step of deleting is due.
    is_due: bool,
    is_over: bool,
    is_blocked: bool,
    has_failed: bool,
    room: Room,
    refusal: Option<Refusal>,
    /// Something has been kept since the start: there is room for more than the reserve.
    has_kept: bool,
    /// The reserve is there in full.
    is_reserved: bool,
    next_fill: Timestamp,
}

impl Upkeep {
    /// Looks at once.
    pub(super) fn new(max_bytes: u64, wanted: u64) -> Upkeep {
        Upkeep {
            max_bytes,
            wanted,
            next_look: Timestamp(i64::MIN),
            is_due: true,
            is_over: false,
            is_blocked: false,
            has_failed: false,
            room: Room::default(),
            refusal: None,
            has_kept: false,
            is_reserved: false,
            next_fill: Timestamp(i64::MIN),
        }
    }

    /// Whether it is time to look.
    pub(super) fn is_time(&self, now: Timestamp) -> bool {
        now >= self.next_look
    }

    /// Takes a look's result in; `room.used` includes the log. Returns how the refusal changed, if it did.
    pub(super) fn look(&mut self, now: Timestamp, room: Room) -> Option<Option<Refusal>> {
        self.next_look = now + BUSY;
        self.is_due = true;
        self.room = room;
        self.judge()
    }

    /// Whether a step of deleting is due, and whether it is to take what is not old as well.
    pub(super) fn due(&self) -> Option<bool> {
        self.is_due.then_some(self.is_over)
    }

    /// Takes a step's result in. Returns how the refusal changed, if it did.
    pub(super) fn stepped(&mut self, step: Step, room: Room) -> Option<Option<Refusal>> {
        self.room = room;
        self.is_blocked = step.is_blocked;
        self.has_failed = false;
        let change = self.judge();
        self.is_due = step.more || (self.is_over && step.pruned_to.is_some());
        change
    }

    /// A step failed; the next look tries again.
    pub(super) fn failed(&mut self) {
        self.is_due = false;
        self.has_failed = true;
    }

    /// A commit went through.
    pub(super) fn kept(&mut self) {
        self.has_kept = true;
    }

    /// A write found the disk full, and the reserve is given up. Returns whether that is news.
    pub(super) fn full(&mut self) -> bool {
        self.is_reserved = false;
        let is_news = self.refusal.replace(Refusal::Full) != Some(Refusal::Full);
        self.is_due |= is_news;
        is_news
    }

    /// Whether to fill the reserve. Not before something was kept: on a disk that is full at the start it would take
    /// the room which the start needs. After a full disk, not before there is either enough in the file or no way
    /// to make more.
    pub(super) fn wants_reserve(&self, now: Timestamp) -> bool {
        let is_hopeless = self.refusal == Some(Refusal::Full) && (self.is_due || self.has_failed);
        self.has_kept && !self.is_reserved && !is_hopeless && now >= self.next_fill
    }

    /// The reserve is there, which ends the refusal for a full disk. Returns whether that was on.
    pub(super) fn reserved(&mut self, now: Timestamp) -> bool {
        self.is_reserved = true;
        self.next_fill = now + BUSY;
        let was_full = self.refusal == Some(Refusal::Full);
        if was_full {
            self.refusal = None;
            self.judge();
        }
        was_full
    }

    /// There is no room for the reserve; each try writes all of it, so the next one waits.
    pub(super) fn not_reserved(&mut self, now: Timestamp) {
        let pause = match self.refusal {
            Some(Refusal::Full) => BUSY,
            Some(Refusal::Capped) | None => QUIET,
        };
        self.next_fill = now + pause;
    }

    /// Why callbacks are refused, if they are.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// How long to wait for work.
    pub(super) fn wait(&self, is_deaf: bool) -> Duration {
        match (self.is_due, self.refusal, is_deaf) {
            (true, None, _) => Duration::ZERO,
            // With a full disk each step fails at once; don't spin.
            (true, Some(_), _) => Duration::from_millis(20),
            (false, Some(_), _) | (_, _, true) => BUSY,
            (false, None, false) => QUIET,
        }
    }

    fn judge(&mut self) -> Option<Option<Refusal>> {
        let is_short = self.refusal == Some(Refusal::Full) && self.room.free < self.wanted;
        self.is_over = self.room.used > self.max_bytes / 20 * 19 || is_short;
        let capped = self.room.used >= self.max_bytes && self.is_blocked;
        match (self.refusal, capped) {
            (None, true) => self.refusal = Some(Refusal::Capped),
            (Some(Refusal::Capped), false) => self.refusal = None,
            _ => return None,
        }
        Some(self.refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Seq;

    const MIB: u64 = 1 << 20;

    fn pruned() -> Step {
        Step { pruned_to: Some(Seq(1)), more: true, is_blocked: false }
    }

    fn blocked() -> Step {
        Step { pruned_to: None, more: false, is_blocked: true }
    }

    fn room(used: u64, free: u64) -> Room {
        Room { used: used * MIB, free: free * MIB }
    }

    #[test]
    fn near_the_cap_it_deletes_until_there_is_room() {
        let mut upkeep = Upkeep::new(100 * MIB, MIB);
        assert_eq!(upkeep.look(Timestamp(0), room(96, 0)), None);
        assert_eq!(upkeep.due(), Some(true));
        upkeep.stepped(Step { more: false, ..pruned() }, room(96, 0));
        assert_eq!(upkeep.due(), Some(true), "still over");
        upkeep.stepped(Step { more: false, ..pruned() }, room(90, 6));
        assert_eq!(upkeep.due(), None);
    }

    #[test]
    fn at_the_cap_with_what_is_needed_it_refuses_until_it_can_delete_again() {
        let mut upkeep = Upkeep::new(100 * MIB, MIB);
        assert_eq!(upkeep.look(Timestamp(0), room(100, 0)), None);
        assert_eq!(upkeep.stepped(blocked(), room(100, 0)), Some(Some(Refusal::Capped)));
        assert_eq!(upkeep.look(Timestamp(1000), room(100, 0)), None, "no news");
        assert_eq!(upkeep.stepped(pruned(), room(98, 2)), Some(None));
        assert_eq!(upkeep.refusal(), None);
    }

    #[test]
    fn a_full_disk_is_over_once_some_room_is_made() {
        let mut upkeep = Upkeep::new(100 * MIB, 2 * MIB);
        upkeep.look(Timestamp(0), room(50, 0));
        upkeep.kept();
        assert!(upkeep.full());
        assert!(!upkeep.full(), "no news");
        upkeep.look(Timestamp(1), room(50, 0));
        assert_eq!(upkeep.due(), Some(true));
        upkeep.failed();
        assert!(!upkeep.wants_reserve(Timestamp(2)), "not even deleting goes through");
        upkeep.look(Timestamp(2), room(50, 0));
        upkeep.stepped(Step { more: false, ..pruned() }, room(49, 1));
        assert!(!upkeep.wants_reserve(Timestamp(2)));
        upkeep.stepped(Step { more: false, ..pruned() }, room(48, 2));
        assert!(upkeep.wants_reserve(Timestamp(2)));
        assert!(upkeep.reserved(Timestamp(2)));
        assert_eq!(upkeep.refusal(), None);
        assert!(!upkeep.wants_reserve(Timestamp(90_000)), "it is there");
    }

    #[test]
    fn the_reserve_is_filled_once_something_was_kept_and_tried_at_most_once_a_second() {
        let mut upkeep = Upkeep::new(100 * MIB, 2 * MIB);
        upkeep.stepped(Step::default(), room(50, 0));
        assert!(!upkeep.wants_reserve(Timestamp(0)), "nothing was kept yet");
        upkeep.kept();
        assert!(upkeep.wants_reserve(Timestamp(0)));
        upkeep.not_reserved(Timestamp(0));
        assert!(!upkeep.wants_reserve(Timestamp(59_999)), "no hurry while all goes well");
        assert!(upkeep.wants_reserve(Timestamp(60_000)));
        assert!(!upkeep.reserved(Timestamp(60_000)), "nothing was refused");
        assert!(upkeep.full());
        upkeep.stepped(blocked(), room(50, 0));
        assert!(!upkeep.wants_reserve(Timestamp(60_999)), "just filled, and gone already");
        assert!(upkeep.wants_reserve(Timestamp(61_000)));
        upkeep.not_reserved(Timestamp(61_000));
        assert!(!upkeep.wants_reserve(Timestamp(61_999)));
        assert!(upkeep.wants_reserve(Timestamp(62_000)));
    }
}
