//! Downloads from sources that serve well or badly.

#![cfg(feature = "node")]

mod ends;
mod items;
mod quic;
mod resume;
mod sources;
mod support;
