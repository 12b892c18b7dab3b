//! What goes wrong, and how often.

use std::time::Duration;

/// How a [`Network`](super::Network) behaves. By default nothing goes wrong. Probabilities are from 0 to 1.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// The same seed, members and order of steps give the same events.
    pub seed: u64,
    /// The shortest time a letter takes. Default 1 ms.
    pub delay_min: Duration,
    /// The longest time a letter takes; if it is longer than the shortest, letters overtake each other. Default 1 ms.
    pub delay_max: Duration,
    /// Probability that a letter is lost.
    pub loss: f64,
    /// Probability that a letter arrives twice, with a delay of its own each.
    pub duplicate: f64,
    /// Probability that a goodbye is lost, on top of `loss`.
    pub goodbye_loss: f64,
    /// Probability, for each record and each `announce_every`, that a member forgets it until it is announced again.
    pub flap: f64,
    /// How long a record lives without being announced again. Default 10 s.
    pub ttl: Duration,
    /// How often a member announces itself. Default 2 s.
    pub announce_every: Duration,
    /// How long a member that is being verified may take to answer. Default 1 s.
    pub verify_timeout: Duration,
    /// Most peers that a member knows at a time; more are left out. Default 1,024.
    pub max_peers: usize,
    /// Most letters that may wait for a member; more are lost. Default 4,096.
    pub max_letters: usize,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        NetworkConfig {
            seed: 0,
            delay_min: Duration::from_millis(1),
            delay_max: Duration::from_millis(1),
            loss: 0.0,
            duplicate: 0.0,
            goodbye_loss: 0.0,
            flap: 0.0,
            ttl: Duration::from_secs(10),
            announce_every: Duration::from_secs(2),
            verify_timeout: Duration::from_secs(1),
            max_peers: 1024,
            max_letters: 4096,
        }
    }
}
