//! From a resolved service to a sighting: everything a stranger wrote is checked here. No I/O.

use crate::{
    table::Sighting,
    txt::{self, TxtError},
};
use mdns_sd::{ResolvedService, ScopedIp};
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr, SocketAddrV6},
};

/// Why a service is not taken for a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("its TXT record has {0}")]
    Txt(#[from] TxtError),
    #[error("it has no address that could be dialled from here")]
    Unreachable,
}

/// Where a service was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) interface: &'a str,
    pub(crate) index: Option<u32>,
    pub(crate) loopback: bool,
}

/// Takes at most `max_addrs` addresses, the smallest ones.
pub(crate) fn sighting(service: &ResolvedService, place: Place<'_>, max_addrs: usize) -> Result<Sighting, Unfit> {
    let entries = service.txt_properties.iter().map(|entry| (entry.key(), entry.val()));
    let announcement = txt::parse(entries, service.port)?;
    let addrs: BTreeSet<SocketAddr> =
        service.addresses.iter().filter_map(|addr| dialable(addr, service.port, place)).collect();
    if addrs.is_empty() {
        return Err(Unfit::Unreachable);
    }
    // What tells a peer apart is its id; a peer that hides it is told apart by its tag.
    let key = announcement.id.clone().or_else(|| announcement.tag.clone()).ok_or(TxtError::Anonymous)?;
    Ok(Sighting {
        key,
        announcement,
        addrs: addrs.into_iter().take(max_addrs).collect(),
        interfaces: vec![place.interface.to_owned()],
    })
}

/// A stranger could name any address: loopback would make us dial ourselves, multicast and broadcast dial everyone.
fn dialable(addr: &ScopedIp, port: u16, place: Place<'_>) -> Option<SocketAddr> {
    let ip = addr.to_ip_addr().to_canonical();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    if ip.is_unspecified() || ip.is_multicast() || broadcast || (ip.is_loopback() && !place.loopback) {
        return None;
    }
    Some(match ip {
        IpAddr::V4(_) => SocketAddr::new(ip, port),
        IpAddr::V6(v6) => {
            let seen_on = match addr {
                ScopedIp::V6(scoped) if scoped.scope_id().index != 0 => Some(scoped.scope_id().index),
                _ => place.index,
            };
            let scope = if v6.is_unicast_link_local() { seen_on.unwrap_or(0) } else { 0 };
            SocketAddr::V6(SocketAddrV6::new(v6, port, 0, scope))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mdns_sd::ServiceInfo;

    const ETH0: Place<'static> = Place { interface: "eth0", index: Some(7), loopback: false };

    fn service(addrs: &str, txt: &[(&str, &str)], port: u16) -> ResolvedService {
        let info =
            ServiceInfo::new(crate::SERVICE_TYPE, "x", "x.local.", addrs, port, txt).expect("a well-formed service");
        info.as_resolved_service()
    }

    const PEER: &[(&str, &str)] = &[("v", "1"), ("id", "abc")];

    #[test]
    fn a_peer_is_taken_with_its_addresses_sorted() {
        let seen = sighting(&service("10.0.0.9,10.0.0.1,fd00::1", PEER, 7400), ETH0, 16).expect("fit");
        let addrs: Vec<String> = seen.addrs.iter().map(ToString::to_string).collect();
        assert_eq!(addrs, ["10.0.0.1:7400", "10.0.0.9:7400", "[fd00::1]:7400"]);
        assert_eq!((seen.key.as_str(), &seen.interfaces[..]), ("abc", &["eth0".to_owned()][..]));
    }

    #[test]
    fn a_link_local_address_keeps_its_scope() {
        let seen = sighting(&service("fe80::1", PEER, 7400), ETH0, 16).expect("fit");
        assert_eq!(seen.addrs[0].to_string(), "[fe80::1%7]:7400");
    }

    #[test]
    fn addresses_that_lead_astray_are_left_out() {
        let astray = "127.0.0.1,::1,0.0.0.0,255.255.255.255,224.0.0.1,ff02::1,::ffff:127.0.0.1";
        assert_eq!(sighting(&service(astray, PEER, 7400), ETH0, 16), Err(Unfit::Unreachable));
        let on_lo = Place { interface: "lo", index: Some(1), loopback: true };
        let seen = sighting(&service(astray, PEER, 7400), on_lo, 16).expect("fit on loopback");
        assert!(seen.addrs.iter().all(|addr| addr.ip().is_loopback()));
    }

    #[test]
    fn the_seventeenth_address_is_left_out() {
        let list = |n: u8| (1..=n).map(|i| format!("10.0.0.{i}")).collect::<Vec<_>>().join(",");
        assert_eq!(sighting(&service(&list(16), PEER, 1), ETH0, 16).map(|s| s.addrs.len()), Ok(16));
        assert_eq!(sighting(&service(&list(17), PEER, 1), ETH0, 16).map(|s| s.addrs.len()), Ok(16));
    }

    #[test]
    fn the_id_is_the_key_and_the_tag_stands_in() {
        let both = sighting(&service("10.0.0.1", &[("v", "1"), ("id", "abc"), ("t", "tag")], 1), ETH0, 16);
        assert_eq!(both.map(|s| s.key), Ok("abc".into()));
        let tag = sighting(&service("10.0.0.1", &[("v", "1"), ("t", "tag")], 1), ETH0, 16);
        assert_eq!(tag.map(|s| s.key), Ok("tag".into()));
    }

    #[test]
    fn other_services_are_refused() {
        let refused = sighting(&service("10.0.0.1", &[("path", "/")], 80), ETH0, 16);
        assert_eq!(refused, Err(Unfit::Txt(TxtError::Version)));
    }
}
