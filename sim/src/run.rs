//! Plays a scenario, and tells what came of it.

mod agenda;
mod cast;
mod play;
mod report;
mod world;

use std::io;
use std::path::PathBuf;
use std::time::Instant;

pub(crate) use cast::Cast;
pub use report::{Report, Violation};
pub(crate) use world::World;

use crate::invariant::Lie;
use crate::{Scenario, ScenarioError, on_fresh_thread, panics};

/// How a scenario is played; nothing here changes what happens in it, except for a lie.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Where the folders of the hosts go, into a folder of their own that is removed in the end. Default: the system's place for
    /// temporary files.
    pub scratch: PathBuf,
    /// So much of the trace is kept as text, in bytes. Default: 64 MiB.
    pub trace_bytes: usize,
    /// What the invariants are told in place of the truth, to see whether they notice. Default: nothing.
    pub lie: Option<Lie>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { scratch: std::env::temp_dir(), trace_bytes: 64 << 20, lie: None }
    }
}

/// Why a scenario could not be played at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// It makes no sense.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The folders of its hosts could not be made.
    #[error("the folders of the hosts could not be made; look whether the place for them exists and has room")]
    Folder(#[from] io::Error),
}

/// Plays a scenario on a thread of its own. Any number may be played at the same time.
///
/// # Errors
/// If it could not be played. That something in it was violated is no error: the report tells.
pub fn run(scenario: &Scenario, options: &RunOptions) -> Result<Report, RunError> {
    scenario.check()?;
    panics::watch();
    let folder = tempfile::Builder::new().prefix("moorline-sim-").tempdir_in(&options.scratch)?;
    let start = Instant::now();
    let report = on_fresh_thread(scenario.seed, || play::play(scenario, options, folder.path()));
    let mut report = report?;
    report.wall = start.elapsed();
    Ok(report)
}
