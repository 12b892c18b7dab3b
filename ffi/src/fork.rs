//! Notices that this process is a fork of the one that made the guard.
//!
//! The first line is a page of memory that the kernel hands to a child wiped (`madvise(2)`, `MADV_WIPEONFORK`): it holds for `fork`,
//! `_Fork` and `clone` alike, and reading it costs nothing. The second, for systems without it, is a handler of `pthread_atfork(3)` in
//! the child. There are no handlers before the fork or in the parent: those could deadlock it.
//!
//! Nothing here takes a lock, allocates or writes after the guard was made, so that it can be asked in a child whose other threads
//! vanished in the middle of anything.

use std::sync::atomic::{AtomicU32, Ordering};

/// Forks that lie between this process and the first one, as far as the handler was called.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Knows the process that it was made in.
pub(crate) struct ForkGuard {
    page: Page,
    forks: u32,
}

impl ForkGuard {
    /// A guard of this process.
    pub(crate) fn new() -> Self {
        watch();
        Self { page: Page::new(), forks: FORKS.load(Ordering::Relaxed) }
    }

    /// Whether this process is another one than that in which the guard was made.
    #[inline]
    pub(crate) fn is_forked(&self) -> bool {
        self.page.is_wiped() || FORKS.load(Ordering::Relaxed) != self.forks
    }
}

/// Has forks of this process counted, once in its life.
#[cfg(unix)]
#[allow(unsafe_code)]
fn watch() {
    static WATCHED: AtomicU32 = AtomicU32::new(0);
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    if WATCHED.swap(1, Ordering::Relaxed) == 0 {
        // SAFETY: the handler only adds to an atomic, which is allowed in the child of a process with threads, and it stays
        // loaded: the library is linked so that it is never unloaded.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    }
}

#[cfg(not(unix))]
fn watch() {}

#[cfg(not(target_os = "linux"))]
use elsewhere::Page;
#[cfg(target_os = "linux")]
use linux::Page;

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod linux {
    use std::ptr::NonNull;
    use std::sync::atomic::{AtomicU8, Ordering};

    /// What stands in the page for as long as it is the process that wrote it.
    const WRITTEN: u8 = 0xa5;
    const SIZE: usize = 4096;

    /// A page that a child finds wiped. `None` where the kernel (before 4.14) does not know how.
    pub(super) struct Page(Option<NonNull<AtomicU8>>);

    // SAFETY: it is one atomic byte that nobody writes after it was made.
    unsafe impl Send for Page {}
    // SAFETY: as above.
    unsafe impl Sync for Page {}

    impl Drop for Page {
        fn drop(&mut self) {
            if let Some(byte) = self.0 {
                // SAFETY: made by `new` with this size, and nobody else knows of it.
                unsafe { libc::munmap(byte.as_ptr().cast(), SIZE) };
            }
        }
    }

    impl Page {
        pub(super) fn new() -> Self {
            let (size, access, kind) =
                (SIZE, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            // SAFETY: a new private mapping that nothing else knows of.
            let page = unsafe { libc::mmap(std::ptr::null_mut(), size, access, kind, -1, 0) };
            if page == libc::MAP_FAILED {
                return Self(None);
            }
            // SAFETY: the mapping was just made, with this size.
            if unsafe { libc::madvise(page, size, libc::MADV_WIPEONFORK) } != 0 {
                // SAFETY: as above, and nobody else has it.
                unsafe { libc::munmap(page, size) };
                return Self(None);
            }
            let byte = NonNull::new(page.cast::<AtomicU8>());
            if let Some(byte) = byte {
                // SAFETY: the mapping is readable and writable, and aligned.
                unsafe { byte.as_ref() }.store(WRITTEN, Ordering::Relaxed);
            }
            Self(byte)
        }

        #[inline]
        pub(super) fn is_wiped(&self) -> bool {
            // SAFETY: the mapping is readable for as long as this lives.
            self.0.is_some_and(|byte| unsafe { byte.as_ref() }.load(Ordering::Relaxed) != WRITTEN)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    /// There is no such page here: the handler is all there is.
    pub(super) struct Page;

    impl Page {
        pub(super) fn new() -> Self {
            Self
        }

        pub(super) fn is_wiped(&self) -> bool {
            false
        }
    }
}
