//! The keys at the top of rules.yaml, and of its small sections: routes, time intervals, mutes, own words.

use super::{DEFAULTS, RULE, SEVERITY, Shape, TENCENT, Value, need, now};

/// The file's top.
pub(in crate::rules) static TOP: Shape = Shape {
    what: "the top of the file",
    words: &[
        need("version", Value::OneOf(&["1"]), "The version of this format: 1."),
        now("timezone", Value::Text, "The zone of times in messages and of conditions on the time. Built in: UTC."),
        now("tencent", Value::Section(&TENCENT), "The door through which Tencent Cloud's callbacks come."),
        need("channels", Value::Named(&Value::Channel), "Where people are told, by names of your own."),
        now("defaults", Value::Section(&DEFAULTS), "What holds where a rule says nothing."),
        now("time_intervals", Value::Named(&Value::Section(&INTERVAL)), "Times of the week, for `active`."),
        now(
            "routes",
            Value::Rows(&ROUTE),
            "Who hears of what, by its labels; asked in order for rules without a `notify`.",
        ),
        now("mutes", Value::Rows(&MUTE), "Mutes that stand in the file: what they cover is not told."),
        now(
            "catalogue",
            Value::Named(&Value::Section(&OVERRIDE)),
            "Own words and severities for abnormal types, by name or number.",
        ),
        need("rules", Value::Rows(&RULE), "What is trouble."),
    ],
};

const MATCH: &str =
    "Matchers in Alertmanager's syntax, all of which must hold: stream=~\"live_.*\", severity=\"critical\".";

/// One of `routes`.
pub(in crate::rules) static ROUTE: Shape = Shape {
    what: "a route",
    words: &[
        now("match", Value::Text, MATCH),
        need("notify", Value::List(&Value::Text), "Channels that hear of it."),
        now("continue", Value::Boolean, "Whether the routes after this one are asked too. Built in: false."),
    ],
};

/// One of `mutes`.
pub(in crate::rules) static MUTE: Shape = Shape {
    what: "a mute",
    words: &[
        now("match", Value::Text, MATCH),
        now("active", Value::List(&Value::Text), "Names of `time_intervals` in which it holds. Built in: always."),
        now("reason", Value::Text, "Why; shown to people."),
    ],
};

/// One of `time_intervals`.
pub(in crate::rules) static INTERVAL: Shape = Shape {
    what: "a time interval",
    words: &[
        now(
            "times",
            Value::List(&Value::Text),
            "Stretches of the day: \"22:00-07:00\" belongs to the day it begins on.",
        ),
        now("weekdays", Value::List(&Value::Text), "Days of the week: sat, mon-fri."),
        now("days_of_month", Value::List(&Value::Text), "Days of the month: 15, \"1:5\", -1 for the last."),
        now("months", Value::List(&Value::Text), "Months: 5, jan, nov-feb."),
        now("years", Value::List(&Value::Text), "Years: 2027, \"2027:2029\"."),
        now("timezone", Value::Text, "The zone whose clocks count. Without it, the file's."),
    ],
};

/// An operator's own words for one abnormal type.
pub(in crate::rules) static OVERRIDE: Shape = Shape {
    what: "a `catalogue` entry",
    words: &[
        now("name", Value::Text, "What it is called."),
        now("viewers", Value::Text, "What viewers see."),
        now("cause", Value::Text, "The likely cause."),
        now("fix", Value::Text, "What to do."),
        now("severity", SEVERITY, "How bad it is, for rules that give no severity."),
    ],
};

#[cfg(test)]
mod tests {
    use crate::rules::shape::{CHANNEL, CHANNEL_TYPES, Value};

    #[test]
    fn the_types_of_channels_are_those_with_a_table() {
        let kind = CHANNEL.iter().find(|word| word.name == "type").map(|word| word.value);
        let Some(Value::OneOf(types)) = kind else { panic!("`type` is one of some words") };
        assert_eq!(types, CHANNEL_TYPES.map(|(name, _)| name));
    }
}
