//! Where a Telegram channel's chat is now: a group that became a supergroup has a new id, followed for good.

use super::verdict::Verdict;
use crate::model::{Channel, Target};
use crate::store::{Store, StoreError};

/// Table of chats that got a new id: old id to new id.
const CHATS: &str = "telegram_chats";

/// Chats move once; a chain of moves is a chat that has lost its mind.
const MOST_MOVES: u32 = 4;

/// The chat's id, as far as it can change.
#[derive(Debug, Default)]
pub(crate) struct Home {
    chat: Option<i64>,
    moves: u32,
}

impl Home {
    /// Finds out whether the chat has moved since the rules were written.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn find(channel: &Channel, store: &dyn Store) -> Result<Home, StoreError> {
        let Target::Telegram { chat_id, .. } = channel.target else {
            return Ok(Home::default());
        };
        let (chats, mut chat) = (store.table(CHATS), chat_id);
        for _ in 0..MOST_MOVES {
            match chats.get(&chat.to_string()).await?.and_then(|next| next.parse().ok()) {
                Some(next) => chat = next,
                None => break,
            }
        }
        Ok(Home { chat: Some(chat), moves: 0 })
    }

    /// The id now; `None` where chats don't move.
    pub(crate) fn chat(&self) -> Option<i64> {
        self.chat
    }

    /// A chat that moves in circles is a target that takes nothing.
    pub(crate) fn judge(&self, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Migrated { chat_id } if self.chat == Some(chat_id) || self.moves >= MOST_MOVES => {
                Verdict::PermanentTarget { why: format!("the chat moves in circles, last to {chat_id}") }
            }
            verdict => verdict,
        }
    }

    /// The chat has another id: used from here on, and kept.
    ///
    /// # Errors
    /// What the store says; the new id is used all the same.
    pub(crate) async fn move_to(&mut self, chat: i64, store: &dyn Store) -> Result<(), StoreError> {
        self.moves += 1;
        match self.chat.replace(chat) {
            Some(old) => note(store, old, chat).await,
            None => Ok(()),
        }
    }
}

/// Keeps that a chat has another id now.
///
/// # Errors
/// What the store says.
pub(crate) async fn note(store: &dyn Store, old: i64, new: i64) -> Result<(), StoreError> {
    store.table(CHATS).put(&old.to_string(), &new.to_string()).await
}
