//! `cargo xtask test`: everything that must hold before a change is good. The README's test command.

use anyhow::Result;

use crate::{
    ffi::{
        self,
        library::{BUILD, HOOKS},
    },
    steps::{Steps, cargo, check},
    tools,
};

/// Lints, generated code, tests, documentation, end to end.
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Run only this step (may be repeated): format, lints, codegen, alone, build, tests, doc-tests, docs, e2e, network, and the steps
    /// of `cargo xtask ffi`
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
}

/// The tests that make network namespaces or call foreign software, by their package and the name of their binary. They run as a
/// step of their own.
const NETWORK_TESTS: [(&str, &str); 5] = [
    ("moorline-tests", "e2e_network"),
    ("moorline-tests", "e2e_signal_network"),
    ("moorline-sim", "interop_browser"),
    ("moorline-tests", "interop_mdns"),
    ("moorline-tests", "interop_signal"),
];

/// Crates that others depend on one by one, with the features to check them with.
const ALONE: [&[&str]; 12] = [
    &["moorline-sim-point"],
    &["moorline-sim-point", "--features", "active"],
    &["moorline-proto"],
    &["moorline-transport"],
    &["moorline-discovery"],
    &["moorline-signaling", "--no-default-features"],
    &["moorline-signaling"],
    &["moorline-signaling", "--no-default-features", "--features", "server"],
    &["moorline-runtime"],
    &["moorline-runtime", "--features", "node"],
    &["moorline"],
    &["moorline-ffi"],
];

pub(crate) fn run(args: TestArgs) -> Result<()> {
    let mut steps = Steps::new(args.only);
    all(&mut steps);
    steps.finish()
}

/// Every step of the verb; `ci` adds its own behind them.
pub(crate) fn all(steps: &mut Steps) {
    steps.step("format", "the code is formatted", || check(&mut cargo(&["fmt", "--all", "--check"])));
    steps.step("lints", "no warning in any target", || {
        check(cargo(&["clippy", "--workspace", "--all-targets"]).args(HOOKS).args(["--", "-D", "warnings"]))
    });
    steps.step("codegen", "generated code is what its sources say", || {
        check(std::process::Command::new(std::env::current_exe()?).args(["codegen", "--check"]))
    });
    steps.step("alone", "each crate builds for whoever depends on it alone", || {
        // Built together, one crate's features of a dependency would hide that another forgot to ask for them.
        ALONE.iter().try_for_each(|alone| check(cargo(&["clippy", "-p"]).args(*alone).args(["--", "-D", "warnings"])))
    });

    let runner = Runner::find();
    steps.step("build", "the program and all tests", build);
    steps.step("tests", "units, properties, integration", || runner.run(&Select::InProcess));
    steps.step("doc-tests", "the examples in the documentation run", || {
        check(cargo(&["test", "--workspace", "--doc"]).args(HOOKS))
    });
    steps.step("docs", "the documentation builds without a warning", || {
        check(cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    });
    steps.step("e2e", "real processes on loopback", || {
        build()?;
        runner.run(&Select::EndToEnd)
    });
    network(steps, &runner);
    ffi::all(steps, &[]);
}

/// The end-to-end tests run the program itself, and `cargo test` does not build that. Everything in one go, so that it is
/// built once, with the features of the whole workspace.
fn build() -> Result<()> {
    check(&mut cargo(BUILD))
}

/// The tests on a network of namespaces need rights and programs that not every machine has.
fn network(steps: &mut Steps, runner: &Runner) {
    if !steps.wants("network") {
        return;
    }
    let missing = tools::ensure(tools::NETWORK);
    if !missing.is_empty() {
        steps.not_run("network", &format!("missing: {}", missing.join(", ")));
    } else if let Some(why) = tools::namespaces_refused() {
        steps.not_run("network", &why);
    } else {
        steps.step("network", "several hosts in network namespaces; foreign software", || {
            build()?;
            runner.run(&Select::Network)
        });
    }
}

/// Which tests to run.
enum Select {
    InProcess,
    EndToEnd,
    Network,
}

/// cargo-nextest where it is installed (time limits, groups, one process a test), `cargo test` otherwise.
enum Runner {
    Nextest,
    CargoTest,
}

impl Runner {
    fn find() -> Self {
        if tools::present("cargo-nextest") {
            return Self::Nextest;
        }
        println!("cargo-nextest is not installed: tests run under `cargo test`, without time limits");
        println!("  (to get it: cargo install cargo-nextest --locked)");
        Self::CargoTest
    }

    fn run(&self, select: &Select) -> Result<()> {
        match self {
            Self::Nextest => {
                let network = NETWORK_TESTS.map(|(_, name)| format!("binary(={name})")).join(" or ");
                let filter = match select {
                    Select::InProcess => format!("not package(moorline-tests) and not ({network})"),
                    Select::EndToEnd => format!("package(moorline-tests) and not ({network})"),
                    Select::Network => network,
                };
                check(cargo(&["nextest", "run", "--workspace"]).args(HOOKS).args(["-E", &filter]))
            }
            Self::CargoTest => {
                let mut command = cargo(&["test", "--no-fail-fast"]);
                match select {
                    Select::InProcess => {
                        command
                            .args(["--workspace", "--exclude", "moorline-tests", "--lib", "--bins", "--tests"])
                            .args(HOOKS);
                        command.args(["--", "--skip", "browser_"]);
                    }
                    Select::EndToEnd => {
                        command.args(["-p", "moorline-tests", "--lib", "--test", "e2e_*"]);
                        // `--test` takes a pattern but knows no exception: the tests themselves are left out by name.
                        command.args(["--", "--test-threads", "1", "--skip", "network_"]);
                    }
                    Select::Network => {
                        command.args(NETWORK_TESTS.iter().flat_map(|(package, name)| ["-p", package, "--test", name]));
                        command.args(["--", "--test-threads", "1"]);
                    }
                }
                check(&mut command)
            }
        }
    }
}
