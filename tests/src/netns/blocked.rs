//! Networks and hosts that keep something out.

use super::{NetLab, account, port, text};

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
        self.nft(host, "table inet lab { chain in { type filter hook input priority 0; udp dport 5353 drop; }; }");
    }

    /// From now on nothing over IPv4 that one host says reaches the other, and all comes through the other way.
    ///
    /// # Panics
    /// When there is no `nft`, the kernel refuses, or they are kept apart already.
    #[track_caller]
    pub fn silence(&self, from: usize, to: usize) {
        let (table, speaker) = (silence_table(from), self.ipv4(from));
        let chain = format!("chain in {{ type filter hook input priority 0; ip saddr {speaker} counter drop; }}");
        self.nft(to, &format!("table ip {table} {{ {chain}; }}"));
    }

    /// Ends [`silence`](Self::silence). Answers how many packets it took.
    ///
    /// # Panics
    /// When there was none.
    #[track_caller]
    pub fn unsilence(&self, from: usize, to: usize) -> u64 {
        let table = silence_table(from);
        let listed = self.nft(to, &format!("list table ip {table}"));
        self.nft(to, &format!("delete table ip {table}"));
        let mut words = listed.split_whitespace().skip_while(|word| *word != "packets").skip(1);
        words.next().and_then(|packets| packets.parse().ok()).unwrap_or_else(|| panic!("no counter: {listed}"))
    }

    #[track_caller]
    fn nft(&self, host: usize, command: &str) -> String {
        let output = self.command(host, "nft").arg(command).output().expect("ip can be started");
        assert!(output.status.success(), "nft {command}: {}", account(&output));
        text(&output.stdout)
    }
}

fn silence_table(from: usize) -> String {
    format!("silence{from}")
}
