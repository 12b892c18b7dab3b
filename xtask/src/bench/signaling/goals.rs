//! What is measured, what it is called, and what it should be.

use crate::bench::figures::Goal::{AtLeast, AtMost};
use crate::bench::figures::{Measurement, plain, with};

pub(super) const MEASUREMENTS: &[Measurement] = &[
    Measurement {
        name: "recovery-1",
        title: "reset to live, 1 session",
        figures: &[
            with("recovery-1.p50", "median", "ms", AtMost(20.0)),
            plain("recovery-1.p99", "99th percentile", "ms"),
        ],
    },
    Measurement {
        name: "recovery-100",
        title: "reset to live, 100 sessions in one process",
        figures: &[
            with("recovery-100.p50", "median", "ms", AtMost(20.0)),
            plain("recovery-100.p99", "99th percentile", "ms"),
        ],
    },
    Measurement {
        name: "recovery-100-fast",
        title: "the same, with an accept rate of 5,000 a second (1,000 by default)",
        figures: &[
            plain("recovery-100-fast.p50", "median", "ms"),
            plain("recovery-100-fast.p99", "99th percentile", "ms"),
        ],
    },
    Measurement {
        name: "recovery-100-unlimited",
        title: "the same, without a limit: all at once",
        figures: &[
            plain("recovery-100-unlimited.p50", "median", "ms"),
            plain("recovery-100-unlimited.p99", "99th percentile", "ms"),
        ],
    },
    Measurement {
        name: "half-open",
        title: "a connection that died without a word is noticed",
        // A heartbeat's time-out is counted from the last frame, a hint's from the hint; a tenth of a second is the machine's.
        figures: &[
            with("half-open.up.default", "client to server lost, no hint", "s", AtMost(12.1)),
            with("half-open.down.default", "server to client lost, no hint", "s", AtMost(12.1)),
            with("half-open.both.default", "both lost, no hint", "s", AtMost(12.1)),
            with("half-open.up.hint", "client to server lost, the path changed", "s", AtMost(2.1)),
            with("half-open.down.hint", "server to client lost, the path changed", "s", AtMost(2.1)),
            with("half-open.both.hint", "both lost, the path changed", "s", AtMost(2.1)),
        ],
    },
    Measurement {
        name: "crowd",
        title: "reset to live, 1,000 sessions in one process",
        figures: &[
            plain("crowd.advised", "the spread that the server advises", "ms"),
            plain("crowd.p50", "median", "ms"),
            plain("crowd.p99", "99th percentile", "ms"),
            with("crowd.p99-ratio", "99th percentile, in advised spreads", "", AtMost(2.0)),
            with("crowd.stall", "longest stall of the clients' runtime", "ms", AtMost(20.0)),
            plain("crowd.noise", "longest stall of a thread that does nothing", "ms"),
        ],
    },
    Measurement {
        name: "herd",
        title: "10,000 clients after a restart that forgot them (simulated)",
        figures: &[
            with("herd.first-peak", "peak of first attempts in 100 ms, in even spreads", "", AtMost(2.0)),
            with("herd.peak", "peak of all attempts in 100 ms, in even spreads", "", AtMost(2.0)),
            plain("herd.hellos", "Hellos a client", ""),
            plain("herd.last-live", "the last one is live after", "s"),
            with("herd.not-live", "clients not live by the deadline", "", AtMost(0.0)),
            with("herd-away.first-peak", "away for 500 ms: peak of first attempts", "", AtMost(2.0)),
            plain("herd-away.peak", "away for 500 ms: peak of all attempts", ""),
            plain("herd-away.hellos", "away for 500 ms: Hellos a client", ""),
            plain("herd-away.last-live", "away for 500 ms: the last one is live after", "s"),
            with("herd-away.not-live", "away for 500 ms: not live by the deadline", "", AtMost(0.0)),
        ],
    },
    Measurement {
        name: "memory",
        title: "memory of the server process for each of 10,000 idle sessions",
        figures: &[
            with("memory.rss", "moorline, resident", "KiB", AtMost(16.0)),
            plain("memory.pss", "moorline, proportional", "KiB"),
            plain("memory-plain.rss", "plain accept loop, resident", "KiB"),
            plain("memory-plain.pss", "plain accept loop, proportional", "KiB"),
        ],
    },
    Measurement {
        name: "fan-out",
        title: "messages a second from one to 100 others",
        figures: &[
            plain("fan-out.64.moorline", "64 B, moorline", "messages/s"),
            plain("fan-out.64.plain", "64 B, plain broadcast loop", "messages/s"),
            with("fan-out.64.ratio", "64 B, ratio", "", AtLeast(0.7)),
            plain("fan-out.1024.moorline", "1 KiB, moorline", "messages/s"),
            plain("fan-out.1024.plain", "1 KiB, plain broadcast loop", "messages/s"),
            with("fan-out.1024.ratio", "1 KiB, ratio", "", AtLeast(0.7)),
        ],
    },
];
