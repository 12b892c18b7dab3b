//! Frames on a QUIC stream, each step with a deadline.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use moorline_proto::{ErrorCode, FRAME_HEADER_LEN, FrameError, encode_frame, parse_frame_len};
use quinn::{ReadError, RecvStream, SendStream, VarInt, WriteError};
use tokio::time::timeout;

use crate::{ConnectionEnd, RequestError};

/// Memory taken for a frame before its bytes arrive; more only as they do.
const FIRST_ALLOCATION: usize = 16 * 1024;

/// Reads frames and keeps what it has between calls, so that a call can be cancelled without loss.
pub(crate) struct FrameReader {
    max: usize,
    header: BytesMut,
    payload: Option<(usize, BytesMut)>,
}

/// How long to wait for what. By default, the caller has a deadline for the whole.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Patience {
    /// For the first byte of a frame; `None`: as long as the connection lives.
    pub(crate) first: Option<Duration>,
    /// For each further piece; `None`: the caller has a deadline for the whole.
    pub(crate) next: Option<Duration>,
}

impl FrameReader {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, header: BytesMut::with_capacity(FRAME_HEADER_LEN), payload: None }
    }

    /// The next frame's payload; `None` if the stream ended in an orderly way between frames. Cancel-safe.
    pub(crate) async fn next(
        &mut self,
        stream: &mut RecvStream,
        patience: Patience,
    ) -> Result<Option<Bytes>, RequestError> {
        loop {
            if let Some((len, payload)) = &mut self.payload {
                let missing = *len - payload.len();
                if missing == 0 {
                    let whole = std::mem::take(payload).freeze();
                    self.payload = None;
                    return Ok(Some(whole));
                }
                match piece(stream, missing, patience.next, "send the rest of a frame").await? {
                    Some(bytes) => payload.extend_from_slice(&bytes),
                    None => return Err(cut_off()),
                }
            } else if self.header.len() < FRAME_HEADER_LEN {
                let (wait, what) = match self.header.is_empty() {
                    true => (patience.first, "answer"),
                    false => (patience.next, "send the rest of a frame"),
                };
                match piece(stream, FRAME_HEADER_LEN - self.header.len(), wait, what).await? {
                    Some(bytes) => self.header.extend_from_slice(&bytes),
                    None if self.header.is_empty() => return Ok(None),
                    None => return Err(cut_off()),
                }
            } else {
                let mut header = [0; FRAME_HEADER_LEN];
                header.copy_from_slice(&self.header);
                let len = parse_frame_len(header, self.max).map_err(too_large)?;
                self.header.clear();
                self.payload = Some((len, BytesMut::with_capacity(len.min(FIRST_ALLOCATION))));
            }
        }
    }

    /// Whether the stream stands between two frames.
    pub(crate) fn is_between_frames(&self) -> bool {
        self.header.is_empty() && self.payload.is_none()
    }
}

fn cut_off() -> RequestError {
    RequestError::Protocol("the stream ended in the middle of a frame".to_owned())
}

async fn piece(
    stream: &mut RecvStream,
    max: usize,
    wait: Option<Duration>,
    what: &'static str,
) -> Result<Option<Bytes>, RequestError> {
    let read = stream.read_chunk(max, true);
    let chunk = match wait {
        Some(wait) => timeout(wait, read).await.map_err(|_| RequestError::TimedOut(what))?,
        None => read.await,
    };
    Ok(chunk.map_err(read_error)?.map(|chunk| chunk.bytes))
}

/// Fills `out` with the bytes that follow; no pause may be longer than `stall`. Not cancel-safe.
pub(crate) async fn read_bulk(stream: &mut RecvStream, out: &mut [u8], stall: Duration) -> Result<(), RequestError> {
    let mut filled = 0;
    while filled < out.len() {
        let read = timeout(stall, stream.read(&mut out[filled..])).await;
        match read.map_err(|_| RequestError::TimedOut("send on"))?.map_err(read_error)? {
            Some(count) => filled += count,
            None => {
                let problem =
                    format!("the stream ended {} bytes before the end of what was announced", out.len() - filled);
                return Err(RequestError::Protocol(problem));
            }
        }
    }
    Ok(())
}

/// Sends a frame. Not cancel-safe: after a cancelled call the stream must be reset.
pub(crate) async fn write_frame(
    stream: &mut SendStream,
    payload: &[u8],
    max: usize,
    stall: Duration,
) -> Result<(), RequestError> {
    let frame = encode_frame(payload, max).map_err(too_large)?;
    write_bulk(stream, frame, stall).await
}

/// Hands `bytes` to QUIC without copying them; waits, up to `stall` without progress, while the reader is behind. Not cancel-safe.
pub(crate) async fn write_bulk(stream: &mut SendStream, bytes: Bytes, stall: Duration) -> Result<(), RequestError> {
    let mut rest = [bytes];
    while !rest[0].is_empty() {
        let written = timeout(stall, stream.write_chunks(&mut rest)).await;
        written.map_err(|_| RequestError::TimedOut("read on"))?.map_err(write_error)?;
    }
    Ok(())
}

fn too_large(error: FrameError) -> RequestError {
    match error {
        FrameError::TooLong { len, max } => RequestError::TooLarge { len, max },
        other => RequestError::Protocol(other.to_string()),
    }
}

pub(crate) fn read_error(error: ReadError) -> RequestError {
    match error {
        ReadError::Reset(code) => RequestError::Aborted(abort_code(code)),
        ReadError::ConnectionLost(error) => RequestError::ConnectionLost(ConnectionEnd::from_quinn(&error)),
        ReadError::ClosedStream => RequestError::Finished,
        other => RequestError::Protocol(other.to_string()),
    }
}

fn write_error(error: WriteError) -> RequestError {
    match error {
        WriteError::Stopped(_) => RequestError::Stopped,
        WriteError::ConnectionLost(error) => RequestError::ConnectionLost(ConnectionEnd::from_quinn(&error)),
        WriteError::ClosedStream => RequestError::Finished,
        other => RequestError::Protocol(other.to_string()),
    }
}

/// How an [`ErrorCode`] travels in a RESET_STREAM frame.
pub(crate) fn abort_to_wire(code: ErrorCode) -> VarInt {
    VarInt::from_u32(code.code())
}

fn abort_code(code: VarInt) -> ErrorCode {
    ErrorCode::from_code(u32::try_from(code.into_inner()).unwrap_or(u32::MAX))
}
