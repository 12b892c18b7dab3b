use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use moorline_runtime::node::NodeHandle;
use moorline_runtime::room::{JoinError, Room, RoomConfig, RoomEvents};
use moorline_signaling::machine::{Event, State};

/// The rooms that one life of a node is in. Dropping them leaves them.
#[derive(Default)]
pub(super) struct Rooms {
    visits: Vec<Visit>,
}

struct Visit {
    name: String,
    room: Room,
    events: RoomEvents,
    over: bool,
}

impl Rooms {
    /// Joins one more. Must be called inside of the host.
    pub(super) fn join(&mut self, node: &NodeHandle, config: RoomConfig) -> Result<(), JoinError> {
        let name = config.client.machine.room.clone();
        let (room, events) = node.join_room(config)?;
        self.visits.push(Visit { name, room, events, over: false });
        Ok(())
    }

    /// What happens next, and in which room it does; pending for ever once nothing can happen any more. Cancel-safe.
    pub(super) async fn next(&mut self) -> (String, State, Event) {
        poll_fn(|context| {
            for visit in self.visits.iter_mut().filter(|visit| !visit.over) {
                let event = pin!(visit.events.next()).poll(context);
                match event {
                    Poll::Ready(Some(event)) => {
                        return Poll::Ready((visit.name.clone(), visit.room.client().state(), event));
                    }
                    Poll::Ready(None) => visit.over = true,
                    Poll::Pending => {}
                }
            }
            Poll::Pending
        })
        .await
    }
}
