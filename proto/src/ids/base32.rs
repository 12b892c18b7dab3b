//! RFC 4648 base32 for exactly 32 bytes: lower case, no padding, 52 characters. One text for each value.

use super::ParseIdError;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const TEXT_LEN: usize = 52;

pub(super) fn encode(bytes: &[u8; 32]) -> String {
    let mut text = String::with_capacity(TEXT_LEN);
    let (mut bits, mut held) = (0u16, 0);
    for byte in bytes {
        bits = bits << 8 | u16::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(symbol(bits >> held));
        }
    }
    text.push(symbol(bits << (5 - held))); // 256 bits are 51 symbols and one bit
    text
}

pub(super) fn decode(text: &str) -> Result<[u8; 32], ParseIdError> {
    if text.len() != TEXT_LEN {
        return Err(ParseIdError::Length { expected: TEXT_LEN, actual: text.len() });
    }
    let mut bytes = [0; 32];
    let (mut bits, mut held, mut filled) = (0u16, 0, 0);
    for (position, found) in text.char_indices() {
        let value = value(found).ok_or(ParseIdError::Character { found, position, alphabet: "a-z2-7" })?;
        bits = bits << 5 | value;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes[filled] = (bits >> held) as u8;
            filled += 1;
        }
    }
    if bits & 0b1111 != 0 {
        return Err(ParseIdError::TrailingBits);
    }
    Ok(bytes)
}

fn symbol(bits: u16) -> char {
    char::from(ALPHABET[usize::from(bits & 0b1_1111)])
}

fn value(symbol: char) -> Option<u16> {
    match symbol.to_ascii_lowercase() {
        c @ 'a'..='z' => Some(c as u16 - 'a' as u16),
        c @ '2'..='7' => Some(c as u16 - '2' as u16 + 26),
        _ => None,
    }
}
