use std::sync::Arc;
use std::time::Duration;

use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest};

use crate::limits;
use crate::machine::Transport;

use super::connector::{Connector, Stream};
use super::endpoint::Endpoint;

/// The close code of a connection that ended without one: RFC 6455, section 7.1.5.
const NO_CLOSE_CODE: u16 = 1006;

const READ_BUFFER: usize = 8 << 10;
const WRITE_BUFFER: usize = 8 << 10;

/// A WebSocket.
pub(super) type Socket = WebSocketStream<Box<dyn Stream>>;

/// All that a dial needs. One for all dials of a client.
pub(super) struct Dialer {
    pub(super) connector: Arc<dyn Connector>,
    /// For the part below TLS. The machine holds the whole to its own deadlines.
    pub(super) within: Duration,
    /// `None`: the default one, as soon as it is needed.
    #[cfg(feature = "tls")]
    pub(super) tls: Option<super::tls::Connector>,
}

impl Dialer {
    /// Opens a WebSocket. Dropping the future closes what is half open.
    ///
    /// # Errors
    /// What to report in place of `Opened`.
    pub(super) async fn dial(&self, url: &str) -> Result<Socket, Transport> {
        let endpoint = Endpoint::parse(url).map_err(|error| Transport::Error(format!("{url}: {error}")))?;
        let request = endpoint.uri.clone().into_client_request().map_err(|error| end_of(&error))?;
        let stream = self
            .connector
            .connect(&endpoint.host, endpoint.port, self.within)
            .await
            .map_err(|error| Transport::Error(error.to_string()))?;
        let stream = self.secure(&endpoint, stream).await?;
        let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(websocket_config()))
            .await
            .map_err(|error| end_of(&error))?;
        Ok(socket)
    }

    /// Gives a WebSocket up whose other side has fallen silent.
    pub(super) fn reset(&self, socket: Socket) {
        let stream = socket.get_ref().as_ref();
        #[cfg(feature = "tls")]
        let stream = super::tls::beneath(stream);
        self.connector.reset(stream);
        drop(socket);
    }

    #[cfg(feature = "tls")]
    async fn secure(&self, endpoint: &Endpoint, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>, Transport> {
        if !endpoint.secure {
            return Ok(stream);
        }
        let tls = match &self.tls {
            Some(tls) => tls.clone(),
            None => super::tls::default_config()
                .map(super::tls::Connector::new)
                .map_err(|error| Transport::Error(format!("TLS: {error}")))?,
        };
        tls.secure(&endpoint.host, stream).await.map_err(|error| Transport::Error(format!("TLS: {error}")))
    }

    #[cfg(not(feature = "tls"))]
    #[allow(clippy::unused_async, reason = "with TLS it waits")]
    async fn secure(&self, endpoint: &Endpoint, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>, Transport> {
        debug_assert!(!endpoint.secure, "refused by Endpoint::parse");
        Ok(stream)
    }
}

fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        // One frame is on its way in it, and answers to pings.
        .max_write_buffer_size(WRITE_BUFFER + 2 * limits::MAX_CLIENT_FRAME)
        .max_message_size(Some(limits::MAX_SERVER_FRAME))
        .max_frame_size(Some(limits::MAX_SERVER_FRAME))
}

/// How a WebSocket that failed like this has ended.
pub(super) fn end_of(error: &tungstenite::Error) -> Transport {
    use tungstenite::Error;
    match error {
        Error::Http(response) => Transport::Closed { code: response.status().as_u16(), clean: false },
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => closed_without_code(),
        Error::Io(error) => Transport::Error(error.to_string()),
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
            Transport::Error(format!("a message of {size} bytes is over the limit of {max_size}"))
        }
        error => Transport::Error(error.to_string()),
    }
}

/// A connection that ended without a close frame, or with an empty one.
pub(super) fn closed_without_code() -> Transport {
    Transport::Closed { code: NO_CLOSE_CODE, clean: false }
}
