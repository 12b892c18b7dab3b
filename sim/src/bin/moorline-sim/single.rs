//! One scenario after the other, and what is told and left of each.

use anyhow::{Context, Result};
use moorline_sim::{
    Report, RunOptions, Scenario, first_violated, named_scenarios, narrative, run, shrink, write_artefact,
};

use crate::Cli;

pub(crate) fn named(cli: &Cli, options: &RunOptions) -> Result<bool> {
    let scenarios = named_scenarios();
    let width = scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    println!("{:width$}  {:>9}  {:>7}  {:7}  proves that", "scenario", "simulated", "wall", "outcome");
    let mut failed = 0;
    for scenario in &scenarios {
        let report = run(scenario, options)?;
        let outcome = if report.passed() { "passed" } else { "FAILED" };
        let (simulated, wall) = (report.simulated.as_secs_f64(), report.wall.as_secs_f64());
        println!("{:width$}  {simulated:>7.1} s  {wall:>5.2} s  {outcome:7}  {}", scenario.name, scenario.proves);
        keep(cli, options, scenario, &report, 0)?;
        failed += usize::from(!report.passed());
    }
    println!("{} scenarios, {failed} failed", scenarios.len());
    Ok(failed == 0)
}

pub(crate) fn narrated(cli: &Cli, options: &RunOptions, scenario: &Scenario) -> Result<bool> {
    if !scenario.proves.is_empty() {
        println!("{}: {}", scenario.name, scenario.proves);
    }
    let report = run(scenario, options)?;
    print!("{}", narrative(&report.trace.text()));
    println!("{} hosts, {} faults planned, seed {}", scenario.host_names().count(), scenario.plan.len(), scenario.seed);
    let ratio = report.simulated.as_secs_f64() / report.cpu.as_secs_f64().max(1e-9);
    println!("{:?} simulated in {:?} of the processor: {ratio:.0} times as fast", report.simulated, report.cpu);
    println!("{} records, fingerprint {}", report.trace.records(), report.fingerprint);
    for (what, count) in &report.counters {
        println!("  {count:>6}  {what}");
    }
    report.violations.iter().for_each(|violation| println!("    {violation}"));
    leave(cli, options, scenario, &report, 0)?;
    println!("{}", if report.passed() { "passed" } else { "FAILED" });
    Ok(report.passed())
}

/// Prints what a run violated and leaves its folder, with a small scenario if there are runs to find one.
pub(crate) fn keep(cli: &Cli, options: &RunOptions, scenario: &Scenario, report: &Report, runs: usize) -> Result<()> {
    for violation in &report.violations {
        println!("    {violation}");
    }
    if report.passed() && !cli.report {
        return Ok(());
    }
    leave(cli, options, scenario, report, runs)
}

/// Leaves the folder of a run.
pub(crate) fn leave(cli: &Cli, options: &RunOptions, scenario: &Scenario, report: &Report, runs: usize) -> Result<()> {
    let small = match first_violated(report) {
        Some(invariant) if runs > 0 => Some(shrink(scenario, invariant, runs, options)?.scenario),
        _ => None,
    };
    let folder = write_artefact(&cli.out, scenario, small.as_ref(), report).context("cannot leave a folder")?;
    let file = folder.join(if small.is_some() { "shrunk.toml" } else { "scenario.toml" });
    println!("    again: cargo xtask sim replay {}", file.display());
    println!("    picture: {}", folder.join("report.html").display());
    Ok(())
}
