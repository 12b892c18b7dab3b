#![doc = include_str!("../README.md")]
// Every function of the interface says in its documentation what a caller has to see to; `unsafe` on all of them is for Rust.
#![allow(clippy::missing_safety_doc)]

#[allow(unsafe_code)]
pub mod abi;
mod args;
mod blocks;
mod client;
mod dispatch;
mod dispose;
mod download;
mod entry;
mod fork;
mod gate;
mod happening;
#[cfg(feature = "test-hooks")]
mod hooks;
pub mod kinds;
mod library;
mod life;
mod log;
mod node;
mod pending;
mod queue;
mod requests;
mod room;
pub mod status;
mod sync;
mod table;
mod threads;
pub mod types;
