//! Functions that only test builds export: panics and events on demand.

use std::sync::Arc;

use bytes::Bytes;

use crate::args::{out, put};
use crate::client::{Client, Session};
use crate::entry::{with_client, with_node, with_room, wrong_kind};
use crate::happening::Happening;
use crate::kinds::{
    MOORLINE_EVENT_DOWNLOAD_PROGRESS, MOORLINE_EVENT_OFFERS_CHANGED, MOORLINE_KIND_NODE, MOORLINE_KIND_ROOM,
};
use crate::library::{Object, kind_of};
use crate::pending::Home;
use crate::queue::Class;
use crate::status::{Failure, MOORLINE_E_INVALID_ARGUMENT, Outcome};

const IN_CALL: u32 = 1;
const IN_TASK: u32 = 2;
const IN_PUMP: u32 = 3;
const IN_CALLBACK: u32 = 4;
const IN_DROP: u32 = 5;

/// Makes something panic. `place`: 1 this very call, 2 a task of the client or session, 3 what reads the events of the node or room, 4 the
/// next callback of the client, 5 the dropping of the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_test_panic(client: u64, handle: u64, place: u32) -> i32 {
    let none = std::ptr::null_mut();
    let here = || -> Outcome { panic!("made to panic by a test, in a call") };
    match (place, kind_of(handle)) {
        (IN_CALL, MOORLINE_KIND_NODE) => with_node(client, handle, none, |_, _| here()),
        (IN_CALL, MOORLINE_KIND_ROOM) => with_room(client, handle, none, |_, _| here()),
        (IN_CALL, _) => with_client(client, none, |_| here()),
        _ => with_client(client, none, |client| later(client, handle, place)),
    }
}

fn later(client: &Arc<Client>, handle: u64, place: u32) -> Outcome {
    if place == IN_CALLBACK {
        client.hooks.poison_callback();
        return Ok(());
    }
    let session = session(client, handle)?;
    match (place, session) {
        (IN_TASK, session) => {
            let home = session.map_or(Home { node: 0, room: 0 }, |session| home(&session));
            // Nobody waits for it: it ends in its panic.
            client.request(home, None, async { panic!("made to panic by a test, in a task") }).map(drop)
        }
        (IN_PUMP, Some(session)) => {
            session.life().hooks.poison_pump();
            Ok(())
        }
        (IN_DROP, Some(session)) => {
            session.life().hooks.poison_drop();
            Ok(())
        }
        _ => Err(Failure::new(MOORLINE_E_INVALID_ARGUMENT, "there is no such place to panic in")),
    }
}

/// Pushes events of a kind, numbered from 0 in `numbers[0]`, with so many bytes in the first span.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_test_emit(client: u64, kind: u32, count: u32, bytes: u32) -> i32 {
    with_client(client, std::ptr::null_mut(), |client| {
        let class = match kind {
            MOORLINE_EVENT_OFFERS_CHANGED | MOORLINE_EVENT_DOWNLOAD_PROGRESS => Class::State,
            _ => Class::News,
        };
        let payload = Bytes::from(vec![b'x'; bytes as usize]);
        for number in 0..count {
            let event = Happening::new(kind, client.handle).numbers([number.into()]).spans([payload.clone()]);
            client.queue.push(class, event);
        }
        Ok(())
    })
}

/// A request of a client, node or room that ends only when it is called off.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_test_request(client: u64, handle: u64, request: *mut u64) -> i32 {
    with_client(client, std::ptr::null_mut(), |client| {
        out(request, "request")?;
        let session = session(client, handle)?;
        let home = session.as_ref().map_or(Home { node: 0, room: 0 }, home);
        let life = session.as_ref().map(Session::life);
        put(request, client.request(home, life, std::future::pending())?, "request")
    })
}

/// The session of a handle; `None` for the client's own.
fn session(client: &Arc<Client>, handle: u64) -> Outcome<Option<Session>> {
    if handle == client.handle {
        return Ok(None);
    }
    match client.object(handle)? {
        Object::Node(node) => Ok(Some(Session::Node(node))),
        Object::Room(room) => Ok(Some(Session::Room(room))),
        _ => Err(wrong_kind("a client, a node or a room")),
    }
}

fn home(session: &Session) -> Home {
    match session {
        Session::Node(node) => node.home(),
        Session::Room(room) => room.home(),
        Session::Download(download) => download.home(),
    }
}
