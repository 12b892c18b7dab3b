//! `cargo xtask dist`: what is handed out to those who do not build it themselves.
//!
//! A folder with header and libraries as C expects them (with pkg-config and CMake files that work wherever it is put), a wheel, and a
//! package for Unity.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::ffi::library::{self, ARCHIVE, Build, Libraries, NAMES};
use crate::steps::check;
use crate::workspace_root;

/// How large the library should be at most. Told, and not insisted on.
const AIM_BYTES: u64 = 8_000_000;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a program is linked with beside the static library: `rustc --print native-static-libs`, without what C has anyway.
const STATIC_LIBS: [&str; 6] = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"];

/// Each template in `ffi/dist`, and where it goes.
const TEMPLATES: [(&str, &str); 4] = [
    ("moorline.pc", "lib/pkgconfig"),
    ("moorline-static.pc", "lib/pkgconfig"),
    ("moorline-config.cmake", "lib/cmake/moorline"),
    ("moorline-config-version.cmake", "lib/cmake/moorline"),
];

/// What is handed out.
#[derive(Debug, clap::Args)]
pub(crate) struct DistArgs {
    /// The folder to make; what was in it goes away. Default: target/dist
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &DistArgs) -> Result<()> {
    let out = args.out.clone().unwrap_or_else(|| library::target().join("dist"));
    make(&out, &Libraries::default().folder(Build::Shipped)?)?;
    let size = fs::metadata(out.join("lib").join(NAMES[0]))?.len();
    println!(
        "the shared library has {:.1} MB; it should have at most {:.1}",
        size as f64 / 1e6,
        AIM_BYTES as f64 / 1e6
    );
    let (unity, others): (Vec<_>, Vec<_>) = files(&out)?.into_iter().partition(|path| path.starts_with("unity"));
    for path in others {
        let bytes = fs::symlink_metadata(out.join(&path))?.len();
        println!("  {bytes:>10}  {}", path.display());
    }
    println!("  {:>10}  files of unity/com.moorline.client", unity.len());
    println!("in {}", out.display());
    Ok(())
}

/// Makes the folder, with the libraries in another one.
pub(crate) fn make(out: &Path, libraries: &Path) -> Result<()> {
    let root = workspace_root();
    if out.exists() {
        // Only what an earlier run made is taken away.
        ensure!(
            out.join("include/moorline.h").is_file(),
            "{} is not a folder that this made: not touched",
            out.display()
        );
        fs::remove_dir_all(out)?;
    }
    let (include, lib) = (out.join("include"), out.join("lib"));
    fs::create_dir_all(&include)?;
    fs::copy(root.join("ffi/include/moorline.h"), include.join("moorline.h"))?;

    library::place(&libraries.join(NAMES[0]), &lib)?;
    let shared = lib.join(NAMES[0]);
    check(Command::new("strip").args(["--strip-all"]).arg(&shared))?;
    let archive = lib.join(ARCHIVE);
    fs::copy(libraries.join(ARCHIVE), &archive)?;
    check(Command::new("strip").args(["--strip-debug"]).arg(&archive))?;
    templates(&root, out)?;

    wheel(&shared, &out.join("python"))?;
    let unity = out.join("unity/com.moorline.client");
    copy_tree(&root.join("ffi/csharp"), &unity, &|name| !name.starts_with("Tests"))?;
    let plugins = unity.join("Plugins/x86_64");
    fs::create_dir_all(&plugins)?;
    fs::copy(&shared, plugins.join("libmoorline.so"))?;
    for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(root.join(license), out.join(license))?;
    }
    Ok(())
}

/// A wheel with this library in it. It is the package's own script that makes it: it needs nothing but Python.
pub(crate) fn wheel(library: &Path, into: &Path) -> Result<PathBuf> {
    let _ = fs::remove_dir_all(into);
    let mut maker = Command::new("python3");
    maker.arg("-B").arg(workspace_root().join("ffi/python/build_backend.py"));
    check(maker.arg("--library").arg(library).arg("--out").arg(into))?;
    let made: Vec<PathBuf> = files(into)?.into_iter().map(|name| into.join(name)).collect();
    match &made[..] {
        [wheel] => Ok(wheel.clone()),
        _ => bail!("{made:?} is not one wheel"),
    }
}

fn templates(root: &Path, out: &Path) -> Result<()> {
    let (major, rest) = VERSION.split_once('.').context("a version has dots")?;
    let minor = rest.split('.').next().unwrap_or_default();
    for (name, folder) in TEMPLATES {
        let template = root.join("ffi/dist").join(format!("{name}.in"));
        let text = fs::read_to_string(&template).with_context(|| format!("no {}", template.display()))?;
        // A list of CMake has semicolons.
        let separator = if name.ends_with(".cmake") { ";" } else { " " };
        let text = text.replace("@VERSION@", VERSION).replace("@MAJOR@", major).replace("@MINOR@", minor);
        let text = text.replace("@STATIC_LIBS@", &STATIC_LIBS.join(separator));
        fs::create_dir_all(out.join(folder))?;
        fs::write(out.join(folder).join(name), text)?;
    }
    Ok(())
}

/// Copies what is below a folder, but for folders whose name is not wanted.
fn copy_tree(from: &Path, to: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().context("an entry has a name")?.to_string_lossy().into_owned();
        if !wanted(&name) {
            continue;
        }
        if path.is_dir() {
            copy_tree(&path, &to.join(name), wanted)?;
        } else {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// Every file and link below a folder, by its path there, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut waiting) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path.strip_prefix(folder)?.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}
