use std::ops::Deref;

use quinn::VarInt;

use super::LastWords;
use crate::{CloseReason, ConnectionEnd};

/// A QUIC connection on which TLS is done, and which is closed audibly in every case: for a reason, or, when it is dropped, for none.
pub(crate) struct Link(quinn::Connection);

impl Link {
    pub(crate) fn new(connection: quinn::Connection) -> Self {
        Self(connection)
    }

    /// Closes the connection, if it is not closed yet.
    pub(crate) fn close(&self, reason: &CloseReason) {
        let (code, words) = reason.to_wire();
        self.close_with(code, &words);
    }

    pub(crate) fn end(&self) -> Option<ConnectionEnd> {
        self.0.close_reason().map(|error| ConnectionEnd::from_quinn(&error))
    }

    fn close_with(&self, code: VarInt, words: &[u8]) {
        if self.0.close_reason().is_none() {
            LastWords::allow(&self.0);
            self.0.close(code, words);
        }
    }
}

impl Deref for Link {
    type Target = quinn::Connection;

    fn deref(&self) -> &quinn::Connection {
        &self.0
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // quinn would do the same, without the allowance.
        self.close_with(VarInt::from_u32(0), b"");
    }
}
