//! What a room and its messages are made of, from what a caller asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use moorline_signaling::client::{ClientConfig, Server};
use moorline_signaling::machine::{CallRefusal, NetHint, Outgoing, SelfUpdate};
use moorline_signaling::{Client as Signaling, ParticipantId, SendClass, Sent, limits};

use crate::args::{given, list, only_flags, text, texts};
use crate::kinds::*;
use crate::node;
use crate::status::{Failure, MOORLINE_E_INVALID_ARGUMENT, MOORLINE_E_TOO_LARGE, Outcome};
use crate::types::{RoomOptions, SendOptions, Span, UpdateOptions};

const DEFAULT_DEADLINE_MS: u32 = 30_000;

/// The options, checked and owned.
pub(crate) struct RoomSettings {
    pub(crate) ready: bool,
    pub(crate) ready_timeout: Duration,
    pub(crate) meet: bool,
    pub(crate) config: ClientConfig,
}

impl RoomSettings {
    pub(crate) fn from_options(options: &RoomOptions) -> Outcome<Self> {
        only_flags(options.flags, MOORLINE_FLAG_READY | MOORLINE_FLAG_NO_MEETING)?;
        let wanted = |span: &Span, what: &str| {
            given(span, what)?.ok_or_else(|| Failure::new(MOORLINE_E_INVALID_ARGUMENT, format!("{what} is empty")))
        };
        let urls = wanted(&options.url, "url")?;
        let mut config = ClientConfig::new("", wanted(&options.room, "room")?);
        config.servers = urls.split_ascii_whitespace().map(Server::at).collect();
        if let Some(token) = given(&options.token, "token")? {
            if token.len() > limits::MAX_TOKEN {
                let message = format!("token is {} bytes long, and the limit is {}", token.len(), limits::MAX_TOKEN);
                return Err(Failure::new(MOORLINE_E_TOO_LARGE, message));
            }
            config = config.token(token);
        }
        let text = |span, what| Ok::<_, Failure>(given(span, what)?.unwrap_or_default().to_owned());
        let info = &mut config.machine.info;
        info.name = text(&options.name, "name")?;
        info.identity = text(&options.identity, "identity")?;
        info.metadata = text(&options.metadata, "metadata")?;
        info.agent = concat!("moorline-ffi/", env!("CARGO_PKG_VERSION")).to_owned();
        config.machine.timers.deadline = match options.deadline_ms {
            MOORLINE_FOREVER => None,
            0 => Some(Duration::from_millis(DEFAULT_DEADLINE_MS.into())),
            ms => Some(Duration::from_millis(ms.into())),
        };
        Ok(Self {
            ready: options.flags & MOORLINE_FLAG_READY != 0,
            ready_timeout: node::ready_timeout(options.ready_timeout_ms),
            meet: options.flags & MOORLINE_FLAG_NO_MEETING == 0,
            config,
        })
    }
}

/// A message to be sent, checked and owned.
pub(crate) struct Outbound {
    class: SendClass,
    body: Outgoing,
    ttl: Option<Duration>,
}

impl Outbound {
    pub(crate) fn new(options: Option<&SendOptions>, payload: &[u8]) -> Outcome<Self> {
        fits(payload.len())?;
        let payload = Bytes::copy_from_slice(payload);
        let Some(options) = options else {
            let body = Outgoing { payload, ..Outgoing::default() };
            return Ok(Self { class: SendClass::Reliable, body, ttl: None });
        };
        let topic = given(&options.topic, "topic")?.unwrap_or_default().to_owned();
        let to = list(options.to, options.to_count, "to")?.iter().map(|id| ParticipantId(*id)).collect();
        let ttl = (options.ttl_ms != 0).then(|| Duration::from_millis(options.ttl_ms.into()));
        let (class, topic) = match options.delivery {
            MOORLINE_SEND_RELIABLE => (SendClass::Reliable, topic),
            MOORLINE_SEND_EPHEMERAL => (SendClass::Ephemeral, topic),
            MOORLINE_SEND_LATEST if topic.is_empty() => {
                return Err(Failure::new(MOORLINE_E_INVALID_ARGUMENT, "topic is empty: it is the key of the value"));
            }
            MOORLINE_SEND_LATEST => (SendClass::Latest(topic), String::new()),
            other => {
                return Err(Failure::new(
                    MOORLINE_E_INVALID_ARGUMENT,
                    format!("delivery is {other}: see MOORLINE_SEND_..."),
                ));
            }
        };
        Ok(Self { class, body: Outgoing { payload, topic, to }, ttl })
    }

    /// Gives it to the room. What becomes of it is in the future.
    pub(crate) fn hand_to(self, signaling: &Signaling) -> Sent {
        match self.ttl {
            Some(ttl) => signaling.publish_within(self.class, self.body, ttl),
            None => signaling.publish(self.class, self.body),
        }
    }
}

/// Whether a payload is short enough for the protocol.
fn fits(len: usize) -> Outcome {
    if len <= limits::MAX_PAYLOAD {
        return Ok(());
    }
    let message = format!("the payload is {len} bytes long, and the limit is {}", limits::MAX_PAYLOAD);
    Err(Failure::new(MOORLINE_E_TOO_LARGE, message))
}

/// Whether an answer, or the reason for a refusal, is short enough for the protocol.
pub(crate) fn fits_answer(result: &Result<Bytes, CallRefusal>) -> Outcome {
    match result {
        Ok(payload) => fits(payload.len()),
        Err(CallRefusal::Failed(message)) => fits(message.len()),
        Err(_) => Ok(()),
    }
}

/// Whether a call is short enough for the protocol.
pub(crate) fn fits_call(method: &str, payload: &[u8]) -> Outcome {
    fits(payload.len())?;
    if method.len() <= limits::MAX_TEXT {
        return Ok(());
    }
    let message = format!("the method is {} bytes long, and the limit is {}", method.len(), limits::MAX_TEXT);
    Err(Failure::new(MOORLINE_E_TOO_LARGE, message))
}

pub(crate) fn self_update(options: &UpdateOptions) -> Outcome<SelfUpdate> {
    let optional = |span: &Span, what: &str| {
        if span.data.is_null() && span.length == 0 {
            return Ok(None);
        }
        text(span.data, span.length, what).map(|text| Some(text.to_owned()))
    };
    let keys = texts(options.keys, options.attribute_count, "keys")?;
    let values = texts(options.values, options.attribute_count, "values")?;
    let attributes: BTreeMap<String, String> =
        keys.into_iter().map(str::to_owned).zip(values.into_iter().map(str::to_owned)).collect();
    Ok(SelfUpdate {
        name: optional(&options.name, "name")?,
        metadata: optional(&options.metadata, "metadata")?,
        attributes,
    })
}

pub(crate) fn refusal(reason: u32, message: &str) -> Outcome<CallRefusal> {
    match reason {
        MOORLINE_REJECT_FAILED => Ok(CallRefusal::Failed(message.to_owned())),
        MOORLINE_REJECT_NO_SUCH_METHOD => Ok(CallRefusal::NoSuchMethod),
        MOORLINE_REJECT_BUSY => Ok(CallRefusal::Busy),
        _ => Err(Failure::new(MOORLINE_E_INVALID_ARGUMENT, format!("reason is {reason}: see MOORLINE_REJECT_..."))),
    }
}

pub(crate) fn hint(advice: u32) -> Outcome<NetHint> {
    match advice {
        MOORLINE_HINT_OFFLINE => Ok(NetHint::Offline),
        MOORLINE_HINT_ONLINE => Ok(NetHint::Online),
        MOORLINE_HINT_PATH_CHANGED => Ok(NetHint::PathChanged),
        MOORLINE_HINT_RETRY_NOW => Ok(NetHint::RetryNow),
        _ => Err(Failure::new(MOORLINE_E_INVALID_ARGUMENT, format!("advice is {advice}: see MOORLINE_HINT_..."))),
    }
}
