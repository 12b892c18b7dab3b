//! Finding what the user named: watch the network until every ITEM is one thing, or say what was seen instead.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use moorline_runtime::node::{NodeEvent, Offer};
use moorline_runtime::proto::{ItemId, PeerId};

use super::{GetArgs, report};
use crate::address::{self, Target};
use crate::exit::Result;
use crate::output::Output;
use crate::select::{self, From, Selection};
use crate::session::{self, Session};
use crate::signals::Stop;
use crate::verbs::list::Settle;

/// How long nothing new must appear before a name is taken to be unique.
const QUIET: Duration = Duration::from_millis(400);
/// How long to look around at least before a name is taken to be unique: a peer that is remembered connects at once, while
/// one that has a namesake may still be on its way to answer by multicast.
const LEAST: Duration = Duration::from_millis(1200);
/// How long to look for an item that nobody offers.
const LONGEST: Duration = Duration::from_secs(4);

/// Whom to fetch from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// An address.
    Address(Target),
    /// A name, an id, or the beginning of one.
    Peer(String),
}

/// Reads the value of `--from`.
pub(super) fn parse_source(text: &str) -> std::result::Result<Source, String> {
    if text.trim().is_empty() {
        return Err("name a peer or an address".to_owned());
    }
    if address::looks_like_address(text) {
        return address::parse_target(text).map(Source::Address);
    }
    Ok(Source::Peer(text.to_owned()))
}

/// An ITEM of the command line and what it is.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) query: String,
    pub(super) offer: Offer,
    /// The only peer to fetch from, if the user restricted it to one.
    pub(super) from: Option<PeerId>,
}

/// Resolves every ITEM. `None` when the user stopped it.
pub(super) async fn find(
    args: &GetArgs,
    output: &Output,
    stop: &Stop,
    session: &mut Session,
) -> Result<Option<Vec<Found>>> {
    let addresses = match &args.from {
        Some(Source::Address(target)) => {
            let addresses = target.resolve().await?;
            session.contact(addresses.clone()).await?;
            addresses
        }
        _ => Vec::new(),
    };
    let start = Instant::now();
    let longest = start + if args.wait { args.timeout } else { LONGEST };
    let mut settle = Settle::new(start, QUIET, LONGEST);
    let mut told = false;
    loop {
        settle.observe(Instant::now(), session.fingerprint(), session.is_pending());
        // Before the offers are read: what a peer lists in between would be missed, and nothing more waited for.
        let complete = session.is_complete();
        let offers = session.node().offers();
        let from = restriction(args, session, &addresses);
        let choices: Vec<Selection> = match &from {
            Restriction::Unknown => vec![Selection::None; args.items.len()],
            Restriction::None => args.items.iter().map(|item| select::select(item, &offers, None)).collect(),
            Restriction::To(from) => args.items.iter().map(|item| select::select(item, &offers, Some(from))).collect(),
        };
        let missing = choices.contains(&Selection::None);
        let certain = !missing && args.items.iter().all(|item| item.parse::<ItemId>().is_ok());
        let rooms = session.rooms_settle_at().unwrap_or(start);
        let deadline = if missing { longest } else { settle.until().max(start + LEAST) }.max(rooms);
        let over = Instant::now() >= deadline;
        if certain || over || (complete && !(missing && args.wait)) {
            return conclude(args, session, &offers, choices).map(Some);
        }
        if missing && args.wait && !told && start.elapsed() > LONGEST {
            output.note("nobody offers that yet; waiting until somebody does (Ctrl-C ends it)");
            told = true;
        }
        // A wait for something missing also wakes up in between, to say that it waits.
        let wake = if missing && !told { deadline.min(Instant::now() + LONGEST) } else { deadline };
        tokio::select! {
            biased;
            () = stop.requested() => return Ok(None),
            event = session.next(output) => {
                if let Some(event) = event? {
                    note(output, &event);
                }
            }
            () = tokio::time::sleep_until(wake.into()) => {}
        }
    }
}

enum Restriction {
    /// From anyone.
    None,
    /// From one peer alone.
    To(From),
    /// From the peer at an address that has not answered yet.
    Unknown,
}

fn restriction(args: &GetArgs, session: &Session, addresses: &[SocketAddr]) -> Restriction {
    match &args.from {
        None => Restriction::None,
        Some(Source::Peer(text)) => Restriction::To(From::Text(text.clone())),
        Some(Source::Address(_)) => {
            let wanted =
                |addr: SocketAddr| addresses.iter().any(|a| session::canonical(*a) == session::canonical(addr));
            match session.node().peers().iter().find(|peer| wanted(peer.addr)) {
                Some(peer) => Restriction::To(From::Peer(peer.id)),
                None => Restriction::Unknown,
            }
        }
    }
}

fn conclude(args: &GetArgs, session: &Session, offers: &[Offer], choices: Vec<Selection>) -> Result<Vec<Found>> {
    let mut found = Vec::with_capacity(choices.len());
    for (query, choice) in args.items.iter().zip(choices) {
        match choice {
            Selection::None => return Err(report::not_found(query, args, session, offers)),
            Selection::Many(items) => return Err(report::ambiguous(query, &items, offers)),
            Selection::One { item, only } => {
                let Some(offer) = offers.iter().find(|offer| offer.summary.id == item) else {
                    return Err(report::not_found(query, args, session, offers));
                };
                let from = match only.as_slice() {
                    [] => None,
                    [peer] => Some(*peer),
                    _ => return Err(report::ambiguous_peer(query, &only, offer)),
                };
                // The same thing named twice is fetched once.
                if !found.iter().any(|known: &Found| known.offer.summary.id == item) {
                    found.push(Found { query: query.clone(), offer: offer.clone(), from });
                }
            }
        }
    }
    Ok(found)
}

/// Peers that come and go are told to programs, and to people who want to know.
pub(super) fn note(output: &Output, event: &NodeEvent) {
    report::peer(output, event);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_takes_addresses_and_peers() {
        assert!(matches!(parse_source("10.0.0.5"), Ok(Source::Address(_))));
        assert!(matches!(parse_source("alice:16667"), Ok(Source::Address(_))));
        assert_eq!(parse_source("alice"), Ok(Source::Peer("alice".to_owned())));
        assert_eq!(parse_source("abcd2345"), Ok(Source::Peer("abcd2345".to_owned())));
        assert!(parse_source("").is_err());
    }
}
