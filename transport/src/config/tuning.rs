use std::time::Duration;

/// How the bytes move. The defaults were measured on loopback and on links of 1 Gbit/s and 2.5 Gbit/s with an MTU of 1500.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    /// Socket buffers asked for, in bytes, for each direction; the system may grant less
    /// ([`Endpoint::socket_buffers`](crate::Endpoint::socket_buffers)). Default 4 MiB: with the usual 208 KiB, 0.7 to 0.9 % of all
    /// packets were lost in our own socket at full speed; with 4 MiB, none.
    pub socket_buffer_bytes: usize,
    /// Largest UDP payload that path MTU discovery tries, and that we receive, in bytes. Default 6500: a path of 1500 is found
    /// as such, loopback and jumbo frames become twice as fast. Segmentation offload packs ten packets into one
    /// system call of at most 65,507 bytes, so 6550 is the most that works with it.
    pub mtu_upper_bound: u16,
    /// Segmentation offload (GSO). Default on: without it, throughput halves.
    pub segmentation_offload: bool,
    /// Bytes that a peer may have under way to us on one stream. Default 2 MiB: enough for 10 Gbit/s at 1 ms; more costs
    /// memory and gains less than a tenth.
    pub stream_window: u32,
    /// Bytes that an admitted peer may have under way to us on all streams of a connection together; the most that a connection
    /// can make us hold. At least two stream windows: see [`bulk_answers`](Self::bulk_answers). Default 8 MiB.
    pub connection_window: u32,
    /// Bytes written by us and not acknowledged yet, on all streams of a connection together. Default 8 MiB.
    pub send_window: u64,
    /// Bytes sent before the first acknowledgement. Default 65,000: ten of the largest packets, by the rule of RFC 9002, section 7.2. With
    /// quinn's 12,000, a path that carries packets of 6 kB starts one packet at a time.
    pub initial_window: u64,
    /// Congestion control. Default CUBIC.
    pub congestion: Congestion,
    /// After how many packets the peer is asked to acknowledge; `None`: every second one. Default `None`: 25 saves a tenth of
    /// the processor at full speed and costs 10 to 25 % of the throughput behind a shallow queue.
    pub ack_threshold: Option<u32>,
    /// Assumed round trip time before the first was measured: a lost first packet is sent again after three times
    /// this. Default 100 ms.
    pub initial_rtt: Duration,
}

/// Congestion control algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Congestion {
    /// RFC 9438.
    #[default]
    Cubic,
    /// RFC 9002, section 7.
    NewReno,
    /// Behind a shallow queue it lost one packet in three. Draws from the thread's generator, so runs are not reproducible.
    Bbr,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            socket_buffer_bytes: 4 << 20,
            mtu_upper_bound: 6500,
            segmentation_offload: true,
            stream_window: 2 << 20,
            connection_window: 8 << 20,
            send_window: 8 << 20,
            initial_window: 65_000,
            congestion: Congestion::Cubic,
            ack_threshold: None,
            initial_rtt: Duration::from_millis(100),
        }
    }
}

impl Tuning {
    /// RFC 9000, section 14: every QUIC path carries payloads of this size.
    const MIN_MTU: u16 = 1200;
    /// The largest payload that a UDP packet can have and quinn takes.
    const MAX_MTU: u16 = 65_527;
    /// A tenth of what one system call sends.
    const MAX_MTU_WITH_OFFLOAD: u16 = 6550;

    /// How many answers with bulk bytes a connection can have on their way to us without standing still when only one of them is read:
    /// one stream window is left for everything else.
    #[must_use]
    pub fn bulk_answers(&self) -> usize {
        (self.connection_window / self.stream_window.max(1)).saturating_sub(1).max(1) as usize
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let mtu = self.mtu_upper_bound;
        if !(Self::MIN_MTU..=Self::MAX_MTU).contains(&mtu) {
            return Err(format!("mtu_upper_bound is {mtu}, must be {} to {}", Self::MIN_MTU, Self::MAX_MTU));
        }
        if self.segmentation_offload && mtu > Self::MAX_MTU_WITH_OFFLOAD {
            return Err(format!(
                "mtu_upper_bound is {mtu}; above {} segmentation_offload must be off, or large packets are lost",
                Self::MAX_MTU_WITH_OFFLOAD
            ));
        }
        if self.stream_window == 0 || self.connection_window == 0 || self.send_window == 0 || self.initial_window == 0 {
            return Err("a window of 0 bytes lets nothing through".to_owned());
        }
        if self.connection_window / 2 < self.stream_window {
            return Err(format!(
                "connection_window is {}, must be at least twice stream_window, which is {}: one stream could keep all others from \
                 moving",
                self.connection_window, self.stream_window
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_order_and_impossible_settings_are_named() {
        assert_eq!(Tuning::default().check(), Ok(()));
        let with_mtu = |mtu_upper_bound, segmentation_offload| Tuning {
            mtu_upper_bound,
            segmentation_offload,
            ..Tuning::default()
        };
        assert_eq!(with_mtu(6550, true).check(), Ok(()));
        assert!(with_mtu(6551, true).check().unwrap_err().contains("segmentation_offload"));
        assert_eq!(with_mtu(6551, false).check(), Ok(()));
        assert_eq!(with_mtu(1200, true).check(), Ok(()));
        assert!(with_mtu(1199, true).check().is_err());
        assert!(Tuning { send_window: 0, ..Tuning::default() }.check().is_err());
        let with_windows =
            |stream_window, connection_window| Tuning { stream_window, connection_window, ..Tuning::default() };
        assert!(with_windows(4 << 20, 7 << 20).check().unwrap_err().contains("connection_window"));
        assert_eq!(with_windows(4 << 20, 8 << 20).check(), Ok(()));
        assert_eq!(with_windows(4 << 20, 8 << 20).bulk_answers(), 1);
        assert_eq!(Tuning::default().bulk_answers(), 3);
    }
}
