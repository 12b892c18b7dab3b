//! Ctrl-C and termination signals: the first asks for a clean stop, the second ends the program at once.

use std::io;
use std::time::Duration;

use tokio::sync::watch;

use crate::exit::Code;
use crate::output::Output;

/// How long a stop may take before the user is told how to cut it short.
const PATIENCE: Duration = Duration::from_millis(500);

/// Tells a verb that the user wants it to stop. Clones see the same request.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Ends when a stop was requested, at once if it already was. Cancel-safe.
    pub(crate) async fn requested(&self) {
        let mut receiver = self.0.clone();
        // The sender lives as long as the program listens for signals; if it is gone, nobody can ask any more.
        if receiver.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether a stop was requested.
    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }
}

/// The sending half, held by whoever listens for signals.
#[derive(Debug)]
pub(crate) struct Signals {
    stop: watch::Sender<bool>,
    source: Source,
}

impl Signals {
    /// Takes over SIGINT, SIGTERM and SIGHUP (Ctrl-C on Windows). Must run inside the async runtime.
    pub(crate) fn listen() -> io::Result<(Self, Stop)> {
        let (stop, receiver) = watch::channel(false);
        Ok((Self { stop, source: Source::new()? }, Stop(receiver)))
    }

    /// Passes the first signal on as a request to stop; ends at the second. The caller then leaves at once.
    pub(crate) async fn second(mut self, output: &Output) -> Code {
        self.source.next().await;
        self.stop.send_replace(true);
        tokio::select! {
            biased;
            () = self.source.next() => return Code::Interrupted,
            () = tokio::time::sleep(PATIENCE) => {}
        }
        output.note("stopping cleanly; press Ctrl-C again to quit at once");
        self.source.next().await;
        Code::Interrupted
    }
}

#[cfg(unix)]
#[derive(Debug)]
struct Source {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// None under `nohup`, where the closing of the terminal is meant to change nothing.
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Source {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = recv(&mut self.hangup) => {}
        }
    }
}

#[cfg(unix)]
async fn recv(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether whoever started the program set SIGHUP to be ignored. Known on Linux only; elsewhere assumed not.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

/// Reads the mask of ignored signals (`SigIgn:`, hexadecimal; SIGHUP is number 1, so the lowest bit).
#[cfg(unix)]
fn ignores_hangup(status: &str) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(not(unix))]
#[derive(Debug)]
struct Source;

#[cfg(not(unix))]
impl Source {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn nohup_is_recognised() {
        assert!(ignores_hangup("Name:\tmoorline\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("SigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup("Name:\tx\n"));
    }

    #[tokio::test]
    async fn a_request_reaches_every_clone_also_later_ones() {
        let (sender, receiver) = watch::channel(false);
        let stop = Stop(receiver);
        let early = stop.clone();
        assert!(!stop.is_requested());
        let waited = tokio::time::timeout(Duration::ZERO, early.requested()).await;
        assert!(waited.is_err(), "nobody asked yet");
        sender.send_replace(true);
        early.requested().await;
        stop.clone().requested().await;
        assert!(stop.is_requested());
    }
}
