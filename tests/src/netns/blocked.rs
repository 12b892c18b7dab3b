//! Networks and hosts that keep multicast out.

use super::{NetLab, account, port};

impl NetLab {
    /// From now on the switch passes no multicast on, as some access points do. A host still hears itself. IPv4 finds its
    /// neighbours by broadcast, and so goes on; IPv6 needs multicast for that.
    ///
    /// # Panics
    /// When the kernel refuses.
    #[track_caller]
    pub fn keep_multicast_apart(&self) {
        for host in 0..self.hosts.len() {
            let args = ["link", "set", "dev", &port(host), "type", "bridge_slave", "mcast_flood", "off"];
            self.on_switch(&args).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// A firewall on a host that lets nothing in on the port of multicast DNS, not even what the host sent itself.
    ///
    /// # Panics
    /// When there is no `nft`, or the kernel refuses.
    #[track_caller]
    pub fn keep_mdns_out(&self, host: usize) {
        let rules = "table inet lab { chain in { type filter hook input priority 0; udp dport 5353 drop; }; }";
        let output = self.command(host, "nft").arg(rules).output().expect("ip can be started");
        assert!(output.status.success(), "nft: {}", account(&output));
    }
}
