//! Names that are 32 bytes: peers, items, content.

mod base32;

use std::fmt;
use std::str::FromStr;

/// Text that is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseIdError {
    /// The text has another length than the one form that an identifier has.
    #[error("has {actual} characters, must have {expected}")]
    Length {
        /// How many characters the form has.
        expected: usize,
        /// How many bytes were given.
        actual: usize,
    },
    /// A character outside of the alphabet.
    #[error("has {found:?} at position {position}, which is not in the alphabet {alphabet}")]
    Character {
        /// Which character.
        found: char,
        /// Where, in bytes from 0.
        position: usize,
        /// What is allowed.
        alphabet: &'static str,
    },
    /// The last character carries bits that belong to no byte: the text was cut or mistyped.
    #[error("ends in bits that belong to no byte: probably cut off or mistyped")]
    TrailingBits,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Wraps the 32 bytes; any 32 bytes are an identifier, not all of them name something.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The first eight characters of the text form: enough for people to tell a handful apart, never a key.
            pub fn short(&self) -> String {
                base32::encode(&self.0).chars().take(8).collect()
            }
        }

        /// RFC 4648 base32 in lower case without padding: 52 characters.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&base32::encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        /// Reads the form that `Display` writes, in either case.
        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                base32::decode(text).map(Self)
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }
    };
}

id! {
    /// A peer: its Ed25519 public key (RFC 8032).
    PeerId
}

id! {
    /// An item: the hash of its manifest head, and through it of every byte in it.
    /// See [`ManifestHead::item_id`](crate::ManifestHead::item_id).
    ItemId
}

/// A BLAKE3 hash of 32 bytes; its text is the hexadecimal that `b3sum` prints.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Wraps 32 bytes that are a hash already.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// Reads 64 hexadecimal digits, in either case.
impl FromStr for Hash {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        if text.len() != 64 {
            return Err(ParseIdError::Length { expected: 64, actual: text.len() });
        }
        let mut bytes = [0; 32];
        for (position, found) in text.char_indices() {
            let digit = found.to_digit(16).ok_or(ParseIdError::Character { found, position, alphabet: "0-9a-f" })?;
            // All characters before this one were ASCII, so that `position` counts digits.
            bytes[position / 2] = bytes[position / 2] << 4 | digit as u8;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The test vectors of RFC 4648 are shorter than 32 bytes; this one was made with coreutils:
    /// `printf 'abcdefghijklmnopqrstuvwxyzABCDEF' | base32`.
    #[test]
    fn text_form_is_rfc_4648_base32() {
        let id = PeerId::from_bytes(*b"abcdefghijklmnopqrstuvwxyzABCDEF");
        assert_eq!(id.to_string(), "mfrggzdfmztwq2lknnwg23tpobyxe43uov3ho6dzpjaueq2eivda");
        assert_eq!(id.short(), "mfrggzdf");
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
    }

    #[test]
    fn hash_prints_as_b3sum_does() {
        let empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(Hash::of(b"").to_string(), empty);
        assert_eq!(empty.parse(), Ok(Hash::of(b"")));
    }

    #[test]
    fn wrong_text_is_refused() {
        let good = PeerId::from_bytes([7; 32]).to_string();
        assert!(matches!(good[1..].parse::<PeerId>(), Err(ParseIdError::Length { actual: 51, .. })));
        assert!(matches!("".parse::<PeerId>(), Err(ParseIdError::Length { .. })));
        let foreign = format!("{}1", &good[..51]);
        assert!(matches!(foreign.parse::<PeerId>(), Err(ParseIdError::Character { found: '1', .. })));
        let trailing = format!("{}b", &good[..51]);
        assert_eq!(trailing.parse::<PeerId>(), Err(ParseIdError::TrailingBits));
        let wide = "é".repeat(26);
        assert!(wide.parse::<PeerId>().is_err());
        assert!("é".repeat(32).parse::<Hash>().is_err());
        assert!("+".repeat(64).parse::<Hash>().is_err());
    }

    proptest! {
        #[test]
        fn text_round_trips(bytes: [u8; 32]) {
            let (peer, item, hash) = (PeerId(bytes), ItemId(bytes), Hash(bytes));
            prop_assert_eq!(peer.to_string().parse(), Ok(peer));
            prop_assert_eq!(item.to_string().parse(), Ok(item));
            prop_assert_eq!(hash.to_string().parse(), Ok(hash));
        }

        #[test]
        fn any_text_is_parsed_or_refused(text: String) {
            if let Ok(id) = text.parse::<PeerId>() {
                prop_assert_eq!(id.to_string(), text.to_lowercase());
            }
            let _ = text.parse::<Hash>();
        }
    }
}
