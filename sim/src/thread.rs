use std::panic::resume_unwind;
use std::thread;

use crate::{Seeds, audit};

/// A node's futures are large, and so are the frames of an unoptimised build.
const STACK: usize = 16 << 20;

/// Runs a simulation on a thread that has run nothing before, with [interposed](crate::interpose_entropy) randomness drawn from
/// `seed`, and waits for it. Any number may run side by side.
///
/// The thread matters: hash tables and `rand` keep random state per thread, which would carry over from one simulation to the next.
///
/// # Panics
/// When `simulation` does, with its panic; when the system has no thread to give.
pub fn on_fresh_thread<T, F>(seed: u64, simulation: F) -> T
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let stream = Seeds::new(seed).derive(&["interposed"]);
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(format!("sim-{seed}")).stack_size(STACK);
        let running = thread.spawn_scoped(scope, move || {
            let _guard = audit::begin(stream);
            simulation()
        });
        let running = running.expect("the system has a thread to give");
        running.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}
