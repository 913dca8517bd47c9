//! The bot in this process, its files changed under it.
