//! Many clients and the room server, in one process and a stopped clock: whatever takes time here is somebody's pause.
#![cfg(all(feature = "client", feature = "server"))]
#![allow(unreachable_pub, reason = "modules of one test binary")]

mod network;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use moorline_signaling::machine::{Decision, Event};
use moorline_signaling::server::{ServerConfig, ServerHandle};
use moorline_signaling::{Client, ClientConfig, CloseReason, Events, Strategy};
use network::{Network, Way};
use tokio::time::{Instant, sleep, timeout};

const BIN: Duration = Duration::from_millis(100);
/// After which all have heard the advice that goes with the number of all: it comes with the answer to a ping.
const SETTLED: Duration = Duration::from_secs(12);
/// By the clients' default.
const DEADLINE: Duration = Duration::from_secs(30);

struct Crowd {
    network: Arc<Network>,
    server: ServerHandle,
    /// How many servers there were.
    lives: u8,
    accept_rate: u32,
    people: Vec<(Client, Events)>,
}

/// What one of them went through.
struct Recovery {
    losses: usize,
    strategy: Strategy,
    resumed: bool,
    /// What the client waited for, in the order of its waits.
    delays: Vec<Duration>,
    downtime: Duration,
}

impl Crowd {
    /// So many people, each in a room of its own: what they tell each other is not what is looked at here.
    async fn of(size: usize, accept_rate: u32) -> Self {
        let network = Arc::new(Network::default());
        let server = network.serve(config(accept_rate, 1));
        let mut people = Vec::new();
        for client in 0..size {
            let mut config = ClientConfig::new("ws://crowd", format!("room {client}"));
            config.connector = Arc::new(Way { network: Arc::clone(&network), client });
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&(client as u64).to_le_bytes());
            config.seed = Some(seed);
            config.suspend_clock = None;
            people.push(Client::connect(config).await.expect("there is room for everybody"));
            sleep(Duration::from_secs(1) / accept_rate).await;
        }
        sleep(SETTLED).await;
        for (_, events) in &mut people {
            while events.try_next().is_some() {}
        }
        assert_eq!(network.take_dials().len(), size, "nobody had to try twice");
        Self { network, server, lives: 1, accept_rate, people }
    }

    /// Sessions divided by what is let in.
    fn spread(&self) -> Duration {
        Duration::from_secs(self.people.len() as u64) / self.accept_rate
    }

    /// The process dies and forgets all; after a while there is another one.
    async fn restart(&mut self, down: Duration) {
        self.network.refuse();
        assert_eq!(self.network.cut(), self.people.len());
        sleep(down).await;
        self.lives += 1;
        let server = self.network.serve(config(self.accept_rate, self.lives));
        std::mem::replace(&mut self.server, server).shutdown().await;
    }

    /// Waits until everybody is back. Nobody gives up.
    async fn recoveries(&mut self) -> Vec<Recovery> {
        let mut recoveries = Vec::new();
        for (client, (_, events)) in self.people.iter_mut().enumerate() {
            recoveries.push(recovery(client, events).await);
        }
        recoveries
    }

    async fn leave(self) {
        for (client, _) in &self.people {
            client.close();
        }
        for (client, _) in &self.people {
            assert_eq!(client.stopped().await, CloseReason::UserClosed);
        }
        self.server.shutdown().await;
    }
}

fn config(accept_rate: u32, life: u8) -> ServerConfig {
    ServerConfig { seed: [life; 32], accept_rate, ..ServerConfig::default() }
}

async fn recovery(client: usize, events: &mut Events) -> Recovery {
    let (mut losses, mut delays) = (0, Vec::new());
    loop {
        let event = timeout(2 * DEADLINE, events.next()).await;
        match event.unwrap_or_else(|_| panic!("nothing becomes of client {client}")) {
            Some(Event::ConnectionLost { .. }) => losses += 1,
            Some(Event::Decision(Decision { delay: Some(delay), .. })) => delays.push(delay),
            Some(Event::Recovered { strategy, resumed, downtime, .. }) => {
                return Recovery { losses, strategy, resumed, delays, downtime };
            }
            Some(Event::Closed { reason }) => panic!("client {client} gave up: {reason}"),
            Some(_) => {}
            None => panic!("the events of client {client} have ended"),
        }
    }
}

/// The most that there are of these within one bin.
fn peak(times: impl IntoIterator<Item = Instant>, since: Instant) -> usize {
    let mut bins: BTreeMap<u128, usize> = BTreeMap::new();
    for at in times {
        *bins.entry((at - since).as_nanos() / BIN.as_nanos()).or_default() += 1;
    }
    bins.into_values().max().unwrap_or(0)
}

/// I28: after a restart that has forgotten everybody they come back evenly, whether they find nobody at first or not.
#[tokio::test(start_paused = true)]
async fn i28_a_herd_comes_back_evenly_and_nobody_gives_up() {
    const CLIENTS: usize = 2_000;
    let mut crowd = Crowd::of(CLIENTS, 400).await;
    for down in [Duration::ZERO, Duration::from_millis(500)] {
        let since = Instant::now();
        crowd.restart(down).await;
        let recoveries = crowd.recoveries().await;
        for (client, recovery) in recoveries.iter().enumerate() {
            assert_eq!((recovery.losses, recovery.resumed), (1, false), "client {client}");
            assert!(recovery.downtime < DEADLINE, "client {client} was away for {:?}", recovery.downtime);
        }
        // Each client counts once: what it does when it is not let in at once is another matter.
        let mut first = BTreeMap::new();
        for (client, at) in crowd.network.take_dials() {
            first.entry(client).or_insert(at);
        }
        assert_eq!(first.len(), CLIENTS);
        let even = CLIENTS as u128 * BIN.as_nanos() / crowd.spread().as_nanos();
        let peak = peak(first.into_values(), since) as u128;
        assert!(peak <= 2 * even, "{peak} came within {BIN:?} after {down:?}, where {even} would be even");
        // The next one finds them at rest again.
        sleep(SETTLED).await;
    }
    crowd.leave().await;
}

/// I29, D5: none waits for another one.
#[tokio::test(start_paused = true)]
async fn i29_a_thousand_that_are_dropped_at_once_recover_within_their_spread() {
    const CLIENTS: usize = 1_000;
    let mut crowd = Crowd::of(CLIENTS, 1_000).await;
    let (spread, began) = (crowd.spread(), std::time::Instant::now());
    assert_eq!(crowd.network.cut(), CLIENTS);
    let recoveries = crowd.recoveries().await;
    for (client, recovery) in recoveries.iter().enumerate() {
        let Recovery { losses, strategy, resumed, delays, .. } = recovery;
        assert_eq!((*losses, *strategy, *resumed), (1, Strategy::Fast, true), "client {client}");
        assert!(matches!(delays[..], [only] if only <= spread), "client {client} waited for {delays:?}");
    }
    assert_eq!(crowd.network.take_dials().len(), CLIENTS, "one dial for one loss");
    let mut downtimes: Vec<Duration> = recoveries.iter().map(|recovery| recovery.downtime).collect();
    downtimes.sort_unstable();
    let p99 = downtimes[CLIENTS * 99 / 100];
    assert!(p99 <= 2 * spread, "p99 is {p99:?}");
    // The clock of the test shows pauses. A thread that is blocked is shown by the one on the wall.
    assert!(began.elapsed() < Duration::from_secs(30), "it took {:?}", began.elapsed());
    crowd.leave().await;
}
