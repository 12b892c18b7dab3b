//! The first four frames of a connection, and its last words.

use bytes::Bytes;
use prost::Message as _;

use super::shape::{self, Field, Shape};
use super::{DecodeError, ErrorCode, LibraryDigest, check, limits};
use crate::version::VersionRange;
use crate::wire::v1;

/// The initiator's first frame. It has no name in it: nothing is told before both sides are admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// What the initiator speaks.
    pub versions: VersionRange,
    /// Optional abilities; unknown ones are ignored.
    pub capabilities: Vec<String>,
    /// First message of the password-authenticated key exchange; `None` without a passphrase.
    pub pake: Option<Bytes>,
}

/// The responder's first frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HelloAnswer {
    /// Go on.
    Reply(HelloReply),
    /// The exchange ends here.
    Refused(Refusal),
}

/// The responder can go on with the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelloReply {
    /// The version that both sides speak from here on.
    pub version: u32,
    /// Everything that the responder speaks.
    pub versions: VersionRange,
    /// Optional abilities; unknown ones are ignored.
    pub capabilities: Vec<String>,
    /// The responder's message of the key exchange.
    pub pake: Option<Bytes>,
    /// The responder's proof that it knows the passphrase.
    pub confirm: Option<Bytes>,
}

/// The initiator's second frame, sent once the responder has proved what it had to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduce {
    /// The initiator's proof that it knows the passphrase.
    pub confirm: Option<Bytes>,
    /// What people call this peer.
    pub name: String,
    /// Program and version.
    pub agent: String,
    /// Whether it shares a library and wants to be listed.
    pub serves: bool,
}

/// The responder's second frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Admitted.
    Welcome(Welcome),
    /// Not admitted; the connection ends here.
    Refused(Refusal),
}

/// The initiator is admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// What people call the responder.
    pub name: String,
    /// Program and version.
    pub agent: String,
    /// Whether it shares a library and wants to be listed.
    pub serves: bool,
    /// What the responder's library looks like now.
    pub digest: LibraryDigest,
}

/// Why a peer is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of refusal.
    pub code: ErrorCode,
    /// For people: what happened and what to do.
    pub message: String,
    /// What the refusing side speaks.
    pub versions: VersionRange,
}

/// The reason of an orderly close. Travels in the QUIC close frame, without a length before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goodbye {
    /// For people.
    pub reason: String,
}

const CAPABILITIES: &str = "capabilities";
const HELLO: Shape = &[Field::repeated(2, CAPABILITIES, limits::MAX_CAPABILITIES)];
const REPLY: Shape = &[Field::repeated(3, CAPABILITIES, limits::MAX_CAPABILITIES)];
const HELLO_ANSWER: Shape = &[Field::message(1, "reply", REPLY)];

impl Hello {
    /// The payload of its frame.
    pub fn encode(&self) -> Bytes {
        let wire = v1::Hello {
            versions: check::wire_versions(self.versions),
            capabilities: self.capabilities.clone(),
            pake: self.pake.clone(),
        };
        wire.encode_to_vec().into()
    }

    /// Reads the payload of a frame.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        let wire: v1::Hello = shape::decode(HELLO, frame)?;
        Ok(Self {
            versions: check::versions(wire.versions)?,
            capabilities: capabilities(wire.capabilities)?,
            pake: check::optional_bytes("pake", wire.pake, limits::MAX_PAKE)?,
        })
    }
}

impl HelloAnswer {
    /// The payload of its frame.
    pub fn encode(&self) -> Bytes {
        use v1::hello_answer::Answer;
        let answer = match self {
            HelloAnswer::Reply(reply) => Answer::Reply(v1::HelloReply {
                version: reply.version,
                versions: check::wire_versions(reply.versions),
                capabilities: reply.capabilities.clone(),
                pake: reply.pake.clone(),
                confirm: reply.confirm.clone(),
            }),
            HelloAnswer::Refused(refusal) => Answer::Refusal(refusal.to_wire()),
        };
        let answer = Some(answer);
        v1::HelloAnswer { answer }.encode_to_vec().into()
    }

    /// Reads the payload of a frame.
    ///
    /// # Errors
    /// See [`DecodeError`]. Also if the version picked is not among those that the responder says it speaks.
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        use v1::hello_answer::Answer;
        let wire: v1::HelloAnswer = shape::decode(HELLO_ANSWER, frame)?;
        match wire.answer.ok_or(DecodeError::UnknownKind("hello answer"))? {
            Answer::Reply(reply) => HelloReply::from_wire(reply).map(Self::Reply),
            Answer::Refusal(refusal) => Refusal::from_wire(refusal).map(Self::Refused),
        }
    }
}

impl HelloReply {
    fn from_wire(wire: v1::HelloReply) -> Result<Self, DecodeError> {
        let versions = check::versions(wire.versions)?;
        if !versions.contains(wire.version) {
            return Err(DecodeError::OutOfRange { field: "version" });
        }
        Ok(Self {
            version: wire.version,
            versions,
            capabilities: capabilities(wire.capabilities)?,
            pake: check::optional_bytes("pake", wire.pake, limits::MAX_PAKE)?,
            confirm: check::optional_bytes("confirm", wire.confirm, limits::MAX_CONFIRM)?,
        })
    }
}

impl Introduce {
    /// The payload of its frame.
    pub fn encode(&self) -> Bytes {
        let wire = v1::Introduce {
            confirm: self.confirm.clone(),
            name: self.name.clone(),
            agent: self.agent.clone(),
            serves: self.serves,
        };
        wire.encode_to_vec().into()
    }

    /// Reads the payload of a frame.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        let wire: v1::Introduce = shape::decode(&[], frame)?;
        check::line("name", &wire.name, limits::MAX_NAME)?;
        check::line("agent", &wire.agent, limits::MAX_AGENT)?;
        Ok(Self {
            confirm: check::optional_bytes("confirm", wire.confirm, limits::MAX_CONFIRM)?,
            name: wire.name,
            agent: wire.agent,
            serves: wire.serves,
        })
    }
}

impl Admission {
    /// The payload of its frame.
    pub fn encode(&self) -> Bytes {
        use v1::admission::Answer;
        let answer = match self {
            Admission::Welcome(welcome) => Answer::Welcome(v1::Welcome {
                name: welcome.name.clone(),
                agent: welcome.agent.clone(),
                serves: welcome.serves,
                digest: Some(welcome.digest.to_wire()),
            }),
            Admission::Refused(refusal) => Answer::Refusal(refusal.to_wire()),
        };
        let answer = Some(answer);
        v1::Admission { answer }.encode_to_vec().into()
    }

    /// Reads the payload of a frame.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        use v1::admission::Answer;
        let wire: v1::Admission = shape::decode(&[], frame)?;
        match wire.answer.ok_or(DecodeError::UnknownKind("admission"))? {
            Answer::Welcome(welcome) => Welcome::from_wire(welcome).map(Self::Welcome),
            Answer::Refusal(refusal) => Refusal::from_wire(refusal).map(Self::Refused),
        }
    }
}

impl Welcome {
    fn from_wire(wire: v1::Welcome) -> Result<Self, DecodeError> {
        check::line("name", &wire.name, limits::MAX_NAME)?;
        check::line("agent", &wire.agent, limits::MAX_AGENT)?;
        Ok(Self {
            name: wire.name,
            agent: wire.agent,
            serves: wire.serves,
            digest: LibraryDigest::from_wire(wire.digest)?,
        })
    }
}

impl Refusal {
    fn to_wire(&self) -> v1::Refusal {
        v1::Refusal {
            code: self.code.to_wire(),
            message: self.message.clone(),
            versions: check::wire_versions(self.versions),
        }
    }

    fn from_wire(wire: v1::Refusal) -> Result<Self, DecodeError> {
        check::lines("message", &wire.message, limits::MAX_MESSAGE)?;
        Ok(Self {
            code: ErrorCode::from_wire(wire.code),
            message: wire.message,
            versions: check::versions(wire.versions)?,
        })
    }
}

impl Goodbye {
    /// The bytes of the close reason.
    pub fn encode(&self) -> Bytes {
        let reason = self.reason.clone();
        v1::Goodbye { reason }.encode_to_vec().into()
    }

    /// Reads the bytes of a close reason.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        let v1::Goodbye { reason } = shape::decode(&[], frame)?;
        check::lines("reason", &reason, limits::MAX_REASON)?;
        Ok(Self { reason })
    }
}

fn capabilities(wire: Vec<String>) -> Result<Vec<String>, DecodeError> {
    for capability in &wire {
        check::line(CAPABILITIES, capability, limits::MAX_CAPABILITY)?;
    }
    Ok(wire)
}
