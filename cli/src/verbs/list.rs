//! `moorline list`: who is on this network, and what they share.

mod settle;
mod watch;

use std::time::{Duration, Instant};

use clap::Args;
use moorline_runtime::node::{Offer, PeerView};

use crate::args::NetArgs;
use crate::exit::{Code, Result};
use crate::json::{Event, PeerRef};
use crate::output::{Output, Style};
use crate::session::{self, Purpose, Session};
use crate::signals::Stop;
use crate::verbs::share::item_json;
use crate::{table, text, units};

pub(super) use settle::Settle;

/// How long nothing new must appear before the list is taken for complete.
const QUIET: Duration = Duration::from_millis(1500);
/// How long the network is watched at most.
const LONGEST: Duration = Duration::from_secs(4);

/// List who is on this network and what they share
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Go on, and print what changes until Ctrl-C
    #[arg(short, long)]
    watch: bool,

    /// Look for exactly this long, for example 10 or 500ms [default: until nothing new appears for 1.5 s, at most 4 s]
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    wait: Option<Duration>,

    #[command(flatten)]
    net: NetArgs,
}

pub(crate) async fn run(args: ListArgs, output: &Output, stop: Stop) -> Result<Code> {
    let mut session = Session::start(output, &args.net, Purpose::default()).await?;
    let settle = match args.wait {
        Some(time) => Settle::fixed(Instant::now(), time),
        None => Settle::new(Instant::now(), QUIET, LONGEST),
    };
    if !collect(output, &mut session, settle, &stop).await? {
        session.stop().await;
        return Ok(Code::Interrupted);
    }
    let (peers, offers) = (session.node().peers(), session.node().offers());
    print(output, &peers, &offers);
    if args.watch {
        hints(output, &session, &peers, &offers, true);
        watch::run(output, &mut session, &stop, &peers, &offers).await?;
    } else {
        hints(output, &session, &peers, &offers, false);
    }
    session.stop().await;
    Ok(Code::Success)
}

/// Waits until the picture is complete. `false` when the user asked to stop.
async fn collect(output: &Output, session: &mut Session, mut settle: Settle, stop: &Stop) -> Result<bool> {
    loop {
        if settle.may_end_early() && session.is_complete() {
            return Ok(true);
        }
        settle.observe(Instant::now(), session.fingerprint(), session.is_pending());
        let until = tokio::time::Instant::from_std(settle.until_also(session.rooms_settle_at()));
        tokio::select! {
            biased;
            () = stop.requested() => return Ok(false),
            () = tokio::time::sleep_until(until) => return Ok(true),
            event = session.next(output) => { event?; }
        }
    }
}

fn print(output: &Output, peers: &[PeerView], offers: &[Offer]) {
    for peer in peers.iter().filter(|peer| peer.serves) {
        output.event(&Event::Peer {
            peer: &peer.id.to_string(),
            name: &peer.name,
            address: &session::canonical(peer.addr).to_string(),
            items: peer.items as u64,
        });
    }
    for offer in offers {
        output.event(&offer_event(offer, &offer.summary.id.to_string()));
    }
    if output.json() || offers.is_empty() {
        return;
    }
    let mut lines = table::render(
        ["PEER", "ITEM", "SIZE", "FILES", "TITLE", "VERSION", "ID"],
        [false, false, true, true, false, false, false],
        &rows(offers),
    )
    .into_iter();
    if let Some(head) = lines.next() {
        output.line(output.styled(Style::Bold, &head));
    }
    for line in lines {
        output.line(line);
    }
}

/// A row a peer and item, by peer and name.
fn rows(offers: &[Offer]) -> Vec<[String; 7]> {
    let mut rows: Vec<[String; 7]> = offers
        .iter()
        .flat_map(|offer| offer.providers.iter().map(move |provider| row(offer, &provider.name, &provider.item_name)))
        .collect();
    rows.sort();
    rows
}

fn row(offer: &Offer, peer: &str, name: &str) -> [String; 7] {
    let summary = &offer.summary;
    [
        text::name(peer),
        text::name(name),
        units::bytes(summary.bytes),
        summary.files.to_string(),
        summary.title.as_deref().map(text::name).unwrap_or_default(),
        summary.version.as_deref().map(text::name).unwrap_or_default(),
        summary.id.short(),
    ]
}

fn offer_event<'a>(offer: &'a Offer, id: &'a str) -> Event<'a> {
    Event::Offer { item: item_json(&offer.summary, id), peers: peer_refs(offer) }
}

/// The peers that offer an item, for JSON.
pub(super) fn peer_refs(offer: &Offer) -> Vec<PeerRef<'_>> {
    offer.providers.iter().map(|p| PeerRef { peer: p.id.to_string(), name: &p.name }).collect()
}

/// What to know about what is not in the table.
fn hints(output: &Output, session: &Session, peers: &[PeerView], offers: &[Offer], goes_on: bool) {
    let idle: Vec<String> =
        peers.iter().filter(|peer| peer.serves && peer.items == 0).map(|peer| text::name(&peer.name)).collect();
    if !idle.is_empty() {
        output.note(format_args!("Nothing is shared by: {}", idle.join(", ")));
    }
    refusals(output, session);
    unreached(output, session);
    if offers.is_empty() && idle.is_empty() && session.refused().is_empty() {
        output.note("Nobody on this network shares anything that can be seen from here.");
        if !goes_on {
            output.note(
                "If somebody should: `moorline doctor` says what is wrong, `--peer ADDR` contacts a machine directly.",
            );
        }
    }
}

/// Says which rooms are not in the picture.
pub(super) fn unreached(output: &Output, session: &Session) {
    for unreached in session.unreached_rooms() {
        output.event(&Event::RoomUnreached { room: &unreached.room, reason: &unreached.reason });
        if !unreached.told {
            output.note(unreached.sentence());
        }
    }
}

/// Says who would not talk with us, and what to do about it.
pub(super) fn refusals(output: &Output, session: &Session) {
    for refused in session.refused() {
        output.event(&Event::PeerRefused { address: &refused.target, reason: &refused.reason });
        let what = if refused.access { "No access" } else { "Another version" };
        output.note(format_args!("{what}: {}", refused.reason));
    }
    if session.refused().iter().any(|refused| refused.access) && !session.is_closed_group() {
        output.note("Closed groups are only visible with their passphrase: --passphrase-file, MOORLINE_PASSPHRASE or --passphrase.");
    }
}
