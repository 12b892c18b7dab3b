//! python-zeroconf, in a virtual environment under the target folder that later runs use again.

use moorline_tests::netns::{NetLab, Talker};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const ZEROCONF: &str = "zeroconf==0.154.0";

pub(crate) struct Python {
    program: PathBuf,
}

/// Python with zeroconf. Without Python or a way to get packages it says so and answers `None`, or fails in CI.
pub(crate) fn with_zeroconf() -> Option<Python> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let venv = target.join("interop-python");
    let program = venv.join("bin/python");
    // Another test may be at it.
    let lock = File::create(target.join("interop-python.lock")).expect("the target folder is writable");
    lock.lock().expect("files can be locked");
    let done = venv.join(ZEROCONF);
    if !done.exists() {
        let _ = fs::remove_dir_all(&venv);
        let made = run(Command::new("python3").args(["-m", "venv"]).arg(&venv)).and_then(|()| {
            run(Command::new(&program).args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                ZEROCONF,
            ]))
        });
        if let Err(why) = made {
            assert!(std::env::var_os("CI").is_none(), "python-zeroconf is needed in CI: {why}");
            eprintln!("notice: nothing was tested, since there is no python-zeroconf: {why}");
            return None;
        }
        fs::write(done, "").expect("the target folder is writable");
    }
    Some(Python { program })
}

impl Python {
    /// Starts the script beside this file on a host, and waits until it is ready.
    pub(crate) fn start(&self, lab: &NetLab, host: usize, args: &[&str]) -> Talker {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/zeroconf_peer.py");
        let mut talker = Talker::start(lab.command(host, &self.program).arg(script).args(args));
        talker.until("its readiness", Duration::from_secs(20), |line| line == "READY");
        talker
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let line = format!("{command:?}");
    let output = command.output().map_err(|error| format!("{line}: {error}"))?;
    let account = || format!("{line}: {} {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    if output.status.success() { Ok(()) } else { Err(account()) }
}
