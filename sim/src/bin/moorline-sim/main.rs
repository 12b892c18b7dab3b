//! Plays scenarios: `cargo xtask sim` builds and starts it.

mod bench;
mod files;
mod many;
mod single;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use moorline_sim::{RunOptions, Scenario, named_scenario, named_scenarios, swarm};

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
    /// Leave a folder, with trace and picture, also for named scenarios that pass (`run` and `replay` always do)
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
    /// Measure how fast time goes by in here, beside a network in which nothing happens
    Bench {
        /// How often each is measured; medians are told
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut options = RunOptions::default();
    if let Some(scratch) = &cli.scratch {
        options.scratch.clone_from(scratch);
    }
    let passed = match &cli.verb {
        None => single::named(&cli, &options),
        Some(Verb::Run { name, seed }) => find(name).and_then(|scenario| {
            let seed = seed.unwrap_or(scenario.seed);
            single::narrated(&cli, &options, &scenario.with_seed(seed))
        }),
        Some(Verb::Sweep { seeds, jobs, budget, shrink }) => {
            many::many(&cli, &options, seeds.clone(), *jobs, *budget, *shrink)
        }
        Some(Verb::Replay { file }) => read(file).and_then(|scenario| single::narrated(&cli, &options, &scenario)),
        Some(Verb::Shrink { file, invariant, runs }) => files::smaller(&options, file, invariant.as_deref(), *runs),
        Some(Verb::Expand { what }) => files::expand(what),
        Some(Verb::Diff { one, other }) => files::differ(one, other),
        Some(Verb::CheckDeterminism { seeds }) => many::twice(&options, seeds.clone()),
        Some(Verb::Mutants { seeds }) => many::mutants(&options, *seeds),
        Some(Verb::Bench { rounds }) => bench::run(&options, *rounds),
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

fn find(name: &str) -> Result<Scenario> {
    if let Some(seed) = name.strip_prefix("swarm-").and_then(|seed| seed.parse().ok()) {
        return Ok(swarm(seed));
    }
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
