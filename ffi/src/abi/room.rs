//! Rooms: joining, leaving, talking.

use std::time::Duration;

use crate::args::{bytes, optional, options, out, put, text};
use crate::entry::{with_client, with_room};
use crate::room::{self, Outbound, RoomSettings, hint, self_update};
use crate::types::{Error, Event, RoomOptions, SendOptions, UpdateOptions};
use crate::{blocks, requests};

/// Joins a room, with a node, which then meets the nodes in the room, or with 0 for `node`, without one. `room` receives its handle at
/// once: whether it succeeds is told by `MOORLINE_EVENT_ROOM_JOINED`, or by `MOORLINE_EVENT_ROOM_DISCONNECTED`, which is the last event in
/// any case. Leaving or dropping the room calls the joining off. Its events wait for `moorline_ready`.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_room_join(
    client: u64,
    node: u64,
    settings: *const RoomOptions,
    room: *mut u64,
    error: *mut Error,
) -> i32 {
    with_client(client, error, |client| {
        out(room, "room")?;
        let settings = RoomSettings::from_options(&options(settings, "options")?)?;
        let node = (node != 0).then(|| client.node(node)).transpose()?;
        put(room, room::join(client, node.as_deref(), settings)?, "room")
    })
}

/// Leaves a room with a goodbye, or gives up joining it. `MOORLINE_EVENT_ROOM_DISCONNECTED` follows, within about a second whatever the
/// server does. The handle stays valid until it is dropped. Again changes nothing.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_room_leave(client: u64, room: u64) -> i32 {
    with_room(client, room, std::ptr::null_mut(), |_, room| {
        room.leave();
        Ok(())
    })
}

/// One `MOORLINE_RECORD_ROOM`. Free `*events` with `moorline_free`.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_room_info(client: u64, room: u64, events: *mut *const Event, count: *mut u32) -> i32 {
    with_room(client, room, std::ptr::null_mut(), |_, room| blocks::hand_over(&[room.info()], events, count))
}

/// Who is in the room: a `MOORLINE_RECORD_PARTICIPANT` each, this one included, followed by its `MOORLINE_RECORD_ATTRIBUTE` and
/// `MOORLINE_RECORD_VALUE`. May be ahead of events that were not taken yet. Free `*events` with `moorline_free`.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_room_participants(
    client: u64,
    room: u64,
    events: *mut *const Event,
    count: *mut u32,
) -> i32 {
    with_room(client, room, std::ptr::null_mut(), |_, room| blocks::hand_over(&room.participants(), events, count))
}

/// Sends a message. Messages of one class arrive in the order of the calls. `settings` may be null. `request` receives the handle of the
/// request: it is done, with ok, when the server has the message (reliable, latest), or when it was handed to the connection.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_room_send(
    client: u64,
    room: u64,
    settings: *const SendOptions,
    payload: *const u8,
    payload_length: u64,
    request: *mut u64,
    error: *mut Error,
) -> i32 {
    with_room(client, room, error, |client, room| {
        out(request, "request")?;
        let payload = bytes(payload, payload_length, "payload")?;
        let message = Outbound::new(optional(settings, "options")?.as_ref(), payload)?;
        put(request, requests::send(client, room, message)?, "request")
    })
}

/// Calls a participant. `request` receives the handle of the request: it is done with ok and the answer, or with the reason that there
/// is none, at the latest after `timeout_ms` (0: 10,000).
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_room_call(
    client: u64,
    room: u64,
    participant: u64,
    method: *const u8,
    method_length: u64,
    payload: *const u8,
    payload_length: u64,
    timeout_ms: u32,
    request: *mut u64,
    error: *mut Error,
) -> i32 {
    with_room(client, room, error, |client, room| {
        out(request, "request")?;
        let method = text(method, method_length, "method")?.to_owned();
        let payload = bytes(payload, payload_length, "payload")?.to_vec();
        room::fits_call(&method, &payload)?;
        let timeout = Duration::from_millis(if timeout_ms == 0 { 10_000 } else { timeout_ms.into() });
        put(request, requests::call(client, room, participant, method, payload, timeout)?, "request")
    })
}

/// Changes what this participant says of itself. `request` receives the handle of the request: it is done when the server has taken it.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_room_update(
    client: u64,
    room: u64,
    update: *const UpdateOptions,
    request: *mut u64,
    error: *mut Error,
) -> i32 {
    with_room(client, room, error, |client, room| {
        out(request, "request")?;
        let update = self_update(&options(update, "options")?)?;
        put(request, requests::update(client, room, update)?, "request")
    })
}

/// Tells a room what the system knows of the network: `MOORLINE_HINT_...`.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_room_hint(client: u64, room: u64, advice: u32) -> i32 {
    with_room(client, room, std::ptr::null_mut(), |_, room| {
        room.hint(hint(advice)?);
        Ok(())
    })
}
