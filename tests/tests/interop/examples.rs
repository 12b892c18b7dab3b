//! The examples of moorline-discovery as processes on the hosts of a lab.

use moorline_tests::netns::{NetLab, Talker};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

/// Starts the example `announce` on a host.
pub(crate) fn announce(lab: &NetLab, host: usize, args: &[&str]) -> Talker {
    start(lab, host, "announce", args)
}

/// Starts the example `browse` on a host.
pub(crate) fn browse(lab: &NetLab, host: usize, args: &[&str]) -> Talker {
    start(lab, host, "browse", args)
}

/// A field of a line of theirs; `name` is the last one and may contain spaces.
pub(crate) fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let start = line.find(&format!(" {name}=")).unwrap_or_else(|| panic!("no {name} in {line}")) + name.len() + 2;
    let rest = &line[start..];
    if name == "name" { rest } else { rest.split(' ').next().unwrap_or(rest) }
}

fn start(lab: &NetLab, host: usize, example: &str, args: &[&str]) -> Talker {
    let mut talker = Talker::start(lab.command(host, built().join(example)).args(args));
    talker.until("its start", Duration::from_secs(10), |line| line == "READY");
    talker
}

/// Where the examples are. Cargo does not build those of another crate for a test, so it is asked to, unless they are up to date:
/// asking would wait for whatever else is being built.
fn built() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let own = std::env::current_exe().expect("a test knows its own executable");
        let profile = own.parent().and_then(Path::parent).expect("test executables are in target/PROFILE/deps");
        let folder = profile.join("examples");
        if !["announce", "browse"].iter().all(|name| is_up_to_date(&folder.join(name))) {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--quiet", "--package", "moorline-discovery", "--examples"]);
            if profile.file_name().is_some_and(|name| name == "release") {
                cargo.arg("--release");
            }
            let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo can be started");
            assert!(status.success(), "the examples of moorline-discovery do not build");
        }
        folder
    })
}

/// By the list of sources that cargo writes beside each program.
fn is_up_to_date(program: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let (Some(built), Ok(list)) = (modified(program), fs::read_to_string(program.with_extension("d"))) else {
        return false;
    };
    let sources = list.split_once(": ").map_or("", |(_, sources)| sources);
    sources.split_whitespace().all(|source| modified(Path::new(source)).is_some_and(|changed| changed <= built))
}
