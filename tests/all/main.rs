//! One binary for all integration tests, so that they link once.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can not go on shall fail")]
#![expect(clippy::disallowed_methods, reason = "these tests stand outside: they have clocks and an environment")]

mod bot;
mod commands;
mod crash;
mod deliveries;
mod docs;
mod hostile;
mod house;
mod proof;
mod reload;
mod rules;
mod slack;
mod storm;
mod telegram;
mod wecom;
mod whole;
