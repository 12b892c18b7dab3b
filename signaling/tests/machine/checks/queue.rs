use std::collections::BTreeMap;
use std::time::Instant;

use moorline_signaling::machine::{Event, Input, Output, State, Transport};
use moorline_signaling::{Epoch, SendClass, SendId, SendOutcome, limits};

use super::{Check, SLACK, Verdict, ensure};
use crate::facts::{Facts, Moment};
use crate::wire::{self, Down, Up, pb};

/// Deliveries after which an acknowledgement is due at once.
const MAX_UNACKED: u64 = 32;

/// I16: the queue keeps to its bounds and refuses nothing before it reaches them; acknowledgements and signs of life do not wait for
/// it.
#[derive(Debug, Default)]
pub(super) struct I16BoundedQueue {
    asked: Option<(Epoch, u64)>,
    answered: bool,
    /// Of each connection: what came in, what was acknowledged, since when something is not.
    acks: BTreeMap<Epoch, Acks>,
}

#[derive(Debug, Default)]
struct Acks {
    received: u64,
    acked: u64,
    since: Option<Instant>,
}

impl I16BoundedQueue {
    fn came(&mut self, facts: &Facts, input: &Input, down: Option<(&u64, &Down)>) {
        (self.asked, self.answered) = (None, false);
        let Input::Transport(epoch, Transport::Frame(_)) = input else { return };
        if !facts.counts(*epoch) {
            return;
        }
        match down {
            Some((_, Down::Ping(ping))) => self.asked = Some((*epoch, ping.nonce)),
            Some((_, Down::Welcome(welcome))) => {
                let received = welcome.head.as_ref().map_or(0, |head| head.seq);
                // What a resumed session missed comes only now.
                if !welcome.resumed {
                    self.acks.insert(*epoch, Acks { received, acked: received, since: None });
                }
            }
            Some((seq, Down::Deliver(_))) if *seq > 0 => {
                let acks = self.acks.entry(*epoch).or_insert_with(|| Acks { acked: seq - 1, ..Acks::default() });
                acks.received = acks.received.max(*seq);
                acks.since.get_or_insert(facts.now);
            }
            _ => {}
        }
    }
}

impl Check for I16BoundedQueue {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        let bounds = &facts.config.bounds;
        match moment {
            Moment::Input(input, frame) => {
                self.came(facts, input, frame.and_then(|f| Some((&f.seq, f.body.as_ref()?))));
            }
            Moment::Output(Output::Write { epoch, .. }, Some(frame)) => {
                self.answered |= self.asked.is_some_and(|(asked, nonce)| {
                    asked == *epoch && matches!(&frame.body, Some(Up::Pong(pong)) if pong.nonce == nonce)
                });
                if let Some(acks) = self.acks.get_mut(epoch) {
                    acks.acked = acks.acked.max(frame.ack);
                    if acks.acked >= acks.received {
                        acks.since = None;
                    }
                }
            }
            Moment::Output(Output::App(Event::SendOutcome { id, outcome: SendOutcome::Overflow }), _) => {
                let (messages, bytes) = facts.view.queued;
                let len = facts.sends.by_id(*id).map_or(0, |send| send.len);
                let full = messages + 1 > bounds.queue_messages || bytes + len > bounds.queue_bytes;
                ensure(full || len > limits::MAX_PAYLOAD, || {
                    format!("I16: send {id} of {len} bytes overflows a queue of {messages} with {bytes} bytes")
                })?;
            }
            Moment::Output(..) => {}
            Moment::Settled(view) => {
                let (messages, bytes) = view.queued;
                ensure(messages <= bounds.queue_messages && bytes <= bounds.queue_bytes, || {
                    format!("I16: {messages} sends with {bytes} bytes are queued")
                })?;
                let held = facts.sends.open().filter(|(_, send)| send.is_kept());
                let (count, sum) = held.fold((0, 0), |(count, sum), (_, send)| (count + 1, sum + send.len));
                ensure(count <= bounds.queue_messages && sum <= bounds.queue_bytes, || {
                    format!("I16: {count} sends with {sum} bytes have no outcome")
                })?;
                let State::Live { epoch, .. } = view.state else { return Ok(()) };
                let mine = self.asked.filter(|(asked, _)| *asked == epoch);
                ensure(mine.is_none() || self.answered, || "I16: a ping is not answered at once".to_owned())?;
                let Some(acks) = self.acks.get(&epoch).filter(|_| facts.faithful && facts.reading_since.is_some())
                else {
                    return Ok(());
                };
                let waiting = acks.received.saturating_sub(acks.acked);
                let at_once = view.deadline.is_some_and(|due| due <= facts.now);
                ensure(waiting <= MAX_UNACKED || at_once, || {
                    format!("I16: {waiting} deliveries are not acknowledged")
                })?;
                // While migrating, what the new node says waits until the old one has finished.
                let live = facts.connections.get(&epoch).and_then(|c| c.live).unwrap_or(facts.now);
                let patience = facts.config.timers.ack_delay + SLACK;
                let overdue = acks.since.filter(|since| facts.now > live.max(*since) + patience);
                ensure(overdue.is_none() || !facts.is_tick, || "I16: an acknowledgement is overdue".to_owned())?;
            }
        }
        Ok(())
    }
}

/// I17: at most one value of a key waits, and on the wire its revisions only grow.
#[derive(Debug, Default)]
pub(super) struct I17NewestWins {
    /// Of each key: the newest revision written, and its number.
    written: BTreeMap<String, (u64, u64)>,
    /// The key of each value that was written, by its send.
    keys: BTreeMap<SendId, String>,
}

impl Check for I17NewestWins {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Input(
                Input::Transport(epoch, _),
                Some(pb::ServerFrame { body: Some(Down::Welcome(welcome)), .. }),
            ) if facts.forgets(*epoch, welcome) => {
                // A server that has forgotten the lineage counts anew.
                self.written.values_mut().for_each(|(_, seq)| *seq = 0);
                Ok(())
            }
            Moment::Output(Output::Write { .. }, Some(frame)) => {
                let Some(Up::StateUpdate(update)) = &frame.body else { return Ok(()) };
                if let Some(id) = wire::mark(&update.payload) {
                    self.keys.insert(id, update.key.clone());
                }
                let newest = self.written.entry(update.key.clone()).or_insert((update.rev, frame.seq));
                let again = frame.seq <= newest.1;
                ensure(update.rev > newest.0 || again || update.rev == newest.0, || {
                    format!("I17: rev {} of {} is written after rev {}", update.rev, update.key, newest.0)
                })?;
                ensure(!again || update.rev <= newest.0, || {
                    format!("I17: number {} of {} is rev {} now", frame.seq, update.key, update.rev)
                })?;
                if update.rev >= newest.0 {
                    *newest = (update.rev, frame.seq);
                }
                Ok(())
            }
            // The value before one that was refused is the newest again.
            Moment::Output(Output::App(Event::SendOutcome { id, outcome: SendOutcome::Rejected(..) }), _) => {
                if let Some(key) = self.keys.get(id) {
                    self.written.remove(key);
                }
                Ok(())
            }
            Moment::Settled(_) => {
                let mut waiting = BTreeMap::new();
                for (id, send) in facts.sends.open().filter(|(_, send)| send.written.is_empty()) {
                    if let Some(SendClass::Latest(key)) = &send.class {
                        let other = waiting.insert(key, id);
                        ensure(other.is_none(), || {
                            format!("I17: sends {other:?} and {id} both wait with a value of {key}")
                        })?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
