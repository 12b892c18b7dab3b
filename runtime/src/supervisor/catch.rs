//! Panics are caught here, inside the task, so that no runtime setting can turn one into the end of the process.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// What a panic said. The place it came from is known only to the process-wide panic hook, which is not ours to
/// replace: the standard hook prints it.
#[derive(Debug)]
pub(crate) struct PanicMessage(pub(crate) String);

/// Runs `future` to its end and turns a panic, of its code or of its destructor, into a value.
///
/// Unwind safety is asserted: the future is dropped at once after a panic and nothing of it is looked at again.
pub(crate) async fn catch<F: Future>(future: F) -> Result<F::Output, PanicMessage> {
    let mut slot = pin!(Some(future));
    let outcome = poll_fn(|cx| {
        let Some(running) = slot.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        match catch_unwind(AssertUnwindSafe(|| running.poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(payload) => Poll::Ready(Err(message(payload))),
        }
    })
    .await;
    match catch_unwind(AssertUnwindSafe(|| slot.set(None))) {
        Ok(()) => outcome,
        // The first panic is the cause, the one in the destructor its consequence.
        Err(payload) => Err(outcome.err().unwrap_or_else(|| message(payload))),
    }
}

/// The same for a closure.
pub(crate) fn catch_call<T>(call: impl FnOnce() -> T) -> Result<T, PanicMessage> {
    catch_unwind(AssertUnwindSafe(call)).map_err(message)
}

fn message(payload: Box<dyn Any + Send>) -> PanicMessage {
    let text = match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => match payload.downcast::<&'static str>() {
            Ok(text) => (*text).to_owned(),
            Err(_) => "(a panic without a message)".to_owned(),
        },
    };
    PanicMessage(text)
}
