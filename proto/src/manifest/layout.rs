//! Reading and writing the hashed bytes of heads and pages. Integers are unsigned and big-endian.

use super::ManifestError;

/// First byte of every head and page.
pub(super) const LAYOUT: u8 = 1;

/// Reads from the front, and knows where it is for messages.
pub(super) struct Reader<'a> {
    part: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(part: &'static str, bytes: &'a [u8]) -> Self {
        Self { part, bytes, at: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], ManifestError> {
        let rest = &self.bytes[self.at..];
        if len > rest.len() {
            return Err(self.error("ends in the middle of a field"));
        }
        self.at += len;
        Ok(&rest[..len])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ManifestError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, ManifestError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, ManifestError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, ManifestError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, ManifestError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn hash(&mut self) -> Result<[u8; 32], ManifestError> {
        self.array()
    }

    pub(super) fn layout(&mut self) -> Result<(), ManifestError> {
        match self.u8()? {
            LAYOUT => Ok(()),
            _ => Err(self.error("unknown layout number")),
        }
    }

    pub(super) fn error(&self, what: &'static str) -> ManifestError {
        ManifestError::Layout { part: self.part, at: self.at, what }
    }
}
