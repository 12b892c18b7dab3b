use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use moorline_proto::limits::MAX_MESSAGE;
use moorline_proto::{ErrorCode, PeerError, Request, Response};
use quinn::RecvStream;

use crate::frame_io::{FrameReader, Patience, abort_to_wire, read_bulk, write_frame};
use crate::quic::Link;
use crate::text::clean;
use crate::{ConnectionEnd, Limits, RequestError};

/// The asking side of one request: reads the response, and the bulk bytes behind it.
///
/// Dropping it tells the peer to stop sending.
pub struct Exchange {
    /// quinn stops it when it is dropped before its end.
    stream: RecvStream,
    frames: FrameReader,
    patience: Patience,
    stall: Duration,
    /// Keeps the connection open while somebody reads from it.
    _link: Arc<Link>,
}

impl Exchange {
    /// Opens a stream and sends `request` on it.
    pub(crate) async fn start(link: &Arc<Link>, limits: &Limits, request: &Request) -> Result<Self, RequestError> {
        let opened = tokio::time::timeout(limits.request_timeout, link.open_bi()).await;
        let opened = opened.map_err(|_| RequestError::TimedOut("take one more request"))?;
        let (send, stream) = opened.map_err(|error| RequestError::ConnectionLost(ConnectionEnd::from_quinn(&error)))?;
        // Without this, quinn would end the stream in an orderly way when this call is cancelled halfway.
        let mut send = ResetOnDrop(Some(send));
        if let Some(stream) = &mut send.0 {
            write_frame(stream, &request.encode(), limits.max_frame, limits.stall_timeout).await?;
        }
        send.finish();
        let first = match request {
            Request::WatchLibrary { .. } => None,
            _ => Some(limits.response_timeout),
        };
        let stall = limits.stall_timeout;
        let patience = Patience { first, next: Some(stall) };
        Ok(Self { stream, frames: FrameReader::new(limits.max_frame), patience, stall, _link: link.clone() })
    }

    /// The next response on this stream. Cancel-safe.
    ///
    /// # Errors
    /// [`RequestError::Refused`] if the peer answers with an error, [`RequestError::Finished`] if it has nothing more to say,
    /// [`RequestError::TimedOut`] after [`Limits::response_timeout`] (not when watching a library) or
    /// [`Limits::stall_timeout`], and the others as they say.
    pub async fn response(&mut self) -> Result<Response, RequestError> {
        let frame = self.frames.next(&mut self.stream, self.patience).await?.ok_or(RequestError::Finished)?;
        match Response::decode(&frame) {
            Ok(Response::Error(error)) => {
                let message = clean(&error.message, MAX_MESSAGE);
                Err(RequestError::Refused(PeerError { message, ..error }))
            }
            Ok(response) => Ok(response),
            Err(error) => Err(RequestError::Protocol(format!("unreadable response: {error}"))),
        }
    }

    /// Fills `out` with the bytes that follow the response, straight from QUIC's buffers.
    ///
    /// **Not** cancel-safe: after a cancelled call, drop the exchange.
    ///
    /// # Errors
    /// [`RequestError::Protocol`] if the stream ends first, [`RequestError::TimedOut`] after a pause of
    /// [`Limits::stall_timeout`], [`RequestError::Aborted`] if the peer gives up, [`RequestError::ConnectionLost`].
    pub async fn read_bulk(&mut self, out: &mut [u8]) -> Result<(), RequestError> {
        if !self.frames.is_between_frames() {
            return Err(RequestError::Protocol("bulk bytes were asked for in the middle of a frame".to_owned()));
        }
        read_bulk(&mut self.stream, out, self.stall).await
    }

    /// Tells the peer that the rest is not wanted. The same as dropping.
    pub fn stop(self) {
        drop(self);
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("stream", &self.stream.id()).finish_non_exhaustive()
    }
}

/// A stream that breaks off visibly, instead of ending in an orderly way, when it is dropped unfinished.
pub(crate) struct ResetOnDrop(pub(crate) Option<quinn::SendStream>);

impl ResetOnDrop {
    pub(crate) fn finish(mut self) {
        if let Some(mut stream) = self.0.take() {
            // Fails only if the peer stopped reading; it does not care then.
            let _ = stream.finish();
        }
    }

    pub(crate) fn reset(mut self, code: ErrorCode) {
        if let Some(mut stream) = self.0.take() {
            let _ = stream.reset(abort_to_wire(code));
        }
    }
}

impl Drop for ResetOnDrop {
    fn drop(&mut self) {
        if let Some(mut stream) = self.0.take() {
            let _ = stream.reset(abort_to_wire(ErrorCode::Internal));
        }
    }
}
