#![doc = include_str!("../README.md")]

mod artefact;
pub mod audit;
mod blocking;
mod clock;
mod compare;
mod crypto;
mod drawing;
mod entropy;
mod folder;
mod host;
mod invariant;
mod lab;
mod narrative;
mod net;
mod panics;
mod points;
mod run;
pub mod scenario;
mod shrink;
mod swarm;
mod sweep;
mod thread;
mod trace;

pub use artefact::write_artefact;
pub use blocking::OnTheSpot;
pub use clock::SimClock;
pub use compare::{Difference, first_difference};
pub use crypto::{MAX_TLS_HOSTS, TlsRandomness};
pub use drawing::Drawing;
pub use entropy::Seeds;
pub use folder::Folder;
pub use host::{
    FetchState, Happened, History, Logged, NodeHost, NodeSpec, Seen, ServerHost, ServerSpec, Tokens, UserHost, UserSpec,
};
pub use invariant::{INVARIANTS, Lie, lies};
pub use lab::{Lab, LabConfig, LabError};
pub use narrative::narrative;
pub use net::{
    BurstLoss, LinkFaults, LossCause, Net, SimConnector, SimListener, SimQuicRuntime, SimTcpStream, SimUdpSocket,
};
pub use points::{Interference, Runs, known_points};
pub use run::{Report, RunError, RunOptions, Violation, run};
pub use scenario::{Scenario, ScenarioError, named_scenario, named_scenarios};
pub use shrink::{Shrunk, first_violated, shrink, shrink_with};
pub use swarm::swarm;
pub use sweep::{SOMETIMES, Sweep, sweep};
pub use thread::on_fresh_thread;
pub use trace::{Fields, Fingerprint, Trace};
