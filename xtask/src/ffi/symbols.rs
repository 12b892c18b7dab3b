//! What the built library exports, beside what was agreed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::library::{Build, Libraries, NAMES};
use crate::workspace_root;

/// The committed list, which `cargo xtask codegen` writes, against the dynamic symbols of the library that is handed out.
pub(super) fn compare(libraries: &Libraries) -> Result<()> {
    let list = std::fs::read_to_string(workspace_root().join("ffi/symbols.txt")).context("no ffi/symbols.txt")?;
    let agreed: BTreeSet<&str> = list.lines().collect();
    let library = libraries.folder(Build::Release)?.join(NAMES[0]);
    let exported = exported(&library)?;
    let exported: BTreeSet<&str> = exported.iter().map(String::as_str).collect();

    let missing: Vec<&&str> = agreed.difference(&exported).collect();
    let stray: Vec<&&str> = exported.difference(&agreed).collect();
    if !missing.is_empty() || !stray.is_empty() {
        bail!("the library lacks {missing:?}, and exports {stray:?} beside what ffi/symbols.txt says");
    }
    let name = soname(&library)?;
    if name != NAMES[1] {
        bail!("the library calls itself {name:?}, and not {}", NAMES[1]);
    }
    println!("  {} functions, nothing else; {name}", agreed.len());
    Ok(())
}

fn exported(library: &Path) -> Result<Vec<String>> {
    let listed = said(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(library))?;
    Ok(listed.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

/// The name under which the loader looks for it.
fn soname(library: &Path) -> Result<String> {
    let listed = said(Command::new("objdump").arg("-p").arg(library))?;
    let name = listed.lines().find_map(|line| line.trim().strip_prefix("SONAME"));
    Ok(name.context("the library has no SONAME")?.trim().to_owned())
}

fn said(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!("{} ended with {}", command.get_program().display(), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}
