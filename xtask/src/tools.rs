//! The programs of the system that tests and benchmarks call, and where Debian keeps them.

use std::process::{Command, Stdio};

use crate::steps::check;

/// A program, and the Debian package that brings it.
pub(crate) struct Tool {
    program: &'static str,
    package: &'static str,
    /// Arguments with which it proves that it works; empty: being there is enough.
    probe: &'static [&'static str],
}

/// What the network and interoperability tests call.
pub(crate) const NETWORK: &[Tool] = &[
    Tool { program: "ip", package: "iproute2", probe: &[] },
    Tool { program: "nft", package: "nftables", probe: &["list", "ruleset"] },
    Tool { program: "avahi-daemon", package: "avahi-daemon", probe: &[] },
    Tool { program: "avahi-browse", package: "avahi-utils", probe: &[] },
    Tool { program: "dbus-daemon", package: "dbus", probe: &[] },
    Tool { program: "chromium", package: "chromium", probe: &["--version"] },
    Tool { program: "protoc", package: "protobuf-compiler", probe: &["--version"] },
    Tool { program: "python3", package: "python3-venv", probe: &["-c", "import venv, ensurepip"] },
];

/// What the tests of the interface for other languages call.
pub(crate) const FFI: &[Tool] = &[
    Tool { program: "gcc", package: "gcc", probe: &["--version"] },
    Tool { program: "g++", package: "g++", probe: &["--version"] },
    Tool { program: "clang", package: "clang", probe: &["--version"] },
    Tool { program: "clang++", package: "clang", probe: &["--version"] },
    Tool { program: "nm", package: "binutils", probe: &["--version"] },
    Tool { program: "valgrind", package: "valgrind", probe: &["--version"] },
    Tool { program: "pkg-config", package: "pkg-config", probe: &["--version"] },
    Tool { program: "cmake", package: "cmake", probe: &["--version"] },
    Tool { program: "mcs", package: "mono-mcs", probe: &["--version"] },
    Tool { program: "mono", package: "mono-runtime", probe: &["--version"] },
    // No program, but a library without which Mono's compiler compiles little.
    Tool { program: "/usr/lib/mono/4.5/System.Core.dll", package: "libmono-system-core4.0-cil", probe: &[] },
    Tool { program: "python3", package: "python3-venv", probe: &["-c", "import venv, ensurepip"] },
];

/// Makes the tools available: what is missing is installed when this is root on a Debian; what is still missing
/// afterwards is answered, as `program (package)`.
pub(crate) fn ensure(tools: &[Tool]) -> Vec<String> {
    let missing: Vec<&Tool> = tools.iter().filter(|tool| !tool.works()).collect();
    if !missing.is_empty() && is_root() && present("apt-get") {
        let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
        println!("installing what the tests call: {}", packages.join(", "));
        // The lists of a fresh machine are empty: refresh them only when the first try fails.
        if apt_get(&[&["install", "-y", "--no-install-recommends"], &packages[..]].concat()).is_err() {
            let installed = apt_get(&["update"])
                .and_then(|()| apt_get(&[&["install", "-y", "--no-install-recommends"], &packages[..]].concat()));
            if let Err(error) = installed {
                eprintln!("{error:#}");
            }
        }
    }
    let missing = missing.iter().filter(|tool| !tool.works());
    missing.map(|tool| format!("{} (Debian package {})", tool.program, tool.package)).collect()
}

/// Why network namespaces cannot be made here, if they cannot.
pub(crate) fn namespaces_refused() -> Option<String> {
    let name = format!("moorline-probe-{}", std::process::id());
    match Command::new("ip").args(["netns", "add", &name]).output() {
        Ok(output) if output.status.success() => {
            let _ = Command::new("ip").args(["netns", "delete", &name]).status();
            None
        }
        Ok(output) => Some(format!(
            "`ip netns add` is refused ({}): network tests need root or CAP_SYS_ADMIN and CAP_NET_ADMIN",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Some(format!("`ip` cannot be started: {error}")),
    }
}

/// Whether a program of this name can be started.
pub(crate) fn present(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where daemons live; not everybody has it on the path.
    let usual = ["/usr/sbin".into(), "/sbin".into()];
    std::env::split_paths(&path).chain(usual).any(|folder: std::path::PathBuf| folder.join(program).is_file())
}

impl Tool {
    fn works(&self) -> bool {
        present(self.program)
            && (self.probe.is_empty()
                || Command::new(self.program)
                    .args(self.probe)
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status()
                    .is_ok_and(|status| status.success()))
    }
}

fn apt_get(args: &[&str]) -> anyhow::Result<()> {
    check(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(args))
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
