//! Scenario files and traces.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use moorline_sim::{INVARIANTS, RunOptions, first_difference, first_violated, run, shrink, swarm};

use crate::{find, read};

pub(crate) fn smaller(options: &RunOptions, file: &Path, invariant: Option<&str>, runs: usize) -> Result<bool> {
    let scenario = read(file)?;
    if let Some(unknown) = invariant.filter(|name| INVARIANTS.iter().all(|(known, _)| known != name)) {
        let known: Vec<_> = INVARIANTS.iter().map(|(known, _)| *known).collect();
        bail!("there is no invariant {unknown}; choose from {}", known.join(", "));
    }
    let start = Instant::now();
    let report = run(&scenario, options)?;
    let Some(invariant) = invariant.or(first_violated(&report)) else {
        println!("it passes: there is nothing to make small");
        return Ok(true);
    };
    if !report.violates(invariant) {
        bail!("{invariant} is not violated; what is: {:?}", report.violations);
    }
    let small = shrink(&scenario, invariant, runs, options)?;
    let target = file.with_extension("shrunk.toml");
    fs::write(&target, small.scenario.to_toml()).with_context(|| format!("cannot write {}", target.display()))?;
    println!(
        "{invariant}: from {} faults to {}, in {} runs and {:.1} s{}: {}",
        scenario.plan.len(),
        small.scenario.plan.len(),
        small.runs,
        start.elapsed().as_secs_f64(),
        if small.gave_up { ", and gave up there" } else { "" },
        target.display()
    );
    Ok(false)
}

pub(crate) fn expand(what: &str) -> Result<bool> {
    let scenario = match what.parse() {
        Ok(seed) => swarm(seed),
        Err(_) => find(what)?,
    };
    print!("{}", scenario.to_toml());
    Ok(true)
}

pub(crate) fn differ(one: &Path, other: &Path) -> Result<bool> {
    let text = |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    match first_difference(&text(one)?, &text(other)?) {
        Some(difference) => print!("{difference}"),
        None => println!("the same"),
    }
    Ok(text(one)? == text(other)?)
}
