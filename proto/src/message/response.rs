//! What comes back on a request's stream.

use bytes::Bytes;
use prost::Message as _;

use super::library::{ITEM_PAGE, LIBRARY_DELTA};
use super::shape::{self, Field, Shape};
use super::{DecodeError, ItemPage, LibraryDelta, LibraryDigest, PeerError, check, limits};
use crate::manifest::{EncodedPage, ManifestHead, PAGE_MAX_RECORDS, PAGE_TARGET};
use crate::wire::v1;
use crate::wire::v1::response::Kind;

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// The request failed; nothing follows.
    Error(PeerError),
    /// Answers a ping.
    Pong {
        /// As in the ping.
        nonce: u64,
        /// What the library looks like now.
        digest: LibraryDigest,
    },
    /// A page of the listing.
    Items(ItemPage),
    /// A change of the library.
    Delta(LibraryDelta),
    /// The head of a manifest. Decoding checked that its numbers can be true, not that it is the item's:
    /// [`ManifestHead::verify`] does.
    Manifest(ManifestHead),
    /// A page of a manifest, unchecked but for its length.
    ManifestPage(EncodedPage),
    /// Then exactly so many raw bytes follow: the chunks asked for, one after another.
    Chunks {
        /// How many.
        bytes: u64,
    },
    /// A picture.
    Thumbnail {
        /// Such as `image/png`.
        media_type: String,
        /// Its bytes, at most [`limits::MAX_THUMBNAIL`].
        bytes: Bytes,
    },
}

const MANIFEST_PAGE: Shape = &[Field::numbers(2, "modification times", PAGE_MAX_RECORDS)];
const RESPONSE: Shape = &[
    Field::message(3, "items", ITEM_PAGE),
    Field::message(4, "delta", LIBRARY_DELTA),
    Field::message(6, "manifest page", MANIFEST_PAGE),
];

impl Response {
    /// The payload of its frame.
    pub fn encode(&self) -> Bytes {
        let kind = match self {
            Response::Error(error) => Kind::Error(error.to_wire()),
            Response::Pong { nonce, digest } => Kind::Pong(v1::Pong { nonce: *nonce, digest: Some(digest.to_wire()) }),
            Response::Items(page) => Kind::Items(page.to_wire()),
            Response::Delta(delta) => Kind::Delta(delta.to_wire()),
            Response::Manifest(head) => Kind::Manifest(v1::ManifestHead { content: head.encode() }),
            Response::ManifestPage(page) => Kind::ManifestPage(page.to_wire()),
            Response::Chunks { bytes } => Kind::Chunks(v1::ChunksHeader { bytes: *bytes }),
            Response::Thumbnail { media_type, bytes } => {
                Kind::Thumbnail(v1::ThumbnailData { media_type: media_type.clone(), bytes: bytes.clone() })
            }
        };
        v1::Response { kind: Some(kind) }.encode_to_vec().into()
    }

    /// Reads the payload of a frame.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        let wire: v1::Response = shape::decode(RESPONSE, frame)?;
        Ok(match wire.kind.ok_or(DecodeError::UnknownKind("response"))? {
            Kind::Error(error) => Response::Error(PeerError::from_wire(error)?),
            Kind::Pong(pong) => Response::Pong { nonce: pong.nonce, digest: LibraryDigest::from_wire(pong.digest)? },
            Kind::Items(page) => Response::Items(ItemPage::from_wire(page)?),
            Kind::Delta(delta) => Response::Delta(LibraryDelta::from_wire(delta)?),
            Kind::Manifest(head) => Response::Manifest(ManifestHead::decode(&head.content)?),
            Kind::ManifestPage(page) => Response::ManifestPage(EncodedPage::from_wire(page)?),
            Kind::Chunks(header) => Response::Chunks { bytes: header.bytes },
            Kind::Thumbnail(data) => {
                check::line("media type", &data.media_type, limits::MAX_MEDIA_TYPE)?;
                check::length("thumbnail", data.bytes.len(), limits::MAX_THUMBNAIL)?;
                Response::Thumbnail { media_type: data.media_type, bytes: data.bytes }
            }
        })
    }
}

impl EncodedPage {
    /// The page with its modification times in one piece: the protobuf message `ManifestPage`, for whoever stores pages.
    pub fn encode(&self) -> Bytes {
        self.to_wire().encode_to_vec().into()
    }

    /// Reads what [`encode`](Self::encode) writes.
    ///
    /// # Errors
    /// See [`DecodeError`]. The records are not looked at: [`Page::decode`](crate::Page::decode) does that.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::from_wire(shape::decode(MANIFEST_PAGE, bytes)?)
    }

    fn to_wire(&self) -> v1::ManifestPage {
        v1::ManifestPage { content: self.content.clone(), modified_ms: self.modified_ms.clone() }
    }

    fn from_wire(wire: v1::ManifestPage) -> Result<Self, DecodeError> {
        check::length("manifest page", wire.content.len(), PAGE_TARGET)?;
        Ok(Self { content: wire.content, modified_ms: wire.modified_ms })
    }
}
