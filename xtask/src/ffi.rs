//! `cargo xtask ffi`: everything that must hold of the interface for other languages.
//!
//! The same programs, scripts and assemblies that a user would write are built against the library, as a user would build them, and run.

mod csharp;
mod header;
mod layout;
pub(crate) mod library;
mod native;
mod packages;
mod python;
mod run;
mod symbols;

use anyhow::Result;
use library::Libraries;

use crate::{steps::Steps, tools};

/// Symbols, header, tests in C, Python and C#, packages.
#[derive(Debug, clap::Args)]
pub(crate) struct FfiArgs {
    /// Run only this step (may be repeated): ffi-header, ffi-symbols, ffi-c, ffi-python, ffi-csharp, ffi-packages
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Run only programs in C whose name contains this (may be repeated)
    #[arg(long, value_name = "TEXT")]
    program: Vec<String>,
}

const STEPS: [&str; 6] = ["ffi-header", "ffi-symbols", "ffi-c", "ffi-python", "ffi-csharp", "ffi-packages"];

pub(crate) fn run(args: FfiArgs) -> Result<()> {
    let mut steps = Steps::new(args.only);
    all(&mut steps, &args.program);
    steps.finish()
}

/// Every step of the verb; `test` has them among its own.
pub(crate) fn all(steps: &mut Steps, programs: &[String]) {
    if !STEPS.iter().any(|step| steps.wants(step)) {
        return;
    }
    let missing = tools::ensure(tools::FFI);
    if !missing.is_empty() {
        for step in STEPS {
            steps.not_run(step, &format!("missing: {}", missing.join(", ")));
        }
        return;
    }
    steps.step("ffi-header", "the header is C and C++, and every table agrees with it", || {
        header::compiles()?;
        layout::agrees()
    });
    let libraries = Libraries::default();
    steps.step("ffi-symbols", "the library exports the interface and nothing else", || symbols::compare(&libraries));
    steps.step("ffi-c", "programs in C, plainly, under valgrind, with AddressSanitizer", || {
        native::tests(&libraries, programs)
    });
    steps.step("ffi-python", "the Python package, installed from its wheel", || python::tests(&libraries));
    steps.step("ffi-csharp", "the C# package, under mono", || csharp::tests(&libraries));
    steps.step("ffi-packages", "what is handed out can be used from where it was unpacked", || {
        packages::used(&libraries)
    });
}
