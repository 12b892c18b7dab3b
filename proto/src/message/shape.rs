//! Counts fields before protobuf decoding allocates for them.
//!
//! A repeated message of two bytes on the wire becomes a struct of some 200 in memory; undisturbed, prost would make
//! tens of megabytes of one frame. So each frame is walked first, without allocation: every repeated field has a
//! maximum, and a message field that holds one occurs once, since protobuf would merge several into a longer list. What
//! passes decodes into at most the bytes of the frame and a fixed amount for each element that is allowed.

use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};

use super::DecodeError;

/// The fields of a message that need counting. All others replace their former value when they come again, or are
/// unknown and skipped.
pub(super) type Shape = &'static [Field];

pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: &'static str,
    pub(super) max: usize,
    pub(super) content: Content,
}

pub(super) enum Content {
    /// Nothing in it needs counting.
    Plain,
    /// Numbers, packed or not: each counts.
    Numbers,
    Message(Shape),
}

impl Field {
    pub(super) const fn repeated(number: u32, name: &'static str, max: usize) -> Self {
        Self { number, name, max, content: Content::Plain }
    }

    pub(super) const fn numbers(number: u32, name: &'static str, max: usize) -> Self {
        Self { number, name, max, content: Content::Numbers }
    }

    /// A singular message with `shape` inside.
    pub(super) const fn message(number: u32, name: &'static str, shape: Shape) -> Self {
        Self { number, name, max: 1, content: Content::Message(shape) }
    }
}

/// Decodes a frame after its counts were found to be in order.
pub(super) fn decode<M: Message + Default>(shape: Shape, frame: &[u8]) -> Result<M, DecodeError> {
    walk(shape, frame)?;
    M::decode(frame).map_err(malformed)
}

fn walk(shape: Shape, mut rest: &[u8]) -> Result<(), DecodeError> {
    let mut counts = [0usize; 8];
    debug_assert!(shape.len() <= counts.len());
    while !rest.is_empty() {
        let (number, wire_type) = decode_key(&mut rest).map_err(malformed)?;
        let body = body(wire_type, &mut rest)?;
        let counted = shape.iter().zip(&mut counts);
        let Some((field, count)) = counted.into_iter().find(|(field, _)| field.number == number) else {
            continue;
        };
        *count += match (&field.content, wire_type) {
            (Content::Numbers, WireType::LengthDelimited) => numbers_in(body),
            _ => 1,
        };
        if *count > field.max {
            return Err(DecodeError::TooMany { field: field.name, max: field.max });
        }
        if let (Content::Message(shape), WireType::LengthDelimited) = (&field.content, wire_type) {
            walk(shape, body)?;
        }
    }
    Ok(())
}

/// Splits off the value of a field. Without the length prefix, where it has one.
fn body<'a>(wire_type: WireType, rest: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let len = match wire_type {
        WireType::Varint => {
            let before = *rest;
            decode_varint(rest).map_err(malformed)?;
            return Ok(&before[..before.len() - rest.len()]);
        }
        WireType::SixtyFourBit => 8,
        WireType::ThirtyTwoBit => 4,
        WireType::LengthDelimited => decode_varint(rest).map_err(malformed)?,
        WireType::StartGroup | WireType::EndGroup => {
            return Err(DecodeError::Malformed("groups are not used".to_owned()));
        }
    };
    let cut = usize::try_from(len).ok().and_then(|len| rest.split_at_checked(len));
    let (body, after) = cut.ok_or_else(|| DecodeError::Malformed("ends inside a field".to_owned()))?;
    *rest = after;
    Ok(body)
}

/// How many varints: each has one byte without the continuation bit, its last.
fn numbers_in(packed: &[u8]) -> usize {
    packed.iter().filter(|byte| **byte < 0x80).count()
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn malformed(error: prost::DecodeError) -> DecodeError {
    DecodeError::Malformed(error.to_string())
}
