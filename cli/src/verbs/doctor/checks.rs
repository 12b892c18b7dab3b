//! The single checks: each turns a fact into a status, a sentence and advice.

use std::net::SocketAddr;
use std::path::Path;

use moorline_runtime::transport::SocketBuffers;
use serde_json::{Value, json};

use crate::address::{DEFAULT_PORT, Listen};
use crate::session::{self, Session};
use crate::{text, units};

/// How good or bad a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    Info,
    Warning,
    Bad,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) status: Status,
    pub(super) detail: String,
    pub(super) advice: Option<String>,
    pub(super) data: Value,
}

impl Check {
    pub(super) fn new(name: &'static str, status: Status, detail: impl Into<String>) -> Self {
        Self { name, status, detail: detail.into(), advice: None, data: Value::Null }
    }

    pub(super) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub(super) fn data(mut self, data: Value) -> Self {
        self.data = data;
        self
    }

    /// Whether it stands in the way of finding or reaching others.
    pub(super) fn is_network(&self) -> bool {
        matches!(self.name, "multicast" | "interface" | "port" | "peer")
    }
}

pub(super) fn program() -> Check {
    let detail =
        format!("moorline {} on {} {}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    Check::new("program", Status::Info, detail).data(
        json!({ "version": env!("CARGO_PKG_VERSION"), "os": std::env::consts::OS, "arch": std::env::consts::ARCH }),
    )
}

pub(super) fn identity(session: &Session) -> Check {
    let peer = session.node().peer_id().to_string();
    let key = text::path(session.key_file());
    Check::new("identity", Status::Ok, format!("{} is peer {peer} (key in {key})", session.name()))
        .data(json!({ "peer": peer, "name": session.name(), "key": key }))
}

pub(super) fn port(local: SocketAddr, wish: Option<Listen>) -> Check {
    let port = local.port();
    let wanted = wish.is_some_and(|wish| wish.port.is_some()) || port == DEFAULT_PORT;
    let data = json!({ "listen": local.to_string(), "default_port": DEFAULT_PORT });
    if wanted {
        return Check::new("port", Status::Ok, format!("UDP {local} can be bound")).data(data);
    }
    let detail =
        format!("UDP port {DEFAULT_PORT} is taken (another `moorline share`?); UDP {local} can be bound instead");
    Check::new("port", Status::Info, detail)
        .advice("Fine for discovery. A firewall rule or --peer on other machines needs the port that `share` prints.")
        .data(data)
}

pub(super) fn buffers(buffers: Option<SocketBuffers>) -> Check {
    let Some(buffers) = buffers else {
        return Check::new("buffers", Status::Info, "this system does not say how large its UDP buffers are");
    };
    let (wanted, send, recv) = (buffers.requested as u64, buffers.send as u64, buffers.recv as u64);
    let data = json!({ "requested": wanted, "send": send, "receive": recv });
    if send >= wanted && recv >= wanted {
        let detail = format!("UDP buffers are {} to receive and {} to send", units::bytes(recv), units::bytes(send));
        return Check::new("buffers", Status::Ok, detail).data(data);
    }
    let detail = format!(
        "UDP buffers are {} to receive and {} to send, {} were asked for: fast transfers lose packets and slow down",
        units::bytes(recv),
        units::bytes(send),
        units::bytes(wanted),
    );
    Check::new("buffers", Status::Warning, detail).advice(buffer_advice(wanted)).data(data)
}

fn buffer_advice(wanted: u64) -> String {
    if cfg!(target_os = "linux") {
        format!(
            "As root: sysctl -w net.core.rmem_max={wanted} net.core.wmem_max={wanted}\n(and the same two settings in /etc/sysctl.d/ to keep them)"
        )
    } else if cfg!(target_os = "macos") {
        format!("As root: sysctl -w kern.ipc.maxsockbuf={}", wanted * 2)
    } else {
        "Raise the system's limit for socket buffers.".to_owned()
    }
}

/// Free space below which a warning is due, bytes.
const LITTLE_SPACE: u64 = 1 << 30;

pub(super) fn disk(path: &Path, space: Option<(u64, u64)>) -> Check {
    let shown = text::path(path);
    let Some((free, total)) = space else {
        return Check::new("disk", Status::Info, format!("this system does not say how much is free for {shown}"));
    };
    let detail = format!("{} of {} are free for {shown}", units::bytes(free), units::bytes(total));
    let data = json!({ "path": shown, "free": free, "total": total });
    if free < LITTLE_SPACE {
        return Check::new("disk", Status::Warning, detail)
            .advice("Free some space, or fetch to another disk with --into.")
            .data(data);
    }
    Check::new("disk", Status::Ok, detail).data(data)
}

pub(super) fn remembered(count: usize, off: bool) -> Check {
    let detail = match (off, count) {
        (true, _) => "switched off by --no-remembered".to_owned(),
        (false, 0) => "no peer is remembered yet".to_owned(),
        (false, n) => format!("{} from earlier are contacted directly at each start", units::count(n as u64, "peer")),
    };
    Check::new("remembered", Status::Info, detail).data(json!({ "peers": count }))
}

/// Who answers; and whether the peers named by the user do.
pub(super) fn peers(session: &Session, multicast_works: Option<bool>) -> Vec<Check> {
    let mut checks = Vec::new();
    let peers = session.node().peers();
    for peer in &peers {
        let address = session::canonical(peer.addr).to_string();
        let detail = format!(
            "{} ({}) answers at {address} in {:.1} ms, shares {}",
            text::name(&peer.name),
            peer.id.short(),
            peer.rtt.as_secs_f64() * 1000.0,
            units::count(peer.items as u64, "item"),
        );
        let data = json!({ "peer": peer.id.to_string(), "name": peer.name, "address": address, "rtt_ms": peer.rtt.as_secs_f64() * 1000.0, "items": peer.items });
        checks.push(Check::new("peer", Status::Ok, detail).data(data));
    }
    for refused in session.refused() {
        let advice = if refused.access {
            "It is there and can be reached: give the group's passphrase, or have this peer's id allowed there."
        } else {
            "It is there and can be reached, but the two programs do not understand each other: use the same version on both."
        };
        let detail = format!("a peer refuses: {}", refused.reason);
        checks.push(Check::new("peer", Status::Warning, detail).advice(advice));
    }
    for address in session.unanswered() {
        checks.push(
            Check::new("peer", Status::Bad, format!("nobody answers at {address}")).advice(format!(
                "Check that `moorline share` runs there and prints this address, that both machines are on the same network,\n\
                 and that no firewall on either side blocks UDP port {}.",
                address.port()
            )),
        );
    }
    if checks.is_empty() {
        let check = Check::new("peer", Status::Info, "no other peer answers");
        checks.push(match multicast_works {
            Some(true) => check.advice(
                "If there should be one: is it on the same network (not a guest network, not behind a VPN)? Some access points keep\n\
                 their clients apart. Does its firewall let UDP port 5353 and its own port in? `--peer ADDR` needs no multicast.",
            ),
            _ => check.advice("Name a machine with --peer ADDR: it is then remembered for the next time."),
        });
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_buffers_are_a_warning_with_the_command_to_mend_them() {
        let check = buffers(Some(SocketBuffers { requested: 4 << 20, send: 4 << 20, recv: 212_992 }));
        assert_eq!(check.status, Status::Warning);
        assert!(check.detail.contains("208 KiB to receive"), "{}", check.detail);
        if cfg!(target_os = "linux") {
            assert!(check.advice.expect("advice").contains("net.core.rmem_max=4194304"));
        }
        let check = buffers(Some(SocketBuffers { requested: 4 << 20, send: 4 << 20, recv: 4 << 20 }));
        assert_eq!(check.status, Status::Ok);
    }

    #[test]
    fn a_disk_has_an_edge_between_enough_and_little() {
        let status = |free| disk(Path::new("/x"), Some((free, 1 << 40))).status;
        assert_eq!(status(LITTLE_SPACE), Status::Ok);
        assert_eq!(status(LITTLE_SPACE - 1), Status::Warning);
        assert_eq!(disk(Path::new("/x"), None).status, Status::Info);
    }

    #[test]
    fn a_taken_default_port_is_told_and_a_wished_one_is_fine() {
        let at = |port| SocketAddr::from(([0, 0, 0, 0], port));
        assert_eq!(port(at(DEFAULT_PORT), None).status, Status::Ok);
        let taken = port(at(40_000), None);
        assert_eq!(taken.status, Status::Info);
        assert!(taken.detail.contains("16667 is taken"), "{}", taken.detail);
        assert_eq!(port(at(40_000), Some(Listen { ip: None, port: Some(40_000) })).status, Status::Ok);
    }

    #[test]
    fn only_network_trouble_counts_as_network_trouble() {
        assert!(Check::new("multicast", Status::Bad, "").is_network());
        assert!(!Check::new("disk", Status::Bad, "").is_network());
    }
}
