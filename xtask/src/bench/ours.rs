//! Moorline, and the plain QUIC stream that it is held against.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{
    contender::{Case, Contender, DEADLINE, Run, free_udp_port},
    process::Process,
};

/// `moorline get` from `moorline share`: encrypted, every chunk verified, written to disk.
pub(super) struct Moorline {
    pub(super) program: PathBuf,
}

/// One QUIC stream of the same bytes with the same transport settings: what encryption and packets alone cost.
pub(super) struct PlainQuinn {
    pub(super) program: PathBuf,
    /// From file to file; otherwise from memory to nowhere.
    pub(super) files: bool,
}

impl Contender for Moorline {
    fn name(&self) -> &str {
        "moorline"
    }

    fn is_built_here(&self) -> bool {
        true
    }

    fn run(&self, case: &Case, into: &Path, scratch: &Path) -> Result<Run> {
        let address = format!("127.0.0.1:{}", free_udp_port()?);
        let mut share = Command::new(&self.program);
        // The same home each time: the second share finds its hashes in the cache, as on a person's machine.
        share.env("MOORLINE_HOME", scratch.join(format!("{}-home", case.name)));
        share.arg("share").arg(&case.folder).args([
            "--json",
            "--quiet",
            "--no-multicast",
            "--no-remembered",
            "--listen",
            &address,
        ]);
        let mut get = Command::new(&self.program);
        get.env("MOORLINE_HOME", scratch.join("receiver-home"));
        let item = case.folder.file_name().and_then(|name| name.to_str()).context("the folder of a case has a name")?;
        get.args(["get", item, "--json", "--quiet", "--no-multicast", "--no-remembered"]);
        get.args(["--peer", &address, "--into"]).arg(into);

        let mut sender = Process::start(&mut share)?;
        sender.says("\"type\":\"item\"", DEADLINE)?;
        let before = sender.so_far()?;
        let receiver = Process::start(&mut get)?.finish(DEADLINE, &mut sender)?;
        Ok(Run { receiver, sender: sender.so_far()? - before })
    }

    fn delivered(&self, case: &Case, into: &Path) -> Option<PathBuf> {
        Some(into.join(case.folder.file_name()?))
    }
}

impl Contender for PlainQuinn {
    fn name(&self) -> &str {
        if self.files { "plain quinn, file to file" } else { "plain quinn, memory to memory" }
    }

    fn is_built_here(&self) -> bool {
        true
    }

    fn run(&self, case: &Case, into: &Path, _scratch: &Path) -> Result<Run> {
        let mut serve = Command::new(&self.program);
        serve.arg("serve").arg(case.bytes.to_string());
        let mut fetch = Command::new(&self.program);
        if self.files {
            serve.arg(&case.stream);
        }
        let mut sender = Process::start(&mut serve)?;
        let line = sender.says("ready ", DEADLINE)?;
        fetch.arg("fetch").args(line.split_whitespace().skip(1)).arg(case.bytes.to_string());
        if self.files {
            fetch.arg(into.join("stream"));
        }
        let before = sender.so_far()?;
        let receiver = Process::start(&mut fetch)?.finish(DEADLINE, &mut sender)?;
        Ok(Run { receiver, sender: sender.so_far()? - before })
    }

    fn delivered(&self, _case: &Case, _into: &Path) -> Option<PathBuf> {
        None
    }
}
