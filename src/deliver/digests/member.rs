//! The members of digests: what becomes of news of them, and how they stand.

use super::{Digest, Digests, REMINDER};
use crate::model::{DigestId, Folded, GroupId, News, Severity, Timestamp};

/// A group's place in a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) digest: DigestId,
    /// The worst that people were told of it there.
    pub(super) severity: Severity,
    /// Nothing of it fires, as far as is known.
    pub(super) over: bool,
    /// The text in the chat says so.
    pub(super) shown_over: bool,
    /// It outlives the others, and is told of by itself.
    pub(super) straggles: bool,
}

impl Seat {
    pub(super) fn new(digest: DigestId, severity: Severity) -> Seat {
        Seat { digest, severity, over: false, shown_over: false, straggles: false }
    }
}

/// What becomes of news of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It is no member of any digest.
    Stranger,
    /// The digest tells it; `again` if people are to be reminded by it.
    Absorbed {
        /// Which.
        digest: DigestId,
        /// It is a reminder.
        again: bool,
    },
    /// It is too much for a line among others: the group is told by itself, unless too many are.
    Leaves,
}

impl Digests {
    /// Makes a group a member, told to be so bad. It leaves the digest in which it was before, which is given.
    pub(crate) fn attach(
        &mut self,
        id: DigestId,
        group: GroupId,
        severity: Severity,
        now: Timestamp,
    ) -> Option<DigestId> {
        let before = self.leave(group).filter(|before| *before != id);
        self.folded_at = self.folded_at.max(now);
        self.sit(group, Seat::new(id, severity));
        if let Some(digest) = self.all.get_mut(&id) {
            digest.revision += 1;
            digest.unsay();
        }
        before
    }

    /// Whether people are to notice that such a group joins: it is worse than all that the digest told.
    pub(crate) fn grows(&mut self, id: DigestId, severity: Severity) -> bool {
        let Some(digest) = self.all.get_mut(&id) else { return false };
        let grows = severity > digest.severity;
        digest.severity = digest.severity.max(severity);
        grows
    }

    /// The place of a group.
    pub(crate) fn seat(&self, group: GroupId) -> Option<Folded> {
        self.seats.get(&group).map(|seat| Folded { digest: seat.digest, severity: seat.severity })
    }

    /// The digest that a group returns to if it is folded: one whose text the chat can edit, unless the group outlives
    /// the others of it. Elsewhere each digest that speaks is one more message, so one tells of all that is folded.
    pub(crate) fn home(&self, group: GroupId) -> Option<DigestId> {
        let seat = self.seats.get(&group).filter(|_| self.can_edit)?;
        let digest = self.all.get(&seat.digest).filter(|digest| digest.closed_at.is_none())?;
        (!seat.straggles || digest.members == 1).then_some(seat.digest)
    }

    /// Takes in news of a group.
    pub(crate) fn hear(&mut self, group: GroupId, (news, severity): (News, Severity), now: Timestamp) -> Heard {
        let Some(seat) = self.seats.get_mut(&group) else { return Heard::Stranger };
        let Some(digest) = self.all.get_mut(&seat.digest) else { return Heard::Stranger };
        let id = seat.digest;
        let untold = digest.is_untold();
        match news {
            News::Resolved => {
                digest.over += usize::from(!seat.over);
                seat.over = true;
            }
            News::Changed | News::Answered | News::Notice => {}
            _ if digest.closed_at.is_some() || seat.straggles => return Heard::Leaves,
            News::Repeated => {}
            News::Opened | News::Reopened | News::Escalated | News::Released => {
                // Its first post says it all as it is then.
                if !untold && (severity > seat.severity || seat.shown_over || news == News::Opened) {
                    return Heard::Leaves;
                }
                seat.severity = seat.severity.max(severity);
                digest.severity = digest.severity.max(severity);
                digest.over -= usize::from(seat.over);
                seat.over = false;
                digest.unsay();
            }
        }
        digest.revision += u64::from(digest.closed_at.is_none());
        let reminded = untold || now.since(digest.noted_at) < REMINDER;
        Heard::Absorbed { digest: id, again: news == News::Repeated && !reminded }
    }

    /// A group was told of by itself, and leaves; the last one stays, for the digest has to be brought to its end.
    pub(crate) fn part(&mut self, group: GroupId) -> Option<DigestId> {
        let seat = self.seats.get(&group)?;
        let digest = self.all.get(&seat.digest)?;
        if digest.members > 1 || digest.closed_at.is_some() { self.leave(group) } else { None }
    }

    /// A group is no longer told of by its digest.
    pub(crate) fn leave(&mut self, group: GroupId) -> Option<DigestId> {
        let seat = self.seats.remove(&group)?;
        if let Some(digest) = self.all.get_mut(&seat.digest) {
            digest.members -= 1;
            digest.over -= usize::from(seat.over);
            digest.revision += 1;
        }
        Some(seat.digest)
    }

    /// Begins to look at the members of a digest: who is not seen has been forgotten, and is over.
    pub(crate) fn look(&mut self, id: DigestId) {
        let Some(digest) = self.all.get_mut(&id) else { return };
        digest.looked = false;
        digest.over = digest.members;
        for seat in self.seats.values_mut().filter(|seat| seat.digest == id) {
            seat.over = true;
        }
    }

    /// A member was seen. False if it is one no longer.
    pub(crate) fn see(&mut self, id: DigestId, group: GroupId, over: bool) -> bool {
        let Some(seat) = self.seats.get_mut(&group).filter(|seat| seat.digest == id) else { return false };
        if let (false, true, Some(digest)) = (over, seat.over, self.all.get_mut(&id)) {
            seat.over = false;
            digest.over -= 1;
        }
        true
    }

    /// All members were seen.
    pub(crate) fn looked(&mut self, id: DigestId) {
        let Some(digest) = self.all.get_mut(&id) else { return };
        digest.looked = true;
        match digest.is_over() {
            true if digest.said_over => {}
            // Rows may have told nothing of it.
            true => digest.revision += 1,
            false => digest.unsay(),
        }
    }

    pub(super) fn sit(&mut self, group: GroupId, seat: Seat) {
        let Some(digest) = self.all.get_mut(&seat.digest) else { return };
        digest.members += 1;
        digest.over += usize::from(seat.over);
        self.seats.insert(group, seat);
    }
}

impl Digest {
    /// Whatever was said of its end, it is not over.
    fn unsay(&mut self) {
        self.said_over = false;
        self.noted_over = false;
    }
}
