use std::net::SocketAddr;

use moorline_signaling::CloseReason;
use moorline_signaling::client::{Client, ClientConfig, ConfigError};
use moorline_signaling::machine::Event;
use tokio::sync::mpsc;

use crate::node::NodeHandle;
use crate::supervisor::Scope;

use super::meet::Meeting;

/// Events that wait for the application before the room reads no more; the last one always finds room.
const EVENTS: usize = 64;

/// Which room to join, and what to tell there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RoomConfig {
    /// The server, the room, the token, and how to recover.
    pub client: ClientConfig,
    /// Whether this node tells its peer id and addresses, and connects to the nodes that tell theirs. Default: yes.
    pub meet: bool,
    /// Where this node may be reached beside its own addresses: what a router maps to it, for instance. At most 16 are told in all.
    pub addrs: Vec<SocketAddr>,
}

impl RoomConfig {
    /// Joins as `client` says, and meets the nodes in the room.
    #[must_use]
    pub fn new(client: ClientConfig) -> Self {
        Self { client, meet: true, addrs: Vec::new() }
    }
}

/// Why a room could not even be tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The configuration makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The node is stopping, or has stopped.
    #[error("the node is stopping")]
    Stopping,
    /// As many rooms as are allowed are joined
    /// ([`NodeLimits::rooms`](crate::node::NodeLimits::rooms)).
    #[error("{limit} rooms are joined already: leave one first")]
    TooMany {
        /// How many.
        limit: usize,
    },
}

/// A room that this node has joined or is on its way into. Dropping it leaves the room, as does the end of the node.
#[derive(Debug)]
pub struct Room {
    client: Client,
    scope: Scope,
}

/// What happens in a room, in order, up to one [`Event::Closed`]. Dropping it discards events; the room goes on.
///
/// It has to be read or dropped: once 64 events wait, the room reads no more until one is taken. It stays joined, but nodes that come
/// or move meanwhile are not met.
#[derive(Debug)]
pub struct RoomEvents {
    events: mpsc::Receiver<Event>,
}

impl RoomEvents {
    /// The next event; `None` after the last. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

impl Room {
    /// To send, call, and look who is there.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Leaves the room, and waits until nothing of it is left: about a second at most. Cancel-safe; the room ends in any case.
    pub async fn leave(&self) -> CloseReason {
        self.client.close();
        let reason = self.client.stopped().await;
        self.scope.join().await;
        reason
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.client.close();
    }
}

impl NodeHandle {
    /// Joins a room on a signaling server. Returns at once: whether it succeeds is told by the events, whose last is one
    /// [`Event::Closed`]. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If the room cannot even be tried.
    pub fn join_room(&self, config: RoomConfig) -> Result<(Room, RoomEvents), JoinError> {
        let RoomConfig { client, meet, addrs } = config;
        let (client, events, driver) = Client::prepare(client)?;
        let neighbours = self.neighbours().clone();
        let scope = match neighbours.room_scope() {
            Ok(Some(scope)) => scope,
            Ok(None) => return Err(JoinError::Stopping),
            Err(limit) => return Err(JoinError::TooMany { limit }),
        };
        let (sender, receiver) = mpsc::channel(EVENTS);
        let last = sender.clone().try_reserve_owned().expect("a new channel has room");
        let meeting = Meeting::new(neighbours, meet.then_some(addrs), client.clone());
        drop(scope.spawn("client", async move { drop(driver.run().await) }));
        drop(scope.spawn("events", meeting.run(events, sender, last, scope.clone())));
        Ok((Room { client, scope }, RoomEvents { events: receiver }))
    }
}
