//! A room behind a handle: it is joined with a node or without one, its events become ours, and it ends once.

mod settings;
mod told;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use moorline_runtime::node::NodeHandle;
use moorline_runtime::room as joined;
use moorline_signaling::machine::{CallRefusal, Event, NetHint};
use moorline_signaling::{CallRequest, Client as Signaling, CloseReason, ConfigError, Events};
use tokio_util::sync::CancellationToken;

use crate::client::{Client, Owner, Running, Session};
use crate::entry::panic_text;
use crate::happening::Happening;
use crate::kinds::{
    MOORLINE_EVENT_ROOM_CALL, MOORLINE_EVENT_ROOM_DISCONNECTED, MOORLINE_KIND_CALL, MOORLINE_KIND_ROOM,
};
use crate::library::Object;
use crate::life::{Held, Life};
use crate::node::Node;
use crate::pending::{Home, Part};
use crate::requests::{closed, not_sent};
use crate::status::{
    Failure, MOORLINE_E_CLOSED, MOORLINE_E_INVALID_ARGUMENT, MOORLINE_E_IO, MOORLINE_E_PANIC, MOORLINE_E_READY_TIMEOUT,
    MOORLINE_E_TOO_LARGE, MOORLINE_E_TOO_MANY, Outcome,
};
use crate::sync::{Mutex, lock};

pub(crate) use settings::{Outbound, RoomSettings, fits_answer, fits_call, hint, refusal, self_update};

/// Calls of others that may wait for this side's answer. More are refused as busy.
const MAX_CALLS: usize = 1024;

/// Callers who would wait longer than this wait in vain.
const LONGEST_CALL: Duration = Duration::from_secs(3600);

pub(crate) struct Room {
    pub(crate) life: Life,
    node: u64,
    pub(crate) signaling: Signaling,
    /// Handles of calls that were not answered.
    calls: Mutex<BTreeSet<u64>>,
}

/// A call of another participant.
pub(crate) struct Call {
    handle: u64,
    room: Weak<Room>,
    request: CallRequest,
    /// It was answered, or cannot be any more.
    over: CancellationToken,
}

/// Where a room's events come from.
enum Source {
    /// Joined with a node, which meets the nodes in the room. Dropping the room leaves it.
    Met {
        events: joined::RoomEvents,
        _room: joined::Room,
    },
    Alone(Events),
}

impl Source {
    async fn next(&mut self) -> Option<Event> {
        match self {
            Self::Met { events, .. } => events.next().await,
            Self::Alone(events) => events.next().await,
        }
    }
}

/// Joins a room and returns its handle.
pub(crate) fn join(client: &Arc<Client>, node: Option<&Node>, settings: RoomSettings) -> Outcome<u64> {
    let RoomSettings { ready, ready_timeout, meet, config } = settings;
    let _inside = client.tokio.enter();
    let (signaling, source) = match node {
        Some(node) => {
            let mut with_node = joined::RoomConfig::new(config);
            with_node.meet = meet;
            let (room, events) = join_with(node.running()?, with_node)?;
            (room.client().clone(), Source::Met { events, _room: room })
        }
        None => {
            let (signaling, events, driver) = Signaling::prepare(config).map_err(|error| unusable(&error))?;
            client.scope().spawn("room-client", async move { drop(driver.run().await) }).detach();
            (signaling, Source::Alone(events))
        }
    };
    let node = node.map_or(0, |node| node.life.handle);
    let make = |life| Arc::new(Room { life, node, signaling, calls: Mutex::default() });
    let room =
        client.admit(MOORLINE_KIND_ROOM, make, |room: Arc<Room>| (Object::Room(room.clone()), Session::Room(room)))?;
    if ready {
        room.life.ready.cancel();
    }
    let handle = room.life.handle;
    let owner = client.clone();
    let running = Running::new(client, Session::Room(room.clone()));
    let task = async move {
        let _running = running;
        let work = AssertUnwindSafe(pump(&owner, &room, source, ready_timeout)).catch_unwind().await;
        if let Err(panic) = work {
            let message = panic_text(panic);
            owner.contain(Part::Room(room.life.handle), "room-events", &message);
            room.end(&owner, MOORLINE_E_PANIC, &message);
        }
        room.signaling.close();
        room.signaling.stopped().await;
    };
    client.scope().spawn("room", task).detach();
    Ok(handle)
}

impl Room {
    pub(crate) fn home(&self) -> Home {
        Home { node: self.node, room: self.life.handle }
    }

    pub(crate) fn leave(&self) {
        self.life.stopping.cancel();
        self.signaling.close();
    }

    pub(crate) fn hint(&self, hint: NetHint) {
        self.signaling.hint(hint);
    }

    pub(crate) fn refuse_ended(&self) -> Outcome {
        if self.life.is_ended() || self.life.stopping.is_cancelled() { Err(closed()) } else { Ok(()) }
    }

    /// Ends requests first, then calls, then the room.
    pub(crate) fn end(&self, client: &Client, status: i32, why: &str) {
        let calls = std::mem::take(&mut *lock(&self.calls));
        for call in calls {
            client.withdraw_call(call);
        }
        let last = Happening::new(MOORLINE_EVENT_ROOM_DISCONNECTED, self.life.handle);
        let last = last.status(status).texts([why.to_owned()]);
        self.life.end(client, Some(Part::Room(self.life.handle)), "the room ended", last);
    }
}

impl Call {
    /// Nobody waits for its answer any more.
    pub(crate) fn forget(&self) {
        self.over.cancel();
    }

    /// Answers it, unless its room is gone.
    pub(crate) fn answer(&self, result: Result<Bytes, CallRefusal>) -> Outcome {
        self.forget();
        let room = self.room.upgrade().ok_or_else(closed)?;
        lock(&room.calls).remove(&self.handle);
        room.signaling.reply(&self.request, result).map_err(not_sent)
    }
}

/// Takes the handle of a call away when it is dropped, unless the call was answered.
struct Expiry {
    client: Owner,
    room: Weak<Room>,
    call: u64,
}

impl Drop for Expiry {
    fn drop(&mut self) {
        if let (Some(client), Some(room)) = (self.client.upgrade(), self.room.upgrade())
            && lock(&room.calls).remove(&self.call)
        {
            client.withdraw_call(self.call);
        }
    }
}

/// Tells the room's events until its last one.
async fn pump(client: &Arc<Client>, room: &Arc<Room>, mut source: Source, ready_timeout: Duration) {
    let held = tokio::select! {
        biased;
        () = room.life.poisoned() => panic!("made to panic by a test"),
        held = room.life.hold(ready_timeout) => held,
    };
    if let Held::Expired = held {
        let why = format!("nobody said within {ready_timeout:?} that it listens: call moorline_ready");
        room.end(client, MOORLINE_E_READY_TIMEOUT, &why);
        room.leave();
    }
    let reason = loop {
        let event = tokio::select! {
            biased;
            () = room.life.poisoned() => panic!("made to panic by a test"),
            event = source.next() => event,
        };
        match event {
            Some(Event::Closed { reason }) => break reason,
            Some(Event::CallRequest(request)) => announce(client, room, request).await,
            Some(event) => {
                if let Some(event) = told::event(room.life.handle, event) {
                    room.life.tell_paced(client, event).await;
                }
            }
            None => break CloseReason::Internal("the room ended without a word".into()),
        }
    };
    if let CloseReason::Internal(message) = &reason {
        client.contain(Part::Room(room.life.handle), "room-client", message);
    }
    room.end(client, told::close_status(&reason), &reason.to_string());
}

/// Tells that somebody calls, with a handle to answer by. It dies when the caller waits no longer.
async fn announce(client: &Arc<Client>, room: &Arc<Room>, request: CallRequest) {
    // If it cannot be told, the caller finds out by its time-out.
    let refuse = |request: &CallRequest| _ = room.signaling.reply(request, Err(CallRefusal::Busy));
    if lock(&room.calls).len() >= MAX_CALLS {
        refuse(&request);
        return;
    }
    let timeout_ms = u64::try_from(request.timeout.as_millis()).unwrap_or(u64::MAX);
    let event = Happening::new(MOORLINE_EVENT_ROOM_CALL, room.life.handle)
        .numbers([request.from.0, timeout_ms])
        .spans([request.payload.clone(), Bytes::from(request.method.clone())]);
    let timeout = request.timeout.min(LONGEST_CALL);
    let over = CancellationToken::new();
    let fallback = request.clone();
    let make = |handle| {
        let call = Call { handle, room: Arc::downgrade(room), request, over: over.clone() };
        (client.handle, Object::Call(Arc::new(call)))
    };
    let Some(handle) = client.library.table.insert_with(MOORLINE_KIND_CALL, make) else {
        refuse(&fallback);
        return;
    };
    lock(&room.calls).insert(handle);
    let expiry = Expiry { client: Arc::downgrade(client), room: Arc::downgrade(room), call: handle };
    let finished = room.life.finished.clone();
    let expiry = async move {
        let _expiry = expiry;
        tokio::select! {
            biased;
            () = over.cancelled() => {}
            () = finished.cancelled() => {}
            () = tokio::time::sleep(timeout) => {}
        }
    };
    client.scope().spawn("call-expiry", expiry).detach();
    room.life.tell_paced(client, event.request(handle)).await;
}

fn join_with(node: &NodeHandle, config: joined::RoomConfig) -> Outcome<(joined::Room, joined::RoomEvents)> {
    node.join_room(config).map_err(|error| match &error {
        joined::JoinError::Config(config) => unusable(config),
        joined::JoinError::TooMany { .. } => Failure::new(MOORLINE_E_TOO_MANY, error.to_string()),
        _ => Failure::new(MOORLINE_E_CLOSED, error.to_string()),
    })
}

fn unusable(error: &ConfigError) -> Failure {
    let status = match error {
        ConfigError::TooLong { .. } => MOORLINE_E_TOO_LARGE,
        ConfigError::Randomness(_) | ConfigError::Tls(_) => MOORLINE_E_IO,
        _ => MOORLINE_E_INVALID_ARGUMENT,
    };
    Failure::new(status, error.to_string())
}
