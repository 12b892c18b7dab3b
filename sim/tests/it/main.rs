//! What the simulation promises, and what it builds on.

mod acquaintance;
mod determinism;
mod drawing;
mod interference;
mod named;
mod own_app;
mod rooms;
mod scenario_files;
mod scenes;
mod shrinking;
mod speed;
mod sweeping;
mod transfer;
mod turmoil_behaves;

moorline_sim::interpose_entropy!();
