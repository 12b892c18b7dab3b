//! A peer with an item that no honest program could make: everything fits together, hashes included, but for one thing.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use moorline_proto::{
    EncodedPage, Entry, ErrorCode, FileEntry, Hash, ItemId, ItemKind, ItemPage, ItemSummary, LibraryDigest,
    ManifestHead, Page, PageRef, PeerError, RelPath, Request, Response,
};
use moorline_transport::{Endpoint, EndpointConfig, Identity, OsEntropy, RequestError, Responder};

/// The content of every forged file.
const CONTENT: &[u8] = b"you should not have this";

/// A peer that offers one forged item. Gone when dropped.
#[derive(Debug)]
pub struct Forger {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The id of its item.
    pub item: ItemId,
    // Dropped last: it carries everything else.
    _runtime: tokio::runtime::Runtime,
}

#[derive(Debug)]
struct Forgery {
    name: String,
    head: ManifestHead,
    page: EncodedPage,
}

impl Forger {
    /// Offers an item of this name with files of these names, in this order, whatever they are.
    ///
    /// # Panics
    /// When it cannot start.
    #[must_use]
    pub fn start(name: &str, files: &[&str]) -> Self {
        let forgery = Arc::new(Forgery::new(name, files));
        let item = forgery.head.item_id();
        let runtime = super::runtime();
        let addr = runtime.block_on(async {
            let mut config = EndpointConfig::new(Identity::generate(&OsEntropy));
            "mallory".clone_into(&mut config.name);
            config.serves = true;
            let own = Endpoint::bind(config, SocketAddr::from(([127, 0, 0, 1], 0))).expect("a loopback socket");
            let addr = own.local_addr();
            tokio::spawn(accept(own, forgery));
            addr
        });
        Self { addr, item, _runtime: runtime }
    }
}

impl Forgery {
    fn new(name: &str, files: &[&str]) -> Self {
        // The types let no bad path be written down: harmless ones of the same length are, and then written over.
        let harmless: Vec<String> =
            files.iter().enumerate().map(|(index, file)| harmless_path(index, file.len())).collect();
        let entries = harmless.iter().map(|path| {
            Entry::File(FileEntry {
                path: RelPath::parse(path).expect("letters and a digit are a path"),
                size: CONTENT.len() as u64,
                executable: false,
                hash: Hash::of(CONTENT),
                modified_ms: 0,
                first_subtree: 0,
                subtrees: Vec::new(),
            })
        });
        let mut page = Page { entries: entries.collect() }.encode();
        let mut content = page.content.to_vec();
        for (harmless, file) in harmless.iter().zip(files) {
            let at = content.windows(harmless.len()).position(|window| window == harmless.as_bytes());
            let at = at.expect("the path is in the page");
            content[at..at + file.len()].copy_from_slice(file.as_bytes());
        }
        page.content = Bytes::from(content);
        let count = files.len() as u64;
        let head = ManifestHead {
            kind: ItemKind::Folder,
            pages: vec![PageRef { hash: page.hash(), chunks: 1 }],
            entries: count,
            files: count,
            bytes: count * CONTENT.len() as u64,
            chunks: 1,
        };
        Self { name: name.to_owned(), head, page }
    }

    async fn answer(&self, request: Request, mut responder: Responder) -> Result<(), RequestError> {
        let response = match request {
            Request::Ping { nonce } => Response::Pong { nonce, digest: LibraryDigest::default() },
            Request::ListItems { .. } => {
                let summary = ItemSummary {
                    id: self.head.item_id(),
                    name: self.name.clone(),
                    title: None,
                    version: None,
                    description: None,
                    bytes: self.head.bytes,
                    files: self.head.files,
                    thumbnail: None,
                };
                Response::Items(ItemPage { revision: 1, items: vec![summary], more: false })
            }
            Request::WatchLibrary { .. } => {
                responder.stopped().await;
                return Ok(());
            }
            Request::Manifest { .. } => Response::Manifest(self.head.clone()),
            Request::ManifestPages { .. } => Response::ManifestPage(self.page.clone()),
            Request::Chunks { .. } => Response::Chunks { bytes: self.head.bytes },
            _ => Response::Error(PeerError { code: ErrorCode::NotFound, message: "nothing of that kind".to_owned() }),
        };
        responder.respond(&response).await?;
        if matches!(response, Response::Chunks { .. }) {
            responder.write_bulk(CONTENT.repeat(self.page.modified_ms.len()).into()).await?;
        }
        responder.finish();
        Ok(())
    }
}

/// A path of so many bytes, and another for each index below ten.
fn harmless_path(index: usize, bytes: usize) -> String {
    let letter = |at: usize| if at % 50 == 49 && at + 1 < bytes { '/' } else { 'h' };
    index.to_string().chars().chain((1..bytes).map(letter)).collect()
}

async fn accept(own: Endpoint, forgery: Arc<Forgery>) {
    while let Some(incoming) = own.accept().await {
        let forgery = Arc::clone(&forgery);
        tokio::spawn(async move {
            let Ok(connection) = incoming.admit().await else { return };
            while let Ok(incoming) = connection.accept().await {
                let forgery = Arc::clone(&forgery);
                tokio::spawn(async move {
                    if let Ok((request, responder)) = incoming.read().await {
                        // The other side may end the exchange at any point; that is its right, and no failure here.
                        let _ = forgery.answer(request, responder).await;
                    }
                });
            }
        });
    }
}
