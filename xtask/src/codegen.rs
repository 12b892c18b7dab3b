//! `cargo xtask codegen [--check]`: the wire schema in `proto/schema` becomes `proto/src/wire/*.rs`.
//!
//! The result is committed, so that a user of the crate needs neither protoc nor a build script. Both the parser
//! (protox) and the formatter (prettyplease, inside prost-build) are pinned by `Cargo.lock`, not by what happens to be
//! installed: the same schema gives the same bytes on every machine, and `--check` can compare them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace_root;

/// Each schema file, the package in it, and the module that it becomes.
const SCHEMAS: &[Schema] = &[
    Schema { file: "moorline/v1/peer.proto", package: "moorline.v1", module: "v1.rs" },
    Schema { file: "moorline/signal/v1/room.proto", package: "moorline.signal.v1", module: "signal.rs" },
];

struct Schema {
    file: &'static str,
    package: &'static str,
    module: &'static str,
}

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail and name the file if what is committed differs from what the schema gives
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace_root();
    let committed = root.join("proto/src/wire");
    for schema in SCHEMAS {
        let path = committed.join(schema.module);
        let fresh = generate(&root, schema)?;
        if args.check {
            check(&root, &path, &fresh)?;
        } else if fs::read_to_string(&path).ok().as_deref() != Some(&fresh) {
            fs::write(&path, fresh).with_context(|| format!("cannot write {}", path.display()))?;
            println!("wrote {}", shown(&root, &path));
        }
    }
    if let Some(stray) = stray(&committed)? {
        bail!("{} is generated code that no schema accounts for: delete it", shown(&root, &stray));
    }
    Ok(())
}

/// Fails with the name of the file and of its first line that differs.
fn check(root: &Path, path: &Path, fresh: &str) -> Result<()> {
    let name = shown(root, path);
    let found =
        fs::read_to_string(path).with_context(|| format!("{name} cannot be read: run `cargo xtask codegen`"))?;
    if found == fresh {
        return Ok(());
    }
    let same = found.lines().zip(fresh.lines());
    let line = same.take_while(|(found, fresh)| found == fresh).count() + 1;
    bail!("{name} differs from its schema, first in line {line}: run `cargo xtask codegen` and commit the result");
}

fn generate(root: &Path, schema: &Schema) -> Result<String> {
    let descriptors = protox::Compiler::new([root.join("proto/schema")])?
        .include_source_info(true) // comments of the schema become documentation
        .include_imports(true)
        .open_file(schema.file)
        .with_context(|| format!("cannot compile {}", schema.file))?
        .file_descriptor_set();

    let out = root.join("target/xtask/codegen");
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    prost_build::Config::new()
        .out_dir(&out)
        .bytes(["."])
        // Maps keep an order that does not depend on a hash seed.
        .btree_map(["."])
        .compile_fds(descriptors)
        .with_context(|| format!("cannot generate code for {}", schema.file))?;
    let made = out.join(format!("{}.rs", schema.package));
    let code = fs::read_to_string(&made).with_context(|| format!("prost-build left nothing at {}", made.display()))?;
    let (first, rest) = code.split_once('\n').context("generated code is empty")?;
    Ok(format!("{first}\n// Source: proto/schema/{}; change that and run `cargo xtask codegen`.\n{rest}", schema.file))
}

/// A file among the generated ones that nothing generates any more.
fn stray(committed: &Path) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(committed)? {
        let path = entry?.path();
        let known = |schema: &Schema| path.file_name().is_some_and(|name| name == schema.module);
        if !SCHEMAS.iter().any(known) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
