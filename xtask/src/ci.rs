//! `cargo xtask ci`: what CI runs, and a person can run the same.

use anyhow::Result;

use crate::{
    sim,
    steps::{Steps, cargo, check},
    test,
};

pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new(Vec::new());
    test::all(&mut steps);
    sim::ci(&mut steps);
    steps.step("demo", "the main job, as the README tells it", || {
        check(&mut cargo(&["run", "--release", "--", "demo"]))
    });
    steps.finish()
}
