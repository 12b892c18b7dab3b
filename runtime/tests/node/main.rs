//! The node as its user meets it: two or more of them over loopback, on real files.

#![cfg(feature = "node")]

mod access;
mod fetch;
mod lab;
mod liveness;
mod peers_gone;
mod stop;
mod updates;
