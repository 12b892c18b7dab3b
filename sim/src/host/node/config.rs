//! How a node is set up: everything that it would ask the system for comes from the simulation.

use std::sync::Arc;
use std::time::Duration;

use moorline_discovery::{Discovery, StaticPeers};
use moorline_runtime::library::{LibraryConfig, ShareRoot};
use moorline_runtime::node::{NodeConfig, NodeHandle, SocketSource};
use moorline_runtime::room::{JoinError, RoomConfig};
use moorline_signaling::ClientConfig;
use moorline_transport::{EndpointConfig, Identity};

use super::NodeHost;
use crate::host::Place;
use crate::host::rooms::Rooms;
use crate::{OnTheSpot, SimConnector, SimQuicRuntime, SimUdpSocket};

/// The UDP port of every node.
const PORT: u16 = 7400;

impl NodeHost {
    pub(super) async fn config(&self, life: u64) -> std::io::Result<NodeConfig> {
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

    pub(super) fn join_rooms(&self, node: &NodeHandle, life: u64) -> Result<Rooms, JoinError> {
        let mut rooms = Rooms::default();
        for (room, urls) in &self.spec.rooms {
            rooms.join(node, self.room_config(room, urls, life))?;
        }
        Ok(rooms)
    }
}

/// Simulated, like the modification times that [`Folder::write`](crate::Folder::write) gives.
fn wall_clock() -> std::time::SystemTime {
    std::time::UNIX_EPOCH + turmoil::since_epoch().unwrap_or_default()
}
