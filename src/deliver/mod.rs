//! From the outbox to the chats: pacing, retry, one file a platform.
//!
//! [`run`] is one channel's worker. A row's way: `queue` (who is next) → `fold` (by itself, later, or with others) → `plan`
//! (which call) → `budget` (may it go now) → a commit that says it begins → `wording` → `platform` and its file →
//! `verdict` → `desk` (what that makes of the row) → a commit that says how it ended.
//!
//! Many posts that are due at once are folded: a commit ends their rows as `folded`, makes their groups members of a
//! digest (`digests`), and owes a row for the digest itself, which then goes the same way. Later rows of members are
//! absorbed by the digest, which is owed an edit, a note or its end.

mod assignment;
pub use assignment::Assignment;

mod worker;
pub use worker::run;

mod retire;
pub use retire::retire;

mod desk;
mod flight;
mod fold;
mod plan;
mod report;
mod wording;

mod digests;
mod feed;
mod living;
mod queue;
mod stand_in;
mod topic;

mod orders;
pub use orders::{NotRetried, Order, Tested};

mod advice;
mod trial;
pub use trial::try_once;

mod dead;
mod park;
mod parking;
mod pass_on;
pub use parking::Parking;

mod health;
mod home;
pub mod retry;

mod budget;
mod lanes;
pub use budget::Budgets;

mod answers;
pub use answers::Answers;

mod verdict;
pub use verdict::Verdict;

mod call;
mod platform;
pub use platform::answer_member;
mod wire;

mod console;
mod slack;
mod telegram;
mod webhook;
mod wecom;
mod wecom_app;
pub use wecom_app::Tokens;

pub use console::Console;

use std::sync::Arc;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::Catalogue;
use crate::render::Renderer;
use crate::store::{Reader, Store};

/// What all workers share.
pub struct Context {
    /// Where rows come from and outcomes go.
    pub store: Arc<dyn Store>,
    /// Where groups are read.
    pub reader: Arc<dyn Reader>,
    /// Finds the words.
    pub renderer: Arc<Renderer>,
    /// What to say about troubles.
    pub catalogue: Arc<Catalogue>,
    /// Tells the time.
    pub clock: Arc<Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Makes the calls; see [`http_client`].
    pub http: reqwest::Client,
    /// Where console channels print.
    pub console: Console,
    /// One for the process, over reloads too: channels of one robot share a budget.
    pub budgets: Arc<Budgets>,
    /// One for the process, over reloads too: channels of one WeCom app share its access token.
    pub wecom_tokens: Arc<Tokens>,
    /// One for the process, over reloads too: who looks after it sees which channels are parked.
    pub parking: Arc<Parking>,
}

/// The client for all channels: bounded in time, and following no redirect, for that could carry a secret elsewhere.
///
/// # Panics
/// If no TLS provider was installed, or the system's certificates can't be read: nothing could be told then.
#[must_use]
pub fn http_client() -> reqwest::Client {
    let client = reqwest::Client::builder()
        .connect_timeout(call::CONNECT)
        .timeout(call::WHOLE)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("pushwatch/", env!("CARGO_PKG_VERSION")))
        .build();
    #[expect(clippy::expect_used, reason = "called once at start; without a client there is no delivery at all")]
    client.expect("a TLS provider is installed and the system's certificates can be read")
}

#[cfg(test)]
mod fake;
#[cfg(test)]
pub(crate) mod fake_chat;
#[cfg(test)]
mod tests;
