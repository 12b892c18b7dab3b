//! `cargo xtask histories [N]`: as many random histories of the state machine of rooms as there is time for.
//!
//! `cargo xtask test` plays a few thousand, the same in each run. These are new ones each time, and nobody ends them: they run under
//! `cargo test`, which knows no time limit.

use anyhow::Result;

use crate::steps::{cargo, check};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Of each kind: those of a faithful server, and those in which anything comes in
    #[arg(value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    println!("{} histories of each kind; what fails is kept for the next run of the tests", args.count);
    let mut command = cargo(&["test", "-p", "moorline-signaling", "--test", "machine", "--", "histories::"]);
    check(command.env("MOORLINE_HISTORIES", args.count.to_string()))
}
