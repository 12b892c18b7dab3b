//! `moorline share`: put files and folders on offer until stopped.

mod board;
mod expected;

pub(super) use board::item as item_json;

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use moorline_runtime::discovery;
use moorline_runtime::library::ShareRoot;
use moorline_runtime::node::NodeEvent;
use moorline_runtime::proto::PeerId;
use tokio::sync::watch;

use crate::args::NetArgs;
use crate::exit::{Code, Failure, Result};
use crate::json::Event;
use crate::output::Output;
use crate::session::{self, Purpose, Session};
use crate::signals::Stop;
use crate::{text, units};

use board::Board;
use expected::Expected;

/// Share files and folders with everyone on this network, until Ctrl-C
///
/// Each PATH is one item; with --library, every child of a folder is one. Changes are followed: a changed item is offered anew
/// once it stays as it is. Without --passphrase or --allow, anyone on this network can fetch what is shared.
#[derive(Args, Debug)]
pub(crate) struct ShareArgs {
    /// A file or folder to share as one item; may be repeated
    #[arg(value_name = "PATH", required_unless_present = "library")]
    paths: Vec<PathBuf>,

    /// Share every child of this folder as an item of its own; may be repeated
    #[arg(long, value_name = "DIR")]
    library: Vec<PathBuf>,

    /// Let only this peer in, by its id; may be repeated. `moorline doctor` on the other machine prints its id
    #[arg(long, value_name = "PEER", value_delimiter = ',', value_parser = parse_peer)]
    allow: Vec<PeerId>,

    #[command(flatten)]
    net: NetArgs,
}

pub(crate) async fn run(args: ShareArgs, output: &Output, stop: Stop) -> Result<Code> {
    let roots = roots(&args)?;
    let mut expected = Expected::of(&roots);
    let purpose = Purpose { share: Some(roots), allow: args.allow.clone(), stable_port: true };
    let mut session = Session::start(output, &args.net, purpose).await?;
    let introduction = Introduction::of(&session, &args);
    introduction.tell(output);

    let mut board = Board::default();
    let mut activity = session.node().library().map(|library| library.activity());
    loop {
        // What is on offer is read anew each time: that covers events that were missed.
        if let Some(library) = session.node().library() {
            let was_ready = expected.is_met();
            if !was_ready && expected.look(library) {
                output.event(&introduction.ready(library.items().len()));
            }
            // Programs get the items after `ready`, people as they come.
            if expected.is_met() || !output.json() {
                board.refresh(output, library);
            }
            if !was_ready && expected.is_met() {
                output
                    .note(format_args!("ready: {} on offer; Ctrl-C ends it", units::count(board.len() as u64, "item")));
            }
        }
        if output.is_closed() {
            break;
        }
        tokio::select! {
            biased;
            () = stop.requested() => break,
            event = session.next(output) => {
                if let Some(event) = event? {
                    report(output, &board, &event);
                }
            }
            () = changed(&mut activity) => {}
        }
    }
    let reason = session.stop().await.map_or_else(|| "stopped".to_owned(), |reason| reason.to_string());
    output.event(&Event::Stopped { reason: &reason });
    output.note(format_args!("goodbye; {reason}"));
    Ok(Code::Success)
}

/// Waits until the library says that something changed; for ever when there is none.
async fn changed(activity: &mut Option<watch::Receiver<u64>>) {
    if let Some(receiver) = activity
        && receiver.changed().await.is_ok()
    {
        return;
    }
    // Without a library, or when it is gone with the node, the node's own events tell the rest.
    std::future::pending::<()>().await;
}

/// Who can fetch, who we are, how we are reached.
struct Introduction {
    peer: String,
    name: String,
    listen: String,
    addresses: Vec<String>,
    access: &'static str,
    who: String,
}

impl Introduction {
    fn of(session: &Session, args: &ShareArgs) -> Self {
        let local = session.node().local_addr();
        let access = access_word(session.is_closed_group(), !args.allow.is_empty());
        let who = match access {
            "open" => {
                "anyone on this network can fetch what is shared here; --passphrase or --allow limits that".to_owned()
            }
            "passphrase" => "Only peers that know the passphrase can see or fetch what is shared here.".to_owned(),
            "allow" => format!("Only {} can see or fetch what is shared here.", allowed(&args.allow)),
            _ => format!(
                "Only {}, and only with the passphrase, can see or fetch what is shared here.",
                allowed(&args.allow)
            ),
        };
        Self {
            peer: session.node().peer_id().to_string(),
            name: session.name().to_owned(),
            listen: local.to_string(),
            addresses: reachable(local, args).iter().map(ToString::to_string).collect(),
            access,
            who,
        }
    }

    /// The first lines.
    fn tell(&self, output: &Output) {
        if self.access == "open" {
            output.warn(&self.who);
        } else {
            output.note(&self.who);
        }
        output.event(&Event::Starting {
            peer: &self.peer,
            name: &self.name,
            listen: &self.listen,
            addresses: &self.addresses,
            access: self.access,
        });
        output.line(format_args!("Name     {}", self.name));
        output.line(format_args!("Peer id  {}", self.peer));
        let addresses = if self.addresses.is_empty() { self.listen.clone() } else { self.addresses.join("  ") };
        output.line(format_args!("Address  {addresses}"));
    }

    fn ready(&self, items: usize) -> Event<'_> {
        Event::Ready {
            peer: &self.peer,
            name: &self.name,
            listen: &self.listen,
            addresses: &self.addresses,
            access: self.access,
            items,
        }
    }
}

fn allowed(peers: &[PeerId]) -> String {
    match peers {
        [one] => format!("peer {}", one.short()),
        many => format!("{} peers", many.len()),
    }
}

fn access_word(passphrase: bool, allow: bool) -> &'static str {
    match (passphrase, allow) {
        (false, false) => "open",
        (true, false) => "passphrase",
        (false, true) => "allow",
        (true, true) => "passphrase+allow",
    }
}

/// Addresses that another machine can give to `--peer`.
fn reachable(local: SocketAddr, args: &ShareArgs) -> Vec<SocketAddr> {
    if !local.ip().is_unspecified() {
        return vec![session::canonical(local)];
    }
    let policy = session::policy(&args.net);
    let interfaces = discovery::interfaces().unwrap_or_default();
    let used: BTreeSet<IpAddr> = discovery::choose(&interfaces, &policy)
        .into_iter()
        .filter(|choice| choice.used)
        .flat_map(|choice| choice.interface.addrs)
        // A link-local address needs the other machine's own zone: of no use to anybody who reads it here.
        .filter(|ip| !is_link_local(ip) && (local.is_ipv6() || ip.is_ipv4()))
        .collect();
    used.into_iter().map(|ip| SocketAddr::new(ip, local.port())).collect()
}

fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Tells of peers that come, go and fetch.
fn report(output: &Output, board: &Board, event: &NodeEvent) {
    match event {
        NodeEvent::PeerUp(peer) => {
            let (id, address) = (peer.id.to_string(), session::canonical(peer.addr).to_string());
            output.event(&Event::PeerUp { peer: &id, name: &peer.name, address: &address });
            output.note(format_args!("{} ({}) connected from {address}", text::name(&peer.name), peer.id.short()));
        }
        NodeEvent::PeerDown { id, name, reason, goodbye } => {
            output.event(&Event::PeerDown { peer: &id.to_string(), name, reason, goodbye: *goodbye });
            let how = if *goodbye { "left" } else { "is gone without a goodbye" };
            output.note(format_args!("{} ({}) {how}: {}", text::name(name), id.short(), text::reason(reason)));
        }
        NodeEvent::PeerRefused { target, reason, .. } => {
            output.event(&Event::PeerRefused { address: target, reason });
            output.note(text::reason(reason));
        }
        NodeEvent::UploadStarted { id, name, item } => {
            let what = board.name(item).unwrap_or_else(|| item.short());
            output.event(&Event::Serving {
                peer: &id.to_string(),
                peer_name: name,
                item: &item.to_string(),
                name: &what,
            });
            output.note(format_args!("{} ({}) fetches {}", text::name(name), id.short(), text::name(&what)));
        }
        _ => {}
    }
}

/// Checks what the user named before anything is started, and resolves it to where it lies.
fn roots(args: &ShareArgs) -> Result<Vec<ShareRoot>> {
    let resolve = |path: &PathBuf| {
        fs::canonicalize(path).map_err(|error| Failure::disk("share", path, &error).hint("Check the spelling."))
    };
    let mut roots = Vec::with_capacity(args.paths.len() + args.library.len());
    for path in &args.paths {
        let path = resolve(path)?;
        if path.file_name().is_none() {
            return Err(Failure::new(Code::Usage, format!("{} has no name to share it under", text::path(&path)))
                .hint("Share folders inside of it, or give it as --library."));
        }
        roots.push(ShareRoot::Item(path));
    }
    for path in &args.library {
        let path = resolve(path)?;
        if !path.is_dir() {
            return Err(Failure::new(Code::Usage, format!("{} is not a folder", text::path(&path)))
                .hint("--library takes a folder of items; give a single file without it."));
        }
        roots.push(ShareRoot::Children(path));
    }
    Ok(roots)
}

fn parse_peer(text: &str) -> std::result::Result<PeerId, String> {
    text.parse().map_err(|_| {
        "not a peer id: 52 letters and digits, as `moorline doctor` and `moorline share` print it on that machine"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn args(paths: &[&Path], library: &[&Path]) -> ShareArgs {
        let owned = |paths: &[&Path]| paths.iter().map(|path| path.to_path_buf()).collect();
        ShareArgs { paths: owned(paths), library: owned(library), allow: Vec::new(), net: NetArgs::default() }
    }

    #[test]
    fn what_is_not_there_is_refused_before_anything_starts() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let missing = folder.path().join("missing");
        assert_eq!(roots(&args(&[&missing], &[])).expect_err("missing").code, Code::LocalDisk);
        assert_eq!(roots(&args(&[], &[&missing])).expect_err("missing").code, Code::LocalDisk);
        let file = fs::canonicalize(folder.path()).expect("it is there").join("file");
        fs::write(&file, "x").expect("writes");
        assert_eq!(roots(&args(&[], &[&file])).expect_err("a file is no library").code, Code::Usage);
        assert_eq!(roots(&args(&[&file], &[])).expect("a file is an item"), [ShareRoot::Item(file)]);
    }

    #[test]
    fn a_dot_becomes_the_name_of_the_folder_and_the_root_is_refused() {
        let here = roots(&args(&[Path::new(".")], &[])).expect("resolves");
        assert!(here[0].path().is_absolute() && here[0].path().file_name().is_some());
        assert_eq!(roots(&args(&[Path::new("/")], &[])).expect_err("no name").code, Code::Usage);
    }

    #[test]
    fn the_first_line_tells_who_can_fetch() {
        assert_eq!(access_word(false, false), "open");
        assert_eq!(access_word(true, true), "passphrase+allow");
        let id = PeerId::from_bytes([1; 32]);
        assert_eq!(parse_peer(&id.to_string()), Ok(id));
        assert!(parse_peer("alice").is_err());
    }
}
