//! Addresses of peers that worked, tried again at the next start: they still work where multicast is blocked.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use moorline_runtime::proto::PeerId;
use serde::{Deserialize, Serialize};

use super::Home;

/// Peers remembered; the one not seen for the longest time is forgotten first.
pub(crate) const MAX_PEERS: usize = 64;
/// A peer not seen for this long is not tried any more, seconds (90 days).
const FORGET_AFTER_S: u64 = 90 * 86_400;
/// Largest file that is read, bytes. 64 entries take a tenth of it.
const MAX_FILE: u64 = 256 * 1024;

/// The remembered peers of this user, shared by all of this user's processes.
#[derive(Debug)]
pub(crate) struct Remembered {
    path: PathBuf,
    peers: Vec<Entry>,
}

/// A peer that shared something and where it was reached.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Entry {
    peer: String,
    address: SocketAddr,
    /// Seconds since 1970.
    seen: u64,
}

#[derive(Debug, Default, Deserialize, Serialize)]
struct Stored {
    peers: Vec<Entry>,
}

impl Remembered {
    /// Reads the file. A missing, unreadable or damaged one is an empty one: nothing depends on it.
    pub(crate) fn load(home: &Home) -> Self {
        let path = home.state().join("peers.json");
        let peers = read(&path).unwrap_or_default();
        Self { path, peers }
    }

    /// The addresses to try, most recently seen first, at most [`MAX_PEERS`].
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let mut peers: Vec<&Entry> = self.peers.iter().collect();
        peers.sort_by(|a, b| b.seen.cmp(&a.seen).then_with(|| a.peer.cmp(&b.peer)));
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for entry in peers {
            if !addresses.contains(&entry.address) {
                addresses.push(entry.address);
            }
        }
        addresses
    }

    /// Notes that a peer that shares was reached at an address, and writes the file.
    pub(crate) fn note(&mut self, peer: PeerId, address: SocketAddr) -> io::Result<()> {
        self.note_at(peer, address, now())
    }

    fn note_at(&mut self, peer: PeerId, address: SocketAddr, now: u64) -> io::Result<()> {
        // Another process may have written since: its entries stay.
        if let Some(stored) = read(&self.path) {
            self.peers = stored;
        }
        let peer = peer.to_string();
        // A restarted peer may have a new address, a new peer an old one: either replaces what was known.
        self.peers.retain(|entry| {
            entry.peer != peer && entry.address != address && now.saturating_sub(entry.seen) < FORGET_AFTER_S
        });
        self.peers.push(Entry { peer, address, seen: now });
        if self.peers.len() > MAX_PEERS {
            self.peers.sort_by_key(|entry| entry.seen);
            let surplus = self.peers.len() - MAX_PEERS;
            self.peers.drain(..surplus);
        }
        self.write()
    }

    /// Written aside and renamed: a reader sees the old file or the new one.
    fn write(&self) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".peers-").tempfile_in(folder)?;
        let text = serde_json::to_vec_pretty(&Stored { peers: self.peers.clone() })?;
        file.write_all(&text)?;
        file.persist(&self.path)?;
        Ok(())
    }
}

fn read(path: &Path) -> Option<Vec<Entry>> {
    if fs::metadata(path).ok()?.len() > MAX_FILE {
        return None;
    }
    let text = fs::read(path).ok()?;
    let mut stored: Stored = serde_json::from_slice(&text).ok()?;
    stored.peers.truncate(MAX_PEERS);
    Some(stored.peers)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> PeerId {
        PeerId::from_bytes([n; 32])
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn what_was_noted_is_there_at_the_next_start_newest_first() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        let mut remembered = Remembered::load(&home);
        assert!(remembered.addresses().is_empty());
        remembered.note_at(peer(1), address(1), 100).expect("writes");
        remembered.note_at(peer(2), address(2), 200).expect("writes");
        assert_eq!(Remembered::load(&home).addresses(), [address(2), address(1)]);
    }

    #[test]
    fn a_moved_peer_and_a_reused_address_replace_the_old_entry() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut remembered = Remembered::load(&Home::at(folder.path()));
        remembered.note_at(peer(1), address(1), 100).expect("writes");
        remembered.note_at(peer(1), address(2), 101).expect("writes");
        remembered.note_at(peer(2), address(2), 102).expect("writes");
        assert_eq!(remembered.addresses(), [address(2)]);
    }

    #[test]
    fn the_bound_holds_and_the_oldest_goes_first() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut remembered = Remembered::load(&Home::at(folder.path()));
        for n in 0..=MAX_PEERS {
            let n = u8::try_from(n).expect("small");
            remembered.note_at(peer(n), address(1000 + u16::from(n)), 100 + u64::from(n)).expect("writes");
        }
        let addresses = remembered.addresses();
        assert_eq!(addresses.len(), MAX_PEERS);
        assert!(!addresses.contains(&address(1000)), "the oldest is gone");
        assert!(addresses.contains(&address(1001)), "the second oldest is not");
    }

    #[test]
    fn a_peer_not_seen_for_long_is_forgotten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut remembered = Remembered::load(&Home::at(folder.path()));
        remembered.note_at(peer(1), address(1), 0).expect("writes");
        remembered.note_at(peer(2), address(2), FORGET_AFTER_S - 1).expect("writes");
        assert_eq!(remembered.addresses().len(), 2);
        remembered.note_at(peer(2), address(2), FORGET_AFTER_S).expect("writes");
        assert_eq!(remembered.addresses(), [address(2)]);
    }

    #[test]
    fn damaged_and_oversized_files_are_empty_ones() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        for content in [b"{".to_vec(), b"{\"peers\":[{\"peer\":1}]}".to_vec(), vec![b' '; MAX_FILE as usize + 1]] {
            fs::write(folder.path().join("peers.json"), content).expect("writes");
            assert!(Remembered::load(&home).addresses().is_empty());
        }
        let mut remembered = Remembered::load(&home);
        remembered.note_at(peer(1), address(1), 1).expect("writes over it");
        assert_eq!(Remembered::load(&home).addresses(), [address(1)]);
    }

    #[test]
    fn two_processes_do_not_lose_each_others_entries() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        let (mut a, mut b) = (Remembered::load(&home), Remembered::load(&home));
        a.note_at(peer(1), address(1), 1).expect("writes");
        b.note_at(peer(2), address(2), 2).expect("writes");
        assert_eq!(Remembered::load(&home).addresses().len(), 2);
    }
}
