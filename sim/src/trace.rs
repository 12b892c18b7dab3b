use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::SimClock;

/// Everything that happened, in order, one JSON object a line: `{"t_us":..,"seq":..,"host":"..","kind":"..", ...}`.
///
/// `t_us` is simulated time in microseconds, `seq` counts the records. Clones are the same trace. Records are counted into the
/// [`Fingerprint`] whether or not their text is kept.
#[derive(Clone)]
pub struct Trace {
    clock: SimClock,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    text: String,
    line: String,
    hasher: blake3::Hasher,
    records: u64,
    keep_bytes: usize,
    /// The simulation is being taken down: what its destructors do is no part of it.
    sealed: bool,
}

/// What identifies a trace: a hash of all its lines. Prints as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(blake3::Hash);

impl Trace {
    /// Keeps at most `keep_bytes` of text; what is beyond that only counts.
    pub(crate) fn new(clock: SimClock, keep_bytes: usize) -> Self {
        let inner = Inner {
            text: String::new(),
            line: String::new(),
            hasher: blake3::Hasher::new(),
            records: 0,
            keep_bytes,
            sealed: false,
        };
        Self { clock, inner: Arc::new(Mutex::new(inner)) }
    }

    /// Adds a record. `host` and `kind` are plain words; `fields` adds what belongs to this kind, in the order given.
    pub fn record(&self, host: &str, kind: &str, fields: impl FnOnce(&mut Fields<'_>)) {
        let t_us = self.clock.now_us();
        let mut inner = self.lock();
        if inner.sealed {
            return;
        }
        let mut line = std::mem::take(&mut inner.line);
        line.clear();
        let _ = write!(line, r#"{{"t_us":{t_us},"seq":{}"#, inner.records);
        let mut writer = Fields(&mut line);
        writer.text("host", host).text("kind", kind);
        fields(&mut writer);
        line.push_str("}\n");
        inner.hasher.update(line.as_bytes());
        inner.records += 1;
        if inner.text.len() + line.len() <= inner.keep_bytes {
            inner.text.push_str(&line);
        }
        inner.line = line;
    }

    /// How many records there are.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.lock().records
    }

    /// Of all records so far.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.lock().hasher.finalize())
    }

    /// The lines that were kept.
    #[must_use]
    pub fn text(&self) -> String {
        self.lock().text.clone()
    }

    pub(crate) fn seal(&self) {
        self.lock().sealed = true;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("records", &self.records()).finish_non_exhaustive()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// Adds fields to a record.
pub struct Fields<'a>(&'a mut String);

impl Fields<'_> {
    /// A text.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        let _ = write!(self.0, r#","{key}":"#);
        // Names and kinds are most of what is written, and need no escapes.
        if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
            let _ = write!(self.0, r#""{value}""#);
        } else {
            self.0.push_str(&serde_json::Value::from(value).to_string());
        }
        self
    }

    /// A whole number.
    pub fn number(&mut self, key: &str, value: u64) -> &mut Self {
        let _ = write!(self.0, r#","{key}":{value}"#);
        self
    }

    /// Bytes, as their length and the first 8 bytes of their BLAKE3 hash.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        let hash = blake3::hash(value);
        let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
        let short = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let _ = write!(self.0, r#","len":{},"hash":"{short:016x}""#, value.len());
        self
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_record_is_a_line_of_json_and_counts_even_if_it_is_not_kept() {
        let trace = Trace::new(SimClock::new(UNIX_EPOCH), 150);
        trace.record("ann", "said", |fields| {
            fields.text("what", "a \"word\"\n").number("times", 3).bytes(b"x");
        });
        let one = trace.fingerprint();
        let parsed: serde_json::Value = serde_json::from_str(&trace.text()).unwrap();
        assert_eq!(parsed["what"], "a \"word\"\n");
        assert_eq!((&parsed["times"], &parsed["len"], &parsed["seq"]), (&3.into(), &1.into(), &0.into()));
        trace.record("ann", "said", |_| {});
        assert_eq!((trace.records(), trace.text().lines().count()), (2, 1), "there is room for one line");
        assert_ne!(trace.fingerprint(), one);
        trace.seal();
        trace.record("ann", "said", |_| {});
        assert_eq!(trace.records(), 2);
    }
}
