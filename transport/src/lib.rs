#![doc = include_str!("../README.md")]

#[cfg(test)]
extern crate self as moorline_transport;

mod access;
mod attempts;
mod close;
mod config;
mod connection;
mod endpoint;
mod entropy;
mod error;
mod exchange;
mod frame_io;
mod held_socket;
mod hello;
mod identity;
mod pake;
mod quic;
mod serve;
mod shared;
mod socket;
#[cfg(test)]
mod tests;
mod text;
mod tls;

pub use access::{Access, Passphrase, PassphraseError};
pub use close::{CloseCode, CloseReason, ConnectionEnd};
pub use config::{Congestion, EndpointConfig, Limits, Tuning};
pub use connection::{BulkTurn, Connection, PathInfo, PeerInfo};
pub use endpoint::{Endpoint, Incoming};
pub use entropy::{Entropy, OsEntropy, SeededEntropy};
pub use error::{AdmitError, BindError, ConnectError, DialError, RequestError};
pub use exchange::Exchange;
pub use identity::{Identity, IdentityError};
pub use serve::{IncomingRequest, Responder};
pub use socket::SocketBuffers;
pub use tls::{TlsError, default_provider};
