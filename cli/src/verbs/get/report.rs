//! What `get` says: why an item cannot be fetched, and who comes and goes.

use moorline_runtime::node::{NodeEvent, Offer};
use moorline_runtime::proto::{ItemId, PeerId};
use moorline_runtime::transfer::DownloadError;

use super::GetArgs;
use crate::exit::{Code, Failure};
use crate::json::Event;
use crate::output::Output;
use crate::session::{self, Session};
use crate::{text, units};

/// Candidates and similar names that are listed at most.
const MAX_LISTED: usize = 10;

/// Nobody offers what was named.
pub(super) fn not_found(query: &str, args: &GetArgs, session: &Session, offers: &[Offer]) -> Failure {
    let query = text::name(query);
    let peers = session.node().peers();
    let wanted = match &args.from {
        Some(_) => format!("\"{query}\" from the peer named by --from"),
        None => format!("\"{query}\""),
    };
    // Who does not let us in may well have it: that comes before everything else.
    if let Some(refused) = session.refused().iter().find(|refused| refused.access) {
        let failure = Failure::new(Code::NotPermitted, format!("cannot fetch {wanted}: {}", refused.reason));
        return failure.hint(format!(
            "Give the group's passphrase with --passphrase-file, MOORLINE_PASSPHRASE or --passphrase; or ask the owner to let\n\
             this peer in: --allow {}",
            session.node().peer_id(),
        ));
    }
    // What is no question of access is one of understanding. With addresses given, only theirs is the answer.
    let answer = |target: &str| !session.has_named() || session.is_named(target);
    if peers.is_empty()
        && let Some(refused) = session.refused().into_iter().find(|refused| answer(&refused.target))
    {
        return Failure::new(Code::Unreachable, format!("cannot fetch {wanted}: {}", refused.reason))
            .hint("Use the same version of moorline on both machines: `moorline --version` prints it.");
    }
    if peers.is_empty() && session.has_named() {
        let addresses: Vec<String> = session.unanswered().iter().map(ToString::to_string).collect();
        let why = format!("nobody answers at {}", addresses.join(", "));
        return Failure::new(Code::Unreachable, format!("cannot fetch {wanted}: {why}")).hint(
            "Check the address and the port, that `moorline share` runs there, and that no firewall blocks UDP.",
        );
    }
    let seen = match peers.len() {
        0 => "nobody was found on this network".to_owned(),
        1 => format!("here is 1 peer with {}", units::count(offers.len() as u64, "item")),
        n => format!("here are {} with {}", units::count(n as u64, "peer"), units::count(offers.len() as u64, "item")),
    };
    let mut hint = String::new();
    for unreached in session.unreached_rooms() {
        hint.push_str(&format!("Note: {}.\n", unreached.sentence()));
    }
    let similar = similar(&query, offers);
    if !similar.is_empty() {
        hint.push_str(&format!("Did you mean: {}?\n", similar.join(", ")));
    }
    hint.push_str("`moorline list` shows what is on offer; `moorline doctor` says what is wrong with the network;\n");
    hint.push_str("--peer ADDR contacts a machine directly; --wait waits until somebody offers it.");
    Failure::new(Code::NotFound, format!("nobody offers {wanted}: {seen}")).hint(hint)
}

/// Names on offer that look like the one that was asked for.
fn similar(query: &str, offers: &[Offer]) -> Vec<String> {
    let query = query.split('@').next().unwrap_or(query).to_lowercase();
    let mut names: Vec<String> = offers
        .iter()
        .flat_map(|offer| offer.providers.iter().map(|provider| provider.item_name.as_str()))
        .filter(|name| {
            let name = name.to_lowercase();
            !query.is_empty() && (name.contains(&query) || query.contains(&name) || shares_start(&name, &query))
        })
        .map(text::name)
        .collect();
    names.sort();
    names.dedup();
    names.truncate(MAX_LISTED);
    names
}

fn shares_start(a: &str, b: &str) -> bool {
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    same >= 3 && same * 2 >= a.chars().count().min(b.chars().count())
}

/// Several items fit.
pub(super) fn ambiguous(query: &str, items: &[ItemId], offers: &[Offer]) -> Failure {
    let query = text::name(query);
    let mut hint = String::from("Choose one by its id, or by NAME@PEER:\n");
    for item in items.iter().take(MAX_LISTED) {
        let Some(offer) = offers.iter().find(|offer| offer.summary.id == *item) else { continue };
        let summary = &offer.summary;
        let who: Vec<String> = offer
            .providers
            .iter()
            .take(MAX_LISTED)
            .map(|provider| format!("{}@{}", text::name(&provider.item_name), text::name(&provider.name)))
            .collect();
        let version =
            summary.version.as_deref().map(|version| format!(", version {}", text::name(version))).unwrap_or_default();
        hint.push_str(&format!(
            "  moorline get {}   {}, {}{version}, {}\n",
            item.short(),
            units::bytes(summary.bytes),
            units::count(summary.files, "file"),
            who.join(", "),
        ));
    }
    if items.len() > MAX_LISTED {
        hint.push_str(&format!("  and {} more\n", items.len() - MAX_LISTED));
    }
    Failure::new(Code::NotFound, format!("\"{query}\" may mean {} different items", items.len())).hint(hint.trim_end())
}

/// Several peers go by the name that was given.
pub(super) fn ambiguous_peer(query: &str, peers: &[PeerId], offer: &Offer) -> Failure {
    let mut hint =
        String::from("All of them have the same bytes: leave the peer out to fetch from all, or name one by its id:\n");
    for provider in offer.providers.iter().filter(|provider| peers.contains(&provider.id)).take(MAX_LISTED) {
        hint.push_str(&format!(
            "  --from {}   {} at {}\n",
            provider.id.short(),
            text::name(&provider.name),
            session::canonical(provider.addr)
        ));
    }
    let message = format!("{} peers that have \"{}\" go by that name", peers.len(), text::name(query));
    Failure::new(Code::NotFound, message).hint(hint.trim_end())
}

/// The exit code for a download that failed.
pub(super) fn code_of(error: &DownloadError) -> Code {
    match error {
        DownloadError::BadName { .. }
        | DownloadError::Locked { .. }
        | DownloadError::TargetExists { .. }
        | DownloadError::NoSpace { .. }
        | DownloadError::Io { .. }
        | DownloadError::Tampered { .. } => Code::LocalDisk,
        DownloadError::BadItem { .. } => Code::BadContent,
        _ => Code::Failure,
    }
}

/// Peers that come and go: to programs always, to people on request.
pub(super) fn peer(output: &Output, event: &NodeEvent) {
    match event {
        NodeEvent::PeerUp(peer) => {
            let address = session::canonical(peer.addr).to_string();
            output.event(&Event::PeerUp { peer: &peer.id.to_string(), name: &peer.name, address: &address });
            if output.verbose() > 0 {
                output.note(format_args!("{} ({}) is at {address}", text::name(&peer.name), peer.id.short()));
            }
        }
        NodeEvent::PeerDown { id, name, reason, goodbye } => {
            output.event(&Event::PeerDown { peer: &id.to_string(), name, reason, goodbye: *goodbye });
            if output.verbose() > 0 {
                output.note(format_args!("{} ({}) is gone: {}", text::name(name), id.short(), text::reason(reason)));
            }
        }
        NodeEvent::PeerRefused { target, reason, .. } => {
            output.event(&Event::PeerRefused { address: target, reason });
            if output.verbose() > 0 {
                output.note(text::reason(reason));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn local_trouble_bad_items_and_defects_have_codes_of_their_own() {
        let path = PathBuf::from("/srv");
        let io = DownloadError::Io {
            what: "write",
            path: path.clone(),
            source: Arc::new(io::Error::from(io::ErrorKind::Other)),
        };
        assert_eq!(code_of(&io), Code::LocalDisk);
        assert_eq!(code_of(&DownloadError::NoSpace { path: path.clone(), need: 1, free: 0 }), Code::LocalDisk);
        assert_eq!(code_of(&DownloadError::TargetExists { path, difference: "differs".to_owned() }), Code::LocalDisk);
        assert_eq!(code_of(&DownloadError::BadItem { from: None, reason: "x".to_owned() }), Code::BadContent);
        assert_eq!(code_of(&DownloadError::Internal("x".to_owned())), Code::Failure);
    }

    #[test]
    fn similar_names_share_a_part_or_a_beginning() {
        assert!(shares_start("quake iii", "quake 3"));
        assert!(!shares_start("quake", "doom"));
        assert!(!shares_start("qu", "quake"));
    }
}
