//! A peer of the node as a source: requests over its connection.

use moorline_proto::{EncodedPage, ErrorCode, ItemId, ManifestHead, PeerId, Request, Response};
use moorline_transport::{BulkTurn, CloseReason, Connection, Exchange, RequestError};

use super::source::{BoxFuture, ChunkStream, Source, SourceError};

/// A connected peer as a [`Source`]. Dropping it leaves the connection alone.
#[derive(Debug)]
pub struct PeerSource {
    connection: Connection,
}

impl PeerSource {
    /// Fetches over `connection`.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// Sends a request and reads the first answer.
    async fn ask(&self, request: Request) -> Result<(Exchange, Response), SourceError> {
        let mut exchange = self.connection.request(&request).await?;
        let response = exchange.response().await?;
        Ok((exchange, response))
    }
}

impl Source for PeerSource {
    fn peer(&self) -> PeerId {
        self.connection.peer().id
    }

    fn label(&self) -> String {
        let peer = self.connection.peer();
        if peer.name.is_empty() { peer.id.short() } else { peer.name.clone() }
    }

    fn head(&self, item: ItemId) -> BoxFuture<'_, Result<ManifestHead, SourceError>> {
        Box::pin(async move {
            match self.ask(Request::Manifest { item }).await? {
                (_, Response::Manifest(head)) => Ok(head),
                (_, other) => Err(unexpected(&other)),
            }
        })
    }

    fn pages(&self, item: ItemId, first: u32, count: u32) -> BoxFuture<'_, Result<Vec<EncodedPage>, SourceError>> {
        Box::pin(async move {
            let (mut exchange, mut response) = self.ask(Request::ManifestPages { item, first, count }).await?;
            // Grows with what comes, not with what was asked for.
            let mut pages = Vec::new();
            loop {
                match response {
                    Response::ManifestPage(page) => pages.push(page),
                    other => return Err(unexpected(&other)),
                }
                if pages.len() as u64 >= u64::from(count) {
                    return Ok(pages);
                }
                response = match exchange.response().await {
                    Ok(response) => response,
                    Err(RequestError::Finished) => return Ok(pages),
                    Err(error) => return Err(error.into()),
                };
            }
        })
    }

    fn turn(&self) -> BoxFuture<'_, Option<BulkTurn>> {
        Box::pin(async move { Some(self.connection.bulk_turn().await) })
    }

    fn chunks(&self, item: ItemId, first: u64, count: u32) -> BoxFuture<'_, Result<Box<dyn ChunkStream>, SourceError>> {
        Box::pin(async move {
            match self.ask(Request::Chunks { item, first, count }).await? {
                (exchange, Response::Chunks { bytes }) => {
                    Ok(Box::new(Bulk { exchange, bytes }) as Box<dyn ChunkStream>)
                }
                (_, other) => Err(unexpected(&other)),
            }
        })
    }

    fn condemn(&self, why: &str) {
        self.connection.close(&CloseReason::BadContent(why.to_owned()));
    }
}

struct Bulk {
    exchange: Exchange,
    bytes: u64,
}

impl ChunkStream for Bulk {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read<'a>(&'a mut self, buf: &'a mut [u8]) -> BoxFuture<'a, Result<(), SourceError>> {
        Box::pin(async move { Ok(self.exchange.read_bulk(buf).await?) })
    }
}

impl From<RequestError> for SourceError {
    fn from(error: RequestError) -> Self {
        let text = error.to_string();
        match error {
            RequestError::ConnectionLost(end) => Self::Gone(end.to_string()),
            RequestError::Refused(refused) => Self::Refused { code: refused.code, message: refused.message },
            RequestError::Aborted(code) => Self::Refused { code, message: text },
            RequestError::TimedOut(_) => Self::TimedOut(text),
            // It no longer wants our request: as good as busy.
            RequestError::Stopped => Self::Refused { code: ErrorCode::Unavailable, message: text },
            _ => Self::Protocol(text),
        }
    }
}

fn unexpected(response: &Response) -> SourceError {
    // The kind alone: the content may be large, and is a stranger's.
    let debug = format!("{response:?}");
    let kind: String = debug.chars().take_while(char::is_ascii_alphanumeric).collect();
    SourceError::Protocol(format!("it answered with {kind}, which was not asked for"))
}
