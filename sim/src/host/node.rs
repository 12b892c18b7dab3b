use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline_discovery::memory::Network;
use moorline_discovery::{Discovery, StaticPeers};
use moorline_runtime::library::{Library, LibraryConfig, ShareRoot};
use moorline_runtime::node::{
    CommandError, DownloadHandle, DownloadId, DownloadRequest, Node, NodeConfig, NodeEvent, NodeHandle, Offer,
    PeerView, SocketSource,
};
use moorline_runtime::room::RoomConfig;
use moorline_runtime::transfer::DownloadEvent;
use moorline_signaling::ClientConfig;
use moorline_signaling::machine::State as ClientState;
use moorline_transport::{EndpointConfig, Identity};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use tokio::sync::{mpsc, watch};

use super::disk::HostDisk;
use super::inbox::Inbox;
use super::liar::turn_bytes_around;
use super::rooms::Rooms;
use super::{Configure, Happened, Logged, Place};
use crate::{Folder, OnTheSpot, SimConnector, SimQuicRuntime, SimUdpSocket};

/// The UDP port of every node.
const PORT: u16 = 7400;

/// What a node host is like.
#[derive(Clone, Default)]
pub struct NodeSpec {
    shares: bool,
    knows: Vec<String>,
    /// Names, each with the addresses of its servers.
    rooms: Vec<(String, Vec<String>)>,
    is_alone: bool,
    lies: bool,
    configure: Option<Configure<NodeConfig>>,
}

impl NodeSpec {
    /// A node that shares every file and folder in `share` of its host's folder.
    #[must_use]
    pub fn sharing() -> Self {
        Self { shares: true, ..Self::default() }
    }

    /// It was told the address of the node on that host, as a user would: it dials without being asked by discovery.
    #[must_use]
    pub fn knowing(mut self, other: &str) -> Self {
        self.knows.push(other.to_owned());
        self
    }

    /// It joins a room on these servers as soon as it has started, meets the nodes that are in it, and stays.
    #[must_use]
    pub fn in_room<U: Into<String>>(mut self, urls: impl IntoIterator<Item = U>, room: impl Into<String>) -> Self {
        self.rooms.push((room.into(), urls.into_iter().map(Into::into).collect()));
        self
    }

    /// Discovery does not work there: it finds nobody, and nobody finds it that way.
    #[must_use]
    pub fn without_discovery(self) -> Self {
        Self { is_alone: true, ..self }
    }

    /// Its disk goes bad once what it shares is listed: every byte is another one then, and nothing else tells. It is good again
    /// whenever the node starts, until it has listed.
    #[must_use]
    pub fn lying(self) -> Self {
        Self { lies: true, ..self }
    }

    /// Has a last look at the configuration, each time that the node starts.
    #[must_use]
    pub fn configure(self, with: impl Fn(&mut NodeConfig) + Send + Sync + 'static) -> Self {
        Self { configure: Some(Arc::new(with)), ..self }
    }
}

/// How it stands with something that a node was to fetch.
#[derive(Clone, Debug)]
pub enum FetchState {
    /// Nobody offers it yet, as far as this life of the node knows.
    Wanted,
    /// It is being fetched.
    Running(DownloadId),
    /// It ended so.
    Ended(DownloadEvent),
    /// The node would not begin.
    Refused(CommandError),
}

impl FetchState {
    /// Whether it ended, or did not begin, only because the node did.
    fn was_cut_off(&self, called_off: bool) -> bool {
        match self {
            Self::Running(_) | Self::Refused(CommandError::Stopping) => true,
            Self::Ended(DownloadEvent::Cancelled) => !called_off,
            _ => false,
        }
    }
}

/// A host that runs a node. Clones are the same host. What it was to fetch and has not finished, it fetches again after a crash.
#[derive(Clone)]
pub struct NodeHost {
    place: Place,
    spec: NodeSpec,
    network: Network,
    orders: Inbox<Order>,
    disk: HostDisk,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    lives: u64,
    power_losses: u64,
    fetches: BTreeMap<String, FetchState>,
    events: Vec<Logged<NodeEvent>>,
    offers: Vec<Offer>,
    peers: Vec<PeerView>,
    /// Where it is with each room.
    rooms: BTreeMap<String, ClientState>,
    /// The bytes of what it shares are turned around.
    is_turned: bool,
    /// Fetches that the user called off.
    called_off: BTreeSet<String>,
    /// What was last recorded of it, and in which life.
    told: Option<(u64, &'static str)>,
}

enum Order {
    LookForOffers,
    Cancel(String),
    Deaf(bool),
    Share(ShareRoot),
    Stop,
}

impl NodeHost {
    pub(crate) fn new(place: Place, spec: NodeSpec, network: Network) -> Self {
        Self { place, spec, network, orders: Inbox::default(), disk: HostDisk::default(), state: Arc::default() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.place.name
    }

    /// Its disk.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.place.folder
    }

    /// Fetches the item of this name into `into`, as soon as somebody offers one.
    pub fn fetch(&self, item: &str) {
        {
            let mut state = self.lock();
            state.fetches.insert(item.to_owned(), FetchState::Wanted);
            state.called_off.remove(item);
        }
        self.place.happened(Happened::FetchAsked { item: item.to_owned() });
        self.orders.order(Order::LookForOffers);
    }

    /// Calls a fetch off. Nothing happens if it is not running, or if the host is down.
    pub fn cancel(&self, item: &str) {
        self.lock().called_off.insert(item.to_owned());
        self.orders.order(Order::Cancel(item.to_owned()));
    }

    /// Whether the node's user reads its events. One who does not misses some.
    pub fn set_deaf(&self, deaf: bool) {
        self.orders.order(Order::Deaf(deaf));
    }

    /// Whether the disk takes no more than it has. Survives crashes.
    pub fn set_disk_full(&self, full: bool) {
        self.disk.set_full(full);
    }

    /// Leaves of what it fetched what a power cut may leave: what was flushed to the disk, and of the rest any part. To be called once
    /// the host was killed, and before it is started again.
    ///
    /// # Errors
    /// Whatever the real file system answers.
    pub fn lose_power(&self) -> std::io::Result<()> {
        let number = {
            let mut state = self.lock();
            state.power_losses += 1;
            state.power_losses.to_string()
        };
        self.place.net.trace().record(&self.place.name, "fault", |fields| {
            fields.text("what", "power_loss").text("detail", &number);
        });
        let seed = self.place.seeds.derive(&[&self.place.name, "power", &number]);
        self.disk.lose_power(&self.place.folder.path("into"), &mut ChaCha8Rng::from_seed(seed))
    }

    /// How it stands with a fetch.
    #[must_use]
    pub fn fetch_state(&self, item: &str) -> Option<FetchState> {
        self.lock().fetches.get(item).cloned()
    }

    /// Whether the item of this name is whole and in its place.
    #[must_use]
    pub fn fetched(&self, item: &str) -> bool {
        matches!(self.fetch_state(item), Some(FetchState::Ended(DownloadEvent::Finished { .. })))
    }

    /// Shares one more file or folder of the host's folder. Lost if the host is down.
    pub fn share(&self, relative: &str) {
        self.orders.order(Order::Share(ShareRoot::Item(self.place.folder.path(relative))));
    }

    /// Asks the node to stop in good order.
    pub fn stop(&self) {
        self.orders.order(Order::Stop);
    }

    /// How often it was started.
    #[must_use]
    pub fn lives(&self) -> u64 {
        self.lock().lives
    }

    /// All events so far, of all lives.
    #[must_use]
    pub fn events(&self) -> Vec<Logged<NodeEvent>> {
        self.lock().events.clone()
    }

    /// Looks at the events so far without copying them. Must not call the host meanwhile.
    pub fn with_events<T>(&self, look: impl FnOnce(&[Logged<NodeEvent>]) -> T) -> T {
        look(&self.lock().events)
    }

    /// What its peers offered when that last changed.
    #[must_use]
    pub fn offers(&self) -> Vec<Offer> {
        self.lock().offers.clone()
    }

    /// Its peers when they last changed.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerView> {
        self.lock().peers.clone()
    }

    /// Where its client is with a room; `None` before it has said anything in this life.
    #[must_use]
    pub fn room_state(&self, room: &str) -> Option<ClientState> {
        self.lock().rooms.get(room).copied()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn config(&self, life: u64) -> std::io::Result<NodeConfig> {
        let Place { name, net, folder, tls, .. } = &self.place;
        let identity = Identity::from_seed(self.place.seeds.derive(&[name, "identity"]));
        let mut endpoint = EndpointConfig::new(identity);
        endpoint.name = name.to_string();
        endpoint.entropy = self.place.seeds.stream(&[name, "transport", &life.to_string()]);
        endpoint.time = Arc::new(self.place.wall.clone());
        let tls = tls.ok_or_else(|| std::io::Error::other("more hosts than can speak TLS"))?;
        tls.seed(self.place.seed("tls", life));
        endpoint.provider = Arc::new(tls.provider());

        let ip = turmoil::lookup(&**name);
        let discovery: Arc<dyn Discovery> = match self.spec.is_alone {
            true => Arc::new(StaticPeers::default()),
            false => Arc::new(self.network.join(&**name, vec![ip])),
        };
        let mut config = NodeConfig::new(endpoint, discovery);
        let socket = SimUdpSocket::bind(net, name, PORT).await?;
        config.socket = SocketSource::Given { socket, runtime: Arc::new(SimQuicRuntime) };
        config.blocking = Arc::new(OnTheSpot);
        config.disk = Arc::new(self.disk.clone());
        if self.spec.shares {
            let [a, b, c, d, e, f, g, h, ..] = self.place.seed("library", life);
            let mut library = LibraryConfig::new(folder.path("cache"), [a, b, c, d, e, f, g, h]);
            std::fs::create_dir_all(folder.path("share"))?;
            library.roots = vec![ShareRoot::Children(folder.path("share"))];
            library.watch = false;
            library.rescan_interval = Duration::from_secs(5);
            library.wall_clock = wall_clock;
            config.library = Some(library);
        }
        config.peers = self.spec.knows.iter().map(|other| (turmoil::lookup(&**other), PORT).into()).collect();
        if let Some(configure) = &self.spec.configure {
            configure(&mut config);
        }
        Ok(config)
    }

    /// As a program would that stays: it tries to get back for ever.
    fn room_config(&self, room: &str, urls: &[String], life: u64) -> RoomConfig {
        let Place { name, net, .. } = &self.place;
        let mut urls = urls.iter();
        let mut config = ClientConfig::new(urls.next().cloned().unwrap_or_default(), room);
        for url in urls {
            config = config.server(url);
        }
        config.machine.info.name = name.to_string();
        config.machine.timers.deadline = None;
        config.connector = Arc::new(SimConnector::new(net, name));
        config.seed = Some(self.place.seeds.derive(&[name, "room", room, &life.to_string()]));
        config.suspend_clock = None;
        RoomConfig::new(config)
    }

    fn join_rooms(&self, node: &NodeHandle, life: u64) -> Result<Rooms, moorline_runtime::room::JoinError> {
        let mut rooms = Rooms::default();
        for (room, urls) in &self.spec.rooms {
            rooms.join(node, self.room_config(room, urls, life))?;
        }
        Ok(rooms)
    }

    /// Turns the bytes of what it shares around, unless they are as they are to be.
    fn turn(&self, around: bool) -> std::io::Result<()> {
        let mut state = self.lock();
        if self.spec.lies && state.is_turned != around {
            state.is_turned = around;
            turn_bytes_around(&self.place.folder.path("share"))?;
        }
        Ok(())
    }

    /// Begins what can be begun.
    async fn begin_fetches(&self, node: &NodeHandle, downloads: &mut BTreeMap<String, DownloadHandle>) {
        let offers = node.offers();
        self.lock().offers.clone_from(&offers);
        let wanted: Vec<String> = {
            let state = self.lock();
            let wanted = state.fetches.iter().filter(|(_, state)| matches!(state, FetchState::Wanted));
            wanted.map(|(item, _)| item.clone()).collect()
        };
        for item in wanted {
            let Some(offer) = offers.iter().find(|offer| offer.summary.name == item) else { continue };
            let request = DownloadRequest::new(offer.summary.id, self.place.folder.path("into"));
            let begun = match node.download(request).await {
                Ok(download) => {
                    let id = download.id();
                    self.place.happened(Happened::FetchBegun { item: item.clone(), id });
                    downloads.insert(item.clone(), download);
                    FetchState::Running(id)
                }
                Err(CommandError::UnknownItem { .. }) => FetchState::Wanted,
                Err(error) => {
                    self.place.happened(Happened::FetchRefused { item: item.clone(), why: error.clone() });
                    FetchState::Refused(error)
                }
            };
            self.lock().fetches.insert(item, begun);
        }
    }

    /// Asks the downloads themselves how they ended, when that may be among the events that were missed.
    async fn catch_up(&self, downloads: &mut BTreeMap<String, DownloadHandle>) {
        for (item, download) in downloads {
            loop {
                let event = tokio::select! {
                    biased;
                    event = download.next() => event,
                    () = std::future::ready(()) => None,
                };
                let Some(event) = event else { break };
                if event.is_terminal() {
                    self.lock().fetches.insert(item.clone(), FetchState::Ended(event));
                }
            }
        }
    }

    fn heard(&self, life: u64, event: &NodeEvent) {
        self.place.record("node", life, event);
        self.place.happened(Happened::Node(event.clone()));
        let at = self.place.net.clock().now();
        let mut state = self.lock();
        if let NodeEvent::Download { id, event } = event
            && event.is_terminal()
        {
            let running = |fetch: &&mut FetchState| matches!(fetch, FetchState::Running(own) if own == id);
            if let Some(fetch) = state.fetches.values_mut().find(running) {
                *fetch = FetchState::Ended(event.clone());
            }
        }
        state.events.push(Logged { at, life, event: event.clone() });
    }

    /// Records what the node is at, if that is something else now.
    fn tell_state(&self, life: u64) {
        let mut state = self.lock();
        let is_fetching = state.fetches.values().any(|fetch| matches!(fetch, FetchState::Running(_)));
        let now = match state.peers.len() {
            _ if is_fetching => "fetching",
            0 => "alone",
            _ => "linked",
        };
        if state.told != Some((life, now)) {
            state.told = Some((life, now));
            self.place.state(life, now, None);
        }
    }
}

/// One life of a node.
pub(crate) async fn run(host: NodeHost) -> turmoil::Result {
    let mut orders = host.orders.open();
    let life = {
        let mut state = host.lock();
        let life = state.lives;
        state.lives += 1;
        (state.offers, state.peers) = (Vec::new(), Vec::new());
        state.rooms.clear();
        // What ran in an earlier life runs no more.
        let State { fetches, called_off, .. } = &mut *state;
        for (_, fetch) in fetches.iter_mut().filter(|(item, fetch)| fetch.was_cut_off(called_off.contains(*item))) {
            *fetch = FetchState::Wanted;
        }
        life
    };
    host.place.say("host", life, "started");
    host.place.happened(Happened::Started);
    host.turn(false)?;
    let mut node = Node::start(host.config(life).await?).await?;
    let mut events = node.events();
    let mut rooms = host.join_rooms(&node, life)?;
    let mut listed = node.library().filter(|_| host.spec.lies).map(Library::revision);
    listed.iter_mut().for_each(watch::Receiver::mark_changed);
    let node = Arc::new(node);
    let stopped_from_within = Arc::downgrade(&node);
    host.place.points.stop_with(&host.place.name, move || {
        if let Some(node) = stopped_from_within.upgrade() {
            node.shutdown();
        }
    });
    let mut downloads = BTreeMap::new();
    let mut deaf = false;
    loop {
        host.tell_state(life);
        tokio::select! {
            biased;
            event = events.next(), if !deaf => {
                let Some(event) = event else { break };
                host.heard(life, &event);
                match event {
                    NodeEvent::OffersChanged => host.begin_fetches(&node, &mut downloads).await,
                    NodeEvent::PeerUp(_) | NodeEvent::PeerDown { .. } => host.lock().peers = node.peers(),
                    NodeEvent::Lagged { .. } => {
                        host.lock().peers = node.peers();
                        host.catch_up(&mut downloads).await;
                        host.begin_fetches(&node, &mut downloads).await;
                    }
                    _ => {}
                }
            }
            (room, now, event) = rooms.next(), if !deaf => {
                host.place.record("room", life, &event);
                host.lock().rooms.insert(room.clone(), now);
                host.place.happened(Happened::NodeRoom { room, event });
            }
            () = changed(&mut listed) => {
                if node.library().is_some_and(|library| !library.items().is_empty()) {
                    listed = None;
                    host.turn(true)?;
                }
            }
            order = next_order(&mut orders) => match order {
                Order::LookForOffers => host.begin_fetches(&node, &mut downloads).await,
                Order::Cancel(item) => {
                    if let Some(download) = downloads.remove(&item) {
                        download.cancel();
                    }
                }
                Order::Deaf(now) => {
                    deaf = now;
                    host.place.happened(Happened::Deaf(deaf));
                }
                Order::Share(root) => drop(node.share(root).await),
                Order::Stop => node.shutdown(),
            },
        }
    }
    let reason = node.wait_stopped().await;
    host.place.say("host", life, &format!("{reason}; {} tasks left", node.alive_tasks()));
    host.place.happened(Happened::Stopped { tasks_left: Some(node.alive_tasks()) });
    Ok(())
}

/// Pending for ever once there is nobody to give orders.
async fn next_order(orders: &mut mpsc::Receiver<Order>) -> Order {
    match orders.recv().await {
        Some(order) => order,
        None => std::future::pending().await,
    }
}

/// Pending for ever where there is nothing to wait for.
async fn changed(revision: &mut Option<watch::Receiver<u64>>) {
    let changed = match revision {
        Some(revision) => revision.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending::<()>().await;
    }
}

/// Simulated, like the modification times that [`Folder::write`] gives.
fn wall_clock() -> std::time::SystemTime {
    std::time::UNIX_EPOCH + turmoil::since_epoch().unwrap_or_default()
}
