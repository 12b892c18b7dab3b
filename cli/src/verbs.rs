//! What the program can do: one file a verb.

pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod room;
pub(crate) mod share;
pub(crate) mod signal;
pub(crate) mod token;
