//! A program with a deadline. What it says is shown only if it fails; it, and what it started, is gone afterwards in any case.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::library;

/// How long processes that it started may outlive it.
const GRACE: Duration = Duration::from_secs(2);

/// Runs a program in an empty folder of its own, named after `what`, and answers what it said.
///
/// # Errors
/// When it fails, is not done in time, or leaves a process behind. What it said is printed then.
pub(super) fn run(command: &mut Command, what: &str, deadline: Duration) -> Result<String> {
    let folder = library::scratch()?.join("run").join(what.trim().replace(' ', "-"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let said = folder.with_extension("log");
    let output = File::create(&said)?;

    command.current_dir(&folder).env("MOORLINE_HOME", folder.join("home")).env("TMPDIR", &folder);
    // Tests panic on purpose, and a stack takes long to tell.
    command.env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
    let started = Instant::now();
    let ended = wait(command, deadline);
    let took = started.elapsed().as_secs_f32();
    match ended {
        Ok(status) if status.success() => {
            println!("  {what:<40} {took:6.1} s");
            let _ = fs::remove_dir_all(&folder);
            Ok(fs::read_to_string(&said).unwrap_or_default())
        }
        Ok(status) => {
            show(&said);
            bail!("{what}: {status}")
        }
        Err(error) => {
            show(&said);
            Err(error.context(what.to_owned()))
        }
    }
}

fn wait(command: &mut Command, deadline: Duration) -> Result<ExitStatus> {
    let mut child = command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let group = child.id();
    let (sender, ended) = mpsc::channel();
    let waiter = thread::spawn(move || {
        let _ = sender.send(child.wait());
    });
    let Ok(status) = ended.recv_timeout(deadline) else {
        let threads = threads(group);
        kill(group, "KILL");
        let _ = waiter.join();
        bail!("not done after {deadline:?}; its threads:\n{threads}");
    };
    let until = Instant::now() + GRACE;
    while kill(group, "0") {
        if Instant::now() > until {
            kill(group, "KILL");
            bail!("it left processes behind");
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(status?)
}

/// Sends a signal to a whole group of processes; whether there is one.
fn kill(group: u32, signal: &str) -> bool {
    let mut kill = Command::new("kill");
    kill.args(["-s", signal, "--", &format!("-{group}")]).stdout(Stdio::null()).stderr(Stdio::null());
    kill.status().is_ok_and(|status| status.success())
}

/// Where each thread of a process that hangs is waiting in the kernel.
fn threads(process: u32) -> String {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return String::new() };
    let line = |task: fs::DirEntry| {
        let read = |file: &str| fs::read_to_string(task.path().join(file)).unwrap_or_default().trim().to_owned();
        format!("    {:<16} {:<24} {}\n", read("comm"), read("wchan"), read("syscall"))
    };
    tasks.filter_map(Result::ok).map(line).collect()
}

fn show(said: &Path) {
    eprintln!("{}", fs::read_to_string(said).unwrap_or_default().trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str, deadline: Duration) -> Result<String> {
        run(Command::new("sh").args(["-c", line]), &format!("self-test {line}"), deadline)
    }

    #[test]
    fn what_a_program_said_is_answered() {
        assert_eq!(shell("echo here; echo there >&2", Duration::from_secs(10)).unwrap(), "here\nthere\n");
    }

    #[test]
    fn a_program_that_fails_is_an_error() {
        assert!(shell("exit 3", Duration::from_secs(10)).unwrap_err().to_string().contains('3'));
    }

    #[test]
    fn a_program_that_hangs_is_gone_after_its_deadline_with_all_that_it_started() {
        let started = Instant::now();
        let error = shell("sleep 60 & sleep 60", Duration::from_millis(200)).unwrap_err();
        assert!(format!("{error:#}").contains("not done after 200ms"), "{error:#}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_program_that_leaves_a_process_behind_is_an_error() {
        let error = shell("sleep 60 &", Duration::from_secs(10)).unwrap_err();
        assert!(format!("{error:#}").contains("left processes behind"), "{error:#}");
    }
}
