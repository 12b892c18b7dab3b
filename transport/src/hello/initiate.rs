//! The side that dialled.

use moorline_proto::limits::{MAX_AGENT, MAX_MESSAGE, MAX_NAME};
use moorline_proto::{
    Admission, DecodeError, ErrorCode, Hello, HelloAnswer, HelloReply, Introduce, PeerId, Refusal, Welcome,
};

use super::{clean_capabilities, exporter, lost_dial, own_capabilities, reply_without_proof};
use crate::exchange::ResetOnDrop;
use crate::frame_io::{FrameReader, Patience, write_frame};
use crate::pake::{Exchange, Parties, ProofKey, Role};
use crate::quic::open_up;
use crate::shared::Shared;
use crate::text::clean;
use crate::{DialError, PeerInfo};

/// Introduces us to `peer`, whose key TLS has proved, and learns who it is.
///
/// Dropping the future leaves an unfinished stream behind; the connection is of no use then.
pub(crate) async fn introduce(
    shared: &Shared,
    connection: &quinn::Connection,
    peer: PeerId,
) -> Result<PeerInfo, DialError> {
    if peer == shared.peer_id {
        return Err(DialError::Ourselves);
    }
    if !shared.config.access.allows(&peer) {
        return Err(DialError::NotAllowed { peer });
    }
    let max = shared.limits.max_hello;
    // The whole exchange stands under one deadline; no single step needs another.
    let wait = Patience::default();
    let stall = shared.limits.handshake_timeout;
    let (pake, message) = start_proof(shared, peer).unzip();
    let hello =
        Hello { versions: shared.config.versions, capabilities: own_capabilities(shared), pake: message }.encode();

    let (send, mut recv) = connection.open_bi().await.map_err(|error| lost_dial(&error))?;
    let mut send = ResetOnDrop(Some(send));
    let stream = send.0.as_mut().ok_or_else(|| DialError::Local("the stream is gone".to_owned()))?;
    let mut frames = FrameReader::new(max);
    let ended = || DialError::Protocol("it ended the introduction in the middle".to_owned());

    write_frame(stream, &hello, max, stall).await?;
    let answer = frames.next(&mut recv, wait).await?.ok_or_else(ended)?;
    let reply = match HelloAnswer::decode(&answer).map_err(|error| unreadable(&error))? {
        HelloAnswer::Reply(reply) => reply,
        HelloAnswer::Refused(refusal) => return Err(refused(shared, &refusal)),
    };
    if !shared.config.versions.contains(reply.version) {
        return Err(DialError::Protocol(format!("it chose protocol {}, which we did not offer", reply.version)));
    }
    let key = check_proof(shared, connection, peer, pake, &hello, &reply)?;
    let confirm = key.map(|key| key.confirmation(Role::Initiator, &[&hello, &answer]));

    let introduce = Introduce {
        confirm,
        name: clean(&shared.config.name, MAX_NAME),
        agent: clean(&shared.config.agent, MAX_AGENT),
        serves: shared.config.serves,
    };
    write_frame(stream, &introduce.encode(), max, stall).await?;
    send.finish();
    // From here on the peer may use us as soon as it has admitted us; it must not find the door shut.
    open_up(connection, &shared.config);
    let admission = frames.next(&mut recv, wait).await?.ok_or_else(ended)?;
    match Admission::decode(&admission).map_err(|error| unreadable(&error))? {
        Admission::Welcome(welcome) => Ok(peer_info(peer, &reply, &welcome)),
        Admission::Refused(refusal) => Err(refused(shared, &refusal)),
    }
}

fn start_proof(shared: &Shared, peer: PeerId) -> Option<(Exchange, bytes::Bytes)> {
    let passphrase = shared.config.access.passphrase.as_ref()?;
    let parties = Parties { initiator: shared.peer_id, responder: peer };
    Some(Exchange::start(Role::Initiator, passphrase, parties, &*shared.config.entropy))
}

/// Whether the peer proved the passphrase, if there is one; the key for our own proof.
fn check_proof(
    shared: &Shared,
    connection: &quinn::Connection,
    peer: PeerId,
    pake: Option<Exchange>,
    hello: &[u8],
    reply: &HelloReply,
) -> Result<Option<ProofKey>, DialError> {
    let Some(pake) = pake else { return Ok(None) };
    let (Some(message), Some(confirm)) = (&reply.pake, &reply.confirm) else {
        return Err(DialError::Protocol("it skipped the proof of the passphrase".to_owned()));
    };
    // Whoever answers here learns from what follows whether its guess was right: one guess a call, so calls are counted.
    let attempt = shared
        .calls
        .begin(connection.remote_address().ip())
        .map_err(|too_many| DialError::TooManyAttempts { retry_after: too_many.retry_after })?;
    let exporter = exporter(connection).map_err(DialError::Local)?;
    let malformed = |_| DialError::Protocol("its part of the passphrase proof is malformed".to_owned());
    let key = pake.finish(message, &exporter).map_err(malformed)?;
    if !key.confirms(Role::Responder, &[hello, &reply_without_proof(reply)], confirm) {
        return Err(DialError::PassphraseWrong { peer });
    }
    attempt.proven();
    Ok(Some(key))
}

fn peer_info(id: PeerId, reply: &HelloReply, welcome: &Welcome) -> PeerInfo {
    PeerInfo {
        id,
        name: clean(&welcome.name, MAX_NAME),
        agent: clean(&welcome.agent, MAX_AGENT),
        serves: welcome.serves,
        version: reply.version,
        capabilities: clean_capabilities(&reply.capabilities),
        digest: Some(welcome.digest),
    }
}

fn refused(shared: &Shared, refusal: &Refusal) -> DialError {
    match refusal.code {
        ErrorCode::UnsupportedVersion => {
            DialError::VersionMismatch { ours: shared.config.versions, theirs: refusal.versions }
        }
        code => DialError::Refused { code, words: clean(&refusal.message, MAX_MESSAGE) },
    }
}

fn unreadable(error: &DecodeError) -> DialError {
    DialError::Protocol(format!("unreadable introduction: {error}"))
}
