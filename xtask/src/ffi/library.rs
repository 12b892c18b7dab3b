//! The library as a file, in a folder of its own, under the name that programs look for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::steps::{cargo, check};
use crate::workspace_root;

/// The name that programs are linked with is followed by the version; `ffi/build.rs` names the middle one in the library itself.
pub(crate) const NAMES: [&str; 3] =
    [concat!("libmoorline.so.", env!("CARGO_PKG_VERSION")), "libmoorline.so.0", "libmoorline.so"];

/// The static library, beside them where it is handed out.
pub(crate) const ARCHIVE: &str = "libmoorline.a";

/// Which library.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Build {
    /// As it is handed out, but for its symbols, which are still in it.
    Shipped,
    /// Built together with the program `moorline`, so that nothing but one crate is built for it where that is built, too. Its
    /// dependencies can do more than the interface needs.
    Release,
    /// With functions that make panics on demand. For tests.
    Hooks,
    /// The same, optimised: panics are contained there, too; and for measurements.
    ReleaseHooks,
}

/// The libraries that were built in this run. Those with and without hooks take each other's place in cargo's folder, so each is copied
/// away, and none is built twice.
#[derive(Default)]
pub(crate) struct Libraries(RefCell<BTreeMap<Build, PathBuf>>);

impl Libraries {
    /// A folder with `libmoorline.so` and its other names in it.
    pub(crate) fn folder(&self, build: Build) -> Result<PathBuf> {
        if let Some(built) = self.0.borrow().get(&build) {
            return Ok(built.clone());
        }
        let folder = build.make()?;
        self.0.borrow_mut().insert(build, folder.clone());
        Ok(folder)
    }
}

impl Build {
    fn make(self) -> Result<PathBuf> {
        let (name, profile, args): (_, _, &[&str]) = match self {
            Self::Shipped => ("shipped", "release", &["build", "--release", "-p", "moorline-ffi"]),
            Self::Release => ("release", "release", &RELEASE),
            Self::Hooks => ("hooks", "debug", BUILD),
            Self::ReleaseHooks => ("release-hooks", "release", &[&RELEASE[..], &HOOKS].concat()),
        };
        check(&mut cargo(args))?;
        let (built, folder) = (target().join(profile), scratch()?.join(name));
        place(&built.join("libmoorline_ffi.so"), &folder)?;
        if matches!(self, Self::Shipped | Self::Release) {
            copy(&built.join("libmoorline_ffi.a"), &folder.join(ARCHIVE))?;
        }
        Ok(folder)
    }
}

/// Functions that make panics on demand. Tests call them, so whatever is built for tests is built with them.
pub(crate) const HOOKS: [&str; 2] = ["--features", "moorline-ffi/test-hooks"];

/// How everything is built that tests of this workspace run: in one go, with the features of the whole workspace.
pub(crate) const BUILD: &[&str] = &["build", "--workspace", "--lib", "--bins", "--tests", HOOKS[0], HOOKS[1]];

const RELEASE: [&str; 6] = ["build", "--release", "-p", "moorline", "-p", "moorline-ffi"];

/// Copies the library into a folder under all of its names.
pub(crate) fn place(library: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let [real, links @ ..] = NAMES;
    copy(library, &folder.join(real))?;
    for link in links {
        let _ = fs::remove_file(folder.join(link));
        symlink(real, folder.join(link))?;
    }
    Ok(())
}

/// In place of what was there. A program that still has that open keeps it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let _ = fs::remove_file(to);
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

/// The program `moorline` of the build that tests run.
pub(crate) fn program() -> PathBuf {
    target().join("debug/moorline")
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    // What is absolute takes the place of the root.
    workspace_root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// For files of these steps.
pub(crate) fn scratch() -> Result<PathBuf> {
    let folder = target().join("ffi");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
