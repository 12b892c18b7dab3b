use moorline_signaling::machine::{Event, Output, State};
use moorline_signaling::{SendClass, SendOutcome};

use super::{Check, SLACK, Verdict, ensure};
use crate::facts::{Facts, Moment, ids};
use crate::wire;

/// I14: each send and each call has exactly one outcome, the outcome fits what was done, and what has failed is never sent later.
#[derive(Debug, Default)]
pub(super) struct I14OneOutcome;

impl Check for I14OneOutcome {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Output(Output::App(Event::SendOutcome { id, outcome }), _) => {
                let Some(send) = facts.sends.by_id(*id) else {
                    return Err(format!("I14: an outcome for send {id}, which nobody made"));
                };
                ensure(send.outcome.is_none(), || {
                    format!("I14: send {id} ends with {outcome:?} after {:?}", send.outcome)
                })?;
                let written = !send.written.is_empty();
                let fits = match outcome {
                    SendOutcome::Acked | SendOutcome::Unknown => written && send.is_kept(),
                    SendOutcome::Written => send.written.len() == 1 && !send.is_kept(),
                    SendOutcome::Dropped => !written && !send.is_kept(),
                    SendOutcome::Superseded => !written && matches!(send.class, Some(SendClass::Latest(_))),
                    SendOutcome::Expired => !written && facts.now >= send.at + send.wait,
                    SendOutcome::Overflow => !written,
                    SendOutcome::Rejected(..) | SendOutcome::Closed => true,
                };
                let (class, times, age) = (&send.class, send.written.len(), facts.now - send.at);
                ensure(fits, || {
                    format!("I14: send {id} ({class:?}, written {times} times, {age:?} old) ends with {outcome:?}")
                })?;
                let closing = facts.user_close.is_some() || facts.session_ended;
                let early = *outcome == SendOutcome::Closed && !closing && facts.view.state == State::Idle;
                ensure(!early, || format!("I14: send {id} is closed before anything began"))
            }
            Moment::Output(Output::App(Event::CallOutcome { id, .. }), _) => {
                ensure(facts.open_calls.contains(id), || format!("I14: call {id} has an outcome, and is not open"))
            }
            Moment::Output(Output::App(Event::Closed { .. }), _) => {
                let open = ids(facts.sends.open().map(|(id, _)| id));
                ensure(open.is_empty(), || format!("I14: closed, and sends {open} have no outcome"))?;
                let calls = &facts.open_calls;
                ensure(calls.is_empty(), || format!("I14: closed, and calls {calls:?} have no outcome"))
            }
            Moment::Output(Output::Write { .. }, Some(frame)) => {
                let Some(id) = frame.body.as_ref().and_then(wire::send_of) else { return Ok(()) };
                let outcome = facts.sends.by_id(id).and_then(|send| send.outcome.as_ref());
                // A value that was applied once may be announced anew to a server that has forgotten it.
                let is_value = facts.sends.by_id(id).is_some_and(|s| matches!(s.class, Some(SendClass::Latest(_))));
                let fine = match outcome {
                    None => true,
                    Some(SendOutcome::Acked | SendOutcome::Unknown) => is_value,
                    // A server that refuses and then says it has not seen it gets it again, to keep the numbers whole.
                    Some(SendOutcome::Rejected(..)) => !facts.faithful,
                    Some(_) => false,
                };
                ensure(fine, || format!("I14: send {id} is written after its outcome {outcome:?}"))
            }
            Moment::Settled(view) if facts.is_tick => {
                let away = matches!(view.state, State::Connecting { .. } | State::Recovering { .. });
                let overdue = facts.sends.open().find(|(_, send)| {
                    send.written.is_empty() && send.is_kept() && facts.now > send.at + send.wait + SLACK
                });
                ensure(!away || overdue.is_none(), || {
                    format!("I14: send {:?} waits longer than it was to", overdue.map(|(id, _)| id))
                })
            }
            _ => Ok(()),
        }
    }
}
