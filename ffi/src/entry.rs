//! Through here goes every function: the fork guard first, then the handles, then the body, and no panic beyond.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::args::tell;
use crate::client::Client;
use crate::download::Download;
use crate::kinds::MOORLINE_KIND_CLIENT;
use crate::library::{self, Library, NOBODY, Object, kind_of};
use crate::node::Node;
use crate::pending::Part;
use crate::room::Room;
use crate::status::{
    Failure, MOORLINE_E_DISPOSED, MOORLINE_E_FORKED, MOORLINE_E_PANIC, MOORLINE_E_WRONG_KIND, Outcome, name,
};
use crate::table::Unknown;
use crate::types::Error;

/// Runs a body that needs no handle.
pub(crate) fn entry(error: *mut Error, body: impl FnOnce(&'static Library) -> Outcome) -> i32 {
    let library = match library::current() {
        Ok(library) => library,
        Err(status) => {
            // Nothing is formatted here: in a fork, nothing may be.
            tell(error, status, name(status));
            return status;
        }
    };
    answer(error, caught(|| body(library)))
}

/// Runs a body that works before there is a library.
pub(crate) fn early(body: impl FnOnce() -> Outcome) -> i32 {
    match library::current() {
        Err(MOORLINE_E_FORKED) => MOORLINE_E_FORKED,
        _ => answer(std::ptr::null_mut(), caught(body)),
    }
}

/// Runs a body for a client that is not being disposed of.
pub(crate) fn with_client(client: u64, error: *mut Error, body: impl FnOnce(&Arc<Client>) -> Outcome) -> i32 {
    inside(client, error, |client| contained(client, Part::Client, || body(client)))
}

fn inside(client: u64, error: *mut Error, body: impl FnOnce(&Arc<Client>) -> Outcome) -> i32 {
    entry(error, |library| enter(library, client, body))
}

fn enter(library: &'static Library, client: u64, body: impl FnOnce(&Arc<Client>) -> Outcome) -> Outcome {
    let client = find_client(library, client)?;
    let _inside = client.gate.enter().ok_or_else(disposed)?;
    body(&client)
}

/// A panic in `body` concerns this part of the client.
fn contained(client: &Arc<Client>, part: Part, body: impl FnOnce() -> Outcome) -> Outcome {
    caught(body).inspect_err(|failure| {
        if failure.status == MOORLINE_E_PANIC {
            client.contain(part, "a call", &failure.message);
        }
    })
}

/// As [`inside`], for a body that begins with a thing of the client. What is stale is told before anything is locked.
fn with_object(client: u64, object: u64, error: *mut Error, body: impl FnOnce(&Arc<Client>) -> Outcome) -> i32 {
    let stale = |library: &'static Library| {
        check_client(library, client)?;
        if library.table.is_alive(object) { Ok(()) } else { Err(library::bad_handle(Unknown::Gone)) }
    };
    entry(error, |library| {
        stale(library)?;
        enter(library, client, body)
    })
}

/// Runs a body for a node of a client.
pub(crate) fn with_node(
    client: u64,
    node: u64,
    error: *mut Error,
    body: impl FnOnce(&Arc<Client>, &Arc<Node>) -> Outcome,
) -> i32 {
    with_object(client, node, error, |client| {
        let node = client.node(node)?;
        contained(client, Part::Node(node.life.handle), || body(client, &node))
    })
}

/// Runs a body for a room of a client.
pub(crate) fn with_room(
    client: u64,
    room: u64,
    error: *mut Error,
    body: impl FnOnce(&Arc<Client>, &Arc<Room>) -> Outcome,
) -> i32 {
    with_object(client, room, error, |client| match client.object(room)? {
        Object::Room(room) => contained(client, Part::Room(room.life.handle), || body(client, &room)),
        _ => Err(wrong_kind("a room")),
    })
}

/// Runs a body for a download of a client.
pub(crate) fn with_download(
    client: u64,
    download: u64,
    error: *mut Error,
    body: impl FnOnce(&Arc<Client>, &Arc<Download>) -> Outcome,
) -> i32 {
    with_client(client, error, |client| match client.object(download)? {
        Object::Download(download) => body(client, &download),
        _ => Err(wrong_kind("a download")),
    })
}

/// Runs a body that sees to its own panics.
pub(crate) fn with_careful(client: u64, body: impl FnOnce(&Arc<Client>) -> Outcome) -> i32 {
    inside(client, std::ptr::null_mut(), body)
}

/// Refuses what is no client. Takes no lock.
pub(crate) fn check_client(library: &'static Library, client: u64) -> Outcome {
    match (library.table.is_alive(client), kind_of(client)) {
        (true, MOORLINE_KIND_CLIENT) => Ok(()),
        (true, _) => Err(wrong_kind("a client")),
        (false, _) => Err(library::bad_handle(Unknown::Gone)),
    }
}

/// The client that a handle names, disposed of or not.
pub(crate) fn find_client(library: &'static Library, client: u64) -> Outcome<Arc<Client>> {
    match library.table.get(NOBODY, client) {
        Ok(Object::Client(client)) => Ok(client),
        // Everything else in the table belongs to a client.
        Ok(_) | Err(Unknown::Foreign) => Err(wrong_kind("a client")),
        Err(unknown) => Err(library::bad_handle(unknown)),
    }
}

pub(crate) fn wrong_kind(wanted: &str) -> Failure {
    Failure::new(MOORLINE_E_WRONG_KIND, format!("the handle is not that of {wanted}"))
}

pub(crate) fn disposed() -> Failure {
    Failure::new(MOORLINE_E_DISPOSED, "the client is being disposed of")
}

/// Runs something of which no panic may get out.
pub(crate) fn caught<T>(body: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(Failure::new(MOORLINE_E_PANIC, panic_text(panic))))
}

/// What a panic said.
pub(crate) fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("a panic without a text").to_owned();
    // What it carries may panic when it is dropped, and so may what that carries: that one is left alone.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
    text
}

fn answer(error: *mut Error, outcome: Outcome) -> i32 {
    match outcome {
        Ok(()) => crate::status::MOORLINE_OK,
        Err(failure) => {
            tell(error, failure.status, &failure.message);
            failure.status
        }
    }
}
