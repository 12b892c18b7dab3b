//! Threads that the library makes in somebody else's process.

use std::sync::{Arc, Mutex};
use std::thread::Builder;

use crate::status::{Failure, MOORLINE_E_IO, Outcome};
use crate::sync::lock;

/// Whether so many threads can be had. Asked before tokio makes its own: it panics, or waits for ever, where the system refuses one.
pub(crate) fn can_start(count: usize) -> Outcome {
    let gate = Arc::new(Mutex::new(()));
    let closed = lock(&gate);
    let mut trials = Vec::new();
    let refused = (0..count).find_map(|_| {
        let gate = gate.clone();
        let trial = Builder::new().name("moorline-trial".into()).spawn(move || drop(lock(&gate)));
        trial.map(|trial| trials.push(trial)).err()
    });
    drop(closed);
    let given = trials.len();
    for trial in trials {
        let _ = trial.join();
    }
    refused.map_or(Ok(()), |error| {
        let message = format!("{count} threads are needed, and the system gives {given}: {error}");
        Err(Failure::new(MOORLINE_E_IO, message))
    })
}

/// Has no signal handled on this thread, nor on those that it makes: the handlers are the host's, and a connection that breaks while it
/// is written to must not end the host with SIGPIPE.
#[cfg(unix)]
#[allow(unsafe_code)]
pub(crate) fn block_signals() {
    // SAFETY: all zeros is a set of signals, which the next call fills.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: it leads to a set.
    unsafe { libc::sigfillset(&raw mut all) };
    // Those that a thread brings upon itself are of no use when they are blocked.
    for own in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT, libc::SIGSYS] {
        // SAFETY: as above.
        unsafe { libc::sigdelset(&raw mut all, own) };
    }
    // SAFETY: as above; what was blocked before is not asked for. It only fails for an unknown way of changing the mask.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut()) };
}

#[cfg(not(unix))]
pub(crate) fn block_signals() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_the_system_gives_are_given_back() {
        assert_eq!(can_start(8), Ok(()));
    }
}
