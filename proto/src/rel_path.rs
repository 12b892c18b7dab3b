//! The only way from remote text to a path.

mod component;
pub(crate) mod fold;

use std::cmp::Ordering;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Longest path, in bytes of UTF-8.
pub const MAX_PATH_BYTES: usize = 2048;
/// Most components of a path.
pub const MAX_PATH_COMPONENTS: usize = 128;
/// Longest component, in bytes of UTF-8. Since no code point has more UTF-16 units than UTF-8 bytes, this is also the
/// limit of file systems that count those.
pub const MAX_COMPONENT_BYTES: usize = 255;

/// A path inside an item: components joined by `/`, safe to create under a root on any platform.
///
/// What holds for every value, whoever wrote the text:
/// - it names something strictly below the root: no `..`, no `.`, no empty component, no root, no drive;
/// - each component is an ordinary name under Windows' rules too, which are the strictest: none of `< > : " | ? * \`,
///   no control characters, no reserved device name (`CON`, `com1.txt`, `LPT¹`), no dot or space at the end; so no
///   alternate stream (`a:b`) either;
/// - it is at most [`MAX_PATH_BYTES`] long, with at most [`MAX_PATH_COMPONENTS`] components of at most
///   [`MAX_COMPONENT_BYTES`].
///
/// The spelling is kept as it came: two paths are equal when their bytes are. Whether two of them would be *one file* on
/// some platform is a question about an item as a whole; [`PathSet`](crate::PathSet) answers it.
///
/// The order is that of component lists, each component by its bytes. So a folder comes directly before what is in it,
/// and all that is in it stands together.
///
/// ```
/// # use moorline_proto::RelPath;
/// let path = RelPath::parse("maps/e1m1.bsp")?;
/// assert!(path.join_under("/srv/games".as_ref()).ends_with("games/maps/e1m1.bsp"));
/// assert!(RelPath::parse("../etc/passwd").is_err());
/// # Ok::<(), moorline_proto::RelPathError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RelPath(String);

/// Why a text is not a [`RelPath`]. Messages quote the text with escapes: it may come from a stranger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RelPathError {
    /// The empty text.
    #[error("a path must not be empty")]
    Empty,
    /// It begins with `/`.
    #[error("{0:?} is absolute; a path in an item starts below the item's root")]
    Absolute(String),
    /// More than [`MAX_PATH_BYTES`].
    #[error("a path of {bytes} bytes is over the limit of {MAX_PATH_BYTES}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// More than [`MAX_PATH_COMPONENTS`].
    #[error("{0:?} has more than {MAX_PATH_COMPONENTS} components")]
    TooDeep(String),
    /// `a//b` or `a/`.
    #[error("{0:?} has an empty component")]
    EmptyComponent(String),
    /// `.` or `..`.
    #[error("{0:?} has a component {1:?}, which does not name anything below the root")]
    Dots(String, &'static str),
    /// A character that some platform gives a meaning of its own.
    #[error("{0:?} has the character {1:?}, which is not a part of file names on every platform")]
    Character(String, char),
    /// A component of more than [`MAX_COMPONENT_BYTES`].
    #[error("a component of {bytes} bytes is over the limit of {MAX_COMPONENT_BYTES}")]
    ComponentTooLong {
        /// How long it is.
        bytes: usize,
    },
    /// A name that means a device on Windows, with whatever extension.
    #[error("{0:?} has the component {1:?}, which names a device on Windows")]
    Reserved(String, String),
    /// Windows would drop what the component ends in, and so name something else.
    #[error("{0:?} has the component {1:?}, which ends in a dot or a space; Windows drops those")]
    TrailingDotOrSpace(String, String),
}

impl RelPath {
    /// Checks `text` and keeps it as it is.
    ///
    /// # Errors
    /// The first rule that it breaks, see [`RelPathError`].
    pub fn parse(text: &str) -> Result<Self, RelPathError> {
        if text.is_empty() {
            return Err(RelPathError::Empty);
        }
        if text.len() > MAX_PATH_BYTES {
            return Err(RelPathError::TooLong { bytes: text.len() });
        }
        if text.starts_with('/') {
            return Err(RelPathError::Absolute(text.to_owned()));
        }
        if text.split('/').count() > MAX_PATH_COMPONENTS {
            return Err(RelPathError::TooDeep(text.to_owned()));
        }
        for component in text.split('/') {
            component::check(component, text)?;
        }
        Ok(Self(text.to_owned()))
    }

    /// The text, components joined by `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components, outermost first. At least one.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.0.split('/')
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The path of the folder that this is in; `None` if that is the root.
    pub fn parent(&self) -> Option<RelPath> {
        let (parent, _) = self.0.rsplit_once('/')?;
        Some(Self(parent.to_owned()))
    }

    /// Whether `self` is `folder` or lies in it. Spelling counts.
    pub fn starts_with(&self, folder: &RelPath) -> bool {
        self.0.strip_prefix(&folder.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The path in the file system, under `root`. Purely textual: whether a folder on the way is a symbolic link is the
    /// caller's to check.
    pub fn join_under(&self, root: &Path) -> PathBuf {
        let mut path = root.to_path_buf();
        path.extend(self.components());
        path
    }

    /// What the path becomes where neither case nor Unicode form counts: paths with equal keys may be one file there.
    /// For comparison only, never to name anything.
    ///
    /// Unicode canonical caseless matching, done as NFC(lower(upper(lower(NFD(x))))) with the default mappings;
    /// the dotless ı stays itself.
    pub fn fold_key(&self) -> String {
        let folded: Vec<String> = self.components().map(fold::fold).collect();
        folded.join("/")
    }
}

impl Ord for RelPath {
    fn cmp(&self, other: &Self) -> Ordering {
        // No component has a byte below the space, so that a separator read as 0 sorts before all that continues a name.
        let key = |byte: u8| if byte == b'/' { 0 } else { byte };
        self.0.bytes().map(key).cmp(other.0.bytes().map(key))
    }
}

impl PartialOrd for RelPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for RelPath {
    type Err = RelPathError;

    fn from_str(text: &str) -> Result<Self, RelPathError> {
        Self::parse(text)
    }
}

impl AsRef<str> for RelPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
