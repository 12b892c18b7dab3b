//! A descriptor that event loops can watch.

use crate::status::Outcome;

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::Bell;
#[cfg(target_os = "linux")]
pub(super) use linux::Bell;

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod linux {
    use std::io::{Read, Write};
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::Outcome;
    use crate::status::{Failure, MOORLINE_E_IO};

    /// Readable from a ring to a hush. Used with the queue's lock held, which keeps both in step with the events; neither waits.
    pub(in crate::queue) struct Bell {
        file: std::fs::File,
        ringing: AtomicBool,
    }

    impl Bell {
        pub(in crate::queue) fn new() -> Outcome<Self> {
            // SAFETY: no pointers are involved.
            let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
            if descriptor < 0 {
                let error = std::io::Error::last_os_error();
                return Err(Failure::new(MOORLINE_E_IO, format!("no descriptor for waking up: {error}")));
            }
            // SAFETY: it was just opened, and nobody else knows of it.
            let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
            Ok(Self { file: descriptor.into(), ringing: AtomicBool::new(false) })
        }

        pub(in crate::queue) fn descriptor(&self) -> i32 {
            self.file.as_raw_fd()
        }

        pub(in crate::queue) fn ring(&self) {
            if !self.ringing.swap(true, Ordering::Relaxed) {
                // It cannot be full: it counts to one.
                let _ = (&self.file).write(&1u64.to_ne_bytes());
            }
        }

        pub(in crate::queue) fn hush(&self) {
            if self.ringing.swap(false, Ordering::Relaxed) {
                let _ = (&self.file).read(&mut [0; 8]);
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::Outcome;
    use crate::status::{Failure, MOORLINE_E_INVALID_ARGUMENT};

    /// Not there on this system: poll with a time-out, or set a callback.
    pub(in crate::queue) struct Bell;

    impl Bell {
        pub(in crate::queue) fn new() -> Outcome<Self> {
            Err(Failure::new(MOORLINE_E_INVALID_ARGUMENT, "this system has no such descriptor: set a callback instead"))
        }

        pub(in crate::queue) fn descriptor(&self) -> i32 {
            -1
        }

        pub(in crate::queue) fn ring(&self) {}

        pub(in crate::queue) fn hush(&self) {}
    }
}
