//! What comes in keeps to the limits of the protocol: a server cannot make a client hold more than it says it will.

use crate::wire::{limits, pb};

/// `Err` says what is over which limit.
pub(super) type Sound = Result<(), &'static str>;

pub(super) fn delivery(deliver: &pb::Deliver) -> Sound {
    use pb::deliver::Event as Wire;
    match &deliver.event {
        Some(Wire::Message(message)) => {
            payload(&message.payload)?;
            text(&message.topic)
        }
        Some(Wire::ParticipantJoined(who) | Wire::ParticipantUpdated(who)) => participant(who),
        Some(Wire::StateChanged(changed)) => changed.entry.as_ref().map_or(Ok(()), entry),
        Some(Wire::CallRequest(call)) => {
            payload(&call.payload)?;
            text(&call.method)
        }
        Some(Wire::CallReply(reply)) => payload(&reply.payload),
        // Its text is cut.
        Some(Wire::ParticipantLeft(_) | Wire::Rejected(_)) | None => Ok(()),
    }
}

pub(super) fn participant(who: &pb::Participant) -> Sound {
    text(&who.identity)?;
    text(&who.name)?;
    hold(who.metadata.len() <= limits::MAX_METADATA, "metadata over the limit of 4 KiB")?;
    let attributes: usize = who.attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
    hold(attributes <= limits::MAX_ATTRIBUTES, "attributes over the limit of 4 KiB")?;
    hold(who.states.len() <= limits::MAX_VALUES, "a participant with more than 64 values")?;
    who.states.iter().try_for_each(entry)
}

fn entry(entry: &pb::StateEntry) -> Sound {
    text(&entry.key)?;
    payload(&entry.payload)
}

fn payload(payload: &[u8]) -> Sound {
    hold(payload.len() <= limits::MAX_PAYLOAD, "a payload over the limit of 64 KiB")
}

fn text(text: &str) -> Sound {
    hold(text.len() <= limits::MAX_TEXT, "a text over the limit of 256 bytes")
}

fn hold(holds: bool, otherwise: &'static str) -> Sound {
    if holds { Ok(()) } else { Err(otherwise) }
}
