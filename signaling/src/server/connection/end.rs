use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::socket::Socket;
use crate::server::core::Core;
use crate::server::{Ended, close_code, frames};
use crate::wire::pb;

/// How a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// It is gone, or of no use any more: there is nobody to talk to.
    Lost(String),
    /// Nothing came for the heartbeat timeout. A goodbye would wait behind what the client never acknowledged: it gets a reset.
    Silent,
    /// With a close code alone.
    Close(u16, &'static str),
    /// Something is wrong.
    Fault(Box<pb::Fault>, u16),
    /// The session is over.
    SessionEnded(pb::EndReason, u16),
}

impl End {
    /// A fault without advice on when to come again.
    pub(super) fn fault(code: pb::FaultCode, action: pb::FaultAction, close: u16, message: impl Into<String>) -> Self {
        let fault = pb::Fault {
            code: code.into(),
            action: action.into(),
            retry_after_ms: 0,
            spread_ms: 0,
            message: message.into(),
        };
        Self::Fault(Box::new(fault), close)
    }

    /// The client breaks the protocol, and will again.
    pub(super) fn protocol(message: impl Into<String>) -> Self {
        Self::fault(pb::FaultCode::Protocol, pb::FaultAction::End, close_code::PROTOCOL, message)
    }

    /// Its frames and ours do not go together any more.
    pub(super) fn out_of_step(message: impl Into<String>) -> Self {
        Self::fault(pb::FaultCode::Protocol, pb::FaultAction::JoinAnew, close_code::OUT_OF_STEP, message)
    }

    /// Writes the last words.
    pub(super) async fn say<IO: AsyncRead + AsyncWrite + Unpin>(self, core: &Core, socket: &mut Socket<IO>) {
        use pb::server_frame::Body;
        socket.out.clear();
        let (body, code, reason) = match self {
            Self::Lost(_) | Self::Silent => return,
            Self::Close(code, reason) => (None, code, reason.to_owned()),
            Self::Fault(fault, code) => {
                core.metrics.fault(fault.code());
                let reason = fault.message.clone();
                (Some(Body::Fault(*fault)), code, reason)
            }
            Self::SessionEnded(reason, code) => {
                (Some(Body::SessionEnded(pb::SessionEnded { reason: reason.into() })), code, "the session ended".into())
            }
        };
        if let Some(body) = body {
            core.metrics.frames_out.add(1);
            frames::put_body(&mut socket.out, 0, body);
        }
        frames::put_close(&mut socket.out, code, &reason);
        let _ = timeout(core.config.close_timeout, socket.flush()).await;
    }
}

impl From<Ended> for End {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Fenced => Self::Close(close_code::FENCED, "a newer connection took over"),
            Ended::Replaced => Self::SessionEnded(pb::EndReason::IdentityReplaced, close_code::REPLACED),
            Ended::SlowConsumer => Self::fault(
                pb::FaultCode::SlowConsumer,
                pb::FaultAction::JoinAnew,
                close_code::SLOW_CONSUMER,
                "more waits for the client than is kept",
            ),
            Ended::Drained => Self::Close(close_code::DRAINED, "the node is drained"),
            Ended::Stopping => Self::Close(close_code::STOPPING, "the server stops"),
        }
    }
}
