//! A service: one run after the other, as its policy says.

use std::future::Future;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use super::catch::catch;
use super::config::{Backoff, Policy};
use super::event::{Hub, ServiceEvent, ServiceState, SupervisorEvent};
use super::exit::{BoxError, Exit, RuntimeFailed};
use super::scope::Scope;
use super::tree::{ScopeKind, ScopeNode};

/// What the supervisor, its services and its farewells share.
pub(crate) struct Shared {
    /// Everything: the services' tree and the farewells.
    pub(crate) top: Arc<ScopeNode>,
    /// What users see, and what a shutdown cancels.
    pub(crate) root: Arc<ScopeNode>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) phase: Mutex<Phase>,
    pub(crate) services: Mutex<Vec<Arc<ServiceRecord>>>,
    pub(crate) shutdown_deadline: Duration,
    pub(crate) abort_grace: Duration,
}

#[derive(Debug, Clone)]
pub(crate) enum Phase {
    Running,
    Stopping,
    Failed(RuntimeFailed),
}

/// The visible state of one service; kept after its end.
pub(crate) struct ServiceRecord {
    pub(crate) name: &'static str,
    pub(crate) policy: Policy,
    status: Mutex<Status>,
}

struct Status {
    state: ServiceState,
    /// When it runs again, if it waits for that.
    next_at: Option<Instant>,
    /// The scope of the last run.
    run: Weak<ScopeNode>,
}

impl ServiceRecord {
    pub(crate) fn new(name: &'static str, policy: Policy) -> Self {
        let status = Status { state: ServiceState::Running, next_at: None, run: Weak::new() };
        Self { name, policy, status: Mutex::new(status) }
    }

    /// The state as of now, and the scope of the last run if anything in it is left.
    pub(crate) fn status(&self) -> (ServiceState, Option<Arc<ScopeNode>>) {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = status.state.clone();
        if let (ServiceState::Restarting { next_in, .. }, Some(at)) = (&mut state, status.next_at) {
            *next_in = at.saturating_duration_since(Instant::now());
        }
        (state, status.run.upgrade())
    }

    pub(crate) fn is_over(&self) -> bool {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(status.state, ServiceState::Ended | ServiceState::Failed { .. } | ServiceState::Stopped { .. })
    }

    fn set(&self, state: ServiceState, next_at: Option<Instant>, run: Option<&Arc<ScopeNode>>) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.state = state;
        status.next_at = next_at;
        if let Some(run) = run {
            status.run = Arc::downgrade(run);
        }
    }
}

impl Shared {
    /// Begins an orderly shutdown, unless the runtime has failed or is stopping already.
    pub(crate) fn shutdown(&self) {
        {
            let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!(*phase, Phase::Running) {
                *phase = Phase::Stopping;
            }
        }
        self.root.token.cancel();
    }

    pub(crate) fn failure(&self) -> Option<RuntimeFailed> {
        match &*self.phase.lock().unwrap_or_else(PoisonError::into_inner) {
            Phase::Failed(failure) => Some(failure.clone()),
            Phase::Running | Phase::Stopping => None,
        }
    }

    /// Fails the runtime. `None` if it was on its way down before: only the first failure counts.
    fn fail(&self, failure: RuntimeFailed) -> Option<RuntimeFailed> {
        {
            let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
            if !matches!(*phase, Phase::Running) {
                return None;
            }
            *phase = Phase::Failed(failure.clone());
        }
        self.root.token.cancel();
        Some(failure)
    }
}

/// Runs a service until its policy, or the end of the tree, says that it is over.
pub(crate) async fn drive<F, Fut>(shared: Arc<Shared>, record: Arc<ServiceRecord>, mut factory: F)
where
    F: FnMut(Scope) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    let mut driver = Driver { shared: Arc::clone(&shared), record: Arc::clone(&record), over: false };
    let mut attempt: u32 = 0;
    loop {
        let run = shared.root.child(record.name.into(), ScopeKind::Run);
        record.set(ServiceState::Running, None, Some(&run));
        driver.announce(ServiceState::Running);
        let started = Instant::now();
        let exit = one_run(&mut factory, &run).await;
        // Before anyone hears of it: what is begun in reaction to the news does not belong to the run that ended.
        run.token.cancel();
        if shared.root.token.is_cancelled() {
            let exit = if matches!(exit, Exit::Completed) { Exit::Cancelled } else { exit };
            return driver.finish(ServiceState::Stopped { exit });
        }
        match &record.policy {
            Policy::Required => return driver.fail(exit),
            Policy::BestEffort => {
                return driver.finish(match exit {
                    Exit::Completed => ServiceState::Ended,
                    exit => ServiceState::Failed { exit },
                });
            }
            Policy::Restart(backoff) => {
                attempt = if started.elapsed() >= backoff.reset_after { 1 } else { attempt.saturating_add(1) };
                if driver.wait_to_restart(backoff, attempt, exit, &run).await.is_break() {
                    return driver.finish(ServiceState::Stopped { exit: Exit::Cancelled });
                }
            }
        }
    }
}

async fn one_run<F, Fut>(factory: &mut F, run: &Arc<ScopeNode>) -> Exit
where
    F: FnMut(Scope) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    let scope = Scope { node: Arc::clone(run) };
    // The factory runs inside as well: it may panic like the rest.
    let whole = async move { factory(scope).await };
    let whole = moorline_sim_point::task(&run.name, whole.instrument(run.span.clone()));
    match catch(whole).await {
        Err(panic) => Exit::Panicked { message: panic.0 },
        Ok(Err(error)) => Exit::Failed(error.into()),
        Ok(Ok(())) => Exit::Completed,
    }
}

/// Speaks for one service, and has the last word when its task is aborted.
struct Driver {
    shared: Arc<Shared>,
    record: Arc<ServiceRecord>,
    over: bool,
}

impl Driver {
    /// Waits until the next run is due and nothing of the last one is left. Breaks off when the tree is cancelled.
    async fn wait_to_restart(
        &self,
        backoff: &Backoff,
        attempt: u32,
        exit: Exit,
        run: &Arc<ScopeNode>,
    ) -> ControlFlow<()> {
        let root = &self.shared.root.token;
        let wait = backoff.wait(attempt);
        let now = Instant::now();
        // A wait beyond what the clock can name never ends, like any very long one.
        let due = now.checked_add(wait).unwrap_or_else(|| now + Duration::from_secs(86_400 * 365));
        let state = ServiceState::Restarting { attempt, next_in: wait, exit };
        tracing::warn!(service = self.record.name, %state, "a service ended");
        self.record.set(state.clone(), Some(due), None);
        self.announce(state);
        tokio::select! {
            biased;
            () = root.cancelled() => return ControlFlow::Break(()),
            () = sleep_until(due) => {}
        }
        // Two generations of a service must not work side by side.
        tokio::select! {
            biased;
            () = root.cancelled() => ControlFlow::Break(()),
            _ = run.wind_down(self.shared.shutdown_deadline, self.shared.abort_grace) => ControlFlow::Continue(()),
        }
    }

    fn fail(&mut self, exit: Exit) {
        let failure = RuntimeFailed { component: self.record.name, error: exit.clone().into() };
        let first = self.shared.fail(failure);
        self.finish(ServiceState::Failed { exit });
        if let Some(failure) = first {
            tracing::error!(component = failure.component, error = %failure.error, "the runtime failed");
            self.shared.hub.emit(SupervisorEvent::RuntimeFailed(failure));
        }
    }

    fn finish(&mut self, state: ServiceState) {
        match &state {
            ServiceState::Stopped { exit: Exit::Cancelled } | ServiceState::Ended => {
                tracing::info!(service = self.record.name, %state, "a service is over");
            }
            _ => tracing::warn!(service = self.record.name, %state, "a service is over"),
        }
        self.over = true;
        self.record.set(state.clone(), None, None);
        self.announce(state);
    }

    fn announce(&self, state: ServiceState) {
        let event = ServiceEvent { name: self.record.name, state };
        self.shared.hub.emit(SupervisorEvent::Service(event));
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.over {
            self.finish(ServiceState::Stopped { exit: Exit::Aborted });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::exit::ServiceError;
    use super::super::{Supervisor, SupervisorConfig};
    use super::*;

    #[tokio::test]
    async fn only_the_first_of_two_failures_counts_and_none_after_a_shutdown() {
        let failure = |component| RuntimeFailed { component, error: ServiceError::EndedUnexpectedly };
        let supervisor = Supervisor::new(SupervisorConfig::default());
        // Both services saw the tree uncancelled: a race that only threads can produce.
        assert!(supervisor.shared.fail(failure("first")).is_some());
        assert!(supervisor.shared.fail(failure("second")).is_none());
        supervisor.shutdown();
        assert_eq!(supervisor.failure().unwrap().component, "first");

        let supervisor = Supervisor::new(SupervisorConfig::default());
        supervisor.shutdown();
        assert!(supervisor.shared.fail(failure("late")).is_none());
        assert!(supervisor.failure().is_none());
    }
}
