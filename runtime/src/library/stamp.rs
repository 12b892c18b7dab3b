use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What tells one state of a file from another without reading it.
///
/// A program that changes bytes and then puts the modification time back, with the size unchanged, goes unseen; so does `b3sum` in
/// any tool that caches hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) size: u64,
    pub(super) modified: Time,
    /// Zero where the platform has none.
    pub(super) inode: u64,
}

/// A file time: seconds since 1970 and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time {
    pub(super) seconds: i64,
    pub(super) nanos: u32,
}

impl Time {
    pub(super) fn millis(self) -> i64 {
        self.seconds.saturating_mul(1000).saturating_add(i64::from(self.nanos / 1_000_000))
    }

    #[cfg(any(test, not(unix)))]
    pub(super) fn of(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => {
                Self { seconds: i64::try_from(after.as_secs()).unwrap_or(i64::MAX), nanos: after.subsec_nanos() }
            }
            Err(before) => Self { seconds: -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX), nanos: 0 },
        }
    }

    fn system(self) -> Option<SystemTime> {
        let nanos = Duration::from_nanos(self.nanos.into());
        let seconds = Duration::from_secs(self.seconds.unsigned_abs());
        let base = if self.seconds < 0 { UNIX_EPOCH.checked_sub(seconds) } else { UNIX_EPOCH.checked_add(seconds) };
        base?.checked_add(nanos)
    }
}

/// The longest tick of the clocks that file systems stamp files with: the kernel's timer on Linux.
const TICK: Duration = Duration::from_millis(20);
/// FAT counts in steps of two seconds.
const COARSE_TICK: Duration = Duration::from_secs(2);

/// Whether a file that was read at `read_at` may have changed afterwards without its modification time showing it. Such a hash is
/// good for now, but is checked again later.
pub(super) fn is_racy(modified: Time, read_at: SystemTime) -> bool {
    let tick = if modified.nanos == 0 && modified.seconds % 2 == 0 { COARSE_TICK } else { TICK };
    let Some(modified) = modified.system() else { return false };
    match read_at.duration_since(modified) {
        Ok(age) => age <= tick,
        // A time far in the future is not the clock's; without this bound such a file would be hashed again for ever.
        Err(ahead) => ahead.duration() <= tick,
    }
}

/// Kinds of directory entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Symlink,
    Special,
}

/// What the file system says about a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    pub(super) kind: Kind,
    pub(super) stamp: Stamp,
    pub(super) executable: bool,
    /// When the permissions (or anything else about the file) changed last: while this stays, what could be read still can.
    pub(super) changed: Time,
    /// Device and inode: equal for two paths of one directory. Zero where the platform has none.
    pub(super) place: (u64, u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_time_within_a_tick_of_the_reading_is_racy() {
        let read_at = UNIX_EPOCH + Duration::from_millis(1_000_001_500);
        let at = |millis: u64| Time::of(UNIX_EPOCH + Duration::from_millis(millis));
        assert!(is_racy(at(1_000_001_500), read_at));
        assert!(is_racy(at(1_000_001_480), read_at));
        assert!(!is_racy(at(1_000_001_479), read_at));
        assert!(is_racy(at(1_000_001_520), read_at));
        assert!(!is_racy(at(1_000_001_521), read_at));
        assert!(is_racy(at(1_000_000_000), read_at), "FAT: full, even seconds");
        assert!(!is_racy(at(999_999_000), read_at));
        assert!(!is_racy(Time { seconds: i64::MIN, nanos: 0 }, read_at));
        assert!(!is_racy(Time { seconds: i64::MAX, nanos: 0 }, read_at));
    }
}
