//! The task that owns the machine.

mod fetch;
mod outputs;
mod wake;

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use crate::machine::{self, Event, Input, Machine, State};
use crate::{CloseReason, Epoch, limits};

use super::command::{Command, Control};
use super::config::{ClientConfig, ConfigError};
use super::connection::{Connections, Link};
use super::credentials::ServerList;
use super::dial::Dialer;
use super::endpoint::Endpoint;
use super::events::{self, EventSink, Events};
use super::handle::Client;
use super::shared::Shared;
use super::suspend::SuspendWatch;
use super::waiters::Waiters;

use self::fetch::Fetches;
use self::wake::Turn;

/// Commands that wait for the client's task.
const COMMANDS: usize = 1024;
/// Hints, and calls called off, that wait for the client's task.
const CONTROLS: usize = 64;
/// Frames that a connection holds on top of what the machine may write at once after a recovery.
const SPARE_FRAMES: usize = 1024;
const SPARE_BYTES: usize = 4 << 20;
/// Longest wait for goodbyes, which take a tenth of a second each.
const WIND_DOWN: Duration = Duration::from_millis(500);

/// The client's work, for those who run it in a task of their own. See [`Client::prepare`].
///
/// Dropping it, or the future of [`run`](Self::run), ends the client without a goodbye: connections are cut, who waits for an outcome
/// is told [`Closed`](crate::SendOutcome::Closed), and [`Events`] end with [`CloseReason::UserClosed`].
pub struct Driver {
    owner: Owner,
}

impl Driver {
    pub(super) fn new(config: ClientConfig) -> Result<(Client, Events, Self), ConfigError> {
        check(&config)?;
        let seed = match config.seed {
            Some(seed) => seed,
            None => random_seed()?,
        };
        let machine = Machine::new(config.machine.clone(), seed);
        let shared = Arc::new(Shared::new(machine.lineage()));
        let (commands, command_queue) = mpsc::channel(COMMANDS);
        let (controls, control_queue) = mpsc::channel(CONTROLS);
        let room = Arc::new(Notify::new());
        let (sink, events) = events::queue(config.event_queue, config.event_queue_bytes, room.clone());
        let kill = CancellationToken::new();
        let bounds = &config.machine.bounds;
        let connections = Connections {
            dialer: Arc::new(dialer(&config)?),
            tasks: TaskTracker::new(),
            all: shared.tasks.clone(),
            kill: kill.clone(),
            max_frames: bounds.queue_messages.saturating_add(SPARE_FRAMES),
            // What goes around a payload is less than it may be long.
            max_bytes: bounds.queue_bytes.saturating_mul(2).saturating_add(SPARE_BYTES),
            drained: room.clone(),
        };
        let servers = config.credentials.unwrap_or_else(|| Arc::new(ServerList::new(config.servers)));
        let owner = Owner {
            machine,
            shared: shared.clone(),
            commands: command_queue,
            controls: control_queue,
            fetches: Fetches::new(config.token, servers),
            links: BTreeMap::new(),
            connections,
            late: VecDeque::new(),
            condemned: Vec::new(),
            sink,
            waiters: Waiters::default(),
            room,
            suspend: SuspendWatch::new(config.suspend_clock),
            reading: true,
            behind: false,
            announces: false,
            closing: false,
            turn: Turn::default(),
            heard: Epoch::default(),
            finished: None,
            _kill: kill.drop_guard(),
        };
        Ok((Client::new(shared, commands, controls), events, Self { owner }))
    }

    /// Joins the room, and keeps it joined until the client closes; returns why it closed once no task and no socket of it is left. Needs
    /// a tokio runtime with time and I/O. A panic, also one of a callback, ends it with [`CloseReason::Internal`].
    pub async fn run(self) -> CloseReason {
        let tasks = self.owner.shared.tasks.clone();
        tasks.track_future(self.owner.run()).await
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        self.owner.shared.clone()
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

fn check(config: &ClientConfig) -> Result<(), ConfigError> {
    if config.event_queue == 0 || config.event_queue_bytes == 0 {
        return Err(ConfigError::NoEventQueue);
    }
    check_texts(&config.machine)?;
    if config.credentials.is_some() {
        return Ok(());
    }
    if config.servers.is_empty() {
        return Err(ConfigError::NoServer);
    }
    config.servers.iter().try_for_each(|server| match Endpoint::parse(&server.url) {
        Ok(_) => Ok(()),
        Err(error) => Err(ConfigError::BadUrl { url: server.url.clone(), reason: error.to_string() }),
    })
}

/// What goes into Hello keeps to the limits: no server would take it.
fn check_texts(config: &machine::Config) -> Result<(), ConfigError> {
    let info = &config.info;
    let attributes: usize = info.attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
    for (what, len, max) in [
        ("the room", config.room.len(), limits::MAX_TEXT),
        ("the name", info.name.len(), limits::MAX_TEXT),
        ("the identity", info.identity.len(), limits::MAX_TEXT),
        ("the agent", info.agent.len(), limits::MAX_TEXT),
        ("the metadata", info.metadata.len(), limits::MAX_METADATA),
        ("the attributes", attributes, limits::MAX_ATTRIBUTES),
    ] {
        if len > max {
            return Err(ConfigError::TooLong { what, len, max });
        }
    }
    Ok(())
}

fn random_seed() -> Result<[u8; 32], ConfigError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| ConfigError::Randomness(error.to_string()))?;
    Ok(seed)
}

fn dialer(config: &ClientConfig) -> Result<Dialer, ConfigError> {
    Ok(Dialer {
        connector: config.connector.clone(),
        within: config.machine.timers.dial,
        #[cfg(feature = "tls")]
        tls: tls_connector(config)?,
    })
}

/// The configuration that was given, or the default one if it is known to be needed; where others choose servers, only a dial shows that.
#[cfg(feature = "tls")]
fn tls_connector(config: &ClientConfig) -> Result<Option<super::tls::Connector>, ConfigError> {
    let secure = |url: &str| Endpoint::parse(url).is_ok_and(|endpoint| endpoint.secure);
    let needed = config.credentials.is_none() && config.servers.iter().any(|server| secure(&server.url));
    let tls = match &config.tls {
        Some(tls) => Some(tls.clone()),
        None if needed => Some(super::tls::default_config().map_err(ConfigError::Tls)?),
        None => None,
    };
    Ok(tls.map(super::tls::Connector::new))
}

/// All that the client's task owns. Nobody else touches any of it, but for what is in `shared` and the other ends of queues.
struct Owner {
    machine: Machine,
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    controls: mpsc::Receiver<Control>,
    fetches: Fetches,
    /// The connections that the machine has not given up: one, or two during a migration.
    links: BTreeMap<Epoch, Link>,
    connections: Connections,
    /// What was found out while the machine's outputs were carried out.
    late: VecDeque<Input>,
    /// Connections to give up once the application has heard why: with a close code, or with a reset.
    condemned: Vec<(Epoch, Option<u16>)>,
    sink: EventSink,
    waiters: Waiters,
    /// Told when the application, or a connection, has room again.
    room: Arc<Notify>,
    suspend: SuspendWatch,
    /// Whether connections are read, as the machine knows.
    reading: bool,
    /// Whether the application is behind with its events.
    behind: bool,
    /// Whether the application has said anything of itself.
    announces: bool,
    /// Whether the machine was asked to close.
    closing: bool,
    turn: Turn,
    /// The connection whose report was taken last.
    heard: Epoch,
    finished: Option<CloseReason>,
    /// Cuts every connection off when the task is dropped.
    _kill: DropGuard,
}

impl Owner {
    async fn run(mut self) -> CloseReason {
        let outcome = AssertUnwindSafe(moorline_sim_point::task("room-client", self.work())).catch_unwind().await;
        let reason = outcome.unwrap_or_else(|panic| {
            let text = panic_text(panic.as_ref());
            error!(panic = text, "the client's task panicked");
            CloseReason::Internal(text)
        });
        let reason = self.finish(reason);
        // Dropped without a word, they are cut off; the machine has said goodbye to those that it gave up.
        self.links.clear();
        self.fetches.clear();
        self.connections.tasks.close();
        if timeout(WIND_DOWN, self.connections.tasks.wait()).await.is_err() {
            warn!("a connection did not end in time");
            self.connections.kill.cancel();
            self.connections.tasks.wait().await;
        }
        reason
    }

    /// Until the machine says `Closed`.
    async fn work(&mut self) -> CloseReason {
        self.feed(Input::Connect);
        loop {
            if let Some(reason) = &self.finished {
                return reason.clone();
            }
            let wake = self.wait().await;
            // Before anything else is looked at: what was silent meanwhile may have been asleep with us.
            if self.suspend.resumed() {
                self.feed(Input::SystemResumed);
            }
            self.take(wake);
        }
    }

    /// Hands something to the machine and does what it wants, until it wants nothing more.
    fn feed(&mut self, input: Input) {
        self.late.push_back(input);
        loop {
            while let Some(input) = self.late.pop_front() {
                self.machine.handle(Instant::now().into_std(), input);
                while let Some(output) = self.machine.poll_output() {
                    self.carry_out(output);
                }
                self.give_up_condemned();
            }
            if self.finished.is_some() {
                return;
            }
            self.show_state();
            self.show_own();
            let reading = self.may_read();
            if reading == self.reading {
                return;
            }
            self.reading = reading;
            self.late.push_back(Input::AppBusy(!reading));
        }
    }

    fn show_state(&self) {
        let state = self.machine.state();
        self.shared.set_state(state);
        self.shared.session.send_if_modified(|known| {
            let session = self.machine.session();
            session != std::mem::replace(known, session)
        });
        // Not between Welcome and the end of what comes with it: what is sent at once would be too early then.
        let joined = self.machine.participant().is_some() && !matches!(state, State::Connecting { .. });
        self.shared.joined.send_if_modified(|known| joined && !std::mem::replace(known, true));
    }

    /// What the server has taken of this participant's own values and changes: the machine has no event for it.
    fn show_own(&self) {
        if !self.announces {
            return;
        }
        if let Some(own) = self.machine.own() {
            self.shared.roster().observe_own(own);
        }
    }

    /// Whether the application keeps up. On the way back into the room more may wait, since otherwise one that is slow would never get
    /// there: its queue is emptied at its own pace, and the way has a deadline.
    fn may_read(&mut self) -> bool {
        self.behind = self.sink.is_behind(self.behind);
        let in_room = matches!(self.machine.state(), State::Live { .. });
        !self.behind || (!in_room && self.sink.has_room_for_recovery())
    }

    /// The last word, said once: later ones count for nothing.
    fn finish(&mut self, reason: CloseReason) -> CloseReason {
        if let Some(said) = &self.finished {
            return said.clone();
        }
        self.finished = Some(reason.clone());
        self.commands.close();
        self.controls.close();
        // Commands still in the queue: who waits for their outcome reads a dropped sender as closed.
        while self.commands.try_recv().is_ok() {}
        self.waiters.close();
        self.shared.set_state(State::Closed);
        self.sink.finish(Event::Closed { reason: reason.clone() });
        self.shared.closed.send_replace(Some(reason.clone()));
        reason
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.finish(CloseReason::UserClosed);
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a text").to_owned()
}
