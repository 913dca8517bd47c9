//! What a rule judges as one and an incident is about: a stream, one of its pushes, a domain, an address, or everything.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Event, StreamName};

/// The width of a [`Key`]: `per` of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Each push of a stream by itself.
    Session,
    /// Each stream.
    #[default]
    Stream,
    /// Each path (AppName) of a domain.
    App,
    /// Each push domain.
    Domain,
    /// Each pusher's address.
    UserIp,
    /// All together.
    All,
}

impl Scope {
    /// All of them, in the order in which `per` lists them.
    pub const ALL: [Scope; 6] = [Scope::Stream, Scope::Session, Scope::Domain, Scope::App, Scope::UserIp, Scope::All];

    /// The word in `per:`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Session => "session",
            Scope::Stream => "stream",
            Scope::App => "app",
            Scope::Domain => "domain",
            Scope::UserIp => "user_ip",
            Scope::All => "all",
        }
    }
}

/// One value of a [`Scope`]. All of it is hostile text. Cheap to clone.
///
/// Stored as JSON: a stream is a list of its three parts, the others are objects. Small, as there are many: what takes
/// more than a stream's name is behind a pointer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Key {
    /// A stream.
    Stream(StreamName),
    /// One push of a stream.
    Session(Arc<Push>),
    /// A path of a domain.
    App(Arc<App>),
    /// A push domain.
    Domain {
        /// The push domain.
        domain: Arc<str>,
    },
    /// A pusher's address.
    UserIp {
        /// As the cloud saw it.
        user_ip: Arc<str>,
    },
    /// Incidents that share these labels: what `group_by` makes of labels that are no scope.
    Labels {
        /// (name, value), in the order of `group_by`.
        labels: Arc<[(Box<str>, Box<str>)]>,
    },
    /// Everything.
    All {},
}

/// One push of a stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Push {
    /// The stream.
    pub stream: StreamName,
    /// The cloud's `sequence`.
    pub session: Box<str>,
}

/// A path of a domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct App {
    /// The push domain.
    pub domain: Box<str>,
    /// The push path (AppName).
    pub path: Box<str>,
}

impl Key {
    /// The key of one push of a stream.
    #[must_use]
    pub fn session(stream: StreamName, session: &str) -> Key {
        Key::Session(Arc::new(Push { stream, session: session.into() }))
    }

    /// The key of a path of a domain.
    #[must_use]
    pub fn app(domain: &str, path: &str) -> Key {
        Key::App(Arc::new(App { domain: domain.into(), path: path.into() }))
    }

    /// The key of an event in a scope; `None` where the callback does not carry what it takes.
    #[must_use]
    pub fn of(event: &Event, scope: Scope) -> Option<Key> {
        let stream = &event.stream;
        Some(match scope {
            Scope::Stream => Key::Stream(stream.clone()),
            Scope::Session => Key::session(stream.clone(), event.session.as_deref()?),
            Scope::App => Key::app(stream.domain(), stream.path()),
            Scope::Domain => Key::Domain { domain: stream.domain().into() },
            Scope::UserIp => Key::UserIp { user_ip: event.user_ip.as_deref()?.into() },
            Scope::All => Key::All {},
        })
    }

    /// Its width; `None` for labels, which no rule is `per`.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        match self {
            Key::Stream(_) => Some(Scope::Stream),
            Key::Session(_) => Some(Scope::Session),
            Key::App(_) => Some(Scope::App),
            Key::Domain { .. } => Some(Scope::Domain),
            Key::UserIp { .. } => Some(Scope::UserIp),
            Key::Labels { .. } => None,
            Key::All {} => Some(Scope::All),
        }
    }

    /// The stream, where it is about one.
    #[must_use]
    pub fn stream(&self) -> Option<&StreamName> {
        match self {
            Key::Stream(stream) => Some(stream),
            Key::Session(push) => Some(&push.stream),
            Key::App(_) | Key::Domain { .. } | Key::UserIp { .. } | Key::Labels { .. } | Key::All {} => None,
        }
    }

    /// What people call it for short: a stream's id, and the whole of anything else.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Key::Stream(stream) => Cow::Borrowed(stream.stream()),
            key => Cow::Owned(key.to_string()),
        }
    }

    /// The push domain, where it lies in one.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        match self {
            Key::Stream(stream) => Some(stream.domain()),
            Key::Session(push) => Some(push.stream.domain()),
            Key::App(app) => Some(&app.domain),
            Key::Domain { domain } => Some(domain),
            Key::UserIp { .. } | Key::Labels { .. } | Key::All {} => None,
        }
    }

    /// The push path, where it lies in one.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match self {
            Key::Stream(stream) => Some(stream.path()),
            Key::Session(push) => Some(push.stream.path()),
            Key::App(app) => Some(&app.path),
            Key::Domain { .. } | Key::UserIp { .. } | Key::Labels { .. } | Key::All {} => None,
        }
    }
}

/// `domain/path/stream`, `domain/path/stream#session`, `domain/path`, `domain`, the address, `{name="value"}`, `*`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Stream(stream) => stream.fmt(f),
            Key::Session(push) => write!(f, "{}#{}", push.stream, push.session),
            Key::App(app) => write!(f, "{}/{}", app.domain, app.path),
            Key::Domain { domain } => f.write_str(domain),
            Key::UserIp { user_ip } => f.write_str(user_ip),
            Key::Labels { labels } => {
                f.write_str("{")?;
                for (at, (name, value)) in labels.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(f, "{comma}{name}={value:?}")?;
                }
                f.write_str("}")
            }
            Key::All {} => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_back_as_it_was_written() {
        let stream = StreamName::new("push.example.com", "live", "cam1");
        let labels: Arc<[_]> = [("team".into(), "a".into()), ("domain".into(), "d".into())].into();
        let cases = [
            (Key::Stream(stream.clone()), r#"["push.example.com","live","cam1"]"#, "push.example.com/live/cam1"),
            (
                Key::session(stream, "7"),
                r#"{"stream":["push.example.com","live","cam1"],"session":"7"}"#,
                "push.example.com/live/cam1#7",
            ),
            (Key::app("d", "p"), r#"{"domain":"d","path":"p"}"#, "d/p"),
            (Key::Domain { domain: "d".into() }, r#"{"domain":"d"}"#, "d"),
            (Key::UserIp { user_ip: "203.0.113.7".into() }, r#"{"user_ip":"203.0.113.7"}"#, "203.0.113.7"),
            (Key::Labels { labels }, r#"{"labels":[["team","a"],["domain","d"]]}"#, r#"{team="a",domain="d"}"#),
            (Key::All {}, "{}", "*"),
        ];
        for (key, json, shown) in cases {
            assert_eq!(serde_json::to_string(&key).unwrap(), json);
            assert_eq!(serde_json::from_str::<Key>(json).unwrap(), key);
            assert_eq!(key.to_string(), shown);
        }
    }
}
