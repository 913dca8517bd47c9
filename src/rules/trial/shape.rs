//! The keys of a test file, section by section.

use crate::rules::shape::{Shape, plain as word};

/// The file's top.
pub(super) const TOP: Shape = Shape { what: "a test file", words: &[word("rules"), word("tests")] };

/// A test.
pub(super) const TEST: Shape =
    Shape { what: "a test", words: &[word("name"), word("start"), word("given"), word("expect"), word("until")] };

/// When a `given` line happens.
pub(super) const WHEN: [&str; 4] = ["at", "received", "every", "times"];

/// Of whom a callback is, and how it came.
pub(super) const SENDER: [&str; 6] = ["stream", "session", "user_ip", "appid", "node", "report_interval"];

/// What a `given` line may be besides a callback.
pub(super) const DEEDS: [&str; 3] = ["mute", "unmute", "ack"];

/// One entry of a `push_error`.
pub(super) const ENTRY: Shape =
    Shape { what: "an entry of `push_error`", words: &[word("type"), word("count"), word("value"), word("values")] };

/// A callback that is no push error.
pub(super) const BODY: Shape =
    Shape { what: "this callback", words: &[word("errcode"), word("errmsg"), word("push_duration")] };

/// A mute.
pub(super) const MUTE: Shape =
    Shape { what: "`mute`", words: &[word("matchers"), word("duration"), word("reason"), word("author")] };

/// An acknowledgement.
pub(super) const ACK: Shape = Shape { what: "`ack`", words: &[word("rule"), word("stream"), word("key"), word("by")] };

/// An `expect` line.
pub(super) const EXPECT: Shape = Shape {
    what: "an `expect` line",
    words: &[
        word("at"),
        word("rule"),
        word("is"),
        word("severity"),
        word("stream"),
        word("key"),
        word("notify"),
        word("cause"),
        word("every"),
        word("times"),
    ],
};
