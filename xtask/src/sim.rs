//! `cargo xtask sim`: builds the simulator, optimised, and hands everything on to it.

use std::ffi::OsString;
use std::process::exit;

use anyhow::{Context, Result};

use crate::steps::cargo;

/// Whole nodes, room servers and clients in a deterministic network. `cargo xtask sim --help` tells all.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct SimArgs {
    /// run NAME, sweep, replay FILE, shrink FILE, diff A B, check-determinism, mutants; nothing: all named scenarios
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    args: Vec<OsString>,
}

/// Ends this process with the simulator's own exit code, if that is not 0.
pub(crate) fn run(args: &SimArgs) -> Result<()> {
    let mut command =
        cargo(&["run", "--quiet", "--profile", "sim", "--package", "moorline-sim", "--bin", "moorline-sim", "--"]);
    // Files are named as seen from here, and cargo is started in the root.
    command.current_dir(std::env::current_dir()?).args(&args.args);
    let status = command.status().context("cannot start cargo")?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => exit(code),
        None => anyhow::bail!("the simulator was killed: {status}"),
    }
}
