//! Inputs that no well-behaved driver or server would make.

use bytes::Bytes;
use moorline_signaling::machine::{CallRefusal, Input, Transport};
use moorline_signaling::{CallId, Epoch, ParticipantId};
use proptest::prelude::*;

use crate::wire::{self, Down, News, pb};

/// One such input. Epochs are relative to the newest one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RawInput {
    Connect,
    Opened(i8),
    Closed(i8, u16, bool),
    Error(i8),
    Text(i8),
    Bytes(i8, Vec<u8>),
    /// Boxed: most inputs are small.
    Frame(i8, Box<pb::ServerFrame>),
    Token(String),
    TokenFailed(bool),
    Creds(String),
    CredsFailed(bool),
    Tick,
    Resumed,
    CancelCall(u64),
    Reply(u64, u64, bool),
}

impl RawInput {
    /// The input, where `newest` is the newest epoch.
    pub(crate) fn resolve(&self, newest: Epoch) -> Input {
        let at = |offset: &i8| Epoch(newest.0.saturating_add_signed((*offset).into()));
        match self {
            Self::Connect => Input::Connect,
            Self::Opened(to) => Input::Transport(at(to), Transport::Opened),
            Self::Closed(to, code, clean) => Input::Transport(at(to), Transport::Closed { code: *code, clean: *clean }),
            Self::Error(to) => Input::Transport(at(to), Transport::Error("broken pipe".into())),
            Self::Text(to) => Input::Transport(at(to), Transport::Text),
            Self::Bytes(to, bytes) => Input::Transport(at(to), Transport::Frame(Bytes::copy_from_slice(bytes))),
            Self::Frame(to, frame) => Input::Transport(at(to), Transport::Frame(wire::encode(frame))),
            Self::Token(token) => Input::TokenReady(token.clone()),
            Self::TokenFailed(fatal) => Input::TokenFailed { reason: "none".into(), fatal: *fatal },
            Self::Creds(node) => Input::CredsReady { node: node.clone(), url: format!("ws://{node}") },
            Self::CredsFailed(fatal) => Input::CredsFailed { reason: "none".into(), fatal: *fatal },
            Self::Tick => Input::Tick,
            Self::Resumed => Input::SystemResumed,
            Self::CancelCall(id) => Input::CancelCall(CallId(*id)),
            Self::Reply(call, to, fine) => Input::Reply {
                call: CallId(*call),
                to: ParticipantId(*to),
                result: if *fine { Ok(Bytes::from_static(b"x")) } else { Err(CallRefusal::NoSuchMethod) },
            },
        }
    }
}

/// Any of them.
pub(crate) fn any_raw() -> impl Strategy<Value = RawInput> {
    let to = || prop_oneof![4 => Just(0i8), 2 => -3..=2i8];
    prop_oneof![
        1 => Just(RawInput::Connect),
        2 => to().prop_map(RawInput::Opened),
        2 => (to(), prop_oneof![Just(1000u16), Just(1006), Just(403), 4000..4400u16, any::<u16>()], any::<bool>())
            .prop_map(|(to, code, clean)| RawInput::Closed(to, code, clean)),
        1 => to().prop_map(RawInput::Error),
        1 => to().prop_map(RawInput::Text),
        3 => (to(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(to, bytes)| RawInput::Bytes(to, bytes)),
        8 => (to(), any_frame()).prop_map(|(to, frame)| RawInput::Frame(to, Box::new(frame))),
        1 => prop_oneof![Just(String::new()), Just("token-1".to_owned()), "[a-z]{0,8}"].prop_map(RawInput::Token),
        1 => prop::bool::weighted(0.1).prop_map(RawInput::TokenFailed),
        1 => "[a-d]".prop_map(RawInput::Creds),
        1 => prop::bool::weighted(0.1).prop_map(RawInput::CredsFailed),
        1 => Just(RawInput::Tick),
        1 => Just(RawInput::Resumed),
        1 => (0..9u64).prop_map(RawInput::CancelCall),
        1 => (0..9u64, 0..9u64, any::<bool>()).prop_map(|(call, to, fine)| RawInput::Reply(call, to, fine)),
    ]
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![6 => 0..6u64, 2 => 0..200u64, 1 => any::<u64>()]
}

fn millis() -> impl Strategy<Value = u32> {
    prop_oneof![2 => Just(0u32), 6 => 0..20_000u32, 1 => any::<u32>()]
}

fn id() -> impl Strategy<Value = Bytes> {
    prop_oneof![4 => (0..4u8).prop_map(|b| vec![b; 16]), 1 => prop::collection::vec(any::<u8>(), 0..20)]
        .prop_map(Bytes::from)
}

fn code() -> impl Strategy<Value = i32> {
    prop_oneof![8 => 0..14i32, 1 => any::<i32>()]
}

fn any_frame() -> impl Strategy<Value = pb::ServerFrame> {
    (number(), number(), prop::option::weighted(0.97, any_body())).prop_map(|(seq, ack, body)| pb::ServerFrame {
        seq,
        ack,
        body,
    })
}

fn any_body() -> impl Strategy<Value = Down> {
    prop_oneof![
        4 => any_welcome().prop_map(Down::Welcome),
        6 => sound_welcome().prop_map(Down::Welcome),
        1 => (code(), code()).prop_map(|(reason, hint_plan)| Down::ResumeReject(pb::ResumeReject { reason, hint_plan })),
        6 => number().prop_map(|upto| Down::ReplayEnd(pb::ReplayEnd { upto })),
        4 => any_news().prop_map(|event| Down::Deliver(pb::Deliver { event: Some(event) })),
        1 => number().prop_map(|nonce| Down::Ping(pb::Ping { nonce })),
        1 => (number(), millis())
            .prop_map(|(nonce, reconnect_spread_ms)| Down::Pong(pb::Pong { nonce, reconnect_spread_ms })),
        1 => Just(Down::AckOnly(pb::AckOnly {})),
        1 => (millis(), millis(), "[a-d]?").prop_map(|(deadline_ms, spread_ms, target_node)| {
            Down::GoAway(pb::GoAway { reason: String::new(), deadline_ms, spread_ms, target_node })
        }),
        1 => id().prop_map(|from_session| Down::MigrateDone(pb::MigrateDone { from_session })),
        1 => (code(), code(), millis(), millis()).prop_map(|(code, action, retry_after_ms, spread_ms)| {
            Down::Fault(pb::Fault { code, action, retry_after_ms, spread_ms, message: String::new() })
        }),
        1 => number().prop_map(|in_ms| Down::TokenExpiring(pb::TokenExpiring { in_ms })),
        1 => code().prop_map(|reason| Down::SessionEnded(pb::SessionEnded { reason })),
    ]
}

prop_compose! {
    fn any_welcome()(
        ids in (id(), id(), id(), prop::option::of(number())),
        flags in (any::<bool>(), any::<bool>(), any::<bool>()),
        counts in (number(), number(), number(), 0..3u32),
        times in (millis(), millis(), millis(), millis(), millis()),
        bounds in (millis(), millis(), number()),
    ) -> pb::Welcome {
        let (session_id, resume_token, log_id, head) = ids;
        let (resumed, lineage_known, whole) = flags;
        let me = pb::Participant { id: counts.1, ..pb::Participant::default() };
        pb::Welcome {
            session_id,
            node_id: "a".to_owned(),
            resumed,
            resume_token,
            head: head.map(|seq| pb::StreamPos { log_id, seq }),
            client_seq_seen: counts.0,
            lineage_known,
            rejections: vec![pb::Rejected { client_seq: counts.2, code: 1, message: String::new() }],
            heartbeat_interval_ms: times.0,
            heartbeat_timeout_ms: times.1,
            reconnect_spread_ms: times.2,
            resume_window_ms: times.3,
            replay_capacity: bounds.0,
            max_inflight: bounds.1,
            token_ttl_ms: bounds.2,
            fence: counts.2,
            snapshot: whole.then(|| pb::Snapshot { participants: vec![me] }),
            proto_version: counts.3,
            participant_id: counts.1,
            grants: None,
            migrate_timeout_ms: times.4,
        }
    }
}

/// One that a client can take for good.
fn sound_welcome() -> impl Strategy<Value = pb::Welcome> {
    (any_welcome(), any::<bool>(), 1..3u8).prop_map(|(mut welcome, resumed, n)| {
        let id = Bytes::from(vec![n; 16]);
        welcome.session_id = id.clone();
        welcome.resume_token = id.clone();
        welcome.head = Some(pb::StreamPos { log_id: id, seq: 0 });
        welcome.resumed = resumed;
        welcome.participant_id = 1;
        welcome.proto_version = 1;
        welcome.snapshot = (!resumed).then(|| {
            let me = pb::Participant { id: 1, ..pb::Participant::default() };
            pb::Snapshot { participants: vec![me] }
        });
        welcome
    })
}

fn any_news() -> impl Strategy<Value = News> {
    prop_oneof![
        (number(), number(), id()).prop_map(|(from, dedupe_id, payload)| {
            News::Message(pb::Message { from, class: 1, payload, topic: String::new(), dedupe_id })
        }),
        number().prop_map(|id| News::ParticipantJoined(pb::Participant { id, ..pb::Participant::default() })),
        number().prop_map(|id| News::ParticipantUpdated(pb::Participant { id, ..pb::Participant::default() })),
        (number(), code()).prop_map(|(id, reason)| News::ParticipantLeft(pb::ParticipantLeft { id, reason })),
        (number(), number(), id()).prop_map(|(from, rev, payload)| {
            News::StateChanged(pb::StateChanged { from, entry: Some(pb::StateEntry { key: "k".into(), rev, payload }) })
        }),
        (number(), number(), millis()).prop_map(|(call_id, from, timeout_ms)| {
            News::CallRequest(pb::CallRequest { call_id, from, method: "m".into(), payload: Bytes::new(), timeout_ms })
        }),
        (number(), number(), code()).prop_map(|(call_id, from, status)| {
            News::CallReply(pb::CallReply { call_id, from, status, payload: Bytes::new() })
        }),
        (number(), code()).prop_map(|(client_seq, code)| News::Rejected(pb::Rejected {
            client_seq,
            code,
            message: String::new()
        })),
    ]
}
