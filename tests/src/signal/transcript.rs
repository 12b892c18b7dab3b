//! What a room looked like from one of its people.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

/// The events that one `moorline room --json` wrote, in order.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    events: Vec<Value>,
}

impl Transcript {
    pub(super) fn push(&mut self, event: Value) {
        self.events.push(event);
    }

    /// All of them.
    #[must_use]
    pub fn events(&self) -> &[Value] {
        &self.events
    }

    /// Those of a type.
    pub fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |event| event["type"] == kind)
    }

    /// How many there are of a type.
    #[must_use]
    pub fn count(&self, kind: &str) -> usize {
        self.of(kind).count()
    }

    /// The texts that a participant of this name sent here, in the order in which they came.
    #[must_use]
    pub fn texts_from(&self, name: &str) -> Vec<&str> {
        self.of("message")
            .filter(|event| event["name"] == name)
            .map(|event| event["text"].as_str().unwrap_or("(no text)"))
            .collect()
    }

    /// How each line that was typed fared, by its number.
    ///
    /// # Panics
    /// When a line fared twice.
    #[must_use]
    #[track_caller]
    pub fn outcomes(&self) -> BTreeMap<u64, &str> {
        let mut outcomes = BTreeMap::new();
        for event in self.of("sent") {
            let line = event["line"].as_u64().unwrap_or_else(|| panic!("no line in {event}"));
            let outcome = event["outcome"].as_str().unwrap_or_else(|| panic!("no outcome in {event}"));
            assert!(outcomes.insert(line, outcome).is_none(), "line {line} has two outcomes\n{self}");
        }
        outcomes
    }

    /// Reasons for which a participant of this name left, as seen from here.
    #[must_use]
    pub fn departures_of(&self, name: &str) -> Vec<&str> {
        self.of("participant_left")
            .filter(|event| event["participant"]["name"] == name)
            .map(|event| event["reason"].as_str().unwrap_or("(no reason)"))
            .collect()
    }

    /// How often a participant of this name came after us.
    #[must_use]
    pub fn arrivals_of(&self, name: &str) -> usize {
        self.of("participant_joined").filter(|event| event["participant"]["name"] == name).count()
    }

    /// Passes if no connection was lost.
    ///
    /// # Panics
    /// With everything that happened, when one was.
    #[track_caller]
    pub fn assert_never_lost(&self) {
        assert_eq!(self.count("lost"), 0, "a connection was lost\n{self}");
    }

    /// Passes if every loss was followed by a return, up to now.
    ///
    /// # Panics
    /// With everything that happened, when one was not, or a return came without a loss.
    #[track_caller]
    pub fn assert_each_loss_recovered(&self) {
        let mut lost = false;
        for event in &self.events {
            match event["type"].as_str() {
                Some("lost") => assert!(!std::mem::replace(&mut lost, true), "two losses without a return\n{self}"),
                Some("recovered") if event["strategy"] != "migrate" => {
                    assert!(std::mem::replace(&mut lost, false), "a return without a loss\n{self}");
                }
                Some("recovered") => lost = false,
                _ => {}
            }
        }
        assert!(!lost, "a loss without a return\n{self}");
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 200;
        let skipped = self.events.len().saturating_sub(SHOWN);
        writeln!(f, "── the last of {} events", self.events.len())?;
        self.events.iter().skip(skipped).try_for_each(|event| writeln!(f, "  {event}"))
    }
}
