use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use moorline_proto::{ErrorCode, PeerError, Request, Response};
use quinn::{RecvStream, SendStream};
use tokio::time::{Instant, timeout_at};

use crate::exchange::ResetOnDrop;
use crate::frame_io::{FrameReader, Patience, write_bulk, write_frame};
use crate::quic::Link;
use crate::{Limits, RequestError};

/// A stream that the peer opened. [`read`](Self::read) it to learn what it wants; dropping it refuses it.
pub struct IncomingRequest {
    send: ResetOnDrop,
    recv: RecvStream,
    limits: Arc<Limits>,
    opened: Instant,
    link: Arc<Link>,
}

impl IncomingRequest {
    pub(crate) fn new(send: SendStream, recv: RecvStream, limits: Arc<Limits>, link: Arc<Link>) -> Self {
        Self { send: ResetOnDrop(Some(send)), recv, limits, opened: Instant::now(), link }
    }

    /// The request, and what to answer it with. To be called in a task of its own: a slow peer must not hold up others.
    ///
    /// Dropping the future refuses the request.
    ///
    /// # Errors
    /// [`RequestError::TimedOut`] if the request is not there [`Limits::request_timeout`] after the stream was opened,
    /// [`RequestError::TooLarge`] above [`Limits::max_request`], [`RequestError::Protocol`] if it cannot be understood, and
    /// [`RequestError::ConnectionLost`]. The peer was told in each case.
    pub async fn read(self) -> Result<(Request, Responder), RequestError> {
        let Self { send, mut recv, limits, opened, link } = self;
        let deadline = opened + limits.request_timeout;
        let mut frames = FrameReader::new(limits.max_request);
        let frame = timeout_at(deadline, frames.next(&mut recv, Patience::default())).await;
        let mut responder = Responder { send, limits, _link: link };
        let fault = match frame.unwrap_or(Err(RequestError::TimedOut("send its request"))) {
            Ok(Some(frame)) => match Request::decode(&frame) {
                Ok(request) => return Ok((request, responder)),
                Err(error) => {
                    let message = format!("unreadable request: {error}");
                    // So that a peer of a later version learns that it is the request, and not the connection, that is at fault.
                    let answer = Response::Error(PeerError { code: ErrorCode::BadRequest, message: message.clone() });
                    if responder.respond(&answer).await.is_ok() {
                        responder.finish();
                    }
                    return Err(RequestError::Protocol(message));
                }
            },
            Ok(None) => RequestError::Protocol("the stream ended before the request".to_owned()),
            Err(fault) => fault,
        };
        responder.abort(match fault {
            RequestError::TooLarge { .. } => ErrorCode::TooLarge,
            _ => ErrorCode::BadRequest,
        });
        Err(fault)
    }
}

impl fmt::Debug for IncomingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingRequest").field("stream", &self.recv.id()).finish_non_exhaustive()
    }
}

/// The answering side of one request.
///
/// Dropping it without [`finish`](Self::finish) breaks the stream off with [`ErrorCode::Internal`], so that half an answer never
/// looks like a whole one.
pub struct Responder {
    send: ResetOnDrop,
    limits: Arc<Limits>,
    /// Keeps the connection open while somebody writes to it.
    _link: Arc<Link>,
}

impl Responder {
    /// Sends a response frame.
    ///
    /// **Not** cancel-safe: after a cancelled or failed call, drop or [`abort`](Self::abort) the responder.
    ///
    /// # Errors
    /// [`RequestError::TooLarge`] above [`Limits::max_frame`] (nothing was sent then), [`RequestError::Stopped`] if the peer no longer
    /// wants it, [`RequestError::TimedOut`] if it does not read for [`Limits::stall_timeout`], [`RequestError::ConnectionLost`].
    pub async fn respond(&mut self, response: &Response) -> Result<(), RequestError> {
        let stall = self.limits.stall_timeout;
        write_frame(stream(&mut self.send)?, &response.encode(), self.limits.max_frame, stall).await
    }

    /// Sends bytes as they are, behind a response that announced them, without copying them. Waits while the peer is behind.
    ///
    /// **Not** cancel-safe: after a cancelled or failed call, drop or [`abort`](Self::abort) the responder.
    ///
    /// # Errors
    /// As [`respond`](Self::respond), without a limit on the size.
    pub async fn write_bulk(&mut self, bytes: Bytes) -> Result<(), RequestError> {
        let stall = self.limits.stall_timeout;
        write_bulk(stream(&mut self.send)?, bytes, stall).await
    }

    /// The answer is complete. Returns at once; QUIC delivers what was written while the connection lives.
    pub fn finish(self) {
        self.send.finish();
    }

    /// Breaks the answer off. The peer sees [`RequestError::Aborted`] with this code.
    pub fn abort(self, code: ErrorCode) {
        self.send.reset(code);
    }

    /// Waits until the peer no longer wants the answer, or the connection is lost. Cancel-safe.
    pub async fn stopped(&mut self) {
        if let Ok(stream) = stream(&mut self.send) {
            let _ = stream.stopped().await;
        }
    }
}

fn stream(send: &mut ResetOnDrop) -> Result<&mut SendStream, RequestError> {
    send.0.as_mut().ok_or(RequestError::Finished)
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("stream", &self.send.0.as_ref().map(SendStream::id)).finish_non_exhaustive()
    }
}
