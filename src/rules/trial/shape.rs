//! The keys of a test file, section by section.

/// The keys of one section.
#[derive(Debug)]
pub(super) struct Section {
    /// What people call it: "a test".
    pub(super) what: &'static str,
    /// Its keys.
    pub(super) keys: &'static [&'static str],
}

/// The file's top.
pub(super) const TOP: Section = Section { what: "a test file", keys: &["rules", "tests"] };

/// A test.
pub(super) const TEST: Section = Section { what: "a test", keys: &["name", "start", "given", "expect", "until"] };

/// When a `given` line happens.
pub(super) const WHEN: [&str; 4] = ["at", "received", "every", "times"];

/// Of whom a callback is, and how it came.
pub(super) const SENDER: [&str; 6] = ["stream", "session", "user_ip", "appid", "node", "report_interval"];

/// What a `given` line may be besides a callback.
pub(super) const DEEDS: [&str; 3] = ["mute", "unmute", "ack"];

/// One entry of a `push_error`.
pub(super) const ENTRY: Section =
    Section { what: "an entry of `push_error`", keys: &["type", "count", "value", "values"] };

/// A callback that is no push error.
pub(super) const BODY: Section = Section { what: "this callback", keys: &["errcode", "errmsg", "push_duration"] };

/// A mute.
pub(super) const MUTE: Section = Section { what: "`mute`", keys: &["matchers", "duration", "reason", "author"] };

/// An acknowledgement.
pub(super) const ACK: Section = Section { what: "`ack`", keys: &["rule", "stream", "key", "by"] };

/// An `expect` line.
pub(super) const EXPECT: Section = Section {
    what: "an `expect` line",
    keys: &["at", "rule", "is", "severity", "stream", "key", "notify", "cause", "every", "times"],
};
