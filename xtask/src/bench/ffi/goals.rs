//! What is measured, what it is called, and what it should be.

use crate::bench::figures::Goal::{AtLeast, AtMost};
use crate::bench::figures::{Measurement, plain, with};

/// The one that needs no process.
pub(super) const SIZE: &str = "size";

pub(super) const MEASUREMENTS: &[Measurement] = &[
    Measurement {
        name: "stale",
        title: "a call that fails on a stale handle (moorline_node_stop)",
        figures: &[
            with("stale.1", "1 thread", "ns", AtMost(50.0)),
            plain("stale.2", "2 threads, each", "ns"),
            plain("stale.4", "4 threads, each", "ns"),
            with("stale.scaling", "calls of 2 threads, in those of 1", "", AtLeast(1.8)),
        ],
    },
    Measurement {
        name: "kind",
        title: "the cheapest call that succeeds (moorline_kind)",
        figures: &[
            with("kind.1", "1 thread", "ns", AtMost(100.0)),
            plain("kind.2", "2 threads, each", "ns"),
            plain("kind.4", "4 threads, each", "ns"),
            with("kind.scaling", "calls of 2 threads, in those of 1", "", AtLeast(1.8)),
        ],
    },
    Measurement {
        name: "events",
        title: "events of 32 bytes, made, queued, polled in batches of 1,024 and freed",
        figures: &[
            with("events.1", "1 thread", "million/s", AtLeast(2.0)),
            plain("events.2", "2 threads on one client", "million/s"),
            plain("events.4", "4 threads on one client", "million/s"),
        ],
    },
    Measurement {
        name: "requests",
        title: "from a request to its completion (moorline_node_add_peer)",
        figures: &[
            with("request.1", "1 thread", "µs", AtMost(10.0)),
            plain("request.2", "2 threads, a client each", "µs"),
            plain("request.4", "4 threads, a client each", "µs"),
            plain("request.many.1", "1 thread, 64 under way, each", "µs"),
        ],
    },
    Measurement {
        name: "init",
        title: "beginning and end of a client",
        figures: &[
            with("init", "moorline_init", "ms", AtMost(5.0)),
            plain("init.first", "moorline_init, the first of a process", "ms"),
            plain("dispose", "moorline_dispose", "ms"),
        ],
    },
    Measurement {
        name: "python",
        title: "the same through ctypes, 1 thread",
        figures: &[
            plain("python.stale", "a call that fails on a stale handle", "ns"),
            plain("python.kind", "the cheapest call that succeeds", "ns"),
            plain("python.events", "events, each looked at", "million/s"),
            plain("python.request", "from a request to its completion", "µs"),
            plain("python.init", "moorline_init, the first of a process", "ms"),
        ],
    },
    Measurement { name: SIZE, title: "the shared library", figures: &[with(SIZE, "stripped", "MB", AtMost(8.0))] },
];
