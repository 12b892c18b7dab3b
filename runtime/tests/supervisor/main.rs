//! The supervisor as its user meets it: tasks that fail, restart, stop, and are counted.

mod blocking;
mod events;
mod failure;
mod model;
mod race;
mod restart;
mod scope;
mod shutdown;
mod snapshot;
