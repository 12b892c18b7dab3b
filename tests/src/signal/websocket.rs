//! Reads WebSocket frames (RFC 6455) off a recorded connection, so that what one side said can be shown to somebody else.

/// The content of one frame. Both of our sides put each message into one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// 1 is text, 2 is binary, 8 a close, 9 a ping, 10 a pong.
    pub opcode: u8,
    /// Unmasked.
    pub payload: Vec<u8>,
}

/// The frames in one direction of a connection, after its HTTP head. One that was cut off at the end is left out.
#[must_use]
pub fn messages(recorded: &[u8]) -> Vec<Message> {
    let Some(head) = recorded.windows(4).position(|four| four == b"\r\n\r\n") else { return Vec::new() };
    let mut rest = &recorded[head + 4..];
    std::iter::from_fn(|| next(&mut rest)).collect()
}

fn next(rest: &mut &[u8]) -> Option<Message> {
    let [first, second] = *take(rest, 2)? else { return None };
    let len = match second & 0x7f {
        126 => usize::from(u16::from_be_bytes(take(rest, 2)?.try_into().ok()?)),
        127 => usize::try_from(u64::from_be_bytes(take(rest, 8)?.try_into().ok()?)).ok()?,
        short => usize::from(short),
    };
    let mask: [u8; 4] = if second & 0x80 == 0 { [0; 4] } else { take(rest, 4)?.try_into().ok()? };
    let payload = take(rest, len)?.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    Some(Message { opcode: first & 0x0f, payload })
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(len)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 6455, section 5.7.
    #[test]
    fn frames_are_read_as_the_standard_shows_them() {
        let mut recorded = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
        recorded.extend([0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
        recorded.extend([0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
        recorded.extend([0x82, 0x7e, 0x01, 0x00]);
        recorded.extend([7; 256]);
        recorded.extend([0x82, 0x02, 0x00]);
        let expected = [(1, b"Hello".to_vec()), (9, b"Hello".to_vec()), (2, vec![7; 256])];
        assert_eq!(messages(&recorded), expected.map(|(opcode, payload)| Message { opcode, payload }));
    }
}
