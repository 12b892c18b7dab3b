//! Many seeds.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::ops::Range;
use std::time::Duration;

use anyhow::Result;
use moorline_sim::{RunOptions, first_difference, first_violated, lies, named_scenarios, run, swarm, sweep};

use crate::Cli;
use crate::single::keep;

pub(crate) fn many(
    cli: &Cli,
    options: &RunOptions,
    seeds: Range<u64>,
    jobs: usize,
    budget: Option<Duration>,
    shrinking: usize,
) -> Result<bool> {
    let sweep = sweep(seeds, jobs, budget, options, swarm)?;
    let (simulated, cpu, wall) = (sweep.simulated.as_secs_f64(), sweep.cpu.as_secs_f64(), sweep.wall.as_secs_f64());
    println!("{} scenarios in {wall:.1} s on {jobs} threads, {} failed", sweep.runs, sweep.failed.len());
    println!(
        "{simulated:.0} simulated seconds in {cpu:.1} of the processor: {:.0} times, {:.1} scenarios a second of it",
        simulated / cpu.max(1e-9),
        sweep.runs as f64 / cpu.max(1e-9)
    );
    if let Some(next) = sweep.next {
        println!("the time was over before seed {next}");
    }
    let slowest: Vec<_> =
        sweep.slowest.iter().map(|(seed, cpu)| format!("{seed} ({:.2} s)", cpu.as_secs_f64())).collect();
    println!("slowest: {}", slowest.join(", "));
    let counters: Vec<_> = sweep.counters.iter().map(|(what, count)| format!("{what} {count}")).collect();
    println!("counted: {}", counters.join(", "));
    let never: Vec<_> = sweep.never().collect();
    if !never.is_empty() {
        println!("never: {}", never.join(", "));
        if sweep.is_long() {
            println!("FAILED: a sweep of {} scenarios has to have tried that", sweep.runs);
        }
    }
    let mut shown = BTreeMap::<&str, u32>::new();
    for (seed, report) in &sweep.failed {
        println!("seed {seed} failed");
        // One folder of each kind is what one looks at first; the others can be had by their seed.
        let kind = shown.entry(first_violated(report).unwrap_or_default()).or_default();
        *kind += 1;
        if *kind <= 2 {
            let scenario = swarm(*seed);
            keep(cli, options, &scenario, &run(&scenario, options)?, shrinking)?;
        } else {
            report.violations.iter().for_each(|violation| println!("    {violation}"));
        }
        io::stdout().flush()?;
    }
    Ok(sweep.failed.is_empty() && (never.is_empty() || !sweep.is_long()))
}

pub(crate) fn twice(options: &RunOptions, seeds: Range<u64>) -> Result<bool> {
    let (mut same, mut runs) = (true, 0);
    for scenario in named_scenarios().into_iter().chain(seeds.map(swarm)) {
        let (one, other) = (run(&scenario, options)?, run(&scenario, options)?);
        runs += 1;
        if one.fingerprint != other.fingerprint {
            same = false;
            println!("{}: {} and {}", scenario.name, one.fingerprint, other.fingerprint);
            if let Some(difference) = first_difference(&one.trace.text(), &other.trace.text()) {
                println!("{difference}");
            }
        }
    }
    println!("{runs} scenarios twice: {}", if same { "the same traces" } else { "NOT the same traces" });
    Ok(same)
}

pub(crate) fn mutants(options: &RunOptions, seeds: u64) -> Result<bool> {
    let width = lies().iter().map(|lie| lie.name.len()).max().unwrap_or(0);
    println!("{:width$}  {:15}  seeds to find it", "what the invariants are told", "violates");
    let mut all = true;
    for lie in lies() {
        let options = RunOptions { lie: Some(*lie), trace_bytes: 0, ..options.clone() };
        let mut found = None;
        for seed in 0..seeds {
            if run(&swarm(seed), &options)?.violates(lie.violates) {
                found = Some(seed + 1);
                break;
            }
        }
        all &= found.is_some();
        let found = found.map_or(format!("NOT within {seeds}"), |found| found.to_string());
        println!("{:width$}  {:15}  {found}", lie.name, lie.violates);
    }
    Ok(all)
}
