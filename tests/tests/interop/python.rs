//! Python with a package from its index, in a virtual environment under the target folder that later runs use again.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) struct Python {
    program: PathBuf,
}

/// Python with one package, given as `name==version`. Without Python or a way to get packages it says so and answers `None`, or
/// fails in CI.
pub(crate) fn with(package: &str) -> Option<Python> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let name = package.split('=').next().unwrap_or(package);
    let venv = target.join(format!("interop-python-{name}"));
    let program = venv.join("bin/python");
    // Another test may be at it.
    let lock = File::create(target.join(format!("interop-python-{name}.lock"))).expect("the target folder is writable");
    lock.lock().expect("files can be locked");
    let done = venv.join(package);
    if !done.exists() {
        let _ = fs::remove_dir_all(&venv);
        let made = run(Command::new("python3").args(["-m", "venv"]).arg(&venv)).and_then(|()| {
            run(Command::new(&program).args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                package,
            ]))
        });
        if let Err(why) = made {
            assert!(std::env::var_os("CI").is_none(), "{package} for Python is needed in CI: {why}");
            eprintln!("notice: nothing was tested, since there is no {package} for Python: {why}");
            return None;
        }
        fs::write(done, "").expect("the target folder is writable");
    }
    Some(Python { program })
}

impl Python {
    /// The beginning of a command line that runs a script beside this file.
    pub(crate) fn line(&self, script: &str) -> [PathBuf; 2] {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(script);
        [self.program.clone(), script]
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let line = format!("{command:?}");
    let output = command.output().map_err(|error| format!("{line}: {error}"))?;
    let account = || format!("{line}: {} {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    if output.status.success() { Ok(()) } else { Err(account()) }
}
