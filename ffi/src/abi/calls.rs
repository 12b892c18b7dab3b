//! Answering calls of other participants.

use crate::args::{bytes, text};
use crate::entry::with_client;
use crate::room::refusal;
use crate::types::Error;

/// Answers a call. The call's handle is invalid afterwards, also if the answer could not be handed over.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_call_reply(
    client: u64,
    call: u64,
    payload: *const u8,
    payload_length: u64,
    error: *mut Error,
) -> i32 {
    with_client(client, error, |client| {
        let payload = bytes(payload, payload_length, "payload")?.to_vec();
        client.answer(call, Ok(payload.into()))
    })
}

/// Answers a call with a refusal: `MOORLINE_REJECT_...`, and a message for people that goes with `MOORLINE_REJECT_FAILED`. The call's
/// handle is invalid afterwards.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_call_reject(
    client: u64,
    call: u64,
    reason: u32,
    message: *const u8,
    message_length: u64,
    error: *mut Error,
) -> i32 {
    with_client(client, error, |client| {
        let refusal = refusal(reason, text(message, message_length, "message")?)?;
        client.answer(call, Err(refusal))
    })
}
