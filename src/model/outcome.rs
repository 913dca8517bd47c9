//! The named ends of things: every callback, rule evaluation and notification has exactly one.

use serde::{Deserialize, Serialize};

macro_rules! named {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$doc])* $variant),+
        }

        impl $name {
            /// Every outcome, so that metrics can show them all from the start.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// The label in metrics and the word in answers.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
        }
    };
}

named! {
    /// What became of a request at the callback door.
    CallbackOutcome {
        /// Kept.
        Accepted = "accepted",
        /// Kept before; answered 200, does nothing.
        Duplicate = "duplicate",
        /// Verified and kept, but a field could not be read.
        Unreadable = "unreadable",
        /// The caller is outside `tencent.sources`.
        Foreign = "foreign",
        /// Larger than `max_body`.
        Oversized = "oversized",
        /// The body did not arrive in time.
        Slow = "slow",
        /// Not JSON, not an object, or an envelope field of an impossible type.
        Malformed = "malformed",
        /// No `t` or `sign` although keys are set.
        Unsigned = "unsigned",
        /// `sign` fits no key.
        BadSignature = "bad_signature",
        /// `t` too old or too far ahead.
        Expired = "expired",
        /// Could not be committed: answered 503, the cloud will repeat it.
        Overloaded = "overloaded",
    }
}

named! {
    /// What became of what somebody typed or clicked in a chat.
    ChatOutcome {
        /// Followed.
        Done = "done",
        /// Asked back.
        Asked = "asked",
        /// Understood and not followed, or not understood.
        Refused = "refused",
        /// It could not be done.
        Failed = "failed",
        /// The author may not command there.
        Forbidden = "forbidden",
        /// Too many at once.
        Flooded = "flooded",
        /// Not signed by the platform, too old, or brought before.
        Forged = "forged",
        /// From a chat that is none of ours, or nothing for us.
        Ignored = "ignored",
    }
}

named! {
    /// What a rule made of an event that it listens to.
    RuleOutcome {
        /// A condition of the rule does not hold.
        NoMatch = "no_match",
        /// Counted; the threshold is not met.
        Counted = "counted",
        /// Older than what is known of the stream: counted only.
        Late = "late",
        /// Of a session that has ended: opens nothing.
        EndedSession = "ended_session",
        /// The push ended, but another session of the stream is live.
        OtherSessionLive = "other_session_live",
        /// The rule's `grace` has begun.
        Pending = "pending",
        /// An incident opened.
        Opened = "opened",
        /// An incident came back within `reopen_within`.
        Reopened = "reopened",
        /// An incident grew worse.
        Escalated = "escalated",
        /// An open incident goes on.
        Prolonged = "prolonged",
        /// A condition of the rule asks for something that the callback does not carry.
        Missing = "missing",
        /// The threshold is met outside the rule's `active` times.
        Inactive = "inactive",
        /// A push came back within the rule's `grace`.
        Reconnected = "reconnected",
        /// A rule on silence heard what it waits for.
        Heard = "heard",
    }
}

named! {
    /// What became of a notification.
    DeliveryOutcome {
        /// The chat said so.
        Sent = "sent",
        /// Told by the call made for another row of the same message.
        Coalesced = "coalesced",
        /// Nothing to do: the message shows it already, or there is none to edit.
        Void = "void",
        /// The chat refused the rich text; the plain one was accepted.
        SentPlain = "sent_plain",
        /// Given up after a day of attempts or a refusal for good.
        Dead = "dead",
        /// Told as part of a digest, which has rows of its own.
        Folded = "folded",
        /// The channel is no longer in `rules.yaml`.
        ChannelRemoved = "channel_removed",
        /// It was given up; then an operator had it sent anew, as another row.
        Retried = "retried",
    }
}
