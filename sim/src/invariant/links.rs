use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use moorline_runtime::node::NodeEvent;

use super::{Checker, Docket};
use crate::host::{Happened, Seen};
use crate::run::World;
use crate::scenario::HostSpec;

/// Faults leave dead connections behind, which are noticed within 10 s, and doubled ones, of which one is given up. After this long,
/// nobody has a reason to lose anybody.
const CALM: Duration = Duration::from_secs(40);

/// `stay-connected`.
#[derive(Default)]
pub(super) struct Links {
    /// Whom each node is connected to, by what it said.
    peers: BTreeMap<Arc<str>, BTreeSet<String>>,
}

impl Checker for Links {
    fn hear(&mut self, world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        let peers = self.peers.entry(seen.host.clone()).or_default();
        match &seen.what {
            Happened::Started | Happened::Crashed => peers.clear(),
            Happened::Node(NodeEvent::PeerUp(peer)) => drop(peers.insert(peer.name.clone())),
            Happened::Node(NodeEvent::PeerDown { name, reason, .. }) => {
                peers.remove(name);
                if seen.at > world.scenario.heal_at() + CALM && are_to_meet(world, &seen.host, name) {
                    let text = format!("{name} was lost although nothing is wrong any more: {reason}");
                    docket.accuse("stay-connected", seen.at, &seen.host, text);
                }
            }
            // What was missed, it was asked for.
            Happened::Node(NodeEvent::Lagged { .. }) => {
                let asked = world.cast.nodes.get(&*seen.host).map(|node| node.peers()).unwrap_or_default();
                *peers = asked.into_iter().map(|peer| peer.name).collect();
            }
            _ => {}
        }
    }

    fn missing(&self, world: &World<'_>) -> Vec<(&'static str, String, String)> {
        let mut missing = Vec::new();
        for host in world.cast.nodes.keys() {
            for other in world.cast.nodes.keys().filter(|other| are_to_meet(world, host, other)) {
                if !self.peers.get(host.as_str()).is_some_and(|peers| peers.contains(other)) {
                    missing.push(("stay-connected", host.clone(), format!("is not connected to {other}")));
                }
            }
        }
        missing
    }
}

/// Whether two nodes are there, and at least one of them has a way to find the other.
pub(super) fn are_to_meet(world: &World<'_>, a: &str, b: &str) -> bool {
    let (Some(one), Some(other)) = (world.scenario.host(a), world.scenario.host(b)) else { return false };
    let are_there = a != b && world.is_there(a) && world.is_there(b);
    // Who is caught lying is avoided.
    are_there
        && !one.lies()
        && !other.lies()
        && (knows(one, b) || knows(other, a) || finds(one, other) || finds(other, one) || meet(world, one, other))
}

fn knows(host: &HostSpec, other: &str) -> bool {
    matches!(host, HostSpec::Node { knows, .. } if knows.iter().any(|known| known == other))
}

/// By discovery, which only announces nodes that share.
fn finds(host: &HostSpec, other: &HostSpec) -> bool {
    matches!((host, other), (HostSpec::Node { finds: true, .. }, HostSpec::Node { finds: true, share, .. }) if !share.is_empty())
}

/// In a room that is on one server: of several, each keeps a room of its own.
fn meet(world: &World<'_>, host: &HostSpec, other: &HostSpec) -> bool {
    let HostSpec::Node { rooms, .. } = host else { return false };
    rooms.iter().any(|room| match room.servers.as_slice() {
        [server] => world.is_there(server) && other.servers_of(&room.room) == Some(&room.servers),
        _ => false,
    })
}
