//! Moorline's automation. Run as `cargo xtask VERB`; one file a verb.

mod bench;
mod ci;
mod codegen;
mod dist;
mod ffi;
mod histories;
mod sim;
mod steps;
mod test;
mod tools;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

/// Moorline's automation.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Measure Moorline beside a plain QUIC stream and the usual tools
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Everything that CI runs: `test`, and the demonstration
    Ci,
    /// Generate what is generated (wire code, C header, tables of Python and C#), or check that what is committed is current
    Codegen(codegen::Args),
    /// What is handed out: header, libraries, wheel, package for Unity
    Dist(dist::DistArgs),
    /// The interface for other languages: symbols, header, tests in C, Python and C#, packages
    Ffi(ffi::FfiArgs),
    /// Play new random histories of the state machine of rooms, as many as there is time for
    Histories(histories::Args),
    /// Whole nodes, room servers and clients in a deterministic network: named scenarios, sweeps, replays
    Sim(sim::SimArgs),
    /// Everything that must hold before a change is good: lints, generated code, tests, documentation, end to end
    Test(test::TestArgs),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().verb {
        Verb::Bench(bench) => bench::run(&bench),
        Verb::Ci => ci::run(),
        Verb::Codegen(args) => codegen::run(&args),
        Verb::Dist(args) => dist::run(&args),
        Verb::Ffi(args) => ffi::run(args),
        Verb::Histories(args) => histories::run(&args),
        Verb::Sim(args) => sim::run(&args),
        Verb::Test(args) => test::run(args),
    }
}

/// The root of the workspace, wherever the command was started.
fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in a folder of the workspace").to_path_buf()
}
