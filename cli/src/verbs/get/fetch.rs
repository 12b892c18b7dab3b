//! Fetching what was found: a few items at once, each with its bar, until each has ended.

use std::time::{Duration, Instant};

use super::GetArgs;
use super::download::{Download, State};
use super::find::{self, Found};
use super::here::Here;
use super::names::Names;
use crate::exit::{Code, Failure, Result};
use crate::json::Event;
use crate::output::Output;
use crate::session::Session;
use crate::signals::Stop;
use crate::text;

/// How long the transfers may take to come to rest after Ctrl-C; with what the node takes after that it makes two seconds.
const STOP_DEADLINE: Duration = Duration::from_millis(700);

/// Items under way at the same time: enough to keep every peer busy, few enough not to queue behind each other there.
const AT_ONCE: usize = 4;

/// Fetches everything. The code of the first item that failed counts.
pub(super) async fn fetch(
    args: &GetArgs,
    output: &Output,
    stop: &Stop,
    session: &mut Session,
    found: Vec<Found>,
) -> Result<Code> {
    let mut names = Names::default();
    let mut downloads: Vec<Download> = Vec::with_capacity(found.len());
    let mut refused = Vec::new();
    let mut next = found.into_iter();
    let mut stop_by: Option<tokio::time::Instant> = None;
    loop {
        while stop_by.is_none() && downloads.iter().filter(|download| download.is_running()).count() < AT_ONCE {
            let Some(one) = next.next() else { break };
            match Download::start(args, output, session, one, &mut names).await {
                Ok(download) => downloads.push(download),
                // The others are fetched all the same.
                Err(failure) => refused.push(failure),
            }
        }
        if !downloads.iter().any(Download::is_running) {
            break;
        }
        let here = Here::look(session);
        let deadline = downloads.iter().filter_map(|download| download.deadline(&here)).min();
        let wake = stop_by.or(deadline.map(Into::into));
        tokio::select! {
            biased;
            () = stop.requested(), if stop_by.is_none() => {
                stop_by = Some(tokio::time::Instant::now() + STOP_DEADLINE);
                downloads.iter().filter(|download| download.is_running()).for_each(|download| download.handle.cancel());
            }
            event = session.next(output) => {
                if let Some(event) = event? {
                    find::note(output, &event);
                }
                // The node's events say that something happened; each download's own never lose its last one.
                for download in &mut downloads {
                    download.drain(output).await;
                }
            }
            () = sleep_until(wake) => {
                if stop_by.is_some() {
                    break;
                }
                let now = Instant::now();
                downloads.iter_mut().for_each(|download| download.give_up_if_due(output, &here, now));
            }
        }
    }
    conclude(output, stop, downloads, refused)
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn conclude(output: &Output, stop: &Stop, downloads: Vec<Download>, refused: Vec<Failure>) -> Result<Code> {
    let all = downloads.len() + refused.len();
    if stop.is_requested() && downloads.iter().any(|download| !matches!(download.state, State::Done)) {
        for download in downloads.iter().filter(|download| download.is_running()) {
            output.event(&Event::Cancelled { item: &download.item, name: &download.name });
        }
        output.note("stopped; what was fetched is kept: give the same command again to go on");
        return Ok(Code::Interrupted);
    }
    let mut failures: Vec<Failure> = downloads
        .into_iter()
        .filter_map(|download| match download.state {
            State::Failed(failure) => Some(failure),
            State::Cancelled => {
                Some(Failure::new(Code::Interrupted, format!("{} was cancelled", text::name(&download.name))))
            }
            State::Running | State::Done => None,
        })
        .chain(refused)
        .collect();
    match failures.len() {
        0 => Ok(Code::Success),
        1 => Err(failures.remove(0)),
        failed => {
            // Each was told when it happened; the last line sums up.
            let code = failures[0].code;
            Err(Failure::new(
                code,
                format!("{failed} of {all} items were not fetched; the first: {}", failures[0].message),
            ))
        }
    }
}
