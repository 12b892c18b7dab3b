use bytes::Bytes;
use moorline_proto::{Hash, ItemId, Request, Response};
use moorline_transport::Connection;
use tokio::time::timeout;

use super::context::Context;

/// The picture of an item, as its owner chose it. Verified against the listing; what is in it is untrusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThumbnailImage {
    /// Such as `image/png`.
    pub media_type: String,
    /// The image file.
    pub bytes: Bytes,
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ThumbnailError {
    /// Nobody lists one for this item.
    #[error("no connected peer offers item {0} with a thumbnail")]
    NotOffered(ItemId),
    /// Every peer that lists one was asked in vain.
    #[error("the thumbnail of item {item} could not be fetched; {peer}: {reason}")]
    Failed {
        /// The item.
        item: ItemId,
        /// The name of the peer that was asked last: untrusted text.
        peer: String,
        /// What went wrong there.
        reason: String,
    },
}

/// Asks the peers that list a picture of `item`, one after the other, for as long as each may take over a page of its listing.
pub(super) async fn fetch(context: &Context, item: ItemId) -> Result<ThumbnailImage, ThumbnailError> {
    let mut failure = ThumbnailError::NotOffered(item);
    for (connection, listed) in context.peers.thumbnails(&item) {
        let asked = timeout(context.limits.listing_deadline, ask(&connection, item, listed.hash)).await;
        match asked.unwrap_or_else(|_| Err("it did not answer in time".to_owned())) {
            Ok(bytes) => return Ok(ThumbnailImage { media_type: listed.media_type, bytes }),
            Err(reason) => {
                failure = ThumbnailError::Failed { item, peer: connection.peer().name.clone(), reason };
            }
        }
    }
    Err(failure)
}

async fn ask(connection: &Connection, item: ItemId, hash: Hash) -> Result<Bytes, String> {
    let mut exchange = connection.request(&Request::Thumbnail { item }).await.map_err(|error| error.to_string())?;
    match exchange.response().await.map_err(|error| error.to_string())? {
        Response::Thumbnail { bytes, .. } if Hash::of(&bytes) == hash => Ok(bytes),
        Response::Thumbnail { .. } => Err("what it sent is not the picture that it lists".to_owned()),
        _ => Err("it answered with something else".to_owned()),
    }
}
