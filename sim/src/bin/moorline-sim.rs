//! Plays scenarios: `cargo xtask sim` builds and starts it.

use std::fs;
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use moorline_sim::{
    Report, RunOptions, Scenario, first_difference, first_violated, lies, named_scenario, named_scenarios, narrative,
    run, shrink, swarm, sweep, write_artefact,
};

moorline_sim::interpose_entropy!();

/// Plays whole nodes, room servers and clients in a simulated network. Without a verb: all named scenarios.
///
/// Exit codes: 0 everything held; 1 something did not; 2 it could not be played.
#[derive(Parser)]
#[command(name = "cargo xtask sim", bin_name = "cargo xtask sim", version)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Where failing runs leave their folders
    #[arg(long, global = true, default_value = "target/sim", value_name = "DIR")]
    out: PathBuf,
    /// Where the disks of the hosts are while they run
    #[arg(long, global = true, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Leave a folder, with trace and picture, also for runs that pass (`run` and `replay` always do)
    #[arg(long, global = true)]
    report: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// Play one named scenario, and tell what happens
    Run {
        /// Its name; see `cargo xtask sim` for all
        name: String,
        /// Another seed than that of its file
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Play many random scenarios
    Sweep {
        /// From the first, up to and without the last
        #[arg(long, default_value = "0..200", value_name = "A..B", value_parser = range)]
        seeds: Range<u64>,
        /// How many at the same time
        #[arg(long, default_value_t = 2)]
        jobs: usize,
        /// Begin no more after so long
        #[arg(long, value_name = "120s", value_parser = seconds)]
        budget: Option<Duration>,
        /// Runs to spend on making each of the first failures small; 0 leaves them as they are
        #[arg(long, default_value_t = 200)]
        shrink: usize,
    },
    /// Play a scenario file
    Replay {
        /// The file
        file: PathBuf,
    },
    /// Make a failing scenario file small
    Shrink {
        /// The file; the small one is put beside it, as `NAME.shrunk.toml`
        file: PathBuf,
        /// What is to fail; the first thing that does, if not given
        #[arg(long)]
        invariant: Option<String>,
        /// Bound
        #[arg(long, default_value_t = 1_000)]
        runs: usize,
    },
    /// Print the scenario file of a seed, or of a name
    Expand {
        /// A number or a name
        what: String,
    },
    /// Show where two traces part
    Diff {
        /// A `trace.jsonl`
        one: PathBuf,
        /// Another one
        other: PathBuf,
    },
    /// Play scenarios twice, and show where they part
    CheckDeterminism {
        /// Random scenarios on top of the named ones
        #[arg(long, default_value = "0..20", value_name = "A..B", value_parser = range)]
        seeds: Range<u64>,
    },
    /// Tell the invariants lies, and print how many seeds each takes to notice
    Mutants {
        /// Bound for each
        #[arg(long, default_value_t = 100)]
        seeds: u64,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut options = RunOptions::default();
    if let Some(scratch) = &cli.scratch {
        options.scratch.clone_from(scratch);
    }
    let passed = match &cli.verb {
        None => named(&cli, &options),
        Some(Verb::Run { name, seed }) => find(name).and_then(|scenario| {
            let seed = seed.unwrap_or(scenario.seed);
            narrated(&cli, &options, &scenario.with_seed(seed))
        }),
        Some(Verb::Sweep { seeds, jobs, budget, shrink }) => {
            many(&cli, &options, seeds.clone(), *jobs, *budget, *shrink)
        }
        Some(Verb::Replay { file }) => read(file).and_then(|scenario| narrated(&cli, &options, &scenario)),
        Some(Verb::Shrink { file, invariant, runs }) => smaller(&options, file, invariant.as_deref(), *runs),
        Some(Verb::Expand { what }) => expand(what),
        Some(Verb::Diff { one, other }) => differ(one, other),
        Some(Verb::CheckDeterminism { seeds }) => twice(&options, seeds.clone()),
        Some(Verb::Mutants { seeds }) => mutants(&options, *seeds),
    };
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn named(cli: &Cli, options: &RunOptions) -> Result<bool> {
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

fn narrated(cli: &Cli, options: &RunOptions, scenario: &Scenario) -> Result<bool> {
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
fn keep(cli: &Cli, options: &RunOptions, scenario: &Scenario, report: &Report, runs: usize) -> Result<()> {
    for violation in &report.violations {
        println!("    {violation}");
    }
    if report.passed() && !cli.report {
        return Ok(());
    }
    leave(cli, options, scenario, report, runs)
}

/// Leaves the folder of a run.
fn leave(cli: &Cli, options: &RunOptions, scenario: &Scenario, report: &Report, runs: usize) -> Result<()> {
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

fn many(
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
    let mut shown = std::collections::BTreeMap::<&str, u32>::new();
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

fn smaller(options: &RunOptions, file: &Path, invariant: Option<&str>, runs: usize) -> Result<bool> {
    let scenario = read(file)?;
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

fn expand(what: &str) -> Result<bool> {
    let scenario = match what.parse() {
        Ok(seed) => swarm(seed),
        Err(_) => find(what)?,
    };
    print!("{}", scenario.to_toml());
    Ok(true)
}

fn differ(one: &Path, other: &Path) -> Result<bool> {
    let text = |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    match first_difference(&text(one)?, &text(other)?) {
        Some(difference) => print!("{difference}"),
        None => println!("the same"),
    }
    Ok(text(one)? == text(other)?)
}

fn twice(options: &RunOptions, seeds: Range<u64>) -> Result<bool> {
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

fn mutants(options: &RunOptions, seeds: u64) -> Result<bool> {
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

fn find(name: &str) -> Result<Scenario> {
    named_scenario(name).with_context(|| {
        let names: Vec<_> = named_scenarios().into_iter().map(|scenario| scenario.name).collect();
        format!("there is no scenario {name}; choose from {}", names.join(", "))
    })
}

fn read(file: &Path) -> Result<Scenario> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Scenario::parse(&text).map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let bad = || format!("{text:?} is no range; write it as 0..100");
    let (from, to) = text.split_once("..").ok_or_else(bad)?;
    let (from, to) = (from.parse().map_err(|_| bad())?, to.parse().map_err(|_| bad())?);
    if from < to { Ok(from..to) } else { Err(bad()) }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text).parse();
    number.map(Duration::from_secs).map_err(|_| format!("{text:?} is no time; write it as 120s"))
}
