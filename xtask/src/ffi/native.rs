//! The tests in C: each file in `ffi/tests/c` is a program. It ends with 0, or says what failed.
//!
//! A line `// Run: WORD...` in it says how it is run, beside once as it is: `valgrind` and `asan` (memory, and what leaks), `release` (the
//! optimised library), each with `=NAME,NAME` if only with some of its tests; `deadline=SECONDS` for each of these runs; and `alone` if nothing
//! else is to run meanwhile.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::header::STRICT;
use super::library::{Build, Libraries, program, scratch};
use super::run::run;
use crate::steps::check;
use crate::workspace_root;

const DEADLINE: Duration = Duration::from_secs(60);

/// Also where everything is slow.
const LONGEST: Duration = Duration::from_secs(600);

/// What leaks for certain, and every access to memory that is not there.
const VALGRIND: [&str; 5] = [
    "--quiet",
    "--leak-check=full",
    "--errors-for-leak-kinds=definite",
    "--show-leak-kinds=definite",
    "--error-exitcode=99",
];

/// For the program itself; the library is compiled as always, but its memory is watched, too.
const SANITIZERS: [&str; 3] = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];

/// A test.
struct Test {
    source: PathBuf,
    name: String,
    /// How it is run, and with which of its tests; none: all of them.
    ways: Vec<(Way, Vec<String>)>,
    deadline: Duration,
    /// It measures time.
    alone: bool,
}

/// How a test is run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Valgrind,
    Asan,
    Release,
}

/// Runs all of them, or those whose name contains one of the texts. All run, also if one fails.
pub(super) fn tests(libraries: &Libraries, only: &[String]) -> Result<()> {
    let mut tests = Test::all()?;
    tests.retain(|test| only.is_empty() || only.iter().any(|text| test.name.contains(text.as_str())));
    ensure!(!tests.is_empty(), "there is no such program in ffi/tests/c");
    let hooks = libraries.folder(Build::Hooks)?;
    let release = tests.iter().any(|test| test.ways.iter().any(|(way, _)| *way == Way::Release));
    let release = if release { libraries.folder(Build::ReleaseHooks)? } else { PathBuf::new() };

    let examples = examples(&hooks)?;
    let place = Place { hooks, release, examples };

    // What takes longest comes first; those that need the machine for themselves come last, one after the other.
    let mut jobs: Vec<Job<'_>> = tests.iter().flat_map(Test::jobs).collect();
    jobs.sort_by_key(|job| Reverse(job.way.slowness()));
    let (alone, together): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.test.alone);
    let count = alone.len() + together.len();
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut failed = run_all(together, workers, &place);
    failed.extend(run_all(alone, 1, &place));
    println!("{} passed, {} failed", count - failed.len(), failed.len());
    ensure!(failed.is_empty(), "{}", failed.join(", "));
    Ok(())
}

/// Runs jobs, so many at a time, and answers which failed.
fn run_all(jobs: Vec<Job<'_>>, workers: usize, place: &Place) -> Vec<String> {
    let (waiting, failed) = (Mutex::new(jobs.into_iter()), Mutex::new(Vec::new()));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(job) = next() {
                    if let Err(error) = job.run(place) {
                        eprintln!("FAILED {error:#}");
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push(job.what());
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Test {
    fn all() -> Result<Vec<Self>> {
        let test = |source: PathBuf| {
            let name = source.file_stem().context("a file has a name")?.to_string_lossy().into_owned();
            Self::read(source, name.clone()).with_context(|| name)
        };
        sources("ffi/tests/c")?.into_iter().map(test).collect()
    }

    fn read(source: PathBuf, name: String) -> Result<Self> {
        let text = fs::read_to_string(&source)?;
        let ways = vec![(Way::Plain, Vec::new())];
        let mut test = Self { source, name, ways, deadline: DEADLINE, alone: false };
        let words = text.lines().find_map(|line| line.strip_prefix("// Run: ")).unwrap_or_default();
        for word in words.split_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match key {
                "deadline" => test.deadline = Duration::from_secs(value.parse()?),
                "alone" => test.alone = true,
                _ => {
                    let way = Way::named(key).with_context(|| format!("`{word}` is no way to run a program"))?;
                    let names = value.split(',').filter(|name| !name.is_empty()).map(str::to_owned);
                    test.ways.push((way, names.collect()));
                }
            }
        }
        Ok(test)
    }

    fn jobs(&self) -> impl Iterator<Item = Job<'_>> {
        self.ways.iter().map(move |(way, names)| Job { test: self, way: *way, names })
    }
}

/// One run of one test.
struct Job<'a> {
    test: &'a Test,
    way: Way,
    names: &'a [String],
}

/// What tests are run with.
struct Place {
    hooks: PathBuf,
    release: PathBuf,
    /// The examples as programs.
    examples: PathBuf,
}

impl Job<'_> {
    fn what(&self) -> String {
        format!("{} {}", self.test.name, self.way.name()).trim_end().to_owned()
    }

    fn run(&self, place: &Place) -> Result<()> {
        let library = if self.way == Way::Release { &place.release } else { &place.hooks };
        let program_of_test = self.compile(library).with_context(|| self.what())?;
        let mut command = if self.way == Way::Valgrind { valgrind() } else { Command::new(&program_of_test) };
        if self.way == Way::Valgrind {
            command.arg(&program_of_test);
        }
        let slowness = self.way.slowness();
        command.args(self.names).env("MOORLINE_TEST_SLOW", slowness.to_string());
        command.env("LD_LIBRARY_PATH", library).env("MOORLINE_LIBRARY", library.join("libmoorline.so"));
        command.env("MOORLINE_PROGRAM", program()).env("MOORLINE_EXAMPLES_BUILT", &place.examples);
        run(&mut command, &self.what(), (self.test.deadline * slowness).min(LONGEST)).map(drop)
    }

    /// A program for each job: two may be compiled at once.
    fn compile(&self, library: &Path) -> Result<PathBuf> {
        let folder = scratch()?.join("c");
        fs::create_dir_all(&folder)?;
        let program = folder.join(self.what().replace(' ', "-"));
        let sanitizers: &[&str] = if self.way == Way::Asan { &SANITIZERS } else { &[] };
        compile(&self.test.source, &program, library, sanitizers)?;
        Ok(program)
    }
}

impl Way {
    fn named(name: &str) -> Option<Self> {
        [Self::Valgrind, Self::Asan, Self::Release].into_iter().find(|way| way.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Valgrind => "valgrind",
            Self::Asan => "asan",
            Self::Release => "release",
        }
    }

    /// What tests are told, and their deadlines multiplied by.
    fn slowness(self) -> u32 {
        match self {
            Self::Plain | Self::Release => 1,
            Self::Valgrind => 10,
            Self::Asan => 3,
        }
    }
}

fn valgrind() -> Command {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(VALGRIND);
    let known = workspace_root().join("ffi/tests/c/valgrind.supp");
    if known.exists() {
        valgrind.arg(format!("--suppressions={}", known.display()));
    }
    valgrind
}

/// The examples as programs, in one folder. That they work is the business of a test.
fn examples(library: &Path) -> Result<PathBuf> {
    let folder = scratch()?.join("examples");
    fs::create_dir_all(&folder)?;
    for source in sources("ffi/examples/c")? {
        compile(&source, &folder.join(source.file_stem().context("a file has a name")?), library, &[])?;
    }
    Ok(folder)
}

/// A program that does not call the library, but loads it by hand, is not linked with it.
fn compile(source: &Path, program: &Path, library: &Path, more: &[&str]) -> Result<()> {
    let mut compiler = Command::new("gcc");
    compiler.args(STRICT).args(["-std=gnu11", "-O1", "-g", "-pthread"]).args(more);
    compiler.arg("-I").arg(workspace_root().join("ffi/include")).arg(source).arg("-o").arg(program);
    check(compiler.arg("-L").arg(library).args(["-Wl,--as-needed", "-lmoorline", "-ldl"]))
}

/// The files in C in a folder, sorted.
fn sources(folder: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(workspace_root().join(folder)).with_context(|| format!("there is no {folder}"))?;
    let mut found = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    found.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    found.sort();
    Ok(found)
}
