//! Over real connections on this machine: the peer source speaks the protocol.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use crate::support::*;
use bytes::Bytes;
use moorline_proto::{ErrorCode, ItemId, PeerError, Request, Response};
use moorline_runtime::transfer::{DownloadError, DownloadOutcome, PeerSource, SourceChange};
use moorline_transport::{Connection, Endpoint, EndpointConfig, Identity, IncomingRequest, OsEntropy};

fn endpoint(name: &str) -> Endpoint {
    let mut config = EndpointConfig::new(Identity::generate(&OsEntropy));
    config.name = name.into();
    config.serves = true;
    Endpoint::bind(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("loopback can be bound")
}

/// How a peer answers.
#[derive(Clone, Copy, PartialEq)]
enum Answers {
    Well,
    /// The wrong kind of answer to chunk requests.
    Oddly,
    /// It breaks off in the middle of the chunks, because the item changed.
    Changed,
}

async fn serve(item: Arc<Item>, incoming: IncomingRequest, how: Answers) -> Option<()> {
    let (request, mut responder) = incoming.read().await.ok()?;
    match request {
        Request::Manifest { item: id } if id == item.id => {
            responder.respond(&Response::Manifest(item.head.clone())).await.ok()?;
        }
        Request::ManifestPages { first, count, .. } => {
            for page in item.pages.iter().skip(first as usize).take(count as usize) {
                responder.respond(&Response::ManifestPage(page.clone())).await.ok()?;
            }
        }
        Request::Chunks { .. } if how == Answers::Oddly => {
            responder.respond(&Response::Manifest(item.head.clone())).await.ok()?;
        }
        Request::Chunks { first, count, .. } => {
            let chunks: Vec<Bytes> = item.chunks[first as usize..][..count as usize].to_vec();
            let bytes = chunks.iter().map(|chunk| chunk.len() as u64).sum();
            responder.respond(&Response::Chunks { bytes }).await.ok()?;
            for chunk in chunks {
                if how == Answers::Changed {
                    responder.abort(ErrorCode::Changed);
                    return None;
                }
                responder.write_bulk(chunk).await.ok()?;
            }
        }
        _ => {
            let error = PeerError { code: ErrorCode::NotFound, message: "no such item".into() };
            responder.respond(&Response::Error(error)).await.ok()?;
        }
    }
    responder.finish();
    Some(())
}

/// A peer with `item`, and a connection to it.
async fn connect(item: &Arc<Item>, how: Answers) -> (Endpoint, Endpoint, Connection) {
    let (server, client) = (endpoint("server"), endpoint("client"));
    let addr = server.local_addr();
    let (item, accepting) = (Arc::clone(item), server.clone());
    tokio::spawn(async move {
        while let Some(incoming) = accepting.accept().await {
            let connection = incoming.admit().await.expect("the client belongs");
            let item = Arc::clone(&item);
            tokio::spawn(async move {
                while let Ok(request) = connection.accept().await {
                    tokio::spawn(serve(Arc::clone(&item), request, how));
                }
            });
        }
    });
    let connection = client.connect(&[addr], None).await.expect("loopback connects");
    (server, client, connection)
}

async fn fetch(item: &Arc<Item>, id: ItemId, into: &std::path::Path, how: Answers) -> (End, Connection) {
    let (_server, _client, connection) = connect(item, how).await;
    let mut config = config(item, into);
    config.item = id;
    let run = start(config);
    let source = SourceChange::Added(Arc::new(PeerSource::new(connection.clone())));
    run.sources.send(source).await.expect("it runs");
    (run.end().await, connection)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_arrives_over_a_real_connection() {
    let content = Content::sample(64);
    let (into, item) = (tempfile::tempdir().expect("a temporary folder"), content.build());
    let began = Instant::now();
    let (end, _) = fetch(&item, item.id, into.path(), Answers::Well).await;
    println!("{} MiB in {:?}", item.head.bytes >> 20, began.elapsed());
    content.assert_at(end.finished());
    assert_eq!(end.stats().sources[0].label, "server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_have_it_or_changed_it_is_dropped_in_peace() {
    let (into, item) = (tempfile::tempdir().expect("a temporary folder"), Content::sample(3).build());
    for (id, how) in [(ItemId::from_bytes([9; 32]), Answers::Well), (item.id, Answers::Changed)] {
        let (end, connection) = fetch(&item, id, into.path(), how).await;
        assert!(matches!(end.outcome, Ok(DownloadOutcome::AllPeersGone)), "{end:?}");
        assert!(end.dropped()[0].1.contains("this version"), "{:?}", end.dropped());
        assert!(connection.end().is_none(), "the connection goes on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_answers_out_of_protocol_is_put_out_and_its_connection_closed() {
    let (into, item) = (tempfile::tempdir().expect("a temporary folder"), Content::sample(3).build());
    let (end, connection) = fetch(&item, item.id, into.path(), Answers::Oddly).await;
    assert!(end.dropped()[0].1.contains("answered with Manifest"), "{:?}", end.dropped());
    assert!(connection.end().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ends_is_a_source_that_is_gone() {
    let (into, item) = (tempfile::tempdir().expect("a temporary folder"), Content::sample(64).build());
    let (server, _client, connection) = connect(&item, Answers::Well).await;
    let run = start(config(&item, into.path()));
    let source = SourceChange::Added(Arc::new(PeerSource::new(connection)));
    run.sources.send(source).await.expect("it runs");
    server.close(&moorline_transport::CloseReason::Goodbye("it is late".into()));
    let end = run.end().await;
    assert!(
        !matches!(end.last(), moorline_runtime::transfer::DownloadEvent::Failed(DownloadError::Internal(_))),
        "{end:?}"
    );
    assert!(end.dropped().iter().all(|(who, why)| who == "server" && why.contains("late")), "{:?}", end.dropped());
}
