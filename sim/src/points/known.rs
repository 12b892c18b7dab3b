use std::collections::BTreeSet;

/// What a host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// A node.
    Node,
    /// A room server.
    Server,
    /// A client of a room server.
    User,
}

/// Everything that has points of its own.
struct Table {
    /// Async tasks, which have a point at their first and one at all later polls.
    tasks: &'static [&'static str],
    /// Blocking work, which has one at its start.
    blocking: &'static [&'static str],
    /// Places in between.
    places: &'static [&'static str],
}

const NODE: Table = Table {
    tasks: &[
        "commands",
        "dial",
        "discovery",
        "download",
        "goodbye",
        "handshake",
        "head",
        "lane",
        "library-monitor",
        "liveness",
        "mirror",
        "pages",
        "ping",
        "quic-server",
        "request",
        "session",
        "sources",
        "transfer",
    ],
    blocking: &[
        "chunk-lengths",
        "chunk-reader",
        "compare",
        "library-check",
        "library-hash",
        "library-roots",
        "manifest",
        "manifest-page",
        "page",
        "place",
        "resume",
        "space",
        "staging",
        "write",
    ],
    places: &[
        "accept.admitted",
        "command.taken",
        "dial.connected",
        "download.begun",
        "download.ended",
        "serve.chunks",
        "session.attached",
        "session.ending",
        "shutdown.closed",
        "shutdown.goodbye",
        "transfer.clean-up",
        "transfer.fetched",
        "transfer.journal",
        "transfer.planned",
        "transfer.rename",
        "transfer.write",
        "transport.admit",
        "transport.secured",
    ],
};

const SERVER: Table = Table {
    tasks: &["server-accept", "server-connection", "server-sweep"],
    blocking: &[],
    places: &[
        "server.admit",
        "server.apply",
        "server.expire",
        "server.fence",
        "server.go-away",
        "server.hello",
        "server.leave",
        "server.welcome",
    ],
};

const USER: Table = Table {
    tasks: &["room-client", "room-connection"],
    blocking: &[],
    places: &[
        "client.close",
        "client.dial",
        "client.dialled",
        "client.hello",
        "client.joined",
        "client.lost",
        "client.outcome",
        "client.recovered",
    ],
};

/// The points that a simulated host can reach, in the order of their names. A test compares them with the source.
#[must_use]
pub fn known_points(of: Runs) -> BTreeSet<String> {
    let Table { tasks, blocking, places } = match of {
        Runs::Node => NODE,
        Runs::Server => SERVER,
        Runs::User => USER,
    };
    let starts = tasks.iter().chain(blocking).map(|task| format!("task.{task}.start"));
    let polls = tasks.iter().map(|task| format!("task.{task}.poll"));
    starts.chain(polls).chain(places.iter().map(|place| (*place).to_owned())).collect()
}
