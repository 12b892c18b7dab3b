//! Memory that is handed out: one block for an array of events and all that they lead to, freed in one go.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::mem::size_of;

use bytes::Bytes;

use crate::args::{out, put};
use crate::happening::Happening;
use crate::status::{Failure, MOORLINE_E_TOO_LARGE, Outcome};
use crate::types::{Event, Span};

/// Hands events out, to be freed with `moorline_free`. None: null and 0.
pub(crate) fn hand_over(happenings: &[Happening], events: *mut *const Event, count: *mut u32) -> Outcome {
    out(events, "events")?;
    out(count, "count")?;
    put(events, std::ptr::null(), "events")?;
    put(count, 0, "count")?;
    if happenings.is_empty() {
        return Ok(());
    }
    let array = happenings.len() * size_of::<Event>();
    let size = happenings.iter().fold(array, |sum, happening| sum.saturating_add(happening.size()));
    // SAFETY: any size may be asked for. What comes is aligned for every type (C11, 7.22.3).
    let block = unsafe { libc::malloc(size) }.cast::<u8>();
    if block.is_null() {
        return Err(Failure::new(MOORLINE_E_TOO_LARGE, "there is not enough memory for the events"));
    }
    let mut end = array;
    for (index, happening) in happenings.iter().enumerate() {
        let event = event_of(happening, |span| {
            // SAFETY: `size` is the array and all spans together, and `end` what is filled already.
            let data = unsafe { block.add(end) };
            // SAFETY: as above; the block is new, so that it overlaps with nothing.
            unsafe { std::ptr::copy_nonoverlapping(span.as_ptr(), data, span.len()) };
            end += span.len();
            data
        });
        // SAFETY: the array has a place for each, at the beginning of the block, which is aligned.
        unsafe { block.cast::<Event>().add(index).write(event) };
    }
    put(count, u32::try_from(happenings.len()).unwrap_or(u32::MAX), "count")?;
    put(events, block.cast::<Event>().cast_const(), "events")
}

/// The same where the caller may not care.
pub(crate) fn hand_over_optional(happenings: &[Happening], events: *mut *const Event, count: *mut u32) {
    if !events.is_null() && !count.is_null() {
        // Without memory for them they are lost, which a caller sees by a count of 0: the client is gone all the same.
        let _ = hand_over(happenings, events, count);
    }
}

/// Frees what [`hand_over`] handed out.
pub(crate) fn free(memory: *const c_void) {
    // SAFETY: the contract of `moorline_free`: it is null or a block from above that was not freed yet.
    unsafe { libc::free(memory.cast_mut()) };
}

/// The event as C sees it, with spans that lead into `happening` itself: valid for as long as that is.
pub(crate) fn borrow(happening: &Happening) -> Event {
    event_of(happening, |span| span.as_ptr())
}

fn event_of(happening: &Happening, mut place: impl FnMut(&Bytes) -> *const u8) -> Event {
    let mut spans = [Span::EMPTY; crate::kinds::MOORLINE_SPANS];
    for (span, bytes) in spans.iter_mut().zip(&happening.spans) {
        if !bytes.is_empty() {
            *span = Span { data: place(bytes), length: bytes.len() as u64 };
        }
    }
    Event {
        kind: happening.kind,
        status: happening.status,
        handle: happening.handle,
        request: happening.request,
        sequence: happening.sequence,
        numbers: happening.numbers,
        spans,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_handed_over_with_all_that_they_lead_to() {
        let texts = ["first".to_owned(), String::new(), "third".to_owned()];
        let happenings =
            [Happening::new(7, 1).numbers([1, 2]).texts(texts), Happening::new(8, 2).texts(["x".to_owned()])];
        let (mut events, mut count) = (std::ptr::null(), 0);
        hand_over(&happenings, &mut events, &mut count).expect("there is memory");
        // SAFETY: as many as `hand_over` says.
        let given = unsafe { std::slice::from_raw_parts(events, count as usize) };
        // SAFETY: the spans of an event that was handed over are valid until it is freed.
        let text = |event: usize, span: usize| unsafe { given[event].spans[span].read() }.map(<[u8]>::to_vec);
        assert_eq!((given[0].kind, given[0].numbers[..2].to_vec(), given[1].kind), (7, vec![1, 2], 8));
        assert_eq!(text(0, 0), Some(b"first".to_vec()));
        assert_eq!(text(0, 1), None);
        assert_eq!(text(0, 2), Some(b"third".to_vec()));
        assert_eq!(text(1, 0), Some(b"x".to_vec()));
        free(events.cast());
    }

    #[test]
    fn no_events_are_null_and_zero() {
        let (mut events, mut count) = (std::ptr::NonNull::<Event>::dangling().as_ptr().cast_const(), 9);
        hand_over(&[], &mut events, &mut count).expect("nothing to do");
        assert!(events.is_null() && count == 0);
        free(std::ptr::null());
    }
}
