//! Beginning, end, and what all handles have in common.

use std::ffi::c_void;

use crate::args::{options, out, put};
use crate::client::{Client, Settings};
use crate::entry::{check_client, early, entry, with_careful, with_client};
use crate::kinds::{MOORLINE_ABI_VERSION, MOORLINE_FOREVER};
use crate::library::{self, Object};
use crate::status::{self, Failure, MOORLINE_E_ABI, MOORLINE_E_NULL, MOORLINE_E_WRONG_KIND};
use crate::types::{Error, Event, InitOptions, Span};
use crate::{blocks, dispose};

/// The version of the interface that this library speaks: compare its upper half with that of `MOORLINE_ABI_VERSION`.
///
/// Contract: any thread; returns at once; callback: yes; before `moorline_init`: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_abi_version(version: *mut u32) -> i32 {
    early(|| put(version, MOORLINE_ABI_VERSION, "version"))
}

/// The version of the library, as text that is valid for ever.
///
/// Contract: any thread; returns at once; callback: yes; before `moorline_init`: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_version(text: *mut Span) -> i32 {
    early(|| put(text, Span::of(env!("CARGO_PKG_VERSION").as_bytes()), "text"))
}

/// The name of a status, as text that is valid for ever: `bad_handle`, for instance; `unknown` for a number that is no status.
///
/// Contract: any thread; returns at once; callback: yes; before `moorline_init`: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_status_name(status: i32, text: *mut Span) -> i32 {
    early(|| put(text, Span::of(status::name(status).as_bytes()), "text"))
}

/// Makes a client: threads, a queue of events, and a place for nodes and rooms. Several may exist at once and do not notice one
/// another. `client` receives its handle. In a process that was forked from one with clients, it starts afresh: handles from before
/// the fork stay invalid.
///
/// Contract: any thread; takes milliseconds; callback: yes; before `moorline_init`: yes; fork: yes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_init(init: *const InitOptions, client: *mut u64, error: *mut Error) -> i32 {
    library::begin(error, |library| {
        out(client, "client")?;
        let given: InitOptions = options(init, "options")?;
        if given.abi_version >> 16 != MOORLINE_ABI_VERSION >> 16 {
            return Err(Failure::new(
                MOORLINE_E_ABI,
                format!(
                    "the caller was made for version {}.{} of the interface, and this library speaks {}.{}: install the header or \
                     package that came with this library",
                    given.abi_version >> 16,
                    given.abi_version & 0xffff,
                    MOORLINE_ABI_VERSION >> 16,
                    MOORLINE_ABI_VERSION & 0xffff
                ),
            ));
        }
        let handle = Client::start(library, &Settings::from_options(&given)?)?;
        put(client, handle, "client")
    })
}

/// Ends a client: calls off its requests, leaves rooms, stops nodes with their goodbyes, joins the callback in progress, ends all
/// threads, and makes every handle of it invalid. Waits at most `deadline_ms` (0: 5,000); what has not ended by then is cut off, named in
/// `error`, and the status is timeout: if only a callback has not returned, call again to go on waiting. When it is ok, nothing of
/// the client runs any more, and no callback ever will.
///
/// `events` and `count` receive the events that nobody took, to be freed with `moorline_free`; the last is
/// `MOORLINE_EVENT_CLIENT_CLOSED`. Both may be null. With a callback set, the callback gets them.
///
/// Contract: any thread; blocks up to its deadline; callback: would_deadlock; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_dispose(
    client: u64,
    deadline_ms: u32,
    events: *mut *const Event,
    count: *mut u32,
    error: *mut Error,
) -> i32 {
    entry(error, |library| {
        if events.is_null() != count.is_null() {
            return Err(Failure::new(MOORLINE_E_NULL, "events and count go together: give both, or neither"));
        }
        let deadline = dispose::deadline(deadline_ms);
        let (rest, cut) = dispose::dispose(library, client, deadline)?;
        blocks::hand_over_optional(&rest, events, count);
        cut.map_or(Ok(()), Err)
    })
}

/// Frees what a function handed out for freeing. Null is fine.
///
/// Contract: any thread; returns at once; callback: yes; before `moorline_init`: yes; fork: forked, and the memory stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_free(memory: *const c_void) -> i32 {
    early(|| {
        blocks::free(memory);
        Ok(())
    })
}

/// What kind of thing a handle is: `MOORLINE_KIND_...`.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_kind(client: u64, handle: u64, kind: *mut u32) -> i32 {
    entry(std::ptr::null_mut(), |library| {
        out(kind, "kind")?;
        check_client(library, client)?;
        let owner = if handle == client { library::NOBODY } else { client };
        library.table.check(owner, handle).map_err(library::bad_handle)?;
        put(kind, library::kind_of(handle), "kind")
    })
}

/// Lets go of a node, room or download. One that has not ended is ended as by `moorline_node_stop`, `moorline_room_leave` or
/// `moorline_cancel`: in good order, with its last event. The handle is invalid from here on; dropping it again is bad_handle, and
/// harmless. Requests, calls and clients are not dropped: wrong_kind.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_drop(client: u64, handle: u64) -> i32 {
    with_careful(client, |client| client.let_go(handle))
}

/// Calls off a request or a download. It ends as cancelled, with its last event, unless it had ended in the same moment. Whether the
/// other side has acted on it already is not known.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_cancel(client: u64, handle: u64) -> i32 {
    with_client(client, std::ptr::null_mut(), |client| match client.object(handle)? {
        Object::Request(request) => {
            client.cancel_request(request);
            Ok(())
        }
        Object::Download(download) => {
            download.cancel();
            Ok(())
        }
        _ => Err(Failure::new(MOORLINE_E_WRONG_KIND, "only requests and downloads can be called off")),
    })
}

/// Says that somebody listens to the events of a node or room. Until then they are held back, so that none is lost between making it
/// and listening; without it the session ends after its `ready_timeout_ms`, with ready_timeout. More than once changes nothing.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_ready(client: u64, session: u64) -> i32 {
    with_client(client, std::ptr::null_mut(), |client| client.ready(session))
}

/// `MOORLINE_FOREVER` and 0 as a time-out in milliseconds.
pub(super) fn timeout(ms: u32) -> Option<std::time::Duration> {
    (ms != MOORLINE_FOREVER).then(|| std::time::Duration::from_millis(ms.into()))
}
