//! `cargo xtask bench`: what Moorline costs, measured beside what else could do the same work, in the same run.

mod contender;
mod ffi;
mod figures;
mod others;
mod ours;
mod process;
mod signaling;
mod transfer;

use anyhow::Result;

use crate::sim;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Bench {
    /// One large file and many small ones between two processes on loopback
    Transfer(transfer::TransferArgs),
    /// Rooms over WebSocket: recovery, crowds, memory and fan-out, on loopback
    Signaling(signaling::SignalingArgs),
    /// The C interface: calls, events, requests, from C and through ctypes
    Ffi(ffi::FfiArgs),
    /// How fast simulated time goes by, beside a bare network in which nothing happens
    Sim(sim::BenchArgs),
}

pub(crate) fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Transfer(args) => transfer::run(args),
        Bench::Signaling(args) => signaling::run(args),
        Bench::Ffi(args) => ffi::run(args),
        Bench::Sim(args) => sim::bench(args),
    }
}
