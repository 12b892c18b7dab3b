use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use moorline_discovery::Interface;
use moorline_proto::{PeerId, wire::signal::NodeAddresses};
use prost::Message as _;

/// The key under which a node announces itself in a room.
pub(super) const KEY: &str = "moorline.node";
/// Addresses that are told, and that are taken from others.
const MAX_ADDRS: usize = 16;

/// Where this node may be reached, given where it listens: the address itself, or all of this machine's if it listens on every one.
pub(super) fn reachable(listen: SocketAddr, interfaces: &[Interface]) -> Vec<SocketAddr> {
    if !listen.ip().is_unspecified() {
        return vec![listen];
    }
    let fits = |ip: &IpAddr| listen.is_ipv6() || ip.is_ipv4();
    // Those that only lead back to this machine come last: they help peers on the same one.
    let (own, others): (Vec<&Interface>, Vec<&Interface>) =
        interfaces.iter().filter(|interface| interface.up).partition(|interface| interface.loopback);
    let ips = others.into_iter().chain(own).flat_map(|interface| interface.addrs.iter().copied());
    let mut addrs: Vec<SocketAddr> =
        ips.filter(|ip| fits(ip) && !is_link_local(ip)).map(|ip| SocketAddr::new(ip, listen.port())).collect();
    addrs.truncate(MAX_ADDRS);
    addrs
}

pub(super) fn encode(peer: PeerId, addrs: &[SocketAddr]) -> Bytes {
    let addrs = addrs.iter().take(MAX_ADDRS).map(SocketAddr::to_string).collect();
    NodeAddresses { peer_id: Bytes::copy_from_slice(peer.as_bytes()), addrs }.encode_to_vec().into()
}

/// What a participant announced; `Err` says what is wrong with it. Addresses that no peer can have are left out.
pub(super) fn decode(value: &Bytes) -> Result<(PeerId, Vec<SocketAddr>), &'static str> {
    let announced = NodeAddresses::decode(value.clone()).map_err(|_| "not an announcement of a node")?;
    let id: [u8; 32] = announced.peer_id.as_ref().try_into().map_err(|_| "a peer id that is not 32 bytes")?;
    let usable = |addr: &SocketAddr| {
        let ip = addr.ip();
        addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !is_link_local(&ip)
    };
    let mut addrs: Vec<SocketAddr> =
        announced.addrs.iter().take(MAX_ADDRS).filter_map(|addr| addr.parse().ok()).filter(usable).collect();
    addrs.sort_unstable();
    addrs.dedup();
    Ok((PeerId::from_bytes(id), addrs))
}

/// Such an address means something else on every machine.
fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addrs(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    fn interface(name: &str, up: bool, ips: &[&str]) -> Interface {
        let addrs = ips.iter().map(|ip| ip.parse().expect("an ip")).collect();
        Interface { name: name.to_owned(), up, loopback: name == "lo", addrs, ..Interface::default() }
    }

    #[test]
    fn a_node_that_listens_everywhere_tells_all_its_addresses_loopback_last() {
        let interfaces = [
            interface("lo", true, &["127.0.0.1", "::1"]),
            interface("eth0", true, &["192.0.2.7", "fe80::1", "2001:db8::7"]),
            interface("eth1", false, &["198.51.100.1"]),
        ];
        let told = |listen: &str| reachable(listen.parse().expect("an address"), &interfaces);
        assert_eq!(told("0.0.0.0:9"), addrs(&["192.0.2.7:9", "127.0.0.1:9"]));
        assert_eq!(told("[::]:9"), addrs(&["192.0.2.7:9", "[2001:db8::7]:9", "127.0.0.1:9", "[::1]:9"]));
        assert_eq!(told("192.0.2.7:9"), addrs(&["192.0.2.7:9"]));
    }

    #[test]
    fn what_is_told_is_understood_and_bounded() {
        let peer = PeerId::from_bytes([7; 32]);
        let many: Vec<SocketAddr> = (1..100).map(|port| SocketAddr::from(([192, 0, 2, 1], port))).collect();
        assert_eq!(decode(&encode(peer, &many)), Ok((peer, many[..MAX_ADDRS].to_vec())));
    }

    #[test]
    fn addresses_that_no_peer_can_have_are_left_out() {
        let texts =
            ["0.0.0.0:1", "224.0.0.1:1", "192.0.2.1:0", "169.254.1.1:5", "[fe80::1]:5", "nonsense", "192.0.2.1:5"];
        let announced =
            NodeAddresses { peer_id: vec![1; 32].into(), addrs: texts.into_iter().map(str::to_owned).collect() };
        let (_, found) = decode(&announced.encode_to_vec().into()).expect("it is an announcement");
        assert_eq!(found, addrs(&["192.0.2.1:5"]));
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(decode(&Bytes::from_static(b"\xff\xff\xff")).is_err());
        assert!(decode(&Bytes::new()).is_err());
    }
}
