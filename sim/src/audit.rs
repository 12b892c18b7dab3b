//! Who asks the system for randomness or for the time of day, and what it is told.
//!
//! Our own crates take their randomness from outside. Some libraries do not: the standard library's hash tables, and `rand` below
//! WebSocket. [`interpose_entropy!`](crate::interpose_entropy) puts functions of ours in the place of the C library's `getrandom` and
//! `getentropy`, which in a simulation answer from the seed and write down who asked, and on every other thread pass the question on
//! to the kernel.
//!
//! `clock_gettime` is replaced as well: it answers as ever, and writes down who asked for the time of day in a simulation. Time that only
//! goes forward is not looked at: tokio asks for that all the time, also where it is paused, and does not use the answer.
//!
//! What does not go through these functions is not seen: *ring* calls the kernel by number.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::mem::MaybeUninit;

use moorline_transport::{Entropy, SeededEntropy};
use rustix::rand::{GetRandomFlags, getrandom as ask_kernel};
use rustix::time::ClockId;
#[doc(hidden)]
pub use rustix::time::Timespec;

/// Those who may ask, by a part of the name of a function that is under way. All are harmless once the answer is from the seed.
const EXPECTED: &[(&str, &str)] = &[
    ("hashmap_random_keys", "hash tables of the standard library; nothing of ours is ordered by one"),
    ("tungstenite", "the key and the masks of WebSocket frames"),
    ("turmoil::builder", "when a simulation begins, if nobody says so; a Lab does"),
];

/// Calls that are written down; further ones are only counted.
const MAX_NOTED: usize = 1_000;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// For what.
    pub question: Question,
    /// Who asked, if that is somebody who may.
    pub expected: Option<&'static str>,
    /// The functions that were under way, the innermost first; empty for callers who may ask.
    pub by: Vec<String>,
}

/// What the system is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// So many random bytes.
    Randomness(usize),
    /// The time of day.
    TimeOfDay,
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Randomness(bytes) => write!(f, "{bytes} random bytes"),
            Self::TimeOfDay => f.write_str("the time of day"),
        }
    }
}

/// What a thread has asked for since [`on_fresh_thread`](crate::on_fresh_thread) began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// The calls, in order.
    pub calls: Vec<Call>,
    /// Calls beyond those that are kept.
    pub more: usize,
}

impl Audit {
    /// Calls by somebody who was not to ask.
    pub fn unexpected(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.expected.is_none())
    }
}

struct Stream {
    bytes: SeededEntropy,
    audit: Audit,
    /// A call is being looked at.
    noting: bool,
}

thread_local! {
    static STREAM: RefCell<Option<Stream>> = const { RefCell::new(None) };
}

/// What this thread has asked for so far. Nothing, if it runs no simulation or the binary does not interpose.
#[must_use]
pub fn so_far() -> Audit {
    STREAM.with_borrow(|stream| stream.as_ref().map(|stream| stream.audit.clone()).unwrap_or_default())
}

/// Whether the binary interposes, and this thread runs a simulation. Without both, traces that hold WebSocket differ from run to run.
#[must_use]
pub fn is_interposed() -> bool {
    let count = || STREAM.with_borrow(|stream| stream.as_ref().map(|stream| stream.audit.calls.len()));
    let before = count();
    // A fresh RandomState asks at most once a thread, so the question is put by hand, through the symbol that everybody uses.
    let mut probe = [0; 1];
    let _ = getrandom::fill(&mut probe);
    let after = count();
    STREAM.with_borrow_mut(|stream| {
        if let (Some(stream), Some(before)) = (stream, before) {
            stream.audit.calls.truncate(before);
        }
    });
    before.is_some() && before != after
}

/// Ends the simulation of a thread when dropped.
pub(crate) struct Begun(());

pub(crate) fn begin(seed: [u8; 32]) -> Begun {
    STREAM.set(Some(Stream { bytes: SeededEntropy::new(seed), audit: Audit::default(), noting: false }));
    Begun(())
}

impl Drop for Begun {
    fn drop(&mut self) {
        STREAM.set(None);
    }
}

/// Answers a call of the interposed functions: fills `out` and returns its length; -1 if the kernel has nothing to give.
pub fn answer(out: &mut [MaybeUninit<u8>], flags: u32) -> isize {
    match from_seed(out) {
        Some(()) => out.len().cast_signed(),
        None => match ask_kernel(out, GetRandomFlags::from_bits_retain(flags)) {
            Ok((filled, _)) => filled.len().cast_signed(),
            Err(_) => -1,
        },
    }
}

/// `None` on a thread without a simulation; also one that is just ending.
fn from_seed(out: &mut [MaybeUninit<u8>]) -> Option<()> {
    let first = STREAM.try_with(|stream| draw(stream.try_borrow_mut().ok()?.as_mut()?, out)).ok()??;
    // A question without bytes only wants to know whether the function exists.
    if !first || out.is_empty() {
        return Some(());
    }
    note(Question::Randomness(out.len()));
    Some(())
}

/// Whether this call is to be noted.
fn draw(stream: &mut Stream, out: &mut [MaybeUninit<u8>]) -> Option<bool> {
    let mut bytes = vec![0; out.len()];
    stream.bytes.fill(&mut bytes);
    for (place, byte) in out.iter_mut().zip(bytes) {
        place.write(byte);
    }
    let first = !out.is_empty() && !stream.noting;
    stream.noting |= first;
    Some(first)
}

/// Writes down who asked. Only if `noting` was set before: looking at who asked may ask as well, and that is answered, and nothing else.
fn note(question: Question) {
    let trace = Backtrace::force_capture().to_string();
    let expected = EXPECTED.iter().find(|(part, _)| trace.contains(part)).map(|(_, who)| *who);
    let by = match expected {
        Some(_) => Vec::new(),
        None => {
            trace.lines().filter(|line| !line.trim_start().starts_with("at ")).map(|l| l.trim().to_owned()).collect()
        }
    };
    STREAM.with_borrow_mut(|stream| {
        if let Some(stream) = stream {
            stream.noting = false;
            match stream.audit.calls.len() < MAX_NOTED {
                true => stream.audit.calls.push(Call { question, expected, by }),
                false => stream.audit.more += 1,
            }
        }
    });
}

/// Answers a call of the interposed `clock_gettime`. `None`: there is no such clock.
pub fn time(clock: i32) -> Option<Timespec> {
    let clock = ClockId::try_from(clock).ok()?;
    if matches!(clock, ClockId::Realtime | ClockId::RealtimeCoarse) {
        let begin = |stream: &mut Stream| !std::mem::replace(&mut stream.noting, true);
        let first = STREAM.try_with(|stream| stream.try_borrow_mut().ok()?.as_mut().map(begin));
        if matches!(first, Ok(Some(true))) {
            note(Question::TimeOfDay);
        }
    }
    Some(rustix::time::clock_gettime(clock))
}

/// Puts [`audit`](crate::audit) in the place of the C library's `getrandom`, `getentropy` and `clock_gettime`, for the whole binary. To
/// be said once, at the top of a program or of a test that runs simulations; never in a library.
#[macro_export]
macro_rules! interpose_entropy {
    () => {
        #[allow(unsafe_code, reason = "a function of the C library is replaced, which has to have its name")]
        const _: () = {
            #[unsafe(no_mangle)]
            unsafe extern "C" fn getrandom(out: *mut ::core::ffi::c_void, len: usize, flags: u32) -> isize {
                // SAFETY: getrandom(2) is given room for `len` bytes, which need not be initialised.
                $crate::audit::answer(unsafe { $crate::audit::room(out, len) }, flags)
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn getentropy(out: *mut ::core::ffi::c_void, len: usize) -> i32 {
                // SAFETY: getentropy(3) is given room for `len` bytes, which need not be initialised.
                let filled = $crate::audit::answer(unsafe { $crate::audit::room(out, len) }, 0);
                if filled == len.cast_signed() { 0 } else { -1 }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn clock_gettime(clock: i32, out: *mut $crate::audit::Timespec) -> i32 {
                let Some(time) = $crate::audit::time(clock) else { return -1 };
                // SAFETY: clock_gettime(2) is given room for one timespec, which need not be initialised.
                unsafe { out.write(time) };
                0
            }
        };
    };
}

/// For [`interpose_entropy!`](crate::interpose_entropy) alone.
///
/// # Safety
/// There are `len` bytes to write to at `out`, and nobody else looks at them meanwhile.
#[doc(hidden)]
#[allow(unsafe_code, reason = "the caller is a C function")]
pub unsafe fn room<'a>(out: *mut std::ffi::c_void, len: usize) -> &'a mut [MaybeUninit<u8>] {
    if len == 0 {
        return &mut [];
    }
    // SAFETY: the caller's promise; MaybeUninit<u8> has no alignment to keep and no value that is invalid.
    unsafe { std::slice::from_raw_parts_mut(out.cast(), len) }
}
