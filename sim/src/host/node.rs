mod config;
mod life;
mod spec;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_discovery::memory::Network;
use moorline_runtime::library::ShareRoot;
use moorline_runtime::node::{CommandError, DownloadId, NodeEvent, Offer, PeerView};
use moorline_runtime::transfer::DownloadEvent;
use moorline_signaling::machine::State as ClientState;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::disk::HostDisk;
use super::inbox::Inbox;
use super::{Happened, Logged, Place};
use crate::Folder;

pub(crate) use life::run;
pub use spec::NodeSpec;

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
}
