//! What the kernel says of a process: processor time, peak memory, whether it is still there.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// The peak of a process's resident memory so far, in bytes; `None` once it has exited.
#[must_use]
pub fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// How many threads a process has; `None` once it has exited.
#[must_use]
pub fn threads(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Threads:"))?.trim().parse().ok()
}

/// Sends a signal to a process that a test started.
///
/// # Panics
/// When the process is gone: a test that signals a dead process has lost its way.
pub fn signal(pid: u32, signal: Signal) {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id is a positive number");
    kill_process(raw, signal).unwrap_or_else(|error| panic!("cannot send {signal:?} to process {pid}: {error}"));
}

/// How many bytes a process has handed to `write` calls on files so far; what it sends to sockets is not among them.
#[must_use]
pub fn written(pid: u32) -> Option<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    io.lines().find_map(|line| line.strip_prefix("wchar:"))?.trim().parse().ok()
}
