//! `moorline room` as a process, with somebody at its keyboard.

use std::{
    ffi::OsString,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

use super::Transcript;
use crate::{
    moorline::{Ended, Home, Moorline, SOON},
    proc,
};

/// Somebody in a room. Killed when dropped.
#[derive(Debug)]
pub struct RoomUser {
    process: Moorline,
    transcript: Transcript,
    /// How many events [`event`](Self::event) has consumed.
    consumed: usize,
    /// How many lines were typed.
    typed: u64,
    /// How many of them were messages.
    messages: usize,
}

impl RoomUser {
    /// Goes to a room, and waits until it is entered.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    #[track_caller]
    pub fn join(home: &Home, urls: &[&str], room: &str, name: &str, options: &[&str]) -> Self {
        let mut user = Self::start(home, urls, room, name, options);
        user.named("joined");
        user
    }

    /// Goes to a room.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start(home: &Home, urls: &[&str], room: &str, name: &str, options: &[&str]) -> Self {
        let mut args: Vec<OsString> = vec!["room".into()];
        args.extend(urls.iter().map(OsString::from));
        args.extend([room, "--name", name, "--json"].map(OsString::from));
        args.extend(options.iter().map(OsString::from));
        Self {
            process: home.start_typing(&args),
            transcript: Transcript::default(),
            consumed: 0,
            typed: 0,
            messages: 0,
        }
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> &Moorline {
        &self.process
    }

    /// Everything up to now, as far as it was read.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Types a line. Answers its number, for its outcome.
    ///
    /// # Panics
    /// When the program takes none.
    #[track_caller]
    pub fn say(&mut self, line: &str) -> u64 {
        self.say_without_enter(&format!("{line}\n"))
    }

    /// Types without the end of a line; it counts as one.
    ///
    /// # Panics
    /// When the program takes no input.
    #[track_caller]
    pub fn say_without_enter(&mut self, text: &str) -> u64 {
        self.process.type_in(text);
        self.typed += 1;
        let is_message = !text.starts_with('/') || text.starts_with("//") || text.starts_with("/to ");
        self.messages += usize::from(is_message);
        self.typed
    }

    /// Ends the input.
    pub fn hang_up(&mut self) {
        self.process.end_input();
    }

    /// Waits for an event that fits, from where the last call stopped, and answers it.
    ///
    /// # Panics
    /// With everything the program said, when none comes in time.
    #[track_caller]
    pub fn event(&mut self, what: &str, deadline: Duration, fits: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + deadline;
        loop {
            while self.consumed < self.transcript.events().len() {
                self.consumed += 1;
                let event = &self.transcript.events()[self.consumed - 1];
                if fits(event) {
                    return event.clone();
                }
            }
            self.read(what, until);
        }
    }

    /// [`event`](Self::event) by its type.
    ///
    /// # Panics
    /// As [`event`](Self::event).
    #[track_caller]
    pub fn named(&mut self, kind: &str) -> Value {
        self.event(kind, SOON, |event| event["type"] == kind)
    }

    /// Waits for a message with this text.
    ///
    /// # Panics
    /// As [`event`](Self::event).
    #[track_caller]
    pub fn hears(&mut self, text: &str) -> Value {
        self.event(&format!("the message {text:?}"), SOON, |event| event["type"] == "message" && event["text"] == text)
    }

    /// Waits until somebody of this name has come.
    ///
    /// # Panics
    /// As [`event`](Self::event).
    #[track_caller]
    pub fn sees_arrive(&mut self, name: &str) -> Value {
        self.event(&format!("the arrival of {name}"), SOON, |event| {
            event["type"] == "participant_joined" && event["participant"]["name"] == name
        })
    }

    /// Waits until somebody of this name has left, and answers why.
    ///
    /// # Panics
    /// As [`event`](Self::event).
    #[track_caller]
    pub fn sees_leave(&mut self, name: &str, deadline: Duration) -> String {
        let left = self.event(&format!("the departure of {name}"), deadline, |event| {
            event["type"] == "participant_left" && event["participant"]["name"] == name
        });
        left["reason"].as_str().unwrap_or_else(|| panic!("no reason in {left}")).to_owned()
    }

    /// Reads on until the whole transcript fits.
    ///
    /// # Panics
    /// With everything the program said, when it does not in time.
    #[track_caller]
    pub fn until(&mut self, what: &str, deadline: Duration, fits: impl Fn(&Transcript) -> bool) {
        let until = Instant::now() + deadline;
        while !fits(&self.transcript) {
            self.read(what, until);
        }
    }

    /// Waits until each message that was typed has its outcome.
    ///
    /// # Panics
    /// With everything the program said, when one has none in time, or has two.
    #[track_caller]
    pub fn settles(&mut self, deadline: Duration) {
        let messages = self.messages;
        self.until("an outcome of every message", deadline, |transcript| transcript.outcomes().len() == messages);
    }

    /// Stops the program in mid-air: its connection stays open, and nothing is read or said.
    pub fn freeze(&self) {
        proc::signal(self.process.pid(), Signal::STOP);
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        proc::signal(self.process.pid(), Signal::CONT);
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        self.process.interrupt();
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// When it had ended before.
    #[track_caller]
    pub fn kill(self) {
        self.process.kill();
    }

    /// Leaves the room by its own door, and answers all that happened there.
    ///
    /// # Panics
    /// When the program does not end cleanly.
    #[track_caller]
    pub fn leave(mut self) -> Transcript {
        self.process.type_in("/quit\n");
        let (ended, transcript) = self.ended(SOON);
        ended.assert_code(0);
        transcript
    }

    /// Waits for the end, and answers all that happened.
    ///
    /// # Panics
    /// With everything the program said, when it has not ended in time.
    #[track_caller]
    pub fn ended(self, deadline: Duration) -> (Ended, Transcript) {
        let ended = self.process.ended(deadline);
        let mut transcript = Transcript::default();
        ended.events().into_iter().for_each(|event| transcript.push(event));
        (ended, transcript)
    }

    #[track_caller]
    fn read(&mut self, what: &str, until: Instant) {
        let event = self.process.event(what, until.saturating_duration_since(Instant::now()), |_| true);
        self.transcript.push(event);
    }
}
