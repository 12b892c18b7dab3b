//! Checks of single fields.

use bytes::Bytes;

use super::DecodeError;
use crate::version::VersionRange;
use crate::wire::v1;

type Field = &'static str;

pub(super) fn length(field: Field, len: usize, max: usize) -> Result<(), DecodeError> {
    if len > max {
        return Err(DecodeError::TooLong { field, len, max });
    }
    Ok(())
}

/// Text of one line.
pub(super) fn line(field: Field, text: &str, max: usize) -> Result<(), DecodeError> {
    length(field, text.len(), max)?;
    match text.chars().find(|c| c.is_control()) {
        Some(found) => Err(DecodeError::Control { field, found }),
        None => Ok(()),
    }
}

/// Text of several lines.
pub(super) fn lines(field: Field, text: &str, max: usize) -> Result<(), DecodeError> {
    length(field, text.len(), max)?;
    let bad = |c: &char| c.is_control() && !matches!(c, '\n' | '\t');
    match text.chars().find(bad) {
        Some(found) => Err(DecodeError::Control { field, found }),
        None => Ok(()),
    }
}

pub(super) fn optional_bytes(field: Field, bytes: Option<Bytes>, max: usize) -> Result<Option<Bytes>, DecodeError> {
    length(field, bytes.as_ref().map_or(0, Bytes::len), max)?;
    Ok(bytes)
}

/// An identifier or a hash.
pub(super) fn id<T: From<[u8; 32]>>(field: Field, bytes: &[u8]) -> Result<T, DecodeError> {
    let id: [u8; 32] = bytes.try_into().map_err(|_| DecodeError::NotAnId { field, len: bytes.len() })?;
    Ok(id.into())
}

pub(super) fn versions(wire: Option<v1::VersionRange>) -> Result<VersionRange, DecodeError> {
    let v1::VersionRange { min, max } = wire.ok_or(DecodeError::Missing("versions"))?;
    let range = VersionRange { min, max };
    if !range.is_valid() {
        return Err(DecodeError::OutOfRange { field: "versions" });
    }
    Ok(range)
}

pub(super) fn wire_versions(range: VersionRange) -> Option<v1::VersionRange> {
    let VersionRange { min, max } = range;
    Some(v1::VersionRange { min, max })
}

pub(super) fn wire_id(id: &[u8; 32]) -> Bytes {
    Bytes::copy_from_slice(id)
}
