//! Taking events: by asking for them, by a descriptor, or by a callback.

use std::ffi::c_void;

use crate::args::{out, put};
use crate::blocks;
use crate::dispatch::{self, Callback};
use crate::entry::with_client;
use crate::status::{Failure, MOORLINE_E_INVALID_ARGUMENT};
use crate::types::{Event, EventCallback};

use super::client::timeout;

/// Takes up to `capacity` events (at most 65,536), in order. Waits up to `timeout_ms` for the first one: 0 does not wait,
/// `MOORLINE_FOREVER` does not give up. `*count` is 0 and `*events` null if none came. Free `*events` with `moorline_free`: that frees
/// what its spans lead to as well. busy while a callback is set. When the client is disposed of meanwhile, it returns at once.
///
/// Contract: any thread, several at once share the events; blocks up to its time-out; callback: busy; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_events_poll(
    client: u64,
    capacity: u32,
    timeout_ms: u32,
    events: *mut *const Event,
    count: *mut u32,
) -> i32 {
    with_client(client, std::ptr::null_mut(), |client| {
        out(events, "events")?;
        out(count, "count")?;
        if capacity == 0 {
            return Err(Failure::new(MOORLINE_E_INVALID_ARGUMENT, "capacity is 0: no event would fit"));
        }
        let taken = client.take_events(capacity.min(1 << 16) as usize, timeout(timeout_ms))?;
        blocks::hand_over(&taken, events, count)
    })
}

/// A descriptor that is readable while events wait: for `poll`, `epoll` and event loops. It belongs to the client: do not read, write or
/// close it. Linux only; elsewhere invalid_argument.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_events_fd(client: u64, descriptor: *mut i32) -> i32 {
    with_client(client, std::ptr::null_mut(), |client| {
        out(descriptor, "descriptor")?;
        put(descriptor, client.wake_descriptor()?, "descriptor")
    })
}

/// Has events handed to `callback`, in order, from one thread that the client keeps for it, with no lock held. Null takes it away again:
/// then no call of it is in progress any more when this returns. `user_data` is handed back as it is.
///
/// Contract: any thread; taking it away blocks until the call in progress returns; callback: would_deadlock; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_events_callback(client: u64, callback: EventCallback, user_data: *mut c_void) -> i32 {
    with_client(client, std::ptr::null_mut(), |client| match callback {
        Some(function) => dispatch::set(client, Callback::new(function, user_data)),
        None => dispatch::clear(client),
    })
}
