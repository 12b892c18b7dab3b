//! The wire schema: `proto/schema` becomes `proto/src/wire/*.rs`, without protoc and without a build script.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::Output;

/// Where the generated modules lie. Nothing else lies there.
const FOLDER: &str = "proto/src/wire";

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

pub(super) fn generate(root: &Path) -> Result<Vec<Output>> {
    SCHEMAS.iter().map(|schema| schema.generate(root)).collect()
}

/// Fails if a file lies among the generated ones that nothing generates any more.
pub(super) fn no_strays(root: &Path) -> Result<()> {
    for entry in fs::read_dir(root.join(FOLDER))? {
        let name = entry?.file_name();
        if !SCHEMAS.iter().any(|schema| name == schema.module) {
            bail!("{FOLDER}/{} is generated code that no schema accounts for: delete it", name.display());
        }
    }
    Ok(())
}

impl Schema {
    fn generate(&self, root: &Path) -> Result<Output> {
        let descriptors = protox::Compiler::new([root.join("proto/schema")])?
            .include_source_info(true) // comments of the schema become documentation
            .include_imports(true)
            .open_file(self.file)
            .with_context(|| format!("cannot compile {}", self.file))?
            .file_descriptor_set();

        let out = root.join("target/xtask/codegen");
        fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
        prost_build::Config::new()
            .out_dir(&out)
            .bytes(["."])
            // Maps keep an order that does not depend on a hash seed.
            .btree_map(["."])
            .compile_fds(descriptors)
            .with_context(|| format!("cannot generate code for {}", self.file))?;
        let made = out.join(format!("{}.rs", self.package));
        let code =
            fs::read_to_string(&made).with_context(|| format!("prost-build left nothing at {}", made.display()))?;
        let (first, rest) = code.split_once('\n').context("generated code is empty")?;
        let source = format!("// Source: proto/schema/{}; change that and run `cargo xtask codegen`.", self.file);
        Ok(Output { path: format!("{FOLDER}/{}", self.module), text: format!("{first}\n{source}\n{rest}") })
    }
}
