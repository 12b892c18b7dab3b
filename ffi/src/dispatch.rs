//! The thread that hands events to a callback: one a client, in order, with no lock held.

use std::cell::Cell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crate::blocks;
use crate::client::Client;
use crate::entry::panic_text;
use crate::happening::Happening;
use crate::pending::Part;
use crate::status::{Failure, MOORLINE_E_BUSY, MOORLINE_E_IO, MOORLINE_E_WOULD_DEADLOCK, Outcome};
use crate::sync::{AtomicU64, Condvar, Mutex, Ordering, PoisonError, lock};
use crate::types::{Event, EventCallback};

/// Events handed over at once, at most.
const BATCH: usize = 256;

thread_local! {
    /// The client whose callback this thread is in.
    static INSIDE: Cell<u64> = const { Cell::new(0) };
}

/// A caller's function and what it wants to have handed back.
pub(crate) struct Callback {
    function: unsafe extern "C-unwind" fn(*mut c_void, *const Event, u32),
    user_data: UserData,
}

/// A pointer that is only ever handed back.
struct UserData(*mut c_void);

// SAFETY: it is not looked at here; the contract of `moorline_events_callback` says that another thread gets it.
#[allow(unsafe_code)]
unsafe impl Send for UserData {}

impl Callback {
    pub(crate) fn new(
        function: unsafe extern "C-unwind" fn(*mut c_void, *const Event, u32),
        user_data: *mut c_void,
    ) -> Self {
        let _: EventCallback = Some(function);
        Self { function, user_data: UserData(user_data) }
    }

    #[allow(unsafe_code)]
    fn call(&self, events: &[Event]) {
        // SAFETY: the contract of `moorline_events_callback`; the events and what they lead to live until it returns.
        unsafe { (self.function)(self.user_data.0, events.as_ptr(), events.len() as u32) };
    }
}

/// Whether a client has such a thread.
#[derive(Default)]
pub(crate) struct Dispatch {
    state: Mutex<State>,
    ended: Condvar,
    /// 1 while a callback is set, for those who only look.
    set: AtomicU64,
}

#[derive(Default)]
struct State {
    running: Option<Running>,
    /// The thread has nothing left to do but to return.
    ended: bool,
}

struct Running {
    thread: JoinHandle<()>,
    stop: Arc<AtomicU64>,
}

impl Dispatch {
    pub(crate) fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire) != 0
    }

    /// Events are the callback's while there is one.
    pub(crate) fn refuse_pollers(&self) -> Outcome {
        if self.is_set() { Err(busy()) } else { Ok(()) }
    }

    /// Waits until the thread has ended: because the queue is closed and empty, or, unless it is to be `drained`, after the call in
    /// progress. False if that was not so in time. At once true without a callback.
    pub(crate) fn stop(&self, client: &Client, drained: bool, deadline: Option<Instant>) -> bool {
        let mut state = lock(&self.state);
        let Some(stop) = state.running.as_ref().map(|running| running.stop.clone()) else { return true };
        if !drained {
            stop.store(1, Ordering::Release);
            client.queue.nudge();
        }
        // Another one may have taken its place meanwhile: then this one has ended.
        let is_it = |state: &State| state.running.as_ref().is_some_and(|running| Arc::ptr_eq(&running.stop, &stop));
        while is_it(&state) && !state.ended {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            state = match left {
                Some(left) if left.is_zero() => return false,
                Some(left) => self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.ended.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        if is_it(&state) {
            self.set.store(0, Ordering::Release);
            if let Some(running) = state.running.take() {
                // A moment at most, and it catches what panics in it.
                let _ = running.thread.join();
            }
        }
        true
    }

    fn end(&self) {
        lock(&self.state).ended = true;
        self.ended.notify_all();
    }
}

/// Sets the callback of a client.
pub(crate) fn set(client: &Arc<Client>, callback: Callback) -> Outcome {
    refuse_inside(client.handle)?;
    let mut state = lock(&client.dispatch.state);
    if state.running.is_some() {
        return Err(busy());
    }
    let stop = Arc::new(AtomicU64::new(0));
    let (owner, told) = (client.clone(), stop.clone());
    client.dispatch.set.store(1, Ordering::Release);
    // Whoever is asking for events finds that they are not his any more.
    client.queue.nudge();
    let thread =
        std::thread::Builder::new().name("moorline-events".into()).spawn(move || run(&owner, &callback, &told));
    match thread {
        Ok(thread) => {
            *state = State { running: Some(Running { thread, stop }), ended: false };
            Ok(())
        }
        Err(error) => {
            client.dispatch.set.store(0, Ordering::Release);
            Err(Failure::new(MOORLINE_E_IO, format!("the thread for the callback could not be started: {error}")))
        }
    }
}

/// Takes the callback of a client away. When this returns, no call of it is in progress any more.
pub(crate) fn clear(client: &Arc<Client>) -> Outcome {
    refuse_inside(client.handle)?;
    client.dispatch.stop(client, false, None);
    Ok(())
}

/// Whether this thread is in a callback of that client.
pub(crate) fn refuse_inside(client: u64) -> Outcome {
    if INSIDE.get() != client {
        return Ok(());
    }
    Err(Failure::new(MOORLINE_E_WOULD_DEADLOCK, "a callback cannot wait for its own end: do this on another thread"))
}

fn run(client: &Arc<Client>, callback: &Callback, stop: &AtomicU64) {
    INSIDE.set(client.handle);
    let end = End(client);
    let stopped = || stop.load(Ordering::Acquire) != 0;
    while !stopped() {
        let batch = client.queue.take(BATCH, None, stopped);
        if batch.is_empty() {
            // Told to stop, or the queue is closed and empty.
            break;
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| hand_over(client, callback, &batch))) {
            if client.library.is_forked() {
                std::mem::forget(panic);
            } else {
                client.contain(Part::Client, "callback", &panic_text(panic));
            }
        }
        if client.library.is_forked() {
            // The callback has forked, and this is the child: all that is left of its threads. Nothing here belongs to it. Returning
            // ends the thread, and with it the process, as POSIX says of the last one.
            std::mem::forget((batch, end));
            return;
        }
    }
    drop(end);
}

/// Says that the thread has ended, however it does.
struct End<'a>(&'a Client);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.dispatch.end();
    }
}

fn hand_over(client: &Client, callback: &Callback, batch: &[Happening]) {
    #[cfg(feature = "test-hooks")]
    client.hooks.on_callback();
    let events: Vec<Event> = batch.iter().map(blocks::borrow).collect();
    callback.call(&events);
    if client.library.is_forked() {
        // Not even memory is given back in a child: it may have been made without the C library knowing.
        std::mem::forget(events);
    }
}

fn busy() -> Failure {
    Failure::new(MOORLINE_E_BUSY, "events go to a callback: take it away first, with null")
}
