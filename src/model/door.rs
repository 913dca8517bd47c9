//! The `tencent:` part of `rules.yaml`, compiled: which callbacks are let in.

use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

/// Settings of the callback door. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Door {
    /// Callback keys; several while rotating.
    pub keys: Vec<SecretString>,
    /// The secret last segment of `/callback/SECRET`.
    pub path_secret: Option<SecretString>,
    /// Take unsigned callbacks when there is no key.
    pub allow_unsigned: bool,
    /// Types taken unsigned although there are keys.
    pub unsigned_events: Vec<i64>,
    /// How far `t` may lie in the past.
    pub clock_skew: Duration,
    /// How far `t` may lie ahead.
    pub max_validity: Duration,
    /// Largest body, in bytes.
    pub max_body: usize,
    /// Callers let in; empty means everyone.
    pub sources: Vec<IpNet>,
    /// Proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Door {
    fn default() -> Door {
        Door {
            keys: Vec::new(),
            path_secret: None,
            allow_unsigned: false,
            unsigned_events: Vec::new(),
            clock_skew: Duration::from_secs(60),
            max_validity: Duration::from_secs(30 * 60),
            max_body: 256 * 1024,
            sources: Vec::new(),
            trusted_proxies: Vec::new(),
        }
    }
}
