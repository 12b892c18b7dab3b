//! What the end-to-end tests share: the program as a process and on a terminal, sample trees, misbehaving peers, networks of namespaces,
//! rooms and what stands between them and their server.
//!
//! The tests themselves are in `tests/`, a file a subject: `e2e_*` start the program, `interop_*` talk with foreign software.
//! Everything here panics with a full account when something is not as a test needs it: this crate is for tests alone.

pub mod hostile;
pub mod moorline;
pub mod netns;
pub mod proc;
pub mod sample;
pub mod scene;
pub mod signal;
pub mod terminal;
pub mod tree;
