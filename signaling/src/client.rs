//! The client on tokio and WebSocket: [`Client`] around the [`machine`](crate::machine).
//!
//! One task owns the machine, and one task each serves a connection; nothing else is spawned. A handle never waits for either: sending,
//! calling and closing are messages, and what becomes of them is a future that may be dropped.
//!
//! [`Client::connect`] starts the task by itself. Who has a supervisor takes [`Client::prepare`], and runs the [`Driver`] there.
//!
//! # Closing
//!
//! [`Client::close`] asks and returns at once, whatever the other side does. [`Client::closed`] tells the reason: after one round trip
//! if the server answers the goodbye, after [`Timers::leave`](crate::machine::Timers::leave) (1 s) if it does not. [`Client::stopped`]
//! waits for the last socket as well, a tenth of a second later at most. Dropping the last handle is a close. Dropping a running
//! [`Driver`] cuts everything off without a goodbye.
//!
//! # A slow application
//!
//! [`Events`] is a bounded queue. When it is full nothing more is read, so that the other side slows down; heartbeats,
//! acknowledgements and closing go on, and no event is lost. Only [`Decision`](crate::machine::Decision)s, which are for logs, are
//! left out then.

mod command;
mod config;
mod connect;
mod connection;
mod connector;
mod credentials;
mod dial;
mod driver;
mod endpoint;
mod events;
mod handle;
mod outbox;
mod roster;
mod shared;
mod suspend;
#[cfg(feature = "tls")]
mod tls;
mod waiters;

pub use command::{NotSent, Sent};
pub use config::{ClientConfig, ConfigError};
pub use connect::ConnectError;
pub use connector::{BoxFuture, Connector, Stream, TcpConnector};
pub use credentials::{CredentialsSource, FixedToken, Server, ServerList, SourceError, TokenSource, Wanted};
pub use driver::Driver;
pub use events::Events;
pub use handle::Client;
pub use suspend::SuspendClock;
