//! The end of a client: everything is called off, said goodbye to, waited for and freed, within a deadline.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use moorline_runtime::supervisor::Stragglers;
use tokio::runtime::Runtime;

use crate::client::Client;
use crate::dispatch::refuse_inside;
use crate::entry::find_client;
use crate::happening::Happening;
use crate::kinds::MOORLINE_EVENT_CLIENT_CLOSED;
use crate::library::{Library, NOBODY};
use crate::pending::Part;
use crate::status::{Failure, MOORLINE_E_BUSY, MOORLINE_E_CANCELLED, MOORLINE_E_TIMEOUT, MOORLINE_OK, Outcome};
use crate::sync::{Mutex, lock};

const DEFAULT_MS: u32 = 5_000;
/// Longer than anybody waits; keeps times within what a clock can tell.
const MAX_MS: u32 = 3_600_000;
/// What is kept for cutting off what did not end by itself, at most; a quarter of a short deadline.
const GRACE: Duration = Duration::from_millis(250);
/// What the tree of tasks needs to let go of what it aborts.
const ABORT_GRACE: Duration = Duration::from_millis(150);

/// How far the end of a client is.
#[derive(Default)]
pub(crate) struct Disposal(Mutex<Stage>);

#[derive(Default)]
enum Stage {
    #[default]
    Alive,
    /// Somebody is at it.
    Underway,
    /// Only a callback has not returned: to be waited for again. With what was cut off before.
    Callback(Option<Failure>),
}

/// Puts the stage back if this call does not get to its end: the next one begins anew.
struct Underway<'a>(&'a Disposal, Option<Stage>);

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        *lock(&self.0.0) = self.1.take().unwrap_or_default();
    }
}

/// When a call of `moorline_dispose` gives up.
pub(crate) fn deadline(ms: u32) -> Instant {
    let ms = if ms == 0 { DEFAULT_MS } else { ms.min(MAX_MS) };
    Instant::now() + Duration::from_millis(ms.into())
}

/// Ends a client. Returns the events that nobody took, and a failure if something had to be cut off; an error if it has not ended.
pub(crate) fn dispose(
    library: &'static Library,
    handle: u64,
    deadline: Instant,
) -> Outcome<(Vec<Happening>, Option<Failure>)> {
    let client = find_client(library, handle)?;
    refuse_inside(handle)?;
    let stage = std::mem::replace(&mut *lock(&client.disposal.0), Stage::Underway);
    if matches!(stage, Stage::Underway) {
        return Err(Failure::new(MOORLINE_E_BUSY, "another thread disposes of the client"));
    }
    let mut underway = Underway(&client.disposal, None);
    let mut cut = match stage {
        Stage::Callback(cut) => cut,
        _ => wind_down(&client, deadline),
    };
    if !client.dispatch.stop(&client, true, Some(deadline)) {
        underway.1 = Some(Stage::Callback(cut));
        let message = "a callback has not returned: have it return, then call moorline_dispose again";
        return Err(Failure::new(MOORLINE_E_TIMEOUT, message));
    }
    let rest = client.queue.take(usize::MAX, Some(Instant::now()), || true);
    if let Err(failure) = stop_threads(&client, deadline) {
        cut.get_or_insert(failure);
    }
    underway.1 = Some(Stage::Underway);
    // Nobody finds it from here on; what still holds it are functions that are about to return.
    drop(library.table.remove_all(handle));
    drop(library.table.remove(NOBODY, handle));
    Ok((rest, cut))
}

/// All that takes time and is told about.
fn wind_down(client: &Arc<Client>, deadline: Instant) -> Option<Failure> {
    client.gate.close();
    client.queue.nudge();
    // A call that hangs must not take the time for goodbyes.
    let left = deadline.saturating_duration_since(Instant::now());
    let in_time = client.gate.wait_empty(Instant::now() + left / 2);
    client.pending.close();
    client.call_off(Part::Client, MOORLINE_E_CANCELLED, "the client was disposed of");

    let mut late = end_sessions(client, deadline);
    if !in_time {
        late.push("calls in progress".into());
    }
    if let Err(stragglers) = stop_tasks(client, deadline) {
        late.push(stragglers);
    }
    let failure = (!late.is_empty()).then(|| {
        let message = format!("not ended in time, and cut off: {}", late.join(", "));
        Failure::new(MOORLINE_E_TIMEOUT, message)
    });
    let status = if failure.is_some() { MOORLINE_E_TIMEOUT } else { MOORLINE_OK };
    let last = Happening::new(MOORLINE_EVENT_CLIENT_CLOSED, client.handle).status(status);
    client.queue.close(last.texts([late.join(", ")]));
    failure
}

/// Has all sessions end in good order; those that do not are ended. Rooms and downloads end before their nodes do, by themselves.
fn end_sessions(client: &Arc<Client>, deadline: Instant) -> Vec<String> {
    let sessions = client.sessions_of(Part::Client);
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let all: Vec<_> = sessions.iter().map(|session| session.life().finished.clone()).collect();
    for session in &sessions {
        session.stop();
    }
    let wait = async move {
        for finished in all {
            finished.cancelled().await;
        }
        let _ = sender.send(());
    };
    client.scope().spawn("dispose", wait).detach();
    let left = deadline.saturating_duration_since(Instant::now());
    let left = left.saturating_sub(GRACE.min(left / 4));
    let in_time = receiver.recv_timeout(left).is_ok();
    let mut late = Vec::new();
    for session in sessions {
        if !in_time && !session.life().finished.is_cancelled() {
            late.push(format!("session {:#x}", session.life().handle));
        }
        session.end(client, MOORLINE_E_TIMEOUT, "cut off when the client was disposed of");
    }
    late
}

fn stop_tasks(client: &Arc<Client>, deadline: Instant) -> Result<(), String> {
    client.supervisor.shutdown();
    let left = deadline.saturating_duration_since(Instant::now());
    let grace = GRACE.min(left / 4);
    let left = left.saturating_sub(grace);
    let (sender, receiver) = std::sync::mpsc::sync_channel::<Result<(), Stragglers>>(1);
    let owner = client.clone();
    // Not in the tree of tasks that it waits for. It ends by itself, by the deadline that it is given.
    client.tokio.spawn(async move {
        let _ = sender.send(owner.supervisor.wait_stopped(left).await);
    });
    match receiver.recv_timeout(left + grace.max(ABORT_GRACE)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(stragglers)) => Err(stragglers.to_string()),
        Err(_) => Err("the threads of the client do not answer".into()),
    }
}

/// On a thread of its own, since the caller's may belong to another runtime, on which nothing may block.
fn stop_threads(client: &Arc<Client>, deadline: Instant) -> Outcome {
    let Some(runtime) = lock(&client.runtime).take() else { return Ok(()) };
    let left = deadline.saturating_duration_since(Instant::now()).max(ABORT_GRACE);
    let shared = Arc::new(Mutex::new(Some(runtime)));
    let theirs = shared.clone();
    let take = move |runtime: &Mutex<Option<Runtime>>| lock(runtime).take();
    let stop = move || take(&theirs).map(|runtime| runtime.shutdown_timeout(left));
    match std::thread::Builder::new().name("moorline-stop".into()).spawn(stop) {
        Ok(stopper) => drop(stopper.join()),
        // There is no thread to wait on: then nothing is waited for.
        Err(_) => drop(take(&shared).map(Runtime::shutdown_background)),
    }
    match client.threads.load(Ordering::SeqCst) {
        0 => Ok(()),
        count => {
            let message = format!("{count} threads are still in the operating system, and end when that returns");
            Err(Failure::new(MOORLINE_E_TIMEOUT, message))
        }
    }
}
