use crate::CloseReason;

use super::config::{ClientConfig, ConfigError};
use super::driver::Driver;
use super::events::Events;
use super::handle::Client;

/// Why a room was not joined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing was tried.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The client closed before it was let in.
    #[error("the room was not joined: {0}")]
    Closed(CloseReason),
}

impl Client {
    /// Joins a room: ready when it is joined, which takes as many attempts and as long as
    /// [`Timers::deadline`](crate::machine::Timers::deadline) allows. Needs a tokio runtime with time and I/O, and starts the client's
    /// task on it. The events begin with the first attempt.
    ///
    /// Not cancel-safe, in the sense that dropping the future gives everything up: no task, socket or timer is left behind.
    ///
    /// # Errors
    /// If the configuration makes no sense, or with the reason that the client closed for. Then nothing is left behind either.
    pub async fn connect(config: ClientConfig) -> Result<(Self, Events), ConnectError> {
        let (client, events, driver) = Self::prepare(config)?;
        let shared = driver.shared();
        // Who stops it: a close, or the drop of this future until the room is joined. Who waits: `Client::stopped`. A panic in it
        // is caught in it.
        let mut task = AbortOnDrop(Some(shared.tasks.spawn(driver.run()).abort_handle()));
        let mut joined = shared.joined.subscribe();
        let refused = tokio::select! {
            biased;
            // Its sender is in `shared`.
            () = async { drop(joined.wait_for(|joined| *joined).await) } => None,
            reason = shared.closed() => Some(reason),
        };
        if let Some(reason) = refused {
            shared.tasks.wait().await;
            return Err(ConnectError::Closed(reason));
        }
        task.0 = None;
        Ok((client, events))
    }

    /// Makes a client that does nothing until its [`Driver`] is run: for those who keep an eye on their tasks themselves. What is sent
    /// before that waits.
    ///
    /// # Errors
    /// If the configuration makes no sense.
    pub fn prepare(config: ClientConfig) -> Result<(Self, Events, Driver), ConfigError> {
        Driver::new(config)
    }
}

struct AbortOnDrop(Option<tokio::task::AbortHandle>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
