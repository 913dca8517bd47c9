//! The keys of a rule and of `defaults`.

use super::{SEVERITY, Shape, Value, Word, need, now};

/// Highest count of a threshold: far above what any window holds, small enough for every sum.
pub(in crate::rules) const MAX_COUNT: i64 = 1_000_000_000;

/// Most different values that a window tells apart.
pub(in crate::rules) const MAX_DISTINCT: u64 = 10_000;

const COUNT: Value = Value::Integer(1, MAX_COUNT);

const NOTIFY: Word = now(
    "notify",
    Value::List(&Value::Text),
    "Channels that hear of it. Without it, those of the first matching route, else of `defaults`.",
);
const RESOLVE_AFTER: Word = now(
    "resolve_after",
    Value::Duration,
    "It is over after this long without a report that counts, 1s to 1d. Built in: 90s.",
);
const KEEP_FIRING_FOR: Word = now("keep_firing_for", Value::Duration, "The same as `resolve_after`.");
const REOPEN_WITHIN: Word = now(
    "reopen_within",
    Value::Duration,
    "Back within this after its end, it is the same incident; 0s for never. Built in: 10m.",
);
const REPEAT_INTERVAL: Word =
    now("repeat_interval", Value::Duration, "How often people are reminded while it fires. Built in: 1h.");
const FOR: Word = now(
    "for",
    Value::Duration,
    "How long reports must go on meeting the threshold before it fires, up to 3d; 0s for not at all.",
);
const GRACE: Word =
    now("grace", Value::Duration, "How long to wait for a reconnect before it fires, up to 1d; 0s for not at all.");
const LABELS: Word = now(
    "labels",
    Value::Named(&Value::Text),
    "Own labels, for routes, mutes and `group_by`. Merged with those of `defaults`, the rule's own win.",
);
const ANNOTATIONS: Word = now(
    "annotations",
    Value::Named(&Value::Text),
    "Own words for the message. Merged with those of `defaults`, the rule's own win.",
);
const GROUP_BY: Word = now(
    "group_by",
    Value::List(&Value::Text),
    "Incidents with the same values of these labels share a message; [] is one message for all. Built in: [stream].",
);
const ACTIVE: Word = now(
    "active",
    Value::List(&Value::Text),
    "Names of `time_intervals`: outside of all of them it opens nothing; what fires goes on. Built in: always.",
);
const NO_LIMIT: Value = Value::OneOf(&["none", "off", "false"]);

/// What rules fall back on.
pub(in crate::rules) static DEFAULTS: Shape = Shape {
    what: "`defaults`",
    words: &[
        now(
            "notify",
            Value::List(&Value::Text),
            "Channels that hear of what no rule and no route sends elsewhere, and about pushwatch itself.",
        ),
        now("severity", SEVERITY, "Of rules that give none."),
        RESOLVE_AFTER,
        KEEP_FIRING_FOR,
        REOPEN_WITHIN,
        REPEAT_INTERVAL,
        now(
            "rate_limit",
            Value::Either(&Value::Section(&RATE_LIMIT), &NO_LIMIT),
            "New posts per stream over all rules. Built in: { burst: 3, every: 10m }.",
        ),
        GROUP_BY,
        FOR,
        GRACE,
        ACTIVE,
        LABELS,
        ANNOTATIONS,
    ],
};

/// A rule.
pub(in crate::rules) static RULE: Shape = Shape {
    what: "a rule",
    words: &[
        need("name", Value::Text, "Its identity; unique."),
        need(
            "on",
            Value::Either(&Value::Event, &Value::OneOf(&["silence"])),
            "The callback it listens to, or `silence`.",
        ),
        now("of", Value::Event, "For `on: silence`: the callback that is missed."),
        now("within", Value::Duration, "For `on: silence`: how long nothing may be heard, after steady callbacks."),
        now("types", Value::List(&Value::AbnormalType), "For push errors: the abnormal types. Without it, all."),
        now("where", Value::Section(&WHERE), "Conditions, all of which must hold."),
        now("per", Value::Scope, "What is judged as one, by a window and incidents of its own. Built in: stream."),
        now("threshold", Value::Section(&THRESHOLD), "From when on it fires. Without it, one report is enough."),
        FOR,
        GRACE,
        now(
            "severity",
            Value::Either(&SEVERITY, &Value::Section(&LEVELS)),
            "How bad it is; or from which number on it is how bad, within `threshold.within`.",
        ),
        RESOLVE_AFTER,
        KEEP_FIRING_FOR,
        REOPEN_WITHIN,
        REPEAT_INTERVAL,
        now(
            "rate_limit",
            Value::Either(&Value::Section(&RATE_LIMIT), &NO_LIMIT),
            "One more bucket for this rule and each of its keys.",
        ),
        NOTIFY,
        LABELS,
        ANNOTATIONS,
        GROUP_BY,
        now(
            "inhibits",
            Value::List(&Value::Text),
            "Rules whose incidents are part of this one's while it fires, where its scope contains theirs.",
        ),
        ACTIVE,
        now("enabled", Value::Boolean, "false: it is checked and left out. Built in: true."),
    ],
};

/// A rule's `threshold`.
pub(in crate::rules) static THRESHOLD: Shape = Shape {
    what: "`threshold`",
    words: &[
        now(
            "count",
            COUNT,
            "The sum of the reported counts, or with `distinct` the number of values, from which on it fires.",
        ),
        now("reports", COUNT, "The number of matching callbacks from which on it fires."),
        now(
            "distinct",
            Value::OneOf(&["stream", "session", "user_ip"]),
            "Count different values of this; it must be finer than `per`.",
        ),
        now("within", Value::Duration, "The sliding window, 1s to 3d. Without it one report has to reach the count."),
    ],
};

/// A severity map.
pub(in crate::rules) static LEVELS: Shape = Shape {
    what: "a `severity` map",
    words: &[
        now("info", COUNT, "From this number on it is info."),
        now("warning", COUNT, "From this number on it is a warning."),
        now("critical", COUNT, "From this number on it is critical."),
    ],
};

/// A token bucket.
pub(in crate::rules) static RATE_LIMIT: Shape = Shape {
    what: "`rate_limit`",
    words: &[
        now("burst", Value::Integer(1, 100_000), "How many at once. Built in: 3."),
        now("every", Value::Duration, "The time in which one more is allowed. Built in: 10m."),
    ],
};

/// A rule's conditions.
pub(in crate::rules) static WHERE: Shape = Shape {
    what: "`where`",
    words: &[
        now("value", Value::Condition, "The measured number of a push error: \">= 3s\", \"< 15 fps\", \"> 8KiB\"."),
        now("count", Value::Condition, "The count of one entry of a push error."),
        now("type", Value::Condition, "The abnormal type, by name, number or glob."),
        now("errcode", Value::Condition, "Why a push ended: { not: [1, 2] }."),
        now("stream", Value::Condition, "The stream id."),
        now("domain", Value::Condition, "The push domain."),
        now("path", Value::Condition, "The push path (AppName)."),
        now("session", Value::Condition, "The push's sequence."),
        now("appid", Value::Condition, "The account."),
        now("user_ip", Value::Condition, "The pusher's address."),
        now("node", Value::Condition, "The cloud's ingest node."),
        now("push_duration", Value::Condition, "How long the push had lasted: \"> 1h\"."),
        now("any", Value::Rows(&WHERE), "Alternatives, one of which must hold; each has the keys of `where`."),
        now("hour", Value::Condition, "The hour by the file's zone, 0 to 23: \">= 18\"."),
        now("weekday", Value::Condition, "The day of the week by the file's zone: mon-fri, { not: [sat, sun] }."),
    ],
};

/// A negated condition.
pub(in crate::rules) static NOT: Shape =
    Shape { what: "a negated condition", words: &[need("not", Value::Condition, "What must not hold.")] };
