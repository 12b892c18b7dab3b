//! How long the parts of a message may be. Decoding refuses more; who sends checks first. Bytes of UTF-8 where not said
//! otherwise.
//!
//! Chosen so that a page of a listing and a delta fit [`MAX_FRAME`](crate::MAX_FRAME) even when every field is at its limit.

/// Capabilities in a hello.
pub const MAX_CAPABILITIES: usize = 32;
/// A capability's name.
pub const MAX_CAPABILITY: usize = 64;
/// A message of the password-authenticated key exchange, in bytes.
pub const MAX_PAKE: usize = 256;
/// A proof of knowing the passphrase, in bytes.
pub const MAX_CONFIRM: usize = 64;
/// Names of peers and items.
pub const MAX_NAME: usize = 255;
/// Program and version of a peer.
pub const MAX_AGENT: usize = 128;
/// Text of a refusal or an error.
pub const MAX_MESSAGE: usize = 1024;
/// Text of a goodbye; it must fit a QUIC close frame.
pub const MAX_REASON: usize = 512;
/// Title of an item.
pub const MAX_TITLE: usize = 128;
/// Version of an item.
pub const MAX_ITEM_VERSION: usize = 64;
/// Description of an item.
pub const MAX_DESCRIPTION: usize = 2048;
/// Media type of a picture.
pub const MAX_MEDIA_TYPE: usize = 64;
/// Size of a picture, in bytes.
pub const MAX_THUMBNAIL: usize = 128 * 1024;
/// Items in one page of a listing, and new or changed items in one delta.
pub const MAX_ITEMS: usize = 64;
/// Items in one delta that are gone.
pub const MAX_REMOVED: usize = 1024;
