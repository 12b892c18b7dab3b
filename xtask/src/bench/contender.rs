//! Something that can carry files from one process to another, and what a run of it is.

use std::{
    fs,
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};

use super::process::Cost;

/// A run that takes longer than this has hung.
pub(super) const DEADLINE: Duration = Duration::from_secs(120);

/// What is to be carried.
pub(super) struct Case {
    /// What the tables call it.
    pub(super) name: String,
    /// A folder with the files, and nothing else.
    pub(super) folder: PathBuf,
    /// The same bytes as one file: for those who carry a stream and know no files.
    pub(super) stream: PathBuf,
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// The cost of both sides of one transfer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) receiver: Cost,
    /// From when the sender was ready until the receiver had ended.
    pub(super) sender: Cost,
}

impl Run {
    pub(super) fn wall(&self) -> f64 {
        self.receiver.wall.as_secs_f64()
    }

    pub(super) fn cpu(&self) -> f64 {
        self.receiver.cpu + self.sender.cpu
    }
}

/// Carries files from one process to another.
pub(super) trait Contender {
    fn name(&self) -> &str;

    /// Which of its programs are not installed.
    fn missing(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Whether it comes from this workspace and must be built first.
    fn is_built_here(&self) -> bool {
        false
    }

    /// Carries the case into the folder `into`, which is empty. `scratch` is for its own files and outlives the runs.
    fn run(&self, case: &Case, into: &Path, scratch: &Path) -> Result<Run>;

    /// The folder that must hold the case's files after a run; `None` when no files are delivered.
    fn delivered(&self, _case: &Case, into: &Path) -> Option<PathBuf> {
        Some(into.to_owned())
    }
}

/// A UDP port that was free a moment ago.
pub(super) fn free_udp_port() -> Result<u16> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A TCP port that was free a moment ago.
pub(super) fn free_tcp_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Every file below a folder, by its path relative to it, sorted.
pub(super) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("cannot read {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path.strip_prefix(folder)?.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}
