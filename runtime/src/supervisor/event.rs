//! What a supervisor tells: to everyone who listens, in order, and without waiting for the slow.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::exit::{Exit, RuntimeFailed};

/// One thing that happened in a supervised tree.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SupervisorEvent {
    /// A service changed its state.
    Service(ServiceEvent),
    /// A Required service ended without being asked to. At most one a supervisor; the tree is cancelled already.
    RuntimeFailed(RuntimeFailed),
    /// A task panicked. Its siblings go on, and whoever awaits the task is told as well.
    TaskPanicked {
        /// Path of the task.
        task: String,
        /// What the panic said.
        message: String,
    },
    /// A farewell was cut off at the shutdown deadline.
    FarewellCut {
        /// Name of the farewell.
        name: String,
        /// The time that it had.
        after: Duration,
    },
    /// This subscriber was too slow and lost that many events. [`Supervisor::snapshot`](super::Supervisor::snapshot) and
    /// [`Supervisor::failure`](super::Supervisor::failure) still say how things stand.
    Missed(u64),
}

/// A service and the state that it has come to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServiceEvent {
    /// The service, by the name that it was spawned with.
    pub name: &'static str,
    /// Its state from now on.
    pub state: ServiceState,
}

/// How a service stands.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ServiceState {
    /// It runs.
    Running,
    /// It has ended and will run again.
    Restarting {
        /// How many times in a row it has ended, counted from 1.
        attempt: u32,
        /// The time until it runs again, as seen when this value was made.
        next_in: Duration,
        /// Why it ended.
        exit: Exit,
    },
    /// It has done its work: a BestEffort service that returned.
    Ended,
    /// It failed and will not run again.
    Failed {
        /// How it failed.
        exit: Exit,
    },
    /// The tree was cancelled, and the service has ended since.
    Stopped {
        /// How it ended: [`Exit::Cancelled`] when all went well.
        exit: Exit,
    },
}

impl fmt::Display for ServiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("running"),
            Self::Restarting { attempt, next_in, exit } => {
                write!(f, "restarting in {next_in:?} (attempt {attempt}): {exit}")
            }
            Self::Ended => f.write_str("ended"),
            Self::Failed { exit } => write!(f, "failed: {exit}"),
            Self::Stopped { exit: Exit::Cancelled } => f.write_str("stopped"),
            Self::Stopped { exit } => write!(f, "stopped: {exit}"),
        }
    }
}

/// A subscription to the events of a supervisor, from the moment on that it was made.
///
/// It holds a bounded number of events ([`SupervisorConfig::event_capacity`](super::SupervisorConfig::event_capacity)); what
/// does not fit is counted and reported as [`SupervisorEvent::Missed`].
#[derive(Debug)]
pub struct ServiceEvents {
    receiver: broadcast::Receiver<SupervisorEvent>,
}

impl ServiceEvents {
    /// The next event; `None` once the supervisor has stopped and all events have been given out.
    ///
    /// Cancel-safe: an event is taken only when it is returned.
    pub async fn next(&mut self) -> Option<SupervisorEvent> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(SupervisorEvent::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}

/// Where events come from. Closed when the supervisor has stopped.
pub(crate) struct Hub {
    sender: Mutex<Option<broadcast::Sender<SupervisorEvent>>>,
}

impl Hub {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        // tokio refuses more than half of the address space, and rounds up to a power of two.
        let (sender, _) = broadcast::channel(capacity.clamp(1, 1 << 20));
        Arc::new(Self { sender: Mutex::new(Some(sender)) })
    }

    pub(crate) fn subscribe(&self) -> ServiceEvents {
        let receiver = match self.sender() {
            Some(sender) => sender.subscribe(),
            None => broadcast::channel(1).1,
        };
        ServiceEvents { receiver }
    }

    pub(crate) fn emit(&self, event: SupervisorEvent) {
        if let Some(sender) = self.sender() {
            // Nobody has to listen: what must not be lost is kept as state.
            let _ = sender.send(event);
        }
    }

    pub(crate) fn task_panicked(&self, task: &str, message: &str) {
        self.emit(SupervisorEvent::TaskPanicked { task: task.to_owned(), message: message.to_owned() });
    }

    pub(crate) fn close(&self) {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(sender);
    }

    fn sender(&self) -> Option<broadcast::Sender<SupervisorEvent>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
