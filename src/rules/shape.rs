//! The keys of rules.yaml, section by section: what may be written where, what editors say of it, and what this version
//! has yet to learn. The reader and the JSON Schema go by the same tables.

mod channel;
pub(super) use channel::{CHANNEL, CHANNEL_TYPES, TENCENT};

mod rule;
pub(super) use rule::{DEFAULTS, LEVELS, MAX_COUNT, MAX_DISTINCT, NOT, RATE_LIMIT, RULE, THRESHOLD, WHERE};

mod top;
pub(super) use top::{INTERVAL, MUTE, OVERRIDE, ROUTE, TOP};

/// One legal key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    /// As it is written.
    pub(super) name: &'static str,
    /// What may stand behind it.
    pub(super) value: Value,
    /// Whether its section is a mistake without it.
    pub(super) needed: bool,
    /// What editors say of it, in a sentence or two.
    pub(super) doc: &'static str,
}

/// What may stand behind a key. Wherever a single value may stand, a reference to the environment may too.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    /// Any single value.
    Text,
    /// A single value, or the file that it stands in.
    Secret,
    /// `true` or `false`.
    Boolean,
    /// A whole number from the first to the second.
    Integer(i64, i64),
    /// `90s`, `10m`, `1d12h`.
    Duration,
    /// A number of bytes, `256KiB`.
    Size,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A kind of callback, by name or number.
    Event,
    /// An abnormal type, by name or number.
    AbnormalType,
    /// One of the scopes of `per`.
    Scope,
    /// A list of single values; one alone may stand by itself.
    List(&'static Value),
    /// A mapping with the keys of a section.
    Section(&'static Shape),
    /// A list of such mappings.
    Rows(&'static Shape),
    /// A mapping from names of the operator's own.
    Named(&'static Value),
    /// Either.
    Either(&'static Value, &'static Value),
    /// A condition of `where`.
    Condition,
    /// A channel: its keys go by its `type`.
    Channel,
}

/// The keys of one section.
#[derive(Debug)]
pub(super) struct Shape {
    /// What people call the section: "a rule".
    pub(super) what: &'static str,
    /// Its keys.
    pub(super) words: &'static [Word],
}

/// Labels that every incident has, so that no rule may give them.
pub(super) const BUILT_IN_LABELS: [&str; 8] =
    ["stream", "domain", "path", "session", "appid", "user_ip", "rule", "severity"];

const fn now(name: &'static str, value: Value, doc: &'static str) -> Word {
    Word { name, value, needed: false, doc }
}

const fn need(name: &'static str, value: Value, doc: &'static str) -> Word {
    Word { name, value, needed: true, doc }
}

const SEVERITY: Value = Value::OneOf(&["info", "warning", "critical"]);

/// Keys whose values are never shown.
const SECRETS: [&str; 12] = [
    "token",
    "key",
    "keys",
    "webhook_url",
    "url",
    "path_secret",
    "secret",
    "signing_secret",
    "webhook_secret",
    "headers",
    "callback_token",
    "encoding_aes_key",
];

/// Keys of secret-bearing sections whose values may be shown.
const HARMLESS: [&str; 21] = [
    "type",
    "channel",
    "chat_id",
    "thread_id",
    "language",
    "min_severity",
    "fallback",
    "timezone",
    "allow",
    "public_url",
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

/// Whether the top of the file has this key.
pub(super) fn is_top(key: &str) -> bool {
    TOP.words.iter().any(|word| word.name == key)
}

/// Whether any section has this key.
pub(super) fn is_known(key: &str) -> bool {
    every().any(|word| word.name == key)
}

/// Every section but the channels', with what the JSON Schema calls it.
pub(super) fn sections() -> [(&'static str, &'static Shape); 13] {
    [
        ("top", &TOP),
        ("tencent", &TENCENT),
        ("defaults", &DEFAULTS),
        ("rule", &RULE),
        ("threshold", &THRESHOLD),
        ("levels", &LEVELS),
        ("rate_limit", &RATE_LIMIT),
        ("where", &WHERE),
        ("not", &NOT),
        ("route", &ROUTE),
        ("time_interval", &INTERVAL),
        ("mute", &MUTE),
        ("catalogue_entry", &OVERRIDE),
    ]
}

fn every() -> impl Iterator<Item = &'static Word> {
    let listed = sections().into_iter().map(|(_, shape)| shape.words);
    listed.chain(CHANNEL_TYPES.into_iter().map(|(_, words)| words)).chain([CHANNEL]).flatten()
}

/// Every key that this version understands.
#[cfg(test)]
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    every().map(|word| word.name)
}
