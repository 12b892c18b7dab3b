//! What a node does from its start to its end, and what is written down of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use moorline_runtime::library::Library;
use moorline_runtime::node::{CommandError, DownloadHandle, DownloadRequest, Node, NodeEvent, NodeHandle};
use tokio::sync::{mpsc, watch};

use super::{FetchState, NodeHost, Order, State};
use crate::host::liar::turn_bytes_around;
use crate::host::{Happened, Logged};

impl NodeHost {
    /// Turns the bytes of what it shares around, unless they are as they are to be.
    fn turn(&self, around: bool) -> std::io::Result<()> {
        let mut state = self.lock();
        if self.spec.lies && state.is_turned != around {
            state.is_turned = around;
            turn_bytes_around(&self.place.folder.path("share"))?;
        }
        Ok(())
    }

    /// Begins what can be begun.
    async fn begin_fetches(&self, node: &NodeHandle, downloads: &mut BTreeMap<String, DownloadHandle>) {
        let offers = node.offers();
        self.lock().offers.clone_from(&offers);
        let wanted: Vec<String> = {
            let state = self.lock();
            let wanted = state.fetches.iter().filter(|(_, state)| matches!(state, FetchState::Wanted));
            wanted.map(|(item, _)| item.clone()).collect()
        };
        for item in wanted {
            let Some(offer) = offers.iter().find(|offer| offer.summary.name == item) else { continue };
            let request = DownloadRequest::new(offer.summary.id, self.place.folder.path("into"));
            let begun = match node.download(request).await {
                Ok(download) => {
                    let id = download.id();
                    self.place.happened(Happened::FetchBegun { item: item.clone(), id });
                    downloads.insert(item.clone(), download);
                    FetchState::Running(id)
                }
                Err(CommandError::UnknownItem { .. }) => FetchState::Wanted,
                Err(error) => {
                    self.place.happened(Happened::FetchRefused { item: item.clone(), why: error.clone() });
                    FetchState::Refused(error)
                }
            };
            self.lock().fetches.insert(item, begun);
        }
    }

    /// Asks the downloads themselves how they ended, when that may be among the events that were missed.
    async fn catch_up(&self, downloads: &mut BTreeMap<String, DownloadHandle>) {
        for (item, download) in downloads {
            loop {
                let event = tokio::select! {
                    biased;
                    event = download.next() => event,
                    () = std::future::ready(()) => None,
                };
                let Some(event) = event else { break };
                if event.is_terminal() {
                    self.lock().fetches.insert(item.clone(), FetchState::Ended(event));
                }
            }
        }
    }

    fn heard(&self, life: u64, event: &NodeEvent) {
        self.place.record("node", life, event);
        self.place.happened(Happened::Node(event.clone()));
        let at = self.place.net.clock().now();
        let mut state = self.lock();
        if let NodeEvent::Download { id, event } = event
            && event.is_terminal()
        {
            let running = |fetch: &&mut FetchState| matches!(fetch, FetchState::Running(own) if own == id);
            if let Some(fetch) = state.fetches.values_mut().find(running) {
                *fetch = FetchState::Ended(event.clone());
            }
        }
        state.events.push(Logged { at, life, event: event.clone() });
    }

    /// Records what the node is at, if that is something else now.
    fn tell_state(&self, life: u64) {
        let mut state = self.lock();
        let is_fetching = state.fetches.values().any(|fetch| matches!(fetch, FetchState::Running(_)));
        let now = match state.peers.len() {
            _ if is_fetching => "fetching",
            0 => "alone",
            _ => "linked",
        };
        if state.told != Some((life, now)) {
            state.told = Some((life, now));
            self.place.state(life, now, None);
        }
    }
}

/// One life of a node.
pub(crate) async fn run(host: NodeHost) -> turmoil::Result {
    let mut orders = host.orders.open();
    let life = {
        let mut state = host.lock();
        let life = state.lives;
        state.lives += 1;
        (state.offers, state.peers) = (Vec::new(), Vec::new());
        state.rooms.clear();
        // What ran in an earlier life runs no more.
        let State { fetches, called_off, .. } = &mut *state;
        for (_, fetch) in fetches.iter_mut().filter(|(item, fetch)| fetch.was_cut_off(called_off.contains(*item))) {
            *fetch = FetchState::Wanted;
        }
        life
    };
    host.place.say("host", life, "started");
    host.place.happened(Happened::Started);
    host.turn(false)?;
    let mut node = Node::start(host.config(life).await?).await?;
    let mut events = node.events();
    let mut rooms = host.join_rooms(&node, life)?;
    let mut listed = node.library().filter(|_| host.spec.lies).map(Library::revision);
    listed.iter_mut().for_each(watch::Receiver::mark_changed);
    let node = Arc::new(node);
    let stopped_from_within = Arc::downgrade(&node);
    host.place.points.stop_with(&host.place.name, move || {
        if let Some(node) = stopped_from_within.upgrade() {
            node.shutdown();
        }
    });
    let mut downloads = BTreeMap::new();
    let mut deaf = false;
    loop {
        host.tell_state(life);
        tokio::select! {
            biased;
            event = events.next(), if !deaf => {
                let Some(event) = event else { break };
                host.heard(life, &event);
                match event {
                    NodeEvent::OffersChanged => host.begin_fetches(&node, &mut downloads).await,
                    NodeEvent::PeerUp(_) | NodeEvent::PeerDown { .. } => host.lock().peers = node.peers(),
                    NodeEvent::Lagged { .. } => {
                        host.lock().peers = node.peers();
                        host.catch_up(&mut downloads).await;
                        host.begin_fetches(&node, &mut downloads).await;
                    }
                    _ => {}
                }
            }
            (room, now, event) = rooms.next(), if !deaf => {
                host.place.record("room", life, &event);
                host.lock().rooms.insert(room.clone(), now);
                host.place.happened(Happened::NodeRoom { room, event });
            }
            () = changed(&mut listed) => {
                if node.library().is_some_and(|library| !library.items().is_empty()) {
                    listed = None;
                    host.turn(true)?;
                }
            }
            order = next_order(&mut orders) => match order {
                Order::LookForOffers => host.begin_fetches(&node, &mut downloads).await,
                Order::Cancel(item) => {
                    if let Some(download) = downloads.remove(&item) {
                        download.cancel();
                    }
                }
                Order::Deaf(now) => {
                    deaf = now;
                    host.place.happened(Happened::Deaf(deaf));
                }
                Order::Share(root) => drop(node.share(root).await),
                Order::Stop => node.shutdown(),
            },
        }
    }
    let reason = node.wait_stopped().await;
    host.place.say("host", life, &format!("{reason}; {} tasks left", node.alive_tasks()));
    host.place.happened(Happened::Stopped { tasks_left: Some(node.alive_tasks()) });
    Ok(())
}

/// Pending for ever once there is nobody to give orders.
async fn next_order(orders: &mut mpsc::Receiver<Order>) -> Order {
    match orders.recv().await {
        Some(order) => order,
        None => std::future::pending().await,
    }
}

/// Pending for ever where there is nothing to wait for.
async fn changed(revision: &mut Option<watch::Receiver<u64>>) {
    let changed = match revision {
        Some(revision) => revision.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending::<()>().await;
    }
}
