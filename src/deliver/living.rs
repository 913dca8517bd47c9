//! The messages that stand in the chat, by group. Pure; bounded in the groups that are over.

use std::collections::{HashMap, VecDeque};

use super::call::Spot;
use crate::model::{ChannelName, GroupId, Message, Timestamp};

/// Messages of closed groups that are kept, for a trouble that comes back within its rule's `reopen_within`.
const MOST_CLOSED: usize = 10_000;

/// What is known of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The chat's id; none where it gives none, or since the message is gone.
    pub(crate) platform_id: Option<Box<str>>,
    /// Where it stands, if the chat says so.
    pub(crate) place: Option<Box<str>>,
    /// The revision it shows.
    pub(crate) revision: u64,
    /// When it was first posted.
    pub(crate) posted_at: Timestamp,
    /// It was deleted and posted anew for an edit; that is done once.
    pub(crate) reposted: bool,
}

impl Known {
    /// Where to find it in a chat whose own place is `home`, if it still stands there: a message does not move
    /// with a Telegram group that became a supergroup.
    pub(crate) fn spot(&self, home: Option<&str>) -> Option<Spot> {
        let id = self.platform_id.as_deref()?.to_owned();
        match (home, self.place.as_deref()) {
            (Some(home), Some(place)) if home != place => None,
            (_, place) => Some(Spot { id, place: place.map(str::to_owned) }),
        }
    }

    /// As the store keeps it.
    pub(crate) fn message(&self, channel: &ChannelName, group: GroupId) -> Message {
        Message {
            channel: channel.clone(),
            group,
            platform_id: self.platform_id.as_deref().map(str::to_owned),
            place: self.place.as_deref().map(str::to_owned),
            revision: self.revision,
            posted_at: self.posted_at,
        }
    }
}

/// All of a channel's.
#[derive(Debug, Default)]
pub(crate) struct Living {
    known: HashMap<GroupId, Known, foldhash::fast::RandomState>,
    closed: VecDeque<GroupId>,
}

impl Living {
    /// As loaded.
    pub(crate) fn new(messages: Vec<Message>) -> Living {
        let known = messages.into_iter().map(|message| {
            let known = Known {
                platform_id: message.platform_id.map(String::into_boxed_str),
                place: message.place.map(String::into_boxed_str),
                revision: message.revision,
                posted_at: message.posted_at,
                reposted: false,
            };
            (message.group, known)
        });
        Living { known: known.collect(), closed: VecDeque::new() }
    }

    /// What stands for a group.
    pub(crate) fn get(&self, group: GroupId) -> Option<&Known> {
        self.known.get(&group)
    }

    /// Sets what stands for a group.
    pub(crate) fn set(&mut self, group: GroupId, known: Known) {
        self.known.insert(group, known);
    }

    /// The group is over and told; the oldest of such are forgotten, unless `wanted` says no.
    pub(crate) fn close(&mut self, group: GroupId, wanted: impl Fn(GroupId) -> bool) {
        if !self.known.contains_key(&group) {
            return;
        }
        self.closed.push_back(group);
        if self.closed.len() > MOST_CLOSED
            && let Some(oldest) = self.closed.pop_front()
            && !wanted(oldest)
            && !self.closed.contains(&oldest)
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(platform_id: &str, place: Option<&str>) -> Known {
        Known { platform_id: Some(platform_id.into()), place: place.map(Into::into), ..Known::default() }
    }

    #[test]
    fn a_message_that_stands_in_another_chat_is_not_there() {
        assert!(known("1", Some("-100")).spot(Some("-100")).is_some());
        assert!(known("1", Some("-100")).spot(Some("-1003")).is_none());
        assert!(known("1", None).spot(Some("-1003")).is_some());
        assert_eq!(known("1.2", Some("C1")).spot(None).unwrap().place.as_deref(), Some("C1"));
        assert!(Known::default().spot(None).is_none());
    }

    #[test]
    fn closed_groups_are_forgotten_oldest_first_but_not_while_they_are_wanted() {
        let mut living = Living::default();
        for id in 0..=(MOST_CLOSED as u64 + 1) {
            living.set(GroupId(id), known("1", None));
            living.close(GroupId(id), |group| group == GroupId(0));
        }
        assert!(living.get(GroupId(0)).is_some());
        assert!(living.get(GroupId(1)).is_none());
        assert!(living.get(GroupId(2)).is_some());
        living.close(GroupId(77_777), |_| false);
        assert!(!living.closed.contains(&GroupId(77_777)));
    }
}
