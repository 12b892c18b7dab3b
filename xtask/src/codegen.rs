//! `cargo xtask codegen [--check]`: everything in the repository that a program wrote.
//!
//! The wire schema in `proto/schema` becomes `proto/src/wire/*.rs`; the C interface in `ffi/src` becomes a header, the list of its
//! symbols, and the tables with which Python and C# call it. All of it is committed, so that whoever uses it needs no generator. The
//! generators are pinned by `Cargo.lock`, not by what happens to be installed: the same source gives the same bytes on every machine,
//! and `--check` can compare them.

mod contract;
mod csharp;
mod header;
pub(crate) mod interface;
mod python;
mod read;
mod wire;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::workspace_root;
use interface::Interface;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail and name the file if what is committed differs from what its source gives
    #[arg(long)]
    check: bool,
}

/// A file that is generated.
struct Output {
    /// From the root of the workspace.
    path: String,
    text: String,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace_root();
    for output in outputs(&root)? {
        let path = root.join(&output.path);
        let found = fs::read_to_string(&path);
        if args.check {
            let found = found.with_context(|| format!("{} cannot be read: run `cargo xtask codegen`", output.path))?;
            output.check(&found)?;
        } else if found.ok().as_deref() != Some(&output.text) {
            fs::create_dir_all(path.parent().context("a generated file lies in a folder")?)?;
            fs::write(&path, &output.text).with_context(|| format!("cannot write {}", path.display()))?;
            println!("wrote {}", output.path);
        }
    }
    wire::no_strays(&root)
}

fn outputs(root: &Path) -> Result<Vec<Output>> {
    let interface = Interface::read(root)?;
    let mut outputs = wire::generate(root)?;
    outputs.push(Output { path: "ffi/include/moorline.h".into(), text: header::generate(root, &interface)? });
    outputs.push(Output { path: "ffi/symbols.txt".into(), text: interface.symbols().join("\n") + "\n" });
    outputs.push(Output { path: "ffi/python/moorline/_abi.py".into(), text: python::generate(&interface) });
    outputs.push(Output { path: "ffi/csharp/Runtime/Native.Generated.cs".into(), text: csharp::generate(&interface) });
    Ok(outputs)
}

impl Output {
    /// Fails with the name of the file and of its first line that differs.
    fn check(&self, found: &str) -> Result<()> {
        if found == self.text {
            return Ok(());
        }
        let same = found.lines().zip(self.text.lines());
        let line = same.take_while(|(found, fresh)| found == fresh).count() + 1;
        bail!(
            "{} differs from what its source gives, first in line {line}: run `cargo xtask codegen` and commit the result",
            self.path
        );
    }
}
