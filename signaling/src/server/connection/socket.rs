use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::wire::limits;

/// Read at once. Most frames are shorter; the buffer is there for as long as the connection.
const READ_BUFFER: usize = 2 << 10;
/// The library writes pongs and the answer to a close, nothing else.
const MAX_LIBRARY_WRITES: usize = 64 << 10;
/// Read at once of what nobody wants.
const DISCARDED_AT_ONCE: usize = 4 << 10;
/// An output buffer up to here is kept for the next frames.
const IDLE_OUTPUT: usize = 1 << 10;

/// A WebSocket: the library reads, frames are written as they were put together.
pub(super) struct Socket<IO> {
    ws: WebSocketStream<IO>,
    /// Whole WebSocket messages that are to be written.
    pub(super) out: Vec<u8>,
    /// The other side has closed, and the library has the answer to that.
    answers: bool,
}

/// What came in.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A frame of the protocol.
    Frame(Bytes),
    /// A sign of life.
    Control,
    /// The other side says goodbye, or is not there any more.
    Lost(String),
    /// The other side breaks the rules.
    Broken(String),
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Socket<IO> {
    /// A socket that is past its handshake; `read` came in together with it.
    pub(super) async fn new(stream: IO, read: Vec<u8>) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(MAX_LIBRARY_WRITES)
            .max_message_size(Some(limits::MAX_CLIENT_FRAME))
            .max_frame_size(Some(limits::MAX_CLIENT_FRAME));
        let ws = WebSocketStream::from_partially_read(stream, read, Role::Server, Some(config)).await;
        Self { ws, out: Vec::new(), answers: false }
    }

    /// The next message. Cancel-safe.
    pub(super) async fn next(&mut self) -> Incoming {
        match self.ws.next().await {
            Some(Ok(Message::Binary(bytes))) => Incoming::Frame(bytes),
            Some(Ok(Message::Text(_))) => Incoming::Broken("a text message".into()),
            Some(Ok(Message::Close(frame))) => {
                self.answers = true;
                Incoming::Lost(frame.map_or("closed".into(), |frame| format!("closed with {}", frame.code)))
            }
            Some(Ok(_)) => Incoming::Control,
            Some(Err(error @ (Error::Capacity(_) | Error::Protocol(_) | Error::Utf8(_)))) => {
                use tokio_tungstenite::tungstenite::error::ProtocolError;
                match error {
                    Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Incoming::Lost(error.to_string()),
                    error => Incoming::Broken(error.to_string()),
                }
            }
            Some(Err(error)) => Incoming::Lost(error.to_string()),
            None => Incoming::Lost("closed".into()),
        }
    }

    /// Writes all that is in `out`. Not cancel-safe: after a drop in between, the socket is of no more use.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        // A pong that the library could write only half of must not have a frame in its middle.
        match self.ws.flush().await {
            Ok(()) => {}
            Err(Error::Io(error)) => return Err(error),
            Err(error) => return Err(io::Error::other(error)),
        }
        let stream = self.ws.get_mut();
        stream.write_all(&self.out).await?;
        stream.flush().await?;
        self.out.clear();
        self.out.shrink_to(IDLE_OUTPUT);
        Ok(())
    }

    pub(super) fn stream(&self) -> &IO {
        self.ws.get_ref()
    }

    /// Answers a close (RFC 6455, section 5.5.1), and waits until the other side has closed as well. Closing with something unread would
    /// reset the connection, and take with it the last frames that were written.
    pub(super) async fn linger(&mut self, at_most: Duration) {
        let _ = timeout(at_most, async {
            if self.answers {
                // Nothing but the answer: `out` was written completely before the close was read.
                let _ = self.ws.flush().await;
            }
            discard_all(self.ws.get_mut()).await
        })
        .await;
    }
}

/// Says that nothing more will be written, and reads for nothing until the other side says so too.
pub(super) async fn discard<IO: AsyncRead + AsyncWrite + Unpin>(stream: &mut IO, at_most: Duration) {
    let _ = timeout(at_most, discard_all(stream)).await;
}

async fn discard_all<IO: AsyncRead + AsyncWrite + Unpin>(stream: &mut IO) -> io::Result<()> {
    stream.shutdown().await?;
    let mut nothing = vec![0; DISCARDED_AT_ONCE];
    while stream.read(&mut nothing).await? > 0 {}
    Ok(())
}
