//! Who calls, seen through trusted proxies, and whether they may. Pure.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// Hops looked at; a longer list is no proxy's doing.
const MAX_HOPS: usize = 64;

/// The caller's address: the peer's, or, where that is a trusted proxy, the right-most of `X-Forwarded-For` (its
/// header lines in order) that is not one itself. Addresses to the left of it are anyone's invention.
///
/// An entry that is no address ends the search: the caller then is the proxy that passed it on.
pub(super) fn caller<'a>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
    proxies: &[IpNet],
) -> IpAddr {
    let mut caller = peer.to_canonical();
    let hops = forwarded.rev().flat_map(|line| line.rsplit(',')).take(MAX_HOPS);
    for hop in hops {
        if !within(proxies, caller) {
            break;
        }
        match address(hop.trim()) {
            Some(address) => caller = address,
            None => break,
        }
    }
    caller
}

/// Whether an address may call: it is in one of the sources, or there are none.
pub(super) fn may_call(sources: &[IpNet], caller: Option<IpAddr>) -> bool {
    sources.is_empty() || caller.is_some_and(|caller| within(sources, caller))
}

fn within(nets: &[IpNet], address: IpAddr) -> bool {
    nets.iter().any(|net| net.contains(&address))
}

/// `1.2.3.4`, `1.2.3.4:5`, `::1`, `[::1]` or `[::1]:5`.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse::<IpAddr>().or_else(|_| hop.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(list: &[&str]) -> Vec<IpNet> {
        list.iter().map(|net| net.parse().unwrap()).collect()
    }

    fn seen(peer: &str, forwarded: &[&str], proxies: &[&str]) -> String {
        caller(peer.parse().unwrap(), forwarded.iter().copied(), &nets(proxies)).to_string()
    }

    #[test]
    fn a_header_counts_only_from_a_trusted_proxy() {
        assert_eq!(seen("9.9.9.9", &["1.1.1.1"], &[]), "9.9.9.9");
        assert_eq!(seen("9.9.9.9", &["1.1.1.1"], &["10.0.0.0/8"]), "9.9.9.9");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1"], &["10.0.0.0/8"]), "1.1.1.1");
        assert_eq!(seen("10.0.0.1", &[], &["10.0.0.0/8"]), "10.0.0.1");
    }

    #[test]
    fn the_right_most_address_that_is_no_proxy_is_the_caller() {
        let proxies = ["10.0.0.0/8", "fd00::/8"];
        assert_eq!(seen("10.0.0.1", &["6.6.6.6, 1.1.1.1, 10.0.0.2"], &proxies), "1.1.1.1");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6", "1.1.1.1, 10.0.0.2"], &proxies), "1.1.1.1");
        assert_eq!(seen("10.0.0.1", &["10.0.0.3,10.0.0.2"], &proxies), "10.0.0.3");
        assert_eq!(seen("fd00::1", &["2001:db8::5"], &proxies), "2001:db8::5");
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_read() {
        let proxies = ["10.0.0.0/8"];
        assert_eq!(seen("10.0.0.1", &["1.1.1.1:4711"], &proxies), "1.1.1.1");
        assert_eq!(seen("10.0.0.1", &["[2001:db8::5]:80"], &proxies), "2001:db8::5");
        assert_eq!(seen("10.0.0.1", &["[2001:db8::5]"], &proxies), "2001:db8::5");
        assert_eq!(seen("::ffff:10.0.0.1", &["::ffff:1.1.1.1"], &proxies), "1.1.1.1");
    }

    #[test]
    fn an_entry_that_is_no_address_hides_what_is_left_of_it() {
        for hop in ["unknown", "", "1.1.1.1.1", "1.1.1.1 2.2.2.2"] {
            assert_eq!(seen("10.0.0.1", &[&format!("1.1.1.1, {hop}")], &["10.0.0.0/8"]), "10.0.0.1", "{hop}");
        }
        let endless = vec!["10.0.0.2"; 100_000].join(",");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1", &endless], &["10.0.0.0/8"]), "10.0.0.2");
    }

    #[test]
    fn no_sources_means_everyone_and_an_unknown_caller_is_in_none() {
        let sources = nets(&["192.0.2.0/24", "2001:db8::/32"]);
        let at = |address: &str| Some(address.parse().unwrap());
        assert!(may_call(&[], None));
        assert!(may_call(&sources, at("192.0.2.200")));
        assert!(may_call(&sources, at("2001:db8::1")));
        assert!(!may_call(&sources, at("192.0.3.1")));
        assert!(!may_call(&sources, None));
    }
}
