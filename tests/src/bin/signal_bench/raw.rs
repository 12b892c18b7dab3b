//! A client that is cheap: WebSocket framing by hand (RFC 6455, section 5), and as much of the room protocol as an idle or counting
//! client needs.

use std::{io, net::SocketAddr};

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf as _, Bytes, BytesMut};
use moorline_proto::wire::signal::{self as pb, client_frame, server_frame};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// What a frame is.
pub(crate) const BINARY: u8 = 0x2;
/// Asks for a pong.
pub(crate) const PING: u8 = 0x9;

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The receiving side of a WebSocket.
pub(crate) struct Reader {
    half: OwnedReadHalf,
    buffer: BytesMut,
    /// Read at once.
    at_once: usize,
}

/// A session.
pub(crate) struct Raw {
    pub(crate) reader: Reader,
    pub(crate) writer: OwnedWriteHalf,
    pub(crate) welcome: pb::Welcome,
    /// The newest delivery.
    pub(crate) seen: u64,
}

/// Opens a WebSocket.
pub(crate) async fn open(addr: SocketAddr, at_once: usize) -> Result<(Reader, OwnedWriteHalf)> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    stream.write_all(REQUEST.as_bytes()).await?;
    let mut buffer = BytesMut::new();
    let end = loop {
        buffer.reserve(512);
        ensure!(stream.read_buf(&mut buffer).await? > 0, "the server hung up");
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
    };
    ensure!(buffer.starts_with(b"HTTP/1.1 101"), "no WebSocket");
    buffer.advance(end);
    let (half, writer) = stream.into_split();
    Ok((Reader { half, buffer, at_once }, writer))
}

/// A frame of a client. The mask is zero: allowed, and free.
pub(crate) fn put(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match payload.len() {
        len @ 0..=125 => out.push(0x80 | len as u8),
        len => {
            assert!(len <= 0xffff, "longer frames are not needed here");
            out.push(0x80 | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// A frame of the room protocol.
pub(crate) fn put_body(out: &mut Vec<u8>, seq: u64, ack: u64, body: client_frame::Body) {
    put(out, BINARY, &pb::ClientFrame { seq, ack, body: Some(body) }.encode_to_vec());
}

impl Reader {
    /// Waits for more; `false` at the end.
    pub(crate) async fn fill(&mut self) -> io::Result<bool> {
        self.buffer.reserve(self.at_once);
        Ok(self.half.read_buf(&mut self.buffer).await? > 0)
    }

    /// The next message that is there already, whatever it is.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        let second = *self.buffer.get(1)?;
        let (header, len) = match second & 0x7f {
            126 => (4, usize::from(u16::from_be_bytes(self.buffer.get(2..4)?.try_into().ok()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(self.buffer.get(2..10)?.try_into().ok()?)).ok()?),
            len => (2, usize::from(len)),
        };
        if self.buffer.len() < header + len {
            return None;
        }
        self.buffer.advance(header);
        Some(self.buffer.split_to(len).freeze())
    }

    /// Counts the messages that are there already and at least so long, and passes over all. With a place in the log if they have one.
    pub(crate) fn count(&mut self, least: usize) -> (u64, Option<u64>) {
        let (mut count, mut seen) = (0, None);
        while let Some(message) = self.take() {
            count += u64::from(message.len() >= least);
            seen = seq_of(&message).or(seen);
        }
        (count, seen)
    }

    /// Gives memory back.
    pub(crate) fn shrink(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }
}

/// A server frame's number, without decoding it: it comes first, as field 1.
fn seq_of(message: &[u8]) -> Option<u64> {
    let mut rest = message.strip_prefix(&[0x08])?;
    prost::encoding::decode_varint(&mut rest).ok()
}

impl Raw {
    pub(crate) async fn join(addr: SocketAddr, room: &str) -> Result<Self> {
        Self::join_reading(addr, room, 1 << 10).await
    }

    /// The same, reading so much at once.
    pub(crate) async fn join_reading(addr: SocketAddr, room: &str, at_once: usize) -> Result<Self> {
        let (mut reader, mut writer) = open(addr, at_once).await?;
        let mut lineage = [0; 16];
        // The connection's own port tells the lineages of one server apart.
        lineage[..2].copy_from_slice(&writer.local_addr()?.port().to_be_bytes());
        let hello = pb::Hello {
            proto_versions: vec![1],
            lineage_id: Bytes::copy_from_slice(&lineage),
            room: room.to_owned(),
            ..pb::Hello::default()
        };
        let mut out = Vec::new();
        put_body(&mut out, 0, 0, client_frame::Body::Hello(hello));
        writer.write_all(&out).await?;
        let mut welcome = None;
        loop {
            let Some(message) = reader.take() else {
                ensure!(reader.fill().await?, "the server hung up");
                continue;
            };
            match pb::ServerFrame::decode(message)?.body {
                Some(server_frame::Body::Welcome(it)) => welcome = Some(it),
                Some(server_frame::Body::ReplayEnd(end)) => {
                    let welcome = welcome.context("ReplayEnd before Welcome")?;
                    reader.shrink();
                    return Ok(Self { reader, writer, welcome, seen: end.upto });
                }
                other => bail!("not let in: {other:?}"),
            }
        }
    }
}
