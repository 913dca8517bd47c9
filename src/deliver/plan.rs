//! What a group's rows come to in a channel: nothing, or which call first. Pure.

use super::call::{Act, Spot};
use crate::model::Reason;

/// The decision, with its reason where it is no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Nothing to do.
    Void(&'static str),
    /// This call; another may follow it.
    Call(Act),
}

/// What stands in the chat for the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing was told yet.
    Untold,
    /// A message that can be edited.
    There {
        /// Which.
        spot: Spot,
        /// The revision it shows.
        revision: u64,
    },
    /// The message was deleted, or left behind when the chat moved.
    Lost {
        /// It was posted anew for an edit before: people do not want it.
        reposted: bool,
    },
}

/// What is to be told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// The strongest of the rows.
    pub(crate) reason: Reason,
    /// The group's revision now.
    pub(crate) revision: u64,
    /// The message was brought up to date for these rows already.
    pub(crate) edited: bool,
    /// Something fires still: the note is about growing worse, not about the end.
    pub(crate) firing: bool,
}

/// Decides where messages can be edited.
pub(crate) fn editable(wish: Wish, standing: Standing) -> Plan {
    match (wish.reason, standing) {
        (Reason::Edit, Standing::Untold) => Plan::Void("nothing was told yet"),
        (Reason::Edit, Standing::Lost { reposted: true }) => Plan::Void("the message was deleted, twice"),
        (_, Standing::Untold | Standing::Lost { .. }) => Plan::Call(Act::Post),
        (Reason::Edit, Standing::There { revision, .. }) if revision >= wish.revision => {
            Plan::Void("the message shows it already")
        }
        (Reason::Edit, Standing::There { spot, .. }) => Plan::Call(Act::Edit(spot)),
        (Reason::Reply | Reason::Post | Reason::Notice, Standing::There { spot, revision }) => {
            match wish.edited || revision >= wish.revision {
                false => Plan::Call(Act::Edit(spot)),
                true => Plan::Call(Act::Note { to: spot, broadcast: wish.firing }),
            }
        }
    }
}

/// Decides where they can't.
pub(crate) fn fixed(reason: Reason) -> Plan {
    match reason {
        Reason::Edit => Plan::Void("this chat can't edit"),
        Reason::Reply | Reason::Post | Reason::Notice => Plan::Call(Act::Post),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(reason: Reason) -> Wish {
        Wish { reason, revision: 5, edited: false, firing: true }
    }

    fn spot() -> Spot {
        Spot { id: "1".into(), place: None }
    }

    fn there(revision: u64) -> Standing {
        Standing::There { spot: spot(), revision }
    }

    #[test]
    fn a_first_word_is_a_post_and_an_edit_of_nothing_is_void() {
        for reason in [Reason::Reply, Reason::Post] {
            assert_eq!(editable(wish(reason), Standing::Untold), Plan::Call(Act::Post));
            assert_eq!(fixed(reason), Plan::Call(Act::Post));
        }
        assert!(matches!(editable(wish(Reason::Edit), Standing::Untold), Plan::Void(_)));
        assert!(matches!(fixed(Reason::Edit), Plan::Void(_)));
    }

    #[test]
    fn an_edit_edits_unless_the_message_shows_it() {
        assert_eq!(editable(wish(Reason::Edit), there(4)), Plan::Call(Act::Edit(spot())));
        assert!(matches!(editable(wish(Reason::Edit), there(5)), Plan::Void(_)));
    }

    #[test]
    fn a_reply_or_another_post_edits_first_and_then_notes() {
        let note = Plan::Call(Act::Note { to: spot(), broadcast: true });
        for reason in [Reason::Reply, Reason::Post] {
            assert_eq!(editable(wish(reason), there(4)), Plan::Call(Act::Edit(spot())));
            assert_eq!(editable(wish(reason), there(5)), note);
            // A group that changes faster than we edit still gets its note.
            assert_eq!(editable(Wish { edited: true, ..wish(reason) }, there(4)), note);
        }
        let over = Wish { firing: false, ..wish(Reason::Reply) };
        assert_eq!(editable(over, there(5)), Plan::Call(Act::Note { to: spot(), broadcast: false }));
    }

    #[test]
    fn a_lost_message_is_posted_anew_once_for_edits_and_always_for_news() {
        assert_eq!(editable(wish(Reason::Edit), Standing::Lost { reposted: false }), Plan::Call(Act::Post));
        assert!(matches!(editable(wish(Reason::Edit), Standing::Lost { reposted: true }), Plan::Void(_)));
        assert_eq!(editable(wish(Reason::Reply), Standing::Lost { reposted: true }), Plan::Call(Act::Post));
    }
}
