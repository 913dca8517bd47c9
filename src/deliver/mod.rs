//! From the outbox to the chats: pacing, retry, one file a platform.
