//! `moorline demo`: two nodes in this process share, find, fetch, lose each other and recover, and the hashes are compared.

mod compare;
mod peer;
mod sample;
mod slow_link;

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use moorline_runtime::discovery::memory::{Network, NetworkConfig};
use moorline_runtime::node::{DownloadHandle, DownloadRequest, NodeEvents, NodeHandle, Offer};
use moorline_runtime::transfer::{DownloadEvent, DownloadStats};

use crate::exit::{Code, Failure, Result};
use crate::json::Event;
use crate::output::{Output, Style};
use crate::progress::{Row, Status};
use crate::signals::Stop;
use crate::units;

use peer::Peer;

/// How long each step may take before the demonstration is a failure.
const STEP_DEADLINE: Duration = Duration::from_secs(20);

/// Show on this machine how it works: share, find, fetch, cut, recover, verify
///
/// Two nodes in this one process talk over the loopback interface; no network, no set-up, nothing is left behind. The exit code is
/// 0 only if everything that arrived has the hashes of what was sent.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {}

pub(crate) async fn run(_args: DemoArgs, output: &Output, stop: Stop) -> Result<Code> {
    let folder = tempfile::Builder::new().prefix("moorline-demo-").tempdir().map_err(|error| {
        Failure::disk("make a folder in", &std::env::temp_dir(), &error)
            .hint("Set TMPDIR to a folder with 300 MiB of free space.")
    })?;
    let result = tokio::select! {
        biased;
        () = stop.requested() => Ok(Code::Interrupted),
        result = play(output, folder.path()) => result,
    };
    // The nodes are gone by now, so nothing writes there any more.
    let path = folder.path().to_owned();
    if let Err(error) = folder.close() {
        output.warn(format_args!("cannot remove {}: {error}", crate::text::path(&path)));
    }
    result
}

async fn play(output: &Output, folder: &Path) -> Result<Code> {
    let start = Instant::now();
    let (shared, into) = (folder.join("shared"), folder.join("received"));
    let made = blocking(|| sample::write(&shared.join(sample::NAME)))
        .map_err(|error| Failure::disk("write the sample into", &shared, &error))?;
    say(
        output,
        "sample",
        &format!(
            "A sample game of {} and {} lies in a temporary folder: one large file, many small ones, an empty folder, a program.",
            units::bytes(made.bytes),
            units::count(made.files, "file"),
        ),
    );

    // Discovery by memory instead of multicast: the same events, and nobody else on the network hears of it.
    let network = Network::new(NetworkConfig::default());
    let alice = Peer::sharing(&network, "alice", &shared, &folder.join("cache")).await?;
    say(
        output,
        "share",
        &format!("alice shares it at {} (peer {}).", alice.node.local_addr(), alice.node.peer_id().short()),
    );

    let mut bob = Peer::looking(&network, "bob").await?;
    let offer = step("bob finds what alice shares", first_offer(&bob.node, &mut bob.events)).await??;
    say(
        output,
        "find",
        &format!(
            "bob has found \"{}\" at {} (item {}).",
            offer.summary.name,
            offer.providers.first().map_or("?", |provider| provider.name.as_str()),
            offer.summary.id.short(),
        ),
    );

    let request = DownloadRequest::new(offer.summary.id, &into);
    let mut download =
        bob.node.download(request).await.map_err(|error| Failure::new(Code::Failure, error.to_string()))?;
    say(
        output,
        "fetch",
        "bob fetches it; every chunk is verified as it comes. (alice's link is slowed down, so that you can watch.)",
    );
    let mut row = Row::new(output, &offer.summary.name, offer.summary.bytes);
    let kept = step("a third of it arrives", until_third(output, &mut row, &mut download)).await??;

    say(output, "cut", &format!("With {} here, alice stops: her node says goodbye and is gone.", units::bytes(kept)));
    let alice = alice.stop().await?;
    step("bob notices", until_alone(output, &mut row, &mut download)).await??;
    let staged = folder.join("received").join(&offer.summary.name).exists();
    say(
        output,
        "alone",
        &format!(
            "bob says: all peers are gone. He keeps what he has and waits; {} stands under the final name.",
            if staged { "something wrong" } else { "nothing" },
        ),
    );

    let alice = alice.come_back().await?;
    say(output, "back", &format!("alice is back at {}, as the same peer.", alice.node.local_addr()));
    let (path, stats) = step("the transfer ends", until_finished(output, &mut row, &mut download)).await??;
    drop(row);
    say(
        output,
        "resume",
        &format!(
            "The transfer went on where it was: {} in all were fetched for an item of {}.",
            units::bytes(stats.fetched_bytes),
            units::bytes(stats.bytes),
        ),
    );

    let verdict = blocking(|| compare::compare(&shared.join(sample::NAME), &path))
        .map_err(|error| Failure::disk("compare", &path, &error))?;
    bob.stop().await?;
    alice.stop().await?;
    conclude(output, &made, &stats, kept, staged, verdict, start.elapsed())
}

/// The conditions for success, each told by its own sentence when it does not hold.
fn conclude(
    output: &Output,
    made: &sample::Sample,
    stats: &DownloadStats,
    kept: u64,
    staged: bool,
    verdict: compare::Verdict,
    took: Duration,
) -> Result<Code> {
    let bad = |what: String| Err(Failure::new(Code::BadContent, what).hint("This is a defect: please report it."));
    if let Some(difference) = verdict.difference {
        return bad(format!("what arrived is not what was sent: {difference}"));
    }
    if verdict.files != made.files || verdict.bytes != made.bytes {
        return bad(format!("{} files arrived, {} were sent", verdict.files, made.files));
    }
    if staged {
        return bad("an unfinished item stood under its final name".to_owned());
    }
    // Chunks under way when the line was cut come twice; what was verified must not.
    if stats.fetched_bytes.saturating_sub(made.bytes) > kept {
        return bad("the transfer started anew instead of going on".to_owned());
    }
    say(
        output,
        "verify",
        &format!(
            "Hashed again from disk, {} and {} are the same on both sides, byte for byte.",
            units::count(verdict.files, "file"),
            units::count(verdict.empty_folders, "empty folder"),
        ),
    );
    let done = format!(
        "Done in {}. Now for real: `moorline share FOLDER` here, `moorline get NAME` elsewhere.",
        units::duration(took)
    );
    say(output, "done", &output.styled(Style::Good, &done));
    Ok(Code::Success)
}

fn say(output: &Output, step: &str, text: &str) {
    output.event(&Event::Step { step, text });
    output.line(text);
}

/// Waits for a step, not for ever.
async fn step<T>(what: &str, future: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(STEP_DEADLINE, future).await.map_err(|_| {
        Failure::new(Code::Failure, format!("after {} still not: {what}", units::duration(STEP_DEADLINE)))
            .hint("Is this machine very busy, or does a firewall block the loopback interface?")
    })
}

/// Runs file work without holding up the nodes.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

async fn first_offer(node: &NodeHandle, events: &mut NodeEvents) -> Result<Offer> {
    loop {
        if let Some(offer) = node.offers().into_iter().next() {
            return Ok(offer);
        }
        if events.next().await.is_none() {
            return Err(Failure::new(Code::Failure, "bob's node stopped by itself"));
        }
    }
}

/// Ends when a third of the item is verified; answers the bytes.
async fn until_third(output: &Output, row: &mut Row, download: &mut DownloadHandle) -> Result<u64> {
    loop {
        let event = next(output, row, download).await?;
        if let DownloadEvent::Progress(progress) = &event
            && progress.bytes_done >= progress.bytes_total / 3
        {
            return Ok(progress.bytes_done);
        }
        if event.is_terminal() {
            return Err(Failure::new(Code::Failure, "the transfer ended before it could be cut"));
        }
    }
}

async fn until_alone(output: &Output, row: &mut Row, download: &mut DownloadHandle) -> Result<()> {
    loop {
        let event = next(output, row, download).await?;
        if matches!(event, DownloadEvent::AllPeersGone { waiting: true }) {
            row.pause("waiting for somebody who has it");
            return Ok(());
        }
        if event.is_terminal() {
            return Err(Failure::new(
                Code::Failure,
                "the transfer ended when its only source left, instead of waiting",
            ));
        }
    }
}

async fn until_finished(
    output: &Output,
    row: &mut Row,
    download: &mut DownloadHandle,
) -> Result<(std::path::PathBuf, DownloadStats)> {
    loop {
        match next(output, row, download).await? {
            DownloadEvent::Finished { path, stats } => return Ok((path, stats)),
            DownloadEvent::Failed(error) => {
                return Err(Failure::new(Code::Failure, format!("the transfer failed: {error}")));
            }
            event if event.is_terminal() => {
                return Err(Failure::new(Code::Failure, "the transfer ended without a result"));
            }
            _ => {}
        }
    }
}

/// The next event of the transfer, shown as progress.
async fn next(output: &Output, row: &mut Row, download: &mut DownloadHandle) -> Result<DownloadEvent> {
    let event =
        download.next().await.ok_or_else(|| Failure::new(Code::Failure, "the transfer ended without a result"))?;
    if let DownloadEvent::Progress(progress) = &event {
        let status = Status {
            done: progress.bytes_done,
            total: progress.bytes_total,
            rate: progress.rate,
            sources: progress.sources.len(),
        };
        row.update(output, &status, Instant::now());
    }
    Ok(event)
}
