use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use moorline_runtime::node::{DownloadId, NodeEvent};
use moorline_signaling::machine::Event;

use super::{Checker, Docket};
use crate::host::{Happened, Seen};
use crate::run::World;

/// `one-ending` and `all-stop`.
#[derive(Default)]
pub(super) struct Endings {
    hosts: BTreeMap<Arc<str>, Life>,
}

/// One life of a host.
#[derive(Default)]
struct Life {
    /// The terminal event has come.
    over: bool,
    /// It is a node or a user: it is to have one.
    speaks: bool,
    /// Events were missed, as the node said: what is not there may be among them.
    lagged: bool,
    open: BTreeSet<DownloadId>,
    ended: BTreeSet<DownloadId>,
}

impl Checker for Endings {
    fn hear(&mut self, world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        let host = &*seen.host;
        let mut accuse = |text: String| docket.accuse("one-ending", seen.at, host, text);
        let life = self.hosts.entry(seen.host.clone()).or_default();
        match &seen.what {
            Happened::Started => {
                *life = Life { speaks: !world.cast.servers.contains_key(host), ..Life::default() };
            }
            Happened::Room(event) => {
                if life.over {
                    accuse(format!("after its end the room says {event:?}"));
                }
                life.over |= matches!(event, Event::Closed { .. });
            }
            Happened::Node(event) => {
                if life.over {
                    accuse(format!("after its end the node says {event:?}"));
                }
                life.node_says(event, &mut accuse);
            }
            Happened::FetchBegun { id, .. } => {
                life.open.insert(*id);
            }
            Happened::Stopped { tasks_left } => {
                if life.speaks && !life.over {
                    accuse("it has ended without its last event".into());
                }
                if !life.lagged {
                    for id in &life.open {
                        accuse(format!("the node has ended, and download {id} never did"));
                    }
                }
                if let Some(left @ 1..) = tasks_left {
                    docket.accuse("all-stop", seen.at, host, format!("{left} tasks are left behind"));
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, world: &World<'_>, docket: &mut Docket) {
        for host in world.running() {
            docket.accuse("all-stop", world.now(), &host, "it was asked to stop, and has not");
        }
    }
}

impl Life {
    fn node_says(&mut self, event: &NodeEvent, accuse: &mut impl FnMut(String)) {
        match event {
            NodeEvent::Stopped { .. } => self.over = true,
            NodeEvent::Lagged { .. } => self.lagged = true,
            NodeEvent::Download { id, event } => {
                if self.ended.contains(id) {
                    accuse(format!("after its end download {id} says {event:?}"));
                }
                if event.is_terminal() {
                    self.open.remove(id);
                    self.ended.insert(*id);
                }
            }
            _ => {}
        }
    }
}
