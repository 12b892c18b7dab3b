use std::time::Duration;

use moorline_proto::MAX_FRAME;

/// Bounds on what peers can make this endpoint hold and wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest control frame in either direction, in bytes. Bulk bytes are not framed. Default 256 KiB ([`MAX_FRAME`]), which is also
    /// the most that the protocol allows.
    pub max_frame: usize,
    /// Largest request frame that we read, in bytes. Default 16 KiB.
    pub max_request: usize,
    /// Largest frame of the hello exchange, which anyone can send us, in bytes. Default 8 KiB.
    pub max_hello: usize,
    /// Requests that one peer may have open on one connection at once. More wait on the peer's side. Default 64.
    pub max_streams_per_connection: u32,
    /// Connections in all, in both directions, those that are closing included. Further ones are refused as busy. Default 256.
    pub max_connections: usize,
    /// Peers that knocked and are not admitted yet. Above half of it, newcomers must first show that they receive what we send
    /// to their address (QUIC Retry, RFC 9000 section 8.1.2); above all of it they are refused as busy. Default 64.
    pub max_handshakes: usize,
    /// Addresses of one peer that are dialled in parallel. The others of a longer list are not dialled. Default 32.
    pub max_dial_addresses: usize,
    /// From the first packet to admission, in either direction; TLS and hello exchange together. Default 5 s.
    pub handshake_timeout: Duration,
    /// From the opening of a stream to the complete request on it, and for a free stream to open. Default 10 s.
    pub request_timeout: Duration,
    /// From a request to the first byte of its response. Not for
    /// [`WatchLibrary`](moorline_proto::Request::WatchLibrary), whose answers come when something changes. Default 30 s.
    pub response_timeout: Duration,
    /// Longest pause in the middle of a frame or of bulk bytes, and longest wait for a reader that does not read. Default 20 s.
    pub stall_timeout: Duration,
    /// A connection on which nothing was heard for so long is lost ([`ConnectionEnd::TimedOut`](crate::ConnectionEnd::TimedOut)).
    /// The shorter of both sides' limits counts. Default 15 s.
    pub idle_timeout: Duration,
    /// How long a connection rests before we ask for a sign of life. Must be shorter than `idle_timeout`. Default 4 s.
    pub keep_alive: Duration,
    /// With a passphrase: failed proofs that one address may leave behind in a row. Default 10.
    pub max_unproven_per_ip: u32,
    /// With a passphrase: after this time one failed proof of an address is forgotten; the pace of a patient guesser. Default 30 s.
    pub unproven_forgiven_after: Duration,
    /// With a passphrase: failed proofs of all addresses together, in a row. Default 100.
    pub max_unproven_total: u32,
    /// With a passphrase: after this time one failed proof of all is forgotten. Default 6 s.
    pub unproven_forgiven_after_total: Duration,
    /// With a passphrase: proofs that one address may have under way at once. Default 32.
    pub max_proofs_running_per_ip: u32,
    /// Addresses whose failed proofs are remembered at once; those with the fewest are forgotten first. Default 4096.
    pub max_tracked_addresses: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame: MAX_FRAME,
            max_request: 16 * 1024,
            max_hello: 8 * 1024,
            max_streams_per_connection: 64,
            max_connections: 256,
            max_handshakes: 64,
            max_dial_addresses: 32,
            handshake_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(15),
            keep_alive: Duration::from_secs(4),
            max_unproven_per_ip: 10,
            unproven_forgiven_after: Duration::from_secs(30),
            max_unproven_total: 100,
            unproven_forgiven_after_total: Duration::from_secs(6),
            max_proofs_running_per_ip: 32,
            max_tracked_addresses: 4096,
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), String> {
        let counts = [
            ("max_streams_per_connection", self.max_streams_per_connection as usize),
            ("max_connections", self.max_connections),
            ("max_handshakes", self.max_handshakes),
            ("max_dial_addresses", self.max_dial_addresses),
            ("max_unproven_per_ip", self.max_unproven_per_ip as usize),
            ("max_unproven_total", self.max_unproven_total as usize),
            ("max_proofs_running_per_ip", self.max_proofs_running_per_ip as usize),
            // One place is taken by the total.
            ("max_tracked_addresses", self.max_tracked_addresses.saturating_sub(1)),
            ("max_hello", self.max_hello),
            ("max_request", self.max_request),
            ("max_frame", self.max_frame),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(format!("{name} is too small to let anything through"));
        }
        if self.max_frame > MAX_FRAME {
            return Err(format!("max_frame is {}, the protocol allows {MAX_FRAME}", self.max_frame));
        }
        if self.keep_alive >= self.idle_timeout {
            return Err(format!(
                "keep_alive ({:?}) must be shorter than idle_timeout ({:?}), or quiet connections are lost",
                self.keep_alive, self.idle_timeout
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_order_and_impossible_limits_are_named() {
        assert_eq!(Limits::default().check(), Ok(()));
        let bad = [
            (Limits { max_connections: 0, ..Limits::default() }, "max_connections"),
            (Limits { max_frame: MAX_FRAME + 1, ..Limits::default() }, "max_frame"),
            (Limits { keep_alive: Duration::from_secs(15), ..Limits::default() }, "keep_alive"),
            (Limits { max_tracked_addresses: 1, ..Limits::default() }, "max_tracked_addresses"),
        ];
        for (limits, name) in bad {
            assert!(limits.check().unwrap_err().contains(name));
        }
        assert_eq!(Limits { max_frame: 1, ..Limits::default() }.check(), Ok(()));
    }
}
