//! The usual beginnings of a test: somebody shares, somebody fetches.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::moorline::{Home, Moorline, SOON};

/// Options of a program that meets others through addresses alone.
pub const BY_ADDRESS: [&str; 3] = ["--json", "--no-multicast", "--no-remembered"];

/// A running `moorline share`, ready to be found.
#[derive(Debug)]
pub struct Sharer {
    /// The process.
    pub process: Moorline,
    /// Where it listens on the loopback.
    pub addr: SocketAddr,
    /// Its peer id.
    pub peer: String,
    /// Its first event.
    pub ready: Value,
    /// What it has on offer.
    pub items: Vec<Value>,
}

impl Sharer {
    /// Shares `what` on an ephemeral port of the loopback, found by address alone, and waits until it is on offer.
    ///
    /// # Panics
    /// When it does not become ready.
    #[track_caller]
    #[must_use]
    pub fn start(home: &Home, what: &Path, options: &[&str]) -> Self {
        Self::start_at(home, what, "127.0.0.1:0", options)
    }

    /// [`start`](Self::start), at a given address: for a peer that comes back.
    ///
    /// # Panics
    /// When it does not become ready.
    #[track_caller]
    #[must_use]
    pub fn start_at(home: &Home, what: &Path, listen: &str, options: &[&str]) -> Self {
        let mut args: Vec<OsString> = vec!["share".into(), what.into(), "--listen".into(), listen.into()];
        args.extend(BY_ADDRESS.iter().chain(options).map(OsString::from));
        Self::offering(home.start(&args), 1)
    }

    /// Waits until a started `share` has so many items on offer: before that it reads and hashes everything once.
    ///
    /// # Panics
    /// When it does not come to that.
    #[track_caller]
    #[must_use]
    pub fn offering(mut process: Moorline, items: usize) -> Self {
        let ready = process.named("ready");
        let text = |field: &str| ready[field].as_str().unwrap_or_else(|| panic!("no {field} in {ready}")).to_owned();
        let addr: SocketAddr = text("listen").parse().unwrap_or_else(|error| panic!("listen in {ready}: {error}"));
        let peer = text("peer");
        let items = (0..items).map(|_| process.event("item", 3 * SOON, |event| event["type"] == "item")).collect();
        Self { addr, peer, ready, items, process }
    }

    /// Ctrl-C, and its end.
    ///
    /// # Panics
    /// When it does not end cleanly.
    #[track_caller]
    pub fn stop(self) {
        self.process.interrupt();
        self.process.ended(SOON).assert_code(0);
    }
}

/// Starts `moorline get ITEM` from sharers that are named by address.
#[must_use]
pub fn get(home: &Home, item: &str, from: &[SocketAddr], into: &Path, options: &[&str]) -> Moorline {
    let mut args: Vec<OsString> = vec!["get".into(), item.into(), "--into".into(), into.into()];
    args.extend(BY_ADDRESS.iter().chain(options).map(OsString::from));
    for addr in from {
        args.extend(["--peer".into(), addr.to_string().into()]);
    }
    home.start(&args)
}

/// A folder to fetch into, in this home.
#[must_use]
pub fn downloads(home: &Home) -> PathBuf {
    home.path("downloads")
}

/// Waits until a transfer is under way: some bytes are verified, and some are missing. Answers the bytes.
///
/// # Panics
/// When it never is; a transfer that was over before it could be seen is too small for its test.
#[track_caller]
pub fn under_way(get: &mut Moorline) -> u64 {
    let progress = get.event("progress in the middle", SOON, |event| {
        assert!(event["type"] != "finished", "the transfer was over before it could be interrupted: {event}");
        event["type"] == "progress" && event["bytes"].as_u64() > Some(0)
    });
    let bytes = progress["bytes"].as_u64().unwrap_or_default();
    assert!(
        Some(bytes) < progress["total"].as_u64(),
        "the transfer was over before it could be interrupted: {progress}"
    );
    bytes
}
