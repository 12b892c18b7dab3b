//! The time in a room: what happens there is told, what is typed is done, until one side ends it.

mod failed;
mod told;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use moorline_signaling::machine::{CallRefusal, Event, Outgoing, SelfUpdate};
use moorline_signaling::{CallRequest, Client, CloseReason, EndReason, Events, SendClass, SendOutcome, Sent, limits};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::command::{self, Command};
use super::input::{self, Line};
use super::roster::Roster;
use super::{outcome, show};
use crate::exit::{Code, Result};
use crate::json;
use crate::output::Output;
use crate::signals::Stop;
use crate::text;

use failed::Failed;
use told::{Asked, Done};

/// Messages and calls whose end is not known yet. No further line is read beyond it.
const OPEN: usize = 512;
/// Bytes of their lines. Well below what the client queues.
const OPEN_BYTES: usize = 1 << 20;
/// How long a call waits for its answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The client ends by itself within 1 s of being asked; this is for the case that it does not.
const PATIENCE: Duration = Duration::from_secs(2);
/// Outcomes are all known once the client has closed; they only have to be picked up.
const PICK_UP: Duration = Duration::from_millis(200);

/// Something whose end is not known yet.
type Pending = Pin<Box<dyn Future<Output = Done> + Send>>;

/// A participant's time in a room.
pub(super) struct Talk<'a> {
    output: &'a Output,
    client: Client,
    room: String,
    roster: Roster,
    joined: bool,
    /// A first failure to get in was told: the others are left to `-v`.
    complained: bool,
    /// Why the client did what it did last, and before that.
    causes: [Option<String>; 2],
    pending: FuturesUnordered<Pending>,
    pending_bytes: usize,
    /// How long the end of stdin waits for what was sent: as long as there is hope for a connection.
    patience: Duration,
    /// Nothing is read from stdin.
    listen_only: bool,
    /// What was typed and did not come to its end, where it comes from no terminal.
    failed: Failed<'a>,
    end: End,
}

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    No,
    /// No further line: left when all is acknowledged, or then.
    LastWords(Instant),
    /// The client was asked to close; it has until then.
    Leaving(Instant),
}

/// What the talk woke up for.
enum Wake {
    Stop,
    Deadline,
    Done(Done),
    Line(Option<Line>),
    Event(Option<Event>),
}

impl<'a> Talk<'a> {
    /// `patience`: how long the end of stdin waits for what was sent.
    pub(super) fn new(output: &'a Output, client: Client, room: String, patience: Duration, listen_only: bool) -> Self {
        Self {
            output,
            client,
            room,
            roster: Roster::default(),
            joined: false,
            complained: false,
            causes: [None, None],
            pending: FuturesUnordered::new(),
            pending_bytes: 0,
            patience,
            listen_only,
            failed: Failed::new(output),
            end: End::No,
        }
    }

    /// Until the client has closed.
    pub(super) async fn run(mut self, mut events: Events, stop: &Stop) -> Result<Code> {
        // The queue of one who only listens has neither lines nor an end.
        let (_silent, mut lines) = if self.listen_only { input::silence() } else { (None, input::lines()) };
        let reason = loop {
            match self.wait(&mut events, &mut lines, stop).await {
                Wake::Stop => self.leave(),
                Wake::Deadline if matches!(self.end, End::Leaving(_)) => break CloseReason::UserClosed,
                Wake::Deadline => self.leave(),
                Wake::Done(done) => self.done(&done),
                Wake::Line(Some(line)) => self.line(&line),
                Wake::Line(None) => self.last_words(),
                Wake::Event(Some(Event::Closed { reason })) => break reason,
                Wake::Event(Some(event)) => self.event(&event),
                Wake::Event(None) => break CloseReason::Internal("it ended without a reason".to_owned()),
            }
            if self.output.is_closed() && !matches!(self.end, End::Leaving(_)) {
                self.leave();
            }
            if matches!(self.end, End::LastWords(_)) && self.pending.is_empty() {
                self.leave();
            }
        };
        self.conclude(reason, lines).await
    }

    async fn wait(&mut self, events: &mut Events, lines: &mut mpsc::Receiver<Line>, stop: &Stop) -> Wake {
        let (leaving, until) = match self.end {
            End::No => (false, None),
            End::LastWords(until) => (false, Some(until)),
            End::Leaving(until) => (true, Some(until)),
        };
        let reads = self.joined && self.end == End::No && self.pending.len() < OPEN && self.pending_bytes < OPEN_BYTES;
        // Lines before events: what is typed has a bound, `OPEN`, and so cannot keep events from being told.
        tokio::select! {
            biased;
            () = stop.requested(), if !leaving => Wake::Stop,
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => Wake::Deadline,
            Some(done) = self.pending.next(), if !self.pending.is_empty() => Wake::Done(done),
            line = lines.recv(), if reads => Wake::Line(line),
            event = events.next() => Wake::Event(event),
        }
    }

    /// Asks for the end. What was sent before the goodbye goes out before it, if there is a connection.
    fn leave(&mut self) {
        self.end = End::Leaving(Instant::now() + PATIENCE);
        self.client.close();
    }

    /// No further line: what was sent may still be acknowledged.
    fn last_words(&mut self) {
        if self.end == End::No {
            self.end = End::LastWords(Instant::now() + self.patience);
        }
    }

    /// A connection was lost, or made good: what waits for it has its time anew. Where none comes, the client says so first.
    fn wait_on(&mut self) {
        if let End::LastWords(_) = self.end {
            self.end = End::LastWords(Instant::now() + self.patience + PATIENCE);
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Joined { .. } => self.joined = true,
            Event::ConnectionLost { .. } | Event::Recovered { .. } => self.wait_on(),
            Event::CallRequest(call) => self.answer(call),
            Event::Decision(decision) => {
                self.causes.rotate_right(1);
                self.causes[0] = Some(decision.cause.clone());
                // With -vv it is in the log.
                if self.output.verbose() == 1 {
                    self.output.note(text::reason(&decision.to_string()));
                }
                if !self.joined && !self.complained && decision.delay.is_some() {
                    self.complained = true;
                    self.output.note(format_args!("not in yet: {}; trying on", text::reason(&decision.cause)));
                }
            }
            _ => {}
        }
        self.tell(event);
        self.roster.observe(event);
    }

    fn tell(&self, event: &Event) {
        if matches!(event, Event::Decision(_)) && self.output.verbose() == 0 {
            return;
        }
        if self.output.json() {
            if let Some(object) = show::object(event, &self.roster, &self.room) {
                self.output.event(&json::Event::Room(object));
            }
        } else {
            for line in show::lines(event, &self.roster, &self.room) {
                self.output.line(line);
            }
        }
    }

    fn answer(&self, call: &CallRequest) {
        let result = if call.method == show::ECHO { Ok(call.payload.clone()) } else { Err(CallRefusal::NoSuchMethod) };
        if let Err(error) = self.client.reply(call, result) {
            self.output.note(format_args!("a call was not answered: {error}"));
        }
    }

    /// Does what a line asks for.
    fn line(&mut self, line: &Line) {
        if line.bytes.is_empty() && !line.too_long && self.output.is_typed() {
            return;
        }
        let number = line.number;
        if line.too_long {
            let detail = format!("a line of more than {} bytes", limits::MAX_PAYLOAD);
            self.failed.line(number, &detail);
            return told::not_sent(self.output, number, "rejected", &detail);
        }
        match command::parse(&line.bytes) {
            Ok(Command::Say(payload)) => self.send(number, payload, Outgoing::default()),
            Ok(Command::To { whom, text }) => match self.roster.find(whom) {
                Ok(id) => self.send(number, text.as_bytes(), Outgoing { to: vec![id], ..Outgoing::default() }),
                Err(why) => {
                    self.failed.line(number, &why);
                    told::not_sent(self.output, number, "no_such_participant", &why);
                }
            },
            Ok(Command::Set { key, value }) => {
                let sent = self.client.set_value(key, value.as_bytes().to_vec());
                self.follow(number, Asked::Value(key.to_owned()), key.len() + value.len(), sent);
            }
            Ok(Command::Name(name)) => {
                let bytes = name.len();
                let sent = self.client.update(SelfUpdate { name: Some(name.clone()), ..SelfUpdate::default() });
                self.follow(number, Asked::Name(name), bytes, sent);
            }
            Ok(Command::Call { whom, method, text }) => self.call(number, whom, method, text),
            Ok(Command::Who) => told::who(self.output, &self.roster, &self.client.participants()),
            Ok(Command::Quit) => self.last_words(),
            Err(hint) => {
                self.failed.line(number, &hint);
                told::hint(self.output, number, &hint);
            }
        }
    }

    fn send(&mut self, line: u64, payload: &[u8], body: Outgoing) {
        let asked = Asked::Message(show::excerpt(payload));
        let sent =
            self.client.publish(SendClass::Reliable, Outgoing { payload: Bytes::copy_from_slice(payload), ..body });
        self.follow(line, asked, payload.len(), sent);
    }

    fn follow(&mut self, line: u64, asked: Asked, bytes: usize, sent: Sent) {
        self.pend(bytes, async move { Done::Sent { line, asked, bytes, outcome: sent.await } });
    }

    fn call(&mut self, line: u64, whom: &str, method: &str, text: &str) {
        let (name, method, payload) = (whom.to_owned(), method.to_owned(), Bytes::copy_from_slice(text.as_bytes()));
        let bytes = payload.len();
        let to = match self.roster.find(whom) {
            Ok(to) => to,
            Err(why) => {
                self.failed.line(line, &why);
                return told::not_called(self.output, line, &name, &method, why);
            }
        };
        let client = self.client.clone();
        self.pend(bytes, async move {
            let result = client.call(to, method.as_str(), payload, CALL_TIMEOUT).await;
            Done::Called { line, to, name, method, bytes, result }
        });
    }

    fn pend(&mut self, bytes: usize, future: impl Future<Output = Done> + Send + 'static) {
        self.pending_bytes += bytes;
        self.pending.push(Box::pin(future));
    }

    fn done(&mut self, done: &Done) {
        self.pending_bytes = self.pending_bytes.saturating_sub(done.bytes());
        if let Done::Sent { asked: Asked::Name(name), outcome: SendOutcome::Acked, .. } = done {
            self.roster.rename_own(name);
        }
        if let Some((line, why)) = done.failure() {
            self.failed.line(line, &why);
        }
        done.tell(self.output);
    }

    /// The last of it: what became of everything, and why it is over.
    async fn conclude(mut self, reason: CloseReason, mut lines: mpsc::Receiver<Line>) -> Result<Code> {
        while let Ok(Some(done)) = timeout(PICK_UP, self.pending.next()).await {
            self.done(&done);
        }
        // Lines that were read ahead, and will not be sent any more.
        lines.close();
        while let Ok(line) = lines.try_recv() {
            let why = "the room was left before it was sent";
            match command::parse(&line.bytes) {
                Ok(Command::Who | Command::Quit) => continue,
                Ok(Command::Say(_) | Command::To { .. }) => told::not_sent(self.output, line.number, "closed", why),
                _ => {}
            }
            self.failed.line(line.number, why);
        }
        let on_purpose = matches!(reason, CloseReason::UserClosed | CloseReason::SessionEnded(EndReason::ClientLeft));
        let asked = matches!(self.end, End::Leaving(_));
        // The last cause is the one to close for.
        let failure = outcome::failure(&reason, self.causes[1].as_deref());
        self.tell(&Event::Closed { reason });
        match (on_purpose || asked, self.joined) {
            (true, true) => self.failed.verdict(),
            (true, false) => Ok(Code::Interrupted),
            (false, _) => Err(failure),
        }
    }
}
