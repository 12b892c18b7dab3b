//! The server in a process of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use moorline_signaling::server::{Limits, Server, ServerConfig};

/// Hellos a second of a server that is not to be the bottleneck.
pub(crate) const UNLIMITED: u32 = 1_000_000;
/// As the server comes.
pub(crate) const DEFAULT_RATE: u32 = 1_000;

/// A process that serves until this is dropped.
pub(crate) struct ServerProcess {
    child: Child,
    pub(crate) addr: SocketAddr,
    /// Its end is the process's.
    stdin: Option<ChildStdin>,
}

/// What a process keeps in memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) resident: f64,
    /// The same, with what is shared with other processes divided among them.
    pub(crate) proportional: f64,
}

impl ServerProcess {
    /// A room server with this accept rate that asks for a sign of life this often.
    pub(crate) fn moorline(accept_rate: u32, heartbeat: Duration) -> Result<Self> {
        Self::start(&["server", &accept_rate.to_string(), &heartbeat.as_millis().to_string()])
    }

    /// The yardstick.
    pub(crate) fn plain() -> Result<Self> {
        Self::start(&["plain"])
    }

    fn start(args: &[&str]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the server")?;
        let stdin = child.stdin.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("a pipe was asked for")?).read_line(&mut line)?;
        let addr = line.trim().strip_prefix("ready ").context("the server did not start")?.parse()?;
        Ok(Self { child, addr, stdin })
    }

    /// As the kernel counts it now.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let bytes = |field: &str| -> Result<f64> {
            let line = rollup.lines().find_map(|line| line.strip_prefix(field)).context("an unknown smaps_rollup")?;
            Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? * 1024.0)
        };
        Ok(Memory { resident: bytes("Rss:")?, proportional: bytes("Pss:")? })
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.wait();
    }
}

/// The process: says where it listens and serves until its standard input ends.
pub(crate) fn serve(accept_rate: u32, interval_ms: u64) -> Result<()> {
    crate::runtime()?.block_on(async {
        let limits = Limits {
            // What one connection may send is not what is measured.
            frames_per_second: UNLIMITED,
            frame_burst: UNLIMITED,
            bytes_per_second: u32::MAX,
            byte_burst: u32::MAX,
            ..Limits::default()
        };
        let heartbeat_interval = Duration::from_millis(interval_ms);
        let config = ServerConfig { accept_rate, heartbeat_interval, limits, ..ServerConfig::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let server = Server::start(config, listener)?;
        println!("ready {}", server.local_addr());
        parent_is_gone().await;
        std::process::exit(0)
    })
}

/// Returns when the process that started this one has let go of it.
pub(crate) async fn parent_is_gone() {
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await;
}
