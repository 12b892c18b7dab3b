//! Encoding: server frames, and the WebSocket framing around them (RFC 6455, section 5.2).
//!
//! A delivery to a hundred participants is encoded once: a frame is its two numbers followed by the shared bytes of its body, which
//! protobuf reads the same as if it had been encoded in one piece. The WebSocket library's own writer would copy each frame twice and
//! keep, for as long as the connection lives, a buffer for the largest frame there ever was; so frames are put together here, in a
//! buffer that the connection gives back when it is idle.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use crate::wire::pb;

/// Fields of `ServerFrame` and `Welcome`, by the schema.
const SEQ: u32 = 1;
const ACK: u32 = 2;
const DELIVER: u32 = 6;
const WELCOME: u32 = 3;
const SNAPSHOT: u32 = 17;

const BINARY_FINAL: u8 = 0x82;
const CLOSE_FINAL: u8 = 0x88;

/// The body of a frame with this delivery, to be shared by all who get it.
pub(crate) fn deliver(event: pb::deliver::Event) -> Bytes {
    let deliver = pb::Deliver { event: Some(event) };
    let mut body = BytesMut::with_capacity(deliver.encoded_len() + 8);
    prost::encoding::message::encode(DELIVER, &deliver, &mut body);
    body.freeze()
}

/// The body of a frame with this Welcome; `snapshot` is an encoded `Snapshot`.
pub(crate) fn welcome(welcome: &pb::Welcome, snapshot: Option<&Bytes>) -> Bytes {
    let snapshot_len =
        snapshot.map_or(0, |bytes| key_len(SNAPSHOT) + encoded_len_varint(bytes.len() as u64) + bytes.len());
    let len = welcome.encoded_len() + snapshot_len;
    let mut body = BytesMut::with_capacity(len + 8);
    encode_key(WELCOME, WireType::LengthDelimited, &mut body);
    encode_varint(len as u64, &mut body);
    welcome.encode_raw(&mut body);
    if let Some(snapshot) = snapshot {
        encode_key(SNAPSHOT, WireType::LengthDelimited, &mut body);
        encode_varint(snapshot.len() as u64, &mut body);
        body.put_slice(snapshot);
    }
    body.freeze()
}

/// Appends a WebSocket message with a frame of these numbers and this encoded body.
pub(crate) fn put_frame(out: &mut Vec<u8>, seq: u64, ack: u64, body: &[u8]) {
    let number_len = |field, number| if number == 0 { 0 } else { key_len(field) + encoded_len_varint(number) };
    put_header(out, BINARY_FINAL, number_len(SEQ, seq) + number_len(ACK, ack) + body.len());
    for (field, number) in [(SEQ, seq), (ACK, ack)] {
        if number != 0 {
            encode_key(field, WireType::Varint, out);
            encode_varint(number, out);
        }
    }
    out.extend_from_slice(body);
}

/// Appends a WebSocket message with this frame, `seq` being 0.
pub(crate) fn put_body(out: &mut Vec<u8>, ack: u64, body: pb::server_frame::Body) {
    let frame = pb::ServerFrame { seq: 0, ack, body: Some(body) };
    put_header(out, BINARY_FINAL, frame.encoded_len());
    frame.encode_raw(out);
}

/// Appends a WebSocket close frame.
pub(crate) fn put_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    let reason = &reason.as_bytes()[..reason.floor_char_boundary(120)];
    put_header(out, CLOSE_FINAL, 2 + reason.len());
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason);
}

fn put_header(out: &mut Vec<u8>, first: u8, len: usize) {
    out.push(first);
    match len {
        0..=125 => out.push(len as u8),
        126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is inside of a WebSocket message that was put together here.
    fn payload(message: &[u8]) -> &[u8] {
        let (len, rest) = match message[1] {
            126 => (usize::from(u16::from_be_bytes([message[2], message[3]])), &message[4..]),
            127 => (u64::from_be_bytes(message[2..10].try_into().unwrap()) as usize, &message[10..]),
            len => (usize::from(len), &message[2..]),
        };
        assert_eq!(rest.len(), len);
        rest
    }

    proptest! {
        #[test]
        fn a_frame_of_shared_bytes_reads_as_one_in_one_piece(seq: u64, ack: u64, payload_len in 0usize..70_000) {
            let event = pb::deliver::Event::Message(pb::Message {
                from: 7, class: 1, payload: vec![9; payload_len].into(), topic: "t".into(), dedupe_id: seq,
            });
            let mut out = Vec::new();
            put_frame(&mut out, seq, ack, &deliver(event.clone()));
            let deliver = pb::Deliver { event: Some(event) };
            let plain = pb::ServerFrame { seq, ack, body: Some(pb::server_frame::Body::Deliver(deliver)) };
            prop_assert_eq!(payload(&out), &plain.encode_to_vec()[..]);
            prop_assert_eq!(pb::ServerFrame::decode(payload(&out)).unwrap(), plain);
        }
    }

    #[test]
    fn a_welcome_with_an_encoded_snapshot_reads_as_one_in_one_piece() {
        let snapshot = pb::Snapshot { participants: vec![pb::Participant { id: 5, ..Default::default() }] };
        let plain = pb::Welcome { node_id: "n".into(), proto_version: 1, participant_id: 5, ..Default::default() };
        let mut out = Vec::new();
        put_frame(&mut out, 0, 3, &welcome(&plain, Some(&snapshot.encode_to_vec().into())));
        let whole = pb::Welcome { snapshot: Some(snapshot), ..plain };
        let frame = pb::ServerFrame { seq: 0, ack: 3, body: Some(pb::server_frame::Body::Welcome(whole)) };
        assert_eq!(pb::ServerFrame::decode(payload(&out)).unwrap(), frame);
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        let mut out = Vec::new();
        put_close(&mut out, 4000, &"ä".repeat(100));
        assert_eq!(payload(&out).len(), 2 + 120);
        assert!(std::str::from_utf8(&payload(&out)[2..]).is_ok());
    }
}
