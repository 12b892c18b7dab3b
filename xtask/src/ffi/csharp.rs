//! The C# package: compiled by Mono's compiler, which takes the least, and run under mono and under CoreCLR.

mod runtime;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::library::{Build, Libraries, program, scratch};
use super::run::run;
use crate::steps::check;
use crate::workspace_root;
use runtime::Runtime;

const DEADLINE: Duration = Duration::from_secs(240);

/// What Unity takes, too; every warning is an error.
const COMPILER: [&str; 3] = ["-langversion:7", "-warnaserror", "-debug"];

/// One file that the compiler makes.
struct Assembly {
    name: &'static str,
    references: &'static [&'static str],
    /// Arguments: sources, from the root of the workspace, and what is special.
    sources: &'static [&'static str],
}

/// One after the other, and each knows only what it should: the core compiles without Unity, and the layer for Unity for players and for
/// the editor. What these need of Unity is stood in for by the tests.
const ASSEMBLIES: [Assembly; 7] = [
    Assembly { name: "Moorline.dll", references: &[], sources: &["-recurse:ffi/csharp/Runtime/*.cs", "-unsafe"] },
    Assembly { name: "UnityEngine.dll", references: &[], sources: &["-recurse:ffi/csharp/Tests/StandIns/*.cs"] },
    Assembly {
        name: "Moorline.Unity.dll",
        references: &["Moorline", "UnityEngine"],
        sources: &["-recurse:ffi/csharp/Unity/*.cs"],
    },
    Assembly {
        name: "Moorline.Unity.dll",
        references: &["Moorline", "UnityEngine"],
        sources: &["-recurse:ffi/csharp/Unity/*.cs", "-define:UNITY_EDITOR"],
    },
    Assembly {
        name: "PeerSample.dll",
        references: &["Moorline", "Moorline.Unity", "UnityEngine"],
        // Fields that only Unity's inspector sets.
        sources: &["ffi/csharp/Samples~/Peer/PeerSample.cs", "-nowarn:0649"],
    },
    Assembly { name: "Peer.exe", references: &["Moorline"], sources: &["ffi/examples/csharp/Peer.cs"] },
    Assembly {
        name: "Moorline.Tests.exe",
        references: &["Moorline", "Moorline.Unity", "UnityEngine"],
        sources: &["ffi/csharp/Tests/*.cs", "-unsafe"],
    },
];

pub(super) fn tests(libraries: &Libraries) -> Result<()> {
    for runtime in [Runtime::mono(), Runtime::core_clr()?] {
        let out = scratch()?.join(runtime.name);
        fs::create_dir_all(&out)?;
        for assembly in &ASSEMBLIES {
            assembly.compile(&runtime, &out)?;
        }
        let mut tests = runtime.start(&out.join(ASSEMBLIES[ASSEMBLIES.len() - 1].name));
        tests.env("LD_LIBRARY_PATH", libraries.folder(Build::Hooks)?);
        tests.env("MOORLINE_PROGRAM", program()).env("MOORLINE_EXAMPLES_BUILT", &out);
        tests.env("MOORLINE_PACKAGE", workspace_root().join("ffi/csharp"));
        let said = run(&mut tests, runtime.name, DEADLINE)?;
        println!("  {}", said.lines().last().unwrap_or_default());
    }
    Ok(())
}

impl Assembly {
    fn compile(&self, runtime: &Runtime, out: &Path) -> Result<()> {
        let target = if self.name.ends_with(".exe") { "exe" } else { "library" };
        let mut compiler = Command::new("mcs");
        compiler.current_dir(workspace_root()).args(COMPILER).args(runtime.compiler_args());
        compiler.arg(format!("-target:{target}")).arg(format!("-out:{}", out.join(self.name).display()));
        compiler
            .arg(format!("-lib:{}", out.display()))
            .args(self.references.iter().map(|name| format!("-r:{name}.dll")));
        check(compiler.args(self.sources))?;
        runtime.describe(&out.join(self.name))
    }
}
