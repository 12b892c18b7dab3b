//! The frames of the room protocol do not change by accident, and no bytes make their decoder panic. Implementations in other
//! languages test against the snapshot.

mod frames;

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};

use moorline_proto::wire::signal::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use prost::Message as _;

use frames::{from_clients, from_servers};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a vector down, and holds it to the way back.
#[track_caller]
fn write_vector<F: prost::Message + Default + Debug + PartialEq>(vectors: &mut String, name: &str, frame: &F) {
    let bytes = frame.encode_to_vec();
    assert_eq!(bytes.len(), frame.encoded_len());
    let back = F::decode(bytes.as_slice()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(&back, frame, "{name} comes back as it was");
    writeln!(vectors, "{name}\n  value {frame:?}\n  frame {}", hex(&bytes)).unwrap();
}

#[test]
fn every_frame_of_a_client() {
    let mut vectors = String::new();
    for (name, frame) in from_clients() {
        write_vector(&mut vectors, name, &frame);
    }
    insta::assert_snapshot!("client", vectors);
}

#[test]
fn every_frame_of_a_server() {
    let mut vectors = String::new();
    for (name, frame) in from_servers() {
        write_vector(&mut vectors, name, &frame);
    }
    insta::assert_snapshot!("server", vectors);
}

/// The numbers are what other implementations have in their tables.
#[test]
fn every_word_has_its_number() {
    let mut words = String::new();
    macro_rules! numbers {
        ($($name:ident)*) => {$(
            let known = (-1..100).filter_map(|number| Some((number, $name::try_from(number).ok()?)));
            for (number, value) in known {
                writeln!(words, "{} {number} {}", stringify!($name), value.as_str_name()).unwrap();
            }
        )*};
    }
    numbers!(Plan SendClass CallStatus RejectReason LeftReason RejectCode FaultCode FaultAction EndReason);
    insta::assert_snapshot!("words", words);
}

/// A body that is added to the schema stops this from compiling, and then wants a vector.
#[test]
fn no_body_is_without_a_vector() {
    use client_frame::Body as Client;
    use deliver::Event;
    use server_frame::Body as Server;
    let of_client = |frame: ClientFrame| match frame.body.unwrap() {
        Client::Hello(_) => 3,
        Client::Ping(_) => 4,
        Client::Pong(_) => 5,
        Client::AckOnly(_) => 6,
        Client::Publish(_) => 7,
        Client::StateUpdate(_) => 8,
        Client::ParticipantUpdate(_) => 9,
        Client::Call(_) => 10,
        Client::Reply(_) => 11,
        Client::TokenUpdate(_) => 12,
        Client::Leave(_) => 13,
    };
    let of_server = |frame: &ServerFrame| match frame.body.as_ref().unwrap() {
        Server::Welcome(_) => 3,
        Server::ResumeReject(_) => 4,
        Server::ReplayEnd(_) => 5,
        Server::Deliver(_) => 6,
        Server::Ping(_) => 7,
        Server::Pong(_) => 8,
        Server::AckOnly(_) => 9,
        Server::GoAway(_) => 10,
        Server::MigrateDone(_) => 11,
        Server::Fault(_) => 12,
        Server::TokenExpiring(_) => 13,
        Server::SessionEnded(_) => 14,
    };
    let of_event = |event: Event| match event {
        Event::Message(_) => 1,
        Event::ParticipantJoined(_) => 2,
        Event::ParticipantUpdated(_) => 3,
        Event::ParticipantLeft(_) => 4,
        Event::StateChanged(_) => 5,
        Event::CallRequest(_) => 6,
        Event::CallReply(_) => 7,
        Event::Rejected(_) => 8,
    };
    let events = from_servers().into_iter().filter_map(|(_, frame)| match frame.body {
        Some(Server::Deliver(delivery)) => delivery.event,
        _ => None,
    });
    assert_eq!(
        from_clients().into_iter().map(|(_, frame)| of_client(frame)).collect::<BTreeSet<_>>(),
        (3..=13).collect()
    );
    assert_eq!(from_servers().iter().map(|(_, frame)| of_server(frame)).collect::<BTreeSet<_>>(), (3..=14).collect());
    assert_eq!(events.map(of_event).collect::<BTreeSet<_>>(), (1..=8).collect());
}

/// So that the protocol can grow: a reader of today skips what was added tomorrow, in a frame and in what it holds.
#[test]
fn fields_of_tomorrow_are_skipped() {
    // Field 31, a text; field 2047, a number.
    let later = [&[0xfa, 0x01, 0x03][..], b"new", &[0xf8, 0x7f, 0x01]].concat();
    for (name, frame) in from_clients() {
        let bytes = [frame.encode_to_vec(), later.clone()].concat();
        assert_eq!(ClientFrame::decode(bytes.as_slice()).as_ref(), Ok(&frame), "{name}");
    }
    for (name, frame) in from_servers() {
        let bytes = [frame.encode_to_vec(), later.clone()].concat();
        assert_eq!(ServerFrame::decode(bytes.as_slice()).as_ref(), Ok(&frame), "{name}");
    }
    let ping = [&[0x22, u8::try_from(later.len() + 2).unwrap(), 0x08, 0x07][..], &later].concat();
    let decoded = ClientFrame::decode(ping.as_slice()).unwrap();
    assert_eq!(decoded.body, Some(client_frame::Body::Ping(Ping { nonce: 7 })));
}

/// A word of tomorrow is no error of the frame: the reader sees the number, and decides.
#[test]
fn words_of_tomorrow_are_numbers() {
    let fault = Fault { code: 4000, action: 77, ..Fault::default() };
    let frame = ServerFrame { seq: 0, ack: 0, body: Some(server_frame::Body::Fault(fault.clone())) };
    let back = ServerFrame::decode(frame.encode_to_vec().as_slice()).unwrap();
    assert_eq!(back.body, Some(server_frame::Body::Fault(fault)));
    assert!(FaultAction::try_from(77).is_err());
}

/// Reads bytes as both sides do. What was understood can be said again, and means the same.
fn decode_as_both(bytes: &[u8]) {
    if let Ok(frame) = ClientFrame::decode(bytes) {
        assert_eq!(ClientFrame::decode(frame.encode_to_vec().as_slice()), Ok(frame));
    }
    if let Ok(frame) = ServerFrame::decode(bytes) {
        assert_eq!(ServerFrame::decode(frame.encode_to_vec().as_slice()), Ok(frame));
    }
}

proptest! {
    #[test]
    fn random_bytes_are_a_frame_or_an_error(bytes in vec(any::<u8>(), 0..600)) {
        decode_as_both(&bytes);
    }

    /// Bytes that are keys and lengths more often than chance would have it.
    #[test]
    fn bytes_that_look_like_fields_are_a_frame_or_an_error(bytes in vec(prop_oneof![0u8..128, any::<u8>()], 0..200)) {
        decode_as_both(&bytes);
    }

    #[test]
    fn damaged_frames_are_a_frame_or_an_error(which: Index, flips in vec((any::<Index>(), 0u8..8), 0..4), cut: Index) {
        let mut frames: Vec<Vec<u8>> = from_clients().iter().map(|(_, frame)| frame.encode_to_vec()).collect();
        frames.extend(from_servers().iter().map(|(_, frame)| frame.encode_to_vec()));
        let mut bytes = frames.swap_remove(which.index(frames.len()));
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        decode_as_both(&bytes);
        bytes.truncate(cut.index(bytes.len() + 1));
        decode_as_both(&bytes);
    }
}
