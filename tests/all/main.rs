//! One binary for all integration tests, so that they link once.

#![expect(clippy::unwrap_used, reason = "a test that can not go on shall fail")]

mod bot;
mod crash;
mod house;
mod whole;
