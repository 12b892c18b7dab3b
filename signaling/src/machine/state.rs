use std::fmt;

use crate::{Epoch, Strategy};

/// Where a [`Machine`](super::Machine) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Before `Connect`.
    Idle,
    /// On the way into the room for the first time.
    Connecting {
        /// What it waits for.
        phase: Phase,
        /// Counts the attempts from 1.
        attempt: u32,
    },
    /// In the room.
    Live {
        /// The connection.
        epoch: Epoch,
        /// Whether it is in doubt.
        health: Health,
    },
    /// The connection was lost; on the way back.
    Recovering {
        /// By which way.
        strategy: Strategy,
        /// What it waits for.
        phase: Phase,
        /// Counts the attempts of this strategy from 1.
        attempt: u32,
    },
    /// In the room by the old connection, and on the way in by a new one.
    Migrating {
        /// What the new one waits for.
        phase: Phase,
    },
    /// Saying goodbye.
    Leaving,
    /// The end.
    Closed,
}

/// Whether a connection is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// No.
    Ok,
    /// It has been silent for long: it was asked for a sign of life.
    Probing,
}

/// What an attempt to get into the room waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// For the network to come back.
    WaitNet,
    /// For its time to come.
    Backoff,
    /// For a token from the application.
    Token,
    /// For the address of a server from the application.
    Creds,
    /// For a WebSocket.
    Dial,
    /// For Welcome.
    Hello,
    /// For everything that was missed.
    Replay,
}

impl State {
    /// The name of the kind of state, in lower case.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting { .. } => "connecting",
            Self::Live { .. } => "live",
            Self::Recovering { .. } => "recovering",
            Self::Migrating { .. } => "migrating",
            Self::Leaving => "leaving",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
