//! An event on its way to the other side, still in Rust's hands.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::kinds::{MOORLINE_NUMBERS, MOORLINE_SPANS};
use crate::status::MOORLINE_OK;

/// Something that counts as used for as long as anybody holds it: an event that waits to be taken, for instance. Two are alike.
#[derive(Clone, Default)]
pub(crate) struct Hold(#[expect(dead_code, reason = "it is there to be dropped")] Option<Arc<dyn Any + Send + Sync>>);

impl Hold {
    pub(crate) fn new(held: impl Any + Send + Sync) -> Self {
        Self(Some(Arc::new(held)))
    }
}

impl PartialEq for Hold {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Hold {}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold")
    }
}

/// See [`Event`](crate::types::Event), field by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Happening {
    pub(crate) kind: u32,
    pub(crate) status: i32,
    pub(crate) handle: u64,
    pub(crate) request: u64,
    pub(crate) sequence: u64,
    pub(crate) numbers: [u64; MOORLINE_NUMBERS],
    pub(crate) spans: [Bytes; MOORLINE_SPANS],
    /// What is given back when it was taken.
    pub(crate) hold: Hold,
}

impl Happening {
    pub(crate) fn new(kind: u32, handle: u64) -> Self {
        Self { kind, status: MOORLINE_OK, handle, ..Self::default() }
    }

    pub(crate) fn status(mut self, status: i32) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn request(mut self, request: u64) -> Self {
        self.request = request;
        self
    }

    pub(crate) fn hold(mut self, hold: Hold) -> Self {
        self.hold = hold;
        self
    }

    /// Its numbers, from the first on.
    pub(crate) fn numbers<const N: usize>(mut self, numbers: [u64; N]) -> Self {
        self.numbers[..N].copy_from_slice(&numbers);
        self
    }

    /// Its spans, from the first on.
    pub(crate) fn spans<const N: usize>(mut self, spans: [Bytes; N]) -> Self {
        for (place, span) in self.spans.iter_mut().zip(spans) {
            *place = span;
        }
        self
    }

    /// Its spans, from the first on, all of them texts.
    pub(crate) fn texts<const N: usize>(self, texts: [String; N]) -> Self {
        self.spans(texts.map(Bytes::from))
    }

    /// Bytes that it holds.
    pub(crate) fn size(&self) -> usize {
        self.spans.iter().map(Bytes::len).sum()
    }
}
