//! Peers that do not play by the rules: tests that need to stand between the layers. What well-behaved callers see is tested from
//! outside, in `tests/behaviour`.

mod early;
mod half_frames;
mod migration;
mod relay;
mod rude_streams;
mod secrecy;
#[allow(dead_code)] // also used by the tests from outside, which take other parts
#[path = "../tests/behaviour/support.rs"]
mod support;

use bytes::Bytes;
use quinn::{RecvStream, SendStream};

use crate::endpoint::dial::secure;
use crate::quic::Link;
use crate::{Access, Endpoint, EndpointConfig};

/// A connection on which TLS is done and the hello exchange is not: what anyone on the network can get.
async fn secured(caller: &Endpoint, host: &Endpoint) -> Link {
    support::soon(secure(caller, host.local_addr(), None)).await.unwrap().0
}

/// The other end of it: the next connection that is made to `host`, with TLS done.
async fn taken(host: &Endpoint) -> quinn::Connection {
    support::soon(async { host.0.quinn.accept().await.unwrap().await.unwrap() }).await
}

/// A frame as it is on the wire, header included.
async fn read_frame(stream: &mut RecvStream) -> Option<Bytes> {
    let mut frame = vec![0; 4];
    stream.read_exact(&mut frame).await.ok()?;
    let len = u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize;
    frame.resize(4 + len, 0);
    stream.read_exact(&mut frame[4..]).await.ok()?;
    Some(frame.into())
}

async fn send_frame(stream: &mut SendStream, payload: &[u8]) {
    let frame = moorline_proto::encode_frame(payload, usize::MAX).unwrap();
    stream.write_all(&frame).await.unwrap();
}

fn knowing(config: EndpointConfig, passphrase: &str) -> EndpointConfig {
    let access = Access { passphrase: Some(passphrase.parse().unwrap()), allow: None };
    EndpointConfig { access, ..config }
}
