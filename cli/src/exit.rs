//! Exit codes, and the error that carries one.

use std::fmt;
use std::io;
use std::process;

/// How the program ends, as the shell sees it. Scripts rely on these numbers: never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Code {
    /// Everything asked for was done.
    Success = 0,
    /// Something failed that has no code of its own.
    Failure = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Nothing on the network fits what was asked for, or several things do.
    NotFound = 3,
    /// The network cannot be used, no peer or room server can be reached, or all peers went away.
    Unreachable = 4,
    /// The other side wants a passphrase or another token, or does not have us on its list.
    NotPermitted = 5,
    /// Bytes did not match their hash, or the content changed while it was fetched.
    BadContent = 6,
    /// The local disk: no space, no right, a name that is taken.
    LocalDisk = 7,
    /// Lines of a pipe were not delivered.
    Undelivered = 8,
    /// Stopped by Ctrl-C or a termination signal before it was done.
    Interrupted = 130,
}

impl Code {
    /// Every code with one line for help and manual.
    pub(crate) const ALL: [(Self, &'static str); 10] = [
        (Self::Success, "done; for share, list --watch, signal and room also: stopped cleanly by Ctrl-C"),
        (Self::Failure, "a failure without a code of its own"),
        (Self::Usage, "the command line is wrong"),
        (Self::NotFound, "nothing found under that name, or several things are"),
        (
            Self::Unreachable,
            "the network cannot be used, or no peer that has the item, or no room server, can be reached",
        ),
        (
            Self::NotPermitted,
            "not permitted: a passphrase or token is missing or wrong, or the peer does not allow this one",
        ),
        (Self::BadContent, "the content failed verification, or changed while it was fetched"),
        (Self::LocalDisk, "the local disk: no space, no permission, or the name is taken"),
        (
            Self::Undelivered,
            "room in a pipe: lines were refused, or it is not known that they arrived; each was told on stderr",
        ),
        (Self::Interrupted, "interrupted by Ctrl-C or a signal before the work was done"),
    ];

    /// The number that the shell sees.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// The code for a failed operation on local files.
    pub(crate) fn of_io(error: &io::Error) -> Self {
        use io::ErrorKind as K;
        match error.kind() {
            K::PermissionDenied
            | K::NotFound
            | K::AlreadyExists
            | K::StorageFull
            | K::QuotaExceeded
            | K::ReadOnlyFilesystem
            | K::NotADirectory
            | K::IsADirectory
            | K::FileTooLarge => Self::LocalDisk,
            K::AddrInUse
            | K::AddrNotAvailable
            | K::NetworkDown
            | K::NetworkUnreachable
            | K::HostUnreachable
            | K::ConnectionRefused
            | K::TimedOut => Self::Unreachable,
            K::Interrupted => Self::Interrupted,
            _ => Self::Failure,
        }
    }
}

impl From<Code> for process::ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.number())
    }
}

/// Why a verb did not succeed: a code for scripts, a sentence for people, and what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    /// What happened, and to what. One sentence, no full stop.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// A local file operation that failed: says what was tried, on which path, and why.
    pub(crate) fn disk(tried: &str, path: &std::path::Path, error: &io::Error) -> Self {
        let code = match Code::of_io(error) {
            Code::Failure | Code::Unreachable => Code::LocalDisk,
            code => code,
        };
        Self::new(code, format!("cannot {tried} {}: {error}", crate::text::path(path)))
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The result of a verb or a step of one.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// The exit code table, as help text.
pub(crate) fn table() -> String {
    let mut out = String::from("Exit codes:\n");
    for (code, meaning) in Code::ALL {
        out.push_str(&format!("  {:>3}  {meaning}\n", code.number()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_documented_ones() {
        let numbers: Vec<u8> = Code::ALL.iter().map(|(code, _)| code.number()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 130]);
    }

    #[test]
    fn local_io_errors_map_to_their_code() {
        let code = |kind| Code::of_io(&io::Error::from(kind));
        assert_eq!(code(io::ErrorKind::StorageFull), Code::LocalDisk);
        assert_eq!(code(io::ErrorKind::PermissionDenied), Code::LocalDisk);
        assert_eq!(code(io::ErrorKind::AddrInUse), Code::Unreachable);
        assert_eq!(code(io::ErrorKind::NetworkUnreachable), Code::Unreachable);
        assert_eq!(code(io::ErrorKind::Other), Code::Failure);
    }

    #[test]
    fn a_disk_failure_names_path_and_cause_and_never_blames_the_network() {
        let error = io::Error::from(io::ErrorKind::TimedOut);
        let failure = Failure::disk("read", std::path::Path::new("/srv/a\u{1b}[2Jb"), &error);
        assert_eq!(failure.code, Code::LocalDisk);
        assert!(failure.message.starts_with("cannot read /srv/a"), "{failure}");
        assert!(!failure.message.contains('\u{1b}'), "{failure:?}");
    }
}
