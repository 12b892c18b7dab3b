use std::time::Duration;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};

/// Something with the time at which it happens.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timed<T> {
    /// Since the start, in simulated milliseconds.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub what: T,
}

impl<T> Timed<T> {
    /// Something at a time.
    pub fn at(at_ms: u64, what: T) -> Self {
        Self { at_ms, what }
    }

    /// When.
    pub fn time(&self) -> Duration {
        Duration::from_millis(self.at_ms)
    }
}

// By hand, because serde's flatten accepts unknown fields.
impl<'de, T: DeserializeOwned> Deserialize<'de> for Timed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = toml::Table::deserialize(deserializer)?;
        let at_ms = table.remove("at_ms").ok_or_else(|| D::Error::missing_field("at_ms"))?;
        let at_ms = at_ms.try_into().map_err(|error| D::Error::custom(format!("at_ms: {}", message(&error))))?;
        let what = toml::Value::Table(table).try_into().map_err(|error| D::Error::custom(message(&error)))?;
        Ok(Self { at_ms, what })
    }
}

fn message(error: &toml::de::Error) -> String {
    error.message().trim().to_owned()
}
