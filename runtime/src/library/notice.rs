use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Something that the library left out, or could not do, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The file, folder or root that it is about; empty when it is about all of them.
    pub path: PathBuf,
    /// Why.
    pub reason: NoticeReason,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_os_str().is_empty() {
            true => self.reason.fmt(f),
            false => write!(f, "{}: {}", self.path.display(), self.reason),
        }
    }
}

/// Why something was left out or needs attention.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoticeReason {
    /// A symbolic link: left out, because it may lead out of what is shared.
    Symlink,
    /// Neither a file nor a directory: a pipe, a socket or a device.
    Special,
    /// This process may not read it, or reading failed; the text is the system's.
    Unreadable(String),
    /// The name is not valid Unicode.
    NotUnicode,
    /// The name or path cannot exist on every system that may fetch it; the text says which rule it breaks.
    BadName(String),
    /// Another file has the same path on a system that ignores case or Unicode form.
    Collision(String),
    /// More names in the directory than the library reads.
    TooManyNames(usize),
    /// The folder where the library keeps its own cache.
    OwnCache,
    /// The item is offered under another name than its file has, because that is not valid everywhere; the text is the new name.
    Renamed(String),
    /// `moorline.toml`, or what it refers to, is unusable; the item is shared without that.
    Metadata(String),
    /// What the user asked to share is not there (now).
    Missing(String),
    /// The item is withdrawn, because it changed or is changing; it is hashed once it stays as it is.
    Changing,
    /// Another process is hashing the item; its result is used once it is there.
    Busy,
    /// Nothing in the item can be shared.
    Empty,
    /// More items or roots than the library takes.
    TooMany(usize),
    /// The item cannot be shared as a whole; the text says why.
    Failed(String),
    /// The system does not report changes (all of them), so they are found by looking, with a delay; the text says why.
    NotWatched(String),
}

impl fmt::Display for NoticeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symlink => f.write_str("left out: symbolic links are not shared"),
            Self::Special => f.write_str("left out: neither a file nor a folder"),
            Self::Unreadable(why) => write!(f, "left out: cannot be read ({why})"),
            Self::NotUnicode => f.write_str("left out: the name is not valid Unicode; rename it to share it"),
            Self::BadName(why) => write!(f, "left out: {why}; rename it to share it"),
            Self::Collision(why) => write!(f, "left out: {why}; rename one of the two to share both"),
            Self::TooManyNames(limit) => write!(f, "left out: more than {limit} names in one folder"),
            Self::OwnCache => f.write_str("left out: this is the program's own cache"),
            Self::Renamed(name) => write!(f, "offered as {name:?}, because its own name is not valid everywhere"),
            Self::Metadata(why) => write!(f, "shared without it: {why}"),
            Self::Missing(why) => write!(f, "not shared: {why}; it is shared once it is there"),
            Self::Changing => f.write_str("not offered while it changes; it will be once it stays as it is"),
            Self::Busy => f.write_str("not offered yet: another process is hashing it"),
            Self::Empty => f.write_str("not offered: there is nothing in it to share"),
            Self::TooMany(limit) => write!(f, "not shared: more than {limit}"),
            Self::Failed(why) => write!(f, "not offered: {why}"),
            Self::NotWatched(why) => write!(f, "changes are found by looking now and then only ({why})"),
        }
    }
}

/// What was left out of a library at present: a bounded list, and the full count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    /// The notices that were kept, in a stable order.
    pub list: Vec<Notice>,
    /// How many there are, those that were not kept included.
    pub total: u64,
}

impl Notices {
    pub(super) fn push(&mut self, limit: usize, path: impl Into<PathBuf>, reason: NoticeReason) {
        self.total += 1;
        if self.list.len() < limit {
            self.list.push(Notice { path: path.into(), reason });
        }
    }
}

/// Collects the notices of one walk.
pub(super) struct NoticeSink {
    pub(super) notices: Notices,
    limit: usize,
}

impl NoticeSink {
    pub(super) fn new(limit: usize) -> Self {
        Self { notices: Notices::default(), limit }
    }

    /// Goes on where another walk ended.
    pub(super) fn continued(limit: usize, notices: Notices) -> Self {
        Self { notices, limit }
    }

    pub(super) fn push(&mut self, path: impl Into<PathBuf>, reason: NoticeReason) {
        self.notices.push(self.limit, path, reason);
    }
}

/// What a set of notices is about: a later set about the same thing replaces it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Watcher,
    Roots,
    /// Roots that were beyond the limit.
    Refused,
    Item(PathBuf),
}

/// The notices in force, by subject. At most `limit` are kept as text over all subjects.
pub(super) struct NoticeBoard {
    by_subject: BTreeMap<Subject, Notices>,
    kept: usize,
    limit: usize,
}

impl NoticeBoard {
    pub(super) fn new(limit: usize) -> Self {
        Self { by_subject: BTreeMap::new(), kept: 0, limit }
    }

    /// Replaces what is said about `subject`. Returns whether that changed anything.
    pub(super) fn set(&mut self, subject: Subject, mut notices: Notices) -> bool {
        let before = self.by_subject.remove(&subject);
        self.kept -= before.as_ref().map_or(0, |before| before.list.len());
        notices.list.truncate(self.limit - self.kept);
        self.kept += notices.list.len();
        let changed = before.unwrap_or_default() != notices;
        if notices.total > 0 {
            self.by_subject.insert(subject, notices);
        }
        changed
    }

    /// Says one thing more about `subject`.
    pub(super) fn add(&mut self, subject: Subject, path: &Path, reason: NoticeReason) {
        let limit = self.limit - self.kept;
        let notices = self.by_subject.entry(subject).or_default();
        notices.total += 1;
        if limit > 0 {
            notices.list.push(Notice { path: path.to_owned(), reason });
            self.kept += 1;
        }
    }

    /// Drops what is said about items that are no more. Returns whether that changed anything.
    pub(super) fn keep_items(&mut self, mut keep: impl FnMut(&Path) -> bool) -> bool {
        let before = self.by_subject.len();
        self.by_subject.retain(|subject, _| !matches!(subject, Subject::Item(root) if !keep(root)));
        self.kept = self.by_subject.values().map(|notices| notices.list.len()).sum();
        self.by_subject.len() != before
    }

    pub(super) fn is_about_item(&self, root: &Path) -> bool {
        self.by_subject.contains_key(&Subject::Item(root.to_owned()))
    }

    pub(super) fn all(&self) -> Notices {
        Notices {
            list: self.by_subject.values().flat_map(|notices| notices.list.iter().cloned()).collect(),
            total: self.by_subject.values().map(|notices| notices.total).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notices(count: usize) -> Notices {
        let mut notices = Notices::default();
        for index in 0..count {
            notices.push(usize::MAX, format!("{index}"), NoticeReason::Symlink);
        }
        notices
    }

    #[test]
    fn the_board_keeps_its_limit_of_texts_and_counts_the_rest() {
        let mut board = NoticeBoard::new(3);
        assert!(board.set(Subject::Item("a".into()), notices(2)));
        assert!(board.set(Subject::Item("b".into()), notices(2)));
        assert_eq!((board.all().list.len(), board.all().total), (3, 4));
        assert!(board.set(Subject::Item("a".into()), Notices::default()));
        assert!(board.set(Subject::Item("b".into()), notices(5)));
        assert_eq!((board.all().list.len(), board.all().total), (3, 5));
        assert!(!board.set(Subject::Item("b".into()), notices(5)));
    }
}
