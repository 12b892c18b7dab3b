//! Figures that another process measures and prints, a line `figure NAME VALUE` each: what they are called, and what they should be.

use std::{collections::BTreeMap, fmt, process::Command};

use anyhow::Result;

use super::{contender::DEADLINE, process::Process, transfer::median};

/// The values of each figure, one a round.
pub(super) type Figures = BTreeMap<String, Vec<f64>>;

/// What one process measures.
pub(super) struct Measurement {
    /// The name that the process knows it by.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) figures: &'static [Figure],
}

/// One line of the table.
pub(super) struct Figure {
    /// As the process prints it.
    pub(super) key: &'static str,
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    pub(super) goal: Option<Goal>,
}

#[derive(Clone, Copy)]
pub(super) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    pub(super) fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "<= {most}"),
            Self::AtLeast(least) => write!(f, ">= {least}"),
        }
    }
}

pub(super) const fn plain(key: &'static str, title: &'static str, unit: &'static str) -> Figure {
    Figure { key, title, unit, goal: None }
}

pub(super) const fn with(key: &'static str, title: &'static str, unit: &'static str, goal: Goal) -> Figure {
    Figure { key, title, unit, goal: Some(goal) }
}

/// Runs a measurement and adds its figures; how long it took, in seconds.
pub(super) fn measure(command: &mut Command, figures: &mut Figures) -> Result<f64> {
    let (lines, took) = Process::start(command)?.lines(DEADLINE)?;
    for line in &lines {
        if let ["figure", name, value] = line.split_whitespace().collect::<Vec<_>>()[..] {
            figures.entry(name.to_owned()).or_default().push(value.parse()?);
        }
    }
    Ok(took.as_secs_f64())
}

/// Prints a table of medians and answers the goals that were missed.
pub(super) fn report(measurements: &[&Measurement], figures: &Figures) -> Vec<String> {
    let mut missed = Vec::new();
    for measurement in measurements {
        println!("\n{}", measurement.title);
        for figure in measurement.figures {
            let Some(values) = figures.get(figure.key) else {
                missed.push(format!("{}: {}: no figure", measurement.title, figure.title));
                continue;
            };
            let value = median(values.clone());
            let met = figure.goal.is_none_or(|goal| goal.is_met(value));
            let goal =
                figure.goal.map_or(String::new(), |goal| format!("goal {goal}{}", if met { "" } else { "  MISSED" }));
            println!("  {:<52} {:>10} {:<10} {goal}", figure.title, rounded(value), figure.unit);
            if let (false, Some(goal)) = (met, figure.goal) {
                missed.push(format!("{}, {}: {}, the goal is {goal}", measurement.title, figure.title, rounded(value)));
            }
        }
    }
    println!();
    missed
}

/// Three digits that mean something.
fn rounded(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middling if middling >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
