//! What a failing run leaves behind: a folder with everything to see it again.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Drawing, Report, Scenario};

/// Writes a folder for a run, below `out`, and tells where it is. What an earlier run left there is replaced.
///
/// | file | what |
/// | --- | --- |
/// | `scenario.toml` | as it was played |
/// | `shrunk.toml` | a smaller one that fails in the same way, if there is one |
/// | `trace.jsonl` | everything that happened, a record a line |
/// | `fingerprint` | of the trace |
/// | `violations.txt` | what did not hold |
/// | `report.html` | the same as a picture, for a browser |
/// | `repro.sh` | the line that plays it again |
///
/// # Errors
/// Whatever the file system answers.
pub fn write_artefact(
    out: &Path,
    scenario: &Scenario,
    shrunk: Option<&Scenario>,
    report: &Report,
) -> io::Result<PathBuf> {
    let folder = out.join(format!("{}-{}", scenario.name, report.seed));
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("scenario.toml"), scenario.to_toml())?;
    let smallest = match shrunk {
        Some(shrunk) => {
            fs::write(folder.join("shrunk.toml"), shrunk.to_toml())?;
            "shrunk.toml"
        }
        None => {
            if let Err(error) = fs::remove_file(folder.join("shrunk.toml"))
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
            "scenario.toml"
        }
    };
    fs::write(folder.join("trace.jsonl"), report.trace.text())?;
    fs::write(folder.join("fingerprint"), format!("{}\n", report.fingerprint))?;
    let violations = report.violations.iter().fold(String::new(), |mut text, violation| {
        let _ = writeln!(text, "{violation}");
        text
    });
    fs::write(folder.join("violations.txt"), violations)?;
    let repro = format!("cargo xtask sim replay {}", folder.join(smallest).display());
    fs::write(folder.join("repro.sh"), format!("#!/bin/sh\nexec {repro}\n"))?;
    let mut drawing = Drawing::new(format!("{}, seed {}", scenario.name, report.seed));
    drawing.violations.clone_from(&report.violations);
    drawing.repro = repro;
    fs::write(folder.join("report.html"), drawing.page(&report.trace))?;
    Ok(folder)
}
