//! Who hears of an incident, and in whose company: its labels, the routes, the key of its group. Pure.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use crate::model::{ChannelName, Event, Incident, Key, Scope};
use crate::rules::{GroupBy, Noun, Rule, RuleSet};

/// The channels that hear of an incident at its severity: the rule's, else those of the routes that match, else the
/// defaults.
pub(super) fn channels(rules: &RuleSet, rule: &Rule, incident: &Incident) -> Vec<ChannelName> {
    let named: Cow<'_, [ChannelName]> = match &rule.notify {
        Some(named) => Cow::Borrowed(named),
        None => routed(rules, incident).map_or(Cow::Borrowed(rules.notify.as_slice()), Cow::Owned),
    };
    let hears = |name: &&ChannelName| rules.channels.get(*name).is_some_and(|c| c.min_severity <= incident.severity);
    named.iter().filter(hears).cloned().collect()
}

/// The lists of channels that any incident was told to: a few, as each comes of a rule or of routes, and thousands of
/// incidents share one.
#[derive(Debug, Default)]
pub(super) struct Audiences(HashSet<Arc<[ChannelName]>>);

impl Audiences {
    /// The same channels, as they are known.
    pub(super) fn share(&mut self, channels: &[ChannelName]) -> Arc<[ChannelName]> {
        match self.0.get(channels) {
            Some(known) => Arc::clone(known),
            None => {
                let known: Arc<[ChannelName]> = channels.into();
                self.0.insert(Arc::clone(&known));
                known
            }
        }
    }
}

/// What the routes say; `None` where none of them matches.
fn routed(rules: &RuleSet, incident: &Incident) -> Option<Vec<ChannelName>> {
    let mut found: Option<Vec<ChannelName>> = None;
    for route in rules.routes.iter().filter(|route| route.matchers.hold(|name| incident.label(name))) {
        let channels = found.get_or_insert_default();
        for channel in &route.notify {
            if !channels.contains(channel) {
                channels.push(channel.clone());
            }
        }
        if !route.goes_on {
            break;
        }
    }
    found
}

/// What the incident's group is known by.
pub(super) fn group_key(rule: &Rule, incident: &Incident) -> Key {
    let labels = match &rule.group_by {
        GroupBy::Stream => {
            return incident.key.stream().map_or_else(|| incident.key.clone(), |stream| Key::Stream(stream.clone()));
        }
        GroupBy::Labels(labels) => labels,
    };
    // What is a scope is known as that scope: a domain's own incident joins those grouped by their domain.
    let names: Vec<&str> = labels.iter().map(|name| &**name).collect();
    let value = |name: &str| incident.label(name).filter(|value| !value.is_empty());
    match names.as_slice() {
        [] => return Key::All {},
        ["domain"] => {
            if let Some(domain) = value("domain") {
                return Key::Domain { domain: domain.into() };
            }
        }
        ["domain", "path"] | ["path", "domain"] => {
            if let (Some(domain), Some(path)) = (value("domain"), value("path")) {
                return Key::app(domain, path);
            }
        }
        ["user_ip"] => {
            if let Some(user_ip) = value("user_ip") {
                return Key::UserIp { user_ip: user_ip.into() };
            }
        }
        _ => {}
    }
    let pairs = names.iter().map(|name| (Box::from(*name), Box::from(incident.label(name).unwrap_or_default())));
    Key::Labels { labels: pairs.collect() }
}

/// The key of a scope that contains the incident's own, or is it; `None` where nothing of that scope does.
pub(super) fn containing(incident: &Incident, scope: Scope) -> Option<Key> {
    let key = &incident.key;
    match scope {
        Scope::All => Some(Key::All {}),
        Scope::Stream => Some(Key::Stream(key.stream()?.clone())),
        Scope::Domain => Some(Key::Domain { domain: key.domain()?.into() }),
        Scope::App => Some(Key::app(key.domain()?, key.path()?)),
        Scope::UserIp => incident.label("user_ip").map(|user_ip| Key::UserIp { user_ip: user_ip.into() }),
        // A stream's incident goes on over its pushes: it is part of none of them.
        Scope::Session => matches!(key, Key::Session(_)).then(|| key.clone()),
    }
}

/// The hash by which a value is told from others.
pub(super) fn fingerprint(event: &Event, noun: Noun) -> Option<u64> {
    let hasher = foldhash::quality::FixedState::default();
    match noun {
        Noun::Stream => Some(hasher.hash_one(&event.stream)),
        Noun::Session => Some(hasher.hash_one((&event.stream, event.session.as_deref()?))),
        Noun::UserIp => Some(hasher.hash_one(event.user_ip.as_deref()?)),
    }
}
