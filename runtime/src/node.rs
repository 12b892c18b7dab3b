//! The peer: one [`Node`] composes transport, discovery, library and transfers under one supervisor.
//!
//! A node runs these services:
//!
//! | service | policy | what it does |
//! | --- | --- | --- |
//! | `quic-server` | required | admits peers and serves their requests |
//! | `commands` | required | carries out what the [`NodeHandle`] asks for |
//! | `discovery` | restart after 5 s | announces this node and dials the peers that it finds |
//! | `liveness` | restart after 5 s | pings every connection and closes those that do not answer |
//! | `library-monitor` | best effort | scans the shared folders and follows their changes |
//!
//! Every connection, handshake, dial, ping and download is a task below one of them. When a required service dies, the node says
//! [`NodeEvent::RuntimeFailed`], cancels everything else, still answers every command that it had accepted and still says goodbye to
//! every peer; its last event is always one [`NodeEvent::Stopped`].

mod accept;
mod budget;
mod bus;
mod commands;
mod condemned;
mod conductor;
mod config;
mod context;
mod dialer;
mod discover;
mod downloads;
mod event;
mod handle;
mod listing;
mod liveness;
mod mirror;
mod neighbours;
mod peers;
mod serve;
mod session;
mod sourcing;
mod start;
mod thumbnail;

pub use bus::NodeEvents;
pub use commands::{Command, CommandError, CommandSender};
pub use config::{DialConfig, LivenessConfig, NodeConfig, NodeLimits, SocketSource};
pub use downloads::{DownloadHandle, DownloadId, DownloadRequest};
pub use event::{NodeEvent, Offer, PeerView, Provider, RuntimeFailed, StopReason};
pub use handle::NodeHandle;
pub(crate) use neighbours::{Neighbours, NotMet};
pub use start::{Node, StartError};
pub use thumbnail::{ThumbnailError, ThumbnailImage};
