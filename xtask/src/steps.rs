//! A run of named steps: a header for each, the time it took, and one table at the end.
//!
//! A step that fails does not stop the ones behind it: one run tells everything that is wrong.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::workspace_root;

/// Runs steps one after another and remembers how each ended.
pub(crate) struct Steps {
    started: Instant,
    only: Vec<String>,
    done: Vec<Step>,
}

struct Step {
    name: String,
    took: Duration,
    outcome: Outcome,
}

enum Outcome {
    Passed,
    Failed(String),
    NotRun(String),
}

impl Steps {
    /// With a list that is not empty, only the steps named in it run; the table does not mention the others.
    pub(crate) fn new(only: Vec<String>) -> Self {
        Self { started: Instant::now(), only, done: Vec::new() }
    }

    /// Whether the step would run at all.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// Runs one step.
    pub(crate) fn step(&mut self, name: &str, what: &str, work: impl FnOnce() -> Result<()>) {
        if !self.wants(name) {
            return;
        }
        println!("\n━━━ {name}: {what}");
        let started = Instant::now();
        let outcome = match work() {
            Ok(()) => Outcome::Passed,
            Err(error) => {
                eprintln!("{name} failed: {error:#}");
                Outcome::Failed(format!("{error:#}"))
            }
        };
        self.done.push(Step { name: name.to_owned(), took: started.elapsed(), outcome });
    }

    /// Notes that a step could not run here. Loud on a person's machine, a failure in CI, silent nowhere.
    pub(crate) fn not_run(&mut self, name: &str, why: &str) {
        if !self.wants(name) {
            return;
        }
        println!("\n━━━ {name}: NOT RUN: {why}");
        let outcome =
            if in_ci() { Outcome::Failed(format!("not run: {why}")) } else { Outcome::NotRun(why.to_owned()) };
        self.done.push(Step { name: name.to_owned(), took: Duration::ZERO, outcome });
    }

    /// Prints the table.
    ///
    /// # Errors
    /// When a step failed, or when nothing ran at all.
    pub(crate) fn finish(self) -> Result<()> {
        println!("\n━━━ summary");
        let width = self.done.iter().map(|step| step.name.len()).max().unwrap_or(0);
        for Step { name, took, outcome } in &self.done {
            let took = took.as_secs_f32();
            match outcome {
                Outcome::Passed => println!("  {name:width$}  {took:7.1} s  passed"),
                Outcome::Failed(why) => println!("  {name:width$}  {took:7.1} s  FAILED   {why}"),
                Outcome::NotRun(why) => println!("  {name:width$}        –    NOT RUN  {why}"),
            }
        }
        println!("  {:width$}  {:7.1} s", "together", self.started.elapsed().as_secs_f32());

        let failed = self.done.iter().filter(|step| matches!(step.outcome, Outcome::Failed(_))).count();
        if failed > 0 {
            bail!("{failed} of {} steps failed", self.done.len());
        }
        if self.done.is_empty() {
            bail!("no step has the name given with --only");
        }
        Ok(())
    }
}

/// Whether this run is a CI run, in which nothing may be left out.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "0" && value != "false")
}

/// `cargo ARGS`, with the cargo that started xtask, in the root of the workspace.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace_root()).args(args);
    command
}

/// Runs a command to its end with this process's own output.
///
/// # Errors
/// When it cannot be started, or ends with anything but success.
pub(crate) fn check(command: &mut Command) -> Result<()> {
    let line = line_of(command);
    println!("$ {line}");
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        let short: String = line.chars().take(80).collect();
        bail!("`{short}{}` ended with {status}", if short == line { "" } else { "..." });
    }
    Ok(())
}

fn line_of(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut line = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}
