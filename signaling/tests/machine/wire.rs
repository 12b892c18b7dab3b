//! Frames as tests see them: short names, builders, and the mark that tells one send from another.

use bytes::Bytes;
use moorline_signaling::SendId;
use prost::Message as _;

pub(crate) use moorline_proto::wire::signal as pb;
pub(crate) use pb::client_frame::Body as Up;
pub(crate) use pb::deliver::Event as News;
pub(crate) use pb::server_frame::Body as Down;

/// What a client wrote; `None` if it is no frame.
pub(crate) fn client(frame: &Bytes) -> Option<pb::ClientFrame> {
    pb::ClientFrame::decode(frame.clone()).ok()
}

/// What a server wrote; `None` if it is no frame.
pub(crate) fn server(frame: &Bytes) -> Option<pb::ServerFrame> {
    pb::ServerFrame::decode(frame.clone()).ok()
}

/// A frame of a server, as bytes.
pub(crate) fn encode(frame: &pb::ServerFrame) -> Bytes {
    frame.encode_to_vec().into()
}

/// A frame of a server that counts in no log.
pub(crate) fn down(ack: u64, body: Down) -> pb::ServerFrame {
    pb::ServerFrame { seq: 0, ack, body: Some(body) }
}

/// A payload of at least eight bytes that names its send.
pub(crate) fn marked(id: SendId, len: usize) -> Bytes {
    let mut payload = id.0.to_be_bytes().to_vec();
    payload.resize(len.max(8), 0x5a);
    payload.into()
}

/// The send that a payload names.
pub(crate) fn mark(payload: &[u8]) -> Option<SendId> {
    Some(SendId(u64::from_be_bytes(*payload.first_chunk()?)))
}

/// The send that a body carries, if it carries one.
pub(crate) fn send_of(body: &Up) -> Option<SendId> {
    match body {
        Up::Publish(publish) => mark(&publish.payload),
        Up::StateUpdate(update) => mark(&update.payload),
        Up::ParticipantUpdate(update) => update.metadata.as_ref()?.parse().ok().map(SendId),
        _ => None,
    }
}

/// Whether a body counts in the client's sequence.
pub(crate) fn is_reliable(body: &Up) -> bool {
    match body {
        Up::Publish(publish) => publish.class() == pb::SendClass::Reliable,
        Up::StateUpdate(_) | Up::ParticipantUpdate(_) | Up::Call(_) | Up::Reply(_) => true,
        _ => false,
    }
}

/// A body in a few words.
pub(crate) fn up_words(frame: &pb::ClientFrame) -> String {
    let head = head(frame.seq, frame.ack);
    match &frame.body {
        Some(Up::Hello(hello)) => {
            let recovery = hello.recovery.as_ref().map_or_else(
                || "first".to_owned(),
                |r| {
                    let plan = format!("{:?}", r.plan()).to_lowercase();
                    let away = if r.excluded_nodes.is_empty() {
                        String::new()
                    } else {
                        format!(", not {}", r.excluded_nodes.join(" "))
                    };
                    format!("{plan}, attempt {}, unacked from {}{away}", r.attempt, r.first_unacked)
                },
            );
            format!("hello{head} ({recovery})")
        }
        Some(Up::Publish(publish)) => {
            let class = format!("{:?}", publish.class()).to_lowercase();
            format!("publish{head} {class} {}", mark(&publish.payload).unwrap_or_default())
        }
        Some(Up::StateUpdate(update)) => format!("state{head} {} rev {}", update.key, update.rev),
        Some(Up::ParticipantUpdate(_)) => format!("update{head}"),
        Some(Up::Call(call)) => format!("call{head} {}", call.call_id),
        Some(Up::Reply(reply)) => format!("reply{head} {}", reply.call_id),
        Some(Up::Ping(_)) => format!("ping{head}"),
        Some(Up::Pong(_)) => format!("pong{head}"),
        Some(Up::AckOnly(_)) => format!("ack{head}"),
        Some(Up::TokenUpdate(_)) => format!("token{head}"),
        Some(Up::Leave(_)) => format!("leave{head}"),
        None => format!("nothing{head}"),
    }
}

/// As [`up_words`], for a frame of a server.
pub(crate) fn down_words(frame: &pb::ServerFrame) -> String {
    let head = head(frame.seq, frame.ack);
    match &frame.body {
        Some(Down::Welcome(welcome)) => format!(
            "welcome{head} to {} ({}, seen {}, {})",
            welcome.node_id,
            if welcome.resumed { "resumed" } else { "new" },
            welcome.client_seq_seen,
            if welcome.lineage_known { "known" } else { "unknown" },
        ),
        Some(Down::ResumeReject(reject)) => format!("resume-reject{head} {:?}", reject.reason()),
        Some(Down::ReplayEnd(end)) => format!("replay-end{head} upto {}", end.upto),
        Some(Down::Deliver(deliver)) => format!("deliver{head} {}", news_words(deliver)),
        Some(Down::Ping(_)) => format!("ping{head}"),
        Some(Down::Pong(_)) => format!("pong{head}"),
        Some(Down::AckOnly(_)) => format!("ack{head}"),
        Some(Down::GoAway(away)) => {
            format!("go-away{head} by {} ms, spread {} ms", away.deadline_ms, away.spread_ms)
        }
        Some(Down::MigrateDone(_)) => format!("migrate-done{head}"),
        Some(Down::Fault(fault)) => {
            format!("fault{head} {:?}/{:?} after {} ms", fault.code(), fault.action(), fault.retry_after_ms)
        }
        Some(Down::TokenExpiring(token)) => format!("token-expiring{head} in {} ms", token.in_ms),
        Some(Down::SessionEnded(ended)) => format!("session-ended{head} {:?}", ended.reason()),
        None => format!("nothing{head}"),
    }
}

fn news_words(deliver: &pb::Deliver) -> String {
    match &deliver.event {
        Some(News::Message(message)) => format!("message {}", message.dedupe_id),
        Some(News::ParticipantJoined(who)) => format!("joined {}", who.id),
        Some(News::ParticipantUpdated(who)) => format!("updated {}", who.id),
        Some(News::ParticipantLeft(who)) => format!("left {}", who.id),
        Some(News::StateChanged(change)) => format!("state of {}", change.from),
        Some(News::CallRequest(call)) => format!("call request {}", call.call_id),
        Some(News::CallReply(call)) => format!("call reply {}", call.call_id),
        Some(News::Rejected(rejected)) => format!("rejected {}", rejected.client_seq),
        None => "nothing".to_owned(),
    }
}

fn head(seq: u64, ack: u64) -> String {
    match (seq, ack) {
        (0, 0) => String::new(),
        (0, ack) => format!(" ^{ack}"),
        (seq, 0) => format!(" #{seq}"),
        (seq, ack) => format!(" #{seq}^{ack}"),
    }
}
