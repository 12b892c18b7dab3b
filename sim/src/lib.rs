#![doc = include_str!("../README.md")]

pub mod audit;
mod blocking;
mod clock;
mod crypto;
mod entropy;
mod folder;
mod host;
mod lab;
mod net;
mod thread;
mod trace;

pub use blocking::OnTheSpot;
pub use clock::SimClock;
pub use crypto::{MAX_TLS_HOSTS, TlsRandomness};
pub use entropy::Seeds;
pub use folder::Folder;
pub use host::{FetchState, Logged, NodeHost, NodeSpec, ServerHost, ServerSpec, UserHost, UserSpec};
pub use lab::{Lab, LabConfig, LabError};
pub use net::{
    BurstLoss, LinkFaults, LossCause, Net, SimConnector, SimListener, SimQuicRuntime, SimTcpStream, SimUdpSocket,
};
pub use thread::on_fresh_thread;
pub use trace::{Fields, Fingerprint, Trace};
