//! Libraries of real files: scanned, watched, cached, offered, served.

#![cfg(feature = "node")]

mod cache;
mod monitor;
mod offers;
mod properties;
mod scan;
mod serve;
mod support;
