//! What `cargo xtask bench signaling` measures with: one figure a call, printed as lines `figure NAME VALUE`.
//!
//! `signal_bench MEASURE RUN` measures; RUN is a number, from which everything random comes. `signal_bench server ...` and
//! `signal_bench plain ...` are the processes that are measured, started by the others and gone when their standard input ends.

mod child;
mod crowd;
mod fanout;
mod figures;
mod half_open;
mod herd;
mod memory;
mod model;
mod plain;
mod proxy;
mod raw;
mod recovery;
mod session;
mod stall;

use anyhow::{Context, Result, bail};
use child::{DEFAULT_RATE, UNLIMITED};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn main() -> Result<()> {
    raise_descriptor_limit()?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["server", rate, interval_ms] => child::serve(rate.parse()?, interval_ms.parse()?),
        ["plain"] => plain::serve(),
        [name @ "recovery-1", _] => recovery::measure(name, 1, DEFAULT_RATE, 40),
        [name @ "recovery-100", _] => recovery::measure(name, 100, DEFAULT_RATE, 4),
        [name @ "recovery-100-fast", _] => recovery::measure(name, 100, 5 * DEFAULT_RATE, 4),
        [name @ "recovery-100-unlimited", _] => recovery::measure(name, 100, UNLIMITED, 4),
        ["half-open", _] => half_open::measure(),
        ["crowd", _] => crowd::measure(),
        ["herd", run] => herd::measure(run.parse().context("RUN is a number")?),
        ["memory", _] => memory::measure(),
        ["fan-out", run] => fanout::measure(run.parse().context("RUN is a number")?),
        _ => bail!("usage: signal_bench MEASURE RUN; the measurements are in `cargo xtask bench signaling`"),
    }
}

/// Ten thousand connections are ten thousand descriptors, and more.
fn raise_descriptor_limit() -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("cannot raise the limit of descriptors")
}

/// One thread for everything, so that each side of a measurement has a core of its own.
fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
