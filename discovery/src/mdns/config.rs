//! The knobs of [`Mdns`](crate::Mdns).

use crate::{Interface, InterfacePolicy, interfaces};
use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hasher},
    io,
    sync::Arc,
    time::Duration,
};

/// The service type that peers announce.
pub const SERVICE_TYPE: &str = "_moorline._udp.local.";

type ListInterfaces = Arc<dyn Fn() -> io::Result<Vec<Interface>> + Send + Sync>;
type Random = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How [`Mdns`](crate::Mdns) works. The default is right for a real network.
#[derive(Clone)]
pub struct MdnsConfig {
    /// UDP port of multicast DNS: 5353, unless tests want to be among themselves.
    pub port: u16,
    /// Which interfaces are used.
    pub policy: InterfacePolicy,
    /// Most interfaces used at a time, a responder (a thread and two sockets) each; the first ones, by index. Default 16.
    pub max_interfaces: usize,
    /// Most peers known at a time; more are left out until others leave. Default 1,024.
    pub max_peers: usize,
    /// Most sightings (interface and instance name) of one peer; more are left out. Default 16.
    pub max_sightings_per_peer: usize,
    /// Most addresses taken from one sighting. Default 16.
    pub max_addrs: usize,
    /// Most instance names that a responder hears of before a fresh one takes its place, since mdns-sd sets no bound to what it remembers.
    /// If that takes less than a minute, somebody floods the network: then the interface is left alone for `retry`. Default 8,192.
    pub max_names: usize,
    /// How often the list of interfaces is compared with what is in use. Default 1 s.
    pub watch_interval: Duration,
    /// How long an interface that just came up may check its addresses for duplicates before it is used all the same. Default 4 s.
    pub settle_timeout: Duration,
    /// How long the old responder of an interface goes on after its replacement has been started. Default 3 s: probing for the new
    /// instance name takes 1 s, and two announcements are 1 s apart.
    pub overlap: Duration,
    /// How long a responder may take to open its sockets. Default 5 s.
    pub start_timeout: Duration,
    /// How long to wait before an interface on which the responder failed is tried again. Default 5 s.
    pub retry: Duration,
    /// After a lost subscription, by when everything that is still there has been listed again. Default 5 s.
    pub resync: Duration,
    /// How long a peer that is being verified may take to answer before it is `Lost`. Default 10 s (RFC 6762 section 10.4).
    pub verify_timeout: Duration,
    /// Most time to say goodbye on stop, and as much again to end the responder's thread. Default 500 ms; some milliseconds are usual.
    pub goodbye_timeout: Duration,
    /// Lists the interfaces; [`interfaces`](crate::interfaces) by default.
    pub interfaces: ListInterfaces,
    /// Random numbers for host and instance names; from the operating system by default. They need not be secret, only unlikely to be drawn twice.
    pub random: Random,
}

impl Default for MdnsConfig {
    fn default() -> Self {
        MdnsConfig {
            port: mdns_sd::MDNS_PORT,
            policy: InterfacePolicy::default(),
            max_interfaces: 16,
            max_peers: 1024,
            max_sightings_per_peer: 16,
            max_addrs: 16,
            max_names: 8192,
            watch_interval: Duration::from_secs(1),
            settle_timeout: Duration::from_secs(4),
            overlap: Duration::from_secs(3),
            start_timeout: Duration::from_secs(5),
            retry: Duration::from_secs(5),
            resync: Duration::from_secs(5),
            verify_timeout: mdns_sd::VERIFY_TIMEOUT_DEFAULT,
            goodbye_timeout: Duration::from_millis(500),
            interfaces: Arc::new(interfaces),
            random: Arc::new(os_random),
        }
    }
}

impl fmt::Debug for MdnsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MdnsConfig")
            .field("port", &self.port)
            .field("policy", &self.policy)
            .field("max_interfaces", &self.max_interfaces)
            .field("max_peers", &self.max_peers)
            .finish_non_exhaustive()
    }
}

fn os_random() -> u64 {
    // The standard library's hash seed comes from the system too; it stands in should the system refuse.
    getrandom::u64().unwrap_or_else(|_| RandomState::new().build_hasher().finish())
}
