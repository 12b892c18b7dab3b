//! One connection, from its first byte to its last.

mod end;
mod handshake;
mod live;
mod socket;

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use http::{Method, Request, StatusCode, header};
use moorline_sim_point::task;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};
use tracing::{debug, error};

use super::core::Core;
use super::store::Store;
use super::{Outbox, ServerConfig, http as web};

use socket::Socket;

/// A session in the hands of this connection.
struct Held<Seat> {
    seat: Seat,
    outbox: Outbox,
    registered: u64,
}

/// Serves a connection until it ends. Its session, if it has one then, is left waiting for its client, whatever happened. `reset` makes
/// sure that a silent client hears of the end.
pub(super) async fn serve<IO, S>(
    core: Arc<Core>,
    store: Arc<S>,
    stream: IO,
    reset: fn(&IO),
    from: SocketAddr,
    place: Place,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send,
    S: Store,
{
    let mut held = None;
    let work = task("server-connection", run(&core, &store, stream, reset, &mut held, from, place));
    if AssertUnwindSafe(work).catch_unwind().await.is_err() {
        core.metrics.panics.add(1);
        error!(%from, "the task of a connection panicked");
    }
    if let Some(held) = held {
        let outbox = held.outbox.clone();
        settle(&core, &store, held).await;
        outbox.close();
    }
}

async fn run<IO, S>(
    core: &Arc<Core>,
    store: &Arc<S>,
    stream: IO,
    reset: fn(&IO),
    held: &mut Option<Held<S::Seat>>,
    from: SocketAddr,
    place: Place,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send,
    S: Store,
{
    let pending = Counted::add(core, |core| &core.pending);
    if place == Place::None || pending.count > core.config.limits.max_pending {
        core.metrics.turned_away.add(1);
        drop(pending);
        Box::pin(turn_away(core, stream)).await;
        return;
    }
    // Boxed: what is needed for an instant must not be kept in the task for the hours that follow.
    let opening = Box::pin(open(core, stream));
    let mut socket = tokio::select! {
        biased;
        () = core.stop.cancelled() => return,
        socket = opening => match socket {
            Some(socket) => socket,
            None => return,
        },
    };
    let entering = Box::pin(handshake::enter(core, store, &mut socket, held));
    let entered = tokio::select! {
        biased;
        () = core.stop.cancelled() => return,
        entered = entering => entered,
    };
    drop(pending);
    let outbox = held.as_ref().map(|held| held.outbox.clone());
    let end = match (entered, held.as_ref()) {
        (Ok(session), Some(at)) => live::run(core, store, &mut socket, &at.seat, &at.outbox, session).await,
        (Err(end), _) => end,
        (Ok(_), None) => return,
    };
    match &end {
        end::End::Lost(why) => debug!(%from, why, "a connection is lost"),
        end::End::Silent => debug!(%from, why = "silence", "a connection is lost"),
        end => debug!(%from, ?end, "a connection ends"),
    }
    if let Some(held) = held.take() {
        settle(core, store, held).await;
    }
    Box::pin(async move {
        let silent = matches!(end, end::End::Silent);
        end.say(core, &mut socket).await;
        if let Some(outbox) = outbox {
            outbox.close();
        }
        if silent {
            reset(socket.stream());
        } else {
            socket.linger(core.config.close_timeout).await;
        }
    })
    .await;
}

/// Leaves the session waiting, unless it has ended or is another connection's.
async fn settle<S: Store>(core: &Core, store: &Arc<S>, held: Held<S::Seat>) {
    core.registry.remove(held.registered);
    store.detach(&held.seat, Instant::now()).await;
    core.detached.notify_one();
}

/// Whether there is room for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Free,
    /// To be told, and no more.
    None,
}

/// Time to read the answer for those that are turned away: they are in the way of others.
const TURNED_AWAY_WITHIN: Duration = Duration::from_millis(200);

async fn turn_away<IO: AsyncRead + AsyncWrite + Unpin>(core: &Core, mut stream: IO) {
    let answer = web::respond(&mut stream, StatusCode::SERVICE_UNAVAILABLE, "too many connections\n");
    if let Ok(Ok(())) = timeout(core.config.close_timeout, answer).await {
        // To close with the request unread would reset the connection, and the answer might be lost.
        socket::discard(&mut stream, core.config.close_timeout.min(TURNED_AWAY_WITHIN)).await;
    }
}

/// Reads the HTTP request and answers it. The WebSocket, if that was what it asked for.
async fn open<IO: AsyncRead + AsyncWrite + Unpin>(core: &Core, mut stream: IO) -> Option<Socket<IO>> {
    let (request, rest) = match timeout(core.config.handshake_timeout, web::read_request(&mut stream)).await {
        Ok(Ok(read)) => read,
        Ok(Err(web::BadRequest::Status(status))) => return answer(core, stream, status, "").await,
        Ok(Err(web::BadRequest::Io(error))) => {
            debug!(%error, "a connection ended before its request");
            return None;
        }
        Err(_) => return answer(core, stream, StatusCode::REQUEST_TIMEOUT, "").await,
    };
    let response = match route(core, &request) {
        Route::Page(status, body) => return answer(core, stream, status, &body).await,
        Route::WebSocket(response) => response,
    };
    match timeout(core.config.handshake_timeout, web::write_upgrade(&mut stream, &response)).await {
        Ok(Ok(())) => Some(Socket::new(stream, rest).await),
        _ => None,
    }
}

enum Route {
    Page(StatusCode, String),
    WebSocket(http::Response<()>),
}

fn route(core: &Core, request: &Request<()>) -> Route {
    let path = request.uri().path();
    if matches!(path, "/healthz" | "/metrics") {
        return match (request.method() == Method::GET, path) {
            (false, _) => Route::Page(StatusCode::METHOD_NOT_ALLOWED, String::new()),
            (true, "/metrics") => Route::Page(StatusCode::OK, core.metrics_page()),
            (true, _) if core.registry.draining().is_some() => {
                Route::Page(StatusCode::SERVICE_UNAVAILABLE, "draining\n".into())
            }
            (true, _) => Route::Page(StatusCode::OK, "ok".into()),
        };
    }
    if !web::wants_upgrade(request) {
        return match (request.method() == Method::GET, path) {
            (false, _) => Route::Page(StatusCode::METHOD_NOT_ALLOWED, String::new()),
            (true, "/") => Route::Page(StatusCode::UPGRADE_REQUIRED, String::new()),
            (true, _) => Route::Page(StatusCode::NOT_FOUND, String::new()),
        };
    }
    if !may_come_from(&core.config, request) {
        return Route::Page(StatusCode::FORBIDDEN, FOREIGN_ORIGIN.into());
    }
    match web::upgrade(request) {
        Ok(response) => Route::WebSocket(response),
        Err(status) => Route::Page(status, String::new()),
    }
}

const FOREIGN_ORIGIN: &str = "Pages of this origin may not connect. Start the server with this origin allowed (--allow-origin), \
                              or with a secret.\n";

/// Whether pages of the origin that the request names, if it names one, may connect.
fn may_come_from(config: &ServerConfig, request: &Request<()>) -> bool {
    let allowed = &config.allowed_origins;
    let mut origins = request.headers().get_all(header::ORIGIN).iter();
    match allowed.is_empty() {
        true => config.secret.is_some() || origins.next().is_none(),
        false => origins.all(|origin| {
            allowed.iter().any(|allowed| allowed == "*" || allowed.as_bytes().eq_ignore_ascii_case(origin.as_bytes()))
        }),
    }
}

async fn answer<IO: AsyncRead + AsyncWrite + Unpin>(
    core: &Core,
    mut stream: IO,
    status: StatusCode,
    body: &str,
) -> Option<Socket<IO>> {
    if !status.is_success() {
        core.metrics.http_errors.add(1);
    }
    let reason = format!("{}\n", status.canonical_reason().unwrap_or_default());
    let body = if body.is_empty() { &reason } else { body };
    if let Ok(Ok(())) = timeout(core.config.write_timeout, web::respond(&mut stream, status, body)).await {
        socket::discard(&mut stream, core.config.close_timeout).await;
    }
    None
}

/// One more, for as long as it lives.
pub(super) struct Counted<'a> {
    core: &'a Core,
    of: fn(&Core) -> &AtomicUsize,
    /// How many there are, this one included.
    pub(super) count: usize,
}

impl<'a> Counted<'a> {
    pub(super) fn add(core: &'a Core, of: fn(&Core) -> &AtomicUsize) -> Self {
        let count = of(core).fetch_add(1, Ordering::Relaxed) + 1;
        Self { core, of, count }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        (self.of)(self.core).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::MemoryStore;

    /// An idle session is little more than its task: what only the beginning needs must not be in it.
    #[tokio::test]
    async fn a_connection_has_a_small_task() {
        let config = ServerConfig::default();
        let store = Arc::new(MemoryStore::new(&config));
        let core = Core::new(config, Box::new(Default::default));
        let (stream, _other) = tokio::io::duplex(1);
        let task = serve(core, store, stream, |_| {}, ([127, 0, 0, 1], 1).into(), Place::Free);
        let size = size_of_val(&task);
        assert!(size <= 3 << 10, "{size}");
    }
}
