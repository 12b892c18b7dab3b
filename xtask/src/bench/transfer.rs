//! `cargo xtask bench transfer`: one large file and many small ones, every contender in turn, several rounds, medians.
//!
//! Rounds alternate between the contenders, so that a machine that is busy for a while is busy for all of them.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{
    contender::{Case, Contender, Run, files_below},
    others::{NginxCurl, Rsync, TarNc},
    ours::{Moorline, PlainQuinn},
};
use crate::{
    steps::{cargo, check},
    workspace_root,
};

/// What to carry, how often, and whether to insist on the result.
#[derive(Debug, clap::Args)]
pub(crate) struct TransferArgs {
    /// Rounds; the tables show medians
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Size of the large file in MiB
    #[arg(long, default_value_t = 1024)]
    large_mib: u64,
    /// Number of small files
    #[arg(long, default_value_t = 10_000)]
    small_files: u64,
    /// Size of a small file in bytes
    #[arg(long, default_value_t = 8 * 1024)]
    small_bytes: u64,
    /// Only contenders whose name contains this (may be repeated)
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Where files are put [default: a folder in /dev/shm if it has room, else in the temporary folder]
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,
    /// Measure the release build that is there, instead of building first
    #[arg(long)]
    no_build: bool,
    /// End with a failure when a goal is missed
    #[arg(long)]
    check: bool,
}

/// The goals: share of the plain stream's speed on the large file, seconds for the small ones, memory in MiB.
const LARGE_RATIO: f64 = 0.7;
const SMALL_SECONDS: f64 = 2.0;
const MEMORY_MIB: f64 = 64.0;

pub(crate) fn run(args: &TransferArgs) -> Result<()> {
    let built = workspace_root().join("target/release");
    let scratch = Scratch::new(args)?;
    println!("files in {}", scratch.0.display());
    let cases = [large(&scratch.0, args.large_mib << 20)?, small(&scratch.0, args.small_files, args.small_bytes)?];
    let contenders: Vec<Box<dyn Contender>> = vec![
        Box::new(Moorline { program: built.join("moorline") }),
        Box::new(PlainQuinn { program: built.join("plain_quinn"), files: false }),
        Box::new(PlainQuinn { program: built.join("plain_quinn"), files: true }),
        Box::new(Rsync),
        Box::new(NginxCurl),
        Box::new(TarNc),
    ];
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| name.contains(only.as_str()));
    let contenders: Vec<_> = contenders.into_iter().filter(|contender| wanted(contender.name())).collect();
    for contender in &contenders {
        let missing = contender.missing();
        if !missing.is_empty() {
            println!("left out: {}: not installed: {}", contender.name(), missing.join(", "));
        }
    }
    let contenders: Vec<_> = contenders.into_iter().filter(|contender| contender.missing().is_empty()).collect();
    if !args.no_build && contenders.iter().any(|contender| contender.is_built_here()) {
        check(&mut cargo(&["build", "--release", "-p", "moorline", "-p", "moorline-tests", "--bins"]))?;
    }

    let mut missed = Vec::new();
    for case in &cases {
        let results = measure(case, &contenders, args.runs, &scratch.0)?;
        missed.extend(report(case, &contenders, &results));
    }
    for goal in &missed {
        println!("MISSED: {goal}");
    }
    if args.check && !missed.is_empty() {
        bail!("{} goals missed", missed.len());
    }
    Ok(())
}

/// `runs` rounds over all contenders; the runs of each.
fn measure(case: &Case, contenders: &[Box<dyn Contender>], runs: usize, scratch: &Path) -> Result<Vec<Vec<Run>>> {
    let mut results = vec![Vec::new(); contenders.len()];
    for round in 1..=runs.max(1) {
        for (contender, results) in contenders.iter().zip(&mut results) {
            let into = scratch.join("into");
            fs::create_dir_all(&into)?;
            touch_memory(case.bytes, scratch)?;
            let run =
                contender.run(case, &into, scratch).with_context(|| format!("{}, {}", contender.name(), case.name))?;
            if let Some(folder) = contender.delivered(case, &into) {
                same(&case.folder, &folder).with_context(|| format!("what {} delivered", contender.name()))?;
            }
            fs::remove_dir_all(&into)?;
            println!("  round {round}: {}: {}: {:.2} s", case.name, contender.name(), run.wall());
            results.push(run);
        }
    }
    Ok(results)
}

/// Writes and deletes as much as a contender is about to write. A virtual machine gets its memory from its host at first touch, which
/// costs more than a transfer, and may give it back when it is free for a while: whoever came first would pay for all.
fn touch_memory(bytes: u64, scratch: &Path) -> Result<()> {
    let path = scratch.join("touched");
    let mut file = File::create(&path)?;
    io::copy(&mut io::repeat(0).take(bytes), &mut file)?;
    drop(file);
    fs::remove_file(&path)?;
    Ok(())
}

/// Prints a table of medians and answers the goals that were missed.
fn report(case: &Case, contenders: &[Box<dyn Contender>], results: &[Vec<Run>]) -> Vec<String> {
    let mib = case.bytes as f64 / f64::from(1 << 20);
    println!(
        "\n{}: {} files, {mib:.0} MiB, medians of {} runs",
        case.name,
        case.files,
        results.first().map_or(0, Vec::len)
    );
    println!("{:<32} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9}", "", "wall s", "MB/s", "CPU s", "", "MiB recv", "MiB send");
    println!("{:<32} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9}", "", "", "", "both", "receiver", "peak", "peak");
    let of = |runs: &[Run], value: fn(&Run) -> f64| median(runs.iter().map(value).collect());
    for (contender, runs) in contenders.iter().zip(results) {
        let wall = of(runs, Run::wall);
        println!(
            "{:<32} {:>8.2} {:>8.0} {:>8.2} {:>8.2} {:>9.0} {:>9.0}",
            contender.name(),
            wall,
            case.bytes as f64 / 1e6 / wall,
            of(runs, Run::cpu),
            of(runs, |run| run.receiver.cpu),
            of(runs, |run| run.receiver.memory),
            of(runs, |run| run.sender.memory),
        );
    }

    let Some((_, ours)) = contenders.iter().zip(results).find(|(contender, _)| contender.name() == "moorline") else {
        return Vec::new();
    };
    let (wall, cpu) = (of(ours, Run::wall), of(ours, Run::cpu));
    let mut missed = Vec::new();
    for (contender, runs) in contenders.iter().zip(results).filter(|(contender, _)| contender.name() != "moorline") {
        let speed = of(runs, Run::wall) / wall;
        println!(
            "moorline at {speed:.2} of the speed of {}, {:.2} of its CPU time",
            contender.name(),
            cpu / of(runs, Run::cpu)
        );
        if case.files == 1 && contender.name().starts_with("plain quinn") && speed < LARGE_RATIO {
            missed.push(format!("{}: {speed:.2} of {}, the goal is {LARGE_RATIO}", case.name, contender.name()));
        }
    }
    if case.files > 1 && wall >= SMALL_SECONDS {
        missed.push(format!("{}: {wall:.2} s, the goal is under {SMALL_SECONDS} s", case.name));
    }
    for (side, memory) in
        [("receiver", of(ours, |run| run.receiver.memory)), ("sender", of(ours, |run| run.sender.memory))]
    {
        if memory >= MEMORY_MIB {
            missed.push(format!("{}: the {side} peaks at {memory:.0} MiB, the goal is under {MEMORY_MIB}", case.name));
        }
    }
    missed
}

/// A folder that goes away with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(args: &TransferArgs) -> Result<Self> {
        // Source, the same as a stream, and what arrives.
        let needed = 3 * ((args.large_mib << 20) + args.small_files * args.small_bytes.next_multiple_of(4096));
        let parent = match &args.scratch {
            Some(folder) => folder.clone(),
            None if room_in("/dev/shm") > needed => "/dev/shm".into(),
            None => std::env::temp_dir(),
        };
        let folder = parent.join(format!("moorline-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Free space in bytes as `df` tells it; 0 where it does not know.
fn room_in(folder: &str) -> u64 {
    let output = std::process::Command::new("df").args(["--output=avail", "-B1", folder]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().nth(1).and_then(|line| line.trim().parse().ok()).unwrap_or(0)
}

fn large(scratch: &Path, bytes: u64) -> Result<Case> {
    let folder = scratch.join("large");
    fs::create_dir_all(&folder)?;
    let stream = folder.join("large.bin");
    write_random(&stream, bytes, 1)?;
    Ok(Case { name: "one large file".to_owned(), folder, stream, files: 1, bytes })
}

fn small(scratch: &Path, files: u64, bytes: u64) -> Result<Case> {
    let folder = scratch.join("small");
    for index in 0..files {
        let below = folder.join(format!("{:03}", index / 100));
        fs::create_dir_all(&below)?;
        write_random(&below.join(format!("file-{index:05}.bin")), bytes, index)?;
    }
    let stream = scratch.join("small.stream");
    write_random(&stream, files * bytes, 1)?;
    Ok(Case { name: "many small files".to_owned(), folder, stream, files, bytes: files * bytes })
}

/// Bytes that nothing on the way can compress (splitmix64).
fn write_random(path: &Path, bytes: u64, seed: u64) -> Result<()> {
    let mut file = BufWriter::new(File::create(path).with_context(|| format!("cannot create {}", path.display()))?);
    let mut state = seed;
    for _ in 0..bytes.div_ceil(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        file.write_all(&(z ^ (z >> 31)).to_le_bytes())?;
    }
    let file = file.into_inner().context("cannot write a sample")?;
    file.set_len(bytes)?;
    Ok(())
}

/// Whether two folders hold the same files with the same bytes.
fn same(expected: &Path, found: &Path) -> Result<()> {
    let names = files_below(expected)?;
    if names != files_below(found)? {
        bail!("other files than those that were sent");
    }
    let mut buffers = (vec![0; 1 << 16], vec![0; 1 << 16]);
    for name in names {
        let mut one = BufReader::new(File::open(expected.join(&name))?);
        let mut other = BufReader::new(File::open(found.join(&name))?);
        loop {
            let read = one.read(&mut buffers.0)?;
            other.read_exact(&mut buffers.1[..read]).with_context(|| format!("{} is too short", name.display()))?;
            if buffers.0[..read] != buffers.1[..read] {
                bail!("{} has other bytes", name.display());
            }
            if read == 0 {
                break;
            }
        }
        if other.read(&mut buffers.1[..1])? != 0 {
            bail!("{} is too long", name.display());
        }
    }
    Ok(())
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
