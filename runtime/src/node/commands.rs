use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use moorline_proto::ItemId;
use moorline_sim_point::sim_point;
use tokio::sync::{mpsc, oneshot};

use crate::library::ShareRoot;
use crate::supervisor::{BoxError, Scope};

use super::context::Context;
use super::downloads::{self, DownloadHandle, DownloadRequest};

/// What a node can be asked to do. Every accepted command gets exactly one answer, also when the node stops meanwhile.
#[non_exhaustive]
pub enum Command {
    /// Fetch an item.
    Download {
        /// What and where to.
        request: DownloadRequest,
        /// The answer.
        reply: oneshot::Sender<Result<DownloadHandle, CommandError>>,
    },
    /// Dial an address for as long as the node runs.
    AddPeer {
        /// The address.
        addr: SocketAddr,
        /// The answer.
        reply: oneshot::Sender<Result<(), CommandError>>,
    },
    /// Share one more file or folder.
    Share {
        /// What.
        root: ShareRoot,
        /// The answer.
        reply: oneshot::Sender<Result<(), CommandError>>,
    },
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The node is stopping or has stopped.
    #[error("the node is stopping")]
    Stopping,
    /// The node was started without a library.
    #[error("this node was started without a library, so it cannot share; start it with one")]
    NoLibrary,
    /// A bound of [`NodeLimits`](super::NodeLimits) is reached.
    #[error("too many {what} already: the limit is {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// The same item is being fetched into the same folder.
    #[error("item {item} is being fetched into {into} already")]
    AlreadyDownloading {
        /// The item.
        item: ItemId,
        /// The folder.
        into: PathBuf,
    },
    /// Nobody offers the item now, so its name is unknown; name it in the request to wait for somebody.
    #[error("no connected peer offers item {item}; give the download a name to wait for one")]
    UnknownItem {
        /// The item.
        item: ItemId,
    },
    /// The name is no safe file name on every platform.
    #[error("{name:?} cannot be a file name here: {why}")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Sends commands to a node. Cheap to clone. A node whose last sender is dropped while it was not asked to stop fails with
/// [`RuntimeFailed`](super::RuntimeFailed), since nobody could control it any more.
#[derive(Clone)]
pub struct CommandSender {
    sender: mpsc::Sender<Command>,
}

impl CommandSender {
    pub(super) fn new(sender: mpsc::Sender<Command>) -> Self {
        Self { sender }
    }

    /// Starts a download. Cancelling this call leaves open whether it starts; the [`DownloadHandle`] is then lost and the download
    /// runs to its end.
    pub async fn download(&self, request: DownloadRequest) -> Result<DownloadHandle, CommandError> {
        self.call(|reply| Command::Download { request, reply }).await
    }

    /// Dials `addr` for as long as the node runs.
    pub async fn add_peer(&self, addr: SocketAddr) -> Result<(), CommandError> {
        self.call(|reply| Command::AddPeer { addr, reply }).await
    }

    /// Shares one more file or folder; it is on offer once it has been hashed.
    pub async fn share(&self, root: ShareRoot) -> Result<(), CommandError> {
        self.call(|reply| Command::Share { root, reply }).await
    }

    async fn call<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, CommandError>>) -> Command,
    ) -> Result<T, CommandError> {
        let (reply, answer) = oneshot::channel();
        self.sender.send(command(reply)).await.map_err(|_| CommandError::Stopping)?;
        answer.await.map_err(|_| CommandError::Stopping)?
    }
}

/// The service `commands`. Outlives a failure elsewhere for as long as commands are waiting, to answer them.
pub(super) async fn run(
    context: Arc<Context>,
    mut commands: mpsc::Receiver<Command>,
    scope: Scope,
) -> Result<(), BoxError> {
    loop {
        let command = tokio::select! {
            biased;
            () = scope.cancelled() => break,
            command = commands.recv() => command,
        };
        match command {
            Some(command) => {
                sim_point!(await "command.taken");
                carry_out(&context, command);
            }
            None if scope.is_cancelled() => return Ok(()),
            None => return Err("every command sender was dropped although the node was not asked to stop".into()),
        }
    }
    commands.close();
    while let Some(command) = commands.recv().await {
        decline(command);
    }
    Ok(())
}

/// A caller that no longer waits for its answer is no error: the receiver of a reply may be gone.
fn carry_out(context: &Arc<Context>, command: Command) {
    match command {
        Command::Download { request, reply } => drop(reply.send(downloads::start(context, request))),
        Command::AddPeer { addr, reply } => {
            let limit = context.limits.targets;
            let added = context.targets.pin(context, addr);
            drop(reply.send(if added { Ok(()) } else { Err(CommandError::TooMany { what: "peers", limit }) }));
        }
        Command::Share { root, reply } => {
            let shared = context.library.as_ref().map(|library| library.add(root)).ok_or(CommandError::NoLibrary);
            drop(reply.send(shared));
        }
    }
}

fn decline(command: Command) {
    let stopping = CommandError::Stopping;
    match command {
        Command::Download { reply, .. } => drop(reply.send(Err(stopping))),
        Command::AddPeer { reply, .. } | Command::Share { reply, .. } => drop(reply.send(Err(stopping))),
    }
}
