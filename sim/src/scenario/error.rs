use std::fmt;

use super::locate;

/// What is wrong with a scenario: where, what, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ScenarioError {
    /// Counts from 1; `None` if there is no text.
    pub line: Option<usize>,
    /// What and where, and what to do.
    pub message: String,
    /// The heading of the table that is meant, and which of those that have it, from 0.
    place: Option<(&'static str, usize)>,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl ScenarioError {
    /// TOML that cannot be read, or does not have the fields that it is to have.
    pub(super) fn syntax(text: &str, error: &toml::de::Error) -> Self {
        let (line, what) = match locate::first_fault(text) {
            Some((line, what)) => (Some(line), what),
            None => (error.span().map(|span| line_at(text, span.start)), error.message().trim().to_owned()),
        };
        let advice = if what.contains("unknown field") || what.contains("unknown variant") {
            "correct the name or remove it"
        } else if what.contains("missing field") {
            "add it"
        } else {
            "correct it"
        };
        Self { line, message: format!("{what}; {advice}"), place: None }
    }

    /// About the scenario as a whole.
    pub(super) fn general(message: impl Into<String>) -> Self {
        Self { line: None, message: message.into(), place: None }
    }

    /// About the table with this heading, the `index`th of its kind.
    pub(super) fn at(heading: &'static str, index: usize, message: impl fmt::Display) -> Self {
        let message = format!("{heading} number {}: {message}", index + 1);
        Self { line: None, message, place: Some((heading, index)) }
    }

    /// Finds the line of what is meant.
    pub(super) fn locate(self, text: &str) -> Self {
        let Some((heading, index)) = self.place else { return self };
        Self { line: locate::heading(text, heading, index), ..self }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
