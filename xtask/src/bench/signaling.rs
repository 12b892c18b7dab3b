//! `cargo xtask bench signaling`: what the rooms over WebSocket do under loss, in a crowd, and under load; several rounds, medians.
//!
//! Everything is measured by `signal_bench`, a process a measurement, on loopback. Rounds alternate between the measurements, so that a
//! machine that is busy for a while is busy for all of them.

mod goals;

use std::process::Command;

use anyhow::{Context, Result, bail};

use self::goals::MEASUREMENTS;
use super::figures::{Figures, measure, report};
use crate::{
    steps::{cargo, check},
    workspace_root,
};

/// What to measure, how often, and whether to insist on the result.
#[derive(Debug, clap::Args)]
pub(crate) struct SignalingArgs {
    /// Rounds; the table shows medians
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Only measurements whose name contains this (may be repeated)
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Measure the release build that is there, instead of building first
    #[arg(long)]
    no_build: bool,
    /// End with a failure when a goal is missed
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &SignalingArgs) -> Result<()> {
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| name.contains(only.as_str()));
    let measurements: Vec<_> = MEASUREMENTS.iter().filter(|measurement| wanted(measurement.name)).collect();
    if measurements.is_empty() {
        bail!("no measurement has the name given with --only");
    }
    if !args.no_build {
        check(&mut cargo(&["build", "--release", "-p", "moorline-tests", "--bin", "signal_bench"]))?;
    }
    let mut figures = Figures::new();
    for round in 1..=args.runs.max(1) {
        for measurement in &measurements {
            let mut command = Command::new(built("signal_bench"));
            command.arg(measurement.name).arg(round.to_string());
            let took = measure(&mut command, &mut figures).with_context(|| measurement.name)?;
            println!("  round {round}: {}: {took:.1} s", measurement.name);
        }
    }
    let missed = report(&measurements, &figures);
    for goal in &missed {
        println!("MISSED: {goal}");
    }
    if args.check && !missed.is_empty() {
        bail!("{} goals missed", missed.len());
    }
    Ok(())
}

/// A program of the release build, wherever cargo puts it.
fn built(program: &str) -> std::path::PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace_root().join("target"), Into::into);
    target.join("release").join(program)
}
