//! `cargo xtask sim`: builds the simulator and hands everything on to it.

use std::ffi::OsString;
use std::process::{Command, exit};

use anyhow::{Context, Result, bail};

use crate::steps::{Steps, cargo, check};
use crate::workspace_root;

/// Whole nodes, room servers and clients in a deterministic network. `cargo xtask sim --help` tells all.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct SimArgs {
    /// run NAME, sweep, replay FILE, shrink FILE, diff A B, check-determinism, mutants, expand, bench; nothing: all named scenarios
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    args: Vec<OsString>,
}

/// How often each figure is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// Medians of so many are told
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// Ends this process with the simulator's own exit code, if that is not 0.
pub(crate) fn run(args: &SimArgs) -> Result<()> {
    let mut simulator = built()?;
    let status = simulator.args(&args.args).status().context("cannot start the simulator")?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => exit(code),
        None => bail!("the simulator was killed: {status}"),
    }
}

/// Its figures.
pub(crate) fn bench(args: &BenchArgs) -> Result<()> {
    check(built()?.args(["bench", "--rounds", &args.rounds.to_string()]))
}

/// What CI has time for. Always the same seeds: a change is judged by itself, and not by its luck. New ones are for whoever looks for bugs.
pub(crate) fn ci(steps: &mut Steps) {
    steps.step("sweep", "random scenarios", || check(built()?.args(["sweep", "--seeds", "0..1000"])));
    steps.step("twice", "scenarios, and again, with the same traces", || {
        check(built()?.args(["check-determinism", "--seeds", "0..20"]))
    });
    steps.step("lies", "the invariants notice what they are there for", || check(built()?.arg("mutants")));
}

/// The simulator, as the tests of the workspace use it, so that whoever has run those need not build it again. Files that its arguments
/// name are looked for where xtask was started.
fn built() -> Result<Command> {
    let status = cargo(&["build", "--quiet", "--workspace", "--bin", "moorline-sim"]).status();
    if !status.context("cannot start cargo")?.success() {
        bail!("the simulator does not build");
    }
    // What is absolute takes the place of the root.
    let target = workspace_root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
    let mut simulator = Command::new(target.join("debug").join("moorline-sim"));
    simulator.current_dir(std::env::current_dir()?);
    Ok(simulator)
}
