//! What the simulation promises, and what it builds on.

mod determinism;
mod rooms;
mod scenes;
mod speed;
mod transfer;
mod turmoil_behaves;

moorline_sim::interpose_entropy!();
