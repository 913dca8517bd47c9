//! Who gives a command, from where, and what that lets them see: a channel sees what it would be told. Pure.

use crate::model::{ChannelName, Incident, Mute, StreamName};
use crate::rules::{Matchers, Rule, RuleSet};

/// Where a command comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The chat of a channel.
    Channel(ChannelName),
    /// The operators' door: a terminal, or a program.
    Operators,
}

/// What to do about a mute that covers many streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// Ask back first.
    AskBack,
    /// It is meant.
    GoAhead,
}

/// Who gives a command. The platform says so, never the text.
#[derive(Clone, Debug)]
pub struct Caller {
    /// As the platform names them: hostile text.
    pub who: Box<str>,
    /// As the platform knows them, whatever they call themselves; empty at the operators' door, where whoever holds the
    /// token is one.
    pub id: Box<str>,
    /// Where from.
    pub place: Place,
    /// Whether wide mutes are asked back.
    pub care: Care,
}

impl Caller {
    /// For the record of commands: the name, and who it is.
    pub(super) fn on_record(&self) -> String {
        match self.id.is_empty() || self.id == self.who {
            true => self.who.to_string(),
            false => format!("{} ({})", self.who, self.id),
        }
    }
}

impl Place {
    /// For the record of commands.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Place::Channel(channel) => channel.as_str(),
            Place::Operators => "api",
        }
    }

    /// The channel whose incidents alone a mute from here may cover.
    pub(super) fn within(&self) -> Option<&ChannelName> {
        match self {
            Place::Channel(channel) => Some(channel),
            Place::Operators => None,
        }
    }
}

/// What can be seen from a place, by the rules in force.
#[derive(Clone, Copy)]
pub(super) struct Sight<'r> {
    pub(super) rules: &'r RuleSet,
    pub(super) channel: Option<&'r ChannelName>,
}

impl Sight<'_> {
    /// Whether an incident is told here.
    pub(super) fn incident(&self, incident: &Incident) -> bool {
        self.channel.is_none_or(|channel| incident.notify.contains(channel))
    }

    /// Whether anything about this stream may ever be told here.
    pub(super) fn stream(&self, stream: &StreamName) -> bool {
        let Some(channel) = self.channel else { return true };
        self.rules.rules.iter().any(|rule| self.may_hear(channel, rule, Some(stream)))
    }

    /// Whether a rule may ever be heard of here.
    pub(super) fn rule(&self, rule: &Rule) -> bool {
        self.channel.is_none_or(|channel| self.may_hear(channel, rule, None))
    }

    /// Whether a mute may be lifted from here: what lies beyond is not for us to disturb.
    pub(super) fn may_lift(&self, mute: &Mute) -> bool {
        match self.channel {
            None => true,
            Some(channel) => mute.within.as_ref() == Some(channel) || self.hears_all(channel),
        }
    }

    /// Whether everything is told here.
    fn hears_all(&self, channel: &ChannelName) -> bool {
        let everywhere = self.rules.routes.iter().all(|route| route.notify.contains(channel));
        let by_default = everywhere && self.rules.notify.contains(channel);
        let mut rules = self.rules.rules.iter();
        rules.all(|rule| rule.notify.as_ref().map_or(by_default, |named| named.contains(channel)))
    }

    /// Whether this rule may tell the channel about the stream, or about any. Severity, sessions and addresses are not
    /// known beforehand.
    fn may_hear(&self, channel: &ChannelName, rule: &Rule, stream: Option<&StreamName>) -> bool {
        if let Some(named) = &rule.notify {
            return named.contains(channel);
        }
        let label = |name: &str| match name {
            "rule" => Some(&*rule.name),
            "stream" | "domain" | "path" => stream.and_then(|stream| of_stream(stream, name)),
            "severity" | "session" | "user_ip" | "appid" => None,
            own => Some(rule.labels.get(own).map_or("", |value| &**value)),
        };
        let is_known = |name: &str| label(name).is_some();
        for route in self.rules.routes.iter().filter(|route| route.matchers.may_hold(label)) {
            if route.notify.contains(channel) {
                return true;
            }
            if !route.goes_on && route.matchers.labels().all(is_known) {
                // It takes all there is of this.
                return false;
            }
        }
        self.rules.notify.contains(channel)
    }
}

/// Whether matchers may cover something of this stream, as far as its name tells.
pub(super) fn may_cover(matchers: &Matchers, stream: &StreamName) -> bool {
    matchers.may_hold(|name| of_stream(stream, name))
}

fn of_stream<'s>(stream: &'s StreamName, label: &str) -> Option<&'s str> {
    match label {
        "stream" => Some(stream.stream()),
        "domain" => Some(stream.domain()),
        "path" => Some(stream.path()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> RuleSet {
        let channel = |name: &str| format!("{name}: {{ type: console }}");
        let text = format!(
            "version: 1\ntencent: {{ allow_unsigned: true }}\nchannels: {{ {}, {}, {} }}\ndefaults: {{ notify: [ops] }}\n{text}",
            channel("ops"),
            channel("acme"),
            channel("video"),
        );
        crate::rules::load(&text, "rules.yaml", &|_| None).unwrap_or_else(|wrong| panic!("{wrong:?}"))
    }

    const ROUTED: &str = "rules:\n  - { name: gop, on: push_error, labels: { team: video } }\n\
        \x20 - { name: down, on: push_end, notify: [video] }\n\
        routes:\n  - { match: 'domain=~\"acme.*\"', notify: [acme] }\n\
        \x20 - { match: 'stream=~\"v_.*\", severity=critical', notify: [video] }\n";

    fn sees(rules: &RuleSet, channel: &str, domain: &str, stream: &str) -> bool {
        let channel = ChannelName::new(channel);
        Sight { rules, channel: Some(&channel) }.stream(&StreamName::new(domain, "live", stream))
    }

    #[test]
    fn a_channel_sees_the_streams_of_which_it_may_be_told() {
        let rules = rules(ROUTED);
        assert!(sees(&rules, "acme", "acme.example", "a") && !sees(&rules, "acme", "other.example", "a"));
        assert!(sees(&rules, "ops", "other.example", "a") && !sees(&rules, "ops", "acme.example", "a"));
        assert!(sees(&rules, "ops", "other.example", "v_1"), "what is not critical goes by the defaults");
        assert!(sees(&rules, "video", "acme.example", "a"), "by its rule's own word");
        assert!(Sight { rules: &rules, channel: None }.stream(&StreamName::new("d", "p", "s")));
        assert!(!sees(&rules, "nobody", "d", "s"));
    }

    #[test]
    fn rules_are_seen_where_they_may_be_heard_of() {
        let rules = rules(ROUTED);
        let seen = |channel: &str| {
            let channel = ChannelName::new(channel);
            let sight = Sight { rules: &rules, channel: Some(&channel) };
            rules.rules.iter().filter(|rule| sight.rule(rule)).map(|rule| rule.name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            (seen("ops"), seen("acme"), seen("video")),
            (vec!["gop".into()], vec!["gop".into()], vec!["gop".into(), "down".into()])
        );
    }

    #[test]
    fn a_mute_is_lifted_where_it_was_set_and_where_everything_is_heard() {
        let mute = |within: Option<&str>| Mute {
            id: crate::model::MuteId(1),
            matchers: "rule!=\"\"".into(),
            within: within.map(ChannelName::new),
            set_at: crate::model::Timestamp(0),
            until: crate::model::Timestamp(1),
            author: "ann".into(),
            reason: "".into(),
        };
        let plain = rules("rules:\n  - { name: gop, on: push_error }\n");
        let routed = rules(ROUTED);
        for (rules, channel, within, may) in [
            (&plain, Some("ops"), None, true),
            (&plain, Some("acme"), None, false),
            (&routed, Some("ops"), None, false),
            (&routed, Some("acme"), Some("acme"), true),
            (&routed, Some("acme"), Some("ops"), false),
            (&routed, None, Some("ops"), true),
        ] {
            let channel = channel.map(ChannelName::new);
            let sight = Sight { rules, channel: channel.as_ref() };
            assert_eq!(sight.may_lift(&mute(within)), may, "{channel:?} {within:?}");
        }
    }
}
