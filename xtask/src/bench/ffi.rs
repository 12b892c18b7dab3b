//! `cargo xtask bench ffi`: what crossing the boundary costs, from C and through ctypes; several rounds, medians.

mod goals;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use self::goals::{MEASUREMENTS, SIZE};
use super::figures::{Figures, measure, report};
use crate::{
    ffi::library::{Build, Libraries, NAMES, scratch},
    steps::check,
    workspace_root,
};

/// How often, and whether to insist on the result.
#[derive(Debug, clap::Args)]
pub(crate) struct FfiArgs {
    /// Rounds; the table shows medians
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only measurements whose name contains this (may be repeated)
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// End with a failure when a goal is missed
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &FfiArgs) -> Result<()> {
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| name.contains(only.as_str()));
    let measurements: Vec<_> = MEASUREMENTS.iter().filter(|measurement| wanted(measurement.name)).collect();
    if measurements.is_empty() {
        bail!("no measurement has the name given with --only");
    }
    let libraries = Libraries::default();
    let mut figures = Figures::new();
    if wanted(SIZE) {
        // Of the library that is handed out: the one that is measured can panic on demand.
        figures.insert(SIZE.to_owned(), vec![stripped_size(&libraries.folder(Build::Shipped)?.join(NAMES[0]))?]);
    }
    let library = libraries.folder(Build::ReleaseHooks)?;
    let program = compile(&library)?;
    for round in 1..=args.runs.max(1) {
        for measurement in measurements.iter().filter(|measurement| measurement.name != SIZE) {
            let mut command =
                if measurement.name == "python" { through_ctypes(&library) } else { Command::new(&program) };
            command.arg(measurement.name).env("LD_LIBRARY_PATH", &library);
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

fn compile(library: &Path) -> Result<PathBuf> {
    let (source, program) = (workspace_root().join("ffi/bench/bench.c"), scratch()?.join("bench"));
    let mut compiler = Command::new("gcc");
    compiler.args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-I"]);
    compiler.arg(workspace_root().join("ffi/include")).arg(source).arg("-o").arg(&program);
    check(compiler.arg("-L").arg(library).arg("-lmoorline"))?;
    Ok(program)
}

fn through_ctypes(library: &Path) -> Command {
    let root = workspace_root();
    let mut python = Command::new("python3");
    python.arg("-B").arg(root.join("ffi/bench/bench.py")).arg(root.join("ffi/python/moorline/_abi.py"));
    python.arg(library.join(NAMES[0]));
    python
}

/// In millions of bytes, without symbols.
fn stripped_size(library: &Path) -> Result<f64> {
    let stripped = scratch()?.join("stripped.so");
    check(Command::new("strip").arg("--strip-all").arg("-o").arg(&stripped).arg(library))?;
    Ok(fs::metadata(stripped)?.len() as f64 / 1e6)
}
