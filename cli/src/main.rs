#![doc = include_str!("../README.md")]

mod address;
mod args;
mod exit;
mod json;
mod logging;
mod machine;
mod output;
mod progress;
mod secret;
mod select;
mod session;
mod signals;
mod state;
mod table;
mod text;
mod token;
mod units;
mod verbs;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;

use crate::args::{Cli, Verb};
use crate::exit::{Code, Failure, Result};
use crate::output::Output;
use crate::signals::{Signals, Stop};

fn main() -> ExitCode {
    // Prints help and usage errors itself, and leaves with 0 or 2.
    let cli = Cli::parse();
    let output = Arc::new(Output::new(cli.common.json, cli.common.quiet, cli.common.verbose));
    logging::start(&output);
    let code = run(cli.verb, &output).unwrap_or_else(|failure| {
        output.failure(&failure);
        failure.code
    });
    code.into()
}

fn run(verb: Verb, output: &Arc<Output>) -> Result<Code> {
    match verb {
        Verb::Completions(args) => verbs::completions::run(&args),
        Verb::Man(args) => verbs::man::run(&args),
        Verb::Token(args) => verbs::token::run(&args, output),
        Verb::Share(args) => on_runtime(output, |stop| verbs::share::run(args, output, stop)),
        Verb::List(args) => on_runtime(output, |stop| verbs::list::run(args, output, stop)),
        Verb::Get(args) => on_runtime(output, |stop| verbs::get::run(args, output, stop)),
        Verb::Doctor(args) => on_runtime(output, |stop| verbs::doctor::run(args, output, stop)),
        Verb::Demo(args) => on_runtime(output, |stop| verbs::demo::run(args, output, stop)),
        Verb::Signal(args) => on_runtime(output, |stop| verbs::signal::run(args, output, stop)),
        Verb::Room(args) => on_runtime(output, |stop| verbs::room::run(args, output, stop)),
    }
}

/// Half of the processors drive the network; the other half has reading, hashing and writing to do, which have threads of their own.
fn network_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2))
}

/// Runs a verb with signals under control: the first asks it to stop, the second ends the program at once.
fn on_runtime<F>(output: &Arc<Output>, verb: impl FnOnce(Stop) -> F) -> Result<Code>
where
    F: Future<Output = Result<Code>>,
{
    let failed = |what: &str, error: &std::io::Error| Failure::new(Code::Failure, format!("cannot {what}: {error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(network_threads())
        .enable_all()
        .thread_name("moorline")
        .build()
        .map_err(|error| failed("start the asynchronous runtime", &error))?;
    let result = runtime.block_on(async {
        let (signals, stop) = Signals::listen().map_err(|error| failed("listen for signals", &error))?;
        tokio::select! {
            biased;
            code = signals.second(output) => {
                // At once: bars and goodbyes are left as they are.
                std::process::exit(i32::from(code.number()));
            }
            result = verb(stop) => result,
        }
    });
    // What is left are blocking reads of a dead disk at worst; nobody waits for those.
    runtime.shutdown_background();
    result
}
