#![doc = include_str!("../README.md")]

#[cfg(feature = "node")]
pub mod library;
#[cfg(feature = "node")]
pub mod node;
#[cfg(feature = "node")]
pub mod room;
pub mod supervisor;
#[cfg(feature = "node")]
pub mod transfer;

#[cfg(feature = "node")]
pub use moorline_discovery as discovery;
#[cfg(feature = "node")]
pub use moorline_proto as proto;
#[cfg(feature = "node")]
pub use moorline_signaling as signaling;
#[cfg(feature = "node")]
pub use moorline_transport as transport;
