//! The room server, spoken to in raw frames.
#![cfg(feature = "server")]
#![allow(unreachable_pub, reason = "modules of one test binary")]

mod calls;
mod draining;
mod fencing;
mod frames;
mod heartbeats;
mod http;
mod limits;
mod panics;
#[cfg(feature = "client")]
mod publishers;
mod raw;
mod resuming;
mod rooms;
mod tokens;
