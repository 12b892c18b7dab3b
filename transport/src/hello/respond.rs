//! The side that was dialled.

use std::time::Duration;

use bytes::Bytes;
use moorline_proto::limits::{MAX_AGENT, MAX_NAME};
use moorline_proto::{
    Admission, DecodeError, ErrorCode, Hello, HelloAnswer, HelloReply, Introduce, PeerId, Refusal, Welcome,
};
use quinn::{RecvStream, SendStream};
use tokio::time::timeout;

use super::{clean_capabilities, exporter, own_capabilities, reply_without_proof};
use crate::attempts::Attempt;
use crate::exchange::ResetOnDrop;
use crate::frame_io::{FrameReader, Patience, write_frame};
use crate::pake::{Exchange, Parties, ProofKey, Role};
use crate::quic::open_up;
use crate::shared::Shared;
use crate::text::clean;
use crate::{AdmitError, CloseCode, ConnectionEnd, PeerInfo};

/// How long a refused peer has to fetch its refusal before the connection is closed.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a peer is refused, in our terms and in those of the wire.
struct No {
    code: ErrorCode,
    message: String,
    error: AdmitError,
}

/// A proof under way: the key, and the attempt that counts as failed unless the peer's proof comes.
struct Proof {
    key: ProofKey,
    attempt: Attempt,
}

/// Hears the introduction of `peer`, whose key TLS has proved, and admits or refuses it.
///
/// Dropping the future leaves an unfinished stream behind; the connection is of no use then.
pub(crate) async fn admit(
    shared: &Shared,
    connection: &quinn::Connection,
    peer: PeerId,
) -> Result<PeerInfo, AdmitError> {
    let accepted = connection.accept_bi().await;
    let (send, recv) = accepted.map_err(|error| AdmitError::Lost(ConnectionEnd::from_quinn(&error)))?;
    let mut talk =
        Talk { shared, send: ResetOnDrop(Some(send)), recv, frames: FrameReader::new(shared.limits.max_hello) };

    let hello_frame = talk.read().await?;
    let hello = Hello::decode(&hello_frame).map_err(|error| unreadable(&error))?;
    let (reply, proof) = match judge(shared, connection, peer, &hello_frame, &hello) {
        Ok(judged) => judged,
        Err(no) => {
            let refusal = HelloAnswer::Refused(refusal(shared, &no)).encode();
            return Err(talk.refuse(&refusal, no).await);
        }
    };
    let (version, reply_frame) = (reply.version, HelloAnswer::Reply(reply).encode());
    talk.write(&reply_frame).await?;

    let introduce = talk.read().await.map_err(|error| rejected_us(error, peer, proof.is_some()))?;
    let introduce = Introduce::decode(&introduce).map_err(|error| unreadable(&error))?;
    if let Some(Proof { key, attempt }) = proof {
        let shown = introduce.confirm.as_deref().unwrap_or_default();
        if !key.confirms(Role::Initiator, &[&hello_frame, &reply_frame], shown) {
            let no = No::new(peer, ErrorCode::PassphraseWrong);
            let refusal = Admission::Refused(refusal(shared, &no)).encode();
            return Err(talk.refuse(&refusal, no).await);
        }
        attempt.proven();
    }
    open_up(connection, &shared.config);
    let welcome = Welcome {
        name: clean(&shared.config.name, MAX_NAME),
        agent: clean(&shared.config.agent, MAX_AGENT),
        serves: shared.config.serves,
        digest: (shared.config.digest)(),
    };
    talk.write(&Admission::Welcome(welcome).encode()).await?;
    talk.send.finish();
    Ok(PeerInfo {
        id: peer,
        name: clean(&introduce.name, MAX_NAME),
        agent: clean(&introduce.agent, MAX_AGENT),
        serves: introduce.serves,
        version,
        capabilities: clean_capabilities(&hello.capabilities),
        digest: None,
    })
}

/// Decides on a hello, before anything of ours is told.
fn judge(
    shared: &Shared,
    connection: &quinn::Connection,
    peer: PeerId,
    frame: &[u8],
    hello: &Hello,
) -> Result<(HelloReply, Option<Proof>), No> {
    let (access, ours) = (&shared.config.access, shared.config.versions);
    if peer == shared.peer_id || !access.allows(&peer) {
        return Err(No::new(peer, ErrorCode::NotAllowed));
    }
    let Some(version) = ours.negotiate(hello.versions) else {
        let error = AdmitError::VersionMismatch { ours, theirs: hello.versions };
        return Err(No { code: ErrorCode::UnsupportedVersion, message: error.to_string(), error });
    };
    let mut reply =
        HelloReply { version, versions: ours, capabilities: own_capabilities(shared), pake: None, confirm: None };
    let (passphrase, message) = match (&access.passphrase, &hello.pake) {
        (None, None) => return Ok((reply, None)),
        (Some(_), None) => return Err(No::new(peer, ErrorCode::PassphraseRequired)),
        (None, Some(_)) => return Err(No::new(peer, ErrorCode::PassphraseUnexpected)),
        (Some(passphrase), Some(message)) => (passphrase, message),
    };
    let attempt = shared.knocks.begin(connection.remote_address().ip()).map_err(|too_many| {
        let message = format!("try again in {} s", too_many.retry_after.as_secs() + 1);
        No { message, ..No::new(peer, ErrorCode::TooManyAttempts) }
    })?;
    let parties = Parties { initiator: peer, responder: shared.peer_id };
    let (pake, own) = Exchange::start(Role::Responder, passphrase, parties, &*shared.config.entropy);
    let exporter = exporter(connection).map_err(|problem| No::protocol(ErrorCode::Internal, problem))?;
    let malformed = |_| No::protocol(ErrorCode::BadRequest, "the passphrase proof is malformed".to_owned());
    let key = pake.finish(message, &exporter).map_err(malformed)?;
    reply.pake = Some(own);
    reply.confirm = Some(key.confirmation(Role::Responder, &[frame, &reply_without_proof(&reply)]));
    Ok((reply, Some(Proof { key, attempt })))
}

impl No {
    fn new(peer: PeerId, code: ErrorCode) -> Self {
        Self { code, message: String::new(), error: AdmitError::Refused { peer, code } }
    }

    fn protocol(code: ErrorCode, problem: String) -> Self {
        Self { code, message: problem.clone(), error: AdmitError::Protocol(problem) }
    }
}

fn refusal(shared: &Shared, no: &No) -> Refusal {
    Refusal { code: no.code, message: no.message.clone(), versions: shared.config.versions }
}

/// After our proof, a peer with another passphrase leaves: that is the answer, not an accident.
fn rejected_us(error: AdmitError, peer: PeerId, proving: bool) -> AdmitError {
    match error {
        AdmitError::Lost(ConnectionEnd::Closed { code: CloseCode::Unauthorized, .. }) if proving => {
            AdmitError::Refused { peer, code: ErrorCode::PassphraseWrong }
        }
        other => other,
    }
}

fn unreadable(error: &DecodeError) -> AdmitError {
    AdmitError::Protocol(format!("unreadable introduction: {error}"))
}

/// The one stream of the exchange.
struct Talk<'a> {
    shared: &'a Shared,
    send: ResetOnDrop,
    recv: RecvStream,
    frames: FrameReader,
}

impl Talk<'_> {
    async fn read(&mut self) -> Result<Bytes, AdmitError> {
        let frame = self.frames.next(&mut self.recv, Patience::default()).await?;
        frame.ok_or_else(|| AdmitError::Protocol("it ended the introduction in the middle".to_owned()))
    }

    async fn write(&mut self, frame: &[u8]) -> Result<(), AdmitError> {
        let limits = &self.shared.limits;
        Ok(write_frame(self.stream()?, frame, limits.max_hello, limits.handshake_timeout).await?)
    }

    /// Sends the refusal, and waits until it has arrived: closing the connection would overtake it.
    async fn refuse(mut self, frame: &[u8], no: No) -> AdmitError {
        if self.write(frame).await.is_ok()
            && let Ok(stream) = self.stream()
        {
            let _ = stream.finish();
            let _ = timeout(FAREWELL, stream.stopped()).await;
        }
        no.error
    }

    fn stream(&mut self) -> Result<&mut SendStream, AdmitError> {
        self.send.0.as_mut().ok_or_else(|| AdmitError::Protocol("the stream is gone".to_owned()))
    }
}
