//! What runs C#: mono, which is a Debian package, and CoreCLR, which a package of Python brings along.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::ffi::library::scratch;
use crate::steps::check;

/// .NET Core 3.1, for Linux on x86-64.
const PACKAGE: &str = "dotnetcore2==3.1.23";

/// The parts of CoreCLR that hold what mono has in three libraries.
const PARTS: [&str; 16] = [
    "System.Private.CoreLib",
    "System.Runtime",
    "System.Collections",
    "System.Collections.Concurrent",
    "System.Collections.Specialized",
    "System.ComponentModel.Primitives",
    "System.Console",
    "System.Diagnostics.Process",
    "System.IO.FileSystem",
    "System.Linq",
    "System.Runtime.Extensions",
    "System.Runtime.InteropServices",
    "System.Threading",
    "System.Threading.Tasks",
    "System.Threading.Thread",
    "mscorlib",
];

/// Which framework an assembly is for, in a file beside it.
const CONFIG: &str = r#"{"runtimeOptions":{"framework":{"name":"Microsoft.NETCore.App","version":"3.1.0"}}}"#;

pub(super) struct Runtime {
    pub(super) name: &'static str,
    /// The folder of CoreCLR; mono's libraries lie where its compiler finds them.
    core_clr: Option<PathBuf>,
}

impl Runtime {
    pub(super) fn mono() -> Self {
        Self { name: "mono", core_clr: None }
    }

    /// Fetches it, if this machine does not have it yet.
    pub(super) fn core_clr() -> Result<Self> {
        let folder = scratch()?.join("dotnet");
        let core_clr = folder.join("dotnetcore2/bin");
        if !core_clr.join("dotnet").is_file() {
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"]);
            check(pip.arg(&folder).arg(PACKAGE))?;
        }
        Ok(Self { name: "CoreCLR", core_clr: Some(core_clr) })
    }

    pub(super) fn compiler_args(&self) -> Vec<String> {
        let Some(folder) = &self.core_clr else { return vec!["-r:System.Core.dll".to_owned()] };
        // It is told that one assembly refers to another by an older version, which is always so.
        let mut args = ["-nostdlib", "-noconfig", "-nowarn:1702", "-define:CORECLR"].map(str::to_owned).to_vec();
        let framework = folder.join("shared/Microsoft.NETCore.App/3.1.23");
        args.extend(PARTS.iter().map(|part| format!("-r:{}/{part}.dll", framework.display())));
        args
    }

    /// Puts what the runtime wants to know of a program beside it.
    pub(super) fn describe(&self, program: &Path) -> Result<()> {
        if self.core_clr.is_some() && program.extension().is_some_and(|extension| extension == "exe") {
            fs::write(program.with_extension("runtimeconfig.json"), CONFIG)
                .context("cannot write beside the program")?;
        }
        Ok(())
    }

    pub(super) fn start(&self, program: &Path) -> Command {
        let mut command = Command::new(self.core_clr.as_ref().map_or("mono".into(), |folder| folder.join("dotnet")));
        if self.core_clr.is_none() {
            command.arg("--debug"); // lines of sources in stacks
        }
        // CoreCLR would want a library of locales.
        command.arg(program).env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1");
        command
    }
}
