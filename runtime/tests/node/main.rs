//! The node as its user meets it: two or more of them over loopback, on real files.

#![cfg(feature = "node")]

mod access;
mod failing;
mod fetch;
mod guard;
mod lab;
mod liars;
mod liveness;
mod metadata;
mod peers_gone;
mod quiet;
mod rooms;
mod services;
mod stalls;
mod stop;
mod updates;
mod windows;
