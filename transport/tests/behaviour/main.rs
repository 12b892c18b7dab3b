//! What the crate promises, seen from outside: endpoints on loopback. One behaviour a file.

mod aborts;
mod access;
mod addresses;
mod attempts;
mod bulk;
mod cancellation;
mod connection_limits;
mod endings;
mod frame_limits;
mod identity;
mod noise;
mod seeds;
mod silence;
#[allow(dead_code)] // also used by the unit tests, each of which takes another part
mod support;
mod versions;
