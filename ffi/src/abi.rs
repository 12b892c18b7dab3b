//! The functions, a file a subject. Each is thin: it checks what it was given, and hands it to the module that does it.

pub mod calls;
pub mod client;
pub mod events;
pub mod node;
pub mod room;
#[cfg(feature = "test-hooks")]
pub mod test_hooks;
