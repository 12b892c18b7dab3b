//! A frame of every kind, with every field set to something, and some with nothing set.

use std::collections::BTreeMap;

use bytes::Bytes;
use client_frame::Body as Client;
use deliver::Event;
use moorline_proto::wire::signal::*;
use server_frame::Body as Server;

fn id(byte: u8) -> Bytes {
    vec![byte; 16].into()
}

fn attributes() -> BTreeMap<String, String> {
    [("colour", "blau-grün"), ("role", "")].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn state(rev: u64, payload: &'static [u8]) -> StateEntry {
    StateEntry { key: "camera".into(), rev, payload: Bytes::from_static(payload) }
}

fn participant() -> Participant {
    Participant {
        id: u64::MAX,
        identity: "ada".into(),
        name: "Ada Lovelace ☕".into(),
        metadata: "{\"seat\":7}".into(),
        attributes: attributes(),
        states: vec![state(3, b"on"), StateEntry::default()],
    }
}

fn rejected(code: RejectCode) -> Rejected {
    Rejected { client_seq: 41, code: code.into(), message: "the token does not allow it".into() }
}

fn position() -> StreamPos {
    StreamPos { log_id: id(0x33), seq: 300 }
}

/// What clients say.
pub(super) fn from_clients() -> Vec<(&'static str, ClientFrame)> {
    let frame = |seq, ack, body| ClientFrame { seq, ack, body: Some(body) };
    let info = ClientInfo {
        name: "Ada Lovelace ☕".into(),
        identity: "ada".into(),
        agent: "moorline/0.1.0".into(),
        metadata: "{\"seat\":7}".into(),
        attributes: attributes(),
    };
    let recovery = RecoveryInfo {
        plan: Plan::Fast.into(),
        attempt: 2,
        cause: "the connection was reset".into(),
        previous_session_id: id(0x22),
        from_node: "node-a".into(),
        excluded_nodes: vec!["node-b".into(), "node-c".into()],
        resume_token: Bytes::from_static(b"resume"),
        last_seen: Some(position()),
        first_unacked: 40,
        downtime_ms: 1250,
    };
    let first = Hello {
        proto_versions: vec![1],
        lineage_id: id(0x11),
        room: "harbour".into(),
        client_info: Some(info),
        ..Hello::default()
    };
    let again = Hello {
        proto_versions: vec![1, 300],
        auth_token: "e30.e30.c2ln".into(),
        session_id: id(0x22),
        caps: vec!["future".into()],
        recovery: Some(recovery),
        digest: Some(StateDigest { announced: vec![state(3, b"")] }),
        ..first.clone()
    };
    let publish = |class: SendClass| Publish {
        dedupe_id: 9,
        class: class.into(),
        payload: Bytes::from_static(b"hello \xff"),
        topic: "chat".into(),
        to: vec![1, 128, u64::MAX],
    };
    let update =
        ParticipantUpdate { name: Some("Ada".into()), metadata: Some(String::new()), attributes: attributes() };
    let call =
        Call { call_id: 5, to: 77, method: "echo".into(), payload: Bytes::from_static(b"?"), timeout_ms: 10_000 };
    let reply = Reply { call_id: 5, to: 77, status: CallStatus::CallOk.into(), payload: Bytes::from_static(b"!") };
    vec![
        ("Hello, first", frame(0, 0, Client::Hello(first))),
        ("Hello, again", frame(0, 0, Client::Hello(again))),
        ("Ping", frame(0, 300, Client::Ping(Ping { nonce: 0x0102_0304_0506_0708 }))),
        ("Pong", frame(0, 300, Client::Pong(Pong { nonce: 1, reconnect_spread_ms: 0 }))),
        ("AckOnly", frame(0, 300, Client::AckOnly(AckOnly {}))),
        ("Publish, reliable", frame(41, 300, Client::Publish(publish(SendClass::Reliable)))),
        ("Publish, ephemeral", frame(0, 300, Client::Publish(publish(SendClass::Ephemeral)))),
        ("Publish, bound to its epoch", frame(0, 0, Client::Publish(publish(SendClass::EpochBound)))),
        ("Publish, of nothing", frame(1, 0, Client::Publish(Publish::default()))),
        (
            "StateUpdate",
            frame(42, 0, Client::StateUpdate(StateUpdate { key: "camera".into(), rev: 3, payload: b"on"[..].into() })),
        ),
        ("ParticipantUpdate", frame(43, 0, Client::ParticipantUpdate(update))),
        ("ParticipantUpdate, of nothing", frame(43, 0, Client::ParticipantUpdate(ParticipantUpdate::default()))),
        ("Call", frame(44, 0, Client::Call(call))),
        ("Reply", frame(45, 0, Client::Reply(reply))),
        ("TokenUpdate", frame(0, 0, Client::TokenUpdate(TokenUpdate { auth_token: "e30.e30.c2ln".into() }))),
        ("Leave", frame(0, u64::MAX, Client::Leave(Leave { reason: "good night".into() }))),
    ]
}

/// What servers say.
pub(super) fn from_servers() -> Vec<(&'static str, ServerFrame)> {
    let frame = |seq, ack, body| ServerFrame { seq, ack, body: Some(body) };
    let deliver = |seq, event| frame(seq, 41, Server::Deliver(Deliver { event: Some(event) }));
    let welcome = Welcome {
        session_id: id(0x22),
        node_id: "node-a".into(),
        resumed: false,
        resume_token: Bytes::from_static(b"resume"),
        head: Some(position()),
        client_seq_seen: 39,
        lineage_known: true,
        rejections: vec![rejected(RejectCode::NotAllowed)],
        heartbeat_interval_ms: 5000,
        heartbeat_timeout_ms: 12_000,
        reconnect_spread_ms: 10,
        resume_window_ms: 10_000,
        replay_capacity: 1024,
        max_inflight: 256,
        token_ttl_ms: 3_600_000,
        fence: 4,
        snapshot: Some(Snapshot { participants: vec![participant(), Participant::default()] }),
        proto_version: 1,
        participant_id: 7,
        grants: Some(Grants { publish: true, call: false, update_self: true }),
        migrate_timeout_ms: 7000,
    };
    let resumed = Welcome { resumed: true, snapshot: None, rejections: vec![], ..welcome.clone() };
    let message = Message {
        from: 7,
        class: SendClass::Reliable.into(),
        payload: Bytes::from_static(b"hello \xff"),
        topic: "chat".into(),
        dedupe_id: 9,
    };
    let request = CallRequest {
        call_id: 5,
        from: 7,
        method: "echo".into(),
        payload: Bytes::from_static(b"?"),
        timeout_ms: 10_000,
    };
    let reply =
        CallReply { call_id: 5, from: 7, status: CallStatus::CallFailed.into(), payload: Bytes::from_static(b"no") };
    let go_away = GoAway {
        reason: "the harbour closes".into(),
        deadline_ms: 5000,
        spread_ms: 1000,
        target_node: "node-b".into(),
    };
    let fault = Fault {
        code: FaultCode::RateLimited.into(),
        action: FaultAction::Retry.into(),
        retry_after_ms: 200,
        spread_ms: 800,
        message: "too many arrivals".into(),
    };
    let reject = ResumeReject { reason: RejectReason::Gap.into(), hint_plan: Plan::Rejoin.into() };
    let left = ParticipantLeft { id: 7, reason: LeftReason::TimedOut.into() };
    vec![
        ("Welcome", frame(0, 0, Server::Welcome(welcome))),
        ("Welcome, back", frame(0, 0, Server::Welcome(resumed))),
        ("Welcome, of nothing", frame(0, 0, Server::Welcome(Welcome::default()))),
        ("ResumeReject", frame(0, 0, Server::ResumeReject(reject))),
        ("ReplayEnd", frame(0, 41, Server::ReplayEnd(ReplayEnd { upto: 300 }))),
        ("Deliver, Message", deliver(301, Event::Message(message.clone()))),
        (
            "Deliver, ephemeral Message",
            deliver(0, Event::Message(Message { class: SendClass::Ephemeral.into(), ..message })),
        ),
        ("Deliver, ParticipantJoined", deliver(302, Event::ParticipantJoined(participant()))),
        (
            "Deliver, ParticipantUpdated",
            deliver(303, Event::ParticipantUpdated(Participant { states: vec![], ..participant() })),
        ),
        ("Deliver, ParticipantLeft", deliver(304, Event::ParticipantLeft(left))),
        (
            "Deliver, StateChanged",
            deliver(305, Event::StateChanged(StateChanged { from: 7, entry: Some(state(4, b"")) })),
        ),
        ("Deliver, CallRequest", deliver(306, Event::CallRequest(request))),
        ("Deliver, CallReply", deliver(307, Event::CallReply(reply))),
        ("Deliver, Rejected", deliver(308, Event::Rejected(rejected(RejectCode::OverLimit)))),
        ("Ping", frame(0, 41, Server::Ping(Ping { nonce: 1 }))),
        ("Pong", frame(0, 41, Server::Pong(Pong { nonce: u64::MAX, reconnect_spread_ms: 10_000 }))),
        ("AckOnly", frame(0, 41, Server::AckOnly(AckOnly {}))),
        ("GoAway", frame(0, 41, Server::GoAway(go_away))),
        ("MigrateDone", frame(0, 41, Server::MigrateDone(MigrateDone { from_session: id(0x22) }))),
        ("Fault", frame(0, 0, Server::Fault(fault))),
        ("TokenExpiring", frame(0, 41, Server::TokenExpiring(TokenExpiring { in_ms: 720_000 }))),
        (
            "SessionEnded",
            frame(0, 41, Server::SessionEnded(SessionEnded { reason: EndReason::IdentityReplaced.into() })),
        ),
    ]
}
