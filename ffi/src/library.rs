//! What there is one of in a process: the table of handles, and the guard that tells whether this still is that process.
//!
//! Everything else hangs off a client. This is made by the first `moorline_init`, and made anew by the first one after a fork: the old
//! one is leaked then, with all its clients, since nobody is left to run their threads, and their descriptors belong to the parent.
#![allow(unsafe_code)]

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::args::tell;
use crate::client::Client;
use crate::download::Download;
use crate::entry::caught;
use crate::fork::ForkGuard;
use crate::node::Node;
use crate::requests::Request;
use crate::room::{Call, Room};
use crate::status::{
    Failure, MOORLINE_E_BAD_HANDLE, MOORLINE_E_FORKED, MOORLINE_E_NOT_INITIALIZED, MOORLINE_E_WRONG_CLIENT, Outcome,
};
use crate::table::{Table, Unknown};
use crate::types::Error;

pub(crate) use crate::table::kind_of;

/// What handles name.
#[derive(Clone)]
pub(crate) enum Object {
    Client(Arc<Client>),
    Node(Arc<Node>),
    Room(Arc<Room>),
    Download(Arc<Download>),
    Request(Request),
    Call(Arc<Call>),
}

pub(crate) struct Library {
    guard: ForkGuard,
    pub(crate) table: Table<Object>,
    /// Forks between the first library and this one.
    age: u32,
}

static LIBRARY: AtomicPtr<Library> = AtomicPtr::new(ptr::null_mut());

/// The owner of clients in the table.
pub(crate) const NOBODY: u64 = 0;

impl Library {
    fn new(age: u32) -> Self {
        Self { guard: ForkGuard::new(), table: Table::new(age), age }
    }

    /// Whether this process is a fork of the one that it belongs to.
    #[inline]
    pub(crate) fn is_forked(&self) -> bool {
        self.guard.is_forked()
    }
}

/// The library of this process; the first thing that every function asks for. Takes no lock and allocates nothing.
#[inline]
pub(crate) fn current() -> Result<&'static Library, i32> {
    // SAFETY: a library is never freed.
    match unsafe { LIBRARY.load(Ordering::Acquire).as_ref() } {
        None => Err(MOORLINE_E_NOT_INITIALIZED),
        Some(library) if library.is_forked() => Err(MOORLINE_E_FORKED),
        Some(library) => Ok(library),
    }
}

/// Runs the body of `moorline_init`, with a library of this process.
pub(crate) fn begin(error: *mut Error, body: impl FnOnce(&'static Library) -> Outcome) -> i32 {
    let known = LIBRARY.load(Ordering::Acquire);
    // SAFETY: a library is never freed.
    let library = match unsafe { known.as_ref() } {
        Some(library) if !library.is_forked() => library,
        outdated => {
            let age = outdated.map_or(0, |library| library.age + 1);
            let fresh = Box::into_raw(Box::new(Library::new(age)));
            // Of several threads that begin at once, one is faster.
            let winner = match LIBRARY.compare_exchange(known, fresh, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => fresh,
                Err(winner) => {
                    // SAFETY: it was just made, and nobody has seen it.
                    drop(unsafe { Box::from_raw(fresh) });
                    winner
                }
            };
            // SAFETY: a library is never freed.
            unsafe { &*winner }
        }
    };
    match caught(|| body(library)) {
        Ok(()) => 0,
        Err(failure) => {
            tell(error, failure.status, &failure.message);
            failure.status
        }
    }
}

/// What a handle that names nothing is called.
pub(crate) fn bad_handle(unknown: Unknown) -> Failure {
    match unknown {
        Unknown::Gone => Failure::new(
            MOORLINE_E_BAD_HANDLE,
            "no such handle: it is 0, made up, or of something that was dropped or disposed of",
        ),
        Unknown::Foreign => Failure::new(MOORLINE_E_WRONG_CLIENT, "the handle belongs to another client"),
    }
}
