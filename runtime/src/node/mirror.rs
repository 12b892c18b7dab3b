use std::sync::Arc;
use std::time::Duration;

use moorline_proto::{Request, Response};
use moorline_transport::RequestError;
use tracing::{debug, warn};

use crate::supervisor::Scope;

use super::event::NodeEvent;
use super::listing::Listing;
use super::session::Session;

/// Pause before a library is listed again on a connection that lives.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Pause after a delta. A peer that sends them without end is slowed down by QUIC's flow control.
const DELTA_PAUSE: Duration = Duration::from_millis(100);

/// Keeps a copy of a peer's library: one full listing, then deltas as they come. Ends with the connection.
pub(super) async fn follow(session: Arc<Session>, scope: Scope) {
    loop {
        let outcome = tokio::select! {
            biased;
            () = scope.cancelled() => return,
            outcome = list_and_watch(&session) => outcome,
        };
        match outcome {
            Ok(()) => {}
            Err(RequestError::ConnectionLost(_)) => return,
            Err(error) => {
                warn!(peer = %session.connection.peer().id.short(), %error, "listing the peer's library failed");
            }
        }
        // Also when the peer asks for a fresh listing: one that always does must not keep us busy.
        tokio::select! {
            biased;
            () = scope.cancelled() => return,
            () = tokio::time::sleep(RETRY_PAUSE) => {}
        }
    }
}

/// Returns `Ok` when the peer asks for a fresh listing.
async fn list_and_watch(session: &Session) -> Result<(), RequestError> {
    let context = &session.context;
    let peer = session.connection.peer().id;
    let (mut revision, offers) = list(session).await?;
    context.peers.set_offers(&peer, session.link, offers);
    context.bus.emit(NodeEvent::OffersChanged);

    let mut watch = session.connection.request(&Request::WatchLibrary { since: revision }).await?;
    loop {
        // No deadline: a delta comes when something changes; liveness ends a dead connection.
        match watch.response().await? {
            Response::Delta(delta) if delta.reset => return Ok(()),
            Response::Delta(delta) if delta.from != revision => {
                debug!(from = delta.from, ours = revision, "a delta is missing; listing again");
                return Ok(());
            }
            Response::Delta(delta) => {
                revision = delta.to;
                if !context.peers.apply(&peer, session.link, delta) {
                    warn!(peer = %peer.short(), "the peer lists more than there is room for");
                }
                context.bus.emit(NodeEvent::OffersChanged);
                tokio::time::sleep(DELTA_PAUSE).await;
            }
            _ => return Err(RequestError::Protocol("expected a library delta".into())),
        }
    }
}

/// All pages. The revision is that of the first page: what changed while later pages came arrives again as a delta.
async fn list(session: &Session) -> Result<(u64, Listing), RequestError> {
    let limits = &session.context.limits;
    let mut offers = session.context.peers.listing();
    let mut full = false;
    let mut after = None;
    let mut revision = None;
    loop {
        let page = tokio::time::timeout(limits.listing_deadline, async {
            let mut exchange = session.connection.request(&Request::ListItems { after }).await?;
            match exchange.response().await? {
                Response::Items(page) => Ok(page),
                _ => Err(RequestError::Protocol("expected a page of items".into())),
            }
        });
        let page = page.await.map_err(|_| RequestError::TimedOut("list its items"))??;
        let first_revision = *revision.get_or_insert(page.revision);
        let last = page.items.last().map(|item| item.id);
        // A page that does not move on would be asked for for ever.
        let advanced = last > after;
        for item in page.items {
            full |= !offers.insert(item);
        }
        if full {
            warn!(peer = %session.connection.peer().id.short(), seen = offers.items().len(), "the peer lists more than there is room for");
        }
        if full || !page.more || !advanced {
            return Ok((first_revision, offers));
        }
        after = last;
    }
}
