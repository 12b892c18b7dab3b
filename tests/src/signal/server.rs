//! `moorline signal` as a process.

use std::{
    ffi::OsString,
    net::{SocketAddr, TcpListener},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    moorline::{Ended, Home, Moorline, SOON},
    proc,
};

/// A running room server, ready for people to come. Killed when dropped.
#[derive(Debug)]
pub struct SignalServer {
    /// The process.
    pub process: Moorline,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its first event.
    pub ready: Value,
}

impl SignalServer {
    /// Starts a server on an ephemeral port of the loopback, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    #[must_use]
    #[track_caller]
    pub fn start(home: &Home, options: &[&str]) -> Self {
        Self::start_at(home, "127.0.0.1:0", options)
    }

    /// [`start`](Self::start), at a given address: for a server that comes back, or that is on a network.
    ///
    /// # Panics
    /// When it does not become ready.
    #[must_use]
    #[track_caller]
    pub fn start_at(home: &Home, listen: &str, options: &[&str]) -> Self {
        let mut args: Vec<OsString> = ["signal", "--listen", listen, "--json"].map(OsString::from).into();
        args.extend(options.iter().map(OsString::from));
        let mut process = home.start(&args);
        let ready = process.named("ready");
        let listen = ready["listen"].as_str().unwrap_or_default();
        let addr = listen.parse().unwrap_or_else(|error| panic!("listen in {ready}: {error}"));
        Self { process, addr, ready }
    }

    /// Where people find it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.addr)
    }

    /// How it calls itself.
    #[must_use]
    #[track_caller]
    pub fn node(&self) -> &str {
        self.ready["node"].as_str().unwrap_or_else(|| panic!("no node in {}", self.ready))
    }

    /// `kill -9`: answers where it was, for another one to take its place.
    ///
    /// # Panics
    /// When it had ended before.
    #[track_caller]
    pub fn kill(self) -> SocketAddr {
        self.process.kill();
        self.addr
    }

    /// Stops it in mid-air: its connections stay open, and nothing answers.
    pub fn freeze(&self) {
        proc::signal(self.process.pid(), Signal::STOP);
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        proc::signal(self.process.pid(), Signal::CONT);
    }

    /// Asks it to empty itself and end.
    pub fn terminate(&self) {
        proc::signal(self.process.pid(), Signal::TERM);
    }

    /// Asks it to end, and waits for that.
    ///
    /// # Panics
    /// When it does not end cleanly.
    #[track_caller]
    pub fn stop(self) -> Ended {
        self.terminate();
        let ended = self.process.ended(SOON);
        ended.assert_code(0);
        ended
    }
}

/// A token for a room, made by `moorline token`.
///
/// # Panics
/// When none is made.
#[must_use]
#[track_caller]
pub fn mint(home: &Home, room: &str, identity: &str, secret: &str, ttl: Duration) -> String {
    let ttl = ttl.as_secs().to_string();
    let ended = home.run(&["token", room, "--identity", identity, "--ttl", &ttl, "--token-secret", secret]);
    ended.assert_code(0);
    ended.stdout.trim().to_owned()
}

/// An address on the loopback that is free now and stays so while a server restarts: its port is none of those that the system
/// hands out by itself.
///
/// # Panics
/// When no port is free.
#[must_use]
pub fn reserved_address() -> String {
    const FIRST: u32 = 17_000;
    const COUNT: u32 = 15_000;
    static ASKED: AtomicU32 = AtomicU32::new(0);
    // Tests that run side by side begin far apart, in one process or in many.
    let begin =
        std::process::id().wrapping_mul(37).wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed).wrapping_mul(1009));
    let ports = (0..COUNT).map(|step| FIRST + begin.wrapping_add(step) % COUNT);
    let free = ports.map(|port| format!("127.0.0.1:{port}")).find(|address| TcpListener::bind(address).is_ok());
    free.expect("one of many ports is free")
}
