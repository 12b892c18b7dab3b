//! The identity file: a few lines of text, mode 0600.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use moorline_proto::PeerId;
use thiserror::Error;

use super::Identity;
use crate::Entropy;
use crate::entropy::draw;

const KEY: &str = "moorline-identity-v1";
const PEER: &str = "peer";

/// No identity file is longer, in bytes. A larger file is something else and is not read.
const MAX_LEN: u64 = 4096;

/// Why an identity could not be loaded or stored.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Reading failed.
    #[error("cannot read the identity file {}: {source}", path.display())]
    Read {
        /// The identity file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Writing a new identity failed.
    #[error("cannot store a new identity in {}: {source}; choose a place that can be written to", path.display())]
    Write {
        /// The identity file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Others than the owner may read or write the file.
    #[error(
        "the identity file {} is open to other users (mode {mode:03o}): run `chmod 600 {}`; if others may have read it, \
         delete it and become a new peer",
        path.display(), path.display()
    )]
    Exposed {
        /// The identity file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is there, but it is not an identity.
    #[error(
        "{} is not a usable identity file: {problem}; restore it from a backup, or delete it and become a new peer",
        path.display()
    )]
    Malformed {
        /// The identity file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
}

pub(super) fn load_or_create(path: &Path, entropy: &dyn Entropy) -> Result<Identity, IdentityError> {
    match File::open(path) {
        Ok(file) => load(path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let identity = Identity::generate(entropy);
            let stored = store(path, &identity, entropy);
            match stored {
                Ok(()) => Ok(identity),
                // Another program stored its identity between our look and our write: that one counts.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let file = File::open(path).map_err(|source| read_error(path, source))?;
                    load(path, file)
                }
                Err(source) => Err(IdentityError::Write { path: path.to_owned(), source }),
            }
        }
        Err(source) => Err(read_error(path, source)),
    }
}

fn load(path: &Path, file: File) -> Result<Identity, IdentityError> {
    let metadata = file.metadata().map_err(|source| read_error(path, source))?;
    let malformed = |problem| IdentityError::Malformed { path: path.to_owned(), problem };
    if !metadata.is_file() {
        return Err(malformed("it is not a regular file"));
    }
    if let Some(mode) = exposed_mode(&metadata) {
        return Err(IdentityError::Exposed { path: path.to_owned(), mode });
    }
    if metadata.len() > MAX_LEN {
        return Err(malformed("it is far too long"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_LEN).read_to_end(&mut bytes).map_err(|source| read_error(path, source))?;
    let text = String::from_utf8(bytes).map_err(|_| malformed("it is not text"))?;
    parse(&text).map_err(malformed)
}

fn read_error(path: &Path, source: io::Error) -> IdentityError {
    IdentityError::Read { path: path.to_owned(), source }
}

fn parse(text: &str) -> Result<Identity, &'static str> {
    let (mut seed, mut peer) = (None, None);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.split_once(' ') {
            Some((KEY, value)) if seed.is_none() => {
                seed = Some(from_hex(value.trim()).ok_or("its key is not 64 hexadecimal digits")?);
            }
            Some((PEER, value)) if peer.is_none() => {
                peer = Some(value.trim().parse::<PeerId>().map_err(|_| "its peer id is not a peer id")?);
            }
            _ => return Err("it holds a line that does not belong there"),
        }
    }
    let identity = Identity::from_seed(seed.ok_or("it holds no key")?);
    // One flipped bit in the key would make this peer somebody else without a word; the stored peer id tells.
    match peer {
        Some(peer) if peer == identity.peer_id() => Ok(identity),
        Some(_) => Err("its key and its peer id do not belong together"),
        None => Err("it holds no peer id"),
    }
}

fn render(identity: &Identity) -> String {
    let digits: String = identity.seed().iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "# The private key of this Moorline peer. Keep it secret, and use it on one machine only.\n\
         {PEER} {}\n{KEY} {digits}\n",
        identity.peer_id()
    )
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let bytes = text.as_bytes();
    if bytes.len() != 64 {
        return None;
    }
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(out)
}

/// Writes beside the target, then links into place: readers see no half file, and an existing file is never replaced.
fn store(path: &Path, identity: &Identity, entropy: &dyn Entropy) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        create_private_folder(folder)?;
    }
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{:016x}.new", u64::from_le_bytes(draw(entropy))));
    let temporary = path.with_file_name(name);
    let written = write_private(&temporary, render(identity).as_bytes()).and_then(|()| publish(&temporary, path));
    let _ = fs::remove_file(&temporary);
    written
}

fn publish(temporary: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(temporary, path) {
        // Some file systems (FAT, some network shares) have no links: write in place there, still without replacing.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => write_private(path, &fs::read(temporary)?),
        linked => linked,
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn create_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(unix)]
fn exposed_mode(metadata: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Elsewhere the user's own folder is private by its access control list.
#[cfg(not(unix))]
fn exposed_mode(_: &fs::Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OsEntropy, SeededEntropy};

    fn place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper/identity");
        (folder, path)
    }

    #[test]
    fn an_identity_is_made_once_and_found_again() {
        let (_folder, path) = place();
        let first = load_or_create(&path, &OsEntropy).unwrap();
        let second = load_or_create(&path, &OsEntropy).unwrap();
        assert_eq!(first.peer_id(), second.peer_id());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left behind");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_belongs_to_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, path) = place();
        load_or_create(&path, &OsEntropy).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused_with_advice() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, path) = place();
        load_or_create(&path, &OsEntropy).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = load_or_create(&path, &OsEntropy).unwrap_err();
            assert!(matches!(error, IdentityError::Exposed { mode: seen, .. } if seen == mode), "{error:?}");
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        load_or_create(&path, &OsEntropy).unwrap();
    }

    #[test]
    fn bad_files_are_refused_and_left_alone() {
        let good = render(&Identity::from_seed([3; 32]));
        let flipped = good.replace("0303030303", "0303030302");
        let no_peer = good.replace(PEER, "# peer");
        let short = good.replace("0303\n", "03\n");
        let cases = [
            ("", "holds no key"),
            ("hello\n", "does not belong"),
            (&flipped, "do not belong together"),
            (&no_peer, "no peer id"),
            (&short, "64 hexadecimal"),
            (&format!("{good}{good}"), "does not belong"),
            (&"#".repeat(5000), "too long"),
        ];
        for (text, expected) in cases {
            let (_folder, path) = place();
            create_private_folder(path.parent().unwrap()).unwrap();
            write_private(&path, text.as_bytes()).unwrap();
            let error = load_or_create(&path, &OsEntropy).unwrap_err().to_string();
            assert!(error.contains(expected), "{expected:?} not in {error:?}");
            assert!(error.contains(path.to_str().unwrap()), "{error}");
            assert_eq!(fs::read(&path).unwrap(), text.as_bytes(), "the file is untouched");
        }
    }

    #[test]
    fn not_text_a_folder_and_an_unwritable_place_are_told_apart() {
        let (folder, path) = place();
        create_private_folder(path.parent().unwrap()).unwrap();
        write_private(&path, &[0xff, 0xfe, 0]).unwrap();
        assert!(load_or_create(&path, &OsEntropy).unwrap_err().to_string().contains("not text"));
        let error = load_or_create(path.parent().unwrap(), &OsEntropy).unwrap_err();
        assert!(matches!(error, IdentityError::Malformed { .. } | IdentityError::Read { .. }), "{error:?}");
        let below_a_file = path.join("identity");
        let error = load_or_create(&below_a_file, &OsEntropy).unwrap_err();
        assert!(matches!(error, IdentityError::Write { .. } | IdentityError::Read { .. }), "{error:?}");
        drop(folder);
    }

    #[test]
    fn programs_that_start_at_once_agree() {
        let (_folder, path) = place();
        let found: Vec<PeerId> = std::thread::scope(|scope| {
            let start = |seed: u8| {
                let path = &path;
                scope.spawn(move || load_or_create(path, &SeededEntropy::new([seed; 32])).unwrap().peer_id())
            };
            let threads: Vec<_> = (0..8).map(start).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(found.iter().all(|id| *id == found[0]), "{found:?}");
    }
}
