//! Frames: a big-endian `u32` length, then that many bytes.

use bytes::{BufMut, Bytes, BytesMut};

/// The most bytes that a frame may carry, header not counted, unless the owner of a connection asks for less.
pub const MAX_FRAME: usize = 256 * 1024;

/// Bytes before the payload: the length as a big-endian `u32`.
pub const FRAME_HEADER_LEN: usize = 4;

/// How much is set aside when a frame begins; more only as bytes arrive.
const FIRST_ALLOCATION: usize = 4096;

/// A frame that must not be sent, or that came in and must not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The frame is longer than agreed. Of an incoming frame nothing was read or allocated.
    #[error("frame of {len} bytes is over the limit of {max}")]
    TooLong {
        /// Bytes announced or given.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
}

/// Puts the length before `payload`.
///
/// # Errors
/// [`FrameError::TooLong`] when the payload has more than `max` bytes (or more than a `u32` counts).
pub fn encode_frame(payload: &[u8], max: usize) -> Result<Bytes, FrameError> {
    let too_long = FrameError::TooLong { len: payload.len(), max };
    let len = u32::try_from(payload.len()).map_err(|_| too_long)?;
    if payload.len() > max {
        return Err(too_long);
    }
    let mut frame = BytesMut::with_capacity(FRAME_HEADER_LEN + payload.len());
    frame.put_u32(len);
    frame.put_slice(payload);
    Ok(frame.freeze())
}

/// Reads a frame header: how many bytes of payload follow. For owners of a stream who read exact lengths themselves;
/// everyone else uses [`FrameDecoder`].
///
/// # Errors
/// [`FrameError::TooLong`] when that is more than `max`. Check before allocating.
pub fn parse_frame_len(header: [u8; FRAME_HEADER_LEN], max: usize) -> Result<usize, FrameError> {
    let announced = u32::from_be_bytes(header);
    let len = usize::try_from(announced).unwrap_or(usize::MAX);
    if len > max {
        return Err(FrameError::TooLong { len, max });
    }
    Ok(len)
}

/// Cuts a stream of bytes into frames.
///
/// Feed with [`push`](Self::push), drain with [`next`](Self::next). The decoder holds one frame at a time: `push` takes
/// bytes up to the end of that frame and says how many; the rest is for after `next`. So it never holds more than the
/// limit, whatever is fed, and memory grows with what has arrived, not with what a header promises.
///
/// ```
/// # use moorline_proto::{FrameDecoder, MAX_FRAME, encode_frame};
/// let mut wire = encode_frame(b"one", MAX_FRAME)?.to_vec();
/// wire.extend_from_slice(&encode_frame(b"two", MAX_FRAME)?);
///
/// let mut decoder = FrameDecoder::new(MAX_FRAME);
/// let mut input = wire.as_slice();
/// let mut frames = Vec::new();
/// while !input.is_empty() {
///     let taken = decoder.push(input);
///     input = &input[taken..];
///     while let Some(frame) = decoder.next()? {
///         frames.push(frame);
///     }
/// }
/// assert_eq!(frames, ["one", "two"]);
/// # Ok::<(), moorline_proto::FrameError>(())
/// ```
#[derive(Debug)]
pub struct FrameDecoder {
    max: usize,
    header: [u8; FRAME_HEADER_LEN],
    /// How much of `header` has arrived.
    header_filled: usize,
    /// Payload so far; its capacity never exceeds the payload's length.
    payload: Vec<u8>,
}

impl FrameDecoder {
    /// A decoder that refuses frames of more than `max` bytes.
    pub fn new(max: usize) -> Self {
        Self { max, header: [0; FRAME_HEADER_LEN], header_filled: 0, payload: Vec::new() }
    }

    /// Takes bytes of the current frame from the front of `bytes` and returns how many. Fewer than given means that the
    /// frame is whole, or refused: call [`next`](Self::next), then push the rest.
    #[must_use = "bytes that were not taken belong to the next frame"]
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let head = bytes.len().min(FRAME_HEADER_LEN - self.header_filled);
        self.header[self.header_filled..][..head].copy_from_slice(&bytes[..head]);
        self.header_filled += head;

        let Ok(Some(len)) = self.announced() else {
            return head;
        };
        let rest = &bytes[head..];
        let body = rest.len().min(len - self.payload.len());
        self.reserve(body, len);
        self.payload.extend_from_slice(&rest[..body]);
        head + body
    }

    /// The frame, if it is whole; `None` if more bytes are needed.
    ///
    /// # Errors
    /// [`FrameError::TooLong`]: the peer breaks the protocol. The stream cannot be resynchronised; every later call
    /// answers the same.
    #[expect(clippy::should_implement_trait, reason = "an iterator would end at `None`")]
    pub fn next(&mut self) -> Result<Option<Bytes>, FrameError> {
        match self.announced()? {
            Some(len) if self.payload.len() == len => {
                self.header_filled = 0;
                Ok(Some(std::mem::take(&mut self.payload).into()))
            }
            _ => Ok(None),
        }
    }

    /// Bytes held, header included: at most the limit and [`FRAME_HEADER_LEN`].
    pub fn buffered(&self) -> usize {
        self.header_filled + self.payload.len()
    }

    /// Whether the stream may end here: nothing of a further frame has arrived.
    pub fn is_between_frames(&self) -> bool {
        self.header_filled == 0
    }

    fn announced(&self) -> Result<Option<usize>, FrameError> {
        if self.header_filled < FRAME_HEADER_LEN {
            return Ok(None);
        }
        parse_frame_len(self.header, self.max).map(Some)
    }

    /// Room for `more` bytes of a payload of `len`: doubles, but never beyond the end of the payload.
    fn reserve(&mut self, more: usize, len: usize) {
        let needed = self.payload.len() + more;
        if needed > self.payload.capacity() {
            let doubled = (self.payload.capacity() * 2).max(FIRST_ALLOCATION);
            let capacity = doubled.min(len).max(needed);
            self.payload.reserve_exact(capacity - self.payload.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode_all(input: &[u8], max: usize, pieces: &[usize]) -> Result<Vec<Bytes>, FrameError> {
        let mut decoder = FrameDecoder::new(max);
        let mut frames = Vec::new();
        let mut sizes = pieces.iter().copied().chain(std::iter::repeat(usize::MAX));
        let mut rest = input;
        while !rest.is_empty() {
            let piece = sizes.next().unwrap_or(1).clamp(1, rest.len());
            let taken = decoder.push(&rest[..piece]);
            rest = &rest[taken..];
            assert!(decoder.buffered() <= max + FRAME_HEADER_LEN);
            assert!(decoder.payload.capacity() <= max);
            while let Some(frame) = decoder.next()? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    #[test]
    fn the_limit_itself_passes_and_one_more_is_refused_both_ways() {
        let at_limit = vec![1; 100];
        let frame = encode_frame(&at_limit, 100).unwrap();
        assert_eq!(decode_all(&frame, 100, &[]).unwrap(), [at_limit]);

        let refused = Err(FrameError::TooLong { len: 101, max: 100 });
        assert_eq!(encode_frame(&[1; 101], 100), refused);
        let mut decoder = FrameDecoder::new(100);
        assert_eq!(decoder.push(&[0, 0, 0, 101, 9, 9]), FRAME_HEADER_LEN);
        assert_eq!(decoder.next(), Err(FrameError::TooLong { len: 101, max: 100 }));
        assert_eq!(decoder.push(&[9; 50]), 0);
        assert_eq!(decoder.next(), Err(FrameError::TooLong { len: 101, max: 100 }));
        assert_eq!(decoder.payload.capacity(), 0);
    }

    #[test]
    fn a_promise_allocates_nothing() {
        let mut decoder = FrameDecoder::new(MAX_FRAME);
        let header = u32::try_from(MAX_FRAME).unwrap().to_be_bytes();
        assert_eq!(decoder.push(&header), FRAME_HEADER_LEN);
        assert_eq!(decoder.push(&[1]), 1);
        assert_eq!(decoder.next(), Ok(None));
        assert!(decoder.payload.capacity() <= FIRST_ALLOCATION);
    }

    #[test]
    fn an_empty_frame_is_a_frame() {
        assert_eq!(decode_all(&[0, 0, 0, 0], 10, &[]).unwrap(), [""]);
    }

    #[test]
    fn the_end_of_a_stream_inside_a_frame_can_be_told() {
        let mut decoder = FrameDecoder::new(10);
        assert!(decoder.is_between_frames());
        assert_eq!(decoder.push(&[0, 0, 0]), 3);
        assert!(!decoder.is_between_frames());
    }

    proptest! {
        #[test]
        fn frames_round_trip_however_they_are_split(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
            pieces in prop::collection::vec(1usize..200, 0..50),
        ) {
            let mut wire = Vec::new();
            for payload in &payloads {
                wire.extend_from_slice(&encode_frame(payload, 300).unwrap());
            }
            prop_assert_eq!(decode_all(&wire, 300, &pieces).unwrap(), payloads);
        }

        #[test]
        fn arbitrary_bytes_stay_within_the_limit(
            input in prop::collection::vec(any::<u8>(), 0..2000),
            small in prop::collection::vec(0u8..3, 0..2000),
            pieces in prop::collection::vec(1usize..200, 0..50),
        ) {
            // `decode_all` checks the bound; small values make lengths that pass.
            let _ = decode_all(&input, 600, &pieces);
            let _ = decode_all(&small, 600, &pieces);
        }
    }
}
