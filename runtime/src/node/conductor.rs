use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{error, info};

use crate::supervisor::{ServiceEvents, Stragglers, Supervisor, SupervisorEvent};

use super::bus::Bus;
use super::context::Context;
use super::event::{NodeEvent, RuntimeFailed, StopReason};

/// Longest wait for the socket once every task has ended.
const RELEASE_DEADLINE: Duration = Duration::from_millis(500);

/// What the conductor needs. It holds no command sender: the node fails when nobody else does.
pub(super) struct Conductor {
    pub(super) context: Arc<Context>,
    pub(super) supervisor: Arc<Supervisor>,
    pub(super) services: ServiceEvents,
    pub(super) bus: Bus,
    pub(super) stopped: watch::Sender<Option<StopReason>>,
    pub(super) deadline: Duration,
}

impl Conductor {
    /// Starts the root of the tree: the one task of a node that no scope owns, since it outlives them all. What ends it is the end of
    /// the supervisor, which has a deadline; who waits for it is [`NodeHandle::wait_stopped`](super::NodeHandle::wait_stopped).
    pub(super) fn start(self) {
        drop(tokio::runtime::Handle::current().spawn(moorline_sim_point::still(self.run())));
    }

    async fn run(mut self) {
        let failure = self.until_stopping().await;
        if let Some(failure) = &failure {
            error!(component = failure.component, error = %failure.error, "a required service died; the node stops");
            self.bus.emit(NodeEvent::RuntimeFailed(failure.clone()));
        }
        let mut stragglers: Vec<String> = match self.wind_down().await {
            Ok(()) => Vec::new(),
            Err(stragglers) => stragglers.names().into_iter().map(str::to_owned).collect(),
        };
        if let Some(endpoint) = self.context.take_endpoint() {
            let released = endpoint.released();
            endpoint.release();
            drop(endpoint);
            if tokio::time::timeout(RELEASE_DEADLINE, released).await.is_err() {
                stragglers.push("the UDP socket".to_owned());
            }
        }
        let reason = match failure {
            Some(failure) => StopReason::Failed { failure, stragglers },
            None => StopReason::Shutdown { stragglers },
        };
        info!(%reason, "node stopped");
        self.bus.emit(NodeEvent::Stopped { reason: reason.clone() });
        self.stopped.send_replace(Some(reason));
    }

    /// Passes on what the supervisor tells until the node was asked to stop or a required service died.
    async fn until_stopping(&mut self) -> Option<RuntimeFailed> {
        loop {
            tokio::select! {
                biased;
                failure = self.supervisor.failed() => return failure,
                event = self.services.next() => match event {
                    Some(event) => tell(&self.bus, event),
                    // The end of events is the end of the supervisor.
                    None => return self.supervisor.failure(),
                },
            }
        }
    }

    /// Waits for the end of everything, and goes on passing on: a panic on the way down is heard as well.
    async fn wind_down(&mut self) -> Result<(), Stragglers> {
        let (supervisor, services, bus) = (&self.supervisor, &mut self.services, &self.bus);
        let pass_on = async {
            while let Some(event) = services.next().await {
                tell(bus, event);
            }
        };
        // The events end when the supervisor has stopped.
        tokio::join!(supervisor.wait_stopped(self.deadline), pass_on).0
    }
}

/// A required service's failure is told by the conductor itself, from the state that cannot be missed.
fn tell(bus: &Bus, event: SupervisorEvent) {
    match event {
        SupervisorEvent::Service(event) => bus.emit(NodeEvent::Service(event)),
        SupervisorEvent::TaskPanicked { task, message } => bus.emit(NodeEvent::TaskPanicked { task, message }),
        _ => {}
    }
}
