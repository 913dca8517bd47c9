//! The keys of `tencent` and of `channels`: whose callbacks are taken, and where people are told.

use super::{SEVERITY, Shape, Value, Word, need, now};

/// The callback door.
pub(in crate::rules) static TENCENT: Shape = Shape {
    what: "`tencent`",
    words: &[
        now(
            "keys",
            Value::List(&Value::Secret),
            "Callback keys; several while one is replaced. Empty ones are left out.",
        ),
        now("path_secret", Value::Secret, "The callback path is then /callback/SECRET, and /callback is 404."),
        now("allow_unsigned", Value::Boolean, "Take unsigned callbacks when there is no key. Built in: false."),
        now(
            "unsigned_events",
            Value::List(&Value::Event),
            "Events taken unsigned although there are keys. Needs `path_secret`.",
        ),
        now("clock_skew", Value::Duration, "How far a callback's expiry may lie in the past, up to 1h. Built in: 60s."),
        now("max_validity", Value::Duration, "How far a callback's expiry may lie ahead, 10m to 1d. Built in: 30m."),
        now("max_body", Value::Size, "The largest body, 4KiB to 16MiB. Built in: 256KiB."),
        now("sources", Value::List(&Value::Text), "Networks (CIDR) that callers must be in. Built in: everyone."),
        now("trusted_proxies", Value::List(&Value::Text), "Networks whose X-Forwarded-For counts. Built in: none."),
    ],
};

/// Keys of every channel.
pub(in crate::rules) const CHANNEL: &[Word] = &[
    need("type", Value::OneOf(&["slack", "wecom", "telegram", "webhook", "console"]), "The platform."),
    now("language", Value::OneOf(&["en", "zh"]), "The language of its messages. Built in: en."),
    now("min_severity", SEVERITY, "It hears of nothing milder than this. Built in: info."),
    now("fallback", Value::Text, "Another channel, that is told when this one refuses everything."),
    now(
        "timezone",
        Value::Text,
        "The zone in which its messages show times, as Asia/Shanghai. Without it, the file's.",
    ),
    now(
        "allow",
        Value::List(&Value::Text),
        "Who may give commands here: user ids of the platform, or everyone. Built in: nobody.",
    ),
];

const API_URL: Word = now("api_url", Value::Text, "Another base address in place of the platform's own.");

/// Keys that only channels of one type have, by `type`.
pub(in crate::rules) const CHANNEL_TYPES: [(&str, &[Word]); 5] = [
    (
        "slack",
        &[
            now("token", Value::Secret, "A bot's token, xoxb-…; it can edit its messages."),
            now("channel", Value::Text, "The channel's id, C0123456789; goes with `token`, or with `signing_secret`."),
            now("webhook_url", Value::Secret, "An incoming webhook in place of `token`; it can only post."),
            API_URL,
            now("signing_secret", Value::Secret, "The app's Signing Secret: with it commands and buttons are taken."),
        ],
    ),
    (
        "wecom",
        &[
            now("key", Value::Secret, "A group robot's key: what follows key= in its webhook address."),
            now("corp_id", Value::Text, "For an app in place of a robot: the company's id, ww0123456789abcdef."),
            now("agent_id", Value::Integer(1, u32::MAX as i64), "The app's AgentId, 1000002."),
            now("secret", Value::Secret, "The app's Secret."),
            now(
                "to",
                Value::List(&Value::Text),
                "Whom the app tells: user ids, party:2 for a department, tag:7 for a tag; or @all alone.",
            ),
            now("callback_token", Value::Secret, "The Token of the app's callback; goes with `encoding_aes_key`."),
            now("encoding_aes_key", Value::Secret, "The EncodingAESKey of the app's callback, 43 letters and digits."),
            API_URL,
        ],
    ),
    (
        "telegram",
        &[
            need("token", Value::Secret, "The bot's token, 123456:ABC-def; BotFather gives it."),
            need(
                "chat_id",
                Value::Integer(-((1 << 52) - 1), (1 << 52) - 1),
                "The chat; groups have negative ids, -1001234567890.",
            ),
            now("thread_id", Value::Integer(1, i64::MAX), "A topic of the chat."),
            now(
                "webhook_secret",
                Value::Secret,
                "Telegram brings what people type to /chat/telegram/CHANNEL and shows this; without it pushwatch asks Telegram.",
            ),
            now(
                "public_url",
                Value::Text,
                "pushwatch's own public https address, told to Telegram; goes with `webhook_secret`.",
            ),
            API_URL,
        ],
    ),
    (
        "webhook",
        &[
            need("url", Value::Secret, "Where the JSON is posted to."),
            now("headers", Value::Named(&Value::Secret), "HTTP headers that go with it."),
            now(
                "template",
                Value::Text,
                "The body as JSON of your own; in its strings {{text}}, {{summary}} and {{facts.NAME}} stand for values.",
            ),
        ],
    ),
    ("console", &[]),
];
