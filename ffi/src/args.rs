//! What callers hand in: pointers, lengths and structs that may be anything. Here they are checked, once.
#![allow(unsafe_code)]

use std::mem::{size_of, zeroed};

use crate::status::{
    Failure, MOORLINE_E_INVALID_ARGUMENT, MOORLINE_E_INVALID_UTF8, MOORLINE_E_NULL, MOORLINE_E_STRUCT_SIZE,
    MOORLINE_E_TOO_LARGE, Outcome,
};
use crate::types::{DownloadOptions, Error, InitOptions, NodeOptions, RoomOptions, SendOptions, Span, UpdateOptions};

/// Longest text or payload that is taken: far more than anything below takes.
const MAX_BYTES: u64 = 16 << 20;
/// Longest list.
const MAX_COUNT: u32 = 4096;
/// Longest struct that a future caller may hand in.
const MAX_STRUCT: u32 = 4096;

impl Span {
    pub(crate) const EMPTY: Self = Self { data: std::ptr::null(), length: 0 };

    /// A span of bytes that live for ever.
    pub(crate) const fn of(bytes: &'static [u8]) -> Self {
        Self { data: bytes.as_ptr(), length: bytes.len() as u64 }
    }

    /// The bytes, `None` if there are none.
    ///
    /// # Safety
    /// They must be readable for as long as the result is used.
    pub(crate) unsafe fn read<'a>(&self) -> Option<&'a [u8]> {
        // SAFETY: the caller says so.
        (!self.data.is_null()).then(|| unsafe { std::slice::from_raw_parts(self.data, self.length as usize) })
    }
}

/// Bytes that the caller lends for the call.
pub(crate) fn bytes<'a>(data: *const u8, length: u64, what: &str) -> Outcome<&'a [u8]> {
    if length > MAX_BYTES {
        let message = format!("{what} is {length} bytes long, and the limit is {MAX_BYTES}");
        return Err(Failure::new(MOORLINE_E_TOO_LARGE, message));
    }
    if data.is_null() && length > 0 {
        return Err(null(what));
    }
    // SAFETY: the contract of every function: `length` bytes are readable at `data` during the call.
    Ok(unsafe { Span { data, length }.read() }.unwrap_or_default())
}

/// Text that the caller lends for the call.
pub(crate) fn text<'a>(data: *const u8, length: u64, what: &str) -> Outcome<&'a str> {
    std::str::from_utf8(bytes(data, length, what)?)
        .map_err(|error| Failure::new(MOORLINE_E_INVALID_UTF8, format!("{what} is not UTF-8: {error}")))
}

/// Text in a struct; `None` if there is none.
pub(crate) fn given<'a>(span: &Span, what: &str) -> Outcome<Option<&'a str>> {
    let text = text(span.data, span.length, what)?;
    Ok((!text.is_empty()).then_some(text))
}

/// A list of things in a struct.
pub(crate) fn list<'a, T>(items: *const T, count: u32, what: &str) -> Outcome<&'a [T]> {
    if count > MAX_COUNT {
        let message = format!("{what} has {count} entries, and the limit is {MAX_COUNT}");
        return Err(Failure::new(MOORLINE_E_TOO_LARGE, message));
    }
    if count == 0 {
        return Ok(&[]);
    }
    aligned(items, what)?;
    // SAFETY: the contract of the struct: it leads to so many, during the call; it is neither null nor misaligned.
    Ok(unsafe { std::slice::from_raw_parts(items, count as usize) })
}

/// A list of texts in a struct.
pub(crate) fn texts<'a>(items: *const Span, count: u32, what: &str) -> Outcome<Vec<&'a str>> {
    list(items, count, what)?.iter().map(|span| text(span.data, span.length, what)).collect()
}

/// A struct that begins with its size and may grow at its end.
///
/// # Safety
/// `repr(C)`, begins with a `u32`, and all zeros is a value of it.
pub(crate) unsafe trait Sized32: Copy {}

// SAFETY: integers, pointers that may be null, and the size first.
unsafe impl Sized32 for InitOptions {}
// SAFETY: as above.
unsafe impl Sized32 for NodeOptions {}
// SAFETY: as above.
unsafe impl Sized32 for DownloadOptions {}
// SAFETY: as above.
unsafe impl Sized32 for RoomOptions {}
// SAFETY: as above.
unsafe impl Sized32 for SendOptions {}
// SAFETY: as above.
unsafe impl Sized32 for UpdateOptions {}

/// A copy of the struct: what the caller's version of it lacks is zero, and what only that has must be zero.
pub(crate) fn options<T: Sized32>(pointer: *const T, what: &str) -> Outcome<T> {
    aligned(pointer, what)?;
    // SAFETY: every struct begins with its size (`Sized32`), which the caller has set.
    let size = unsafe { pointer.cast::<u32>().read() };
    let known = size_of::<T>();
    // This is the first version: none is shorter.
    if (size as usize) < known || size > MAX_STRUCT {
        let message = format!("struct_size of {what} is {size}: set it to sizeof of the struct, which is {known}");
        return Err(Failure::new(MOORLINE_E_STRUCT_SIZE, message));
    }
    // SAFETY: the caller says that so many bytes are there.
    let raw = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), size as usize) };
    if raw[known..].iter().any(|byte| *byte != 0) {
        let message = format!("{what} has fields that this library does not know: it is older than the header");
        return Err(Failure::new(MOORLINE_E_STRUCT_SIZE, message));
    }
    // SAFETY: all zeros is a value of it (`Sized32`).
    let mut copy: T = unsafe { zeroed() };
    // SAFETY: both are `known` bytes long, and one of them was just made.
    unsafe { std::ptr::copy_nonoverlapping(raw.as_ptr(), (&raw mut copy).cast::<u8>(), known) };
    Ok(copy)
}

/// The same where null stands for the default.
pub(crate) fn optional<T: Sized32>(pointer: *const T, what: &str) -> Outcome<Option<T>> {
    if pointer.is_null() { Ok(None) } else { options(pointer, what).map(Some) }
}

/// Refuses flags that mean nothing here.
pub(crate) fn only_flags(flags: u32, allowed: u32) -> Outcome {
    match flags & !allowed {
        0 => Ok(()),
        unknown => {
            let message = format!("flags has {unknown:#x}, which means nothing here");
            Err(Failure::new(MOORLINE_E_INVALID_ARGUMENT, message))
        }
    }
}

/// Whether there is a place to write a result to.
pub(crate) fn out<T>(place: *mut T, what: &str) -> Outcome {
    aligned(place.cast_const(), what)
}

/// Writes a result.
pub(crate) fn put<T>(place: *mut T, value: T, what: &str) -> Outcome {
    out(place, what)?;
    // SAFETY: the contract of every function: it may be written to; it is neither null nor misaligned.
    unsafe { place.write(value) };
    Ok(())
}

fn aligned<T>(pointer: *const T, what: &str) -> Outcome {
    if pointer.is_null() {
        return Err(null(what));
    }
    if !pointer.is_aligned() {
        let message = format!("{what} leads to {pointer:p}, where none can be");
        return Err(Failure::new(MOORLINE_E_INVALID_ARGUMENT, message));
    }
    Ok(())
}

fn null(what: &str) -> Failure {
    Failure::new(MOORLINE_E_NULL, format!("{what} is null"))
}

/// Tells a failure to a caller who wants to know. Allocates nothing.
pub(crate) fn tell(place: *mut Error, status: i32, message: &str) {
    if place.is_null() || !place.is_aligned() {
        return;
    }
    // SAFETY: it is neither null nor misaligned, and the caller has set its size.
    let size = unsafe { (&raw const (*place).struct_size).read() } as usize;
    // Shorter than the fields before the message: nothing can be told.
    let head = std::mem::offset_of!(Error, message);
    if size <= head {
        return;
    }
    let room = size.min(size_of::<Error>()) - head - 1;
    let cut = message.floor_char_boundary(room);
    // SAFETY: the caller says that `size` bytes are there, of which no more than the whole struct are written.
    unsafe {
        (&raw mut (*place).status).write(status);
        (&raw mut (*place).length).write(cut as u32);
        let text = (&raw mut (*place).message).cast::<u8>();
        std::ptr::copy_nonoverlapping(message.as_ptr(), text, cut);
        text.add(cut).write(0);
    }
}
