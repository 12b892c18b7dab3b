//! A history that people can read: what went in, what came out, when.

use std::fmt::Write as _;
use std::time::Instant;

use moorline_signaling::machine::{Event, Input, Output, State, Transport};

use crate::wire;

/// One line of a history.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    /// Into the machine.
    In(Instant, Input),
    /// Out of the machine.
    Out(Instant, Output),
    /// Where the machine is after that, if it is somewhere else.
    At(Instant, State),
    /// What the test did to the world.
    Note(Instant, String),
}

/// The last `count` lines, with times since `start`.
pub(crate) fn tell(start: Instant, lines: &[Line], count: usize) -> String {
    let mut text = String::new();
    if lines.len() > count {
        let _ = writeln!(text, "... {} earlier lines", lines.len() - count);
    }
    for line in &lines[lines.len().saturating_sub(count)..] {
        let _ = writeln!(text, "{}", words(start, line));
    }
    text
}

fn words(start: Instant, line: &Line) -> String {
    let (at, words) = match line {
        Line::In(at, input) => (at, format!("> {}", input_words(input))),
        Line::Out(at, output) => (at, format!("<   {}", output_words(output))),
        Line::At(at, state) => (at, format!("=   {state:?}")),
        Line::Note(at, note) => (at, format!("* {note}")),
    };
    format!("{:>9.3} {words}", at.saturating_duration_since(start).as_secs_f64())
}

/// An input in a few words.
pub(crate) fn input_words(input: &Input) -> String {
    match input {
        Input::Transport(epoch, Transport::Frame(frame)) => match wire::server(frame) {
            Some(decoded) => format!("[{epoch}] {}", wire::down_words(&decoded)),
            None => format!("[{epoch}] {} bytes of garbage", frame.len()),
        },
        Input::Transport(epoch, report) => format!("[{epoch}] {report:?}"),
        Input::Send { id, class, body, ttl } => {
            format!(
                "Send {id} {class:?} {} bytes{}",
                body.payload.len(),
                ttl.map_or(String::new(), |t| format!(" ttl {t:?}"))
            )
        }
        Input::Update { id, .. } => format!("Update {id}"),
        Input::Call { id, timeout, .. } => format!("Call {id} timeout {timeout:?}"),
        Input::Reply { call, .. } => format!("Reply {call}"),
        other => format!("{other:?}"),
    }
}

/// An output in a few words.
pub(crate) fn output_words(output: &Output) -> String {
    match output {
        Output::Write { epoch, frame } => match wire::client(frame) {
            Some(decoded) => format!("[{epoch}] {}", wire::up_words(&decoded)),
            None => format!("[{epoch}] {} bytes of garbage", frame.len()),
        },
        Output::Dial { epoch, url } => format!("Dial [{epoch}] {url}"),
        Output::Abort { epoch, code: Some(code) } => format!("Abort [{epoch}] {code}"),
        Output::Abort { epoch, code: None } => format!("Abort [{epoch}] with a reset"),
        Output::FetchToken { force } => format!("FetchToken{}", if *force { " (forced)" } else { "" }),
        Output::FetchCreds { exclude, prefer, .. } => {
            let mut words = "FetchCreds".to_owned();
            if !exclude.is_empty() {
                let _ = write!(words, " not {}", exclude.join(" "));
            }
            if let Some(prefer) = prefer {
                let _ = write!(words, " rather {prefer}");
            }
            words
        }
        Output::App(event) => format!("App {}", event_words(event)),
    }
}

/// An event in a few words.
pub(crate) fn event_words(event: &Event) -> String {
    match event {
        Event::StateChanged { from, to, cause } => format!("{from} -> {to} ({cause})"),
        Event::Joined { node, participants, .. } => format!("Joined at {node}, {} in the room", participants.len()),
        Event::ConnectionLost { epoch, cause } => format!("ConnectionLost [{epoch}] {cause}"),
        Event::Recovered { epoch, strategy, resumed, replayed, resent, downtime } => {
            let kept = if *resumed { "resumed" } else { "new session" };
            let downtime = downtime.as_millis();
            format!("Recovered [{epoch}] {strategy}, {kept}, replayed {replayed}, resent {resent}, down {downtime} ms")
        }
        Event::ResyncRequired { participants, .. } => format!("ResyncRequired, {} in the room", participants.len()),
        Event::Message(message) => {
            format!("Message {} at {:?}", message.dedupe_id, message.pos.map(|pos| pos.seq))
        }
        Event::ParticipantJoined(who) => format!("ParticipantJoined {}", who.id),
        Event::ParticipantUpdated(who) => format!("ParticipantUpdated {}", who.id),
        Event::ParticipantLeft { participant, reason } => format!("ParticipantLeft {} {reason:?}", participant.id),
        Event::ValueChanged { from, key, rev, .. } => format!("ValueChanged {from} {key} rev {rev}"),
        Event::CallRequest(call) => format!("CallRequest {} from {}", call.id, call.from),
        Event::CallOutcome { id, result } => format!(
            "CallOutcome {id} {}",
            match result {
                Ok(_) => "ok".to_owned(),
                Err(error) => format!("{error:?}"),
            }
        ),
        Event::SendOutcome { id, outcome } => format!("SendOutcome {id} {outcome:?}"),
        Event::Decision(decision) => format!("| {decision}"),
        Event::Closed { reason } => format!("Closed: {reason}"),
        other => format!("{other:?}"),
    }
}
