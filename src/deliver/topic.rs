//! What rows of the outbox are about, and so what is told together by one call.

use crate::model::{About, DeliveryId, DigestId, GroupId, Notification};

/// A group or a digest, whose rows share a call, or a single row that is about pushwatch itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Topic {
    /// All rows of a group.
    Group(GroupId),
    /// The row of this number alone.
    Notice(DeliveryId),
    /// All rows of a digest.
    Digest(DigestId),
}

impl Topic {
    /// The topic of a row.
    pub(crate) fn of(id: DeliveryId, notification: &Notification) -> Topic {
        match &notification.about {
            About::Group(group) => Topic::Group(*group),
            About::Notice(_) => Topic::Notice(id),
            About::Digest(digest) => Topic::Digest(*digest),
        }
    }

    /// The group, if it is one.
    pub(crate) fn group(self) -> Option<GroupId> {
        match self {
            Topic::Group(group) => Some(group),
            Topic::Notice(_) | Topic::Digest(_) => None,
        }
    }

    /// The digest, if it is one.
    pub(crate) fn digest(self) -> Option<DigestId> {
        match self {
            Topic::Digest(digest) => Some(digest),
            Topic::Group(_) | Topic::Notice(_) => None,
        }
    }
}
