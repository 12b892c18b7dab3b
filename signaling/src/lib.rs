#![doc = include_str!("../README.md")]

#[cfg(feature = "client")]
pub mod client;
mod ids;
pub mod machine;
#[cfg(any(feature = "client", feature = "server"))]
mod reset;
mod room;
#[cfg(feature = "server")]
pub mod server;
mod wire;

pub use wire::limits;

#[cfg(feature = "client")]
pub use client::{
    Client, ClientConfig, ConfigError, ConnectError, Connector, CredentialsSource, Driver, Events, NotSent, Sent,
    SourceError, TokenSource,
};

pub use ids::{CallId, Epoch, LineageId, LogId, ParticipantId, SendId, SessionId, StreamPos};
pub use room::{
    CallError, CallRequest, CloseReason, EndReason, Grants, LeftReason, LossCause, Message, NodeName, Participant,
    RejectCode, SendClass, SendOutcome, StateValue, Strategy,
};
