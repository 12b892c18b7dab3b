//! What a random history is made of: operations with a readable word each, and how to choose them.

mod choice;
mod play;
mod raw;

use std::fmt;

use moorline_signaling::SendClass;
use moorline_signaling::machine::{MediaHealth, NetHint};

pub(crate) use choice::{faithful, raw};
pub(crate) use raw::RawInput;

use crate::model::{Afterwards, Greeting, Keep};
use crate::wire::pb;
use crate::world::{CredsMode, DialMode, TokenMode};

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Op {
    // The application.
    Send(Class, u32, Option<u32>),
    Burst(u32),
    Update,
    Call(u64, u32),
    CancelCall,
    Reply,
    Close,
    Net(NetHint),
    Media(MediaHealth),
    Busy(bool),
    Tokens(TokenMode),
    Creds(CredsMode),
    AppDelay(u32),
    // The network.
    Dial(DialMode),
    Latency(u32),
    Up(bool),
    Down(bool),
    Reset,
    End(u16, bool),
    Late(bool),
    Echo(bool),
    // The servers.
    NodeUp(usize, bool),
    Restart(usize, Keep),
    Greet(usize, Greeting),
    /// What follows on a resumption that is rejected.
    Afterwards(usize, Afterwards),
    GoAway(usize, u32, u32, Option<usize>),
    Publish(u32),
    Ping,
    CallClient(u64),
    Fault(pb::FaultCode, pb::FaultAction, u32, u32),
    EndSessions(pb::EndReason),
    TokenExpiring(u32),
    /// Only this one is good; 0: all are.
    GoodToken(u32),
    MuteAcks(bool),
    Refuse(u32),
    Capacity(usize),
    Inflight(u32),
    // Time, in milliseconds.
    Pass(u32),
    Deadline(u32),
    Suspend(u32, bool),
    Heal,
    /// What only a driver with a defect, or a server of ill will, would do.
    Raw(RawInput),
}

/// The class of a send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Class {
    Reliable,
    Latest(u8),
    Ephemeral,
    Bound,
}

impl From<Class> for SendClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Reliable => Self::Reliable,
            Class::Latest(key) => Self::Latest(format!("key-{key}")),
            Class::Ephemeral => Self::Ephemeral,
            Class::Bound => Self::EpochBound,
        }
    }
}

/// How a history ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ending {
    /// Everything works again: the client is back in the room, or closed.
    Heal,
    /// Nothing works any more: the client gives up in time.
    Silence,
    /// The user closes: it is over in time.
    Close,
}

/// A whole history.
#[derive(Clone, PartialEq)]
pub(crate) struct History {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    /// Whether nodes know each other's lineages, and whether they forget them with the session.
    pub(crate) shared: bool,
    pub(crate) forgetful: bool,
    /// Whether there is no deadline for a recovery.
    pub(crate) patient: bool,
    /// Whether no server answers a hello at first: room for answers that none would give.
    pub(crate) mute: bool,
    /// Sends that the queue holds.
    pub(crate) queue: usize,
    /// New sessions that are allowed within two minutes, and attempts in a row.
    pub(crate) budget: u32,
    pub(crate) attempts: Option<u32>,
    /// Whether it begins with `Connect`.
    pub(crate) connect: bool,
    pub(crate) ops: Vec<Op>,
    pub(crate) ending: Ending,
}

impl fmt::Debug for History {
    /// One line an operation, however it is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "history: seed {}, {} nodes{}{}{}{}, queue of {}, budget of {}{}{}",
            self.seed,
            self.nodes,
            if self.shared { "" } else { ", lineages not shared" },
            if self.forgetful { ", forgetful" } else { "" },
            if self.patient { ", no deadline" } else { "" },
            if self.mute { ", mute at first" } else { "" },
            self.queue,
            self.budget,
            self.attempts.map_or(String::new(), |most| format!(", {most} attempts")),
            if self.connect { "" } else { ", not connected at first" },
        )?;
        for op in &self.ops {
            writeln!(f, "  {op:?}")?;
        }
        write!(f, "  ending: {:?}", self.ending)
    }
}
