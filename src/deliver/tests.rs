//! The worker against a store in memory and chats on loopback.
