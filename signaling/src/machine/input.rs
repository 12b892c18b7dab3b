use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::{CallId, Epoch, NodeName, ParticipantId, SendClass, SendId};

/// What happens to a [`Machine`](super::Machine). Every input is allowed in every state.
#[derive(Clone, Debug)]
pub enum Input {
    /// Begin. The second one changes nothing.
    Connect,
    /// Send a message. Ends with one [`SendOutcome`](crate::SendOutcome).
    Send {
        /// Names it; must not have been used before in this machine.
        id: SendId,
        /// How to treat it.
        class: SendClass,
        /// What to send.
        body: Outgoing,
        /// How long it may wait for a connection; `None`: as configured.
        ttl: Option<Duration>,
    },
    /// Change what this participant says of itself. Treated as reliable; ends with one [`SendOutcome`](crate::SendOutcome).
    Update {
        /// Names it, as with a send.
        id: SendId,
        /// The change.
        update: SelfUpdate,
    },
    /// Call a participant. Ends with one call outcome.
    Call {
        /// Names it; must not have been used before in this machine.
        id: CallId,
        /// Whom.
        to: ParticipantId,
        /// What for.
        method: String,
        /// The argument.
        payload: Bytes,
        /// How long to wait for the answer, recoveries included.
        timeout: Duration,
    },
    /// Forget a call: its outcome is not wanted any more.
    CancelCall(CallId),
    /// Answer a call of another participant.
    Reply {
        /// Of the request.
        call: CallId,
        /// Of the request.
        to: ParticipantId,
        /// What to answer.
        result: Result<Bytes, CallRefusal>,
    },
    /// End: leave the room, or give up joining it.
    Close,
    /// What is known of the network from elsewhere.
    Net(NetHint),
    /// What is known of the media, or of whatever direct path the application has beside the room.
    Media(MediaHealth),
    /// The token asked for with `FetchToken`; empty where the server asks for none.
    TokenReady(String),
    /// There is none.
    TokenFailed {
        /// Why, for people.
        reason: String,
        /// Whether asking again is of no use.
        fatal: bool,
    },
    /// The server asked for with `FetchCreds`.
    CredsReady {
        /// What to call it before it says its own name.
        node: NodeName,
        /// `ws://` or `wss://`.
        url: String,
    },
    /// There is none.
    CredsFailed {
        /// Why, for people.
        reason: String,
        /// Whether asking again is of no use.
        fatal: bool,
    },
    /// A connection has something to report.
    Transport(Epoch, Transport),
    /// Whether the application is behind with its events, so that nothing is read meanwhile. While it is, silence proves nothing.
    AppBusy(bool),
    /// Time has passed: a deadline that [`poll_deadline`](super::Machine::poll_deadline) named has come.
    Tick,
    /// The machine was suspended: clocks of others went on.
    SystemResumed,
}

/// A message on its way out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// At most [`MAX_PAYLOAD`](crate::limits::MAX_PAYLOAD) bytes.
    pub payload: Bytes,
    /// Free for applications to sort by. Not used with [`SendClass::Latest`].
    pub topic: String,
    /// To whom; empty: everyone else. Not used with [`SendClass::Latest`].
    pub to: Vec<ParticipantId>,
}

/// A change of what a participant says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelfUpdate {
    /// The new name.
    pub name: Option<String>,
    /// The new metadata.
    pub metadata: Option<String>,
    /// Merged into what is there; an empty value removes its key.
    pub attributes: BTreeMap<String, String>,
}

/// Why a call is not answered with a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallRefusal {
    /// The handler failed. Cut to [`MAX_PAYLOAD`](crate::limits::MAX_PAYLOAD) bytes.
    Failed(String),
    /// There is no handler of that name.
    NoSuchMethod,
    /// Too many calls are being answered.
    Busy,
}

/// What is known of the network from elsewhere. Advice: a frame that comes in proves more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetHint {
    /// There is none.
    Offline,
    /// There is one again.
    Online,
    /// It is another one: what is open may be dead.
    PathChanged,
    /// Somebody wants it now.
    RetryNow,
}

/// How the path beside the room is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaHealth {
    /// It works.
    Healthy,
    /// It worked, and does not any more: a session that is resumed would not bring it back.
    Broken,
    /// There is none, or it has never worked. The state to start with.
    NeverConnected,
}

/// What a connection reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// The WebSocket handshake is done.
    Opened,
    /// A binary message.
    Frame(Bytes),
    /// A text message, which the protocol has none of.
    Text,
    /// It is closed, or the dial was refused by an HTTP answer.
    Closed {
        /// The WebSocket close code, or 1006 if there was none; the HTTP status (below 1000) if the handshake was refused.
        code: u16,
        /// Whether both sides said goodbye.
        clean: bool,
    },
    /// Dialling, reading or writing failed.
    Error(String),
}
