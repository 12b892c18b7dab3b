use std::sync::{Arc, Mutex};

use moorline_discovery::Announcement;
use moorline_sim_point::sim_point;
use moorline_transport::{BindError, CloseReason, Endpoint, EndpointConfig};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::library::{Library, LibraryError};
use crate::supervisor::{Policy, Supervisor, SupervisorConfig};

use super::accept;
use super::bus::Bus;
use super::commands::{self, CommandSender};
use super::condemned::Condemned;
use super::conductor::Conductor;
use super::config::{NodeConfig, SocketSource};
use super::context::Context;
use super::dialer::Targets;
use super::discover;
use super::downloads::Downloads;
use super::event::NodeEvent;
use super::handle::NodeHandle;
use super::liveness;
use super::neighbours::Neighbours;
use super::peers::Peers;

/// The peer. It exists as a [`NodeHandle`] once started.
pub struct Node;

/// Why a node could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The UDP socket.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The library.
    #[error(transparent)]
    Library(#[from] LibraryError),
}

impl Node {
    /// Binds the socket and starts the services. Items are on offer as they are hashed, after this returns. Must be called inside a
    /// tokio runtime.
    pub async fn start(config: NodeConfig) -> Result<NodeHandle, StartError> {
        let NodeConfig {
            mut endpoint,
            socket,
            library,
            discovery,
            peers,
            liveness,
            dial,
            limits,
            restart,
            blocking,
            disk,
            shutdown_deadline,
        } = config;
        let library = library.map(Library::open).transpose()?;
        if let Some(library) = &library {
            let library = library.clone();
            endpoint.serves = true;
            endpoint.digest = Arc::new(move || library.digest());
        }
        let announce = library.is_some().then(|| announcement(&endpoint));
        let endpoint = match socket {
            SocketSource::Bind(addr) => Endpoint::bind(endpoint, addr)?,
            SocketSource::Given { socket, runtime } => Endpoint::with_socket(endpoint, socket, runtime)?,
        };
        let own = announce.map(|own| Announcement { port: endpoint.local_addr().port(), ..own });

        let mut supervisor_config = SupervisorConfig::named("node");
        supervisor_config.shutdown_deadline = shutdown_deadline;
        supervisor_config.pool = blocking;
        let supervisor = Arc::new(Supervisor::new(supervisor_config));
        let root = supervisor.root();
        let bus = Bus::new(limits.events);
        let events = bus.subscribe();
        let context = Arc::new(Context {
            own_id: endpoint.peer_id(),
            local_addr: endpoint.local_addr(),
            socket_buffers: endpoint.socket_buffers(),
            endpoint: Mutex::new(Some(endpoint.clone())),
            peers: Peers::new(&limits),
            targets: Targets::new(root.child("targets"), limits.targets),
            condemned: Condemned::new(dial.condemned_for),
            library,
            disk,
            downloads: Downloads::new(root.child("downloads")),
            bus: bus.clone(),
            uploads: Arc::new(Semaphore::new(limits.uploads)),
            sessions: root.child("sessions"),
            dial,
            liveness,
            limits,
        });
        supervisor.on_shutdown("goodbye", move || async move {
            sim_point!(await "shutdown.goodbye");
            endpoint.close(&CloseReason::Goodbye("the peer is stopping".into()));
            sim_point!(await "shutdown.closed");
            endpoint.wait_idle(shutdown_deadline / 2).await;
        });
        let (stopped_sender, stopped) = watch::channel(None);
        let conductor = Conductor {
            context: context.clone(),
            supervisor: supervisor.clone(),
            services: supervisor.events(),
            bus,
            stopped: stopped_sender,
            deadline: shutdown_deadline,
        };
        let (sender, receiver) = mpsc::channel(context.limits.commands);
        let mut receiver = Some(receiver);

        {
            let context = context.clone();
            supervisor.spawn("quic-server", Policy::Required, move |scope| accept::run(context.clone(), scope));
        }
        {
            let context = context.clone();
            supervisor.spawn("commands", Policy::Required, move |scope| {
                // A required service runs once, so the receiver is there.
                let receiver = receiver.take();
                let context = context.clone();
                async move {
                    let receiver = receiver.ok_or("the command loop was started twice")?;
                    commands::run(context, receiver, scope).await
                }
            });
        }
        {
            let (context, discovery) = (context.clone(), discovery.clone());
            supervisor.spawn("discovery", Policy::Restart(restart.clone()), move |scope| {
                discover::run(context.clone(), discovery.clone(), own.clone(), scope)
            });
        }
        {
            let context = context.clone();
            supervisor.spawn("liveness", Policy::Restart(restart), move |scope| {
                liveness::run(context.clone(), discovery.clone(), scope)
            });
        }
        if let Some(library) = context.library.clone() {
            let bus = context.bus.clone();
            supervisor.spawn("library-monitor", Policy::BestEffort, move |scope| {
                let (library, bus) = (library.clone(), bus.clone());
                async move {
                    tokio::select! {
                        biased;
                        end = library.clone().monitor(scope) => end,
                        () = tell_changes(&library, &bus) => Ok(()),
                    }
                }
            });
        }
        for addr in peers {
            context.targets.pin(&context, addr);
        }
        conductor.start();
        let neighbours = Neighbours::new(context.clone(), root.child("rooms"), context.limits.rooms);
        Ok(NodeHandle {
            context,
            neighbours,
            supervisor,
            commands: CommandSender::new(sender),
            stopped,
            events: Some(events),
        })
    }
}

/// Says each time that what is on offer is another. Ends never: the library outlives it.
async fn tell_changes(library: &Library, bus: &Bus) {
    let mut revision = library.revision();
    while revision.changed().await.is_ok() {
        let revision = *revision.borrow_and_update();
        bus.emit(NodeEvent::LibraryChanged { revision });
    }
    std::future::pending::<()>().await;
}

/// With a passphrase the announcement gives nothing away but a tag, random in each run: a tag made from the passphrase could be
/// guessed at leisure by anybody on the network.
fn announcement(endpoint: &EndpointConfig) -> Announcement {
    let protocol = endpoint.versions.max;
    if endpoint.access.passphrase.is_none() {
        let id = endpoint.identity.peer_id().to_string();
        return Announcement { id: Some(id), tag: None, name: Some(endpoint.name.clone()), protocol, port: 0 };
    }
    let mut random = [0; 8];
    endpoint.entropy.fill(&mut random);
    let tag = format!("{:016x}", u64::from_be_bytes(random));
    Announcement { id: None, tag: Some(tag), name: None, protocol, port: 0 }
}
