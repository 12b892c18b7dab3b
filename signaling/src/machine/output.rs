use std::time::Duration;

use bytes::Bytes;

use crate::{
    CallError, CallId, CallRequest, CloseReason, Epoch, Grants, LeftReason, LossCause, Message, NodeName, Participant,
    ParticipantId, SendId, SendOutcome, SessionId, Strategy,
};

use super::State;

/// What a [`Machine`](super::Machine) wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Open a WebSocket; report everything about it with this epoch.
    Dial {
        /// Of this connection.
        epoch: Epoch,
        /// Where to.
        url: String,
    },
    /// Send a binary message.
    Write {
        /// On this connection, which has reported `Opened` and no end.
        epoch: Epoch,
        /// The message.
        frame: Bytes,
    },
    /// Drop a connection, or a dial: nothing it still reports counts.
    Abort {
        /// Which.
        epoch: Epoch,
        /// The WebSocket close code to say goodbye with, if that costs no time. `None`: the other side has fallen silent. Reset the
        /// connection then, because a goodbye would wait behind what was not acknowledged.
        code: Option<u16>,
    },
    /// Get a token, and hand it in with `TokenReady` or `TokenFailed`.
    FetchToken {
        /// Whether the one handed in last is of no use any more.
        force: bool,
    },
    /// Choose a server, and hand it in with `CredsReady` or `CredsFailed`.
    FetchCreds {
        /// Stay away from these, if there is any other.
        exclude: Vec<NodeName>,
        /// Take this one, if it is one of yours.
        prefer: Option<NodeName>,
        /// For logs.
        reason: String,
    },
    /// For the application.
    App(Event),
}

/// What an application hears. [`Closed`](Self::Closed) is the last, and comes exactly once.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Something else is going on now. Only the kind of state is compared: a new attempt of the same recovery is no change.
    StateChanged {
        /// What was.
        from: State,
        /// What is.
        to: State,
        /// Why, for people.
        cause: String,
    },
    /// The room was joined for the first time.
    Joined {
        /// The session.
        session: SessionId,
        /// This participant.
        participant: ParticipantId,
        /// The server process.
        node: NodeName,
        /// What the token allows.
        grants: Grants,
        /// Who is in the room, this participant included.
        participants: Vec<Participant>,
    },
    /// The connection is lost, and a recovery begins. At most once a connection.
    ConnectionLost {
        /// Which connection.
        epoch: Epoch,
        /// What happened to it.
        cause: LossCause,
    },
    /// There is a connection again.
    Recovered {
        /// The new one.
        epoch: Epoch,
        /// How.
        strategy: Strategy,
        /// Whether the session goes on, without a hole.
        resumed: bool,
        /// Deliveries that were missed and have been sent again.
        replayed: u64,
        /// Sends that were not acknowledged and have been sent again.
        resent: u64,
        /// Since the connection ended; since the last frame that came in, if it ended in silence.
        downtime: Duration,
    },
    /// Deliveries were lost: this is who is in the room now, with their values. Comes before the next message.
    ResyncRequired {
        /// This participant, whose id may have changed.
        participant: ParticipantId,
        /// All of them, this one included.
        participants: Vec<Participant>,
    },
    /// A message.
    Message(Message),
    /// Somebody came.
    ParticipantJoined(Participant),
    /// Somebody says something else of itself.
    ParticipantUpdated(Participant),
    /// Somebody went.
    ParticipantLeft {
        /// Who.
        participant: Participant,
        /// Why.
        reason: LeftReason,
    },
    /// Somebody announced another value.
    ValueChanged {
        /// Who.
        from: ParticipantId,
        /// Of this key.
        key: String,
        /// Grows with each change.
        rev: u64,
        /// The value; empty: it is gone.
        payload: Bytes,
    },
    /// Somebody calls this participant: to be answered with `Reply`.
    CallRequest(CallRequest),
    /// How a call ended. One for each.
    CallOutcome {
        /// Which.
        id: CallId,
        /// Its result.
        result: Result<Bytes, CallError>,
    },
    /// What became of a send. One for each.
    SendOutcome {
        /// Which.
        id: SendId,
        /// What.
        outcome: SendOutcome,
    },
    /// Why the machine does what it does next: for logs.
    Decision(Decision),
    /// The end.
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

/// One step of a client's way, with its reason. [`Display`](std::fmt::Display) is one line of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Since `Connect`.
    pub elapsed: Duration,
    /// What has just happened.
    pub cause: String,
    /// What follows from it.
    pub action: String,
    /// The strategy that is followed now, if the client is not connected.
    pub strategy: Option<Strategy>,
    /// Which attempt of it is next, from 1.
    pub attempt: u32,
    /// How long the machine waits before that.
    pub delay: Option<Duration>,
}

impl std::fmt::Display for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>7.3} s  {}: {}", self.elapsed.as_secs_f64(), self.cause, self.action)?;
        if let Some(strategy) = self.strategy {
            write!(f, " [{strategy}, attempt {}]", self.attempt)?;
        }
        if let Some(delay) = self.delay {
            write!(f, " in {:.0} ms", delay.as_secs_f64() * 1000.0)?;
        }
        Ok(())
    }
}
