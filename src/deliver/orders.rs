//! What operators order of a channel's worker, and the answers.

use serde::Serialize;
use tokio::sync::oneshot;

use crate::model::{ChannelKind, DeliveryId, DeliveryState};

use super::advice;
use super::verdict::Verdict;

/// Where an answer goes; whoever asked may have gone.
pub(crate) type Answer<T> = oneshot::Sender<T>;

/// An order.
#[derive(Debug)]
pub enum Order {
    /// Send one real message now, whatever else waits, and say what came of it.
    Test(Answer<Tested>),
    /// Take one row up again that was given up.
    Retry(DeliveryId, Answer<Result<u64, NotRetried>>),
    /// Take up again all that was given up.
    RetryAll(Answer<Result<u64, NotRetried>>),
}

/// What a test message came to, in words for people. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tested {
    /// The chat took it.
    pub sent: bool,
    /// Which kind of answer it was: `sent`, `sent_plain`, `rate_limited`, `retry`, `unknown`, `unrecognised`,
    /// `message_refused`, `channel_refused`, `migrated` or `gone`.
    pub answer: &'static str,
    /// What the platform said.
    pub said: String,
    /// What to do.
    pub advice: String,
}

impl Tested {
    /// What a call's verdict means for whoever asked.
    #[must_use]
    pub fn of(kind: ChannelKind, verdict: &Verdict, plain: bool) -> Tested {
        let (answer, advice) = advice::on(kind, verdict, plain);
        let sent = matches!(verdict, Verdict::Sent { .. } | Verdict::NotModified);
        let said = match (verdict.why(), sent) {
            (Some(why), _) => why,
            (None, true) => "yes".to_owned(),
            (None, false) => "nothing".to_owned(),
        };
        Tested { sent, answer, said, advice }
    }
}

/// Why a row was not taken up again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRetried {
    /// No such row in this channel.
    #[error("there is no such delivery: it was never there, or is too old to be kept")]
    Unknown,
    /// It was not given up.
    #[error("only what was given up can be sent again; this delivery is {}", .0.as_str())]
    NotDead(DeliveryState),
    /// The store said no.
    #[error("the outbox can't be read or written just now: {0}")]
    Store(String),
}
