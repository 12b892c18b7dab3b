use std::time::Duration;

use moorline_runtime::node::{NodeEvent, StopReason};
use moorline_runtime::transfer::{DownloadEvent, DropReason};
use moorline_signaling::CloseReason;
use moorline_signaling::machine::{Event, State};

use crate::host::{Happened, Seen};
use crate::run::World;

/// A planted bug, at the level of what can be observed: the checkers are told something else than what happened.
///
/// A checker that does not notice the lie that is meant for it checks nothing. It says nothing about whether the code under test can do
/// what the lie tells.
#[derive(Clone, Copy)]
pub struct Lie {
    /// What is told.
    pub name: &'static str,
    /// The invariant that this is to violate.
    pub violates: &'static str,
    /// Counts for itself, and tells what is heard in place of what happened.
    tell: fn(&World<'_>, Seen, &mut u64) -> Vec<Seen>,
}

/// All lies, at least one for each invariant that is judged by what was observed.
#[must_use]
pub fn lies() -> &'static [Lie] {
    LIES
}

impl std::fmt::Debug for Lie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lie").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One who tells a lie in one run.
pub(super) struct Liar {
    lie: Lie,
    told: u64,
}

impl Liar {
    pub(super) fn new(lie: Lie) -> Self {
        Self { lie, told: 0 }
    }

    pub(super) fn tell(&mut self, world: &World<'_>, seen: Seen) -> Vec<Seen> {
        (self.lie.tell)(world, seen, &mut self.told)
    }
}

const LIES: &[Lie] = &[
    Lie {
        name: "the room closes twice",
        violates: "one-ending",
        tell: |_, seen, _| twice(seen, |what| matches!(what, Happened::Room(Event::Closed { .. }))),
    },
    Lie {
        name: "a download says something after its end",
        violates: "one-ending",
        tell: |_, seen, _| {
            twice(seen, |what| matches!(what, Happened::Node(NodeEvent::Download { event, .. }) if event.is_terminal()))
        },
    },
    Lie {
        name: "the last event of a node is left out",
        violates: "one-ending",
        tell: |_, seen, _| without(seen, |what| matches!(what, Happened::Node(NodeEvent::Stopped { .. }))),
    },
    Lie {
        name: "a loss is told twice",
        violates: "loss-once",
        tell: |_, seen, _| twice(seen, |what| matches!(what, Happened::Room(Event::ConnectionLost { .. }))),
    },
    Lie {
        name: "a loss is left out",
        violates: "loss-once",
        tell: |_, seen, _| without(seen, |what| matches!(what, Happened::Room(Event::ConnectionLost { .. }))),
    },
    Lie {
        name: "a recovery comes a minute later",
        violates: "back-in-time",
        tell: |_, seen, _| match seen.what {
            Happened::Room(Event::Recovered { .. }) => vec![Seen { at: seen.at + Duration::from_secs(60), ..seen }],
            _ => vec![seen],
        },
    },
    Lie {
        name: "it gives up after a second",
        violates: "back-in-time",
        tell: |_, mut seen, _| {
            if let Happened::Room(Event::Closed { reason }) = &mut seen.what {
                *reason = CloseReason::Deadline { after: Duration::from_secs(1), last: "planted".to_owned() };
            }
            vec![seen]
        },
    },
    Lie {
        name: "a node ends, and nobody had asked it to",
        violates: "no-defect",
        tell: |_, seen, told| {
            let ends = matches!(seen.what, Happened::Node(NodeEvent::PeerUp(_))) && std::mem::replace(told, 1) == 0;
            let end = ends.then(|| Seen { what: Happened::Stopped { tasks_left: Some(0) }, ..seen.clone() });
            std::iter::once(seen).chain(end).collect()
        },
    },
    Lie {
        name: "a peer is lost ten minutes later, when nothing is wrong any more",
        violates: "stay-connected",
        tell: |_, seen, _| match seen.what {
            Happened::Node(NodeEvent::PeerDown { .. }) => vec![Seen { at: seen.at + Duration::from_secs(600), ..seen }],
            _ => vec![seen],
        },
    },
    Lie {
        name: "a message arrives twice",
        violates: "in-order",
        tell: |_, seen, told| {
            if is_message(&seen.what) && third(told) { vec![seen.clone(), seen] } else { vec![seen] }
        },
    },
    Lie {
        name: "a message is swallowed",
        violates: "no-gap",
        tell: |_, seen, told| {
            if is_reliable(&seen.what) && third(told) { Vec::new() } else { vec![seen] }
        },
    },
    Lie {
        name: "a send ends twice",
        violates: "one-outcome",
        tell: |_, seen, told| {
            let ends = matches!(seen.what, Happened::SendEnded { .. });
            if ends && third(told) { vec![seen.clone(), seen] } else { vec![seen] }
        },
    },
    Lie {
        name: "a send never ends",
        violates: "all-answered",
        tell: |_, seen, told| {
            if matches!(seen.what, Happened::SendEnded { .. }) && third(told) { Vec::new() } else { vec![seen] }
        },
    },
    Lie {
        name: "somebody comes twice",
        violates: "one-participant",
        tell: |_, seen, _| twice(seen, |what| matches!(what, Happened::Room(Event::ParticipantJoined(_)))),
    },
    Lie {
        name: "somebody leaves, and nobody is told",
        violates: "rosters-agree",
        tell: |_, seen, _| without(seen, |what| matches!(what, Happened::Room(Event::ParticipantLeft { .. }))),
    },
    Lie {
        name: "everybody is back, and nobody says so",
        violates: "everyone-live",
        tell: |_, seen, told| {
            let back = matches!(&seen.what, Happened::Room(Event::StateChanged { to: State::Live { .. }, .. }));
            *told += u64::from(back);
            if back && *told > 2 { Vec::new() } else { vec![seen] }
        },
    },
    Lie {
        name: "a download is finished, and nobody says so",
        violates: "fetches-finish",
        tell: |_, seen, _| {
            let finished = |event: &DownloadEvent| matches!(event, DownloadEvent::Finished { .. });
            without(seen, |what| matches!(what, Happened::Node(NodeEvent::Download { event, .. }) if finished(event)))
        },
    },
    Lie {
        name: "a peer comes, and nobody says so",
        violates: "stay-connected",
        tell: |_, seen, _| without(seen, |what| matches!(what, Happened::Node(NodeEvent::PeerUp(_)))),
    },
    Lie {
        name: "an honest source is dropped for bad content",
        violates: "liars-only",
        tell: |_, seen, _| match &seen.what {
            Happened::Node(NodeEvent::Download { id, event: DownloadEvent::Finished { stats, .. } }) => {
                let dropped = stats.sources.iter().map(|source| DownloadEvent::SourceDropped {
                    peer: source.peer,
                    label: source.label.clone(),
                    reason: DropReason::BadContent("planted".into()),
                });
                let dropped = dropped.map(|event| Happened::Node(NodeEvent::Download { id: *id, event }));
                dropped.map(|what| Seen { what, ..seen.clone() }).chain([seen.clone()]).collect()
            }
            _ => vec![seen],
        },
    },
    Lie {
        name: "the disk flips a byte of what is finished",
        violates: "content-whole",
        tell: |world, seen, _| {
            if let Happened::Node(NodeEvent::Download { event: DownloadEvent::Finished { .. }, .. }) = &seen.what {
                damage(world, &seen.host);
            }
            vec![seen]
        },
    },
    Lie {
        name: "a task panics",
        violates: "no-defect",
        tell: |_, seen, told| {
            let panic = NodeEvent::TaskPanicked { task: "planted".into(), message: "planted".into() };
            let first = matches!(seen.what, Happened::Node(_)) && std::mem::replace(told, 1) == 0;
            let panicked = first.then(|| Seen { what: Happened::Node(panic), ..seen.clone() });
            panicked.into_iter().chain([seen]).collect()
        },
    },
    Lie {
        name: "a panic is not told",
        violates: "panic-heard",
        tell: |_, seen, _| without(seen, |what| matches!(what, Happened::Node(NodeEvent::TaskPanicked { .. }))),
    },
    Lie {
        name: "a panic is told twice",
        violates: "panic-heard",
        tell: |_, seen, _| twice(seen, |what| matches!(what, Happened::Node(NodeEvent::TaskPanicked { .. }))),
    },
    Lie {
        name: "a panic is told of another task",
        violates: "panic-heard",
        tell: |_, seen, _| match seen.what {
            Happened::Node(NodeEvent::TaskPanicked { message, .. }) => {
                let elsewhere = NodeEvent::TaskPanicked { task: "sessions/session/another".into(), message };
                vec![Seen { what: Happened::Node(elsewhere), ..seen }]
            }
            _ => vec![seen],
        },
    },
    Lie {
        name: "a panic is the end of its host",
        violates: "panic-contained",
        tell: |_, seen, _| {
            let ends = matches!(seen.what, Happened::Node(NodeEvent::TaskPanicked { .. }));
            let end = ends.then(|| Seen { what: Happened::Stopped { tasks_left: Some(0) }, ..seen.clone() });
            std::iter::once(seen).chain(end).collect()
        },
    },
    Lie {
        name: "the death of a required service is not told",
        violates: "failure-stops",
        tell: |_, seen, _| without(seen, |what| matches!(what, Happened::Node(NodeEvent::RuntimeFailed(_)))),
    },
    Lie {
        name: "a required service dies, and the node stops as if it had been asked to",
        violates: "failure-stops",
        tell: |_, seen, _| match seen.what {
            Happened::Node(NodeEvent::Stopped { .. }) => {
                let reason = StopReason::Shutdown { stragglers: Vec::new() };
                vec![Seen { what: Happened::Node(NodeEvent::Stopped { reason }), ..seen }]
            }
            _ => vec![seen],
        },
    },
    Lie {
        name: "a task is left behind",
        violates: "all-stop",
        tell: |_, seen, _| match seen.what {
            Happened::Stopped { .. } => vec![Seen { what: Happened::Stopped { tasks_left: Some(1) }, ..seen }],
            _ => vec![seen],
        },
    },
];

fn twice(seen: Seen, is_it: impl Fn(&Happened) -> bool) -> Vec<Seen> {
    if is_it(&seen.what) { vec![seen.clone(), seen] } else { vec![seen] }
}

fn without(seen: Seen, is_it: impl Fn(&Happened) -> bool) -> Vec<Seen> {
    if is_it(&seen.what) { Vec::new() } else { vec![seen] }
}

fn is_message(what: &Happened) -> bool {
    matches!(what, Happened::Room(Event::Message(_)))
}

fn is_reliable(what: &Happened) -> bool {
    matches!(what, Happened::Room(Event::Message(message)) if message.reliable)
}

/// The first ones are told as they are, so that there is something on both sides of the lie.
fn third(told: &mut u64) -> bool {
    *told += 1;
    *told == 3
}

fn damage(world: &World<'_>, host: &str) {
    let Some(node) = world.cast.nodes.get(host) else { return };
    for (_, item) in world.wishes.keys().filter(|(wisher, _)| wisher == host) {
        let files = world.items.get(item).into_iter().flat_map(|spec| spec.files.keys());
        for file in files {
            let path = format!("into/{item}/{file}");
            if let Some((first, rest)) = node.folder().read(&path).unwrap_or_default().split_first() {
                let bytes: Vec<u8> = std::iter::once(!first).chain(rest.iter().copied()).collect();
                drop(std::fs::write(node.folder().path(&path), bytes));
            }
        }
    }
}
