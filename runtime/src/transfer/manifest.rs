//! The first phase: the item's manifest, from disk as far as it is there, and from the sources.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use moorline_proto::{EncodedPage, ItemId, ManifestError, ManifestHead, ManifestVerifier, Page};

use super::error::DownloadError;
use super::manifest_file::ManifestFile;
use super::plan::Plan;
use super::session::{Answerer, Session, Stop};
use super::staging::Staging;

/// A manifest that is complete up to some page.
struct Growing {
    file: ManifestFile,
    head: Arc<ManifestHead>,
    verifier: ManifestVerifier,
}

/// Why a page was not taken.
enum PageError {
    /// Whoever sent it is at fault.
    Sender(String),
    /// It is the page that the item's id names: everyone has the same.
    Item(ManifestError),
    Local(DownloadError),
}

/// Brings the manifest into the staging folder, verified.
pub(super) async fn fetch(session: &mut Session, staging: &Arc<Staging>) -> Result<Plan, Stop> {
    let mut growing = open(session, staging).await?;
    let total = growing.head.pages.len();
    let mut batch = 1;
    let mut next = None;
    let mut sender = None;
    while growing.file.len() < total {
        let pages = match next.take() {
            Some(pages) => pages,
            None => ask(session, growing.file.len(), batch.min(total - growing.file.len())).await?,
        };
        let (who, pages) = pages;
        sender = Some(who);
        // While these pages are verified and written, the next ones are on their way.
        let upcoming = growing.file.len() + pages.len();
        let path = staging.manifest_path();
        let work = session.scope.spawn_blocking("manifest", move || {
            let result = growing.push(&pages, &path);
            (growing, result)
        });
        batch = (batch * 2).min(session.config.page_batch.max(1) as usize);
        if upcoming < total {
            next = Some(ask(session, upcoming, batch.min(total - upcoming)).await?);
        }
        let (back, result) = work.await?;
        growing = back;
        match result {
            Ok(()) => {}
            Err(PageError::Local(error)) => return Err(error.into()),
            Err(PageError::Item(error)) => return Err(bad_item(session, sender, &error).into()),
            Err(PageError::Sender(why)) => {
                session.condemn(who, why);
                (next, batch) = (None, 1);
            }
        }
    }
    let Growing { file, head, verifier } = growing;
    verifier.finish().map_err(|error| bad_item(session, sender, &error))?;
    Ok(Plan::new(Arc::unwrap_or_clone(head), file, staging.manifest_path()))
}

/// The head, and what is here of the pages.
async fn open(session: &mut Session, staging: &Arc<Staging>) -> Result<Growing, Stop> {
    let item = session.config.item;
    let (at, path) = (Arc::clone(staging), staging.manifest_path());
    let io = move |error| DownloadError::io("read", &path, error);
    let resumed =
        session.blocking("manifest", move || ManifestFile::resume(at.manifest()?, &item).map_err(io)).await??;
    let file = match resumed {
        Ok((file, head, verifier)) => return Ok(Growing { file, head: Arc::new(head), verifier }),
        Err(file) => file,
    };
    let head = ask_head(session, item).await?;
    let path = staging.manifest_path();
    session
        .blocking("manifest", move || {
            let file = ManifestFile::create(file, &head).map_err(|error| DownloadError::io("write", &path, error))?;
            let verifier = ManifestVerifier::new(&head);
            Ok(Growing { file, head: Arc::new(head), verifier })
        })
        .await?
}

async fn ask_head(session: &mut Session, item: ItemId) -> Result<ManifestHead, Stop> {
    let deadline = session.config.stall_timeout;
    loop {
        let question = move |source: Arc<dyn super::Source>| -> super::BoxFuture<'static, _> {
            Box::pin(async move { source.head(item).await })
        };
        let (who, head) = session.ask("head", deadline, question).await?;
        match head.verify(&item) {
            Ok(()) => return Ok(head),
            Err(error @ ManifestError::WrongItem { .. }) => session.condemn(who, error.to_string()),
            // The very head that the item's id names: everyone has the same.
            Err(error) => return Err(bad_item(session, Some(who), &error).into()),
        }
    }
}

/// Pages `first..` of the manifest: at least one, at most `count`.
async fn ask(session: &mut Session, first: usize, count: usize) -> Result<(Answerer, Vec<EncodedPage>), Stop> {
    let item = session.config.item;
    // Both are bounded by the number of pages that a manifest may have.
    let (from, many) = (first as u32, count as u32);
    let deadline = session.config.stall_timeout.saturating_mul(many).min(Duration::from_secs(600));
    loop {
        let question = move |source: Arc<dyn super::Source>| -> super::BoxFuture<'static, _> {
            Box::pin(async move { source.pages(item, from, many).await })
        };
        let (who, pages) = session.ask("pages", deadline, question).await?;
        if (1..=count).contains(&pages.len()) {
            return Ok((who, pages));
        }
        session.condemn(who, format!("it answered with {} manifest pages where {count} were asked for", pages.len()));
    }
}

impl Growing {
    /// Verifies pages and appends them, up to the first that is wrong.
    fn push(&mut self, pages: &[EncodedPage], path: &Path) -> Result<(), PageError> {
        for page in pages {
            let number = self.file.len();
            if self.head.pages.get(number).is_none_or(|expected| expected.hash != page.hash()) {
                return Err(PageError::Sender(format!("its manifest page {number} has the wrong hash")));
            }
            // The times are not hashed: too many or too few are the sender's doing, and must not spoil the verifier.
            if let Err(error @ ManifestError::Times { .. }) = Page::decode(page) {
                return Err(PageError::Sender(error.to_string()));
            }
            self.verifier.push(page).map_err(PageError::Item)?;
            self.file.push(page).map_err(|error| PageError::Local(DownloadError::io("write", path, error)))?;
        }
        Ok(())
    }
}

fn bad_item(session: &Session, sender: Option<Answerer>, error: &ManifestError) -> DownloadError {
    let mut reason = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        reason = format!("{reason}: {source}");
    }
    DownloadError::BadItem { from: sender.map(|who| session.roster.label(&who.peer)), reason }
}
