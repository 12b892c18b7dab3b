use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use moorline_proto::{ErrorCode, ItemId, LibraryDigest, PeerError, Request, Response};
use moorline_sim_point::sim_point;
use moorline_transport::{CloseReason, IncomingRequest, RequestError, Responder};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::debug;

use crate::library::{Library, ServeError, SharedItem};
use crate::supervisor::Scope;

use super::session::Session;

/// Chunks that one request may ask for.
const MAX_CHUNKS: u32 = 64;
/// Manifest pages that one request may ask for.
const MAX_PAGES: u32 = 64;
/// How long a peer may take over one chunk: a rate of 50 KiB/s.
const CHUNK_DEADLINE: Duration = Duration::from_secs(20);
/// The same while every place is taken: shorter than what a peer that waits for its turn has patience for.
const CROWDED_DEADLINE: Duration = Duration::from_secs(8);

/// Answers one request. Whatever the peer sent, the outcome is an answer, a reset with a code, or the end of its connection.
pub(super) async fn serve(session: Arc<Session>, incoming: IncomingRequest, scope: Scope) {
    // Pinned outside of the select: a branch that loses would be dropped, and with it the stream, before the goodbye went out.
    let mut answering = pin!(answer(&session, incoming, &scope));
    let outcome = tokio::select! {
        biased;
        () = scope.cancelled() => {
            session.connection.closed().await;
            return;
        }
        outcome = &mut answering => outcome,
    };
    match outcome {
        Ok(()) => {}
        Err(RequestError::Protocol(what)) => {
            debug!(peer = %session.connection.peer().id.short(), what, "closing a peer that broke the protocol");
            session.connection.close(&CloseReason::Protocol(what));
        }
        Err(error) => debug!(peer = %session.connection.peer().id.short(), %error, "request ended early"),
    }
}

async fn answer(session: &Session, incoming: IncomingRequest, scope: &Scope) -> Result<(), RequestError> {
    let (request, mut responder) = incoming.read().await?;
    let library = session.context.library.as_ref();
    match request {
        Request::Ping { nonce } => {
            let digest = library.map_or_else(LibraryDigest::default, Library::digest);
            responder.respond(&Response::Pong { nonce, digest }).await?;
        }
        Request::ListItems { after } => match library {
            Some(library) => responder.respond(&Response::Items(library.list_page(after))).await?,
            None => return refuse(responder, ErrorCode::NotFound, "this peer shares nothing").await,
        },
        Request::WatchLibrary { since } => match library {
            Some(library) => return watch(library, since, responder).await,
            None => return refuse(responder, ErrorCode::NotFound, "this peer shares nothing").await,
        },
        Request::Manifest { item } => match find(library, &item) {
            Some(shared) => responder.respond(&Response::Manifest(shared.head().clone())).await?,
            None => return refuse(responder, ErrorCode::NotFound, NOT_SHARED).await,
        },
        Request::ManifestPages { item, first, count } => match find(library, &item) {
            Some(shared) => return pages(shared, first, count, responder, scope).await,
            None => return refuse(responder, ErrorCode::NotFound, NOT_SHARED).await,
        },
        Request::Chunks { item, first, count } => match find(library, &item) {
            Some(shared) => {
                session.note_upload(item);
                return chunks(session, shared, first, count, responder, scope).await;
            }
            None => return refuse(responder, ErrorCode::NotFound, NOT_SHARED).await,
        },
        Request::Thumbnail { item } => match find(library, &item) {
            Some(shared) => return thumbnail(shared, responder, scope).await,
            None => return refuse(responder, ErrorCode::NotFound, NOT_SHARED).await,
        },
    }
    responder.finish();
    Ok(())
}

const NOT_SHARED: &str = "this item is not shared here (any more)";

fn find(library: Option<&Library>, item: &ItemId) -> Option<Arc<SharedItem>> {
    library.and_then(|library| library.item(item))
}

async fn refuse(mut responder: Responder, code: ErrorCode, message: &str) -> Result<(), RequestError> {
    responder.respond(&Response::Error(PeerError { code, message: message.to_owned() })).await?;
    responder.finish();
    Ok(())
}

/// Sends a delta for each change until the peer stops listening.
async fn watch(library: &Library, mut since: u64, mut responder: Responder) -> Result<(), RequestError> {
    let mut revision = library.revision();
    loop {
        let current = *revision.borrow_and_update();
        if current != since {
            let delta = library.deltas_since(since);
            let reset = delta.reset;
            since = delta.to;
            responder.respond(&Response::Delta(delta)).await?;
            if reset {
                responder.finish();
                return Ok(());
            }
        }
        tokio::select! {
            biased;
            () = responder.stopped() => return Ok(()),
            changed = revision.changed() => if changed.is_err() {
                responder.finish();
                return Ok(());
            },
        }
    }
}

async fn pages(
    shared: Arc<SharedItem>,
    first: u32,
    count: u32,
    mut responder: Responder,
    scope: &Scope,
) -> Result<(), RequestError> {
    let total = shared.head().pages.len();
    let first = first as usize;
    if count > MAX_PAGES || first >= total {
        return refuse(responder, ErrorCode::BadRequest, "no such manifest pages").await;
    }
    for index in first..total.min(first + count as usize) {
        let source = shared.clone();
        let page = scope.spawn_blocking("manifest-page", move || source.page(index)).await;
        match page {
            Ok(Ok(page)) => responder.respond(&Response::ManifestPage(page)).await?,
            Ok(Err(error)) => return refuse(responder, code_of(&error), &error.to_string()).await,
            Err(_) => return refuse(responder, ErrorCode::Unavailable, "this peer is stopping").await,
        }
    }
    responder.finish();
    Ok(())
}

/// Sends a run of chunks: one header, then their bytes. When the content turns out to be gone or changed, the stream is reset with a
/// code, so that the receiver knows that the sender is stale and not lying.
async fn chunks(
    session: &Session,
    shared: Arc<SharedItem>,
    first: u64,
    count: u32,
    mut responder: Responder,
    scope: &Scope,
) -> Result<(), RequestError> {
    if count == 0 || count > MAX_CHUNKS {
        return refuse(responder, ErrorCode::BadRequest, "ask for 1 to 64 chunks at a time").await;
    }
    // Its own share first: who waits for that holds nothing of the others'.
    let places = &*session.context.uploads;
    let (Ok(_own), Ok(place)) = (session.uploads.acquire().await, places.acquire().await) else {
        return refuse(responder, ErrorCode::Unavailable, "this peer is stopping").await;
    };
    let mut place = Some(place);
    let source = shared.clone();
    let lengths = scope.spawn_blocking("chunk-lengths", move || source.chunks_len(first, count)).await;
    let bytes = match lengths {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => return refuse(responder, code_of(&error), &error.to_string()).await,
        Err(_) => return refuse(responder, ErrorCode::Unavailable, "this peer is stopping").await,
    };
    sim_point!(await "serve.chunks");
    responder.respond(&Response::Chunks { bytes }).await?;
    let read = |index: u64| {
        let source = shared.clone();
        scope.spawn_blocking("chunk-reader", move || source.read_chunk(index))
    };
    let last = first + u64::from(count) - 1;
    let mut next = None;
    for index in first..=last {
        if place.is_none() {
            place = places.acquire().await.ok();
        }
        let chunk = match next.take().unwrap_or_else(|| read(index)).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(error)) => {
                debug!(%error, "a shared file can no longer be served");
                responder.abort(code_of(&error));
                return Ok(());
            }
            Err(error) => {
                debug!(%error, "reading a chunk was cut off");
                responder.abort(ErrorCode::Internal);
                return Ok(());
            }
        };
        // The next chunk is read while this one is sent.
        next = (index < last && !is_crowded(places)).then(|| read(index + 1));
        let Some(written) = in_time(responder.write_bulk(chunk), places).await else {
            responder.abort(ErrorCode::Unavailable);
            return Err(RequestError::TimedOut("read on"));
        };
        written?;
        if is_crowded(places) {
            // Behind those that wait. What was read ahead would take memory without a place.
            (place, next) = (None, None);
        }
    }
    responder.finish();
    Ok(())
}

fn is_crowded(places: &Semaphore) -> bool {
    places.available_permits() == 0
}

/// `None` when the peer takes too long over a chunk.
async fn in_time<T>(write: impl Future<Output = T>, places: &Semaphore) -> Option<T> {
    let mut write = pin!(write);
    match timeout(CROWDED_DEADLINE, &mut write).await {
        Ok(written) => Some(written),
        Err(_) if is_crowded(places) => None,
        Err(_) => timeout(CHUNK_DEADLINE - CROWDED_DEADLINE, write).await.ok(),
    }
}

async fn thumbnail(shared: Arc<SharedItem>, mut responder: Responder, scope: &Scope) -> Result<(), RequestError> {
    let image = scope.spawn_blocking("thumbnail", move || shared.thumbnail()).await;
    match image {
        Ok(Ok(Some((media_type, bytes)))) => {
            responder.respond(&Response::Thumbnail { media_type, bytes }).await?;
            responder.finish();
            Ok(())
        }
        Ok(Ok(None)) => refuse(responder, ErrorCode::NotFound, "this item has no thumbnail").await,
        Ok(Err(error)) => refuse(responder, code_of(&error), &error.to_string()).await,
        Err(_) => refuse(responder, ErrorCode::Unavailable, "this peer is stopping").await,
    }
}

fn code_of(error: &ServeError) -> ErrorCode {
    match error {
        ServeError::Changed { .. } => ErrorCode::Changed,
        ServeError::Gone { .. } => ErrorCode::NotFound,
        ServeError::OutOfRange { .. } => ErrorCode::BadRequest,
        _ => ErrorCode::Unavailable,
    }
}
