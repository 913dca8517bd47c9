//! The keys of rules.yaml, section by section: what may be written where, and what this version has yet to learn.

/// One legal key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// As it is written.
    pub(super) name: &'static str,
    /// Whether this version understands it.
    pub(super) since: Since,
}

/// From when on a key is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// Understood.
    Now,
    /// Promised by the documentation, not understood yet: to accept and ignore it would be a lie.
    Later,
}

/// The keys of one section.
#[derive(Debug)]
pub(super) struct Shape {
    /// What people call the section: "a rule".
    pub(super) what: &'static str,
    /// Its keys.
    pub(super) words: &'static [Word],
}

const fn now(name: &'static str) -> Word {
    Word { name, since: Since::Now }
}

const fn later(name: &'static str) -> Word {
    Word { name, since: Since::Later }
}

/// The file's top.
pub(super) const TOP: Shape = Shape {
    what: "the top of the file",
    words: &[
        now("version"),
        now("tencent"),
        now("channels"),
        now("defaults"),
        now("rules"),
        now("catalogue"),
        now("timezone"),
        later("routes"),
        later("time_intervals"),
        later("mutes"),
    ],
};

/// The callback door.
pub(super) const TENCENT: Shape = Shape {
    what: "`tencent`",
    words: &[
        now("keys"),
        now("path_secret"),
        now("allow_unsigned"),
        now("unsigned_events"),
        now("clock_skew"),
        now("max_validity"),
        now("max_body"),
        now("sources"),
        now("trusted_proxies"),
    ],
};

/// Keys of every channel.
pub(super) const CHANNEL: &[Word] =
    &[now("type"), now("language"), now("min_severity"), now("fallback"), now("timezone"), later("allow")];

/// Keys that only channels of one type have, by `type`.
pub(super) const CHANNEL_TYPES: [(&str, &[Word]); 5] = [
    ("slack", &[now("token"), now("channel"), now("webhook_url"), now("api_url"), later("signing_secret")]),
    (
        "wecom",
        &[
            now("key"),
            now("api_url"),
            later("corp_id"),
            later("agent_id"),
            later("secret"),
            later("to"),
            later("callback_token"),
            later("encoding_aes_key"),
        ],
    ),
    ("telegram", &[now("token"), now("chat_id"), now("thread_id"), now("api_url")]),
    ("webhook", &[now("url"), now("headers"), later("template")]),
    ("console", &[]),
];

/// What rules fall back on.
pub(super) const DEFAULTS: Shape = Shape {
    what: "`defaults`",
    words: &[
        now("notify"),
        now("severity"),
        now("resolve_after"),
        now("keep_firing_for"),
        now("reopen_within"),
        now("repeat_interval"),
        now("rate_limit"),
        later("group_by"),
        later("for"),
        later("grace"),
        later("active"),
        later("labels"),
        later("annotations"),
    ],
};

/// A rule.
pub(super) const RULE: Shape = Shape {
    what: "a rule",
    words: &[
        now("name"),
        now("on"),
        now("types"),
        now("where"),
        now("per"),
        now("threshold"),
        now("grace"),
        now("severity"),
        now("resolve_after"),
        now("keep_firing_for"),
        now("reopen_within"),
        now("repeat_interval"),
        now("rate_limit"),
        now("notify"),
        now("enabled"),
        later("for"),
        later("labels"),
        later("annotations"),
        later("group_by"),
        later("inhibits"),
        later("active"),
        later("of"),
        later("within"),
    ],
};

/// A rule's `threshold`.
pub(super) const THRESHOLD: Shape =
    Shape { what: "`threshold`", words: &[now("count"), now("within"), later("reports"), later("distinct")] };

/// A severity map.
pub(super) const LEVELS: Shape =
    Shape { what: "a `severity` map", words: &[now("info"), now("warning"), now("critical")] };

/// A token bucket.
pub(super) const RATE_LIMIT: Shape = Shape { what: "`rate_limit`", words: &[now("burst"), now("every")] };

/// A rule's conditions.
pub(super) const WHERE: Shape = Shape {
    what: "`where`",
    words: &[
        now("value"),
        now("count"),
        now("type"),
        now("errcode"),
        now("stream"),
        now("domain"),
        now("path"),
        now("session"),
        now("appid"),
        now("user_ip"),
        now("node"),
        now("push_duration"),
        now("any"),
        now("hour"),
        now("weekday"),
    ],
};

/// A negated condition.
pub(super) const NOT: Shape = Shape { what: "a negated condition", words: &[now("not")] };

/// An operator's own words for one abnormal type.
pub(super) const OVERRIDE: Shape = Shape {
    what: "a `catalogue` entry",
    words: &[now("name"), now("viewers"), now("cause"), now("fix"), now("severity")],
};

/// The scopes of `per`.
pub(super) const SCOPES: &[Word] =
    &[now("stream"), later("session"), later("domain"), later("app"), later("user_ip"), later("all")];

/// Keys whose values are never shown.
const SECRETS: [&str; 11] = [
    "token",
    "key",
    "keys",
    "webhook_url",
    "url",
    "path_secret",
    "secret",
    "signing_secret",
    "headers",
    "callback_token",
    "encoding_aes_key",
];

/// Keys of secret-bearing sections whose values may be shown.
const HARMLESS: [&str; 20] = [
    "type",
    "channel",
    "chat_id",
    "thread_id",
    "language",
    "min_severity",
    "fallback",
    "timezone",
    "allow",
    "corp_id",
    "agent_id",
    "to",
    "template",
    "allow_unsigned",
    "unsigned_events",
    "clock_skew",
    "max_validity",
    "max_body",
    "sources",
    "trusted_proxies",
];

/// Whether the values of a key are secrets.
pub(super) fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key)
}

/// Whether the values of a key of `tencent` or of a channel may be shown.
pub(super) fn is_harmless(key: &str) -> bool {
    HARMLESS.contains(&key)
}

/// Whether the top of the file has this key, now or later.
pub(super) fn is_top(key: &str) -> bool {
    TOP.words.iter().any(|word| word.name == key)
}

/// Whether any section has this key.
pub(super) fn is_known(key: &str) -> bool {
    every().any(|word| word.name == key)
}

fn every() -> impl Iterator<Item = &'static Word> {
    const SECTIONS: [&Shape; 10] =
        [&TOP, &TENCENT, &DEFAULTS, &RULE, &THRESHOLD, &LEVELS, &RATE_LIMIT, &WHERE, &NOT, &OVERRIDE];
    let listed = SECTIONS.into_iter().map(|shape| shape.words);
    listed.chain(CHANNEL_TYPES.into_iter().map(|(_, words)| words)).chain([CHANNEL]).flatten()
}

/// Every key that this version understands.
#[cfg(test)]
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    every().filter(|word| word.since == Since::Now).map(|word| word.name)
}
