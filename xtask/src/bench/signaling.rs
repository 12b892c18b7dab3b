//! `cargo xtask bench signaling`: what the rooms over WebSocket do under loss, in a crowd, and under load; several rounds, medians.
//!
//! Everything is measured by `signal_bench`, a process a measurement, on loopback. Rounds alternate between the measurements, so that a
//! machine that is busy for a while is busy for all of them.

mod goals;

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context, Result, bail};

use self::goals::{MEASUREMENTS, Measurement};
use super::{contender::DEADLINE, process::Process, transfer::median};
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

/// The values of each figure, one a round.
type Figures = BTreeMap<String, Vec<f64>>;

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
            let took = measure(measurement, round, &mut figures).with_context(|| measurement.name)?;
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

/// Runs one measurement and adds its figures; how long it took, in seconds.
fn measure(measurement: &Measurement, round: usize, figures: &mut Figures) -> Result<f64> {
    let mut command = Command::new(built("signal_bench"));
    command.arg(measurement.name).arg(round.to_string());
    let (lines, took) = Process::start(&mut command)?.lines(DEADLINE)?;
    for line in &lines {
        if let ["figure", name, value] = line.split_whitespace().collect::<Vec<_>>()[..] {
            figures.entry(name.to_owned()).or_default().push(value.parse()?);
        }
    }
    Ok(took.as_secs_f64())
}

/// A program of the release build, wherever cargo puts it.
fn built(program: &str) -> std::path::PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace_root().join("target"), Into::into);
    target.join("release").join(program)
}

/// Prints a table of medians and answers the goals that were missed.
fn report(measurements: &[&Measurement], figures: &Figures) -> Vec<String> {
    let mut missed = Vec::new();
    for measurement in measurements {
        println!("\n{}", measurement.title);
        for figure in measurement.figures {
            let Some(values) = figures.get(figure.key) else {
                missed.push(format!("{}: {}: no figure", measurement.title, figure.title));
                continue;
            };
            let value = median(values.clone());
            let met = figure.goal.is_none_or(|goal| goal.is_met(value));
            let goal =
                figure.goal.map_or(String::new(), |goal| format!("goal {goal}{}", if met { "" } else { "  MISSED" }));
            println!("  {:<52} {:>10} {:<10} {goal}", figure.title, rounded(value), figure.unit);
            if let (false, Some(goal)) = (met, figure.goal) {
                missed.push(format!("{}, {}: {}, the goal is {goal}", measurement.title, figure.title, rounded(value)));
            }
        }
    }
    println!();
    missed
}

/// Three digits that mean something.
fn rounded(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middling if middling >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
