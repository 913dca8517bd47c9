//! How much of time, memory and connections a listener spends on its callers.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ipnet::IpNet;

/// Limits of one listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From a connection's opening, or the first byte of a later request, to the end of the request's head.
    pub head: Duration,
    /// How long a connection may stay open between requests (up to twice as long before it is noticed). Longer than
    /// the minute after which common clients give theirs up, so that we seldom close one just as it is used.
    pub idle: Duration,
    /// How long an answer may find no room on the way to a caller who does not read.
    pub write: Duration,
    /// How long requests in flight get at the end.
    pub drain: Duration,
    /// Bytes of a request's head; also the size of a connection's buffer. At least [`Limits::LEAST_HEAD_BYTES`].
    pub head_bytes: usize,
    /// Connections open at once, over all peers.
    pub connections: usize,
    /// Connections open at once from one address (one /64 of IPv6).
    pub per_peer: usize,
    /// Peers that `per_peer` does not bind: proxies in front of us.
    pub exempt: Exempt,
}

/// A list of networks that may change while the listener serves. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Exempt(Arc<RwLock<Vec<IpNet>>>);

impl Exempt {
    /// Puts another list in its place, for connections opened from now on.
    pub fn set(&self, networks: Vec<IpNet>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = networks;
    }

    /// Whether an address is in one of the networks.
    #[must_use]
    pub fn contains(&self, address: &IpAddr) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().any(|network| network.contains(address))
    }
}

impl From<Vec<IpNet>> for Exempt {
    fn from(networks: Vec<IpNet>) -> Exempt {
        Exempt(Arc::new(RwLock::new(networks)))
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(30),
            drain: Duration::from_secs(5),
            head_bytes: 16 * 1024,
            connections: 4096,
            per_peer: 512,
            exempt: Exempt::default(),
        }
    }
}

impl Limits {
    /// hyper works with no smaller buffer.
    pub const LEAST_HEAD_BYTES: usize = 8 * 1024;

    /// Lowers the number of connections to what the process's limit of open files leaves: a quarter of them, but no
    /// fewer than 64, stay for the store, the chats and the other listener. Reads `/proc`; without it nothing changes.
    #[must_use]
    pub fn fit_process(mut self) -> Limits {
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        if let Some(files) = open_files(&limits) {
            self.connections = self.connections.min(room(files));
        }
        self
    }
}

/// The soft limit in the format of `/proc/PID/limits`; `None` for `unlimited`.
fn open_files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn room(files: usize) -> usize {
    files.saturating_sub((files / 4).max(64)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_rest_of_the_process() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max processes             127371               127371               processes \n\
                    Max open files            1024                 524288               files     \n";
        assert_eq!(open_files(text), Some(1024));
        assert_eq!(room(1024), 768);
        assert_eq!(room(100), 36);
        assert_eq!(room(10), 1);
        assert_eq!(open_files("Max open files            unlimited            unlimited            files"), None);
        assert_eq!(open_files(""), None);
    }

    #[test]
    fn fitting_never_raises_the_limit() {
        let limits = Limits { connections: 3, ..Limits::default() }.fit_process();
        assert_eq!(limits.connections, 3);
    }
}
