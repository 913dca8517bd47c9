//! Why a callback is not let in, in words for its sender. None of them holds a secret.

use crate::model::CallbackOutcome;

/// Why a body was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not JSON, not an object, or `t`, `sign` or `event_type` can't be what they should be.
    #[error("{0}")]
    Malformed(String),
    /// `t` or `sign` is absent although it must be there.
    #[error(
        "the callback is not signed (t or sign is absent): set the callback key of the callback template in the \
         Tencent Cloud console, and the same key under tencent.keys in rules.yaml"
    )]
    Unsigned,
    /// `sign` fits no key.
    #[error("sign fits none of the callback keys")]
    BadSignature,
    /// `t` is further in the past than the skew allows.
    #[error("expired: t is {0} s in the past")]
    Past(u64),
    /// `t` is further ahead than any signature of the cloud's lasts.
    #[error("t is {0} s ahead, longer than a signature may last")]
    Ahead(u64),
}

impl Refusal {
    /// The outcome it is counted under.
    #[must_use]
    pub fn outcome(&self) -> CallbackOutcome {
        match self {
            Refusal::Malformed(_) => CallbackOutcome::Malformed,
            Refusal::Unsigned => CallbackOutcome::Unsigned,
            Refusal::BadSignature => CallbackOutcome::BadSignature,
            Refusal::Past(_) | Refusal::Ahead(_) => CallbackOutcome::Expired,
        }
    }
}
