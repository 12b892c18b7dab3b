//! The folder that the program keeps between runs: identity keys, remembered peers, caches.

mod identity;
mod remembered;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use crate::exit::{Code, Failure, Result};

pub(crate) use identity::IdentityLock;
pub(crate) use remembered::Remembered;

/// The variable that overrides the platform's folder.
pub(crate) const VARIABLE: &str = "MOORLINE_HOME";

/// Where keys, remembered peers and caches are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    state: PathBuf,
    cache: PathBuf,
}

impl Home {
    /// The folders as the environment and the platform say. Creates nothing.
    pub(crate) fn locate() -> Result<Self> {
        Self::resolve(std::env::var_os(VARIABLE), || etcetera::base_strategy::choose_native_strategy().ok())
    }

    fn resolve<S: BaseStrategy>(own: Option<OsString>, platform: impl FnOnce() -> Option<S>) -> Result<Self> {
        if let Some(own) = own.filter(|own| !own.is_empty()) {
            return Ok(Self::at(Path::new(&own)));
        }
        let Some(platform) = platform() else {
            return Err(Failure::new(Code::LocalDisk, "cannot find your home folder")
                .hint(format!("Set HOME, or set {VARIABLE} to a folder that Moorline may use.")));
        };
        // macOS and Windows have no folder for state of its own: data is what they use for it.
        let state = platform.state_dir().unwrap_or_else(|| platform.data_dir());
        Ok(Self { state: state.join("moorline"), cache: platform.cache_dir().join("moorline") })
    }

    /// Everything below one folder.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { state: folder.to_owned(), cache: folder.join("cache") }
    }

    /// Identity keys and remembered peers.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// Manifests and hashes of shared items. Any number of processes may use it at once.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// Makes the state folder, readable by this user alone where the platform knows such a thing.
    pub(crate) fn create(&self) -> Result<()> {
        create_private(&self.state).map_err(|error| {
            Failure::disk("create the folder", &self.state, &error)
                .hint(format!("Set {VARIABLE} to a folder that you may write."))
        })
    }
}

fn create_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xdg() -> Option<etcetera::base_strategy::Xdg> {
        etcetera::base_strategy::Xdg::new().ok()
    }

    #[test]
    fn the_variable_wins_over_the_platform() {
        let home = Home::resolve(Some("/srv/m".into()), xdg).expect("resolves");
        assert_eq!(home, Home::at(Path::new("/srv/m")));
        assert_eq!(home.cache(), Path::new("/srv/m/cache"));
    }

    #[test]
    fn without_any_home_folder_the_error_says_what_to_set() {
        let failure =
            Home::resolve(Some(OsString::new()), || None::<etcetera::base_strategy::Xdg>).expect_err("no home");
        assert_eq!(failure.code, Code::LocalDisk);
        assert!(failure.hint.expect("a hint").contains(VARIABLE));
    }

    #[cfg(unix)]
    #[test]
    fn the_state_folder_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(&folder.path().join("new"));
        home.create().expect("creates");
        home.create().expect("again is fine");
        let mode = fs::metadata(home.state()).expect("exists").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
}
