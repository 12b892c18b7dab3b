//! What the operating system knows: this machine's name, free disk space.

use std::path::Path;

/// Longest name that is taken over from the system, bytes.
const NAME_BYTES: usize = 55;

/// The name that others see when the user gives none: the machine's, with a number for further processes of one user.
pub(crate) fn peer_name(sibling: Option<u32>) -> String {
    shape(&host_name(), sibling)
}

fn shape(host: &str, sibling: Option<u32>) -> String {
    // `alice.example.org` is `alice` to people; the rest says nothing on a local network.
    let short = host.split('.').next().unwrap_or(host).trim();
    let mut name: String = short.chars().filter(|c| !crate::text::misleads(*c)).collect();
    while name.len() > NAME_BYTES {
        name.pop();
    }
    if name.is_empty() {
        "moorline".clone_into(&mut name);
    }
    match sibling {
        Some(number) => format!("{name}-{number}"),
        None => name,
    }
}

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// Free and total bytes for this user on the disk that holds `path`, or the nearest folder above it that exists.
/// `None` where the platform does not say.
#[cfg(unix)]
pub(crate) fn disk_space(path: &Path) -> Option<(u64, u64)> {
    let existing = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let stat = rustix::fs::statvfs(existing).ok()?;
    Some((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize)))
}

/// `None`: the platform does not say.
#[cfg(not(unix))]
pub(crate) fn disk_space(_path: &Path) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_clean_and_never_empty() {
        assert_eq!(shape("alice.example.org", None), "alice");
        assert_eq!(shape("alice", Some(2)), "alice-2");
        assert_eq!(shape("", Some(3)), "moorline-3");
        assert_eq!(shape("a\u{1b}b", None), "ab");
        assert_eq!(shape(&"ü".repeat(60), None).len(), 54);
        assert!(!peer_name(None).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn free_space_is_told_also_for_a_folder_that_is_not_there_yet() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (free, total) = disk_space(&folder.path().join("not/yet")).expect("told");
        assert!(free <= total && total > 0);
    }
}
