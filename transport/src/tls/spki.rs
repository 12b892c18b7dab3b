//! Ed25519 public keys as SubjectPublicKeyInfo (RFC 8410, section 4): one fixed prefix and the key.

use std::any::Any;

use moorline_proto::PeerId;
use rustls::pki_types::CertificateDer;

const PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

pub(super) fn encode(peer: &PeerId) -> [u8; 44] {
    let mut der = [0; 44];
    der[..12].copy_from_slice(&PREFIX);
    der[12..].copy_from_slice(peer.as_bytes());
    der
}

/// The key, if `der` is exactly an Ed25519 key: DER leaves no other way to write one.
pub(super) fn decode(der: &[u8]) -> Option<PeerId> {
    let key = der.strip_prefix(&PREFIX)?;
    Some(PeerId::from_bytes(key.try_into().ok()?))
}

/// Who the other end of a connection is, from what quinn keeps of the handshake.
pub(crate) fn peer_id_of(identity: Option<Box<dyn Any>>) -> Option<PeerId> {
    let chain = identity?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    match chain.as_slice() {
        [key] => decode(key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_the_round_trip_and_nothing_else_passes() {
        let peer = PeerId::from_bytes([9; 32]);
        let der = encode(&peer);
        assert_eq!(decode(&der), Some(peer));
        assert_eq!(decode(&der[..43]), None);
        assert_eq!(decode(&[&der[..], &[0]].concat()), None);
        let mut x25519 = der;
        x25519[8] = 0x6e;
        assert_eq!(decode(&x25519), None, "a key for another algorithm");
        assert_eq!(decode(&[]), None);
    }
}
