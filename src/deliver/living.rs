//! The messages that stand in the chat, by group. Pure; bounded in the groups that are over.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::call::Spot;
use crate::model::{ChannelName, Folded, GroupId, Message, Timestamp};

/// Messages of closed groups that are kept, for a trouble that comes back within its rule's `reopen_within`.
const MOST_CLOSED: usize = 10_000;

/// Where the group of a message is, as far as a channel has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Life {
    /// It may be told more: its message is wanted.
    #[default]
    Open,
    /// It is over and told, at this place among all that closed.
    Over(u64),
    /// Nobody has looked: its message was loaded at start, or its rows ended without a look at the group.
    Doubtful,
}

/// What is known of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The chat's id; none where it gives none, or since the message is gone.
    pub(crate) platform_id: Option<Box<str>>,
    /// Where it stands, if the chat says so.
    pub(crate) place: Option<Box<str>>,
    /// The revision it shows.
    pub(crate) revision: u64,
    /// When people last heard by a group's message; when a digest was first posted.
    pub(crate) posted_at: Timestamp,
    /// The channels whose incidents it tells besides its own channel's.
    pub(crate) stands_in: Box<[ChannelName]>,
    /// When its text was last sent, as far as is known since the start.
    pub(crate) edited_at: Option<Timestamp>,
    /// It was deleted and posted anew for an edit; that is done once.
    pub(crate) reposted: bool,
    /// Whether its group may be forgotten.
    pub(crate) life: Life,
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
    pub(crate) fn message(&self, channel: &ChannelName, group: GroupId, folded: Option<Folded>) -> Message {
        Message {
            channel: channel.clone(),
            group,
            platform_id: self.platform_id.as_deref().map(str::to_owned),
            place: self.place.as_deref().map(str::to_owned),
            revision: self.revision,
            posted_at: self.posted_at,
            stands_in: self.stands_in.to_vec(),
            folded,
        }
    }
}

/// All of a channel's.
#[derive(Debug, Default)]
pub(crate) struct Living {
    known: HashMap<GroupId, Known, foldhash::fast::RandomState>,
    /// In the order in which they closed; one that came back since is no longer at its place.
    closed: VecDeque<(u64, GroupId)>,
    closings: u64,
    /// Those whose life is doubtful.
    doubtful: BTreeSet<GroupId>,
}

impl Living {
    /// As loaded. A group that has a place in a digest and no message that could be edited is told by the digest.
    pub(crate) fn new(messages: Vec<Message>) -> Living {
        let own = messages.into_iter().filter(|message| message.folded.is_none() || message.platform_id.is_some());
        let known = own.map(|message| {
            let known = Known {
                platform_id: message.platform_id.map(String::into_boxed_str),
                place: message.place.map(String::into_boxed_str),
                revision: message.revision,
                posted_at: message.posted_at,
                stands_in: message.stands_in.into(),
                edited_at: None,
                reposted: false,
                life: Life::Doubtful,
            };
            (message.group, known)
        });
        let known: HashMap<_, _, _> = known.collect();
        let doubtful = known.keys().copied().collect();
        Living { known, closed: VecDeque::new(), closings: 0, doubtful }
    }

    /// When people last heard by any of them.
    pub(crate) fn posted_at(&self) -> Timestamp {
        self.known.values().map(|known| known.posted_at).max().unwrap_or_default()
    }

    /// What stands for a group.
    pub(crate) fn get(&self, group: GroupId) -> Option<&Known> {
        self.known.get(&group)
    }

    /// Sets what stands for a group.
    pub(crate) fn set(&mut self, group: GroupId, known: Known) {
        self.known.insert(group, known);
    }

    /// The rows of a group have ended, and it is open still.
    pub(crate) fn stay(&mut self, group: GroupId) {
        self.live(group, Life::Open);
    }

    /// The rows of a group have ended, and nobody looked whether it is over.
    pub(crate) fn doubt(&mut self, group: GroupId) {
        self.live(group, Life::Doubtful);
    }

    /// The group is over and told; the oldest of such are forgotten, unless they are `wanted` or came back.
    pub(crate) fn close(&mut self, group: GroupId, wanted: impl Fn(GroupId) -> bool) {
        if self.known.get(&group).is_none_or(|known| matches!(known.life, Life::Over(_))) {
            return;
        }
        self.closings += 1;
        self.live(group, Life::Over(self.closings));
        self.closed.push_back((self.closings, group));
        if self.closed.len() > MOST_CLOSED
            && let Some((place, oldest)) = self.closed.pop_front()
            && self.known.get(&oldest).is_some_and(|known| known.life == Life::Over(place))
        {
            match wanted(oldest) {
                true => self.live(oldest, Life::Open),
                false => drop(self.known.remove(&oldest)),
            }
        }
    }

    /// Some of the doubtful groups, to be looked up; none while few messages are known.
    pub(crate) fn doubtful(&self, most: usize) -> Vec<GroupId> {
        match self.known.len() > MOST_CLOSED {
            true => self.doubtful.iter().take(most).copied().collect(),
            false => Vec::new(),
        }
    }

    fn live(&mut self, group: GroupId, life: Life) {
        let Some(known) = self.known.get_mut(&group) else { return };
        known.life = life;
        match life {
            Life::Doubtful => self.doubtful.insert(group),
            Life::Open | Life::Over(_) => self.doubtful.remove(&group),
        };
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
        assert!(living.closed.iter().all(|(_, group)| *group != GroupId(77_777)));
    }

    /// As many closings as it takes to forget all that closed before.
    fn close_many(living: &mut Living) {
        for id in 0..=MOST_CLOSED as u64 {
            living.set(GroupId(id), known("1", None));
            living.close(GroupId(id), |_| false);
        }
    }

    #[test]
    fn a_group_that_came_back_is_not_forgotten_while_it_is_open() {
        let (mut living, back, over) = (Living::default(), GroupId(999_999), GroupId(999_998));
        for group in [back, over] {
            living.set(group, known("1", None));
            living.close(group, |_| false);
        }
        living.stay(back);
        close_many(&mut living);
        assert!(living.get(back).is_some() && living.get(over).is_none());
        living.close(back, |_| false);
        close_many(&mut living);
        assert!(living.get(back).is_none());
    }

    #[test]
    fn a_group_that_closes_again_is_as_young_as_its_last_closing() {
        let (mut living, back) = (Living::default(), GroupId(999_999));
        living.set(back, known("1", None));
        living.close(back, |_| false);
        living.stay(back);
        for id in 0..MOST_CLOSED as u64 - 1 {
            living.set(GroupId(id), known("1", None));
            living.close(GroupId(id), |_| false);
        }
        living.close(back, |_| false);
        assert!(living.get(back).is_some());
    }

    #[test]
    fn doubtful_groups_are_looked_up_once_there_are_many_messages() {
        let message = |id: u64| known("1", None).message(&ChannelName::new("ops"), GroupId(id), None);
        let few = Living::new((0..10).map(message).collect());
        assert!(few.doubtful(9).is_empty());

        let most = MOST_CLOSED as u64;
        let mut many = Living::new((0..=most).map(message).collect());
        assert_eq!(many.doubtful(3), [0, 1, 2].map(GroupId));
        many.close(GroupId(0), |_| false);
        many.stay(GroupId(1));
        many.doubt(GroupId(0));
        assert_eq!(many.doubtful(2), [0, 2].map(GroupId));
        for id in (0..=most).filter(|id| *id != 1) {
            many.close(GroupId(id), |_| false);
        }
        assert!(many.get(GroupId(1)).is_some() && many.doubtful.is_empty());
        many.close(GroupId(1), |_| false);
        assert!(many.known.len() <= MOST_CLOSED);
    }
}
