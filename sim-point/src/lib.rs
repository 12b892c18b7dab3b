#![doc = include_str!("../README.md")]

#[cfg(feature = "active")]
pub mod active;

#[cfg(feature = "active")]
pub use active::{run, still, task};

/// A place where a simulation may interfere: `sim_point!("area.name")`, or in async code `sim_point!(await "area.name")`, which can
/// also yield once to other tasks, and is cancel-safe. Names are unique, and made of lower-case words.
///
/// To be used inside of tasks only: when a simulation plants a panic, somebody has to catch it.
#[cfg(feature = "active")]
#[macro_export]
macro_rules! sim_point {
    (await $name:literal) => {
        $crate::active::reach_async($name).await
    };
    ($name:literal) => {
        $crate::active::reach($name)
    };
}

/// A place where a simulation may interfere: `sim_point!("area.name")`, or in async code `sim_point!(await "area.name")`. In this
/// build, which is not one of a simulation, nothing.
#[cfg(not(feature = "active"))]
#[macro_export]
macro_rules! sim_point {
    (await $name:literal) => {{}};
    ($name:literal) => {{}};
}

/// Makes a point of each poll of a task: `task.<name>.start` the first time, `task.<name>.poll` later. In this build, the future as it is.
#[cfg(not(feature = "active"))]
#[inline(always)]
pub fn task<F: Future>(_name: &str, future: F) -> F {
    future
}

/// A future that a simulation can make stand still, but that has no point. In this build, the future as it is.
#[cfg(not(feature = "active"))]
#[inline(always)]
pub fn still<F: Future>(future: F) -> F {
    future
}

/// Makes a point of the start of blocking work, `task.<name>.start`, and calls it. In this build, calls it.
#[cfg(not(feature = "active"))]
#[inline(always)]
pub fn run<T>(_name: &str, work: impl FnOnce() -> T) -> T {
    work()
}
