//! What `cargo xtask dist` makes, used as its receiver would: from a folder that it was not made for. (The wheel is what the tests in
//! Python run with, and the sources of the package for Unity are those in C#.)

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::header::STRICT;
use super::library::{Build, Libraries, scratch};
use super::run::run;
use crate::dist;
use crate::steps::check;
use crate::workspace_root;

const DEADLINE: Duration = Duration::from_secs(30);

pub(super) fn used(libraries: &Libraries) -> Result<()> {
    let (made, moved) = (scratch()?.join("dist"), scratch()?.join("dist moved"));
    dist::make(&made, &libraries.folder(Build::Release)?)?;
    let _ = fs::remove_dir_all(&moved);
    fs::rename(&made, &moved)?;
    pkg_config(&moved)?;
    cmake(&moved)
}

fn pkg_config(dist: &Path) -> Result<()> {
    for package in ["moorline", "moorline-static"] {
        let mut command = Command::new("pkg-config");
        command.env("PKG_CONFIG_PATH", dist.join("lib/pkgconfig")).args(["--cflags", "--libs", package]);
        let output = command.output().context("cannot start pkg-config")?;
        ensure!(output.status.success(), "pkg-config knows no {package}");
        let program = scratch()?.join(format!("check-{package}"));
        // As a shell would read it: pkg-config escapes what is special in a path.
        let line = format!("gcc {} \"$1\" -o \"$2\" {}", STRICT.join(" "), String::from_utf8(output.stdout)?.trim());
        let source = workspace_root().join("ffi/dist/check/check.c");
        check(Command::new("sh").args(["-ec", &line, "sh"]).arg(source).arg(&program))?;
        let mut check = Command::new(program);
        if package == "moorline" {
            check.env("LD_LIBRARY_PATH", dist.join("lib"));
        }
        run(&mut check, &format!("pkg-config {package}"), DEADLINE)?;
    }
    Ok(())
}

fn cmake(dist: &Path) -> Result<()> {
    let build = scratch()?.join("cmake");
    let _ = fs::remove_dir_all(&build);
    let mut configure = Command::new("cmake");
    configure.arg("-S").arg(workspace_root().join("ffi/dist/check")).arg("-B").arg(&build);
    check(configure.arg(format!("-DCMAKE_PREFIX_PATH={}", dist.display())))?;
    check(Command::new("cmake").arg("--build").arg(&build))?;
    for target in ["shared", "static"] {
        run(&mut Command::new(build.join(target)), &format!("cmake {target}"), DEADLINE)?;
    }
    Ok(())
}
