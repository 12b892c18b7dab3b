//! A program of one's own in a simulation: a bot in a room, whose server is killed, whose network is cut, and which is killed itself.
//!
//! `bot` is the program, and knows nothing of simulations. `scenario` is all that it takes to try it in one.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moorline_signaling::client::{Client, ClientConfig, ConnectError};
use moorline_signaling::{SendClass, machine::Event};
use moorline_sim::{Lab, LabConfig, LabError, ServerSpec, SimConnector, Trace, UserSpec};

/// Answers every "ping" in the room with a "pong", for ever.
async fn bot(config: ClientConfig) -> Result<(), ConnectError> {
    let (client, mut events) = Client::connect(config).await?;
    while let Some(event) = events.next().await {
        if let Event::Message(message) = event
            && let Some(number) = message.payload.strip_prefix(b"ping ")
        {
            drop(client.send(SendClass::Reliable, [b"pong ", number].concat()));
        }
    }
    Ok(())
}

/// Plays it on the thread that it is called on: see [`moorline_sim::on_fresh_thread`].
pub(crate) fn scenario(seed: u64, root: &Path) -> Result<Trace, LabError> {
    let mut lab = Lab::new(LabConfig::new(seed, root));
    let hub = lab.server("hub", ServerSpec::default());
    let ann = lab.user("ann", UserSpec::joining(hub.url(), "lobby"));

    let (net, seeds, url, lives) = (lab.net().clone(), lab.seeds().clone(), hub.url(), AtomicU64::new(0));
    lab.host("bot", move || {
        let life = lives.fetch_add(1, Ordering::Relaxed).to_string();
        let mut config = ClientConfig::new(&url, "lobby");
        config.connector = Arc::new(SimConnector::new(&net, "bot"));
        config.seed = Some(seeds.derive(&["bot", &life]));
        async move { Ok(bot(config).await?) }
    });

    for trouble in ["nothing", "server", "network", "bot"] {
        match trouble {
            "server" => lab.bounce("hub"),
            "network" => lab.partition("bot", "hub"),
            "bot" => lab.bounce("bot"),
            _ => {}
        }
        lab.run_for(Duration::from_secs(15))?;
        lab.heal("bot", "hub");
        lab.run_for(Duration::from_secs(15))?;
        ann.send(SendClass::Reliable, format!("ping {trouble}"));
        let answer = format!("pong {trouble}");
        lab.run_until(Duration::from_secs(5), |_| ann.messages().iter().any(|message| *message == answer.as_bytes()))?;
    }
    Ok(lab.finish())
}

#[cfg(not(test))]
moorline_sim::interpose_entropy!();

#[cfg(not(test))]
fn main() -> Result<(), LabError> {
    let root = std::env::temp_dir().join(format!("own-app-{}", std::process::id()));
    let trace = moorline_sim::on_fresh_thread(7, || scenario(7, &root))?;
    println!("{} records, {}", trace.records(), trace.fingerprint());
    Ok(())
}
