//! A node for one verb: built from the options, watched while the verb runs, stopped cleanly at its end.

mod meeting;
mod passphrase;
mod remembered;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moorline_runtime::discovery::{Combined, Discovery, InterfacePolicy, Mdns, MdnsConfig};
use moorline_runtime::library::{LibraryConfig, ShareRoot};
use moorline_runtime::node::{
    Node, NodeConfig, NodeEvent, NodeEvents, NodeHandle, PeerView, SocketSource, StartError, StopReason,
};
use moorline_runtime::proto::PeerId;
use moorline_runtime::transport::{Access, EndpointConfig, Entropy, OsEntropy};

use crate::address::Listen;
use crate::args::NetArgs;
use crate::exit::{Code, Failure, Result};
use crate::output::Output;
use crate::state::{Home, IdentityLock, Remembered};
use crate::{machine, text};

pub(crate) use meeting::{Meeting, Unreached, parse_meeting};

use meeting::Meetings;
use remembered::RememberedPeers;

/// How long a clean stop may take before the program leaves anyway.
const STOP_DEADLINE: Duration = Duration::from_secs(2);
/// What the node gets of that: it needs a moment more to name what it had to cut off.
const NODE_DEADLINE: Duration = Duration::from_millis(1300);
/// How long a program that shares keeps dialling remembered peers.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// How the node's events call an address that was given to it.
fn target_of(address: SocketAddr) -> String {
    format!("static:{address}")
}

/// What a verb wants its node for.
#[derive(Debug, Default)]
pub(crate) struct Purpose {
    /// What to share; none for a node that only looks and fetches.
    pub(crate) share: Option<Vec<ShareRoot>>,
    /// Only these peers may connect.
    pub(crate) allow: Vec<PeerId>,
    /// Listen on the default port if it is free, so that the address stays the same over restarts.
    pub(crate) stable_port: bool,
}

/// A running node and what belongs to it.
pub(crate) struct Session {
    node: NodeHandle,
    events: NodeEvents,
    remembered: Option<Remembered>,
    refused: Vec<Refused>,
    /// The targets that the user named, each with its addresses.
    named: Vec<Vec<SocketAddr>>,
    name: String,
    closed: bool,
    meetings: Meetings,
    /// Whether peers can turn up that the user did not name.
    looks_around: bool,
    /// Held until the node has stopped.
    identity: IdentityLock,
}

/// A peer that cannot be used.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    /// The key it was found under: its address, id or tag. Not safe to print.
    pub(crate) target: String,
    /// Who, and why: a sentence, safe to print.
    pub(crate) reason: String,
    /// Whether passphrase or allow list stood in the way.
    pub(crate) access: bool,
}

/// Peers that refused us, as remembered for a message; further ones are only counted by the node's log.
const MAX_REFUSED: usize = 32;

impl Session {
    /// Starts a node as the options say.
    pub(crate) async fn start(output: &Output, net: &NetArgs, purpose: Purpose) -> Result<Self> {
        let home = Home::locate()?;
        let access = access(net, &purpose)?;
        let closed = access.passphrase.is_some();
        let mut named = Vec::new();
        for target in &net.peers {
            named.push(target.resolve().await?);
        }
        let identity = IdentityLock::take(&home, net.identity.as_deref())?;
        let remembered = (!net.no_remembered).then(|| Remembered::load(&home));
        let name = net.name.clone().unwrap_or_else(|| machine::peer_name(identity.sibling()));

        let shares = purpose.share.is_some();
        let candidates = Listen::candidates(net.listen, purpose.stable_port);
        let mut refused = None;
        for (index, address) in candidates.iter().enumerate() {
            let mut config =
                NodeConfig::new(endpoint(&identity, &name, &access), discovery(net, remembered.as_ref(), shares));
            config.socket = SocketSource::Bind(*address);
            config.peers = named.iter().flatten().copied().collect();
            config.shutdown_deadline = NODE_DEADLINE;
            config.library = purpose.share.as_ref().map(|roots| library(&home, roots));
            match Node::start(config).await {
                Ok(mut node) => {
                    let events = node.events();
                    if index > 0 {
                        output.note(format_args!(
                            "port {} is taken, so this one uses {}",
                            candidates[0].port(),
                            node.local_addr().port()
                        ));
                    }
                    let meetings = Meetings::join(&node, net, &name, shares)?;
                    let looks_around = !net.no_multicast
                        || !net.rooms.is_empty()
                        || remembered.as_ref().is_some_and(|remembered| !remembered.addresses().is_empty());
                    return Ok(Self {
                        node,
                        events,
                        remembered,
                        refused: Vec::new(),
                        named,
                        name,
                        closed,
                        meetings,
                        looks_around,
                        identity,
                    });
                }
                Err(StartError::Bind(error)) => {
                    let failure = Failure::new(Code::Unreachable, error.to_string())
                        .hint("Choose another address or port with --listen, or leave it out.");
                    refused = Some(failure);
                }
                Err(error) => return Err(Failure::new(Code::LocalDisk, error.to_string())),
            }
        }
        Err(refused.unwrap_or_else(|| Failure::new(Code::Unreachable, "there is no address to listen on")))
    }

    /// The next thing that happens; `None`: in a room. What a person should know of that is told. An error when the node died: then it
    /// has stopped already.
    pub(crate) async fn next(&mut self, output: &Output) -> Result<Option<NodeEvent>> {
        let mut failed = None;
        loop {
            let event = tokio::select! {
                biased;
                event = self.events.next() => event,
                () = self.meetings.watch(&self.node, output), if failed.is_none() => return Ok(None),
            };
            match event {
                Some(NodeEvent::RuntimeFailed(failure)) => failed = Some(failure.to_string()),
                Some(NodeEvent::Stopped { reason }) => {
                    let why = failed.unwrap_or_else(|| reason.to_string());
                    return Err(died(&why));
                }
                None => return Err(died(failed.as_deref().unwrap_or("it ended without a reason"))),
                Some(event) => {
                    self.notice(&event);
                    return Ok(Some(event));
                }
            }
        }
    }

    pub(crate) fn node(&self) -> &NodeHandle {
        &self.node
    }

    /// Peers that refused us so far. One peer may be found under several keys: each reason is told once.
    pub(crate) fn refused(&self) -> Vec<&Refused> {
        let mut told: Vec<&Refused> = Vec::new();
        for refused in &self.refused {
            if !told.iter().any(|known| known.reason == refused.reason) {
                told.push(refused);
            }
        }
        told
    }

    /// Whether this node has a passphrase.
    pub(crate) fn is_closed_group(&self) -> bool {
        self.closed
    }

    /// Contacts a peer that the user named by address.
    pub(crate) async fn contact(&mut self, addresses: Vec<SocketAddr>) -> Result<()> {
        for address in &addresses {
            let added = self.node.add_peer(*address).await;
            added.map_err(|error| Failure::new(Code::Failure, format!("cannot contact {address}: {error}")))?;
        }
        self.named.push(addresses);
        Ok(())
    }

    /// The first address of each peer that the user named and that neither answered nor refused so far.
    pub(crate) fn unanswered(&self) -> Vec<SocketAddr> {
        let peers = self.node.peers();
        let open = self.named.iter().filter(|addresses| self.is_open(&peers, addresses));
        open.filter_map(|addresses| addresses.first().copied()).collect()
    }

    /// Where the key of this node's identity is.
    pub(crate) fn key_file(&self) -> &Path {
        self.identity.path()
    }

    /// Whether the user named peers by address.
    pub(crate) fn has_named(&self) -> bool {
        !self.named.is_empty()
    }

    /// Whether a refusal's target is an address that the user named.
    pub(crate) fn is_named(&self, target: &str) -> bool {
        self.named.iter().flatten().any(|address| target == target_of(*address))
    }

    /// Something is known to be on its way: a peer that the user named has neither answered nor refused yet, or a
    /// connected one has not said yet what it shares.
    pub(crate) fn is_pending(&self) -> bool {
        let peers = self.node.peers();
        peers.iter().any(|peer| peer.serves && !peer.listed)
            || self.named.iter().any(|addresses| self.is_open(&peers, addresses))
    }

    /// When the rooms have shown who is in them: an answer that is given before may miss somebody.
    pub(crate) fn rooms_settle_at(&self) -> Option<Instant> {
        self.meetings.settle_at()
    }

    /// Rooms that were not reached so far.
    pub(crate) fn unreached_rooms(&self) -> Vec<Unreached> {
        self.meetings.unreached()
    }

    /// Nothing can turn up any more that is not there already.
    pub(crate) fn is_complete(&self) -> bool {
        !self.looks_around && !self.is_pending()
    }

    /// Changes whenever a peer or an offer appears or goes; zero as long as nothing was seen at all.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mix = |sum: u64, part: u64| sum.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(part).wrapping_add(1);
        let mut sum = self.refused.len() as u64;
        for peer in self.node.peers() {
            sum = peer.id.as_bytes().iter().fold(sum, |sum, byte| mix(sum, u64::from(*byte)));
            sum = mix(mix(sum, peer.items as u64), u64::from(peer.listed));
        }
        sum
    }

    fn is_open(&self, peers: &[PeerView], addresses: &[SocketAddr]) -> bool {
        let connected = |address: &SocketAddr| peers.iter().any(|peer| canonical(peer.addr) == canonical(*address));
        !addresses.iter().any(|address| connected(address) || self.is_refused(*address))
    }

    fn is_refused(&self, address: SocketAddr) -> bool {
        let target = target_of(address);
        self.refused.iter().any(|refused| refused.target == target)
    }

    /// The name that others see.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Says goodbye and waits until the node has stopped, at most [`STOP_DEADLINE`].
    pub(crate) async fn stop(self) -> Option<StopReason> {
        self.node.shutdown();
        tokio::time::timeout(STOP_DEADLINE, self.node.wait_stopped()).await.ok()
    }

    fn notice(&mut self, event: &NodeEvent) {
        match event {
            NodeEvent::PeerUp(peer) if peer.serves => {
                if let Some(remembered) = &mut self.remembered
                    && let Err(error) = remembered.note(peer.id, canonical(peer.addr))
                {
                    tracing::debug!(%error, "cannot remember a peer");
                }
            }
            NodeEvent::PeerRefused { target, reason, access }
                if self.refused.len() < MAX_REFUSED && !self.refused.iter().any(|known| known.target == *target) =>
            {
                let reason = text::reason(reason);
                self.refused.push(Refused { target: target.clone(), reason, access: *access });
            }
            _ => {}
        }
    }
}

fn died(why: &str) -> Failure {
    Failure::new(Code::Failure, format!("the node stopped by itself: {}", text::reason(why)))
        .hint("Start it again; with -vv it says more. If it happens again, please report it.")
}

fn access(net: &NetArgs, purpose: &Purpose) -> Result<Access> {
    let allow = (!purpose.allow.is_empty()).then(|| purpose.allow.iter().copied().collect());
    Ok(Access { passphrase: passphrase::read(net)?, allow })
}

/// What every endpoint of the program has in common.
fn endpoint(identity: &IdentityLock, name: &str, access: &Access) -> EndpointConfig {
    let mut config = EndpointConfig::new(identity.identity());
    name.clone_into(&mut config.name);
    config.agent = concat!("moorline/", env!("CARGO_PKG_VERSION")).to_owned();
    config.access = access.clone();
    config
}

fn library(home: &Home, roots: &[ShareRoot]) -> LibraryConfig {
    LibraryConfig { roots: roots.to_vec(), ..LibraryConfig::new(home.cache().join("library"), random_bytes()) }
}

/// Eight random bytes, for the revisions of a library.
pub(crate) fn random_bytes() -> [u8; 8] {
    let mut random = [0; 8];
    OsEntropy.fill(&mut random);
    random
}

fn discovery(net: &NetArgs, remembered: Option<&Remembered>, shares: bool) -> Arc<dyn Discovery> {
    let mut backends: Vec<Arc<dyn Discovery>> = Vec::new();
    if !net.no_multicast {
        backends.push(Arc::new(Mdns::new(mdns(net))));
    }
    if let Some(remembered) = remembered {
        // Whoever looks for something keeps trying as long as it runs; whoever shares is found by the others.
        let patience = shares.then_some(REMEMBERED_FOR);
        backends.push(Arc::new(RememberedPeers::new(remembered.addresses(), patience)));
    }
    Arc::new(Combined::new(backends))
}

/// How multicast DNS is set up for these options; `doctor` looks at the same.
pub(crate) fn mdns(net: &NetArgs) -> MdnsConfig {
    MdnsConfig { policy: policy(net), ..MdnsConfig::default() }
}

/// Which interfaces the options ask for.
pub(crate) fn policy(net: &NetArgs) -> InterfacePolicy {
    InterfacePolicy { include: net.interfaces.clone(), exclude: net.skipped.clone(), ..InterfacePolicy::default() }
}

/// An IPv4 peer of a dual-stack socket shows up as `::ffff:a.b.c.d`: people and files see the plain form.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(ip) => SocketAddr::new(ip.into(), v6.port()),
            None => address,
        },
        SocketAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_become_plain_and_others_stay() {
        let shown = |text: &str| canonical(text.parse().expect("an address")).to_string();
        assert_eq!(shown("[::ffff:10.0.0.1]:5"), "10.0.0.1:5");
        assert_eq!(shown("[fe80::1%3]:5"), "[fe80::1%3]:5");
        assert_eq!(shown("10.0.0.1:5"), "10.0.0.1:5");
    }
}
