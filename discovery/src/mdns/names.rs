//! Instance and host names. No I/O.

use crate::{
    Announcement,
    announcement::{clean_name, cut},
};

/// Most bytes of one DNS label (RFC 1035 section 2.3.4).
const MAX_LABEL_BYTES: usize = 63;

/// A host name that no other host has, and none of our own other responders: two hosts with one name would merge their addresses.
pub(crate) fn host_name(random: u64) -> String {
    format!("moorline-{random:016x}.local.")
}

/// The instance name for a responder.
///
/// With a tag it is random. Else it is made of the name, for people who browse by other tools, and of a hash of id, interface
/// and `generation`, so that responders of one peer never collide, even where two interfaces lead to one network; and so that a
/// peer that crashed and came back takes its old name over instead of standing beside its own ghost.
///
/// In lower case: mdns-sd 0.21 looks up the second of the two announcements by the name as given in a map of lower-case names, and
/// does not send it where they differ (`exec_command_register_resend`). The proper name stands in the TXT record.
pub(crate) fn instance_name(announcement: &Announcement, interface: &str, generation: u32, random: u64) -> String {
    let public = announcement.public();
    let Some(id) = public.id else { return format!("{random:016x}") };
    let hash = fnv([id.as_bytes(), interface.as_bytes(), &generation.to_be_bytes()]);
    let name = public.name.as_deref().and_then(clean_name).unwrap_or_else(|| "moorline".to_owned()).to_lowercase();
    let suffix = format!(" {hash:08x}");
    format!("{}{suffix}", cut(&name, MAX_LABEL_BYTES - suffix.len()))
}

/// FNV-1a, each part ended by a byte that occurs in no UTF-8. The same on every machine and in every version; no security rests on it.
fn fnv<const N: usize>(parts: [&[u8]; N]) -> u32 {
    let bytes = parts.iter().flat_map(|part| part.iter().chain(&[0xff]));
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ann() -> Announcement {
        Announcement { id: Some("abc".into()), tag: None, name: Some("Ann's PC".into()), protocol: 1, port: 7400 }
    }

    #[test]
    fn a_name_is_the_same_again_and_another_elsewhere() {
        let name = instance_name(&ann(), "eth0", 0, 1);
        assert!(name.starts_with("ann's pc "), "{name}");
        assert_eq!(name, instance_name(&ann(), "eth0", 0, 2), "the same after a restart");
        assert_ne!(name, instance_name(&ann(), "eth1", 0, 1));
        assert_ne!(name, instance_name(&ann(), "eth0", 1, 1));
        assert_ne!(name, instance_name(&Announcement { id: Some("abd".into()), ..ann() }, "eth0", 0, 1));
    }

    #[test]
    fn with_a_tag_the_name_tells_nothing() {
        let own = Announcement { tag: Some("t0".into()), ..ann() };
        assert_eq!(instance_name(&own, "eth0", 0, 0x1234), "0000000000001234");
    }

    proptest! {
        #[test]
        fn any_name_makes_one_label(name: String) {
            let own = Announcement { name: Some(name), ..ann() };
            let instance = instance_name(&own, "eth0", 0, 0);
            prop_assert!((1..=MAX_LABEL_BYTES).contains(&instance.len()));
            // The property that the work-around rests on, as mdns-sd computes it.
            prop_assert_eq!(instance.to_lowercase(), instance);
        }
    }
}
