use std::time::Duration;

/// Something that a host was told, with when, and in which of its lives.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged<E> {
    /// Simulated time.
    pub at: Duration,
    /// How often the host had been started before.
    pub life: u64,
    /// What.
    pub event: E,
}
