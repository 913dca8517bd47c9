//! Counts open connections, in all and by peer, and says whether one more may come.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Exempt, Limits};

/// The counts of one listener.
#[derive(Debug)]
pub(super) struct Admission {
    open: Arc<Mutex<Open>>,
    connections: usize,
    per_peer: usize,
    exempt: Exempt,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_peer: HashMap<IpAddr, usize>,
}

/// The right to one open connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    open: Arc<Mutex<Open>>,
    /// `None` for exempt peers, who are not counted by address.
    peer: Option<IpAddr>,
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Admission {
        Admission {
            open: Arc::default(),
            connections: limits.connections,
            per_peer: limits.per_peer,
            exempt: limits.exempt.clone(),
        }
    }

    /// A place for a connection from this address, if there is one.
    pub(super) fn admit(&self, peer: IpAddr) -> Option<Place> {
        let peer = peer.to_canonical();
        let exempt = self.exempt.contains(&peer);
        let peer = (!exempt).then(|| household(peer));
        let mut open = lock(&self.open);
        if open.total >= self.connections {
            return None;
        }
        if let Some(peer) = peer {
            let count = open.by_peer.entry(peer).or_default();
            if *count >= self.per_peer {
                return None;
            }
            *count += 1;
        }
        open.total += 1;
        Some(Place { open: self.open.clone(), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        open.total = open.total.saturating_sub(1);
        let Some(peer) = self.peer else { return };
        if let Some(count) = open.by_peer.get_mut(&peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.by_peer.remove(&peer);
            }
        }
    }
}

/// Numbers can't be left half-changed by a panic.
fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every IPv6 host has a /64 of addresses at its disposal, so that counts as one.
fn household(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, per_peer: usize, exempt: &[&str]) -> Admission {
        let exempt: Vec<_> = exempt.iter().map(|net| net.parse().unwrap()).collect();
        Admission::new(&Limits { connections, per_peer, exempt: exempt.into(), ..Limits::default() })
    }

    fn at(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[test]
    fn one_peer_gets_its_share_and_no_more_until_it_gives_back() {
        let admission = admission(10, 2, &[]);
        let first = admission.admit(at("192.0.2.1")).unwrap();
        let _second = admission.admit(at("::ffff:192.0.2.1")).unwrap();
        assert!(admission.admit(at("192.0.2.1")).is_none());
        assert!(admission.admit(at("192.0.2.2")).is_some());
        drop(first);
        assert!(admission.admit(at("192.0.2.1")).is_some());
    }

    #[test]
    fn a_64_of_ipv6_is_one_peer() {
        let admission = admission(10, 1, &[]);
        let _held = admission.admit(at("2001:db8::1")).unwrap();
        assert!(admission.admit(at("2001:db8::ffff:2")).is_none());
        assert!(admission.admit(at("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn exempt_peers_are_bound_by_the_total_alone() {
        let admission = admission(3, 1, &["10.0.0.0/8"]);
        let _held: Vec<_> = (0..3).map(|_| admission.admit(at("10.0.0.1")).unwrap()).collect();
        assert!(admission.admit(at("10.0.0.1")).is_none());
        assert!(admission.admit(at("192.0.2.1")).is_none());
    }

    #[test]
    fn peers_that_are_gone_take_no_memory() {
        let admission = admission(1000, 1, &[]);
        for n in 0..100 {
            drop(admission.admit(at(&format!("192.0.2.{n}"))));
        }
        assert!(lock(&admission.open).by_peer.is_empty());
        assert_eq!(lock(&admission.open).total, 0);
    }
}
