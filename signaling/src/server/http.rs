//! The little HTTP that a room server speaks: the request that a WebSocket begins with, and two pages for operators.

use std::io;

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::error::{Error as WsError, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::server::create_response;

/// The longest request head.
const MAX_HEAD: usize = 8 << 10;
/// The most headers.
const MAX_HEADERS: usize = 64;

/// Why there is no request to answer.
#[derive(Debug)]
pub(crate) enum BadRequest {
    /// To be answered with this.
    Status(StatusCode),
    /// There is nobody to answer.
    Io(io::Error),
}

impl From<StatusCode> for BadRequest {
    fn from(status: StatusCode) -> Self {
        Self::Status(status)
    }
}

/// Reads the head of a request, and what came in after it.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Result<(Request<()>, Vec<u8>), BadRequest> {
    let mut buffer = Vec::with_capacity(1 << 10);
    loop {
        let left = MAX_HEAD - buffer.len();
        if left == 0 {
            return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into());
        }
        let read = (&mut *stream).take(left as u64).read_buf(&mut buffer).await.map_err(BadRequest::Io)?;
        if read == 0 {
            return Err(BadRequest::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        if let Some((request, len)) = parse(&buffer)? {
            buffer.drain(..len);
            return Ok((request, buffer));
        }
    }
}

/// The request at the beginning of these bytes and the length of its head; `None` if it is not complete.
fn parse(bytes: &[u8]) -> Result<Option<(Request<()>, usize)>, StatusCode> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let len = match head.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        Err(_) => return Err(StatusCode::BAD_REQUEST),
    };
    let bad = |_| StatusCode::BAD_REQUEST;
    let method = Method::from_bytes(head.method.unwrap_or_default().as_bytes()).map_err(|_| StatusCode::BAD_REQUEST)?;
    let version = if head.version == Some(1) { http::Version::HTTP_11 } else { http::Version::HTTP_10 };
    let mut request = Request::builder()
        .method(method)
        .uri(head.path.unwrap_or_default())
        .version(version)
        .body(())
        .map_err(|_: http::Error| StatusCode::BAD_REQUEST)?;
    for header in head.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| StatusCode::BAD_REQUEST)?;
        request.headers_mut().append(name, HeaderValue::from_bytes(header.value).map_err(bad)?);
    }
    Ok(Some((request, len)))
}

/// Whether the request asks for another protocol at all.
pub(crate) fn wants_upgrade(request: &Request<()>) -> bool {
    request.headers().contains_key(header::UPGRADE)
}

/// The answer that makes the connection a WebSocket.
pub(crate) fn upgrade(request: &Request<()>) -> Result<Response<()>, StatusCode> {
    create_response(request).map_err(|error| match error {
        WsError::Protocol(ProtocolError::WrongHttpMethod) => StatusCode::METHOD_NOT_ALLOWED,
        WsError::Protocol(
            ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingUpgradeWebSocketHeader
            | ProtocolError::MissingSecWebSocketVersionHeader,
        ) => StatusCode::UPGRADE_REQUIRED,
        _ => StatusCode::BAD_REQUEST,
    })
}

/// Writes the head of the answer that `upgrade` made.
pub(crate) async fn write_upgrade(stream: &mut (impl AsyncWrite + Unpin), response: &Response<()>) -> io::Result<()> {
    let mut head = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
    for (name, value) in response.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    stream.write_all(&head).await?;
    stream.flush().await
}

/// Writes a whole answer, after which the connection closes.
pub(crate) async fn respond(stream: &mut (impl AsyncWrite + Unpin), status: StatusCode, body: &str) -> io::Result<()> {
    let extra = match status {
        StatusCode::METHOD_NOT_ALLOWED => "Allow: GET\r\n",
        // RFC 6455, section 4.4.
        StatusCode::UPGRADE_REQUIRED => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        StatusCode::SERVICE_UNAVAILABLE => "Retry-After: 1\r\n",
        _ => "",
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n{extra}\r\n{body}",
        body.len(),
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
            let _ = parse(&[b"GET / HTTP/1.1\r\n", &bytes[..], b"\r\n\r\n"].concat());
        }
    }

    #[test]
    fn a_head_is_read_when_it_is_complete() {
        assert!(matches!(parse(b"GET /a HTTP/1.1\r\nHost: x\r\n"), Ok(None)));
        let (request, len) = parse(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nrest").unwrap().unwrap();
        assert_eq!((request.uri().path(), len), ("/a", 28));
        assert!(matches!(parse(b"\0\0"), Err(StatusCode::BAD_REQUEST)));
    }
}
