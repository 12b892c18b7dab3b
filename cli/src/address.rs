//! Addresses that people type: where to listen, and whom to contact.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::exit::{Code, Failure, Result};

/// The UDP port that `share` takes when it is free, so that addresses stay the same over restarts.
pub(crate) const DEFAULT_PORT: u16 = 16667;
/// Longest host name that is looked up (RFC 1035), bytes.
const HOST_BYTES: usize = 253;

/// Where to listen: an address, a port, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    pub(crate) ip: Option<IpAddr>,
    pub(crate) port: Option<u16>,
}

impl Listen {
    /// The addresses to try in turn. Without a wish for a port, a stable verb tries the default port first; the last
    /// resort is a port chosen by the system.
    pub(crate) fn candidates(wish: Option<Self>, stable: bool) -> Vec<SocketAddr> {
        let ip = wish.and_then(|wish| wish.ip).unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        match wish.and_then(|wish| wish.port) {
            Some(port) => vec![SocketAddr::new(ip, port)],
            None if stable => vec![SocketAddr::new(ip, DEFAULT_PORT), SocketAddr::new(ip, 0)],
            None => vec![SocketAddr::new(ip, 0)],
        }
    }
}

/// Reads `ADDR:PORT`, `ADDR`, `PORT` or `:PORT`.
pub(crate) fn parse_listen(text: &str) -> std::result::Result<Listen, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(Listen { ip: Some(address.ip()), port: Some(address.port()) });
    }
    if let Some(ip) = parse_ip(text) {
        return Ok(Listen { ip: Some(ip), port: None });
    }
    if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse() {
        return Ok(Listen { ip: None, port: Some(port) });
    }
    Err("write ADDR:PORT, ADDR or PORT, for example 192.168.1.5:16667, [::]:0 or 16667".to_owned())
}

/// A peer as typed: a host name or an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Address(SocketAddr),
    Name(String),
}

impl Target {
    /// The addresses behind the name, at most 16. Waits for the resolver; cancel-safe.
    pub(crate) async fn resolve(&self) -> Result<Vec<SocketAddr>> {
        let name = match &self.host {
            Host::Address(address) => return Ok(vec![*address]),
            Host::Name(name) => name,
        };
        let unknown = |why: String| {
            Failure::new(Code::Unreachable, format!("cannot find the host {}: {why}", crate::text::name(name)))
                .hint("Check the spelling, or give its IP address.")
        };
        let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), self.port))
            .await
            .map_err(|error| unknown(error.to_string()))?
            .take(16)
            .collect();
        if found.is_empty() { Err(unknown("the name has no address".to_owned())) } else { Ok(found) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(address) => address.fmt(f),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

/// Reads `HOST`, `HOST:PORT`, `IP`, `IP:PORT`, `[V6]:PORT`, with a zone after `%` for link-local addresses.
pub(crate) fn parse_target(text: &str) -> std::result::Result<Target, String> {
    let bad = || {
        format!(
            "`{text}` is not an address: write HOST, HOST:PORT, 192.168.1.5:{DEFAULT_PORT} or [fe80::1%3]:{DEFAULT_PORT}"
        )
    };
    if let Ok(address) = text.parse::<SocketAddr>() {
        if address.port() == 0 {
            return Err("port 0 cannot be contacted".to_owned());
        }
        return Ok(Target { host: Host::Address(address), port: address.port() });
    }
    if let Ok(address) = format!("[{text}]:{DEFAULT_PORT}").parse::<SocketAddr>() {
        return Ok(Target { host: Host::Address(address), port: DEFAULT_PORT });
    }
    if let Some(ip) = parse_ip(text) {
        return Ok(Target { host: Host::Address(SocketAddr::new(ip, DEFAULT_PORT)), port: DEFAULT_PORT });
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| bad())?),
        None => (text, DEFAULT_PORT),
    };
    let letters = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let numeric = host.chars().all(|c| c.is_ascii_digit() || c == '.');
    if host.is_empty()
        || host.len() > HOST_BYTES
        || host.starts_with('-')
        || port == 0
        || numeric
        || !host.chars().all(letters)
    {
        return Err(bad());
    }
    Ok(Target { host: Host::Name(host.to_owned()), port })
}

/// Whether `text` can only be meant as an address: a literal, or something with a port.
pub(crate) fn looks_like_address(text: &str) -> bool {
    let with_port = text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    parse_target(text).is_ok_and(|target| with_port || matches!(target.host, Host::Address(_)))
}

fn parse_ip(text: &str) -> Option<IpAddr> {
    text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_addresses_come_in_four_spellings() {
        let listen = |ip: Option<&str>, port| Listen { ip: ip.map(|ip| ip.parse().expect("an ip")), port };
        assert_eq!(parse_listen("127.0.0.1:5000"), Ok(listen(Some("127.0.0.1"), Some(5000))));
        assert_eq!(parse_listen("[::1]:0"), Ok(listen(Some("::1"), Some(0))));
        assert_eq!(parse_listen("::1"), Ok(listen(Some("::1"), None)));
        assert_eq!(parse_listen("5000"), Ok(listen(None, Some(5000))));
        assert_eq!(parse_listen(":5000"), Ok(listen(None, Some(5000))));
        for bad in ["", "here", "70000", "1.2.3.4:x", "1.2.3"] {
            assert!(parse_listen(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_stable_verb_tries_the_default_port_then_any() {
        let texts = |wish, stable| -> Vec<String> {
            Listen::candidates(wish, stable).iter().map(ToString::to_string).collect()
        };
        assert_eq!(texts(None, true), ["[::]:16667", "[::]:0"]);
        assert_eq!(texts(None, false), ["[::]:0"]);
        assert_eq!(texts(parse_listen("127.0.0.1").ok(), true), ["127.0.0.1:16667", "127.0.0.1:0"]);
        assert_eq!(texts(parse_listen("4000").ok(), true), ["[::]:4000"]);
    }

    #[test]
    fn peers_come_as_literals_and_as_names() {
        let shown = |text| parse_target(text).map(|target| target.to_string());
        assert_eq!(shown("10.0.0.5").as_deref(), Ok("10.0.0.5:16667"));
        assert_eq!(shown("10.0.0.5:99").as_deref(), Ok("10.0.0.5:99"));
        assert_eq!(shown("[fe80::1%3]:99").as_deref(), Ok("[fe80::1%3]:99"));
        assert_eq!(shown("fe80::1%3").as_deref(), Ok("[fe80::1%3]:16667"));
        assert_eq!(shown("[::1]").as_deref(), Ok("[::1]:16667"));
        assert_eq!(shown("alice.local").as_deref(), Ok("alice.local:16667"));
        assert_eq!(shown("alice:99").as_deref(), Ok("alice:99"));
        for bad in
            ["", ":99", "alice:0", "10.0.0.5:0", "alice:port", "a b", "-x", "10.0.0", "1.2.3.4.5", &"x".repeat(254)]
        {
            assert!(parse_target(bad).is_err(), "{bad}");
        }
        assert!(parse_target(&"x".repeat(253)).is_ok());
    }

    #[test]
    fn a_peer_name_is_not_taken_for_an_address() {
        assert!(looks_like_address("10.0.0.5"));
        assert!(looks_like_address("alice:16667"));
        assert!(looks_like_address("::1"));
        assert!(!looks_like_address("alice"));
        assert!(!looks_like_address("alice.local"));
    }

    #[tokio::test]
    async fn a_literal_needs_no_resolver() {
        let target = parse_target("127.0.0.1:9").expect("an address");
        assert_eq!(target.resolve().await.expect("resolves"), ["127.0.0.1:9".parse().expect("an address")]);
    }
}
