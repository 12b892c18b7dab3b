//! A client: the runtime, the queue of events and the list of requests that nodes and rooms share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use moorline_runtime::supervisor::{Scope, Supervisor, SupervisorConfig};
use moorline_signaling::machine::CallRefusal;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;

use crate::dispatch::Dispatch;
use crate::dispose::Disposal;
use crate::download::Download;
use crate::entry::{caught, wrong_kind};
use crate::gate::Gate;
use crate::happening::{Happening, Hold};
use crate::kinds::{MOORLINE_EVENT_PANIC, MOORLINE_KIND_CALL, MOORLINE_KIND_CLIENT, MOORLINE_KIND_NODE};
use crate::library::{Library, NOBODY, Object, bad_handle, kind_of};
use crate::life::Life;
use crate::node::Node;
use crate::pending::{Part, Pending};
use crate::queue::{Class, Queue};
use crate::requests::Call;
use crate::room::{self, Room};
use crate::status::{
    Failure, MOORLINE_E_CANCELLED, MOORLINE_E_INVALID_ARGUMENT, MOORLINE_E_IO, MOORLINE_E_PANIC, MOORLINE_E_TOO_MANY,
    Outcome,
};
use crate::sync::{Mutex, lock};
use crate::types::InitOptions;
use crate::{log, threads};

/// Nodes, rooms and downloads of one client that were not dropped, or whose last event was not taken.
const MAX_SESSIONS: usize = 16_384;

/// Tasks of a session: its own, what it runs on, and calls that wait for this side's answer. If all sessions were rooms with as many
/// calls as may be, some would find no place: those calls are refused as busy.
const TASKS_PER_SESSION: usize = 16;

/// How a client is made, checked.
pub(crate) struct Settings {
    threads: usize,
    events: usize,
    requests: usize,
    log_level: u32,
}

impl Settings {
    pub(crate) fn from_options(options: &InitOptions) -> Outcome<Self> {
        let bounded = |value: u32, default: u32, most: u32, what: &str| match value {
            0 => Ok(default as usize),
            value if value <= most => Ok(value as usize),
            value => {
                let message = format!("{what} is {value}, and the limit is {most}");
                Err(Failure::new(MOORLINE_E_INVALID_ARGUMENT, message))
            }
        };
        Ok(Self {
            threads: bounded(options.threads, 2, 64, "threads")?,
            events: bounded(options.event_capacity, 4096, 1 << 20, "event_capacity")?,
            requests: bounded(options.request_capacity, 4096, 1 << 20, "request_capacity")?,
            log_level: bounded(options.log_level, 0, 5, "log_level")? as u32,
        })
    }
}

/// Something with events of its own and an end.
#[derive(Clone)]
pub(crate) enum Session {
    Node(Arc<Node>),
    Room(Arc<Room>),
    Download(Arc<Download>),
}

pub(crate) struct Client {
    pub(crate) handle: u64,
    pub(crate) library: &'static Library,
    pub(crate) queue: Arc<Queue>,
    pub(crate) pending: Pending<Call>,
    /// For requests.
    pub(crate) places: Arc<Semaphore>,
    session_places: Arc<Semaphore>,
    pub(crate) gate: Gate,
    pub(crate) dispatch: Dispatch,
    pub(crate) disposal: Disposal,
    pub(crate) supervisor: Supervisor,
    /// Where tasks are started from threads that are not the runtime's.
    pub(crate) tokio: Handle,
    /// Taken by `dispose`.
    pub(crate) runtime: Mutex<Option<Runtime>>,
    pub(crate) threads: Threads,
    /// Those that have not ended.
    sessions: Mutex<BTreeMap<u64, Session>>,
    /// Takes lines of the log, where they are wanted.
    logger: Option<tracing::Dispatch>,
    #[cfg(feature = "test-hooks")]
    pub(crate) hooks: crate::hooks::ClientHooks,
}

impl Client {
    /// Makes one and returns its handle.
    pub(crate) fn start(library: &'static Library, settings: &Settings) -> Outcome<u64> {
        let queue = Arc::new(Queue::new(settings.events));
        let logger = log::to_queue(settings.log_level, Arc::downgrade(&queue));
        let threads = Threads::default();
        let runtime = runtime(settings, logger.clone(), &threads)?;
        let supervisor = {
            let _inside = runtime.enter();
            let max_tasks = settings.requests + MAX_SESSIONS * TASKS_PER_SESSION;
            Supervisor::new(SupervisorConfig { max_tasks, ..SupervisorConfig::named("client") })
        };
        let make = |handle| {
            let client = Self {
                handle,
                library,
                queue,
                pending: Pending::new(),
                places: Arc::new(Semaphore::new(settings.requests)),
                session_places: Arc::new(Semaphore::new(MAX_SESSIONS)),
                gate: Gate::new(),
                dispatch: Dispatch::default(),
                disposal: Disposal::default(),
                supervisor,
                tokio: runtime.handle().clone(),
                runtime: Mutex::new(Some(runtime)),
                threads,
                sessions: Mutex::default(),
                logger,
                #[cfg(feature = "test-hooks")]
                hooks: crate::hooks::ClientHooks::default(),
            };
            (NOBODY, Object::Client(Arc::new(client)))
        };
        library.table.insert_with(MOORLINE_KIND_CLIENT, make).ok_or_else(full)
    }

    /// What a handle of this client names.
    pub(crate) fn object(&self, handle: u64) -> Outcome<Object> {
        self.library.table.get(self.handle, handle).map_err(|unknown| {
            let is_client = kind_of(handle) == MOORLINE_KIND_CLIENT && self.library.table.check(NOBODY, handle).is_ok();
            if is_client { wrong_kind("something that belongs to a client") } else { bad_handle(unknown) }
        })
    }

    pub(crate) fn node(&self, handle: u64) -> Outcome<Arc<Node>> {
        match self.object(handle)? {
            Object::Node(node) => Ok(node),
            _ => Err(wrong_kind("a node")),
        }
    }

    /// The part of the tree of tasks in which everything of this client runs.
    pub(crate) fn scope(&self) -> Scope {
        self.supervisor.root()
    }

    pub(crate) fn take_events(&self, most: usize, timeout: Option<Duration>) -> Outcome<Vec<Happening>> {
        self.dispatch.refuse_pollers()?;
        // A time-out beyond what the clock can tell is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let enough = || self.gate.is_closed() || self.dispatch.is_set();
        Ok(self.queue.take(most, deadline, enough))
    }

    pub(crate) fn wake_descriptor(&self) -> Outcome<i32> {
        self.queue.descriptor()
    }

    /// Takes a session in, and gives it its handle.
    pub(crate) fn admit<T>(
        &self,
        kind: u32,
        make: impl FnOnce(Life) -> Arc<T>,
        wrap: impl Fn(Arc<T>) -> (Object, Session),
    ) -> Outcome<Arc<T>> {
        let place = self.session_places.clone().try_acquire_owned().map_err(|_| {
            let message = format!("{MAX_SESSIONS} nodes, rooms and downloads exist already: end and drop some first");
            Failure::new(MOORLINE_E_TOO_MANY, message)
        })?;
        let place = Hold::new(place);
        let mut made = None;
        let enter = |handle| {
            let thing = make(Life::new(handle, place));
            let (object, session) = wrap(thing.clone());
            lock(&self.sessions).insert(handle, session);
            made = Some(thing);
            (self.handle, object)
        };
        self.library.table.insert_with(kind, enter).ok_or_else(full)?;
        made.ok_or_else(|| Failure::internal("a session was not made"))
    }

    /// Takes an ended session off the list. Its handle stays valid until it is dropped.
    pub(crate) fn forget(&self, handle: u64) {
        lock(&self.sessions).remove(&handle);
    }

    /// The sessions of a part that have not ended.
    pub(crate) fn sessions_of(&self, part: Part) -> Vec<Session> {
        lock(&self.sessions).values().filter(|session| session.is_in(part)).cloned().collect()
    }

    pub(crate) fn ready(&self, session: u64) -> Outcome {
        match self.object(session)? {
            Object::Node(node) => node.life.ready.cancel(),
            Object::Room(room) => room.life.ready.cancel(),
            _ => return Err(wrong_kind("a node or a room")),
        }
        Ok(())
    }

    pub(crate) fn let_go(&self, handle: u64) -> Outcome {
        let session = match self.object(handle)? {
            Object::Node(node) => Session::Node(node),
            Object::Room(room) => Session::Room(room),
            Object::Download(download) => Session::Download(download),
            _ => return Err(wrong_kind("a node, a room or a download")),
        };
        // Of several who drop it, one succeeds.
        self.library.table.remove(self.handle, handle).map_err(bad_handle)?;
        // A panic here ends what is dropped, and nothing else.
        let dropped = caught(|| {
            #[cfg(feature = "test-hooks")]
            session.life().hooks.on_drop();
            Ok(())
        });
        if let Err(failure) = &dropped {
            let part = match kind_of(handle) {
                MOORLINE_KIND_NODE => Part::Node(handle),
                // A download has nothing that belongs to it, as if it were a room without requests.
                _ => Part::Room(handle),
            };
            self.contain(part, "a drop", &failure.message);
        }
        session.stop();
        dropped
    }

    /// Answers a call: its handle is invalid from here on.
    pub(crate) fn answer(&self, handle: u64, result: Result<Bytes, CallRefusal>) -> Outcome {
        let Object::Call(_) = self.object(handle)? else {
            return Err(wrong_kind("a call"));
        };
        // While the handle is still good.
        room::fits_answer(&result)?;
        match self.library.table.remove(self.handle, handle).map_err(bad_handle)? {
            Object::Call(call) => call.answer(result),
            _ => Err(wrong_kind("a call")),
        }
    }

    /// Takes a call's handle away, if it was not answered.
    pub(crate) fn withdraw_call(&self, handle: u64) {
        debug_assert_eq!(kind_of(handle), MOORLINE_KIND_CALL);
        if let Ok(Object::Call(call)) = self.library.table.remove(self.handle, handle) {
            call.forget();
        }
    }

    /// A panic happened in a part of this client: what was under way there is called off, then the panic is told, then the rooms and
    /// downloads there end. What is asked for in reaction is not touched.
    pub(crate) fn contain(&self, part: Part, task: &str, message: &str) {
        // This may be a thread of the host, which has no logger of this client's.
        let say = || tracing::error!(task, message, "a panic was contained");
        match &self.logger {
            Some(logger) => tracing::dispatcher::with_default(logger, say),
            None => say(),
        }
        self.call_off(part, MOORLINE_E_CANCELLED, "called off because of a panic");
        let handle = match part {
            Part::Client => self.handle,
            Part::Node(handle) | Part::Room(handle) => handle,
        };
        let concerned = self.sessions_of(part);
        let event = Happening::new(MOORLINE_EVENT_PANIC, handle).texts([task.to_owned(), message.to_owned()]);
        let event = event.status(MOORLINE_E_PANIC);
        // Nothing follows the last event of a session: what comes later is the client's.
        let session = concerned.iter().find(|session| session.life().handle == handle);
        let untold = match session {
            Some(session) => session.life().tell(self, Class::Must, event),
            None => Some(event),
        };
        if let Some(event) = untold {
            self.queue.push(Class::Must, Happening { handle: self.handle, ..event });
        }
        for session in concerned.iter().filter(|session| !matches!(session, Session::Node(_))) {
            session.end(self, MOORLINE_E_PANIC, message);
            session.stop();
        }
    }
}

impl Session {
    pub(crate) fn life(&self) -> &Life {
        match self {
            Self::Node(node) => &node.life,
            Self::Room(room) => &room.life,
            Self::Download(download) => &download.life,
        }
    }

    fn is_in(&self, part: Part) -> bool {
        match self {
            Self::Node(node) => node.home().is_in(part),
            Self::Room(room) => room.home().is_in(part),
            Self::Download(download) => download.home().is_in(part),
        }
    }

    /// Asks it to end. Returns at once; again changes nothing.
    pub(crate) fn stop(&self) {
        match self {
            Self::Node(node) => node.stop(),
            Self::Room(room) => room.leave(),
            Self::Download(download) => download.cancel(),
        }
    }

    /// Says its last word, unless that was said.
    pub(crate) fn end(&self, client: &Client, status: i32, why: &str) {
        match self {
            Self::Node(node) => node.end(client, status, why),
            Self::Room(room) => room.end(client, status, why),
            Self::Download(download) => download.end(client, status, why),
        }
    }
}

/// The task of a session. However it ends, and if it is never run, the session has its last event.
pub(crate) struct Running {
    client: Arc<Client>,
    session: Session,
}

impl Running {
    pub(crate) fn new(client: &Arc<Client>, session: Session) -> Self {
        Self { client: client.clone(), session }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.session.stop();
        self.session.end(&self.client, MOORLINE_E_CANCELLED, "its task was cut off");
        self.session.life().finished.cancel();
    }
}

/// Threads of a client that are alive.
pub(crate) type Threads = Arc<AtomicUsize>;

fn runtime(settings: &Settings, logger: Option<tracing::Dispatch>, count: &Threads) -> Outcome<Runtime> {
    threads::can_start(settings.threads + 1)?;
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(settings.threads).thread_name("moorline").enable_all();
    let (begun, ended) = (count.clone(), count.clone());
    builder.on_thread_start(move || {
        begun.fetch_add(1, Ordering::SeqCst);
        threads::block_signals();
        if let Some(logger) = &logger {
            log::install(logger);
        }
    });
    builder.on_thread_stop(move || _ = ended.fetch_sub(1, Ordering::SeqCst));
    let failed =
        |error| Failure::new(MOORLINE_E_IO, format!("the threads of the client could not be started: {error}"));
    builder.build().map_err(failed)
}

pub(crate) fn full() -> Failure {
    Failure::new(MOORLINE_E_TOO_MANY, "a million handles are in use: drop some first")
}

/// The client of a session, while it is there.
pub(crate) type Owner = Weak<Client>;
