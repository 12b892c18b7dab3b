//! `moorline.toml`: what the owner of an item wants others to see.

use std::fs::File;
use std::io::Read as _;

use moorline_proto::{Hash, MAX_PATH_BYTES, RelPath, limits};
use serde::Deserialize;

use super::dir::{is_gone, meta_of};
use super::notice::{NoticeReason, NoticeSink};
use super::opener::Opener;
use super::stamp::Kind;
use super::walk::Base;

/// Name of the file in the folder of an item.
pub(super) const METADATA_FILE: &str = "moorline.toml";
const METADATA_MAX: u64 = 64 * 1024;

/// What is shown about an item. All of it is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) title: Option<String>,
    pub(super) version: Option<String>,
    pub(super) description: Option<String>,
    pub(super) thumbnail: Option<Thumbnail>,
}

/// An image in the item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thumbnail {
    pub(super) path: RelPath,
    pub(super) media_type: &'static str,
    pub(super) bytes: u32,
    pub(super) hash: Hash,
}

/// Each value is taken on its own, so that a wrong one spoils no other. Unknown keys are for later versions.
#[derive(Deserialize)]
struct Raw {
    title: Option<toml::Value>,
    version: Option<toml::Value>,
    description: Option<toml::Value>,
    thumbnail: Option<toml::Value>,
}

/// Reads the metadata of an item that is a directory. Whatever is wrong with it becomes a notice.
pub(super) fn read(base: &Base, notices: &mut NoticeSink) -> Metadata {
    let Base::Directory(root) = base else { return Metadata::default() };
    let path = root.join(METADATA_FILE);
    let raw = match read_raw(base) {
        Ok(Some(raw)) => raw,
        Ok(None) => return Metadata::default(),
        Err(why) => {
            notices.push(path, NoticeReason::Metadata(why));
            return Metadata::default();
        }
    };
    let mut note = |why| notices.push(path.clone(), NoticeReason::Metadata(why));
    Metadata {
        title: text("title", raw.title, limits::MAX_TITLE, &mut note),
        version: text("version", raw.version, limits::MAX_ITEM_VERSION, &mut note),
        description: text("description", raw.description, limits::MAX_DESCRIPTION, &mut note),
        thumbnail: text("thumbnail", raw.thumbnail, MAX_PATH_BYTES, &mut note).and_then(|named| {
            find_thumbnail(base, &named).map_err(|why| note(format!("thumbnail {named:?}: {why}"))).ok()
        }),
    }
}

fn read_raw(base: &Base) -> Result<Option<Raw>, String> {
    let path = RelPath::parse(METADATA_FILE).map_err(|error| error.to_string())?;
    let file = match Opener::new(base).open(&path) {
        Ok(file) => file,
        Err(error) if is_gone(&error) => return Ok(None),
        Err(error) => return Err(format!("cannot be read ({error})")),
    };
    let bytes = read_bounded(file, METADATA_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
    toml::from_str(&text).map(Some).map_err(|error| format!("not valid TOML: {}", error.message()))
}

fn text(key: &str, value: Option<toml::Value>, max: usize, note: &mut impl FnMut(String)) -> Option<String> {
    let text = match value? {
        toml::Value::String(text) => text,
        other => {
            note(format!("`{key}` must be a text, not {}", other.type_str()));
            return None;
        }
    };
    let text = text.trim().replace("\r\n", "\n");
    if text.len() > max {
        note(format!("`{key}` has {} bytes, more than {max}", text.len()));
        return None;
    }
    if text.chars().any(|c| c.is_control() && !(key == "description" && matches!(c, '\n' | '\t'))) {
        note(format!("`{key}` contains control characters"));
        return None;
    }
    (!text.is_empty()).then_some(text)
}

fn find_thumbnail(base: &Base, named: &str) -> Result<Thumbnail, String> {
    let path = RelPath::parse(named).map_err(|error| error.to_string())?;
    let extension = path.file_name().rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let media_type = match extension.as_deref() {
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("gif") => "image/gif",
        _ => return Err("not an image; use png, jpg, webp or gif".to_owned()),
    };
    let content = read_thumbnail(base, &path)?;
    let bytes = u32::try_from(content.len()).map_err(|error| error.to_string())?;
    Ok(Thumbnail { path, media_type, bytes, hash: Hash::of(&content) })
}

/// Reads a thumbnail, which has to be a regular file inside the item and of bounded size.
pub(super) fn read_thumbnail(base: &Base, path: &RelPath) -> Result<Vec<u8>, String> {
    let file = Opener::new(base).open(path).map_err(|error| format!("cannot be read ({error})"))?;
    read_bounded(file, limits::MAX_THUMBNAIL as u64)
}

fn read_bounded(file: File, max: u64) -> Result<Vec<u8>, String> {
    let meta = meta_of(&file).map_err(|error| format!("cannot be read ({error})"))?;
    if meta.kind != Kind::File {
        return Err("not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read ({error})"))?;
    if bytes.len() as u64 > max {
        return Err(format!("larger than {} KiB", max / 1024));
    }
    Ok(bytes)
}
