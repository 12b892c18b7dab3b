//! The Python package: its tests see what a user would have, the installed wheel, and not the folder of sources.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::library::{Build, Libraries, NAMES, program, scratch};
use super::run::run;
use crate::dist;
use crate::steps::check;
use crate::workspace_root;

const DEADLINE: Duration = Duration::from_secs(300);

/// What the tests need beside the package.
const TOOLS: [&str; 3] = ["pytest==9.2.0", "pytest-timeout==2.4.0", "mypy==2.4.1"];

pub(super) fn tests(libraries: &Libraries) -> Result<()> {
    let wheel = dist::wheel(&libraries.folder(Build::Release)?.join(NAMES[0]), &scratch()?.join("wheel"))?;
    let tests = workspace_root().join("ffi/python/tests");
    let python = environment()?;
    check(pip(&python).arg("--no-index").arg(&wheel))?;
    check(pip(&python).args(TOOLS))?;

    let mut mypy = Command::new(&python);
    mypy.args(["-m", "mypy", "--strict", "--no-incremental", "-p", "moorline"]);
    run(&mut mypy, "mypy", DEADLINE)?;

    let mut pytest = Command::new(python);
    pytest.args(["-m", "pytest", "-q", "--timeout", "100"]).arg(&tests).env("PYTHONDONTWRITEBYTECODE", "1");
    pytest.env("MOORLINE_PROGRAM", program());
    // The few tests that need panics take another library than the installed one.
    pytest.env("MOORLINE_TEST_LIBRARY", libraries.folder(Build::Hooks)?.join(NAMES[0]));
    let said = run(&mut pytest, "pytest", DEADLINE)?;
    let summary = said.lines().last().unwrap_or_default();
    println!("  {summary}");
    // What was skipped was not tested.
    ensure!(!summary.contains("skipped"), "tests were skipped");
    Ok(())
}

/// Makes an environment with nothing but a Python in it, and answers that.
fn environment() -> Result<PathBuf> {
    let folder = scratch()?.join("venv");
    check(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    Ok(folder.join("bin/python"))
}

fn pip(python: &Path) -> Command {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip
}
