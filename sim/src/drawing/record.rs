//! A line of a trace, read back.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// What every record has, and the rest by name.
#[derive(Debug, Deserialize)]
pub(super) struct Record {
    pub(super) t_us: u64,
    pub(super) host: String,
    pub(super) kind: String,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

impl Record {
    /// `None` if the line is no record.
    pub(super) fn read(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    /// A field that is a text; empty if there is none.
    pub(super) fn text(&self, key: &str) -> &str {
        self.rest.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// A field that is a number.
    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.rest.get(key).and_then(Value::as_u64)
    }

    /// All fields that are not common to all records, for people.
    pub(super) fn all_fields(&self) -> String {
        let field = |(key, value): (&String, &Value)| match value {
            Value::String(text) => format!("{key} {text}"),
            other => format!("{key} {other}"),
        };
        self.rest.iter().map(field).collect::<Vec<_>>().join(", ")
    }
}
